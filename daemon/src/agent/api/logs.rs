//! Routes of the kept logs of both nodes: pages of them, what comes, and which sources there are.
//! Reading waits for the disk, on threads that may; few read at a time, so that logs take nothing
//! from what the agent is there for.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use axum::routing::get;
use futures_util::stream::{self, Stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Shared;
use super::error::{Code, Refusal};
use super::request::Asked;
use super::route::{Method, Route};
use crate::agent::accounts::Role;
use crate::agent::failovers::Which;
use crate::agent::logs::search::{
    self, Follow, FollowAsk, Hints, LogNews, LogsAsk, LogsPage, Names,
};
use crate::agent::logs::store::Reader;
use crate::agent::logs::view::LogsView;
use crate::agent::node::{Node, Settings};

/// Name of the events in the stream.
pub const EVENT: &str = "logs";
/// Searches at a time: each keeps a thread busy for two seconds at the most.
const MAX_SEARCHES: usize = 2;
/// A search that waits longer for its turn is refused.
const TURN: Duration = Duration::from_secs(8);
/// Who follows at a time, over all sessions and commands.
pub const MAX_FOLLOWERS: usize = 16;
/// Between two looks of one who follows.
const LEAST: Duration = Duration::from_millis(250);
/// A look is due after so long, whether somebody said that there is something new or not.
const LOOK: Duration = Duration::from_secs(2);
/// A stream says something at least this often.
const PULSE: Duration = Duration::from_secs(5);
/// A stream ends after so long: whoever asks again is asked again who he is.
const LONGEST: Duration = Duration::from_secs(600);

static SEARCHES: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(MAX_SEARCHES)));
static FOLLOWERS: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(MAX_FOLLOWERS)));

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<LogsPage>(
            (Method::Get, "/api/v1/logs"),
            ("logs", "Lines of the logs of both nodes, merged by time, the newest first"),
            get(page),
        )
        .asks::<LogsAsk>()
        .least(Role::Operator),
        Route::new::<LogsView>(
            (Method::Get, "/api/v1/logs/sources"),
            ("log_sources", "Which logs are kept of each node, and how far the other one has them"),
            get(sources),
        )
        .least(Role::Operator),
        Route::new::<LogNews>(
            (Method::Get, "/api/v1/logs/follow"),
            ("follow_logs", "Lines of both nodes as they come, for ten minutes"),
            get(follow),
        )
        .asks::<FollowAsk>()
        .streams()
        .least(Role::Operator),
    ]
}

async fn page(
    State(shared): State<Shared>,
    Asked(ask): Asked<LogsAsk>,
) -> Result<Json<LogsPage>, Refusal> {
    let busy = || Refusal::new(Code::TooMany, "others search the logs already; try again soon");
    let turn = timeout(TURN, Arc::clone(&SEARCHES).acquire_owned()).await;
    let place = turn.map_err(|_| busy())?.map_err(|_| busy())?;
    let (reader, names, hints) = read_by(&shared.node);
    // This goes with whoever asked.
    let here = Arc::new(());
    let asker = Arc::downgrade(&here);
    on_disk(move || {
        let _place = place;
        search::search(&reader, &names, &hints, &ask, &asker)
    })
    .await?
    .map(Json)
}

async fn sources(State(shared): State<Shared>) -> Json<LogsView> {
    Json(shared.node.logs().view())
}

/// What searches and tails need of this node.
fn read_by(node: &Arc<Node>) -> (Reader, Names, Hints) {
    let settings = node.settings();
    let which = Which { last: Some(1), ..Which::default() };
    let told = || node.failovers().events(&settings.name, &which).there;
    let there = node.link().and_then(|link| Some(link.peer?.node)).or_else(told);
    let sources = settings.profile.logs.iter().map(|source| source.name.clone()).collect();
    let names = Names { here: settings.name.clone(), there, sources };
    (node.logs().reader(), names, hints(&settings))
}

/// What the profile says of the lines of its sources.
fn hints(settings: &Settings) -> Hints {
    let known = settings.profile.logs.iter();
    known.filter_map(|source| Some((source.name.clone(), source.format?))).collect()
}

/// Does what waits for the disk.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Refusal::machine(format!("reading the kept logs: {error}")))
}

async fn follow(
    State(shared): State<Shared>,
    Asked(ask): Asked<FollowAsk>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let place = Arc::clone(&FOLLOWERS).try_acquire_owned().map_err(|_| {
        Refusal::new(Code::TooMany, format!("{MAX_FOLLOWERS} follow the logs already; end one"))
    })?;
    let follower = Follower::of(&shared.node, ask, place).await?;
    let events = stream::unfold(follower, |mut follower| async {
        let news = follower.next().await?;
        let event = Event::default().event(EVENT).json_data(news).ok()?;
        Some((Ok(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(PULSE)))
}

/// Somebody who follows.
struct Follower {
    /// None while it looks, and after a look that failed.
    follow: Option<Follow>,
    changed: watch::Receiver<[u64; 2]>,
    /// Before the first look nobody waits, and its answer comes at once, whatever is in it.
    looked: Option<Instant>,
    ends: Instant,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    async fn of(
        node: &Arc<Node>,
        ask: FollowAsk,
        place: OwnedSemaphorePermit,
    ) -> Result<Follower, Refusal> {
        let (reader, names, hints) = read_by(node);
        let follow = on_disk(move || Follow::of(reader, names, hints, &ask)).await??;
        Ok(Follower {
            follow: Some(follow),
            changed: node.logs().changed(),
            looked: None,
            ends: Instant::now() + LONGEST,
            _place: place,
        })
    }

    /// What comes next; none at the end.
    async fn next(&mut self) -> Option<LogNews> {
        while Instant::now() < self.ends {
            let is_first = self.looked.is_none();
            if let Some(looked) = self.looked {
                sleep_until(looked + LEAST).await;
                if !self.follow.as_ref()?.has_more() {
                    self.wait().await;
                }
            }
            self.looked = Some(Instant::now());
            self.changed.mark_unchanged();
            let mut follow = self.follow.take()?;
            let looked = on_disk(move || follow.look().map(|news| (follow, news))).await;
            let (follow, news) = looked.ok()?.ok()?;
            self.follow = Some(follow);
            let is_news = news.left_out > 0 || !news.missing.is_empty() || !news.lines.is_empty();
            if is_first || is_news {
                return Some(news);
            }
        }
        None
    }

    /// Until there is something new, or a look is due anyway.
    async fn wait(&mut self) {
        match timeout(LOOK, self.changed.changed()).await {
            Ok(Ok(())) | Err(_) => {}
            // Nobody will say any more that there is something new.
            Ok(Err(_)) => sleep(LOOK).await,
        }
    }
}
