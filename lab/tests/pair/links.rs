//! Cables between the nodes are cut.

use std::time::Duration;

use twinwall_core::beat::RoleWord;
use twinwall_lab::clock::now;
use twinwall_lab::fault::{Fault, fire, restore};
use twinwall_lab::topology::{POWER_GROUP, Port, isolate_gateways};
use twinwall_lab::worker::Worker;

use crate::support::{BOUND, DETECTION, Pair, Watch, in_lab, let_pass};

#[test]
fn a_cut_ha_link_is_an_alarm_and_no_failover() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        let watch = Watch::begin(&pair);
        let cut = fire(&mut pair.lab, Fault::HaCut, active).unwrap().at;
        for node in 0..2 {
            pair.await_event(node, cut, "HA link lost");
        }
        let_pass(DETECTION * 5);
        restore(&mut pair.lab).unwrap();
        for node in 0..2 {
            pair.await_event(node, cut, "the peer is heard on ha0");
        }
        assert_eq!(pair.settle(), active);
        assert_eq!(pair.role_changes(cut), 0, "{}", pair.story());
        watch.end(&pair);
    });
}

#[test]
fn with_lan_and_ha_cut_the_nodes_agree_by_way_of_the_wan() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        let watch = Watch::begin(&pair);
        let cut = fire(&mut pair.lab, Fault::LanAndHaCut, active).unwrap().at;
        let end = cut + Duration::from_secs(3);
        while now() < end {
            let roles = [0, 1].map(|node| pair.role(node));
            let actives = roles.iter().filter(|role| **role == Some(RoleWord::Active)).count();
            assert!(actives <= 1, "{}", pair.story());
            let_pass(Duration::from_millis(50));
        }
        let alive = |node: usize| {
            let paths = pair.status(node).snapshot.paths;
            paths.into_iter().map(|path| path.alive).collect::<Vec<_>>()
        };
        assert_eq!([alive(0), alive(1)], [[false, false, true], [false, false, true]]);
        restore(&mut pair.lab).unwrap();
        let active = pair.settle();
        pair.await_vips_on(active);
        pair.await_traffic();
        watch.end(&pair);
    });
}

#[test]
fn a_lan_switch_that_is_dead_for_both_moves_nothing() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        // All ports at once, as when the switch loses its power.
        let set = |pair: &Pair, up| pair.lab.topology.lan.ports.set_group(POWER_GROUP, up);
        let before = now();
        for _ in 0..2 {
            set(&pair, false).unwrap();
            for node in 0..2 {
                pair.await_status(node, "lan0 without carrier", |status| {
                    !status.snapshot.interfaces[0].carrier
                });
            }
            let_pass(DETECTION * 4);
            set(&pair, true).unwrap();
            for node in 0..2 {
                pair.await_status(node, "lan0 with carrier", |status| {
                    status.snapshot.interfaces[0].carrier
                });
            }
        }
        let settled = pair.settle();
        assert_eq!(pair.role_changes(before), 0, "{}", pair.story());
        assert_eq!(settled, active);
        pair.await_traffic();
    });
}

#[test]
fn a_watched_link_lost_by_the_active_moves_the_role_and_its_return_does_not() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        let watch = Watch::begin(&pair);
        let index = Port::Wan.index(active, pair.lab.topology.wiring);
        let wan = &pair.lab.topology.wan.ports;
        wan.set(&[(index, false)]).unwrap();
        pair.await_role(1 - active, RoleWord::Active);
        pair.await_traffic();
        let status =
            pair.await_status(active, "a fault", |status| status.snapshot.status == "fault");
        assert!(status.snapshot.own.unfit[0].contains("wan0"), "{:?}", status.snapshot.own);
        let back = now();
        pair.lab.topology.wan.ports.set(&[(index, true)]).unwrap();
        assert_eq!(pair.settle(), 1 - active);
        assert_eq!(pair.role_changes(back), 0, "{}", pair.story());
        watch.end(&pair);
    });
}

/// Loses everything that passes one port of a switch, both ways, and keeps its carrier.
fn swallow(switch: &Worker, port: &str) {
    let chain = |name, hook| {
        format!(
            "chain {name} {{ type filter hook {hook} device \"{port}\" priority 0; policy drop; }}\n"
        )
    };
    let text = format!(
        "table netdev swallow {{\n{}{}}}\n",
        chain("in", "ingress"),
        chain("out", "egress")
    );
    switch.command("nft", &["-f", "-"], text).unwrap();
}

/// Every port of `node` is a black hole with carrier.
fn cut_off(pair: &Pair, node: usize) {
    let port = ["port-a", "port-b"][node];
    let topology = &pair.lab.topology;
    for switch in [&topology.lan, &topology.wan].into_iter().chain(&topology.ha) {
        swallow(&switch.machine, port);
    }
}

fn with_target() -> Pair {
    Pair::boot_with(|_, files| files.pair += "\n[ping]\ntargets = [\"10.1.0.100\"]\n")
}

#[test]
fn an_active_that_hears_neither_peer_nor_targets_gives_way_to_one_that_does() {
    in_lab(|| {
        let mut pair = with_target();
        let active = pair.settle();
        pair.await_traffic();
        let watch = Watch::begin(&pair);
        let cut = now();
        cut_off(&pair, active);
        pair.await_role(1 - active, RoleWord::Active);
        pair.await_role(active, RoleWord::Passive);
        pair.await_vips_on(1 - active);
        pair.await_traffic();
        // A target's answer that came in right before the cut keeps it for a lease longer
        // than the peer waits: here, where nobody can hear it.
        let released = pair.await_event(active, cut, "active -> ").at;
        let claimed = pair.await_event(1 - active, cut, "-> active").at;
        assert!(released < claimed + DETECTION * 2, "{}", pair.story());
        watch.end(&pair);
    });
}

#[test]
fn a_passive_that_hears_neither_peer_nor_targets_does_not_claim() {
    in_lab(|| {
        let mut pair = with_target();
        let active = pair.settle();
        pair.await_traffic();
        let cut = now();
        cut_off(&pair, 1 - active);
        pair.await_event(1 - active, cut, "the peer was silent");
        let_pass(DETECTION * 6);
        assert_eq!(pair.role_changes(cut), 0, "{}", pair.story());
        assert_eq!(pair.vips(1 - active).len(), 0);
        assert_eq!(pair.role(active), Some(RoleWord::Active));
        pair.await_traffic();
    });
}

#[test]
fn two_sides_without_targets_both_serve_and_agree_within_moments_after() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        // Each is alone as far as it can know, and hosts of both sides hear it: the one
        // case in which two nodes serve. Ping targets are for those who cannot have it.
        fire(&mut pair.lab, Fault::HaCut, active).unwrap();
        for switch in [&pair.lab.topology.lan, &pair.lab.topology.wan] {
            isolate_gateways(&switch.machine, true).unwrap();
        }
        pair.await_role(1 - active, RoleWord::Active);
        assert_eq!(pair.role(active), Some(RoleWord::Active));
        let mended = now();
        restore(&mut pair.lab).unwrap();
        // The one that claimed later has the higher epoch.
        assert_eq!(pair.settle(), 1 - active);
        let yielded = pair.await_event(active, mended, "active -> ");
        assert!(yielded.at.since(mended) < BOUND, "{}", pair.story());
        pair.await_vips_on(1 - active);
        pair.await_traffic();
    });
}
