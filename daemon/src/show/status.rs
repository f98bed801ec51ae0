//! The status for a person at 3 a.m.: what this node is, what is wrong, then the rest.

use std::time::Duration;

use twinwall_core::api::Status;
use twinwall_core::beat::RoleWord;
use twinwall_core::config::Cable;
use twinwall_core::explain::{alarms, checking_cable, span};
use twinwall_core::snapshot::{InterfaceView, PathView, Snapshot};

use twinwall::agent::conditions::{Severity, Standing};
use twinwall::failure::Failure;

use super::Style;

/// Virtual IPs shown of one interface.
const MAX_SHOWN: usize = 6;
/// Width of the first column.
const LABEL: usize = 11;

/// The status as a page of text; `beside` is what the agent says besides the guard's alarms.
pub(crate) fn status(
    status: &Status,
    beside: Result<&[Standing], &Failure>,
    style: &Style,
) -> String {
    let snapshot = &status.snapshot;
    let mut page = headline(snapshot, style);
    match alarms(status).as_slice() {
        [] => page += &format!("{}\n", style.good("No alarm.")),
        alarms => {
            alarms.iter().for_each(|alarm| page += &format!("{}  {alarm}\n", style.bad("ALARM")))
        }
    }
    beside.unwrap_or_default().iter().for_each(|one| page += &condition(one, style));
    page.push('\n');
    row(
        &mut page,
        "election",
        &[format!("{}: {}", snapshot.election.should_serve, snapshot.election.reason)],
    );
    row(&mut page, "peer", &[peer(snapshot)]);
    row(&mut page, "ready", &[ready(snapshot)]);
    row(&mut page, "lease", &[lease(snapshot)]);
    row(&mut page, "heartbeat", &[heartbeat(snapshot)]);
    row(&mut page, "paths", &snapshot.paths.iter().map(path).collect::<Vec<_>>());
    row(&mut page, "interfaces", &snapshot.interfaces.iter().map(interface).collect::<Vec<_>>());
    let checks: Vec<String> = snapshot.own.checks.iter().map(check).collect();
    row(&mut page, "checks", &checks);
    row(&mut page, "guard", &guard(status));
    if let Err(why) = beside {
        row(&mut page, "conditions", &[format!("not known: {}", why.message)]);
    }
    page
}

/// A condition on a line; what to do about it says `twinwall conditions`.
fn condition(one: &Standing, style: &Style) -> String {
    let word = match one.severity {
        Severity::Critical | Severity::Major => style.bad(one.severity.word()),
        Severity::Warning | Severity::Info => style.strong(one.severity.word()),
    };
    let subject = one.subject.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
    let known = if one.known { "" } else { " (it may be better by now)" };
    let ends = if one.good_for_ms.is_some() { " (ending)" } else { "" };
    format!("{word}  {} on {}{subject}: {}{known}{ends}\n", one.condition, one.node, one.text)
}

fn headline(snapshot: &Snapshot, style: &Style) -> String {
    let role = snapshot.role.role.word();
    let word = if snapshot.status == role {
        role.to_owned()
    } else {
        format!("{} ({role})", snapshot.status)
    };
    let word = if snapshot.role.role == RoleWord::Active {
        style.good(&word)
    } else if snapshot.status == "fault" {
        style.bad(&word)
    } else {
        style.strong(&word)
    };
    format!(
        "{}, the {}: {word} for {}, epoch {}\n  because: {}\n",
        style.strong(&snapshot.name),
        snapshot.designation.word(),
        span(snapshot.role.since),
        snapshot.role.epoch,
        snapshot.role.reason
    )
}

fn row(page: &mut String, label: &str, lines: &[String]) {
    for (index, line) in lines.iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        *page += &format!("{label:LABEL$} {line}\n");
    }
}

fn peer(snapshot: &Snapshot) -> String {
    let peer = &snapshot.peer;
    let mut words = vec![peer.state.replace('_', " ")];
    if let Some(role) = peer.role {
        let then = if peer.is_heard() { "" } else { "last said to be " };
        words.push(format!("{then}{} in epoch {}", role.word(), peer.epoch));
    }
    words.extend(peer.silence.map(|silence| format!("heard {} ago", span(silence))));
    if peer.fitness.is_some_and(|it| it.eligible() && (it.unready || it.behind)) {
        words.push("not ready for a planned move yet".to_owned());
    }
    words.extend(
        peer.round_trip.map(|time| format!("{:.1} ms there and back", time.as_secs_f64() * 1e3)),
    );
    words.join(", ")
}

/// For a planned move; in need no node waits.
fn ready(snapshot: &Snapshot) -> String {
    match snapshot.own.waits_for.as_slice() {
        [] if snapshot.own.unfit.is_empty() => "for a planned move".to_owned(),
        [] => "no: not fit".to_owned(),
        reasons => format!("not for a planned move yet: {}", reasons.join("; ")),
    }
}

fn lease(snapshot: &Snapshot) -> String {
    let alone = if snapshot.role.alone { ", renewed alone: no peer confirms it" } else { "" };
    match snapshot.role.lease {
        None => "none".to_owned(),
        Some(Duration::ZERO) => format!("run out{alone}"),
        Some(left) => format!("{} left{alone}", span(left)),
    }
}

fn heartbeat(snapshot: &Snapshot) -> String {
    let cable = match snapshot.cable {
        Cable::Direct if checking_cable(snapshot) => "declared a direct cable (checking)",
        Cable::Direct => "a direct cable",
        Cable::Switched => "through a switch",
    };
    let link = snapshot.paths.first().map_or("none", |path| path.interface.as_str());
    format!(
        "every {}, peer dead after {}; HA link {link}, {cable}",
        span(snapshot.interval),
        span(snapshot.detection)
    )
}

fn path(path: &PathView) -> String {
    let heard = match path.silence {
        Some(silence) if path.alive => format!("heard {} ago", span(silence)),
        Some(silence) => format!("SILENT for {}", span(silence)),
        None => "NEVER HEARD".to_owned(),
    };
    let carrier = if path.carrier { "" } else { ", NO CARRIER" };
    format!("{:<15}  {heard}{carrier}", path.interface)
}

fn interface(interface: &InterfaceView) -> String {
    let mut words = Vec::new();
    words.push(if interface.carrier { "carrier".to_owned() } else { "NO CARRIER".to_owned() });
    words.push(if interface.watch { "watched".to_owned() } else { "not watched".to_owned() });
    words.extend(interface.held.map(|held| format!("HELD for {}", span(held))));
    if interface.peer_healthy == Some(false) {
        words.push("bad on the peer".to_owned());
    }
    let shown = interface.virtual_ips.iter().take(MAX_SHOWN).map(ToString::to_string);
    let mut ips: Vec<String> = shown.collect();
    if interface.virtual_ips.len() > MAX_SHOWN {
        ips.push(format!("and {} more", interface.virtual_ips.len() - MAX_SHOWN));
    }
    let ips = if ips.is_empty() { "no virtual IP".to_owned() } else { ips.join(" ") };
    format!("{:<15}  {}; {ips}", interface.name, words.join(", "))
}

fn check(check: &twinwall_core::snapshot::CheckView) -> String {
    let verdict = if check.good { "good".to_owned() } else { format!("BAD: {}", check.reason) };
    format!("{:<15}  {verdict} (for {} more)", check.name, span(check.left))
}

fn guard(status: &Status) -> Vec<String> {
    let guard = &status.guard;
    let present = guard.addresses_present;
    let late = span(Duration::from_micros(guard.worst_late_us));
    let ips = if present == 1 { "virtual IP" } else { "virtual IPs" };
    let mut lines =
        vec![format!("version {}, {present} {ips} present, at worst {late} late", guard.version)];
    let refused: Vec<String> =
        guard.refused_frames.iter().map(|one| format!("{} {}", one.count, one.name)).collect();
    if !refused.is_empty() {
        lines.push(format!("frames refused: {}", refused.join(", ")));
    }
    lines
}
