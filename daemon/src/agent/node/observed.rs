//! What a node observes, keeps and shows of both nodes beside the pair itself. Each part works by
//! itself; none is asked on the way of a failover.

use std::path::Path;
use std::sync::Arc;

use super::Node;
use crate::agent::conditions;
use crate::agent::exchange::{self, Exchange};
use crate::agent::history::{self, History};
use crate::agent::leases::{self, Leases};
use crate::agent::probe::{self, Probes};
use crate::agent::reports::{self, Reports};

/// All of them.
#[derive(Debug)]
pub(super) struct Observed {
    exchange: Exchange,
    history: History,
    leases: Leases,
    probes: Probes,
    reports: Reports,
}

impl Observed {
    pub(super) fn open(root: &Path) -> Observed {
        Observed {
            exchange: Exchange::default(),
            history: History::open(root),
            leases: Leases::default(),
            probes: Probes::default(),
            reports: Reports::default(),
        }
    }
}

impl Node {
    /// What goes on for as long as the node is there.
    pub(super) fn keep_observing(self: &Arc<Self>) {
        let node = || Arc::downgrade(self);
        self.runtime.spawn(conditions::keep_certificate(node()));
        self.runtime.spawn(exchange::keep(node()));
        self.runtime.spawn(history::keep(node()));
        self.runtime.spawn(leases::keep(node()));
        self.runtime.spawn(probe::keep(node()));
        self.runtime.spawn(reports::keep(node()));
    }

    /// Questions to the other node about files.
    pub(in crate::agent) fn exchange(&self) -> &Exchange {
        &self.parts.observed.exchange
    }

    /// Moves, drills and times of years.
    pub fn history(&self) -> &History {
        &self.parts.observed.history
    }

    /// DHCP leases of both nodes.
    pub fn leases(&self) -> &Leases {
        &self.parts.observed.leases
    }

    /// What measures outages as the network sees them.
    pub fn probes(&self) -> &Probes {
        &self.parts.observed.probes
    }

    /// The reports of both nodes.
    pub fn reports(&self) -> &Reports {
        &self.parts.observed.reports
    }
}
