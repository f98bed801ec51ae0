//! What is so now, from what guard, readiness, services, the other parts and the other node
//! say: pure, so that every source has its row in a table of tests.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::api::Status;
use twinwall_core::beat::{Fitness, RoleWord};
use twinwall_core::explain::{AlarmId, named_alarms};

use super::Standing;
use super::catalogue::{About, ConditionId, of_alarm, of_reason};
use super::hold::{Held, Key, Observed, Whose};
use crate::agent::guard::GuardState;
use crate::agent::readiness::{Reason, ReasonId};
use crate::agent::services::view::{Phase, ServicesView};

/// Conditions that one node tells the other at a time: as many as a bad day has, and a bound.
pub(super) const MAX_TOLD: usize = 128;
/// Longest subject that is taken from the other node, in bytes.
const MAX_SUBJECT: usize = 128;

/// A condition as one node tells the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ToldCondition")]
pub struct Told {
    /// Its name; one that this release does not know is passed over.
    pub condition: String,
    /// Of which interface, service, …
    #[serde(default)]
    pub subject: Option<String>,
    /// In a sentence.
    pub text: String,
    /// Since when: milliseconds since 1970 (UTC) on the clock of the node that tells it.
    #[serde(default)]
    pub since_ms: Option<u64>,
    /// For how many milliseconds it is not so any more, while it is held up; none while it is.
    #[serde(default)]
    pub good_for_ms: Option<u64>,
}

/// What is known.
pub(super) struct Views<'a> {
    /// High availability is on.
    pub(super) enabled: bool,
    pub(super) guard: &'a GuardState,
    /// Readiness; none until it was asked.
    pub(super) against: Option<&'a [Reason]>,
    pub(super) services: &'a ServicesView,
    pub(super) reported: &'a BTreeMap<(ConditionId, Option<String>), String>,
    /// Whether every part of the agent has had time to report.
    pub(super) all_reported: bool,
    /// What the other node told last; none until it did, and while it cannot be asked.
    pub(super) told: Option<&'a [Told]>,
    /// The other node's name, where it is known.
    pub(super) there: Option<&'a str>,
}

/// Who says how a condition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The guard.
    Guard,
    /// Whether the guard says anything.
    GuardItself,
    /// Readiness.
    Readiness,
    /// Services and health checks.
    Services,
    /// Another part of the agent.
    Part,
}

/// Who says how this one is on this node.
pub(super) const fn source(id: ConditionId) -> Source {
    use ConditionId as Id;
    // Written by who says it; a line for each would be two pages.
    #[rustfmt::skip]
    let source = match id {
        Id::PeerSilent | Id::PeerAway | Id::PeerUnfit | Id::Unfit | Id::TwoActive
        | Id::NobodyServes | Id::Maintenance | Id::CheckSaysNo | Id::RoleOnTheMove
        | Id::HaLinkLost | Id::PathSilent | Id::InterfaceDown | Id::InterfaceHeld
        | Id::OwnAddress | Id::AddressesMissing | Id::NotApplied | Id::CableNotDirect
        | Id::FramesRefused | Id::ProtectionMissing | Id::SettingsDiffer => Source::Guard,
        Id::GuardAway => Source::GuardItself,
        Id::NotPaired | Id::Off | Id::SettingsWrong | Id::Prerequisites | Id::ClocksApart
        | Id::ReleasesDiffer | Id::KeyFileNotInUse | Id::KeysHalfChanged
        | Id::NeverSynchronised | Id::OutOfSync | Id::AgentsApart
        | Id::Connections => Source::Readiness,
        Id::ServiceFailed | Id::CheckFailed => Source::Services,
        Id::Failover | Id::Failback | Id::Switchover | Id::Interruption | Id::Handover
        | Id::WokeLate | Id::KernelRestored | Id::GatewayUnreachable | Id::MemoryLow
        | Id::DiskFull | Id::ConnectionTableFull | Id::Hot | Id::LogsGap | Id::LogsBehind
        | Id::LogsNotKept | Id::ReportsBehind | Id::LeasesBehind | Id::AlertFailing
        | Id::SnmpAway | Id::CertificateEnds | Id::CertificateEnded => Source::Part,
    };
    source
}

/// Those that the alarms of this node's guard do not say: they are about other things, or what the
/// other node says of itself.
pub fn beside_alarms(mut present: Vec<Standing>, node: &str) -> Vec<Standing> {
    present.retain(|one| {
        let own = one.condition.row().about != About::Node || one.node == node;
        match source(one.condition) {
            Source::Guard | Source::GuardItself => !own,
            Source::Readiness | Source::Services | Source::Part => true,
        }
    });
    present
}

/// Everything that is so.
pub(super) fn observe(views: &Views<'_>) -> Vec<Observed> {
    let mut all = Vec::new();
    if views.enabled {
        all.extend(guard(views.guard, views.there));
    }
    all.extend(views.against.unwrap_or_default().iter().filter_map(reason));
    all.extend(services(views.services));
    for ((id, subject), text) in views.reported {
        all.push(so(*id, subject.clone(), text.clone()));
    }
    all.extend(views.told.unwrap_or_default().iter().take(MAX_TOLD).filter_map(told));
    all
}

/// Whether anybody says now how this one is, so that silence means that it is not so.
pub(super) fn can_say(views: &Views<'_>, key: &Key) -> bool {
    if key.whose == Whose::There && key.condition.row().about == About::Node {
        return views.told.is_some();
    }
    match source(key.condition) {
        Source::Guard => !views.enabled || views.guard.status().is_some(),
        Source::GuardItself => true,
        Source::Readiness => views.against.is_some(),
        Source::Services => true,
        Source::Part => views.all_reported,
    }
}

fn so(id: ConditionId, subject: Option<String>, text: String) -> Observed {
    Observed { key: Key::of(id, subject), text, held: None }
}

fn guard(guard: &GuardState, there: Option<&str>) -> Vec<Observed> {
    let status: &Status = match guard {
        GuardState::Away(why) => {
            let text = format!("The guard cannot be asked: {}.", why.trim_end_matches('.'));
            return vec![so(ConditionId::GuardAway, None, text)];
        }
        GuardState::Says(status) => status,
    };
    // A node in maintenance says so itself, and that is no fault.
    let rests = status
        .snapshot
        .peer
        .fitness
        .is_some_and(|it| it.maintenance && Fitness { maintenance: false, ..it }.eligible());
    let alarms = named_alarms(status, there).into_iter();
    let alarms = alarms.filter(|alarm| alarm.id != AlarmId::PeerNotFit || !rests);
    let mut all: Vec<Observed> =
        alarms.map(|alarm| so(of_alarm(alarm.id), alarm.subject, alarm.text)).collect();
    let moving = match status.snapshot.role.role {
        RoleWord::Active | RoleWord::Passive => None,
        RoleWord::Starting => Some("The guard starts."),
        RoleWord::Claiming => Some("The node is taking over."),
        RoleWord::Releasing => Some("The node is handing over."),
    };
    all.extend(moving.map(|text| so(ConditionId::RoleOnTheMove, None, text.to_owned())));
    all
}

/// Those of readiness that nobody else says.
fn reason(reason: &Reason) -> Option<Observed> {
    let id = of_reason(reason.id);
    let own = source(id) == Source::Readiness && reason.id != ReasonId::GuardAway;
    own.then(|| so(id, None, reason.text.clone()))
}

fn services(view: &ServicesView) -> Vec<Observed> {
    let mut all = Vec::new();
    for service in &view.services {
        if let Phase::Failed { why } = &service.phase {
            let text = format!("{} does not run as it should: {why}.", service.name);
            all.push(so(ConditionId::ServiceFailed, Some(service.name.clone()), text));
        }
    }
    for check in &view.checks {
        if let Some(why) = &check.unfit {
            let text = format!("The check `{}` fails: {why}.", check.command);
            all.push(so(ConditionId::CheckFailed, Some(check.section.id().to_owned()), text));
        }
    }
    all
}

/// What the other node says of itself; nothing else is its to say.
fn told(told: &Told) -> Option<Observed> {
    let condition = ConditionId::named(&told.condition)?;
    let fits = told.subject.as_ref().is_none_or(|subject| subject.len() <= MAX_SUBJECT);
    let subject = told.subject.clone().map(super::cut);
    let key = Key { condition, whose: Whose::There, subject };
    let own = condition.row().about == About::Node && fits;
    let good_for = told.good_for_ms.map(Duration::from_millis);
    let held = Some(Held { since_ms: told.since_ms, good_for });
    own.then(|| Observed { key, text: told.text.clone(), held })
}
