//! What both nodes and the lab did, on one time line. All moments are of one
//! machine's monotonic clock, so they can be put in order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use twinwall_core::beat::RoleWord;
use twinwall_core::time::Moment;

/// Entries kept; a lab that runs for days forgets its first ones.
const MAX_ENTRIES: usize = 20_000;

/// Who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The lab: faults and what it did about them.
    Lab,
    /// The first gateway.
    #[serde(rename = "gw-a")]
    A,
    /// The second gateway.
    #[serde(rename = "gw-b")]
    B,
}

impl Source {
    /// The gateway `node` (0 or 1).
    pub const fn node(node: usize) -> Source {
        if node == 0 { Source::A } else { Source::B }
    }

    /// Its name in text.
    pub const fn name(self) -> &'static str {
        match self {
            Source::Lab => "lab",
            Source::A => crate::plan::GATEWAY_A,
            Source::B => crate::plan::GATEWAY_B,
        }
    }
}

/// One line.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When.
    pub at: Moment,
    /// Who.
    pub source: Source,
    /// The role that the node left and the one that it took, when it changed.
    pub role: Option<(RoleWord, RoleWord)>,
    /// What, in words.
    pub text: String,
}

/// The line itself; clones write to the same one.
#[derive(Clone, Default)]
pub struct Timeline(Arc<Mutex<Vec<Entry>>>);

impl Timeline {
    /// Adds a line.
    pub fn add(&self, entry: Entry) {
        let mut entries = self.lock();
        if entries.len() == MAX_ENTRIES {
            entries.drain(..MAX_ENTRIES / 10);
        }
        entries.push(entry);
    }

    /// Adds a line of the lab itself.
    pub fn say(&self, at: Moment, text: impl Into<String>) {
        self.add(Entry { at, source: Source::Lab, role: None, text: text.into() });
    }

    /// The lines of a span, in the order of their moments.
    pub fn between(&self, from: Moment, to: Moment) -> Vec<Entry> {
        let inside = |entry: &&Entry| entry.at >= from && entry.at <= to;
        let mut found: Vec<Entry> = self.lock().iter().filter(inside).cloned().collect();
        found.sort_by_key(|entry| entry.at);
        found
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        // A thread that died while adding a line left the lines before it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often a node became active or ceased to be.
pub fn role_changes(entries: &[Entry]) -> u32 {
    let counts = |entry: &&Entry| {
        entry.role.is_some_and(|(from, to)| (from == RoleWord::Active) != (to == RoleWord::Active))
    };
    u32::try_from(entries.iter().filter(counts).count()).unwrap_or(u32::MAX)
}
