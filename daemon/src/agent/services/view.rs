//! What is shown of the services: one value for the API, the command and readiness.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::section::Section;

/// How a service is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
