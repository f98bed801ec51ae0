//! One event, one value: log line, history row, time line and (later) trap and
//! metric all come from a [`Note`].

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::beat::{Leaving, RoleWord};
use crate::event::{Applied, Refusal};
use crate::ids::{BootId, Epoch, InterfaceId, PathId};
use crate::time::Moment;

/// Why a role is held or was changed. A closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Just started: nothing is claimed before the peer speaks or stays silent long enough.
    Starting,
    /// The other node serves.
    PeerServes,
    /// The peer was silent on every path for the detection time.
    PeerSilent,
    /// The HA cable lost carrier and neither the peer nor its kernel answered anywhere.
    PeerPoweredOff,
    /// The peer said goodbye.
    PeerLeft,
    /// The peer's guard restarted and serves no more.
    PeerRestarted,
    /// Nobody served; this node is better off, or equal and the primary.
    NobodyServed,
    /// Nobody serves, and the peer is better off, or equal and preferred.
    PeerPreferred,
    /// The peer asked this node to take over.
    PeerHandsOver,
    /// Both claimed; the other epoch is higher.
    HigherEpoch,
    /// Both claimed under the same epoch; the primary goes first.
    TieToPrimary,
    /// The peer can serve more watched interfaces.
    PeerHasMoreLinks,
    /// The peer reaches more gateways, and is otherwise as able.
    PeerReachesMore,
    /// A check failed here and the peer is fit.
    CheckFailed,
    /// This node was never synchronised.
    NeverSynchronised,
    /// This node is in maintenance.
    Maintenance,
    /// The operator ordered it.
    Switchover,
    /// Return to the primary by the failback policy.
    Failback,
    /// This node stops.
    Leaving,
    /// The peer lives but did not confirm our beats: the lease ran out.
    LeaseRanOut,
    /// This node was stopped or starved and its lease ran out meanwhile.
    WokeLate,
    /// No path has carrier: nobody could be served.
    Isolated,
    /// The peer is silent and no ping target answers.
    TargetsSilent,
    /// The addresses could not be applied.
    ApplyFailed,
    /// A planned move is due and waits until the peer has all connections.
    AwaitsConnections,
    /// Nothing speaks against going on.
    Serving,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The guard started.
    Started {
        /// Its run.
        boot: BootId,
    },
    /// The role changed.
    Role {
        /// Before.
        from: RoleWord,
        /// After.
        to: RoleWord,
        /// Under which epoch.
        epoch: Epoch,
        /// Why.
        reason: Reason,
    },
    /// An interface gained or lost carrier.
    Link {
        /// Which.
        interface: InterfaceId,
        /// Carrier or not.
        up: bool,
    },
    /// The HA link gained or lost carrier.
    HaCarrier {
        /// Carrier or not.
        up: bool,
    },
    /// A change of carrier was read before the kernel told it.
    ReadFirst {
        /// Of which interface.
        interface: String,
    },
    /// A flapping interface is held back as unfit.
    Held {
        /// Which.
        interface: InterfaceId,
        /// For how long at the least.
        #[serde(with = "crate::time::seconds")]
        #[cfg_attr(feature = "schema", schemars(with = "f64"))]
        hold: Duration,
    },
    /// A held interface counts again.
    HoldEnded {
        /// Which.
        interface: InterfaceId,
    },
    /// The peer is heard (again) on a path.
    PathHeard {
        /// Where.
        path: PathId,
    },
    /// The peer is no longer heard on a path while another one delivers.
    PathSilent {
        /// Where.
        path: PathId,
    },
    /// The peer's first beat of a run.
    PeerUp {
        /// Its run.
        boot: BootId,
        /// Since the last beat of its run before; none where this node heard of no other one.
        #[serde(default, with = "crate::time::seconds::option")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
        silence: Option<Duration>,
    },
    /// The peer is late: probing on all paths.
    PeerDoubted {
        /// Silence so far.
        #[serde(with = "crate::time::seconds")]
        #[cfg_attr(feature = "schema", schemars(with = "f64"))]
        silence: Duration,
    },
    /// The peer answered again before it was declared silent.
    DoubtEnded,
    /// The peer was declared silent.
    PeerSilent {
        /// Silence on all paths.
        #[serde(with = "crate::time::seconds")]
        #[cfg_attr(feature = "schema", schemars(with = "f64"))]
        silence: Duration,
    },
    /// Evidence round: nobody answered the probes and the questions to its kernel.
    EvidenceRound {
        /// 1 to 3.
        round: u8,
    },
    /// The peer's kernel answered, its guard does not: waiting for the detection time.
    KernelLives {
        /// Where it answered.
        path: PathId,
    },
    /// The peer said goodbye.
    PeerLeft {
        /// Why.
        why: Leaving,
    },
    /// The role is offered to the peer.
    HandoverAsked {
        /// Under which epoch.
        epoch: Epoch,
        /// Why.
        reason: Reason,
    },
    /// The peer did not become ready in time; this node goes on.
    HandoverGivenUp {
        /// Under which epoch.
        epoch: Epoch,
    },
    /// A planned move is due and waits until the peer has all connections.
    MoveWaits {
        /// It waits no longer than this.
        #[serde(with = "crate::time::seconds")]
        #[cfg_attr(feature = "schema", schemars(with = "f64"))]
        limit: Duration,
    },
    /// The gate could not be opened or was found closed.
    GateRefused {
        /// What was tried.
        opening: bool,
    },
    /// The wanted addresses were applied.
    Addresses {
        /// Present or absent.
        present: bool,
        /// How it went.
        outcome: Applied,
    },
    /// The node woke late.
    Late {
        /// By how much.
        #[serde(with = "crate::time::seconds")]
        #[cfg_attr(feature = "schema", schemars(with = "f64"))]
        by: Duration,
    },
    /// A readiness fact changed.
    Check {
        /// Its name.
        name: String,
        /// Whether it is content now.
        good: bool,
        /// Why not.
        reason: String,
    },
    /// A planned move to this node must wait, or need not any more.
    Ready {
        /// For what, each in a sentence; nothing: it is ready.
        waits_for: Vec<String>,
    },
    /// Maintenance began (or was prolonged).
    MaintenanceOn {
        /// It ends by itself after this long.
        #[serde(with = "crate::time::seconds")]
        #[cfg_attr(feature = "schema", schemars(with = "f64"))]
        lasts: Duration,
    },
    /// Maintenance ended.
    MaintenanceOff {
        /// Whether its time was over (else by order).
        by_itself: bool,
    },
    /// An order was refused.
    Refused(Refusal),
    /// The two nodes work with different pair settings.
    SettingsDiffer {
        /// Whether they differ now.
        differ: bool,
    },
    /// Both nodes serve: seen in a beat.
    TwoActive {
        /// The peer's epoch.
        peer: Epoch,
    },
    /// A frame on the HA link speaks against a direct cable (or no longer does).
    CableIsDirect {
        /// Whether it is direct for all we know.
        direct: bool,
    },
    /// The kernel state was found changed by somebody else and restored.
    Restored {
        /// What was restored, for people.
        what: String,
    },
    /// A protection is missing on this node (or came back).
    Protection {
        /// Which one.
        name: String,
        /// Whether it is missing now.
        missing: bool,
    },
    /// The settings were read again.
    Reloaded,
}

/// Something that happened, and when on this node's clock.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Note {
    /// When.
    pub at: Moment,
    /// What.
    pub what: What,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Starting => "just started",
            Reason::PeerServes => "the other node serves",
            Reason::PeerSilent => "the peer was silent on every path",
            Reason::PeerPoweredOff => {
                "the HA cable is dead and neither the peer nor its kernel answers"
            }
            Reason::PeerLeft => "the peer said goodbye",
            Reason::PeerRestarted => "the peer's guard restarted",
            Reason::NobodyServed => "nobody served",
            Reason::PeerPreferred => "the peer is preferred: better off, longer up, or the primary",
            Reason::PeerHandsOver => "the peer handed over",
            Reason::HigherEpoch => "the other node claims under a higher epoch",
            Reason::TieToPrimary => "both claimed at once: the primary goes first",
            Reason::PeerHasMoreLinks => "the peer has more healthy interfaces",
            Reason::PeerReachesMore => "the peer reaches more gateways",
            Reason::CheckFailed => "a check failed here",
            Reason::NeverSynchronised => "this node was never synchronised",
            Reason::Maintenance => "maintenance",
            Reason::Switchover => "switchover was ordered",
            Reason::Failback => "failback to the primary",
            Reason::Leaving => "this node stops",
            Reason::LeaseRanOut => "the peer did not confirm our beats in time",
            Reason::WokeLate => "this node was kept from running",
            Reason::Isolated => "no path has carrier",
            Reason::TargetsSilent => "the peer is silent and no ping target answers",
            Reason::ApplyFailed => "the addresses could not be applied",
            Reason::AwaitsConnections => {
                "a planned move is due and waits until the peer has all connections"
            }
            Reason::Serving => "serving",
        })
    }
}
