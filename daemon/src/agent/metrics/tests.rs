//! What a dashboard becomes: values that are known, none that are not, and what the packaged
//! dashboard and rules ask for.

use std::collections::BTreeMap;

use super::gather::{Seen, gather};
use super::measures::{Measures, SnmpMeasures};
use super::table::{self, ALL};
use crate::agent::alerts::view::{AlertState, AlertView, AlertsView};
use crate::agent::conditions::catalogue::PAIR;
use crate::agent::conditions::{ConditionId, Standing};
use crate::agent::dashboard::{Dashboard, InterfaceView, NodeView, StatusWord};
use crate::agent::flows::view::{FlowsView, LagMs, Part, View};
use crate::agent::logs::view::{LogsView, OriginView, SourceView};
use crate::agent::resources::view::{Disk, Memory, Resources, Sensor, Table};
use crate::agent::services::view::ServicesView;
use crate::agent::settings::alerts::AlertSetting;
use crate::agent::snmp::view::Done;

fn node(name: &str, status: StatusWord, role: Option<&str>) -> NodeView {
    NodeView {
        name: Some(name.to_owned()),
        designation: None,
        status,
        role: role.map(str::to_owned),
        reasons: Vec::new(),
        why: None,
        since_ms: Some(1_500),
        away_since_ms: None,
        release: Some("0.1.0".to_owned()),
        firmware: None,
    }
}

fn pair() -> Dashboard {
    let flows = View {
        part: Part::Source,
        flows: 7,
        complete_percent: Some(50.0),
        lag_ms: Some(LagMs { p50: 1.0, p99: 2.0, max: 4.0 }),
        ..View::default()
    };
    let interface = InterfaceView {
        name: "lan".to_owned(),
        watch: true,
        here: Some(true),
        there: None,
        heard: None,
        virtual_ips: Vec::new(),
        own_here: Vec::new(),
        own_there: Vec::new(),
    };
    let there = NodeView {
        away_since_ms: Some(12_500),
        since_ms: None,
        ..node("gw-b", StatusWord::Fault, None)
    };
    // As JSON: what is not looked at here may come and go.
    let json = serde_json::json!({
        "at_ms": 20_000,
        "paired": true,
        "enabled": true,
        "here": node("gw-a", StatusWord::Active, Some("active")),
        "there": there,
        "ha_link": null,
        "heartbeat": null,
        "interfaces": [interface],
        "alarms": [],
        "conditions": [],
        "readiness": null,
        "sync": null,
        "flows": FlowsView { now: flows, since_s: 1.0 },
        "events": [],
        "last_move": null,
        "jobs": [],
    });
    serde_json::from_value(json).expect("a dashboard")
}

fn standing(condition: ConditionId, node: &str, subject: &str) -> Standing {
    Standing {
        condition,
        node: node.to_owned(),
        subject: Some(subject.to_owned()),
        severity: condition.severity(),
        since_ms: 1,
        known: true,
        good_for_ms: None,
        text: String::new(),
        what_now: String::new(),
    }
}

fn alerts() -> AlertsView {
    let target = AlertView {
        settings: AlertSetting { name: "noc".to_owned(), ..AlertSetting::default() },
        state: AlertState::Failing,
        why: None,
        secret: true,
        takes_secret: true,
        told: 3,
        last_told_ms: None,
        left_out: 2,
        lost: 1,
    };
    AlertsView { node: "gw-a".to_owned(), speaks: true, targets: vec![target] }
}

fn measures() -> Measures {
    let disk = Disk { mounted_for: "/".to_owned(), total_bytes: 100, free_bytes: 40 };
    let sensor = Sensor { name: "cpu".to_owned(), celsius: 51.5, critical_celsius: Some(84.0) };
    let resources = Resources {
        memory: Some(Memory { total_bytes: 1024, available_bytes: 256 }),
        disks: vec![disk],
        connections: Some(Table { count: 9, most: 100 }),
        temperatures: vec![sensor],
    };
    let done = Done { answered: 7, unsent: 2, ..Done::default() };
    let snmp = SnmpMeasures { connected: true, done };
    Measures { resources: Some(resources), snmp: Some(snmp) }
}

fn logs() -> LogsView {
    let source = SourceView { name: "dhcp".to_owned(), lines: 12, ..SourceView::default() };
    let here = OriginView {
        last: 70,
        bytes: 4096,
        lag_ms: Some(250),
        behind: Some(3),
        missing: 1,
        sources: vec![source],
        ..OriginView::default()
    };
    let there = OriginView { last: 30, ..OriginView::default() };
    LogsView { on: true, connected: true, here, there, trouble: None }
}

fn text(pair: &Dashboard) -> String {
    let standing = [
        standing(ConditionId::InterfaceDown, "gw-b", "lan"),
        standing(ConditionId::InterfaceDown, "gw-b", "wan"),
        standing(ConditionId::HaLinkLost, PAIR, "ha0"),
    ];
    let services =
        ServicesView { node: "gw-a".to_owned(), wanted: None, services: vec![], checks: vec![] };
    gather(&Seen {
        pair,
        standing: &standing,
        happened: &BTreeMap::from([(ConditionId::Failover, 4)]),
        services: &services,
        alerts: &alerts(),
        measures: [Some(&measures()), None],
        logs: &logs(),
    })
}

#[test]
fn machines_logs_and_snmp_are_told_of_nodes_that_can_be_asked() {
    let text = text(&pair());
    for line in [
        "twinwall_memory_bytes{node=\"gw-a\"} 1024",
        "twinwall_memory_available_bytes{node=\"gw-a\"} 256",
        "twinwall_disk_free_bytes{node=\"gw-a\",mounted_for=\"/\"} 40",
        "twinwall_connection_table_entries{node=\"gw-a\"} 9",
        "twinwall_connection_table_limit{node=\"gw-a\"} 100",
        "twinwall_temperature_celsius{node=\"gw-a\",sensor=\"cpu\"} 51.5",
        "twinwall_temperature_critical_celsius{node=\"gw-a\",sensor=\"cpu\"} 84",
        "twinwall_snmp_connected{node=\"gw-a\"} 1",
        "twinwall_snmp_questions_total{node=\"gw-a\"} 7",
        "twinwall_snmp_unsent_total{node=\"gw-a\"} 2",
        "twinwall_logs_connected 1",
        "twinwall_log_lines_total{origin=\"gw-a\"} 70",
        "twinwall_log_lines_total{origin=\"gw-b\"} 30",
        "twinwall_log_lag_seconds{origin=\"gw-a\"} 0.25",
        "twinwall_log_missing_lines_total{origin=\"gw-a\"} 1",
        "twinwall_log_source_lines_total{source=\"dhcp\"} 12",
        "twinwall_log_source_failing{source=\"dhcp\"} 0",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}:\n{text}");
    }
    for unknown in [
        "memory_bytes{node=\"gw-b\"",
        "twinwall_snmp_on{node=\"gw-b\"",
        "twinwall_log_lag_seconds{origin=\"gw-b\"",
    ] {
        assert!(!text.contains(unknown), "{unknown}:\n{text}");
    }
}

/// Series of a pair with this many interfaces: what docs/metrics.md promises.
#[test]
fn the_number_of_series_grows_with_the_pair_and_not_with_its_traffic() {
    let mut large = pair();
    let interface = large.interfaces[0].clone();
    large.interfaces.resize(3, interface);
    let count = |pair: &Dashboard| text(pair).lines().filter(|it| !it.starts_with('#')).count();
    assert!(count(&large) < 450, "{}", count(&large));
}

#[test]
fn both_nodes_are_told_with_what_is_known_of_each() {
    let text = text(&pair());
    for line in [
        "twinwall_active_nodes 1",
        "twinwall_node_active{node=\"gw-a\"} 1",
        "twinwall_node_active{node=\"gw-b\"} 0",
        "twinwall_node_status{node=\"gw-b\",status=\"fault\"} 1",
        "twinwall_node_status{node=\"gw-b\",status=\"out_of_sync\"} 0",
        "twinwall_node_data_age_seconds{node=\"gw-b\"} 7.5",
        "twinwall_node_heard{node=\"gw-b\"} 0",
        "twinwall_node_role_since_seconds{node=\"gw-a\"} 1.5",
        "twinwall_interface_up{node=\"gw-a\",interface=\"lan\"} 1",
        "twinwall_flows{node=\"gw-a\"} 7",
        "twinwall_flows_complete_ratio 0.5",
        "twinwall_flows_lag_seconds{quantile=\"0.99\"} 0.002",
        "twinwall_conditions{node=\"gw-b\",condition=\"interface-down\",severity=\"major\"} 2",
        "twinwall_conditions{node=\"gw-a\",condition=\"interface-down\",severity=\"major\"} 0",
        "twinwall_conditions{node=\"pair\",condition=\"ha-link-lost\",severity=\"major\"} 1",
        "twinwall_happened_total{condition=\"failover\"} 4",
        "twinwall_alert_target_failing{target=\"noc\"} 1",
        "twinwall_alerts_lost_total{target=\"noc\"} 1",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}:\n{text}");
    }
    for unknown in [
        "twinwall_interface_up{node=\"gw-b\"",
        "twinwall_ready",
        "role_since_seconds{node=\"gw-b\"",
    ] {
        assert!(!text.contains(unknown), "{unknown}:\n{text}");
    }
}

#[test]
fn two_active_nodes_are_two_and_a_pair_that_is_off_has_no_number() {
    let mut both = pair();
    both.there = Some(node("gw-b", StatusWord::Active, Some("active")));
    assert!(text(&both).contains("\ntwinwall_active_nodes 2\n"));
    both.enabled = false;
    assert!(!text(&both).contains("twinwall_active_nodes"));
}

/// Files of the package, by name.
fn packaged() -> [(&'static str, String); 2] {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging");
    ["grafana/twinwall.json", "prometheus/twinwall.rules.yml"].map(|name| {
        (name, std::fs::read_to_string(format!("{root}/{name}")).expect("it is packaged"))
    })
}

#[test]
fn dashboard_and_rules_ask_for_nothing_that_is_not_told() {
    for (name, text) in packaged() {
        let word = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let asked = text.split(word).filter(|word| word.starts_with("twinwall_"));
        let mut count = 0;
        for metric in asked {
            count += 1;
            assert!(ALL.iter().any(|it| it.name == metric), "{name} asks for {metric}");
        }
        assert!(count > 10, "{name} asks for {count}");
    }
}

#[test]
fn the_dashboard_is_json_that_grafana_imports() {
    let [(_, text), _] = packaged();
    let board: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(board["uid"], "twinwall");
    let panels = board["panels"].as_array().expect("panels");
    let mut ids: Vec<i64> = panels.iter().filter_map(|panel| panel["id"].as_i64()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), panels.len(), "each panel has a number of its own");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        assert!(panel["description"].as_str().is_some_and(|it| !it.is_empty()));
    }
}

#[test]
fn the_reference_names_every_metric() {
    let page = table::page();
    assert!(ALL.iter().all(|metric| page.contains(&format!("| `{}` |", metric.name))));
}
