//! Who serves, and what the other one does not do.

use std::collections::BTreeSet;
use std::time::Duration;

use twinwall_core::beat::RoleWord;
use twinwall_core::time::Moment;
use twinwall_lab::plan;
use twinwall_lab::traffic::Mac;

use crate::support::{BOUND, Pair, VIPS, Watch, in_lab, let_pass, own_lan, pings};

#[test]
fn of_two_nodes_that_come_up_one_serves_and_the_other_carries_nothing() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let passive = 1 - active;
        pair.await_vips_on(active);
        pair.await_traffic();
        let watch = Watch::begin(&pair);
        for node in 0..2 {
            assert!(own_lan(node).into_iter().all(|own| pair.client_pings(own)), "{node}");
        }
        let server = &pair.lab.topology.server;
        assert!(pings(server, plan::WAN_VIP) && pings(server, plan::WAN_VIP6));
        let measured = watch.end(&pair);
        let by: BTreeSet<Mac> = measured.answered_by.iter().map(|(_, _, mac)| *mac).collect();
        assert_eq!(by.len(), 2, "one port on either side: {measured:#?}");
        assert_eq!(pair.status(active).snapshot.status, "active");
        let status = pair.status(passive).snapshot;
        assert_eq!((status.status.as_str(), status.own.unfit), ("passive", Vec::new()));
        only_the_active_forwards(&pair, active);
    });
}

/// A client that sends its traffic to a node's own address finds a router there on
/// the active only.
fn only_the_active_forwards(pair: &Pair, active: usize) {
    let client = &pair.lab.topology.client;
    for (node, forwards) in [(1 - active, false), (active, true)] {
        let [own, own6] = own_lan(node);
        for (server, own) in [(plan::SERVER_IP, own), (plan::SERVER_IP6, own6)] {
            let (host, by) = (server.to_string(), own.to_string());
            let words = ["route", "replace", &host, "via", &by];
            client.command("ip", &words, String::new()).unwrap();
            assert_eq!(pair.client_pings(server), forwards, "{server} by way of {own}");
        }
    }
}

#[test]
fn a_node_that_starts_alone_serves_after_the_boot_hold_and_not_before() {
    in_lab(|| {
        let hold = Duration::from_secs(3);
        let mut pair = Pair::without_power(|_, files| files.pair += "\n[boot]\nhold = 3\n");
        pair.lab.gateways[0].boot().unwrap();
        assert_eq!(pair.status(0).snapshot.status, "starting");
        assert_eq!(pair.vips(0).len(), 0);
        pair.await_role(0, RoleWord::Active);
        let started = pair.await_event(0, Moment::ZERO, "guard started").at;
        let claimed = pair.await_event(0, Moment::ZERO, "-> claiming").at;
        assert!(claimed.since(started) >= hold, "{}", pair.story());
        assert!(claimed.since(started) < hold + BOUND, "{}", pair.story());
        pair.await_traffic();
        assert!(pair.status(0).snapshot.role.alone);
        // The one that comes later leaves the role where it is.
        pair.lab.gateways[1].boot().unwrap();
        assert_eq!(pair.settle(), 0);
        pair.await_vips_on(0);
    });
}

#[test]
fn the_active_does_not_notice_that_its_peer_dies() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        let before = twinwall_lab::clock::now();
        let watch = Watch::also(&pair, &[], 200);
        pair.kill(1 - active);
        let_pass(Duration::from_secs(2));
        let measured = watch.end(&pair);
        assert_eq!(pair.role_changes(before), 0, "{}", pair.story());
        assert!(measured.outage < Duration::from_millis(250), "{measured:#?}");
        let status = pair.status(active).snapshot;
        assert_eq!(status.peer.state, "silent");
        assert!(status.role.alone);
        assert_eq!(pair.vips(active).len(), VIPS.len());
        // Nor that it comes back.
        pair.lab.gateways[1 - active].start().unwrap();
        assert_eq!(pair.settle(), active);
        assert_eq!(pair.role_changes(before), 0, "{}", pair.story());
    });
}
