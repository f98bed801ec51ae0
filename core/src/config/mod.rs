//! `node.toml` and `pair.toml`, parsed into meaning. A value of these types has
//! passed every check of SPEC R3 to R5: code that holds one need not check again.

mod alerts;
mod digest;
mod document;
mod errors;
mod flows;
mod interfaces;
mod key;
mod keys;
mod kinds;
mod known;
mod logs;
mod node;
mod pair;
mod prefix;
mod preflight;
mod probe;
mod reference;
mod reports;
#[cfg(test)]
mod tests;

/// How a settings file is read: a table of its keys, a walk by that table which finds every
/// problem at once, and the reference made from the same table. For other files in the style
/// of these two, as the appliance profile; it knows nothing of what a key means.
pub mod form {
    pub use super::document::{Section, parse};
    pub use super::errors::{Found, Place, Report};
    pub use super::keys::{Absent, Described, Key};
    pub use super::kinds::{Choice, Kind, Seconds, Text, Toggle, Whole, each, limit, text_of};
    pub use super::reference::tables;
}

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::Designation;

pub use alerts::{
    AlertChannel, AlertSeverity, AlertTarget, MAX_ALERT_TARGETS, MailTransport, Server,
    SyslogTransport, Url, facility_name,
};
pub use digest::{Change, Changed};
pub use document::MAX_FILE;
pub use errors::{Errors, MAX_PROBLEMS, Problem};
pub use flows::{FlowProtocol, Flows};
pub use key::{KEY_BYTES, KeyFile, key_text, parse_key};
pub use keys::MAX_REQUIRED;
pub use known::{nearest, pair_keys};
pub use logs::Logs;
pub use node::{default_key_file, parse_node};
pub use pair::parse_pair;
pub use prefix::{Prefix, PrefixError};
pub use preflight::Prerequisite;
pub use probe::Probe;
pub use reference::reference;
pub use reports::Reports;

/// What only this node knows (`node.toml`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Name for people.
    pub name: String,
    /// Fixed part in the pair.
    pub designation: Designation,
    /// File with the 32-byte heartbeat key in hex, relative to the root.
    pub key_file: String,
    /// How the kernel's gate is made.
    pub gate: GateMode,
    /// Whether the guard asks for realtime scheduling and locked memory.
    pub realtime: bool,
    /// Where the console listens; empty for all own addresses. Nothing of it concerns a guard.
    #[serde(default)]
    pub web_listen: Vec<SocketAddr>,
}

/// How the kernel's gate is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GateMode {
    /// The best that the kernel can do.
    Auto,
    /// A plain nftables table, watched and restored: as on kernels before 6.9.
    Plain,
    /// None: addresses are the only gate.
    Off,
}

/// What both nodes share (`pair.toml`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Number of the pair, unique on its segments; part of every frame's header.
    pub pair_id: u16,
    /// Whether high availability is on. A guard refuses to run while it is not.
    #[serde(default = "on")]
    pub enabled: bool,
    /// How often each node says that it is alive; 0.01 to 60 s.
    pub interval: Duration,
    /// Missed beats until the peer counts as silent; 2 to 255.
    pub threshold: u8,
    /// The interface reserved for the pair.
    pub ha_link: HaLink,
    /// The interfaces with addresses of the pair, at most [`MAX_INTERFACES`](crate::ids::MAX_INTERFACES).
    pub interfaces: Vec<Interface>,
    /// Whether the role returns to the primary.
    pub failback: Failback,
    /// Addresses that answer when this node is not cut off; may be empty.
    pub ping_targets: Vec<IpAddr>,
    /// Silence with carrier after a start before anything is claimed (at least T).
    pub boot_hold: Duration,
    /// When a flapping interface is held back.
    pub damping: Damping,
    /// Checks that must have said yes before this node counts as fit to take over.
    pub required_checks: Vec<String>,
    /// What the agents take over from each other.
    #[serde(default)]
    pub sync: Sync,
    /// Which connections the passive is told of.
    #[serde(default)]
    pub flows: Flows,
    /// How logs of both nodes are kept.
    #[serde(default)]
    pub logs: Logs,
    /// Whom the pair tells when something happens, and how.
    #[serde(default)]
    pub alerts: Vec<AlertTarget>,
    /// How many of the other node's reports are kept.
    #[serde(default)]
    pub reports: Reports,
    /// What is pinged to measure an outage.
    #[serde(default)]
    pub probe: Probe,
    /// Prerequisites that need not be met.
    #[serde(default)]
    pub overridden: Vec<Prerequisite>,
}

/// What recordings from before the key mean.
fn on() -> bool {
    true
}

/// What the agents take over from each other, and when. Nothing of it concerns a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sync {
    /// Changes of the configuration are synchronised as they are made.
    pub automatic: bool,
    /// How long a section must be quiet before that.
    pub debounce: Duration,
    /// Logs and reports of both nodes on both.
    pub logs: bool,
    /// SNMP data of both nodes from either.
    pub snmp: bool,
}

impl Default for Sync {
    fn default() -> Sync {
        Sync { automatic: true, debounce: Duration::from_millis(500), logs: false, snmp: false }
    }
}

impl Pair {
    /// T: silence on every path after which the peer counts as dead.
    pub fn detection(&self) -> Duration {
        self.interval * u32::from(self.threshold)
    }

    /// T − L: how much earlier the active's own kernel closes than the passive may claim.
    pub fn margin(&self) -> Duration {
        margin_of(self.detection())
    }

    /// L: life of a lease, counted from the sending of the confirmed beat.
    pub fn lease(&self) -> Duration {
        lease_of(self.detection())
    }
}

/// The least of T − L.
pub(crate) const LEASE_MARGIN: Duration = Duration::from_millis(10);

fn margin_of(detection: Duration) -> Duration {
    (detection / 1000).max(LEASE_MARGIN)
}

/// L for a T.
pub(crate) fn lease_of(detection: Duration) -> Duration {
    detection.saturating_sub(margin_of(detection))
}

/// The interface reserved for the pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaLink {
    /// Its name, the same on both nodes.
    pub interface: String,
    /// What lies between the two ports.
    pub cable: Cable,
}

/// What lies between the two HA ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Cable {
    /// One cable: carrier on one end means that the other port is alive.
    Direct,
    /// A switch: carrier says nothing about the peer.
    Switched,
}

/// One interface of the pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name, the same on both nodes.
    pub name: String,
    /// Losing it makes a node unfit.
    pub watch: bool,
    /// The primary node's own addresses; may be empty on an interface with VIPs only.
    pub primary: Vec<Prefix>,
    /// The secondary node's own addresses.
    pub secondary: Vec<Prefix>,
    /// The addresses that follow the active.
    pub virtual_ips: Vec<Prefix>,
}

impl Interface {
    /// The own addresses of the node with this designation.
    pub fn own(&self, designation: Designation) -> &[Prefix] {
        match designation {
            Designation::Primary => &self.primary,
            Designation::Secondary => &self.secondary,
        }
    }
}

/// Whether the role returns to the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failback {
    /// The role stays where it is.
    Stay,
    /// It returns once the primary has been fit for this long.
    Primary {
        /// How long.
        hold: Duration,
    },
}

/// When a flapping interface is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damping {
    /// Losses of carrier within `window` that make it flapping.
    pub flaps: u8,
    /// The window.
    pub window: Duration,
    /// It counts again after being up this long without a break.
    pub hold: Duration,
}
