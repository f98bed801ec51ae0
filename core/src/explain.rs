//! A node's state in plain sentences: the four questions in the order in which
//! the core answers them, and the alarms. `twinwall explain`, `twinwall status`,
//! the console and the failover report all take their words from here.
//! Never decides anything.

use std::time::Duration;

use crate::beat::{Fitness, Leaving, RoleWord};
use crate::config::Cable;
use crate::event::Refusal;
use crate::health::GATEWAY;
use crate::snapshot::{CheckView, GatewayView, InterfaceView, PathView, PeerView, Snapshot};

mod alarms;

pub use alarms::{Alarm, AlarmId, alarms, named_alarms};

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The question.
    pub question: &'static str,
    /// The answer in sentences.
    pub sentences: Vec<String>,
}

/// The four questions with their answers.
pub fn explain(snapshot: &Snapshot) -> [Answer; 4] {
    [
        Answer { question: "What is true?", sentences: what_is_true(snapshot) },
        Answer { question: "Who should serve?", sentences: who_should_serve(snapshot) },
        Answer { question: "Which role follows?", sentences: which_role(snapshot) },
        Answer { question: "What must the kernel look like?", sentences: which_kernel(snapshot) },
    ]
}

/// Why an order or a fact was refused, and what to do.
pub fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::NotActive => "this node is not active; give the order on the active node",
        Refusal::PeerSilent => {
            "the peer cannot be heard; see 'twinwall status', mend the paths or the peer first"
        }
        Refusal::PeerNotFit => {
            "the peer is worse off than this node; see 'twinwall status' on the peer"
        }
        Refusal::PeerNotReady => {
            "the peer's own addresses cannot be used yet; it is a matter of seconds after its start, else see 'twinwall status' on the peer"
        }
        Refusal::Busy => "another move is under way; wait some seconds and see 'twinwall events'",
        Refusal::NobodyElse => "nobody else could serve; put the peer into service first",
        Refusal::TooManyFacts => {
            "the guard holds as many facts as it keeps; use the name of one of them, or wait until one runs out: see 'checks' in 'twinwall status'"
        }
    }
}

/// A duration in the largest unit that still says enough: `290 ms`, `3.2 s`, `12 min 5 s`.
pub fn span(span: Duration) -> String {
    let (seconds, millis) = (span.as_secs(), span.as_millis());
    match seconds {
        0 if millis == 0 && !span.is_zero() => "under 1 ms".to_owned(),
        0 => format!("{millis} ms"),
        1..10 if span.subsec_millis() >= 100 => {
            format!("{seconds}.{} s", span.subsec_millis() / 100)
        }
        1..60 => format!("{seconds} s"),
        60..3_600 => two_units(seconds / 60, "min", seconds % 60, "s"),
        3_600..172_800 => two_units(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        172_800.. => format!("{} days", seconds / 86_400),
    }
}

fn two_units(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        1.. => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

fn what_is_true(snapshot: &Snapshot) -> Vec<String> {
    let mut sentences =
        vec![format!("This node is {}, the {}.", snapshot.name, snapshot.designation.word())];
    match snapshot.own.unfit.as_slice() {
        [] => sentences.push("It is fit.".to_owned()),
        reasons => {
            sentences.extend(reasons.iter().map(|why| format!("It is not fit: {}.", bare(why))))
        }
    }
    sentences.extend(
        snapshot
            .own
            .waits_for
            .iter()
            .map(|why| format!("A planned move to this node must wait: {}.", bare(why))),
    );
    if let Some(left) = snapshot.own.maintenance {
        sentences.push(format!("Maintenance ends by itself in {}.", span(left)));
    }
    sentences.extend(watched_links(&snapshot.interfaces));
    sentences.extend(snapshot.interfaces.iter().filter_map(link_trouble));
    sentences.extend(snapshot.gateways.iter().map(gateway));
    let own = |check: &&CheckView| check.good && !check.name.starts_with(GATEWAY);
    for check in snapshot.own.checks.iter().filter(own) {
        sentences.push(format!("Check {} is content for {} more.", check.name, span(check.left)));
    }
    sentences.extend(peer_sentences(&snapshot.peer));
    if checking_cable(snapshot) {
        sentences.push(
            "Whether the HA cable is direct is being checked; until then lost carrier is not believed."
                .to_owned(),
        );
    }
    let paths: Vec<String> = snapshot.paths.iter().map(|it| path(it, "here", "the peer")).collect();
    sentences.push(format!(
        "Heartbeats every {}, by path: {}.",
        span(snapshot.interval),
        paths.join("; ")
    ));
    sentences
}

/// Whether the HA cable is declared direct and it is not known yet if it is.
pub fn checking_cable(snapshot: &Snapshot) -> bool {
    snapshot.cable == Cable::Direct && !snapshot.cable_checked && !snapshot.cable_is_direct
}

fn watched_links(interfaces: &[InterfaceView]) -> Option<String> {
    let watched: Vec<&InterfaceView> =
        interfaces.iter().filter(|interface| interface.watch).collect();
    if watched.is_empty() {
        return Some("It watches no interface.".to_owned());
    }
    let healthy =
        watched.iter().filter(|interface| interface.carrier && interface.held.is_none()).count();
    Some(format!("Healthy watched interfaces: {healthy} of {}.", watched.len()))
}

/// What the list of reasons for being unfit does not say.
fn link_trouble(interface: &InterfaceView) -> Option<String> {
    if let Some(held) = interface.held {
        return Some(format!(
            "{} flapped; it counts again after {} without a break.",
            interface.name,
            span(held)
        ));
    }
    let down = !interface.watch && !interface.carrier;
    down.then(|| format!("{} has no carrier; it is not watched.", interface.name))
}

/// What the two nodes see of a gateway. It counts only where the peer reaches more.
fn gateway(gateway: &GatewayView) -> String {
    let here = match gateway.here {
        Some(true) => "answers this node".to_owned(),
        Some(false) => format!("does not answer this node ({})", bare(&gateway.why)),
        None => "was not asked by this node yet".to_owned(),
    };
    let there = match gateway.there {
        Some(true) => "answers the peer",
        Some(false) => "does not answer the peer",
        None => "of the peer that is not known",
    };
    format!("Gateway {} on {} {here}; {there}.", gateway.address, gateway.interface)
}

fn peer_sentences(peer: &PeerView) -> Vec<String> {
    let mut sentences = Vec::new();
    let heard = match peer.silence {
        Some(silence) => format!("last heard {} ago", span(silence)),
        None => "never heard by this guard".to_owned(),
    };
    sentences.push(match (peer.state.as_str(), peer.left) {
        ("never_heard", _) => "The peer was never heard since this guard started.".to_owned(),
        ("alive", _) => format!("The peer is alive, {heard}."),
        ("doubted", _) => {
            format!("The peer is late, {heard}; it is being asked on all paths.")
        }
        (_, Some(why)) => format!("The peer said goodbye ({}), {heard}.", leaving(why)),
        (_, None) => format!("The peer is silent on every path, {heard}."),
    });
    if let (Some(role), "alive" | "doubted") = (peer.role, peer.state.as_str()) {
        sentences.push(format!("It says that it is {}, epoch {}.", role.word(), peer.epoch));
    }
    // What it said before it fell silent is no truth of now.
    if let (Some(fitness), true) = (peer.fitness, peer.is_heard()) {
        sentences.push(peer_fitness(fitness));
    }
    if let Some(round_trip) = peer.round_trip {
        sentences.push(format!(
            "The last confirmed beat took {:.1} ms there and back.",
            round_trip.as_secs_f64() * 1e3
        ));
    }
    if !peer.same_settings {
        sentences.push("Its pair.toml differs from ours.".to_owned());
    }
    sentences
}

fn peer_fitness(fitness: Fitness) -> String {
    let links = fitness.links();
    let links =
        format!("{links} healthy watched {}", plural(links as usize, "interface", "interfaces"));
    match objections(fitness).as_slice() {
        [] if fitness.unready => format!(
            "It counts itself able to serve in need, with {links}; a planned move to it must wait for its own addresses."
        ),
        [] if fitness.behind => format!(
            "It counts itself able to serve in need, with {links}; a planned move to it waits until it has all connections."
        ),
        [] => format!("It counts itself able to serve, with {links}."),
        objections => {
            format!("It counts itself unable to serve ({}), with {links}.", objections.join(", "))
        }
    }
}

fn objections(fitness: Fitness) -> Vec<&'static str> {
    let reasons = [
        (fitness.check_failed, "a check failed"),
        (fitness.never_synchronised, "never synchronised"),
        (fitness.maintenance, "maintenance"),
    ];
    reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
}

/// `here` says where this node is, `peer` names the other one.
fn path(path: &PathView, here: &str, peer: &str) -> String {
    let carrier = match (path.carrier, path.alive) {
        (false, _) => format!(", no carrier {here}"),
        (true, false) if !path.peer_carrier && path.heard > 0 => {
            format!(", no carrier at {peer} when it last spoke")
        }
        (true, _) => String::new(),
    };
    match path.silence {
        Some(silence) if path.alive => {
            format!("{} heard {} ago{carrier}", path.interface, span(silence))
        }
        Some(silence) => format!("{} silent for {}{carrier}", path.interface, span(silence)),
        None => format!("{} never heard{carrier}", path.interface),
    }
}

fn who_should_serve(snapshot: &Snapshot) -> Vec<String> {
    let election = &snapshot.election;
    vec![format!("{}: {}.", capital(&election.should_serve), election.reason)]
}

fn which_role(snapshot: &Snapshot) -> Vec<String> {
    let role = &snapshot.role;
    let mut sentences = vec![format!(
        "This node has been {} for {}, epoch {}: {}.",
        role.role.word(),
        span(role.since),
        role.epoch,
        role.reason
    )];
    if let Some(lease) = role.lease {
        let until = if lease.is_zero() {
            "has run out".to_owned()
        } else {
            format!("lasts {} more", span(lease))
        };
        let beat = if role.alone { "each beat" } else { "each confirmed beat" };
        sentences.push(format!("Its lease {until}; {beat} prolongs it."));
    }
    if role.alone {
        sentences.push("It serves alone: nobody could take over or confirm.".to_owned());
    }
    sentences.extend(timers(snapshot));
    sentences
}

/// What runs, soonest first; of several with one name the soonest.
fn timers(snapshot: &Snapshot) -> Option<String> {
    let mut timers: Vec<(Duration, &str)> = Vec::new();
    for timer in &snapshot.timers {
        match timers.iter_mut().find(|(_, name)| *name == timer.name) {
            Some((left, _)) => *left = timer.left.min(*left),
            None => timers.push((timer.left, &timer.name)),
        }
    }
    timers.sort();
    let words: Vec<String> =
        timers.iter().map(|(left, name)| format!("{name} in {}", span(*left))).collect();
    (!words.is_empty()).then(|| format!("Next: {}.", words.join(", ")))
}

fn which_kernel(snapshot: &Snapshot) -> Vec<String> {
    let count: usize =
        snapshot.interfaces.iter().map(|interface| interface.virtual_ips.len()).sum();
    let ips = plural(count, "virtual IP", "virtual IPs");
    let gate = match snapshot.role.role {
        RoleWord::Active => "the gate is open while the lease lasts",
        RoleWord::Releasing => "the gate no longer lets it answer, only forward what still comes",
        RoleWord::Starting | RoleWord::Passive | RoleWord::Claiming => "the gate is closed",
    };
    let place = if snapshot.desired.addresses { "on its interfaces" } else { "on no interface" };
    let applied = if snapshot.desired.applied {
        "The kernel confirmed it"
    } else {
        "The kernel has not confirmed it yet"
    };
    vec![
        format!("{count} {ips} must be {place}; {gate}."),
        format!("{applied} (state {}).", snapshot.desired.generation),
    ]
}

fn leaving(why: Leaving) -> &'static str {
    match why {
        Leaving::ServiceStop => "its service was stopped",
        Leaving::Shutdown => "it shuts down or reboots",
    }
}

/// A sentence of another's making without its full stop.
fn bare(text: &str) -> &str {
    text.trim_end_matches('.')
}

/// A sentence's beginning.
fn capital(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

fn plural<'w>(count: usize, one: &'w str, many: &'w str) -> &'w str {
    if count == 1 { one } else { many }
}

#[cfg(test)]
mod tests;
