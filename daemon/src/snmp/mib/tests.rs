//! The module against its committed text, and the values against the module.

use std::collections::BTreeSet;
use std::path::Path;

use super::objects::{NOTICE, PAIR, TABLES};
use super::*;
use crate::agent::conditions::{ConditionId, Standing};
use crate::agent::dashboard::{Dashboard, InterfaceView, NodeView, PathView, StatusWord};
use crate::agent::snmp::value::Value;
use crate::agent::snmp::view::{NodeFacts, PeerFacts, SnmpView};
use twinwall_core::ids::Designation;

fn node(name: &str, designation: Designation, role: Option<&str>) -> NodeView {
    NodeView {
        name: Some(name.to_owned()),
        designation: Some(designation),
        status: if role == Some("active") { StatusWord::Active } else { StatusWord::Passive },
        role: role.map(str::to_owned),
        reasons: Vec::new(),
        why: None,
        since_ms: Some(1_709_251_199_900),
        away_since_ms: None,
        release: Some("1.2.3".to_owned()),
        firmware: Some("FW 1".to_owned()),
    }
}

/// The HA link, heard.
fn path() -> PathView {
    PathView {
        interface: "ha0".to_owned(),
        carrier: true,
        peer_carrier: true,
        alive: true,
        silent_since_ms: None,
        heard: 5_000_000_000,
    }
}

fn lan() -> InterfaceView {
    InterfaceView {
        name: "lan".to_owned(),
        watch: true,
        here: Some(true),
        there: None,
        heard: Some(true),
        virtual_ips: vec!["10.1.0.1/24".to_owned(), "2001:db8::1/64".to_owned()],
        own_here: vec!["10.1.0.3".to_owned()],
        own_there: vec!["10.1.0.2".to_owned()],
    }
}

fn standing() -> Standing {
    let condition = ConditionId::PeerSilent;
    Standing {
        condition,
        node: "pair".to_owned(),
        subject: Some("lan".to_owned()),
        severity: condition.severity(),
        since_ms: 0,
        known: true,
        good_for_ms: None,
        text: "so it is".to_owned(),
        what_now: "mend it".to_owned(),
    }
}

/// A pair of which this node, the secondary, is passive.
fn dashboard() -> Dashboard {
    Dashboard {
        at_ms: 1_709_251_200_000,
        paired: true,
        enabled: true,
        here: node("gw-b", Designation::Secondary, Some("passive")),
        there: Some(node("gw-a", Designation::Primary, Some("active"))),
        ha_link: None,
        heartbeat: None,
        paths: vec![path()],
        interfaces: vec![lan()],
        conditions: Vec::new(),
        readiness: None,
        sync: None,
        flows: None,
        events: Vec::new(),
        last_move: None,
        last_failover: None,
        jobs: Vec::new(),
    }
}

fn view() -> SnmpView {
    let there = NodeFacts { sessions: Some(12), ..NodeFacts::default() };
    SnmpView {
        dashboard: dashboard(),
        here: NodeFacts { name: "gw-b".to_owned(), memory_kib: 8_000_000, ..NodeFacts::default() },
        there: Some(PeerFacts { facts: there, age_s: 3 }),
        failovers: 2,
        conditions: vec![standing()],
    }
}

/// The value of a readable object by its name.
fn value(tree: &Tree, name: &str, index: &[u32]) -> Value {
    let scalar = PAIR.objects.iter().position(|one| one.name == name);
    let scalar = scalar.map(|place| root().below(&[OBJECTS, PAIR.number, place as u32 + 1, 0]));
    let column = TABLES.iter().find_map(|table| {
        let place = table.columns.iter().position(|one| one.name == name)?;
        let column = text::first_column(table) + place as u32;
        Some(root().below(&[OBJECTS, table.number, 1, column]).below(index))
    });
    let at = scalar.or(column).unwrap_or_else(|| panic!("no object {name}"));
    tree.get(&at).unwrap_or_else(|| panic!("{name} {index:?} is not there")).clone()
}

#[test]
fn the_committed_module_is_what_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FILE);
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == module(), "write it anew: twinwall snmp mib > {FILE}");
}

#[test]
fn every_name_is_there_once_and_short_enough_for_every_compiler() {
    let mut names = BTreeSet::new();
    let tables = TABLES.iter().flat_map(|table| table.index.iter().chain(table.columns));
    for one in PAIR.objects.iter().chain(tables).chain(NOTICE.objects) {
        assert!(names.insert(one.name), "{} twice", one.name);
        assert!(one.name.len() <= 32 && one.name.starts_with("tw"), "{}", one.name);
    }
    for line in module().lines().filter(|line| line.contains(" NOTIFICATION-TYPE")) {
        let name = line.split(' ').next().unwrap_or_default();
        assert!(name.len() <= 32, "{name}");
    }
}

#[test]
fn every_object_has_a_value_that_fits_its_syntax() {
    let tree = tree(&view());
    let fits = |syntax, value: &Value| match (syntax, value) {
        (Syntax::Text, Value::Bytes(bytes)) => bytes.len() <= 255,
        (Syntax::Moment, Value::Bytes(bytes)) => matches!(bytes.len(), 8 | 11),
        (Syntax::Address, Value::Bytes(bytes)) => matches!(bytes.len(), 0 | 4 | 16),
        (Syntax::Words(words), Value::Integer(word)) => (1..=words.len() as i32).contains(word),
        (Syntax::Truth, Value::Integer(1 | 2)) | (Syntax::Condition, Value::Integer(_)) => true,
        (Syntax::Whole | Syntax::Gauge, Value::Gauge(_)) => true,
        (Syntax::Counter, Value::Counter(_)) | (Syntax::Ticks, Value::Ticks(_)) => true,
        (_, _) => false,
    };
    for one in PAIR.objects {
        let value = value(&tree, one.name, &[]);
        assert!(fits(one.syntax, &value), "{}: {value:?}", one.name);
    }
    for (table, index) in TABLES.iter().zip([&[2][..], &[2, 1], &[1], &[1, 1], &[], &[1]]) {
        for one in table.columns.iter().filter(|_| !index.is_empty()) {
            let value = value(&tree, one.name, index);
            assert!(fits(one.syntax, &value), "{}: {value:?}", one.name);
        }
    }
    assert!(tree.keys().all(has_object), "nothing is there that the module does not have");
    let unknown = [root(), root().below(&[1, 2, 1, 1, 1]), root().below(&[1, 1, 99, 0])];
    assert!(unknown.iter().all(|name| !has_object(name)));
}

#[test]
fn both_nodes_are_told_by_their_numbers() {
    let tree = tree(&view());
    let is = |name: &str, index: &[u32], expected: Value| {
        assert_eq!(value(&tree, name, index), expected, "{name} {index:?}");
    };
    is("twThisNode", &[], Value::text("gw-b"));
    is("twActiveNode", &[], Value::text("gw-a"));
    is("twActiveCount", &[], Value::Gauge(1));
    is("twNodeName", &[1], Value::text("gw-a"));
    is("twNodeAnswers", &[1], Value::Integer(2));
    is("twNodeStatus", &[1], Value::Integer(2));
    is("twNodeSessions", &[1], Value::Gauge(12));
    is("twNodeDataAge", &[1], Value::Gauge(3));
    is("twNodeName", &[2], Value::text("gw-b"));
    is("twNodeMemoryTotal", &[2], Value::Gauge(8_000_000));
    is("twInterfaceHealth", &[2, 1], Value::Integer(2));
    is("twInterfaceHealth", &[1, 1], Value::Integer(1));
    is("twInterfaceOwnAddresses", &[1, 1], Value::text("10.1.0.2"));
    is("twVirtualIpAddress", &[1, 1], Value::Bytes(vec![10, 1, 0, 1]));
    is("twVirtualIpOwner", &[1, 2], Value::Gauge(1));
    is("twVirtualIpOwnerName", &[1, 2], Value::text("gw-a"));
    is("twPathHeard", &[1], Value::Counter(5_000_000_000_u64 as u32));
}

#[test]
fn two_active_nodes_and_none_are_told_by_the_count() {
    let mut both = view();
    both.dashboard.here.role = Some("active".to_owned());
    let tree = super::tree(&both);
    assert_eq!(value(&tree, "twActiveCount", &[]), Value::Gauge(2));
    assert_eq!(value(&tree, "twVirtualIpOwner", &[1, 1]), Value::Gauge(3));
    assert_eq!(value(&tree, "twVirtualIpOwnerName", &[1, 1]), Value::text("gw-b and gw-a"));
    if let Some(there) = &mut both.dashboard.there {
        there.role = None;
    }
    both.dashboard.here.role = Some("passive".to_owned());
    let tree = super::tree(&both);
    assert_eq!(value(&tree, "twActiveCount", &[]), Value::Gauge(0));
    assert_eq!(value(&tree, "twVirtualIpOwner", &[1, 1]), Value::Gauge(0));
}

#[test]
fn what_is_off_is_called_disabled_and_a_node_alone_stands_alone() {
    let mut off = view();
    off.dashboard.enabled = false;
    let nodes = [Some(&mut off.dashboard.here), off.dashboard.there.as_mut()];
    for node in nodes.into_iter().flatten() {
        (node.status, node.role) = (StatusWord::Off, None);
    }
    let tree = super::tree(&off);
    let word = |name: &str, index: &[u32]| value(&tree, name, index);
    assert_eq!(word("twState", &[]), Value::Integer(3));
    assert_eq!(word("twNodeStatus", &[1]), Value::Integer(9));
    assert_eq!(word("twNodeRole", &[2]), Value::Integer(1));
    assert_eq!(word("twActiveCount", &[]), Value::Gauge(0));
    off.dashboard.paired = false;
    (off.dashboard.there, off.dashboard.here.designation) = (None, None);
    let tree = super::tree(&off);
    assert_eq!(value(&tree, "twState", &[]), Value::Integer(2));
    assert_eq!(value(&tree, "twNodeName", &[1]), Value::text("gw-b"));
    let second = root().below(&[OBJECTS, 2, 1, 2, 2]);
    assert!(!tree.contains_key(&second));
}
