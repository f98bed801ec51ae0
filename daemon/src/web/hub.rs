//! What the pages know of the pair. While somebody looks, the hub listens to the agent's
//! stream, once for all viewers, and makes the parts of the page that change; a while after
//! the last one has gone it stops, so that nobody is asked for nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::agent::{Agent, Name};
use super::events::Events;
use super::pages::dashboard::{Fragment, fragments};
use crate::agent::api::error::Refusal;
use crate::agent::dashboard::Dashboard;

/// After the last viewer: from one page to the next it goes on.
const LINGER: Duration = Duration::from_secs(15);
/// Between two tries to reach the agent.
const AGAIN: Duration = Duration::from_millis(500);
/// Between the end of a stream and the next one.
const SOON: Duration = Duration::from_millis(20);
/// How long a page waits for the first value.
const FIRST: Duration = Duration::from_secs(4);
/// Seconds that the plots show.
pub(super) const PLOTTED: usize = 60;

/// What is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The pair, or why nobody knows.
    pub(super) state: Option<Result<Arc<Dashboard>, Refusal>>,
    /// The parts of the page that change.
    pub(super) fragments: Arc<Vec<Fragment>>,
}

/// Second by second, the newest last.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plot {
    /// Milliseconds there and back; none where no beat was confirmed.
    pub(super) round_trips: VecDeque<Option<f64>>,
    /// Beats that were due, and those of them that were heard.
    pub(super) beats: VecDeque<(f64, f64)>,
    last: Option<(u64, u64)>,
    /// The beats of each path, by its interface.
    pub(super) paths: BTreeMap<String, Beats>,
}

/// What was heard on a path.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Beats {
    /// Those that were due, and those of them that were heard, second by second.
    pub(super) seconds: VecDeque<(f64, f64)>,
    /// When, and how many had been heard by then.
    last: Option<(u64, u64)>,
}

impl Beats {
    /// Takes in a second, when one has passed.
    fn take(&mut self, at_ms: u64, interval_s: f64, heard: u64) {
        let Some((then, before)) = self.last else {
            self.last = Some((at_ms, heard));
            return;
        };
        let passed = at_ms.saturating_sub(then);
        // Two beats at the least, so that one that is about to come is not missed.
        if passed < 1000.max((interval_s * 2e3) as u64) {
            return;
        }
        self.last = Some((at_ms, heard));
        // A new session counts from 0.
        if heard >= before {
            push(&mut self.seconds, (passed as f64 / (interval_s * 1e3), (heard - before) as f64));
        }
    }
}

/// The hub.
pub(super) struct Hub(Arc<Inside>);

struct Inside {
    agent: Agent,
    seen: watch::Sender<Seen>,
    viewers: AtomicUsize,
    listening: Mutex<Option<JoinHandle<()>>>,
}

/// Somebody who looks, until this is dropped.
pub(super) struct Viewer {
    inside: Arc<Inside>,
    seen: watch::Receiver<Seen>,
}

impl Hub {
    pub(super) fn of(agent: Agent) -> Hub {
        Hub(Arc::new(Inside {
            agent,
            seen: watch::Sender::default(),
            viewers: AtomicUsize::new(0),
            listening: Mutex::default(),
        }))
    }

    /// A new viewer.
    pub(super) async fn view(&self) -> Viewer {
        let inside = Arc::clone(&self.0);
        inside.viewers.fetch_add(1, Ordering::Relaxed);
        let viewer = Viewer { seen: inside.seen.subscribe(), inside };
        let mut listening = viewer.inside.listening.lock().await;
        if listening.as_ref().is_none_or(JoinHandle::is_finished) {
            viewer.inside.seen.send_replace(Seen::default());
            *listening = Some(tokio::spawn(listen(Arc::clone(&viewer.inside))));
        }
        drop(listening);
        viewer
    }
}

impl Viewer {
    /// What is known now; waits a moment for the first value.
    pub(super) async fn now(&mut self) -> Seen {
        let first = self.seen.wait_for(|seen| seen.state.is_some());
        if let Ok(Ok(seen)) = tokio::time::timeout(FIRST, first).await {
            return seen.clone();
        }
        let why = Refusal::unreachable("the agent takes its time; reload this page in a moment");
        let fragments = fragments(Err(&why), &Plot::default()).into();
        Seen { state: Some(Err(why)), fragments }
    }

    /// The next value.
    pub(super) async fn next(&mut self) -> Option<Seen> {
        self.seen.changed().await.ok()?;
        Some(self.seen.borrow_and_update().clone())
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.inside.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn listen(inside: Arc<Inside>) {
    let mut plot = Plot::default();
    let idle = tokio::spawn(until_nobody_looks(Arc::clone(&inside)));
    while !idle.is_finished() {
        let ended = follow(&inside, &mut plot, &idle).await;
        if idle.is_finished() {
            break;
        }
        if let Err(refusal) = ended {
            let fragments = Arc::new(fragments(Err(&refusal), &plot));
            inside.seen.send_replace(Seen { state: Some(Err(refusal)), fragments });
            tokio::time::sleep(AGAIN).await;
        } else {
            // The agent ends each stream after some minutes; nobody shall notice.
            tokio::time::sleep(SOON).await;
        }
    }
}

async fn until_nobody_looks(inside: Arc<Inside>) {
    let mut last = Instant::now();
    while last.elapsed() < LINGER {
        if inside.viewers.load(Ordering::Relaxed) > 0 {
            last = Instant::now();
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Follows one stream to its end, which the agent brings about every few minutes.
async fn follow(inside: &Inside, plot: &mut Plot, idle: &JoinHandle<()>) -> Result<(), Refusal> {
    let mut events = Events::open(&inside.agent, "/api/v1/stream", &Name::console()).await?;
    while let Some(dashboard) = events.next().await? {
        show(inside, plot, dashboard);
        if idle.is_finished() {
            break;
        }
    }
    Ok(())
}

fn show(inside: &Inside, plot: &mut Plot, dashboard: Dashboard) {
    plot.take(&dashboard);
    let fragments = Arc::new(fragments(Ok(&dashboard), plot));
    let state = Some(Ok(Arc::new(dashboard)));
    inside.seen.send_replace(Seen { state, fragments });
}

impl Plot {
    /// Takes in a second, when one has passed.
    fn take(&mut self, dashboard: &Dashboard) {
        let Some(beat) = &dashboard.heartbeat else { return };
        self.paths.retain(|name, _| dashboard.paths.iter().any(|path| path.interface == *name));
        for path in &dashboard.paths {
            let beats = self.paths.entry(path.interface.clone()).or_default();
            beats.take(dashboard.at_ms, beat.interval_s, path.heard);
        }
        let Some(heard) = beat.heard else {
            self.last = None;
            return;
        };
        let Some((then, before)) = self.last else {
            self.last = Some((dashboard.at_ms, heard));
            return;
        };
        let passed = dashboard.at_ms.saturating_sub(then);
        // Two beats at the least, so that one that is about to come is not missed.
        if passed < 1000.max((beat.interval_s * 2e3) as u64) {
            return;
        }
        self.last = Some((dashboard.at_ms, heard));
        if heard >= before {
            let due = passed as f64 / (beat.interval_s * 1e3);
            push(&mut self.beats, (due, (heard - before) as f64));
            push(&mut self.round_trips, beat.round_trip_ms);
        }
    }
}

fn push<T>(all: &mut VecDeque<T>, one: T) {
    all.push_back(one);
    if all.len() > PLOTTED {
        all.pop_front();
    }
}
