//! Puts the dashboard together from what is known: pure, so that every case has a row in a
//! table of tests.

use twinwall_core::api::Numbered;
use twinwall_core::beat::{Fitness, Leaving, RoleWord};
use twinwall_core::config::{Interface, Pair};
use twinwall_core::ids::Designation;
use twinwall_core::note::What;
use twinwall_core::snapshot::{PeerView, Snapshot};

use super::{Dashboard, Heartbeat, InterfaceView, LinkView, NodeView, PathView, StatusWord};
use crate::agent::calls::About;
use crate::agent::conditions::Standing;
use crate::agent::engine::overview::{Overview, SectionState};
use crate::agent::failovers::Summary;
use crate::agent::flows::view::FlowsView;
use crate::agent::guard::GuardState;
use crate::agent::jobs::JobView;
use crate::agent::readiness::Readiness;

/// What is known.
pub(super) struct Views<'a> {
    pub(super) now_ms: u64,
    pub(super) name: &'a str,
    pub(super) designation: Option<Designation>,
    pub(super) paired: bool,
    pub(super) enabled: bool,
    pub(super) pair: Option<&'a Pair>,
    pub(super) guard: &'a GuardState,
    pub(super) sync: Option<&'a Overview>,
    pub(super) readiness: Option<&'a Readiness>,
    pub(super) firmware: Option<&'a str>,
    pub(super) other: Option<&'a Other>,
    pub(super) flows: FlowsView,
    pub(super) conditions: Vec<Standing>,
    pub(super) events: &'a [Numbered],
    pub(super) jobs: Vec<JobView>,
    pub(super) last_failover: Option<Summary>,
}

/// What the other agent said last, and when by this node's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Other {
    pub(super) at_ms: u64,
    pub(super) about: About,
}

/// Events that are shown.
const SHOWN: usize = 12;

pub(super) fn build(views: Views<'_>) -> Dashboard {
    let status = views.guard.status();
    let snapshot = status.map(|status| &status.snapshot);
    Dashboard {
        at_ms: views.now_ms,
        paired: views.paired,
        enabled: views.enabled,
        here: here(&views),
        there: views.paired.then(|| there(&views)),
        ha_link: views.pair.map(|pair| ha_link(pair, snapshot)),
        heartbeat: views.pair.map(|pair| heartbeat(pair, snapshot)),
        paths: paths(&views, snapshot),
        interfaces: interfaces(&views, snapshot),
        conditions: views.conditions,
        readiness: views.readiness.cloned(),
        sync: views.sync.cloned(),
        flows: Some(views.flows),
        events: views.events[views.events.len().saturating_sub(SHOWN)..].to_vec(),
        last_move: views.events.iter().rev().find(|event| is_move(event)).cloned(),
        last_failover: views.last_failover,
        jobs: views.jobs,
    }
}

fn paths(views: &Views<'_>, snapshot: Option<&Snapshot>) -> Vec<PathView> {
    let all = snapshot.map_or(&[][..], |snapshot| &snapshot.paths);
    let since = |silence: std::time::Duration| {
        views.now_ms.saturating_sub(u64::try_from(silence.as_millis()).unwrap_or(u64::MAX))
    };
    all.iter()
        .map(|path| PathView {
            interface: path.interface.clone(),
            carrier: path.carrier,
            peer_carrier: path.peer_carrier,
            alive: path.alive,
            silent_since_ms: path.silence.filter(|_| !path.alive).map(since),
            heard: path.heard,
        })
        .collect()
}

/// Whether the active role came or went.
fn is_move(event: &Numbered) -> bool {
    let What::Role { from, to, .. } = &event.note.what else { return false };
    (*from == RoleWord::Active) != (*to == RoleWord::Active)
}

fn here(views: &Views<'_>) -> NodeView {
    let mut node = NodeView {
        name: Some(views.name.to_owned()),
        designation: views.designation,
        status: StatusWord::Off,
        role: None,
        reasons: Vec::new(),
        why: None,
        since_ms: None,
        away_since_ms: None,
        release: Some(env!("CARGO_PKG_VERSION").to_owned()),
        firmware: views.firmware.map(str::to_owned),
    };
    match views.guard {
        _ if !views.enabled => {}
        GuardState::Away(why) => {
            node.status = StatusWord::Fault;
            node.reasons.push(why.clone());
        }
        GuardState::Says(status) => {
            let snapshot = &status.snapshot;
            let since = u64::try_from(snapshot.role.since.as_millis()).unwrap_or(u64::MAX);
            node.since_ms = Some(views.now_ms.saturating_sub(since));
            node.role = Some(snapshot.role.role.word().to_owned());
            node.why = Some(snapshot.role.reason.to_string());
            (node.status, node.reasons) = own_status(snapshot, views.sync);
        }
    }
    node
}

fn own_status(snapshot: &Snapshot, sync: Option<&Overview>) -> (StatusWord, Vec<String>) {
    let own = &snapshot.own;
    let unfit = own.unfit.clone();
    match snapshot.role.role {
        RoleWord::Active | RoleWord::Releasing => (StatusWord::Active, unfit),
        _ if own.maintenance.is_some() => (StatusWord::Maintenance, Vec::new()),
        RoleWord::Starting => (StatusWord::Starting, unfit),
        RoleWord::Claiming => (StatusWord::Passive, unfit),
        RoleWord::Passive => standing_by(own.fitness, unfit, sync),
    }
}

/// A passive node. That it lacks the pair's configuration is told as that, and as a fault
/// only beside another one.
fn standing_by(
    fitness: Fitness,
    unfit: Vec<String>,
    sync: Option<&Overview>,
) -> (StatusWord, Vec<String>) {
    let others = Fitness { never_synchronised: false, ..fitness };
    let differs = sync.and_then(differs);
    if !others.eligible() || (!unfit.is_empty() && fitness.eligible()) {
        return (StatusWord::Fault, unfit);
    }
    if fitness.never_synchronised {
        let reasons = if unfit.is_empty() { vec![NEVER.to_owned()] } else { unfit };
        return (StatusWord::OutOfSync, reasons);
    }
    match differs {
        Some(reason) => (StatusWord::OutOfSync, vec![reason]),
        None => (StatusWord::Passive, unfit),
    }
}

const NEVER: &str = "the configuration of the pair was never taken over";

/// Which sections are not the active's, in a sentence.
fn differs(sync: &Overview) -> Option<String> {
    let bad = |state: SectionState| match state {
        SectionState::OutOfSync | SectionState::NeverSynchronised | SectionState::Failed => true,
        SectionState::InSync | SectionState::Synchronising | SectionState::Unknown => false,
    };
    let titles: Vec<&str> = sync
        .sections
        .iter()
        .filter(|section| bad(section.state))
        .map(|section| section.title.as_str())
        .collect();
    match titles.as_slice() {
        [] => None,
        [one] => Some(format!("{one} differs")),
        [first, second] => Some(format!("{first} and {second} differ")),
        [first, rest @ ..] => Some(format!("{first} and {} more sections differ", rest.len())),
    }
}

/// The other node: what its guard says to ours, and beside that what its agent said.
fn there(views: &Views<'_>) -> NodeView {
    let about = views.other.map(|other| &other.about);
    let said = views.sync.and_then(|sync| sync.peer.name.clone());
    let mut node = NodeView {
        name: about.map(|about| about.name.clone()).or(said),
        designation: views.designation.map(Designation::other),
        status: StatusWord::Away,
        role: None,
        reasons: Vec::new(),
        why: None,
        since_ms: None,
        away_since_ms: None,
        release: about.map(|about| about.release.clone()),
        firmware: about.and_then(|about| about.firmware.clone()),
    };
    let Some(snapshot) = views.guard.status().map(|status| &status.snapshot) else {
        without_guard(views, &mut node);
        return node;
    };
    let peer = &snapshot.peer;
    if !snapshot.peer_role_holds() {
        (node.status, node.reasons) = not_heard(peer);
        let silence = peer.silence.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
        node.away_since_ms = silence.map(|silence| views.now_ms.saturating_sub(silence));
        return node;
    }
    node.role = peer.role.map(|role| role.word().to_owned());
    (node.status, node.reasons) = peer_status(peer, views.sync);
    if let Some(other) = views.other.filter(|it| it.about.role_held == node.role) {
        node.why = other.about.why.clone();
        node.since_ms = other.about.held_ms.map(|held| other.at_ms.saturating_sub(held));
    }
    node
}

/// Without a guard of our own only the agents speak.
fn without_guard(views: &Views<'_>, node: &mut NodeView) {
    match views.other.map(|other| other.about.role_held.as_deref()) {
        Some(Some(role)) => {
            node.role = Some(role.to_owned());
            node.status = match role {
                "active" => StatusWord::Active,
                _other => StatusWord::Passive,
            };
        }
        Some(None) => node.status = StatusWord::Off,
        None => node.reasons.push("its agent cannot be reached".to_owned()),
    }
}

fn not_heard(peer: &PeerView) -> (StatusWord, Vec<String>) {
    let (word, reason) = match (peer.state.as_str(), peer.left) {
        ("never_heard", _) => (StatusWord::Away, "not heard since this node's guard started"),
        (_, Some(Leaving::Shutdown)) => (StatusWord::Away, "it was shut down or reboots"),
        (_, Some(Leaving::ServiceStop)) => (StatusWord::Away, "twinwall was stopped there"),
        (_, None) => (StatusWord::Fault, "silent on every path"),
    };
    (word, vec![reason.to_owned()])
}

fn peer_status(peer: &PeerView, sync: Option<&Overview>) -> (StatusWord, Vec<String>) {
    let fitness = peer.fitness.unwrap_or_default();
    match peer.role {
        Some(RoleWord::Active | RoleWord::Releasing) => (StatusWord::Active, Vec::new()),
        _ if fitness.maintenance => (StatusWord::Maintenance, Vec::new()),
        None | Some(RoleWord::Starting) => (StatusWord::Starting, Vec::new()),
        Some(RoleWord::Claiming) => (StatusWord::Passive, Vec::new()),
        Some(RoleWord::Passive) => {
            let mut reasons = Vec::new();
            if fitness.check_failed {
                reasons.push("a check fails there".to_owned());
            }
            standing_by(fitness, reasons, sync)
        }
    }
}

fn ha_link(pair: &Pair, snapshot: Option<&Snapshot>) -> LinkView {
    let path = snapshot.and_then(|snapshot| snapshot.paths.first());
    LinkView {
        interface: pair.ha_link.interface.clone(),
        cable: pair.ha_link.cable,
        carrier: path.map(|path| path.carrier),
        heard: path.map(|path| path.alive),
    }
}

fn heartbeat(pair: &Pair, snapshot: Option<&Snapshot>) -> Heartbeat {
    let peer = snapshot.map(|snapshot| &snapshot.peer).filter(|peer| peer.is_heard());
    let round_trip = peer.and_then(|peer| peer.round_trip);
    Heartbeat {
        interval_s: pair.interval.as_secs_f64(),
        threshold: u32::from(pair.threshold),
        detection_s: pair.detection().as_secs_f64(),
        round_trip_ms: round_trip.map(|time| time.as_secs_f64() * 1e3),
        heard: snapshot.and_then(|snapshot| snapshot.paths.first()).map(|path| path.heard),
    }
}

fn interfaces(views: &Views<'_>, snapshot: Option<&Snapshot>) -> Vec<InterfaceView> {
    let all = views.pair.map_or(&[][..], |pair| &pair.interfaces);
    all.iter().map(|one| interface(views, one, snapshot)).collect()
}

fn interface(
    views: &Views<'_>,
    interface: &Interface,
    snapshot: Option<&Snapshot>,
) -> InterfaceView {
    let seen = snapshot.and_then(|it| it.interfaces.iter().find(|one| one.name == interface.name));
    let path = snapshot.and_then(|it| it.paths.iter().find(|one| one.interface == interface.name));
    let is_heard = snapshot.is_some_and(|snapshot| snapshot.peer.is_heard());
    let own = |designation: Option<Designation>| {
        let all = designation.map_or(&[][..], |it| interface.own(it));
        all.iter().map(|prefix| prefix.address.to_string()).collect()
    };
    InterfaceView {
        name: interface.name.clone(),
        watch: interface.watch,
        here: seen.map(|it| it.carrier && it.held.is_none()),
        // Of an interface that is not watched the other node says nothing; that it is heard
        // there says enough.
        there: seen
            .and_then(|it| it.peer_healthy)
            .filter(|_| is_heard)
            .or_else(|| path.filter(|path| path.alive).map(|_| true)),
        heard: path.map(|path| path.alive),
        virtual_ips: interface.virtual_ips.iter().map(ToString::to_string).collect(),
        own_here: own(views.designation),
        own_there: own(views.designation.map(Designation::other)),
    }
}
