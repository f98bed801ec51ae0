//! What needs a person's attention, each with a name for programs. The status page shows
//! the texts; the answer to 'would a failover work now' weighs the names. Never decides
//! anything.

use crate::api::Status;
use crate::beat::RoleWord;
use crate::config::Cable;
use crate::objection;
use crate::snapshot::{CheckView, PathView, Snapshot};

use super::{bare, capital, leaving, objections, path, span};

/// Which alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmId {
    /// Both nodes are active.
    BothActive,
    /// Nobody should serve.
    NobodyServes,
    /// A watched interface is down here.
    InterfaceDown,
    /// A watched interface is held back here because it flaps.
    InterfaceHeld,
    /// A check says no here.
    CheckSaysNo,
    /// This node is in maintenance.
    InMaintenance,
    /// This node is not fit for another reason.
    NotFit,
    /// The peer is heard and not fit.
    PeerNotFit,
    /// The peer is not heard any more.
    PeerSilent,
    /// The peer was never heard, or it left.
    PeerAway,
    /// The HA link is silent while another path is not.
    HaLinkLost,
    /// A watched path is silent while another one is not.
    PathSilent,
    /// The two guards work with different settings.
    SettingsDiffer,
    /// An own address cannot be used, and that does not end by itself.
    OwnAddress,
    /// The HA cable is declared direct and does not look so.
    CableNotDirect,
    /// The kernel does not look as wanted.
    NotApplied,
    /// Virtual IPs lack on the active.
    AddressesMissing,
    /// Frames keep being refused for a reason that somebody has to mend.
    FramesRefused,
    /// A protection is missing.
    ProtectionMissing,
}

/// One alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Which.
    pub id: AlarmId,
    /// Of which interface, check or protection, where there can be several.
    pub subject: Option<String>,
    /// In a sentence.
    pub text: String,
}

fn alarm(id: AlarmId, text: impl Into<String>) -> Alarm {
    Alarm { id, subject: None, text: text.into() }
}

fn alarm_of(id: AlarmId, subject: &str, text: String) -> Alarm {
    Alarm { subject: Some(subject.to_owned()), ..alarm(id, text) }
}

/// The texts of all alarms, the worst first; empty when all is well.
pub fn alarms(status: &Status) -> Vec<String> {
    named_alarms(status, None).into_iter().map(|alarm| alarm.text).collect()
}

/// All alarms, the worst first; empty when all is well. They are read on the other node and
/// in mails, too, so they call each node by its name; without `peer`, its name, it is 'the
/// peer'.
pub fn named_alarms(status: &Status, peer: Option<&str>) -> Vec<Alarm> {
    let snapshot = &status.snapshot;
    let name = &snapshot.name;
    let mut alarms = Vec::new();
    if snapshot.role.role == RoleWord::Active && snapshot.peer_serves() {
        alarms.push(alarm(AlarmId::BothActive, "Both nodes are active."));
    }
    if snapshot.election.should_serve == "nobody" {
        let text = format!("Nobody serves, as {name} sees it: {}.", snapshot.election.reason);
        alarms.push(alarm(AlarmId::NobodyServes, text));
    }
    alarms.extend(snapshot.own.unfit.iter().map(|why| unfit(snapshot, why)));
    alarms.extend(peer_alarm(snapshot, peer));
    alarms.extend(path_alarms(snapshot, peer));
    if !snapshot.peer.same_settings {
        let text = "The two nodes work with different pair.toml; make them the same.";
        alarms.push(alarm(AlarmId::SettingsDiffer, text));
    }
    alarms.extend(
        snapshot
            .own
            .lasting
            .iter()
            .map(|why| alarm(AlarmId::OwnAddress, format!("{}.", capital(bare(why))))),
    );
    alarms.extend(cable_alarm(snapshot));
    if !snapshot.desired.applied {
        alarms.push(alarm(AlarmId::NotApplied, "The kernel does not look as wanted yet."));
    }
    alarms.extend(missing_addresses(status));
    alarms.extend(status.guard.refused_lately.iter().map(|refused| {
        let text = format!("Heartbeats are refused: {}.", bare(&refused.text));
        alarm_of(AlarmId::FramesRefused, &refused.name, text)
    }));
    alarms.extend(status.guard.missing.iter().map(|missing| {
        let text = format!("Protection missing, {}: {}.", missing.name, bare(&missing.remedy));
        alarm_of(AlarmId::ProtectionMissing, &missing.name, text)
    }));
    alarms
}

/// Why this node is not fit, and what it is about.
fn unfit(snapshot: &Snapshot, why: &str) -> Alarm {
    let text = format!("{} is not fit: {}.", snapshot.name, bare(why));
    let of = |words: fn(&str) -> String| {
        snapshot.interfaces.iter().find(|interface| words(&interface.name) == why)
    };
    if let Some(interface) = of(objection::down) {
        return alarm_of(AlarmId::InterfaceDown, &interface.name, text);
    }
    if let Some(interface) = of(objection::held) {
        return alarm_of(AlarmId::InterfaceHeld, &interface.name, text);
    }
    let said = |check: &&CheckView| objection::check(&check.name, &check.reason) == why;
    if let Some(check) = snapshot.own.checks.iter().find(said) {
        return alarm_of(AlarmId::CheckSaysNo, &check.name, text);
    }
    let id = if why == objection::MAINTENANCE { AlarmId::InMaintenance } else { AlarmId::NotFit };
    alarm(id, text)
}

fn peer_alarm(snapshot: &Snapshot, name: Option<&str>) -> Option<Alarm> {
    let peer = &snapshot.peer;
    let without = format!("nobody could take over from {}", snapshot.name);
    let name = name.unwrap_or("The peer");
    let silence = peer.silence.map_or(String::new(), |silence| format!(" for {}", span(silence)));
    let away = |text: String| Some(alarm(AlarmId::PeerAway, text));
    match (peer.state.as_str(), peer.left) {
        ("alive" | "doubted", _) => {
            let reasons = peer.fitness.map_or(Vec::new(), objections);
            let text = format!("{name} is not fit ({}): {without}.", reasons.join(", "));
            (!reasons.is_empty()).then(|| alarm(AlarmId::PeerNotFit, text))
        }
        ("never_heard", _) => away(format!("{name} was never heard: {without}.")),
        (_, Some(why)) => away(format!("{name} left ({}): {without}.", leaving(why))),
        (_, None) => {
            let text = format!("{name} has been silent{silence}: {without}.");
            Some(alarm(AlarmId::PeerSilent, text))
        }
    }
}

/// Silent paths, as long as the peer is heard on another one.
fn path_alarms(snapshot: &Snapshot, peer: Option<&str>) -> Vec<Alarm> {
    if !snapshot.paths.iter().any(|path| path.alive) {
        return Vec::new();
    }
    let silent = snapshot.paths.iter().enumerate().filter(|(_, path)| !path.alive);
    let (here, there) = (format!("at {}", snapshot.name), peer.unwrap_or("the peer"));
    let told = |(index, silent): (usize, &PathView)| match index {
        0 => {
            let text = format!("HA link lost: {}.", path(silent, &here, there));
            alarm(AlarmId::HaLinkLost, text)
        }
        _ => {
            let text = format!("Heartbeats are lost on a path: {}.", path(silent, &here, there));
            alarm_of(AlarmId::PathSilent, &silent.interface, text)
        }
    };
    silent.map(told).collect()
}

fn cable_alarm(snapshot: &Snapshot) -> Option<Alarm> {
    let doubtful =
        snapshot.cable == Cable::Direct && snapshot.cable_checked && !snapshot.cable_is_direct;
    let text = "The HA cable is declared direct, and a third station or a lasting carrier without the peer's speaks against it: lost carrier is not believed. Join the two ports by one cable, or write cable = \"switched\" in pair.toml.";
    doubtful.then(|| alarm(AlarmId::CableNotDirect, text))
}

fn missing_addresses(status: &Status) -> Option<Alarm> {
    let snapshot = &status.snapshot;
    let wanted: usize =
        snapshot.interfaces.iter().map(|interface| interface.virtual_ips.len()).sum();
    let present = status.guard.addresses_present as usize;
    let lacking = snapshot.role.role == RoleWord::Active && present < wanted;
    let text = format!("Only {present} of {wanted} virtual IPs are on the interfaces.");
    lacking.then(|| alarm(AlarmId::AddressesMissing, text))
}
