//! What the dashboard shows (SPEC R9), as one value: both nodes in a word each with the
//! reason, who holds the virtual IPs, the links between the nodes, what speaks against a
//! failover, how the sections stand, what happened last. The console draws it, programs
//! read it. Made from what guard, engine and the other node's agent say; decides nothing.

mod build;
mod gather;
mod stream;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::api::Numbered;
use twinwall_core::beat::RoleWord;
use twinwall_core::config::Cable;
use twinwall_core::ids::Designation;

use super::conditions::Standing;
use super::engine::overview::Overview;
use super::failovers::Summary;
use super::flows::view::FlowsView;
use super::jobs::JobView;
use super::readiness::Readiness;
use build::{Other, Views, build};
pub use gather::of;
pub use stream::{MAX_LISTENERS, Stream};

/// All of it, as this node sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dashboard {
    /// When: milliseconds since 1970 (UTC) on this node's clock, like all moments here.
    pub at_ms: u64,
    /// Whether this node has a peer.
    pub paired: bool,
    /// Whether high availability is on.
    pub enabled: bool,
    /// This node.
    pub here: NodeView,
    /// The other node; none before pairing.
    pub there: Option<NodeView>,
    /// The HA link; none where the settings name none.
    pub ha_link: Option<LinkView>,
    /// The heartbeat; none where the settings name none.
    pub heartbeat: Option<Heartbeat>,
    /// The paths on which heartbeats go, the HA link first; empty while the guard does not say.
    #[serde(default)]
    pub paths: Vec<PathView>,
    /// The interfaces with addresses of the pair.
    pub interfaces: Vec<InterfaceView>,
    /// What is the matter with either node or the pair, the worst first; empty when nothing is.
    #[serde(default)]
    pub conditions: Vec<Standing>,
    /// Would a failover work now; none until that was asked.
    pub readiness: Option<Readiness>,
    /// How the sections of the configuration stand; none while the agent reads its settings.
    pub sync: Option<Overview>,
    /// How far the passive node has the active node's connections.
    #[serde(default)]
    pub flows: Option<FlowsView>,
    /// The last events of this node's guard, the newest last.
    pub events: Vec<Numbered>,
    /// The last time that the active role came to this node or left it, as far as its guard
    /// remembers.
    pub last_move: Option<Numbered>,
    /// The report of the last move from one node to the other, in short; kept over restarts.
    #[serde(default)]
    pub last_failover: Option<Summary>,
    /// Long operations that run.
    pub jobs: Vec<JobView>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeView {
    /// Its name; none before it said one.
    pub name: Option<String>,
    /// Its fixed part in the pair.
    pub designation: Option<Designation>,
    /// How it is, in one word.
    pub status: StatusWord,
    /// Its role while that is known, in a word.
    pub role: Option<String>,
    /// Why it is not well, each in a sentence; empty when it is.
    pub reasons: Vec<String>,
    /// Why it has its role.
    pub why: Option<String>,
    /// Since when it has its role.
    pub since_ms: Option<u64>,
    /// Since when nothing was heard of it; none while it is heard.
    pub away_since_ms: Option<u64>,
    /// Its release of twinwall.
    pub release: Option<String>,
    /// Its firmware, as the appliance profile says.
    pub firmware: Option<String>,
}

impl NodeView {
    /// Whether it holds the active role; one that hands it over does not any more.
    pub fn is_active(&self) -> bool {
        self.role.as_deref() == Some(RoleWord::Active.word())
    }
}

/// A node's status in one word. A node that was shut down, or is in maintenance, is never
/// called a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusWord {
    /// It carries the traffic.
    Active,
    /// It stands by.
    Passive,
    /// It cannot carry traffic.
    Fault,
    /// Its configuration is not the active's.
    OutOfSync,
    /// Its role is not decided yet.
    Starting,
    /// An administrator took it out of service.
    Maintenance,
    /// It said goodbye, or was never heard.
    Away,
    /// High availability is off.
    Off,
}

impl StatusWord {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            StatusWord::Active => "active",
            StatusWord::Passive => "passive",
            StatusWord::Fault => "fault",
            StatusWord::OutOfSync => "out of sync",
            StatusWord::Starting => "starting",
            StatusWord::Maintenance => "maintenance",
            StatusWord::Away => "away",
            StatusWord::Off => "off",
        }
    }
}

/// The HA link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkView {
    /// Its interface, the same on both nodes.
    pub interface: String,
    /// What lies between the two ports.
    pub cable: Cable,
    /// Whether this node's port has carrier; none while the guard does not say.
    pub carrier: Option<bool>,
    /// Whether the other node is heard there.
    pub heard: Option<bool>,
}

/// A path between the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PairPath")]
pub struct PathView {
    /// Its interface.
    pub interface: String,
    /// Whether this node's port has carrier.
    pub carrier: bool,
    /// The same of the other node, as it last said.
    pub peer_carrier: bool,
    /// Whether the other node is heard there.
    pub alive: bool,
    /// Since when nothing was heard there; none while it is heard, and where it never was.
    pub silent_since_ms: Option<u64>,
    /// Beats heard there in this session.
    pub heard: u64,
}

/// The heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "HeartbeatView")]
pub struct Heartbeat {
    /// Seconds between two.
    pub interval_s: f64,
    /// Missed ones until the other node counts as silent.
    pub threshold: u32,
    /// Seconds after which a silent node counts as dead.
    pub detection_s: f64,
    /// Milliseconds there and back, of the last one that was confirmed.
    pub round_trip_ms: Option<f64>,
    /// Beats heard on the HA link in this session.
    pub heard: Option<u64>,
}

/// An interface with addresses of the pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PairInterface")]
pub struct InterfaceView {
    /// Its name, the same on both nodes.
    pub name: String,
    /// Losing it makes a node unfit.
    pub watch: bool,
    /// Whether it is well on this node; none while nobody says so.
    pub here: Option<bool>,
    /// The same on the other node.
    pub there: Option<bool>,
    /// Whether the other node is heard on it; none where it is no path.
    pub heard: Option<bool>,
    /// The addresses that follow the active node.
    pub virtual_ips: Vec<String>,
    /// This node's own addresses on it.
    pub own_here: Vec<String>,
    /// The other node's.
    pub own_there: Vec<String>,
}
