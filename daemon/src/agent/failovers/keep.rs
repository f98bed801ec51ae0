//! Keeps events and reports up to date: reads the own guard's events when something changed
//! there, asks the other node for its own now and then, compares the clocks after a move.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;
use twinwall_core::api::Numbered;
use twinwall_core::beat::RoleWord;
use twinwall_core::ids::{BootId, Epoch};
use twinwall_core::note::What;

use super::build::{Scene, reports};
use super::measure::{measure, monotonic};
use super::{Entry, Failovers, Inside, Place, timeline};
use crate::agent::api::error::Refusal;
use crate::agent::calls::{Call, Reply};
use crate::agent::clock::unix_us;
use crate::agent::guard::{self, GuardState};
use crate::agent::node::Node;
use crate::agent::probe::{self, Silence};

/// Between two looks when nothing happens: one short question over a link that is there.
const LOOK: Duration = Duration::from_secs(5);
/// After a change of the role, so that nothing is asked while it moves.
const SETTLE: Duration = Duration::from_millis(300);
/// The next look after one: the other node has settled too by then.
const SOON: Duration = Duration::from_millis(700);
/// How long the other node may take for its events.
const PATIENCE: Duration = Duration::from_secs(3);
/// How far a moment may lie beside its own wall clock before that was set meanwhile, in
/// microseconds.
const STEP: u64 = 1_500_000;

/// Reports that are looked at for one that is open; an older one stays as it is.
const NEWEST: usize = 3;

/// What of the guard's state is worth a look.
type Key = Option<(BootId, RoleWord, Epoch, String)>;

/// Keeps them up until the node is gone.
pub(in crate::agent) async fn keep(node: Weak<Node>) {
    let Some(mut state) = node.upgrade().map(|node| node.guard()) else { return };
    let mut known = None;
    let mut wait = SETTLE;
    let mut told = None;
    loop {
        let changed = changes(&mut state, &mut known, wait).await;
        let Some(node) = node.upgrade() else { return };
        let failed = look(&node).await.err();
        // The same trouble is told once.
        if failed.is_some() && failed != told {
            eprintln!("twinwall agent: events: {}", failed.as_deref().unwrap_or_default());
        }
        told = failed;
        wait = if changed { SOON } else { LOOK };
    }
}

/// Waits for a change of role or peer, `longest` at the most; whether there was one.
async fn changes(
    state: &mut watch::Receiver<GuardState>,
    known: &mut Key,
    longest: Duration,
) -> bool {
    let until = Instant::now() + longest;
    loop {
        let key = key(&state.borrow_and_update());
        if key != *known {
            *known = key;
            tokio::time::sleep(SETTLE).await;
            return true;
        }
        let left = until.saturating_duration_since(Instant::now());
        match timeout(left, state.changed()).await {
            Ok(Ok(())) => {}
            // Nobody follows the guard any more: the agent ends.
            Ok(Err(_)) => tokio::time::sleep(left).await,
            Err(_) => return false,
        }
    }
}

fn key(state: &GuardState) -> Key {
    let snapshot = &state.status()?.snapshot;
    Some((snapshot.boot, snapshot.role.role, snapshot.role.epoch, snapshot.peer.state.clone()))
}

/// One look at both nodes.
async fn look(node: &Arc<Node>) -> Result<(), String> {
    read_own(node).await?;
    let asked = ask(node).await;
    let measures = asked && node.failovers().wants_a_measurement();
    let clock = if measures { measure(node).await } else { None };
    let keeping = Arc::clone(node);
    let kept = tokio::task::spawn_blocking(move || {
        let settings = keeping.settings();
        let mut inside = keeping.failovers().inside();
        clock.into_iter().for_each(|clock| inside.reports.set_clock(clock));
        let own = keeping.probes().silences(&settings.name);
        inside.put_together(&settings.name, own);
        inside.reports.save()
    });
    kept.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// Reads what the guard has told since, and keeps it.
pub(in crate::agent) async fn read_own(node: &Arc<Node>) -> Result<(), String> {
    let Some(before) = run(node) else { return Ok(()) };
    let reading = Arc::clone(node);
    let read = tokio::task::spawn_blocking(move || {
        let name = String::from(before);
        let place = reading.failovers().inside().here.place();
        let after = place.filter(|it| it.run == name).map_or(0, |it| it.number);
        // A guard that does not answer is told by its state.
        let Ok(events) = guard::events(reading.root(), after) else { return Ok(()) };
        // One that was started again meanwhile is read at the next look.
        if run(&reading) != Some(before) {
            return Ok(());
        }
        let entries = entries(&name, events);
        reading.failovers().inside().here.add(entries)
    });
    read.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

/// The run of the guard that answers now.
fn run(node: &Node) -> Option<BootId> {
    let guard = node.guard();
    let state = guard.borrow();
    state.status().map(|status| status.snapshot.boot)
}

/// The guard's events with moments as exact as its own clock.
fn entries(run: &str, events: Vec<Numbered>) -> Vec<Entry> {
    let (wall, now) = (unix_us(), monotonic());
    let mut run = run.to_owned();
    let entry = |event: Numbered| {
        if let What::Started { boot } = event.note.what {
            run = String::from(boot);
        }
        let ago = u64::try_from(now.since(event.note.at).as_micros()).unwrap_or(u64::MAX);
        let exact = wall.saturating_sub(ago);
        let rough = event.unix_ms.saturating_mul(1000);
        let unix_us = if exact.abs_diff(rough) > STEP { rough } else { exact };
        let (number, what, text) = (event.number, Some(event.note.what), event.text);
        Entry { run: run.clone(), number, unix_us, what, text }
    };
    events.into_iter().map(entry).collect()
}

/// Asks the other node for what its guard has told since; whether it answered.
async fn ask(node: &Arc<Node>) -> bool {
    if !node.link().is_some_and(|link| link.is_up()) {
        return false;
    }
    let asked_us = unix_us();
    let after = node.failovers().inside().there.place();
    let Ok(Reply::Events { name, entries, silences }) =
        node.look(Call::Events { after }, PATIENCE).await
    else {
        return false;
    };
    let keeping = Arc::clone(node);
    let kept = tokio::task::spawn_blocking(move || {
        let mut inside = keeping.failovers().inside();
        if inside.reports.there().is_some_and(|known| known != name) {
            inside.there.clear()?;
        }
        inside.reports.set_there(name);
        inside.silences_there = silences;
        inside.asked_us = Some(asked_us);
        inside.there.add(entries)
    });
    matches!(kept.await, Ok(Ok(())))
}

/// Answers the same question of the other node.
pub(in crate::agent) async fn answer(
    node: &Arc<Node>,
    after: Option<Place>,
) -> Result<Reply, Refusal> {
    read_own(node).await.map_err(Refusal::machine)?;
    let name = node.settings().name.clone();
    let (entries, silences) = (node.failovers().told(after.as_ref()), probe::told(node));
    Ok(Reply::Events { name, entries, silences })
}

impl Failovers {
    /// Whether a move is not told to its end, or the clocks were never compared.
    fn wants_a_measurement(&self) -> bool {
        let inside = self.inside();
        let open = inside.reports.newest_first().take(NEWEST).any(|report| !report.complete);
        open || inside.reports.clock().is_none()
    }
}

impl Inside {
    /// Makes the reports anew from what is known.
    pub(super) fn put_together(&mut self, here: &str, own: Vec<Silence>) {
        let there = self.reports.there().unwrap_or("the other node").to_owned();
        let placed = timeline::merged(self);
        let first = placed.first().map_or(0, |it| it.us);
        let older = |it: &&super::Report| {
            i64::try_from(it.summary.ended_ms).unwrap_or(i64::MAX).saturating_mul(1000) < first
        };
        let before = self.reports.newest_first().find(older);
        let served_before = before.map(|report| report.summary.to == here);
        let ahead_us = self.reports.clock().map_or(0, |clock| clock.ahead_us);
        let mut probed = own;
        probed.extend(probe::taken(self.silences_there.clone(), ahead_us));
        let scene = Scene {
            probed: &probed,
            here,
            there: &there,
            placed: &placed,
            clock: self.reports.clock(),
            asked_us: self.asked_us.and_then(|us| i64::try_from(us).ok()),
            now_us: i64::try_from(unix_us()).unwrap_or(i64::MAX),
        };
        let made = reports(&scene, served_before, &|id| self.reports.is_complete(id));
        self.reports.merge(made);
    }
}
