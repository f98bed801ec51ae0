//! What runs on the gateways: twinwall's guard, or keepalived for comparison, each with what
//! replicates flows beside it where that is wanted.
//! A closed list of two; each has its files, its start and its way to tell its role.

pub mod conntrackd;
pub mod guard;
pub mod keepalived;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinwall_core::config::Cable;

/// Which product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Product {
    /// `twinwall-guard`.
    Twinwall,
    /// Debian's keepalived, tuned as an expert would.
    Keepalived,
}

impl Product {
    /// Its name in text and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Product::Twinwall => "twinwall",
            Product::Keepalived => "keepalived",
        }
    }
}

/// Whether the gateways know flows, and whether the passive is told of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Flows {
    /// The packet filter lets both sides begin: nothing depends on a flow being known.
    Ignored,
    /// Only flows that are known pass, and nobody tells the passive of them.
    Alone,
    /// The passive is told: by twinwall's agents, or by conntrackd with an external cache, as its
    /// manual advises.
    Replicated,
    /// The same with conntrackd writing straight into the passive's kernel.
    Injected,
}

impl Flows {
    /// Whether the passive is told of flows.
    pub const fn are_told(self) -> bool {
        match self {
            Flows::Ignored | Flows::Alone => false,
            Flows::Replicated | Flows::Injected => true,
        }
    }
}

/// What the pair does beside serving, by agents beside the guards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Duties {
    /// Nothing.
    None,
    /// The router behind the WAN is asked for by both.
    AskGateway,
    /// Logs are exchanged, and SNMP tells of both.
    LogsAndSnmp,
}

/// How the pair is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Heartbeat or advert interval.
    pub interval: Duration,
    /// What the pair is told about the HA cable.
    pub cable: Cable,
    /// LAN VIPs beyond the first.
    pub further_vips: u16,
    /// Whether the LAN is hidden behind the WAN VIP.
    pub nat: bool,
    /// Whether flows are known, and told.
    pub flows: Flows,
    /// Whether the LAN carries [`plan::SPARE_VIP`](crate::plan::SPARE_VIP) too.
    pub spare_vip: bool,
    /// Whether the WAN interface is watched.
    pub wan_watched: bool,
    /// What the pair does beside serving.
    pub duties: Duties,
}

/// What a gateway does now, as far as the lab can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It serves.
    Active,
    /// It waits, and would take over.
    Ready,
    /// It runs but is neither; in its own words.
    Other(String),
    /// Nothing runs there, or it does not answer.
    Silent(String),
}
