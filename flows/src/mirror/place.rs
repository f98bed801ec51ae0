//! Where the mirror stands in the source's stream, and what it makes of a place that was kept.

use std::time::{Duration, Instant};

use super::Mirror;
use super::session::Compared;
use crate::message::Message;
use crate::position::{Holding, Position};

/// How long a mirror that knows its place waits for the source before it looks at its own
/// kernel: a dump now would only be in the way of the few changes that are missing.
const LEAD: Duration = Duration::from_secs(1);

impl Mirror {
    /// A kept place, right after the start: this kernel held it, and has so many entries now,
    /// its own among them. When some of it is gone, all is compared as without one.
    pub fn resume(&mut self, now: Instant, kept: Holding, entries: usize) {
        if (entries as u64) < kept.flows {
            return;
        }
        (self.applied, self.held) = (Some(kept.position), kept.flows);
        self.check_at = now + LEAD;
    }

    /// What this kernel holds, for one that is made anew; nothing while that is not known.
    /// While flows wait to be removed it is the place before their ends, which are told again.
    pub fn holding(&mut self) -> Option<Holding> {
        if self.doomed.is_empty() || self.applied.is_none() {
            self.settled = self.applied;
        }
        self.settled.map(|position| Holding { position, flows: self.flows() })
    }

    /// Flows that the kernel holds of the source.
    pub(super) fn flows(&self) -> u64 {
        let known = self.ledger.len() as u64;
        if self.known { known } else { known.max(self.held) }
    }

    /// The kernel was told a batch, all of it or not.
    pub(super) fn advance(&mut self, now: Instant, sequence: u64, whole: bool) {
        let Some(applied) = &mut self.applied else { return };
        if whole && sequence == applied.sequence.wrapping_add(1) {
            applied.sequence = sequence;
        } else {
            self.lose_place(now);
        }
    }

    /// The kernel may lack something: only a comparison tells.
    pub(super) fn lose_place(&mut self, now: Instant) {
        self.applied = None;
        if !self.known {
            self.check_at = self.check_at.min(now);
        }
    }

    /// The kernel holds the same as the source's at this place.
    pub(super) fn found_place(&mut self, sequence: u64) {
        self.applied = self.stream.map(|stream| Position { stream, sequence });
    }

    /// The source has told everything that came since the place that it was told.
    pub(super) fn caught_up(&mut self, now: Instant, sequence: u64, flows: u64) {
        let here = self.applied.is_some_and(|applied| applied.sequence == sequence);
        if !here {
            return self.lose_place(now);
        }
        self.held = flows;
        self.session.compared =
            Some(Compared { flows, equal: flows, differed: 0, by_buckets: false });
        let flows = self.flows();
        self.answers.push_back(Message::CaughtUp { sequence, flows });
        if !self.known {
            self.check_at = self.check_at.min(now);
        }
    }
}
