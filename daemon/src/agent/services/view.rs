//! What is shown of the services and health checks: one value for the API, the command and readiness.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::section::Section;

/// How a service is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ServicePhase")]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Not looked at yet.
    Unknown,
    /// It does not run.
    Stopped,
    /// It runs, and its check says that it works.
    Running,
    /// Starting or stopping it failed, or it died; it is tried again.
    Failed {
        /// Why, with its last words.
        why: String,
    },
    /// It is not started or stopped here.
    LeftAlone {
        /// Why.
        why: String,
    },
}

/// What is being done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// It is being started.
    Starting,
    /// It is being stopped.
    Stopping,
}

/// One service that runs only on the active node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceView {
    /// Its name in the profile.
    pub name: String,
    /// The section that configures it.
    pub section: Section,
    /// Its systemd unit.
    pub unit: String,
    /// Services that are started before it and stopped after it.
    pub after: Vec<String>,
    /// How it is.
    #[serde(flatten)]
    pub phase: Phase,
    /// What is being done with it.
    pub doing: Option<Doing>,
    /// Seconds since it is so.
    pub since_s: f64,
    /// Failures in a row.
    pub failures: u32,
}

/// How a health check is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "health", rename_all = "snake_case")]
pub enum Health {
    /// Not run yet.
    Unknown,
    /// It goes well.
    Good,
    /// It failed, but not often enough to count.
    Doubtful {
        /// How, with its last words.
        why: String,
    },
    /// It failed several times in a row: the node is unfit.
    Failed {
        /// How, with its last words.
        why: String,
    },
    /// It goes well again, but not for long enough to count.
    Recovering {
        /// Why it failed before.
        why: String,
    },
    /// It is about services that run only on the active, and they do not run here.
    Resting,
    /// There is nothing to check on this machine.
    LeftOut {
        /// Why.
        why: String,
    },
}

/// One health check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthView {
    /// The section that it is about.
    pub section: Section,
    /// What is run.
    pub command: String,
    /// How it is.
    #[serde(flatten)]
    pub health: Health,
    /// Why the node is unfit because of it; none where it is not.
    pub unfit: Option<String>,
    /// Failures in a row, or successes while it recovers.
    pub in_a_row: u32,
    /// Seconds since it is so.
    pub since_s: f64,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServicesView {
    /// This node's name.
    pub node: String,
    /// Whether they shall run here; none while high availability is off or the role is not
    /// known: then they stay as they are.
    pub wanted: Option<bool>,
    /// Each, in the order in which they are started.
    pub services: Vec<ServiceView>,
    /// The health checks of the profile, section by section.
    pub checks: Vec<HealthView>,
}

impl Health {
    /// For people.
    pub fn words(&self) -> &'static str {
        match self {
            Health::Unknown => "unknown",
            Health::Good => "good",
            Health::Doubtful { .. } => "doubtful",
            Health::Failed { .. } => "failed",
            Health::Recovering { .. } => "recovering",
            Health::Resting => "not run",
            Health::LeftOut { .. } => "left out",
        }
    }

    /// Why it is so, where there is something to say.
    pub fn why(&self) -> &str {
        match self {
            Health::Doubtful { why }
            | Health::Failed { why }
            | Health::Recovering { why }
            | Health::LeftOut { why } => why,
            Health::Resting => "only while the section's services run here",
            Health::Unknown | Health::Good => "",
        }
    }
}

impl Phase {
    /// For people.
    pub fn words(&self) -> &'static str {
        match self {
            Phase::Unknown => "unknown",
            Phase::Stopped => "stopped",
            Phase::Running => "running",
            Phase::Failed { .. } => "failed",
            Phase::LeftAlone { .. } => "left alone",
        }
    }

    /// Why it is so, where there is something to say.
    pub fn why(&self) -> &str {
        match self {
            Phase::Failed { why } | Phase::LeftAlone { why } => why,
            Phase::Unknown | Phase::Stopped | Phase::Running => "",
        }
    }
}
