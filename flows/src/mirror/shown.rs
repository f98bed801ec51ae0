//! How a mirror stands.

use std::time::{Duration, Instant};

use super::{Extras, Mirror};
use crate::source::percent;
use crate::view::{Part, Resync, View};

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) taken: u64,
    pub(super) full: u64,
    /// Flows of the nodes' own addresses that the source told.
    pub(super) foreign: u64,
    pub(super) refused: u64,
    /// Flows that the kernel lost.
    pub(super) lost: u64,
    sweeps: u64,
    last_sweep: Option<Resync>,
}

impl Counts {
    /// Ranges were told as a whole.
    pub(super) fn swept(&mut self, took: Duration, flows: u64) {
        self.sweeps += 1;
        self.last_sweep = Some(Resync {
            reason: "ranges differed".to_owned(),
            ms: took.as_millis().try_into().unwrap_or(u64::MAX),
            flows,
        });
    }
}

impl Mirror {
    /// Whether buckets were compared over the present connection.
    pub fn compared(&self) -> bool {
        self.session.compared.is_some_and(|compared| compared.by_buckets)
    }

    /// How it stands.
    pub fn view(&self, _now: Instant) -> View {
        let compared = self.session.compared;
        View {
            part: Part::Mirror,
            flows: self.flows(),
            peer_flows: compared.map(|compared| compared.flows),
            complete_percent: compared.map(|compared| percent(compared.equal, compared.flows)),
            compared: self.compared(),
            behind_buckets: compared.map_or(0, |compared| compared.differed as u64),
            backlog: self.answers.len() as u64,
            lag_ms: None,
            events: self.counts.taken,
            overruns: 0,
            dropped: self.counts.full + self.counts.foreign,
            refused_by_kernel: self.counts.refused,
            bound: self.ledger.most() as u64,
            memory_bytes: self.ledger.memory_bytes() as u64,
            resyncs: self.counts.sweeps,
            last_resync: self.counts.last_sweep.clone(),
            neighbours: self.neighbours.len() as u64,
            expectations: self.expectations.len() as u64,
            trouble: self.trouble(),
        }
    }

    fn trouble(&self) -> Option<String> {
        let bound = self.ledger.most();
        let full = (self.counts.full > 0 && self.ledger.len() >= bound).then(|| {
            format!("more than {bound} flows: the newest are not held (pair.toml, [flows] most)")
        });
        let extras = (self.extras == Extras::NotKept).then(|| {
            "this kernel does not keep labels or helpers of flows; both nodes need the same rules \
             and modules"
                .to_owned()
        });
        self.trouble.clone().or_else(|| self.session.trouble()).or(full).or(extras)
    }
}
