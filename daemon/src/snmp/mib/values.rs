//! Fills the objects from what the agent says. Values only; nothing is asked here.

use std::collections::BTreeMap;
use std::net::IpAddr;

use twinwall_core::config::{Cable, Prefix};
use twinwall_core::ids::Designation;

use super::objects::{CONDITION, INTERFACE, NODE, PAIR, PATH, ROLE, SECTIONS, VIRTUAL_IP};
use super::text::first_column;
use super::{Group, OBJECTS, Table, root};
use crate::agent::conditions::{Notice, Severity};
use crate::agent::dashboard::{Dashboard, NodeView, StatusWord};
use crate::agent::engine::overview::SectionState;
use crate::agent::snmp::value::{Oid, Value};
use crate::agent::snmp::view::{NodeFacts, SnmpView};
use crate::snmp::moment::date_and_time;

/// Every instance with its value, in order.
pub type Tree = BTreeMap<Oid, Value>;

/// The objects of a view.
pub fn tree(view: &SnmpView) -> Tree {
    let mut fill = Fill(Tree::new());
    fill.group(&PAIR, pair(view));
    for (number, values) in nodes(view) {
        fill.row(&NODE, &[number], values);
    }
    let dashboard = &view.dashboard;
    interfaces(&mut fill, dashboard);
    for (number, path) in (1..).zip(&dashboard.paths) {
        let values = vec![
            Value::text(&path.interface),
            truth(path.carrier),
            truth(path.peer_carrier),
            health(Some(path.alive)),
            Value::Counter(path.heard as u32),
        ];
        fill.row(&PATH, &[number], values);
    }
    for (number, section) in (1..).zip(dashboard.sync.iter().flat_map(|sync| &sync.sections)) {
        let since = section.newest.as_ref().map(|newest| newest.at_ms);
        let values = vec![
            Value::text(section.section.id()),
            section_state(section.state),
            Value::text(&section.reason),
            date_and_time(since),
        ];
        fill.row(&SECTIONS, &[number], values);
    }
    for (number, standing) in (1..).zip(&view.conditions) {
        let values = vec![
            Value::Integer(i32::from(standing.condition.row().number)),
            severity(standing.severity),
            Value::text(&standing.node),
            Value::text(standing.subject.as_deref().unwrap_or_default()),
            date_and_time(Some(standing.since_ms)),
            Value::text(&standing.text),
            Value::text(&standing.what_now),
        ];
        fill.row(&CONDITION, &[number], values);
    }
    fill.0
}

/// The values that go along with a notification, in the order of the group.
pub fn notice(notice: &Notice, sender: &str) -> Vec<Value> {
    use crate::agent::conditions::Kind;
    let kind = match notice.kind {
        Kind::Raised => 1,
        Kind::Cleared => 2,
        Kind::Happened => 3,
    };
    vec![
        Value::Gauge(notice.id as u32),
        date_and_time(Some(notice.at_ms)),
        Value::text(sender),
        Value::text(&notice.node),
        Value::Integer(i32::from(notice.condition.row().number)),
        severity(notice.severity),
        Value::Integer(kind),
        Value::text(notice.subject.as_deref().unwrap_or_default()),
        Value::text(&notice.text),
        Value::text(&notice.what_now),
    ]
}

struct Fill(Tree);

impl Fill {
    fn group(&mut self, group: &Group, values: Vec<Value>) {
        for (number, value) in (1..).zip(values).take(group.objects.len()) {
            self.0.insert(root().below(&[OBJECTS, group.number, number, 0]), value);
        }
    }

    fn row(&mut self, table: &Table, index: &[u32], values: Vec<Value>) {
        let columns = (first_column(table)..).zip(values).take(table.columns.len());
        for (column, value) in columns {
            let name = root().below(&[OBJECTS, table.number, 1, column]).below(index);
            self.0.insert(name, value);
        }
    }
}

fn pair(view: &SnmpView) -> Vec<Value> {
    let dashboard = &view.dashboard;
    let (here, there) = (&dashboard.here, dashboard.there.as_ref());
    let nodes = || [Some(here), there].into_iter().flatten();
    let active = nodes().filter(|node| node.is_active()).count();
    let link = dashboard.ha_link.as_ref();
    let cable = link.map_or(1, |link| match link.cable {
        Cable::Direct => 2,
        Cable::Switched => 3,
    });
    let beat = dashboard.heartbeat.as_ref();
    let millis = |seconds: Option<f64>| Value::Gauge((seconds.unwrap_or(0.0) * 1e3) as u32);
    let micros = |millis: Option<f64>| Value::Gauge((millis.unwrap_or(0.0) * 1e3) as u32);
    let ready = dashboard.readiness.as_ref().filter(|_| dashboard.enabled);
    let complete = dashboard.flows.as_ref().and_then(|flows| flows.now.complete_percent);
    let mut values = vec![
        Value::text(here.release.as_deref().unwrap_or_default()),
        Value::Integer(state(dashboard)),
        Value::text(here.name.as_deref().unwrap_or_default()),
        role(here),
        Value::text(nodes().find(|node| node.is_active()).map_or("", name)),
        Value::Gauge(active as u32),
        Value::text(link.map_or("", |link| &link.interface)),
        Value::Integer(cable),
        health(link.and_then(|link| link.heard)),
        millis(beat.map(|beat| beat.interval_s)),
        millis(beat.map(|beat| beat.detection_s)),
        micros(beat.and_then(|beat| beat.round_trip_ms)),
        dashboard.sync.as_ref().map_or(Value::Integer(1), |sync| section_state(sync.verdict)),
        health(ready.map(|ready| ready.ready)),
        Value::text(ready.map_or("", |ready| &ready.verdict)),
        Value::Gauge((complete.unwrap_or(0.0) * 100.0) as u32),
        Value::Gauge(view.failovers),
    ];
    values.extend(last_failover(dashboard));
    values.push(Value::Gauge(view.conditions.len() as u32));
    let worst = view.conditions.iter().map(|standing| standing.severity).min();
    values.push(Value::Integer(worst.map_or(1, |worst| 1 + i32::from(worst.number()))));
    values
}

fn last_failover(dashboard: &Dashboard) -> [Value; 6] {
    let last = dashboard.last_failover.as_ref();
    let outage = last.and_then(|last| last.outage.ms);
    [
        date_and_time(last.map(|last| last.began_ms)),
        Value::text(last.map_or("", |last| last.kind.words())),
        Value::text(last.and_then(|last| last.from.as_deref()).unwrap_or_default()),
        Value::text(last.map_or("", |last| &last.to)),
        Value::text(last.map_or("", |last| &last.reason)),
        Value::Gauge((outage.unwrap_or(0.0) * 1e3) as u32),
    ]
}

fn state(dashboard: &Dashboard) -> i32 {
    match (dashboard.paired, dashboard.enabled) {
        (false, _) => 2,
        (true, false) => 3,
        (true, true) => 4,
    }
}

/// Both nodes by their numbers.
fn nodes(view: &SnmpView) -> Vec<(u32, Vec<Value>)> {
    let dashboard = &view.dashboard;
    let now = dashboard.at_ms;
    let here = node(&dashboard.here, &view.here, true, Some(now), Some(0));
    let mut all = vec![(number(dashboard), here)];
    if let Some(there) = &dashboard.there {
        let unknown = NodeFacts::default();
        let facts = view.there.as_ref().map_or(&unknown, |there| &there.facts);
        let seen = last_seen(dashboard, there);
        let age = view.there.as_ref().map(|there| there.age_s);
        all.push((3 - number(dashboard), node(there, facts, false, seen, age)));
    }
    all
}

/// A node that is not heard was heard last when its silence began; one that never was, never.
fn last_seen(dashboard: &Dashboard, there: &NodeView) -> Option<u64> {
    let is_heard = dashboard.paths.iter().any(|path| path.alive);
    there.away_since_ms.or_else(|| is_heard.then_some(dashboard.at_ms))
}

/// This node's number: 1 for the primary, and for one that was never paired.
fn number(dashboard: &Dashboard) -> u32 {
    match dashboard.here.designation {
        Some(Designation::Primary) | None => 1,
        Some(Designation::Secondary) => 2,
    }
}

fn node(
    node: &NodeView,
    facts: &NodeFacts,
    answers: bool,
    seen_ms: Option<u64>,
    age_s: Option<u64>,
) -> Vec<Value> {
    let text = |text: Option<&str>| Value::text(text.unwrap_or_default());
    let gauge = |number: u64| Value::Gauge(u32::try_from(number).unwrap_or(u32::MAX));
    let designation = match node.designation {
        None => 1,
        Some(Designation::Primary) => 2,
        Some(Designation::Secondary) => 3,
    };
    vec![
        text(node.name.as_deref()),
        Value::Integer(designation),
        truth(answers),
        status(node.status),
        role(node),
        Value::text(&node.reasons.join("; ")),
        text(node.why.as_deref()),
        date_and_time(node.since_ms),
        text(node.release.as_deref()),
        text(node.firmware.as_deref()),
        text(facts.model.as_deref()),
        text(facts.serial.as_deref()),
        // They begin again after 497 days, as every sysUpTime does.
        Value::Ticks(facts.up_ticks as u32),
        gauge(facts.processors.into()),
        gauge(facts.load_percent.unwrap_or(0).into()),
        gauge(facts.memory_kib),
        gauge(facts.available_kib),
        gauge(facts.disk_mib),
        gauge(facts.disk_used_mib),
        gauge(facts.sessions.unwrap_or(0).into()),
        gauge(facts.sessions_most.unwrap_or(0).into()),
        date_and_time(seen_ms),
        gauge(age_s.unwrap_or(u64::MAX)),
    ]
}

fn interfaces(fill: &mut Fill, dashboard: &Dashboard) {
    let own = number(dashboard);
    let owners = owners(dashboard);
    let owner_names: Vec<&str> = [Some(&dashboard.here), dashboard.there.as_ref()]
        .into_iter()
        .flatten()
        .filter(|node| node.is_active())
        .map(name)
        .collect();
    for (place, interface) in (1..).zip(&dashboard.interfaces) {
        let row = |well: Option<bool>, addresses: &[String]| {
            vec![
                Value::text(&interface.name),
                truth(interface.watch),
                health(well),
                Value::text(&addresses.join(" ")),
            ]
        };
        fill.row(&INTERFACE, &[own, place], row(interface.here, &interface.own_here));
        if dashboard.there.is_some() {
            let values = row(interface.there, &interface.own_there);
            fill.row(&INTERFACE, &[3 - own, place], values);
        }
        for (number, text) in (1..).zip(&interface.virtual_ips) {
            let prefix: Option<Prefix> = text.parse().ok();
            let bytes = match prefix.map(|prefix| prefix.address) {
                Some(IpAddr::V4(four)) => four.octets().to_vec(),
                Some(IpAddr::V6(six)) => six.octets().to_vec(),
                None => Vec::new(),
            };
            let values = vec![
                Value::Bytes(bytes),
                Value::Gauge(prefix.map_or(0, |prefix| prefix.length.into())),
                Value::text(&interface.name),
                Value::Gauge(owners),
                Value::text(&owner_names.join(" and ")),
            ];
            fill.row(&VIRTUAL_IP, &[place, number], values);
        }
    }
}

/// Who answers for the virtual IPs: the sum of the nodes' numbers.
fn owners(dashboard: &Dashboard) -> u32 {
    let own = number(dashboard);
    let here = if dashboard.here.is_active() { own } else { 0 };
    let there = dashboard.there.as_ref().is_some_and(NodeView::is_active);
    here + if there { 3 - own } else { 0 }
}

fn name(node: &NodeView) -> &str {
    node.name.as_deref().unwrap_or_default()
}

fn role(node: &NodeView) -> Value {
    let place = ROLE.iter().position(|word| Some(*word) == node.role.as_deref());
    Value::Integer(place.map_or(1, |place| place as i32 + 1))
}

fn status(word: StatusWord) -> Value {
    Value::Integer(match word {
        StatusWord::Active => 2,
        StatusWord::Passive => 3,
        StatusWord::Fault => 4,
        StatusWord::OutOfSync => 5,
        StatusWord::Starting => 6,
        StatusWord::Maintenance => 7,
        StatusWord::Away => 8,
        StatusWord::Off => 9,
    })
}

fn section_state(state: SectionState) -> Value {
    Value::Integer(match state {
        SectionState::Unknown => 1,
        SectionState::InSync => 2,
        SectionState::Synchronising => 3,
        SectionState::OutOfSync => 4,
        SectionState::NeverSynchronised => 5,
        SectionState::Failed => 6,
    })
}

fn severity(severity: Severity) -> Value {
    Value::Integer(i32::from(severity.number()))
}

fn health(good: Option<bool>) -> Value {
    Value::Integer(match good {
        None => 1,
        Some(true) => 2,
        Some(false) => 3,
    })
}

/// RFC 2579: 1 is true, 2 is false.
fn truth(is: bool) -> Value {
    Value::Integer(if is { 1 } else { 2 })
}
