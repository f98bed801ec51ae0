//! From what the agent shows to values of the table: pure, but for the last function, which
//! asks the node.

use std::collections::BTreeMap;

use twinwall_core::ids::Designation;

use super::measures::Measures;
use super::text::Values;
use super::{parts, table as t};
use crate::agent::alerts::view::{AlertState, AlertsView};
use crate::agent::conditions::catalogue::{About, PAIR};
use crate::agent::conditions::{ConditionId, Standing};
use crate::agent::dashboard::{Dashboard, NodeView, StatusWord};
use crate::agent::engine::overview::SectionState;
use crate::agent::flows::view::{FlowsView, Part};
use crate::agent::logs::view::LogsView;
use crate::agent::readiness::Severity as Against;
use crate::agent::services::view::{Phase, ServicesView};

/// What values are made from.
pub(super) struct Seen<'a> {
    pub(super) pair: &'a Dashboard,
    pub(super) standing: &'a [Standing],
    pub(super) happened: &'a BTreeMap<ConditionId, u64>,
    pub(super) services: &'a ServicesView,
    pub(super) alerts: &'a AlertsView,
    /// This node's, and the other one's where it could be asked.
    pub(super) measures: [Option<&'a Measures>; 2],
    pub(super) logs: &'a LogsView,
}

/// Every status, as a label.
const STATUSES: [StatusWord; 8] = [
    StatusWord::Active,
    StatusWord::Passive,
    StatusWord::Fault,
    StatusWord::OutOfSync,
    StatusWord::Starting,
    StatusWord::Maintenance,
    StatusWord::Away,
    StatusWord::Off,
];

pub(super) fn gather(seen: &Seen<'_>) -> String {
    let mut values = Values::default();
    let pair = seen.pair;
    values.add(&t::BUILD, &[env!("CARGO_PKG_VERSION")], 1.0);
    values.flag(&t::PAIRED, &[], pair.paired);
    values.flag(&t::ENABLED, &[], pair.enabled);
    nodes(&mut values, pair);
    links(&mut values, pair);
    readiness_and_sync(&mut values, pair);
    if let Some(flows) = &pair.flows {
        of_flows(&mut values, pair, flows);
    }
    conditions(&mut values, seen);
    services(&mut values, seen.services);
    alerts(&mut values, seen.alerts);
    for ((name, _), measures) in both(pair).zip(seen.measures) {
        if let Some(measures) = measures {
            parts::machine(&mut values, name, measures);
        }
    }
    let there = pair.there.as_ref().map(|there| name(there, "there"));
    parts::logs(&mut values, [Some(name(&pair.here, "here")), there], seen.logs);
    values.text()
}

fn name<'a>(node: &'a NodeView, otherwise: &'a str) -> &'a str {
    node.name.as_deref().unwrap_or(otherwise)
}

/// Both nodes with their names.
fn both(pair: &Dashboard) -> impl Iterator<Item = (&str, &NodeView)> {
    let here = (name(&pair.here, "here"), &pair.here);
    std::iter::once(here).chain(pair.there.iter().map(|there| (name(there, "there"), there)))
}

fn seconds(unix_ms: u64) -> f64 {
    unix_ms as f64 / 1000.0
}

/// Whether a node carries the traffic, whatever else is the matter with it.
fn nodes(values: &mut Values, pair: &Dashboard) {
    for (name, node) in both(pair) {
        let designation = node.designation.map(Designation::word).unwrap_or_default();
        let release = node.release.as_deref().unwrap_or_default();
        let firmware = node.firmware.as_deref().unwrap_or_default();
        values.add(&t::NODE, &[name, designation, release, firmware], 1.0);
        for status in STATUSES {
            let word = status.words().replace(' ', "_");
            values.flag(&t::STATUS, &[name, &word], node.status == status);
        }
        values.flag(&t::NODE_ACTIVE, &[name], node.is_active());
        values.known(&t::ROLE_SINCE, &[name], node.since_ms.map(seconds));
        values.flag(&t::HEARD, &[name], node.away_since_ms.is_none());
        let age = node.away_since_ms.map_or(0, |since| pair.at_ms.saturating_sub(since));
        values.add(&t::AGE, &[name], seconds(age));
    }
    if pair.enabled {
        let active = both(pair).filter(|(_, node)| node.is_active()).count();
        values.add(&t::ACTIVE, &[], active as f64);
    }
}

fn links(values: &mut Values, pair: &Dashboard) {
    if let Some(link) = &pair.ha_link {
        let heard = link.heard.map(|heard| if heard { 1.0 } else { 0.0 });
        values.known(&t::HA_LINK, &[&link.interface], heard);
    }
    if let Some(beat) = &pair.heartbeat {
        values.add(&t::INTERVAL, &[], beat.interval_s);
        values.add(&t::DETECTION, &[], beat.detection_s);
        values.known(&t::ROUND_TRIP, &[], beat.round_trip_ms.map(|ms| ms / 1000.0));
    }
    for path in &pair.paths {
        values.flag(&t::PATH_ALIVE, &[&path.interface], path.alive);
        values.add(&t::PATH_HEARD, &[&path.interface], path.heard as f64);
    }
    for (name, is_here) in both(pair).zip([true, false]).map(|((name, _), here)| (name, here)) {
        for interface in &pair.interfaces {
            let up = if is_here { interface.here } else { interface.there };
            let up = up.map(|up| if up { 1.0 } else { 0.0 });
            values.known(&t::INTERFACE, &[name, &interface.name], up);
        }
    }
}

fn readiness_and_sync(values: &mut Values, pair: &Dashboard) {
    if let Some(readiness) = &pair.readiness {
        values.flag(&t::READY, &[], readiness.ready);
        for (severity, word) in [(Against::Blocks, "blocks"), (Against::Warns, "warns")] {
            let count = readiness.against.iter().filter(|it| it.severity == severity).count();
            values.add(&t::AGAINST, &[word], count as f64);
        }
    }
    if let Some(sync) = &pair.sync {
        values.flag(&t::IN_SYNC, &[], sync.verdict == SectionState::InSync);
        for section in &sync.sections {
            let in_sync = section.state == SectionState::InSync;
            values.flag(&t::SECTION, &[section.section.id()], in_sync);
        }
    }
    if let Some(last) = &pair.last_failover {
        let kind = last.kind.words();
        values.add(&t::LAST_MOVE, &[kind], seconds(last.ended_ms));
        values.known(&t::LAST_OUTAGE, &[kind], last.outage.ms.map(|ms| ms / 1000.0));
    }
}

fn of_flows(values: &mut Values, pair: &Dashboard, flows: &FlowsView) {
    let now = &flows.now;
    if now.part == Part::Off {
        return;
    }
    let counts = [Some(now.flows), now.peer_flows];
    for ((name, _), count) in both(pair).zip(counts) {
        values.known(&t::FLOWS, &[name], count.map(|count| count as f64));
    }
    values.known(&t::FLOWS_COMPLETE, &[], now.complete_percent.map(|percent| percent / 100.0));
    if let Some(lag) = now.lag_ms {
        for (quantile, ms) in [("0.5", lag.p50), ("0.99", lag.p99), ("1", lag.max)] {
            values.add(&t::FLOWS_LAG, &[quantile], ms / 1000.0);
        }
    }
    values.add(&t::FLOWS_BACKLOG, &[], now.backlog as f64);
    values.add(&t::FLOWS_DROPPED, &[], now.dropped as f64);
    values.add(&t::FLOWS_OVERRUNS, &[], now.overruns as f64);
    values.add(&t::FLOWS_RESYNCS, &[], now.resyncs as f64);
}

/// Each condition of each node, raised or not, so that a rule sees it go.
fn conditions(values: &mut Values, seen: &Seen<'_>) {
    for id in ConditionId::ALL {
        let row = id.row();
        let names: Vec<&str> = match row.about {
            About::Pair => vec![PAIR],
            About::Node | About::Peer => both(seen.pair).map(|(name, _)| name).collect(),
        };
        for name in names {
            let stands = |it: &&Standing| it.condition == *id && it.node == name;
            let count = seen.standing.iter().filter(stands).count();
            values.add(&t::CONDITIONS, &[name, row.name, row.severity.word()], count as f64);
        }
    }
    for (id, count) in seen.happened {
        values.add(&t::HAPPENED, &[id.name()], *count as f64);
    }
}

fn services(values: &mut Values, services: &ServicesView) {
    for service in &services.services {
        let running = matches!(service.phase, Phase::Running);
        values.flag(&t::SERVICE, &[&service.name], running);
        let failed = matches!(service.phase, Phase::Failed { .. });
        values.flag(&t::SERVICE_FAILED, &[&service.name], failed);
    }
}

fn alerts(values: &mut Values, alerts: &AlertsView) {
    values.flag(&t::SPEAKS, &[], alerts.speaks);
    for target in &alerts.targets {
        let name = [target.settings.name.as_str()];
        values.flag(&t::ALERT_FAILING, &name, target.state == AlertState::Failing);
        values.add(&t::ALERTS_TOLD, &name, target.told as f64);
        values.add(&t::ALERTS_LEFT_OUT, &name, target.left_out as f64);
        values.add(&t::ALERTS_LOST, &name, target.lost as f64);
    }
}
