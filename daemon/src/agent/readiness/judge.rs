//! Weighs what is known: pure, so that every reason has a row in a table of tests.

use std::time::Duration;

use twinwall_core::beat::RoleWord;
use twinwall_core::explain::{Alarm, AlarmId, named_alarms, span};
use twinwall_core::snapshot::CheckView;

use super::{Readiness, Reason, ReasonId, Severity};
use crate::agent::channel::LinkState;
use crate::agent::conditions::catalogue::{of_alarm, of_reason};
use crate::agent::conditions::{ConditionId, Standing};
use crate::agent::engine::overview::{Overview, SectionState};
use crate::agent::flows;
use crate::agent::guard::GuardState;
use crate::agent::pairing::rotate::Step;
use crate::agent::preflight::CLOCK;
use crate::agent::services::view::{Phase, ServiceView, ServicesView};

/// What is known.
pub struct Views<'a> {
    /// This node's name.
    pub here: &'a str,
    /// The other node's, where it is known.
    pub there: Option<&'a str>,
    /// Whether the node has a peer.
    pub paired: bool,
    /// Whether high availability is on.
    pub enabled: bool,
    /// Mistakes in the settings.
    pub problems: usize,
    /// The guard.
    pub guard: &'a GuardState,
    /// How the sections stand; none while the agent reads its settings.
    pub sync: Option<&'a Overview>,
    /// The link between the agents.
    pub link: Option<&'a LinkState>,
    /// Prerequisites that are not met and not overridden, in words.
    pub unmet: &'a [String],
    /// The services bound to the active role, and the health checks, here.
    pub services: &'a ServicesView,
    /// Whether the guard uses other keys than those in the file.
    pub other_keys_in_file: bool,
    /// The step at which a change of keys has stood for long.
    pub keys_stand_at: Option<Step>,
    /// What is wrong with the replication of connections, if anything is.
    pub connections: Option<&'a str>,
    /// The conditions that are raised.
    pub standing: &'a [Standing],
    /// What the other agent said when it was asked just now.
    pub other: Option<&'a OtherNode>,
}

/// What the other node's agent said of itself.
pub struct OtherNode {
    /// Its release of twinwall.
    pub release: String,
    /// How far its clock is from this node's, less what the question's way can explain.
    pub clock: Duration,
}

/// The answer.
pub fn judge(views: &Views<'_>) -> Readiness {
    let mut against = Vec::new();
    if let Some(reason) = not_on(views) {
        against.push(reason);
    } else {
        against.extend(guard(views));
        against.extend(views.other_keys_in_file.then(other_keys));
        against.extend(services(views.services));
        against.extend(checks(views.services));
        against.extend(connections(views));
        against.extend(logs(views.standing));
        against.extend(agents(views));
    }
    against.sort_by_key(|reason| reason.severity);
    let blocking = against.iter().filter(|reason| reason.severity == Severity::Blocks).count();
    let verdict = match (blocking, against.len()) {
        (0, 0) => "A failover would work now.".to_owned(),
        (0, _) => "A failover would work now, but something needs attention.".to_owned(),
        (1, _) => "A failover would not work now: one reason is against it.".to_owned(),
        (several, _) => {
            format!("A failover would not work now: {several} reasons are against it.")
        }
    };
    Readiness { ready: blocking == 0, verdict, against }
}

fn blocks(id: ReasonId, text: impl Into<String>) -> Reason {
    let what_now = of_reason(id).what_now().to_owned();
    Reason { id, severity: Severity::Blocks, text: text.into(), what_now }
}

fn warns(id: ReasonId, text: impl Into<String>) -> Reason {
    Reason { severity: Severity::Warns, ..blocks(id, text) }
}

/// Where the agents are apart, it is told with that.
fn connections(views: &Views<'_>) -> Option<Reason> {
    let lacking = || lacking(views.guard).filter(|_| views.link.is_some_and(LinkState::is_up));
    let trouble = views.connections.map(str::to_owned).or_else(lacking)?;
    let text = format!("Connections would not survive a failover: {trouble}.");
    Some(warns(ReasonId::Connections, text))
}

/// What the guards know of connections that the node which would take over lacks.
fn lacking(guard: &GuardState) -> Option<String> {
    let snapshot = &guard.status()?.snapshot;
    let (own, peer) = (&snapshot.own, &snapshot.peer);
    match snapshot.role.role {
        RoleWord::Active => {
            let behind = peer.is_heard() && peer.fitness.is_some_and(|fitness| fitness.behind);
            behind.then(|| "the other node does not have all of them".to_owned())
        }
        RoleWord::Passive => {
            let said_no = |check: &&CheckView| check.name == flows::FACT && !check.good;
            own.checks.iter().find(said_no).map(|check| check.reason.clone())
        }
        RoleWord::Starting | RoleWord::Claiming | RoleWord::Releasing => None,
    }
}

/// Nothing waits for logs, and a failover works without them: but lines that one node alone has are
/// not seen while it is dead. Of a node that cannot be asked it is told that the agents are apart.
fn logs(standing: &[Standing]) -> Option<Reason> {
    let lame = |one: &&Standing| one.condition == ConditionId::LogsNotKept && one.known;
    let told = |one: &Standing| format!("{}: {}", one.node, one.text);
    let told: Vec<String> = standing.iter().filter(lame).map(told).collect();
    let text = format!("Log lines could be missing after a failover. {}.", told.join("; "));
    (!told.is_empty()).then(|| warns(ReasonId::LogsNotKept, text))
}

/// Without this nothing else is worth a word.
fn not_on(views: &Views<'_>) -> Option<Reason> {
    if views.problems > 0 {
        let text = format!("The settings of {} have {} mistakes.", views.here, views.problems);
        return Some(blocks(ReasonId::SettingsWrong, text));
    }
    if !views.paired {
        return Some(blocks(ReasonId::NotPaired, "This node is not paired."));
    }
    (!views.enabled).then(|| blocks(ReasonId::Off, "High availability is off."))
}

fn guard(views: &Views<'_>) -> Vec<Reason> {
    let status = match views.guard {
        GuardState::Away(why) => {
            let text = format!("The guard cannot be asked: {why}.");
            return vec![blocks(ReasonId::GuardAway, text)];
        }
        GuardState::Says(status) => status,
    };
    let role = status.snapshot.role.role;
    let mut reasons = Vec::new();
    let moving = match role {
        RoleWord::Active | RoleWord::Passive => None,
        RoleWord::Starting => Some("This node's guard has just started."),
        RoleWord::Claiming => Some("This node is taking over."),
        RoleWord::Releasing => Some("This node is handing over."),
    };
    reasons.extend(moving.map(|text| blocks(ReasonId::OnTheMove, text)));
    reasons.extend(named_alarms(status, views.there).into_iter().map(|alarm| weighed(alarm, role)));
    reasons
}

/// What an alarm of the guard means for a failover from the active to the other node.
fn weighed(Alarm { id, subject: _, text }: Alarm, role: RoleWord) -> Reason {
    let (reason, severity) = weight(id, role == RoleWord::Active);
    Reason { id: reason, severity, text, what_now: of_alarm(id).what_now().to_owned() }
}

fn weight(id: AlarmId, active: bool) -> (ReasonId, Severity) {
    let not_fit = |takes_over: bool| match takes_over {
        true => (ReasonId::TakerNotFit, Severity::Blocks),
        false => (ReasonId::ActiveNotFit, Severity::Warns),
    };
    match id {
        AlarmId::NotFit
        | AlarmId::InterfaceDown
        | AlarmId::InterfaceHeld
        | AlarmId::CheckSaysNo
        | AlarmId::InMaintenance => not_fit(!active),
        AlarmId::PeerNotFit => not_fit(active),
        AlarmId::BothActive => (ReasonId::BothActive, Severity::Blocks),
        AlarmId::NobodyServes => (ReasonId::NobodyServes, Severity::Blocks),
        AlarmId::PeerSilent | AlarmId::PeerAway => (ReasonId::PeerAway, Severity::Blocks),
        AlarmId::SettingsDiffer => (ReasonId::SettingsDiffer, Severity::Blocks),
        AlarmId::NotApplied if active => (ReasonId::NotApplied, Severity::Warns),
        AlarmId::NotApplied => (ReasonId::NotApplied, Severity::Blocks),
        AlarmId::HaLinkLost => (ReasonId::HaLinkLost, Severity::Warns),
        AlarmId::PathSilent => (ReasonId::PathSilent, Severity::Warns),
        AlarmId::OwnAddress => (ReasonId::OwnAddress, Severity::Warns),
        AlarmId::CableNotDirect => (ReasonId::CableNotDirect, Severity::Warns),
        AlarmId::AddressesMissing => (ReasonId::AddressesMissing, Severity::Warns),
        AlarmId::FramesRefused => (ReasonId::FramesRefused, Severity::Warns),
        AlarmId::ProtectionMissing => (ReasonId::ProtectionMissing, Severity::Warns),
    }
}

/// Those that should run here and do not.
fn services(view: &ServicesView) -> Option<Reason> {
    let failed = |one: &&ServiceView| matches!(one.phase, Phase::Failed { .. });
    let failed: Vec<&str> =
        view.services.iter().filter(failed).map(|it| it.name.as_str()).collect();
    if failed.is_empty() {
        return None;
    }
    let text =
        format!("Services that do not start or stop as they should here: {}.", failed.join(", "));
    Some(warns(ReasonId::ServiceFailed, text))
}

/// Health checks because of which this node is unfit. What that means for a failover, the
/// guard's alarm says.
fn checks(view: &ServicesView) -> Option<Reason> {
    let failed = view.checks.iter().filter(|one| one.unfit.is_some());
    let failed: Vec<String> =
        failed.map(|one| format!("{} (`{}`)", one.section, one.command)).collect();
    if failed.is_empty() {
        return None;
    }
    let text = format!("Health checks that fail here: {}.", failed.join(", "));
    Some(warns(ReasonId::CheckFailed, text))
}

fn agents(views: &Views<'_>) -> Vec<Reason> {
    let mut reasons = Vec::new();
    match views.link {
        Some(link) if link.is_up() => reasons.extend(views.sync.map(sections).unwrap_or_default()),
        link => {
            let why = link.and_then(|link| link.trouble.as_ref()).map(|it| format!(": {it}"));
            let lost = match lacking(views.guard) {
                Some(_) => " Connections would not survive a failover.",
                None => "",
            };
            let why = why.unwrap_or_default();
            let text = format!("The two agents are not connected{why}.{lost}");
            reasons.push(warns(ReasonId::AgentsApart, text));
        }
    }
    if !views.unmet.is_empty() {
        let text = format!("The two nodes are not alike: {}.", views.unmet.join(", "));
        reasons.push(warns(ReasonId::Prerequisites, text));
    }
    reasons.extend(views.keys_stand_at.map(keys));
    let Some(other) = views.other else { return reasons };
    if other.clock > CLOCK {
        let text = format!("The clocks of the two nodes differ by {}.", span(other.clock));
        reasons.push(warns(ReasonId::Clock, text));
    }
    if other.release != env!("CARGO_PKG_VERSION") {
        let own = env!("CARGO_PKG_VERSION");
        let (here, there) = (views.here, views.there.unwrap_or("the other one"));
        let text = format!("{here} runs twinwall {own}, {there} {}.", other.release);
        reasons.push(warns(ReasonId::Release, text));
    }
    reasons
}

/// A restart of the guard would make strangers of the nodes, both of which would then serve.
fn other_keys() -> Reason {
    let text = "The guard uses other keys than those in pair.key: after its next start the nodes \
                would not hear each other.";
    blocks(ReasonId::KeyFileNotInUse, text)
}

fn keys(step: Step) -> Reason {
    let done = match step {
        Step::Staged => "both old and new ones are taken",
        Step::Used => "the new ones are used, the old ones still taken",
    };
    let text = format!("A change of the pair's keys is not finished: {done}.");
    warns(ReasonId::KeysHalfChanged, text)
}

/// Sections that the other node does not have as this one.
fn sections(overview: &Overview) -> Vec<Reason> {
    let of = |states: &[SectionState]| {
        let ours = overview.sections.iter().filter(|view| states.contains(&view.state));
        ours.map(|view| view.section.id()).collect::<Vec<_>>().join(", ")
    };
    let never = of(&[SectionState::NeverSynchronised]);
    let differ = of(&[SectionState::OutOfSync, SectionState::Failed]);
    let mut reasons = Vec::new();
    if !never.is_empty() {
        let text = format!("Never the same on both nodes: {never}.");
        reasons.push(blocks(ReasonId::NeverSynchronised, text));
    }
    if !differ.is_empty() {
        let text = format!("Out of sync: {differ}.");
        reasons.push(warns(ReasonId::OutOfSync, text));
    }
    reasons
}
