//! Looks at the pair once a second and keeps what ended; takes finished reports into the history.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use twinwall_core::beat::RoleWord;
use twinwall_core::snapshot::Snapshot;

use super::record::Record;
use super::watch::Look;
use crate::agent::clock::unix_ms;
use crate::agent::engine::overview::SectionState;
use crate::agent::failovers::monotonic;
use crate::agent::node::Node;

/// Between two looks; what they see is as exact as that.
const LOOK: Duration = Duration::from_secs(1);
/// So many looks until what goes on is written down: what a kill loses of it.
const WRITE: u64 = 30;

/// Looks until the node is gone.
pub(in crate::agent) async fn keep(node: Weak<Node>) {
    let mut due = interval(LOOK);
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut looks) = (None, 0_u64);
    loop {
        due.tick().await;
        looks += 1;
        let Some(node) = node.upgrade() else { return };
        let (now, seen) = (unix_ms(), look(&node));
        let writes = looks % WRITE == 1;
        let keeping = Arc::clone(&node);
        let kept = tokio::task::spawn_blocking(move || keep_one(&keeping, (now, seen), writes));
        let failed = match kept.await {
            Ok(kept) => kept.err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        // The same trouble is told once.
        if failed.is_some() && failed != told {
            eprintln!("twinwall agent: history: {}", failed.as_deref().unwrap_or_default());
        }
        told = failed;
    }
}

fn keep_one(node: &Node, (now, seen): (u64, Look), writes: bool) -> std::io::Result<()> {
    let finished = if writes { node.failovers().summaries(true) } else { Vec::new() };
    let mut inside = node.history().inside();
    let ended = inside.watch.look(now, seen);
    let fresh = finished.into_iter().filter(|it| !inside.store.has_move(&it.id));
    let mut records: Vec<Record> = fresh.map(Record::Move).collect();
    let changed = !ended.is_empty();
    records.extend(ended.into_iter().map(Record::Span));
    inside.store.add(records)?;
    if writes || changed {
        let open = inside.watch.open().to_vec();
        inside.store.set_open(&open)?;
    }
    Ok(())
}

/// How the pair is now, as this node knows.
fn look(node: &Node) -> Look {
    let settings = node.settings();
    if settings.peer.is_none() {
        return Look::Nothing;
    }
    if !settings.is_enabled() {
        return Look::Off;
    }
    let guard = node.guard();
    let guard = guard.borrow();
    let Some(snapshot) = guard.status().map(|status| &status.snapshot) else {
        return Look::Unknown;
    };
    let serves = |role: RoleWord| match role {
        RoleWord::Active | RoleWord::Releasing => true,
        RoleWord::Starting | RoleWord::Passive | RoleWord::Claiming => false,
    };
    let there = snapshot.peer.is_heard() && snapshot.peer.role.is_some_and(serves);
    let Ok(engine) = node.engine() else {
        // The settings are being read again: for a moment, which says nothing new.
        return Look::Unknown;
    };
    let differs = |state: SectionState| match state {
        SectionState::OutOfSync | SectionState::NeverSynchronised | SectionState::Failed => true,
        SectionState::InSync | SectionState::Synchronising | SectionState::Unknown => false,
    };
    let out_of_sync = engine.overview().sections.iter().any(|section| differs(section.state));
    let served = serves(snapshot.role.role) || there;
    Look::On { served, out_of_sync, active: active(snapshot) }
}

/// From when to when this node was active, in milliseconds since 1970, up to the moment of which
/// its guard spoke last.
fn active(snapshot: &Snapshot) -> Option<(u64, u64)> {
    let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let to = unix_ms().saturating_sub(ms(monotonic().since(snapshot.at)));
    let from = to.saturating_sub(ms(snapshot.role.since));
    (snapshot.role.role == RoleWord::Active).then_some((from, to))
}
