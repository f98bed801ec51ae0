//! Others change the kernel behind the guard's back.

use std::net::IpAddr;
use std::time::Duration;

use twinwall_core::beat::RoleWord;
use twinwall_core::event::Order;
use twinwall_lab::clock::now;
use twinwall_lab::plan;
use twinwall_lab::topology::Port;
use twinwall_lab::worker::command_outside;

use crate::support::{DETECTION, Files, Pair, VIPS, Watch, in_lab, let_pass};

/// An address that is nobody's business but the administrator's.
const FOREIGN: &str = "10.1.0.77";

#[test]
fn addresses_changed_by_others_are_put_right_and_told() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_vips_on(active);
        let before = now();
        pair.run(active, "ip", "addr del 10.1.0.1/32 dev lan0");
        pair.run(active, "ip", "addr del fd02::1/128 dev wan0");
        pair.await_vips_on(active);
        pair.await_event(active, before, "virtual addresses missing");
        pair.await_traffic();
        let before = now();
        pair.run(1 - active, "ip", "addr add 10.1.0.1/24 dev lan0");
        pair.await_vips_on(active);
        pair.await_event(1 - active, before, "0 virtual addresses missing, 1 too many");
        assert_eq!(pair.role_changes(before), 0);
    });
}

#[test]
fn foreign_addresses_are_left_alone_through_every_change_of_role() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        for (node, address) in [(0, FOREIGN), (1, "10.1.0.78")] {
            pair.run(node, "ip", &format!("addr add {address}/24 dev lan0"));
        }
        pair.lab.make_active(1 - active).unwrap();
        pair.await_vips_on(1 - active);
        pair.lab.make_active(active).unwrap();
        pair.await_vips_on(active);
        for (node, address) in [(0, FOREIGN), (1, "10.1.0.78")] {
            let address: IpAddr = address.parse().unwrap();
            assert!(pair.addresses(node).contains(&address), "{node}");
            assert!(pair.client_pings(address), "{address} is nobody's but the administrator's");
        }
    });
}

#[test]
fn the_gate_survives_that_all_rules_are_flushed() {
    in_lab(|| flushed(|_| {}));
}

#[test]
fn a_plain_gate_is_restored_at_once_when_all_rules_are_flushed() {
    in_lab(|| {
        flushed(|files| files.node += "gate = \"plain\"\n");
    });
}

/// Flushes on both nodes; then the active hangs, so that only a gate that works
/// keeps it from answering beside its successor.
fn flushed(change: impl Fn(&mut Files)) {
    let mut pair = Pair::boot_with(|_, files| change(files));
    let active = pair.settle();
    pair.await_traffic();
    let before = now();
    let watch = Watch::begin(&pair);
    for node in [active, 1 - active] {
        pair.run(node, "nft", "flush ruleset");
        let_pass(Duration::from_millis(500));
        assert!(pair.run(node, "nft", "list tables").contains("twinwall"), "{}", pair.story());
        pair.await_traffic();
    }
    assert_eq!(pair.role_changes(before), 0, "{}", pair.story());
    pair.signal(active, libc::SIGSTOP);
    pair.await_role(1 - active, RoleWord::Active);
    pair.await_traffic();
    pair.signal(active, libc::SIGCONT);
    assert_eq!(pair.settle(), 1 - active);
    watch.end(&pair);
}

#[test]
fn without_a_gate_the_pair_works_and_names_what_is_missing() {
    in_lab(|| {
        let mut pair = Pair::boot_with(|_, files| files.node += "gate = \"off\"\n");
        let active = pair.settle();
        pair.await_traffic();
        let watch = Watch::begin(&pair);
        for node in 0..2 {
            assert!(!pair.run(node, "nft", "list tables").contains("twinwall"));
            let missing = pair.status(node).guard.missing;
            let gate = missing.iter().find(|missing| missing.name == "gate").unwrap();
            assert!(gate.remedy.contains("gate") && gate.remedy.contains("node.toml"), "{gate:?}");
        }
        pair.lab.make_active(1 - active).unwrap();
        pair.await_vips_on(1 - active);
        pair.await_traffic();
        watch.end(&pair);
        // Where no gate closes a dead node, its addresses run out.
        let text = pair.run(1 - active, "ip", "-o addr show dev lan0 to 10.1.0.1");
        assert!(!text.is_empty() && !text.contains("valid_lft forever"), "{text}");
    });
}

#[test]
fn without_realtime_scheduling_the_pair_works_and_no_thread_is_privileged() {
    in_lab(|| {
        let mut pair = Pair::boot_with(|_, files| {
            files.node += "realtime = false\n";
            files.pair = files.pair.replace("interval = 0.100", "interval = 0.300");
        });
        let active = pair.settle();
        pair.await_traffic();
        for node in 0..2 {
            assert_eq!(realtime_threads(&pair, node), Vec::<String>::new());
        }
        pair.lab.make_active(1 - active).unwrap();
        pair.await_vips_on(1 - active);
        pair.await_traffic();
    });
}

#[test]
fn by_default_the_beats_run_under_realtime_scheduling() {
    in_lab(|| {
        let pair = Pair::boot();
        for node in 0..2 {
            pair.until("realtime beats", || {
                let all = realtime_threads(&pair, node);
                if all.iter().any(|name| name == "beats") {
                    Ok(())
                } else {
                    Err(format!("{all:?}"))
                }
            });
        }
    });
}

/// Names of the guard's threads with a realtime priority (proc(5): field 40 of `stat`).
fn realtime_threads(pair: &Pair, node: usize) -> Vec<String> {
    let pid = pair.lab.gateways[node].running().unwrap().pid();
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let stat = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("stat")).ok();
    let named = |text: String| {
        let (start, rest) = text.rsplit_once(')')?;
        let priority = rest.split_whitespace().nth(37)?;
        (priority != "0").then(|| start.rsplit('(').next().unwrap_or_default().to_owned())
    };
    tasks.flatten().filter_map(stat).filter_map(named).collect()
}

#[test]
fn an_interface_that_is_deleted_and_made_again_serves_again() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        let before = now();
        pair.run(active, "ip", "link del lan0");
        pair.await_role(1 - active, RoleWord::Active);
        pair.await_event(active, before, "interface lan0 lost carrier");
        pair.await_traffic();
        plug_in_again(&pair, active);
        assert_eq!(pair.settle(), 1 - active);
        pair.await_status(active, "beats on the new lan0", |status| {
            status.snapshot.paths.iter().all(|path| path.alive)
        });
        pair.lab.make_active(active).unwrap();
        pair.await_vips_on(active);
        pair.await_traffic();
        // The gate is bound to the new one: a hung node does not answer there.
        let watch = Watch::begin(&pair);
        pair.signal(active, libc::SIGSTOP);
        pair.await_role(1 - active, RoleWord::Active);
        let_pass(DETECTION * 2);
        pair.signal(active, libc::SIGCONT);
        assert_eq!(pair.settle(), 1 - active);
        watch.end(&pair);
    });
}

/// A new `lan0` with another index, in the old one's place at the switch.
fn plug_in_again(pair: &Pair, node: usize) {
    let (gateway, port) = ([plan::GATEWAY_A, plan::GATEWAY_B][node], ["port-a", "port-b"][node]);
    let mac = twinwall_lab::topology::mac(node, Port::Lan);
    let switch = plan::SWITCH_LAN;
    let script = format!(
        "link add name lan0 index 40 address {mac} netns {gateway} type veth peer name {port} index 40 netns {switch}\n"
    );
    command_outside("ip", &["-batch", "-"], &script).unwrap();
    let words = ["link", "set", "dev", port, "master", "br0", "up"];
    pair.lab.topology.lan.machine.command("ip", &words, String::new()).unwrap();
    pair.lab.gateways[node].set_own_addresses().unwrap();
}

#[test]
fn a_passive_nodes_new_interface_is_as_closed_as_the_old_one() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let before = now();
        pair.run(1 - active, "ip", "link del lan0");
        pair.await_status(1 - active, "a fault", |status| status.snapshot.status == "fault");
        let refused = pair.order(active, Order::Switchover);
        assert!(format!("{refused:?}").contains("PeerNotFit"), "{refused:?}");
        plug_in_again(&pair, 1 - active);
        assert_eq!(pair.settle(), active);
        assert_eq!(pair.role_changes(before), 0);
        let watch = Watch::begin(&pair);
        // Somebody gives it the VIP: the gate is quicker than its removal.
        pair.run(1 - active, "ip", "addr add 10.1.0.1/24 dev lan0");
        pair.await_vips_on(active);
        watch.end(&pair);
        assert_eq!(pair.vips(active).len(), VIPS.len());
    });
}
