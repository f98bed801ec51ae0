//! The ways from a node to its parts, and those parts that stand for themselves.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::observed::Observed;
use super::{Node, Settings};
use crate::agent::accounts::Setup;
use crate::agent::alerts::Alerts;
use crate::agent::audit::Audit;
use crate::agent::conditions::Conditions;
use crate::agent::failovers::Failovers;
use crate::agent::flows::Flows;
use crate::agent::ha::Ha;
use crate::agent::jobs::Jobs;
use crate::agent::logs::Logs;
use crate::agent::machine::Machine;
use crate::agent::metrics::Metrics;
use crate::agent::preflight;
use crate::agent::services::Bound;

/// Parts that need nothing of the node but its root and name.
pub(super) struct Parts {
    conditions: Conditions,
    logs: Logs,
    alerts: Alerts,
    metrics: Metrics,
    pub(super) observed: Observed,
}

impl Parts {
    /// As they lie below the root.
    pub(super) fn open(root: &Path, settings: &watch::Sender<Arc<Settings>>) -> Parts {
        Parts {
            conditions: Conditions::open(root, &settings.borrow().name),
            alerts: Alerts::open(root),
            metrics: Metrics::default(),
            logs: Logs::below(root),
            observed: Observed::open(root),
        }
    }
}

impl Node {
    /// Long operations.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// High availability's settings and their versions.
    pub fn ha(&self) -> &Ha {
        &self.ha
    }

    /// The machine on which this agent runs.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What this node read of itself for the comparison with the other.
    pub fn preflight(&self) -> &preflight::Kept {
        &self.preflight
    }

    /// Services that run only while this node is active.
    pub fn services(&self) -> &Bound {
        &self.services
    }

    /// The replication of connections.
    pub fn flows(&self) -> &Flows {
        &self.flows
    }

    /// Events of both nodes, and what they tell of moves of the role.
    pub fn failovers(&self) -> &Failovers {
        &self.failovers
    }

    /// The console's first set-up.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Who changed what.
    pub fn audit(&self) -> &Arc<Audit> {
        &self.audit
    }

    /// What is the matter with the pair, and what was told of it.
    pub fn conditions(&self) -> &Conditions {
        &self.parts.conditions
    }

    /// Logs of both nodes.
    pub fn logs(&self) -> &Logs {
        &self.parts.logs
    }

    /// Whom the pair tells.
    pub fn alerts(&self) -> &Alerts {
        &self.parts.alerts
    }

    /// What Prometheus is told.
    pub fn metrics(&self) -> &Metrics {
        &self.parts.metrics
    }
}
