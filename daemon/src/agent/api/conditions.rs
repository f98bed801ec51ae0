//! Routes of conditions and notices, and of what some of them are made from: gateways and
//! what a node has left.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use axum::routing::get;
use futures_util::stream::{self, Stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Shared;
use super::error::Refusal;
use super::request::Asked;
use super::route::{Method, Route};
use crate::agent::accounts::Role;
use crate::agent::conditions::{MAX_NOTICES, Notice, Standing};
use crate::agent::reach::view::ReachView;
use crate::agent::resources::view::ResourcesView;

/// Name of the events in the stream.
const EVENT: &str = "notice";
/// Notices in one answer, where nothing is said.
const PAGE: usize = 100;
/// Who may follow at a time.
const MAX_FOLLOWERS: usize = 8;
/// The stream says something at least this often.
const PULSE: Duration = Duration::from_secs(5);

static FOLLOWERS: AtomicUsize = AtomicUsize::new(0);

/// What is the matter now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConditionsView {
    /// This node's name.
    pub node: String,
    /// Whether this node speaks for the pair: sends traps, mail and messages.
    pub speaks: bool,
    /// Each condition that is raised, the worst first.
    pub present: Vec<Standing>,
    /// Conditions since the agent's start that had no room.
    pub left_out: u64,
}

/// Which notices.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Only those with a greater number, the oldest first; without it the newest ones.
    after: Option<u64>,
    /// At most so many; 100 where nothing is said, 1000 are kept.
    last: Option<usize>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<ConditionsView>(
            (Method::Get, "/api/v1/conditions"),
            ("conditions", "What is the matter with either node or the pair now, the worst first"),
            get(present),
        )
        .least(Role::Viewer),
        Route::new::<Vec<Notice>>(
            (Method::Get, "/api/v1/notices"),
            ("notices", "What was raised, was cleared or happened; kept over restarts"),
            get(notices),
        )
        .asks::<Which>()
        .least(Role::Viewer),
        Route::new::<Notice>(
            (Method::Get, "/api/v1/notices/follow"),
            ("follow_notices", "Each notice as it comes, those after a number first"),
            get(follow),
        )
        .asks::<Which>()
        .streams()
        .least(Role::Viewer),
        Route::new::<ReachView>(
            (Method::Get, "/api/v1/reach"),
            ("reach", "Which gateways answer this node, and which the other one"),
            get(reach),
        )
        .least(Role::Viewer),
        Route::new::<ResourcesView>(
            (Method::Get, "/api/v1/resources"),
            ("resources", "What this node has left: memory, disks, connections, temperatures"),
            get(resources),
        )
        .least(Role::Viewer),
    ]
}

async fn present(State(shared): State<Shared>) -> Json<ConditionsView> {
    let conditions = shared.node.conditions();
    Json(ConditionsView {
        node: shared.node.settings().name.clone(),
        speaks: conditions.speaks(),
        present: conditions.present(),
        left_out: conditions.refused(),
    })
}

async fn notices(State(shared): State<Shared>, Asked(which): Asked<Which>) -> Json<Vec<Notice>> {
    let most = which.last.unwrap_or(PAGE).min(MAX_NOTICES);
    Json(shared.node.conditions().notices(which.after, most))
}

async fn reach(State(shared): State<Shared>) -> Json<ReachView> {
    let guard = shared.node.guard();
    let state = guard.borrow().clone();
    let snapshot = state.status().map(|status| &status.snapshot);
    Json(shared.node.reach().view(&shared.node.settings().name, snapshot))
}

async fn resources(State(shared): State<Shared>) -> Json<ResourcesView> {
    Json(shared.node.resources().view(&shared.node.settings()))
}

/// A listener.
struct Follower {
    shared: Shared,
    newest: watch::Receiver<u64>,
    last: u64,
    waiting: std::collections::VecDeque<Notice>,
    _place: Place,
}

async fn follow(
    State(shared): State<Shared>,
    Asked(which): Asked<Which>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let place = Place::take()?;
    let newest = shared.node.conditions().subscribe();
    let last = which.after.unwrap_or_else(|| *newest.borrow());
    let waiting = std::collections::VecDeque::new();
    let follower = Follower { shared, newest, last, waiting, _place: place };
    let events = stream::unfold(follower, |mut follower| async {
        let notice = follower.next().await?;
        let event = Event::default().event(EVENT).json_data(notice).ok()?;
        Some((Ok(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(PULSE)))
}

impl Follower {
    async fn next(&mut self) -> Option<Notice> {
        loop {
            if let Some(notice) = self.waiting.pop_front() {
                self.last = notice.id;
                return Some(notice);
            }
            let more = self.shared.node.conditions().notices(Some(self.last), PAGE);
            if more.is_empty() {
                self.newest.changed().await.ok()?;
            }
            self.waiting.extend(more);
        }
    }
}

/// A follower's place, free again when it is dropped.
struct Place;

impl Place {
    fn take() -> Result<Place, Refusal> {
        if FOLLOWERS.fetch_add(1, Ordering::Relaxed) >= MAX_FOLLOWERS {
            FOLLOWERS.fetch_sub(1, Ordering::Relaxed);
            return Err(Refusal::conflict(format!(
                "{MAX_FOLLOWERS} follow already; end one of them, or ask GET /api/v1/notices now \
                 and then"
            )));
        }
        Ok(Place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        FOLLOWERS.fetch_sub(1, Ordering::Relaxed);
    }
}
