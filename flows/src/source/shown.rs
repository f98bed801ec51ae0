//! How a source stands.

use std::time::Instant;

use super::Source;
use crate::view::{Part, Resync, View};

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) events: u64,
    pub(super) told: u64,
    pub(super) overruns: u64,
    pub(super) dropped: u64,
    /// Lives that this kernel would not set back.
    pub(super) refused_here: u64,
    pub(super) sweeps: u32,
    /// Sweeps since a comparison found no difference.
    pub(super) swept_since_equal: u32,
    pub(super) resyncs: u64,
    pub(super) last_resync: Option<Resync>,
}

impl Source {
    /// How it stands.
    pub fn view(&self, now: Instant) -> View {
        View {
            part: Part::Source,
            flows: self.ledger.len() as u64,
            peer_flows: self.session.peer_flows,
            complete_percent: self.session.complete_percent,
            compared: self.session.compared,
            behind_buckets: self.behind.count() as u64,
            backlog: self.outbox.backlog(),
            lag_ms: self.lag.view(now),
            events: self.counts.told,
            overruns: self.counts.overruns,
            dropped: self.counts.dropped + self.session.full,
            refused_by_kernel: self.session.refused,
            bound: self.ledger.most() as u64,
            memory_bytes: (self.ledger.memory_bytes() + self.outbox.memory_bytes()) as u64,
            resyncs: self.counts.resyncs,
            last_resync: self.counts.last_resync.clone(),
            neighbours: self.neighbours.len() as u64,
            expectations: self.expectations.len() as u64,
            trouble: self.trouble(),
        }
    }

    fn trouble(&self) -> Option<String> {
        let bound = self.ledger.most();
        let full = (self.counts.dropped > 0 && self.ledger.len() >= bound).then(|| {
            format!(
                "more than {bound} flows: the newest are not replicated (pair.toml, [flows] most)"
            )
        });
        let refused = (self.session.refused > 0 && !self.session.is_equal())
            .then(|| "the other node's kernel refuses flows; its own view says why".to_owned());
        self.trouble.clone().or_else(|| self.session.trouble()).or(full).or(refused)
    }
}
