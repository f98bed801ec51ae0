//! Reads `pair.toml`: values first, then what they must be to each other.

use std::net::IpAddr;
use std::time::Duration;

use super::alerts;
use super::document::{Section, parse};
use super::errors::{Errors, Found, Report};
use super::flows;
use super::gateways;
use super::interfaces::{self, Draft};
use super::keys::{self, FailbackWord};
use super::logs;
use super::{
    AlertTarget, Damping, Failback, Flows, HaLink, Logs, Pair, Prerequisite, Probe, Reach, Reports,
    Resources, Snmp, Sync,
};
use super::{probe, reports, resources, snmp};

/// Least time between the first missed heartbeat and the verdict: what a lease
/// needs to be renewed by one beat and to end 10 ms before the peer may claim.
const LEAST_SLACK: Duration = Duration::from_millis(20);

/// Reads the text of `pair.toml`; `file` is its name for the errors.
///
/// # Errors
/// All problems of the file at once.
pub fn parse_pair(file: &str, text: &str) -> Result<Pair, Errors> {
    let mut report = Report::new(file, text);
    let pair = read(text, &mut report);
    report.finish(pair)
}

fn read(text: &str, report: &mut Report<'_>) -> Option<Pair> {
    let document = parse(text, report)?;
    let top = Section::top(&document);
    top.refuse_unknown(keys::PAIR, report);
    let pair_id = top.get(&keys::PAIR_ID, report);
    let enabled = top.get(&keys::ENABLED, report);
    let beat = read_heartbeat(&top, report);
    let ha_link = read_ha_link(&top, report);
    let failback = read_failback(&top, report);
    let boot_hold = known_section(&top, "boot", report).get(&keys::BOOT_HOLD, report);
    let damping = read_damping(&top, report);
    let required_checks = read_required(&top, report);
    let ping = known_section(&top, "ping", report);
    let targets = ping.get(&keys::TARGETS, report);
    let off = enabled.as_ref().is_some_and(|enabled| !enabled.value);
    let drafts = read_interfaces(&top, off, report);
    let agents = read_for_agents(&top, &drafts, report);

    interfaces::check(&drafts, ha_link.as_ref().map(|link| link.interface.as_str()), report);
    gateways::check(&drafts, report);
    if let Some(targets) = &targets {
        check_targets(&targets.value, &drafts, report);
    }
    let (interval, threshold) = beat?;
    let agents = agents?;
    Some(Pair {
        pair_id: pair_id?.value,
        enabled: enabled?.value,
        interval,
        threshold,
        ha_link: ha_link?,
        gateways: gateways::all(&drafts),
        interfaces: drafts.into_iter().map(Draft::finish).collect::<Option<_>>()?,
        failback: failback?,
        ping_targets: targets?.value.into_iter().map(|target| target.value).collect(),
        boot_hold: boot_hold?.value.max(interval * u32::from(threshold)),
        damping: damping?,
        required_checks: required_checks?,
        sync: agents.sync,
        flows: agents.flows,
        logs: agents.logs,
        reports: agents.reports,
        probe: agents.probe,
        snmp: agents.snmp,
        reach: agents.reach,
        resources: agents.resources,
        alerts: agents.alerts,
        overridden: agents.overridden,
    })
}

fn read_required(top: &Section<'_>, report: &mut Report<'_>) -> Option<Vec<String>> {
    let mut required = known_section(top, "readiness", report).get(&keys::REQUIRE, report)?.value;
    required.sort();
    required.dedup();
    Some(required)
}

/// What no guard heeds.
struct ForAgents {
    sync: Sync,
    flows: Flows,
    logs: Logs,
    reports: Reports,
    probe: Probe,
    snmp: Snmp,
    reach: Reach,
    resources: Resources,
    alerts: Vec<AlertTarget>,
    overridden: Vec<Prerequisite>,
}

fn read_for_agents(
    top: &Section<'_>,
    drafts: &[Draft],
    report: &mut Report<'_>,
) -> Option<ForAgents> {
    let sync = read_sync(top, report);
    let flows = flows::read(&known_section(top, "flows", report), report);
    let logs = logs::read(&known_section(top, "logs", report), report);
    let reports = reports::read(&known_section(top, "reports", report), report);
    let probe = probe::read(&known_section(top, "probe", report), drafts, report);
    let snmp = snmp::read(&known_section(top, "snmp", report), report);
    let reach = gateways::read(&known_section(top, "reach", report), report);
    let resources = resources::read(&known_section(top, "resources", report), report);
    let alerts = alerts::read(top, report);
    let preflight = known_section(top, "preflight", report);
    let overridden = preflight.get(&keys::OVERRIDE, report);
    Some(ForAgents {
        sync: sync?,
        flows: flows?,
        logs: logs?,
        reports: reports?,
        probe: probe?,
        snmp: snmp?,
        reach: reach?,
        resources: resources?,
        alerts,
        overridden: overridden?.value,
    })
}

fn known_section<'t>(top: &Section<'t>, name: &str, report: &mut Report<'_>) -> Section<'t> {
    let section = top.section(name, report);
    section.refuse_unknown(keys::PAIR, report);
    section
}

fn read_heartbeat(top: &Section<'_>, report: &mut Report<'_>) -> Option<(Duration, u8)> {
    let section = known_section(top, "heartbeat", report);
    let interval = section.get(&keys::INTERVAL, report);
    let threshold = section.get(&keys::THRESHOLD, report);
    let (interval, threshold) = (interval?, threshold?);
    let slack = interval.value * u32::from(threshold.value - 1);
    if slack < LEAST_SLACK {
        let wrong = format!("too fast for a threshold of {}", threshold.value);
        let needed = LEAST_SLACK.as_secs_f64() / f64::from(threshold.value - 1);
        let remedy = format!(
            "(threshold - 1) x interval must be at least 0.02 s: write an interval of {needed} or more, or raise the threshold"
        );
        report.add(&interval.place, wrong, remedy);
    }
    Some((interval.value, threshold.value))
}

fn read_ha_link(top: &Section<'_>, report: &mut Report<'_>) -> Option<HaLink> {
    let section = known_section(top, "ha_link", report);
    let interface = section.get(&keys::HA_INTERFACE, report);
    let cable = section.get(&keys::CABLE, report);
    Some(HaLink { interface: interface?.value, cable: cable?.value })
}

fn read_failback(top: &Section<'_>, report: &mut Report<'_>) -> Option<Failback> {
    let section = known_section(top, "failback", report);
    let policy = section.get(&keys::POLICY, report);
    let hold = section.get(&keys::FAILBACK_HOLD, report);
    match policy?.value {
        FailbackWord::Stay => Some(Failback::Stay),
        FailbackWord::Primary => Some(Failback::Primary { hold: hold?.value }),
    }
}

fn read_damping(top: &Section<'_>, report: &mut Report<'_>) -> Option<Damping> {
    let section = known_section(top, "damping", report);
    let flaps = section.get(&keys::FLAPS, report);
    let window = section.get(&keys::WINDOW, report);
    let hold = section.get(&keys::DAMPING_HOLD, report);
    Some(Damping { flaps: flaps?.value, window: window?.value, hold: hold?.value })
}

fn read_sync(top: &Section<'_>, report: &mut Report<'_>) -> Option<Sync> {
    let section = known_section(top, "sync", report);
    let automatic = section.get(&keys::SYNC_AUTOMATIC, report);
    let debounce = section.get(&keys::SYNC_DEBOUNCE, report);
    let logs = section.get(&keys::SYNC_LOGS, report);
    let snmp = section.get(&keys::SYNC_SNMP, report);
    Some(Sync {
        automatic: automatic?.value,
        debounce: debounce?.value,
        logs: logs?.value,
        snmp: snmp?.value,
    })
}

/// A pair that is still `off` may have none yet: pairing comes before its settings.
fn read_interfaces(top: &Section<'_>, off: bool, report: &mut Report<'_>) -> Vec<Draft> {
    let sections = top.sections("interface", report);
    if sections.is_empty() && !off && report.is_clean() {
        let place = top.place("interface");
        report.add(
            &place,
            "missing",
            "add an [[interface]] section for each interface that carries addresses of the pair",
        );
    }
    sections.iter().map(|section| read_interface(section, report)).collect()
}

fn read_interface(section: &Section<'_>, report: &mut Report<'_>) -> Draft {
    section.refuse_unknown(keys::PAIR, report);
    let name = section.get(&keys::INTERFACE_NAME, report);
    let watch = section.get(&keys::WATCH, report);
    let before = report.count();
    let mut prefixes = |key| section.get(key, report).map_or(Vec::new(), |found| found.value);
    let (primary, secondary, virtual_ips) =
        (prefixes(&keys::PRIMARY), prefixes(&keys::SECONDARY), prefixes(&keys::VIRTUAL));
    let whole = report.count() == before;
    let gateways = section.get(&gateways::GATEWAYS, report).map_or(Vec::new(), |it| it.value);
    let place = section.place("name");
    Draft { place, name, watch, primary, secondary, virtual_ips, gateways, whole }
}

/// A target must be a third machine that this pair can ask at any time.
fn check_targets(targets: &[Found<IpAddr>], drafts: &[Draft], report: &mut Report<'_>) {
    for (index, target) in targets.iter().enumerate() {
        let address = target.value;
        let remedy = "name a machine outside the pair that answers pings";
        if let Some(same) =
            drafts.iter().flat_map(Draft::all).find(|other| other.value.address == address)
        {
            report.add(
                &target.place,
                format!("the pair's own address ({})", same.place.key),
                remedy,
            );
        } else if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
            report.add(&target.place, "not the address of one other machine", remedy);
        } else if interfaces::is_link_local(address) {
            report.add(
                &target.place,
                "a link-local address is not unique",
                "use an address with a wider scope",
            );
        } else if targets[..index].iter().any(|earlier| earlier.value == address) {
            report.add(&target.place, "named twice", "remove one");
        }
    }
}
