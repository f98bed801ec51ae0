//! Would a failover work right now, and if not, why not (SPEC B12)? One answer, made on
//! demand from what guard, engine and link say. The API and `twinwall ready` ask. Nothing is
//! measured or changed here; the guard's alarms keep their own words.

mod ask;
mod judge;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use ask::of;
pub use judge::{OtherNode, Views, judge};

/// The answer, as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Readiness {
    /// Whether a failover would work now: nothing speaks against it that blocks.
    pub ready: bool,
    /// The answer in a sentence.
    pub verdict: String,
    /// What speaks against it, and what deserves attention; what blocks comes first.
    pub against: Vec<Reason>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReadinessReason")]
pub struct Reason {
    /// Which, for programs.
    pub id: ReasonId,
    /// How bad it is.
    pub severity: Severity,
    /// What is the matter.
    pub text: String,
    /// What to do.
    pub what_now: String,
}

/// How bad a reason is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[schemars(rename = "ReasonSeverity")]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A failover would not work, or not as it should.
    Blocks,
    /// It would work, with less protection or with an older configuration.
    Warns,
}

/// Which reason. The names are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonId {
    /// The node has no peer.
    NotPaired,
    /// High availability is off.
    Off,
    /// The settings are wrong.
    SettingsWrong,
    /// The guard cannot be asked.
    GuardAway,
    /// The role is on the move, or the guard has just started.
    OnTheMove,
    /// Both nodes are active.
    BothActive,
    /// Nobody should serve.
    NobodyServes,
    /// The node that would take over is not fit.
    TakerNotFit,
    /// The active node is not fit.
    ActiveNotFit,
    /// The peer is not heard.
    PeerAway,
    /// The nodes work with different settings.
    SettingsDiffer,
    /// The HA link is lost.
    HaLinkLost,
    /// Another path is lost.
    PathSilent,
    /// An own address cannot be used.
    OwnAddress,
    /// The HA cable is not direct as declared.
    CableNotDirect,
    /// The kernel does not look as wanted.
    NotApplied,
    /// Virtual IPs lack on the active.
    AddressesMissing,
    /// Connections are not replicated as they should.
    Connections,
    /// Heartbeats keep being refused.
    FramesRefused,
    /// The key file is not the one that the guard uses.
    KeyFileNotInUse,
    /// A change of keys stands at a step.
    KeysHalfChanged,
    /// A protection is missing.
    ProtectionMissing,
    /// The agents are not connected.
    AgentsApart,
    /// A section was never synchronised.
    NeverSynchronised,
    /// A section is out of sync.
    OutOfSync,
    /// The nodes do not meet the prerequisites.
    Prerequisites,
    /// A service that is bound to the active role does not run on the active.
    ServiceFailed,
    /// A health check of the profile fails here.
    CheckFailed,
    /// A node cannot keep log lines.
    LogsNotKept,
    /// The clocks differ.
    Clock,
    /// The nodes run different releases of twinwall.
    Release,
}
