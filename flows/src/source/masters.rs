//! Flows whose helper rewrites what they say (FTP, SIP), and with it their sequence
//! numbers. The kernel has no event for such an adjustment: it shows when the flow is asked
//! for. A mirror without it would cut the connection at the first packet that it passes.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::expectation::MAX_EXPECTATIONS;
use crate::tuple::Key;

/// How long after an expectation its master is asked for: the helper makes the expectation
/// first and rewrites the packet just after it.
const REWRITTEN: Duration = Duration::from_millis(2);

/// Which flows to ask the kernel for, and when.
#[derive(Debug, Default)]
pub(super) struct Masters {
    /// In the order of time; at most one for each expectation that is replicated.
    due: VecDeque<(Instant, Key)>,
    /// Those whose numbers are known to be adjusted, as many at the most.
    adjusted: HashSet<Key>,
}

impl Masters {
    /// A flow spoke of an expected one.
    pub(super) fn spoke(&mut self, now: Instant, key: Key) {
        if self.due.len() < MAX_EXPECTATIONS {
            self.due.push_back((now + REWRITTEN, key));
        }
    }

    /// Its numbers are adjusted.
    pub(super) fn is_adjusted(&mut self, key: Key) {
        if self.adjusted.len() < MAX_EXPECTATIONS {
            self.adjusted.insert(key);
        }
    }

    /// It is gone.
    pub(super) fn gone(&mut self, key: &Key) {
        self.adjusted.remove(key);
    }

    /// Another mirror, or one that missed something: all are asked for again.
    pub(super) fn tell_again(&mut self, now: Instant) {
        self.due = self.adjusted.iter().map(|key| (now, *key)).collect();
    }

    /// The next one that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Key> {
        self.due.front().filter(|(due, _)| *due <= now)?;
        self.due.pop_front().map(|(_, key)| key)
    }

    /// When the next one is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.front().map(|(due, _)| *due)
    }
}
