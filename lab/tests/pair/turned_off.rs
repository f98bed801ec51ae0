//! High availability is turned off while clients are served: what lies in pair.toml when the
//! guard is told to leave decides what it leaves behind.

use std::time::Duration;

use crate::support::{Pair, VIPS, Watch, in_lab, let_pass};

fn off(pair: &Pair, node: usize) {
    pair.rewrite(node, |files| files.pair = format!("enabled = false\n{}", files.pair));
}

fn leave(pair: &mut Pair, node: usize) {
    pair.signal(node, libc::SIGTERM);
    pair.lab.gateways[node].await_stopped().unwrap();
}

fn has_gate(pair: &Pair, node: usize) -> bool {
    pair.run(node, "nft", "list tables").contains("twinwall")
}

#[test]
fn the_last_one_keeps_the_virtual_ips_for_good_and_no_packet_is_lost() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        let watch = Watch::closely(&pair);
        (0..2).for_each(|node| off(&pair, node));
        leave(&mut pair, 1 - active);
        pair.await_status(active, "the peer gone", |status| !status.snapshot.peer.is_heard());
        leave(&mut pair, active);
        let_pass(Duration::from_millis(500));
        watch.unharmed(&pair);
        assert_eq!(pair.vips(active).len(), VIPS.len());
        assert_eq!(pair.left_of_vips(active), [0; 0], "none of them has an end");
        assert!(pair.vips(1 - active).is_empty());
        assert!(!has_gate(&pair, active) && !has_gate(&pair, 1 - active));
    });
}

#[test]
fn one_whose_peer_lives_hands_over_as_always() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        let watch = Watch::begin(&pair);
        off(&pair, active);
        leave(&mut pair, active);
        pair.await_vips_on(1 - active);
        pair.await_traffic();
        watch.end(&pair);
        assert!(!has_gate(&pair, active), "it may forward for itself");
    });
}
