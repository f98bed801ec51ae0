//! What a node knows and wants, as one value: status, `explain`, console and
//! SNMP are views of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::beat::{Fitness, Leaving, RoleWord};
use crate::config::{Cable, Prefix};
use crate::ids::{BootId, Designation, Epoch, Generation};
use crate::note::Reason;
use crate::time::Moment;

/// Everything about one node at one moment. Durations are seconds in `--json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// When, on this node's clock.
    pub at: Moment,
    /// This node's name.
    pub name: String,
    /// This node's fixed part in the pair.
    pub designation: Designation,
    /// This run of the guard.
    pub boot: BootId,
    /// The status in one word: active, passive, fault (an unfit passive), starting, maintenance.
    pub status: String,
    /// Question 1: what is true about the peer.
    pub peer: PeerView,
    /// Question 1: what is true about this node.
    pub own: OwnView,
    /// Question 2: who should serve, and why.
    pub election: ElectionView,
    /// Question 3: the role that follows.
    pub role: RoleView,
    /// Question 4: what the kernel must look like.
    pub desired: DesiredView,
    /// The paths between the nodes; the first is the HA link.
    pub paths: Vec<PathView>,
    /// The interfaces of `pair.toml`.
    pub interfaces: Vec<InterfaceView>,
    /// The gateways by which the two nodes are compared.
    #[serde(default)]
    pub gateways: Vec<GatewayView>,
    /// Heartbeat interval.
    #[serde(with = "crate::time::seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "f64"))]
    pub interval: Duration,
    /// Detection time T.
    #[serde(with = "crate::time::seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "f64"))]
    pub detection: Duration,
    /// What lies between the HA ports.
    pub cable: Cable,
    /// The HA cable was seen to be direct: power loss of the peer is believed early.
    pub cable_is_direct: bool,
    /// Whether that could be found out since the start of the guard.
    #[serde(default)]
    pub cable_checked: bool,
    /// Running timers by name, with the time left.
    pub timers: Vec<TimerView>,
}

/// What is known about the peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeerView {
    /// One word: never_heard, alive, doubted, silent, left.
    pub state: String,
    /// Its run.
    pub boot: Option<BootId>,
    /// Since when nothing was heard on any path.
    #[serde(default, with = "crate::time::seconds::option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub silence: Option<Duration>,
    /// Its role as it last said.
    pub role: Option<RoleWord>,
    /// Its epoch as it last said.
    pub epoch: Epoch,
    /// How able it is, as it last said.
    pub fitness: Option<Fitness>,
    /// Why it left.
    pub left: Option<Leaving>,
    /// Whether its pair settings are ours.
    pub same_settings: bool,
    /// Round trip of the last confirmed beat.
    #[serde(default, with = "crate::time::seconds::option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub round_trip: Option<Duration>,
}

impl PeerView {
    /// Whether the peer is heard: what it said last still holds.
    pub fn is_heard(&self) -> bool {
        matches!(self.state.as_str(), "alive" | "doubted")
    }
}

impl Snapshot {
    /// Whether what the peer said last of its role still holds: it is heard, and was heard since
    /// this node became active. What an active node said before it was taken over from is no role.
    pub fn peer_role_holds(&self) -> bool {
        let peer = &self.peer;
        let active = |role: Option<RoleWord>| role == Some(RoleWord::Active);
        let before = peer.silence.is_none_or(|silence| silence >= self.role.since);
        let was = active(Some(self.role.role)) && active(peer.role) && before;
        peer.is_heard() && !was
    }

    /// Whether the peer is active.
    pub fn peer_serves(&self) -> bool {
        self.peer.role == Some(RoleWord::Active) && self.peer_role_holds()
    }
}

/// What is known about this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OwnView {
    /// How able it is.
    pub fitness: Fitness,
    /// Why it is not fit, each in a sentence; empty when it is.
    pub unfit: Vec<String>,
    /// Why a planned move to this node must wait, each in a sentence; empty when it
    /// need not. It takes over in need all the same.
    #[serde(default)]
    pub waits_for: Vec<String>,
    /// Of these the ones that do not end by themselves.
    #[serde(default)]
    pub lasting: Vec<String>,
    /// Time left of maintenance.
    #[serde(default, with = "crate::time::seconds::option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub maintenance: Option<Duration>,
    /// The readiness facts that hold.
    pub checks: Vec<CheckView>,
}

/// One readiness fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckView {
    /// Its name.
    pub name: String,
    /// Whether it is content.
    pub good: bool,
    /// Why not.
    pub reason: String,
    /// Time until the statement expires.
    #[serde(with = "crate::time::seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "f64"))]
    pub left: Duration,
}

/// Who should serve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ElectionView {
    /// `this node`, `the peer` or `nobody`.
    pub should_serve: String,
    /// Why.
    pub reason: Reason,
}

/// The role held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RoleView {
    /// Which.
    pub role: RoleWord,
    /// Under which epoch.
    pub epoch: Epoch,
    /// Since when.
    #[serde(with = "crate::time::seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "f64"))]
    pub since: Duration,
    /// Why it was taken.
    pub reason: Reason,
    /// Life left of the lease, when there is one.
    #[serde(default, with = "crate::time::seconds::option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub lease: Option<Duration>,
    /// Serving without a peer that could confirm.
    pub alone: bool,
}

/// The wanted kernel state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DesiredView {
    /// Its number.
    pub generation: Generation,
    /// VIPs present or absent.
    pub addresses: bool,
    /// Whether the kernel has confirmed it.
    pub applied: bool,
}

/// One path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PathView {
    /// The interface's name.
    pub interface: String,
    /// Own carrier.
    pub carrier: bool,
    /// The peer's carrier, as it last said.
    pub peer_carrier: bool,
    /// Whether the peer is heard there within T.
    pub alive: bool,
    /// Since when nothing was heard there.
    #[serde(default, with = "crate::time::seconds::option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub silence: Option<Duration>,
    /// Beats heard there in this session.
    pub heard: u64,
}

/// One interface of `pair.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InterfaceView {
    /// Its name.
    pub name: String,
    /// Watched.
    pub watch: bool,
    /// Own carrier.
    pub carrier: bool,
    /// Held back by damping for so long still.
    #[serde(default, with = "crate::time::seconds::option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    pub held: Option<Duration>,
    /// Healthy on the peer, as it last said.
    pub peer_healthy: Option<bool>,
    /// The VIPs.
    pub virtual_ips: Vec<Prefix>,
}

/// One gateway of `pair.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GatewayView {
    /// The interface on which it is.
    pub interface: String,
    /// Its address.
    pub address: std::net::IpAddr,
    /// Whether it answers this node; none while that is not known.
    pub here: Option<bool>,
    /// Why it does not count as reachable here; empty where it does.
    pub why: String,
    /// Whether it answers the peer, as that one last said.
    pub there: Option<bool>,
}

/// A running timer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimerView {
    /// Its name.
    pub name: String,
    /// Time left.
    #[serde(with = "crate::time::seconds")]
    #[cfg_attr(feature = "schema", schemars(with = "f64"))]
    pub left: Duration,
}
