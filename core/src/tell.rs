//! Events in words, for logs, `twinwall events` and the time line. Names come from
//! the settings; nothing else is looked at.

use std::time::Duration;

use crate::beat::Leaving;
use crate::config::Pair;
use crate::event::Applied;
use crate::explain::{refusal, span};
use crate::health::GATEWAY;
use crate::ids::{InterfaceId, PathId};
use crate::node::path_of;
use crate::note::{Note, What};

/// The sentence for a note.
pub fn tell(note: &Note, pair: &Pair) -> String {
    let interface = |id: InterfaceId| interface_name(pair, id);
    let path = |id: PathId| path_name(pair, id);
    let carrier = |up: bool| if up { "has carrier" } else { "lost carrier" };
    match &note.what {
        What::Started { boot } => format!("guard started, run {boot}"),
        What::Role { from, to, epoch, reason } => {
            format!("{} -> {} (epoch {epoch}): {reason}", from.word(), to.word())
        }
        What::Link { interface: id, up } => {
            format!("interface {} {}", interface(*id), carrier(*up))
        }
        What::HaCarrier { up } => format!("HA link {} {}", pair.ha_link.interface, carrier(*up)),
        What::ReadFirst { interface } => {
            format!("the carrier of {interface} was read before the kernel told it")
        }
        What::Held { interface: id, hold } => held(interface(*id), *hold),
        What::HoldEnded { interface: id } => format!("interface {} counts again", interface(*id)),
        What::PathHeard { path: id } => format!("the peer is heard on {}", path(*id)),
        What::PathSilent { path: id } if *id == PathId::HA => {
            "HA link lost: the peer is heard on other paths only".to_owned()
        }
        What::PathSilent { path: id } => format!("the peer is not heard on {} any more", path(*id)),
        What::PeerUp { boot, silence: _ } => format!("the peer speaks, run {boot}"),
        What::PeerDoubted { silence } => {
            format!("the peer has been silent for {}: probing", span(*silence))
        }
        What::DoubtEnded => "the peer answered again".to_owned(),
        What::PeerSilent { silence } => {
            format!("the peer was silent on every path for {}", span(*silence))
        }
        What::EvidenceRound { round } => {
            format!("HA carrier gone: asking the peer and its kernel, round {round}")
        }
        What::KernelLives { path: id } => {
            format!("the peer's kernel answers on {}: waiting", path(*id))
        }
        What::PeerLeft { why } => format!("the peer said goodbye: {}", leaving(*why)),
        What::HandoverAsked { epoch, reason } => {
            format!("offered the role to the peer (epoch {epoch}): {reason}")
        }
        What::HandoverGivenUp { epoch } => {
            format!("the peer did not become ready (epoch {epoch}): going on")
        }
        What::MoveWaits { limit } => move_waits(*limit),
        What::GateRefused { opening } => gate_refused(*opening).to_owned(),
        What::Addresses { present, outcome } => addresses(*present, *outcome),
        What::Late { by } => format!("this node was kept from running for {}", span(*by)),
        What::Check { name, good, reason } => check(name, *good, reason),
        What::Ready { waits_for } => ready(waits_for),
        What::MaintenanceOn { lasts } => format!("maintenance for {}", span(*lasts)),
        What::MaintenanceOff { by_itself } => {
            let why = if *by_itself { ": its time is over" } else { " by order" };
            format!("maintenance ended{why}")
        }
        What::Refused(why) => format!("order refused: {}", refusal(*why)),
        What::SettingsDiffer { differ } => settings(*differ).to_owned(),
        What::TwoActive { peer } => {
            format!("both nodes served (the peer under epoch {peer}): the higher epoch stays")
        }
        What::CableIsDirect { direct } => cable(*direct).to_owned(),
        What::Restored { what } => format!("changed by somebody else and restored: {what}"),
        What::Protection { name, missing: true } => format!("protection missing: {name}"),
        What::Protection { name, missing: false } => format!("protection is back: {name}"),
        What::Reloaded => "settings read again".to_owned(),
    }
}

fn move_waits(limit: Duration) -> String {
    format!("the move waits until the peer has all connections, for {} at most", span(limit))
}

fn check(name: &str, good: bool, reason: &str) -> String {
    match (name.strip_prefix(GATEWAY), good) {
        (Some(number), true) => format!("gateway {number} answers"),
        (Some(number), false) => format!("gateway {number} counts as unreachable: {reason}"),
        (None, true) => format!("check {name} is good"),
        (None, false) => format!("check {name} failed: {reason}"),
    }
}

fn held(interface: &str, hold: Duration) -> String {
    format!("interface {interface} flaps: held back until it was up for {}", span(hold))
}

fn leaving(why: Leaving) -> &'static str {
    match why {
        Leaving::ServiceStop => "its service stops",
        Leaving::Shutdown => "it shuts down",
    }
}

fn ready(waits_for: &[String]) -> String {
    match waits_for {
        [] => {
            "ready for a planned move: its own addresses can be used, and no connection is missing"
                .to_owned()
        }
        reasons => format!("a planned move to this node must wait: {}", reasons.join("; ")),
    }
}

fn gate_refused(opening: bool) -> &'static str {
    if opening {
        "the gate could not be opened: trying again"
    } else {
        "the kernel's lease had run out: opening again if the peer allows it"
    }
}

fn settings(differ: bool) -> &'static str {
    if differ {
        "the peer works with other pair settings: compare pair.toml"
    } else {
        "both nodes have the same pair settings"
    }
}

fn cable(direct: bool) -> &'static str {
    if direct { "the HA cable is direct" } else { "the HA cable is not direct: no early claim" }
}

fn addresses(present: bool, outcome: Applied) -> String {
    let what = if present { "virtual addresses set" } else { "virtual addresses removed" };
    match outcome {
        Applied::Done | Applied::Unchanged => what.to_owned(),
        Applied::Partly { failed } => format!("{what}, {failed} of them refused by the kernel"),
        Applied::Failed => format!("{what}: the kernel refused all"),
    }
}

fn interface_name(pair: &Pair, id: InterfaceId) -> &str {
    pair.interfaces.get(id.index()).map_or("?", |interface| interface.name.as_str())
}

fn path_name(pair: &Pair, path: PathId) -> &str {
    if path == PathId::HA {
        return &pair.ha_link.interface;
    }
    let over = (0..pair.interfaces.len())
        .map(|index| InterfaceId(index as u8))
        .find(|id| path_of(pair, *id) == Some(path));
    over.map_or("?", |id| interface_name(pair, id))
}
