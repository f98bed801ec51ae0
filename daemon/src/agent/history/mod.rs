//! The pair's history over years (SPEC R18): moves of the role, drills, and when nobody served,
//! when the configurations differed, when high availability was off. From it comes the
//! availability report of a month. Each agent keeps its own; for a report the other one is asked
//! for its part. It looks and writes; nothing waits for it.

mod availability;
mod keep;
mod month;
mod page;
mod record;
mod store;
mod times;
mod watch;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::unix_ms;
use super::node::Node;
use availability::Known;
pub use availability::{Availability, Day, span};
pub(in crate::agent) use keep::keep;
pub use month::Month;
pub use page::{csv, day_class, day_words, page, percent};
pub use record::{Drill, Record, Span, State};
use store::Store;
use watch::Watch;

/// Bytes of the records that one node tells the other, as JSON: those of a busy month, and what
/// fits one message.
const MAX_TOLD: usize = 768 << 10;

/// What is kept.
#[derive(Debug)]
pub struct History(Mutex<Inside>);

#[derive(Debug)]
struct Inside {
    store: Store,
    watch: Watch,
}

impl History {
    /// As it lies below the root.
    pub fn open(root: &Path) -> History {
        let folder = root.join(crate::agent::engine::assemble::STATE);
        History(Mutex::new(Inside { store: Store::open(&folder), watch: Watch::default() }))
    }

    /// Keeps a test of the failover. Waits for the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(in crate::agent) fn add_drill(&self, drill: Drill) -> std::io::Result<()> {
        self.inside().store.add(vec![Record::Drill(drill)])
    }

    /// What is known of a time (milliseconds since 1970), with what goes on.
    pub(in crate::agent) fn records(&self, (from_ms, to_ms): (u64, u64)) -> Vec<Record> {
        let inside = self.inside();
        let going_on = inside.watch.open().iter().copied().map(Record::Span);
        let touches = |record: &Record| record.began_ms() <= to_ms && record.ended_ms() >= from_ms;
        let kept = inside.store.records().iter().cloned();
        kept.chain(going_on).filter(touches).collect()
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All that this node knows of a time, with the reports that are not in the history yet.
fn known(node: &Node, window: (u64, u64)) -> Vec<Record> {
    let mut records = node.history().records(window);
    let newer = node.failovers().summaries(false).into_iter();
    let within = newer.filter(|it| it.began_ms <= window.1 && it.ended_ms >= window.0);
    records.extend(within.map(Record::Move));
    records
}

/// Answers the other node's question, with the newest of them where there are too many.
pub(in crate::agent) fn told(node: &Node, window: (u64, u64)) -> Vec<Record> {
    let mut records = known(node, window);
    let mut room = MAX_TOLD;
    let fits = |record: &&Record| {
        let length = serde_json::to_vec(record).map_or(usize::MAX, |text| text.len() + 1);
        let left = room.checked_sub(length);
        room = left.unwrap_or(0);
        left.is_some()
    };
    let kept = records.iter().rev().take_while(fits).count();
    records.split_off(records.len() - kept)
}

/// The report of a month, from what both nodes know.
pub async fn of(node: &Arc<Node>, month: Month) -> Availability {
    let window = month.bounds();
    let there = node.exchange().history(window).await;
    let both = there.is_some();
    let name = node.settings().name.clone();
    // All that is kept, so that the report can name the other months.
    let mut records = known(node, (0, u64::MAX));
    // Where the clocks were never compared, they are taken for equal.
    let ahead_us = node.failovers().clock().map_or(0, |clock| clock.ahead_us);
    let there = there.unwrap_or_default().into_iter();
    records.extend(there.map(|record| record.moved(ahead_us)));
    let known = Known { node: &name, now_ms: unix_ms(), records: &records, both };
    availability::availability(&known, month)
}
