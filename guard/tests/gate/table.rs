//! The table: built, compared, repaired, protected, taken over.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;

use twinwall_core::config::GateMode;
use twinwall_guard::gate::{GateError, GateSpec, GateSwitch, GateTable, GateWatch};

use crate::net::{Lab, Space, gate, ms, open, run, spec};

const NOTHING: Vec<String> = Vec::new();

#[test]
fn ensuring_twice_changes_nothing_and_keeps_the_lease() {
    let lab = Lab::new();
    let spec = lab.spec(ms(20_000));
    let (mut table, mut switch) = gate(&spec);
    open(&mut switch, ms(20_000));
    let rules = || run("nft list ruleset").matches("comment").count();
    let before = rules();
    let ensured = table.ensure(&spec).unwrap();
    assert_eq!((ensured.repaired, ensured.created), (NOTHING, false));
    assert_eq!(before, rules());
    assert!(switch.answers());
}

#[test]
fn a_flush_of_all_rules_spares_the_table() {
    let lab = Lab::new();
    let spec = lab.spec(ms(20_000));
    let (mut table, mut switch) = gate(&spec);
    open(&mut switch, ms(20_000));
    run("nft add table ip administrator");
    run("nft flush ruleset");
    assert!(switch.answers());
    let audit = table.audit(&spec).unwrap();
    assert!(audit.protected && audit.wrong.is_empty(), "{audit:?}");
    let listed = run("nft list ruleset");
    assert!(listed.contains("twinwall") && !listed.contains("administrator"), "{listed}");
}

#[test]
fn others_cannot_change_the_table_while_its_owner_lives() {
    let _space = Space::enter_new();
    let (mut table, _switch) = gate(&spec(ms(90)));
    for line in ["nft delete table netdev twinwall", "nft flush chain netdev twinwall orders"] {
        let done = Command::new("sh").args(["-c", line]).stderr(Stdio::null()).status().unwrap();
        assert!(!done.success(), "{line}");
    }
    let mut second = GateTable::new(GateMode::Auto).unwrap();
    let refused = second.ensure(&spec(ms(90)));
    assert!(
        matches!(refused, Err(GateError::Owned { port }) if port == table.port()),
        "{refused:?}"
    );
    assert_eq!(table.audit(&spec(ms(90))).unwrap().wrong, NOTHING);
}

/// Not a test: the process that `a_killed_owner_…` kills. It runs only when told which lease to hold.
#[test]
#[ignore = "started by another test"]
fn owner_process() {
    let lease = ms(std::env::var("TWINWALL_TEST_LEASE_MS").unwrap().parse().unwrap());
    let (_table, mut switch) = gate(&spec(lease));
    open(&mut switch, lease);
    println!("\nopened");
    loop {
        sleep(ms(5));
        assert!(switch.renew(|| lease));
    }
}

fn owner(lease: u64) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "table::owner_process", "--nocapture"])
        .env("TWINWALL_TEST_LEASE_MS", lease.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "opened"), "the owner did not open");
    child
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_killed_owner_leaves_the_table_and_a_lease_that_runs_out_by_itself() {
    let _space = Space::enter_new();
    let mut switch = GateSwitch::open(ms(400)).unwrap();
    let child = owner(400);
    assert!(switch.answers());
    kill(child);
    assert!(switch.answers() && switch.present(), "the lease outlives the process");
    sleep(ms(401));
    assert!(switch.present() && !switch.answers());
}

#[test]
fn a_successor_takes_over_with_the_lease_alive() {
    let _space = Space::enter_new();
    let mut switch = GateSwitch::open(ms(10_000)).unwrap();
    kill(owner(10_000));
    let mut table = GateTable::new(GateMode::Auto).unwrap();
    let ensured = table.ensure(&spec(ms(10_000))).unwrap();
    assert!(ensured.adopted && !ensured.created, "{ensured:?}");
    assert!(switch.answers(), "until it is closed by order");
    assert!(switch.close() && !switch.answers());
    assert!(table.audit(&spec(ms(10_000))).unwrap().protected);
    run("nft flush ruleset");
    assert!(switch.present(), "the successor protects it");
}

#[test]
fn a_guard_without_a_gate_removes_a_dead_predecessors_table_and_no_others() {
    let _space = Space::enter_new();
    let (table, mut switch) = gate(&spec(ms(90)));
    assert!(matches!(GateTable::remove_leftover(), Err(GateError::Refused { .. })));
    assert!(switch.present(), "its owner lives");
    drop(table);
    assert!(switch.present());
    GateTable::remove_leftover().unwrap();
    assert!(!switch.present());
    GateTable::remove_leftover().unwrap();
}

#[test]
fn a_copy_of_the_owners_descriptor_protects_the_table_of_a_dead_owner() {
    let _space = Space::enter_new();
    let (table, mut switch) = gate(&spec(ms(90)));
    let copy = table.as_fd().try_clone_to_owned().unwrap();
    drop(table);
    run("nft flush ruleset");
    assert!(switch.present());
    let mut heir = GateTable::inherit(GateMode::Auto, copy).unwrap();
    let ensured = heir.ensure(&spec(ms(90))).unwrap();
    assert_eq!((ensured.repaired, ensured.created), (NOTHING, false));
    heir.remove().unwrap();
    assert!(!switch.present());
}

#[test]
fn a_plain_table_is_restored_when_it_was_flushed() {
    let lab = Lab::new();
    let spec = lab.spec(ms(20_000));
    let mut table = GateTable::new(GateMode::Plain).unwrap();
    assert!(!table.capabilities().persist);
    let mut watch = GateWatch::open().unwrap();
    assert!(table.ensure(&spec).unwrap().created);
    assert!(!watch.changed(table.port()), "our own change is no news");
    run("nft add table ip administrator");
    assert!(!watch.changed(table.port()), "somebody else's table is not ours");
    run("nft flush ruleset");
    let mut poll = libc::pollfd { fd: watch.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd, as said.
    assert_eq!(unsafe { libc::poll(&raw mut poll, 1, 1000) }, 1);
    assert!(watch.changed(table.port()));
    assert_eq!(table.audit(&spec).unwrap().wrong, ["the table was not there"]);
    assert!(table.ensure(&spec).unwrap().created);
    assert!(table.audit(&spec).unwrap().wrong.is_empty());
}

#[test]
fn a_flush_of_a_plain_table_costs_no_lease() {
    let _space = Space::enter_new();
    let mut table = GateTable::new(GateMode::Plain).unwrap();
    table.ensure(&spec(ms(800))).unwrap();
    let mut switch = GateSwitch::open(ms(800)).unwrap();
    open(&mut switch, ms(800));
    run("nft flush ruleset");
    assert!(switch.renew(|| ms(800)), "the lease lives, though its table is gone");
    assert!(!switch.close_answer() && !switch.present(), "nothing to close: the caller must know");
    table.ensure(&spec(ms(800))).unwrap();
    assert!(!switch.restore(), "closed by order");

    open(&mut switch, ms(800));
    run("nft flush ruleset");
    table.ensure(&spec(ms(800))).unwrap();
    assert!(!switch.answers() && switch.restore() && switch.answers());
    run("nft flush ruleset");
    table.ensure(&spec(ms(800))).unwrap();
    assert!(switch.renew(|| ms(800)) && switch.answers(), "a renewal restores as well");
    run("nft flush ruleset");
    sleep(ms(801));
    assert!(!switch.renew(|| ms(800)), "its end has come, table or not");
    table.ensure(&spec(ms(800))).unwrap();
    assert!(!switch.restore() && !switch.answers());
}

#[test]
fn what_others_did_to_a_plain_table_is_repaired_without_touching_the_lease() {
    let lab = Lab::new();
    let spec = lab.spec(ms(20_000));
    let mut table = GateTable::new(GateMode::Plain).unwrap();
    table.ensure(&spec).unwrap();
    let mut switch = GateSwitch::open(ms(20_000)).unwrap();
    open(&mut switch, ms(20_000));
    for damage in [
        "nft flush chain netdev twinwall service_in",
        "nft delete chain netdev twinwall in_lan0",
        "nft delete element netdev twinwall vip4 { 10.1.0.1 }",
        "nft add element netdev twinwall own4 { 10.9.9.9 }",
        "nft insert rule netdev twinwall forwarding accept",
        "nft add chain netdev twinwall stray",
    ] {
        run(damage);
        assert_eq!(table.audit(&spec).unwrap().wrong.len(), 1, "{damage}");
        assert_eq!(table.ensure(&spec).unwrap().repaired.len(), 1, "{damage}");
        assert_eq!(table.audit(&spec).unwrap().wrong, NOTHING, "{damage}");
        assert!(switch.answers(), "{damage}");
    }
}

#[test]
fn an_interface_that_returns_has_its_gate_again() {
    let lab = Lab::new();
    let spec = lab.spec(ms(20_000));
    let (mut table, mut switch) = gate(&spec);
    open(&mut switch, ms(20_000));
    run("ip link del lan0");
    assert_eq!(table.ensure(&spec).unwrap().absent, ["lan0"]);
    lab.cable(1, "lan0", "cli0", &lab.client);
    if !table.capabilities().waits {
        assert!(!table.audit(&spec).unwrap().wrong.is_empty());
        table.ensure(&spec).unwrap();
    }
    assert_eq!(table.audit(&spec).unwrap().wrong, NOTHING);
    let asks =
        || crate::packets::arp(&lab.client, "cli0", [10, 1, 0, 9].into(), [10, 1, 0, 1].into());
    assert!(switch.answers() && asks());
    assert!(switch.close() && !asks());
}

#[test]
fn an_interface_that_is_no_longer_served_loses_its_gate() {
    let lab = Lab::new();
    let mut spec = lab.spec(ms(20_000));
    let (mut table, _switch) = gate(&spec);
    let asks =
        || crate::packets::arp(&lab.client, "cli0", [10, 1, 0, 9].into(), [10, 1, 0, 1].into());
    assert!(!asks());
    spec.interfaces = vec!["wan0".to_owned()];
    table.ensure(&spec).unwrap();
    assert!(asks());
    assert!(table.audit(&spec).unwrap().wrong.is_empty());
}

#[test]
fn changed_addresses_and_lease_lengths_leave_an_open_gate_open() {
    let lab = Lab::new();
    let mut spec = lab.spec(ms(20_000));
    let (mut table, mut switch) = gate(&spec);
    open(&mut switch, ms(20_000));
    spec.virtual_ips.push("10.1.0.77".parse().unwrap());
    spec.own.push("10.9.0.1".parse().unwrap());
    assert_eq!(table.ensure(&spec).unwrap().repaired.len(), 2);
    assert!(switch.renew(|| ms(20_000)));
    (spec.lease, spec.old_lease) = (ms(30_000), Some(spec.lease));
    table.ensure(&spec).unwrap();
    sleep(ms(1));
    assert!(switch.renew(|| ms(20_000)), "the switch still has the old length");
    switch.set_lease(ms(30_000));
    assert!(switch.renew(|| ms(30_000)));
    spec.old_lease = None;
    table.ensure(&spec).unwrap();
    assert!(switch.answers());
    let mut stale = GateSwitch::open(ms(39_000)).unwrap();
    stale.renew(|| ms(39_000));
    let left = table.audit(&spec).unwrap().answer_left.unwrap();
    assert!(left <= ms(30_000), "renewed by a length that the table has no rule for: {left:?}");
}

/// `count` addresses of each family.
fn many(count: u32) -> Vec<IpAddr> {
    let four = (0..count).map(|n| IpAddr::V4(Ipv4Addr::from_bits(0x0a64_0000 + n)));
    let six = (0..count).map(|n| IpAddr::V6(Ipv6Addr::from_bits((0xfd64 << 112) + u128::from(n))));
    four.chain(six).collect()
}

#[test]
fn four_thousand_addresses_of_each_family_go_in_and_out_at_once() {
    let _space = Space::enter_new();
    let mut spec = GateSpec { virtual_ips: many(4096), own: many(1), ..spec(ms(90)) };
    let (mut table, _switch) = gate(&spec);
    assert!(table.audit(&spec).unwrap().wrong.is_empty());
    assert_eq!(run("nft list set netdev twinwall vip6").matches("fd64::").count(), 4096);
    spec.virtual_ips = many(3);
    assert_eq!(table.ensure(&spec).unwrap().repaired.len(), 2);
    assert_eq!(run("nft list set netdev twinwall vip6").matches("fd64::").count(), 3);
}

#[test]
fn a_node_without_loopback_is_told() {
    let _space = Space::enter_new();
    run("ip link set lo down");
    let mut table = GateTable::new(GateMode::Auto).unwrap();
    assert!(!table.ensure(&spec(ms(90))).unwrap().loopback_up);
    let mut switch = GateSwitch::open(ms(90)).unwrap();
    assert!(!switch.present() && !switch.arm() && !switch.close());
    run("ip link set lo up");
    assert!(table.ensure(&spec(ms(90))).unwrap().loopback_up && switch.present());
}

#[test]
fn a_gate_that_is_off_says_so() {
    let off = GateTable::new(GateMode::Off);
    assert!(matches!(off, Err(GateError::Off)));
    let plain = GateTable::new(GateMode::Plain).unwrap();
    assert_eq!(plain.capabilities().missing()[0].name, "persist");
}
