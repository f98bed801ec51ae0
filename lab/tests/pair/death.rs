//! The active's guard dies, hangs or is told to stop.

use std::time::Duration;

use twinwall_core::beat::RoleWord;
use twinwall_lab::clock::now;
use twinwall_lab::plan;
use twinwall_lab::timeline::Entry;

use crate::support::{Pair, VIPS, Watch, in_lab, let_pass};

#[test]
fn a_killed_guard_is_silenced_by_its_kernel_and_cleared_up_after_by_its_successor() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        let watch = Watch::begin(&pair);
        pair.kill(active);
        pair.await_role(1 - active, RoleWord::Active);
        pair.await_traffic();
        // Nobody took them away; only the gate keeps them from being answered for.
        assert_eq!(pair.vips(active).len(), VIPS.len());
        let_pass(Duration::from_millis(500));
        pair.lab.gateways[active].start().unwrap();
        assert_eq!(pair.settle(), 1 - active);
        pair.await_vips_on(1 - active);
        pair.await_traffic();
        watch.end(&pair);
    });
}

#[test]
fn a_guard_killed_and_started_at_once_comes_back_passive() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        let watch = Watch::begin(&pair);
        pair.kill(active);
        pair.lab.gateways[active].start().unwrap();
        assert_eq!(pair.settle(), 1 - active);
        pair.await_vips_on(1 - active);
        pair.await_traffic();
        watch.end(&pair);
    });
}

#[test]
fn both_guards_killed_and_started_again_agree_on_one_active() {
    in_lab(|| {
        let mut pair = Pair::boot();
        pair.settle();
        pair.await_traffic();
        let watch = Watch::begin(&pair);
        for node in 0..2 {
            pair.kill(node);
        }
        let_pass(Duration::from_millis(500));
        for node in 0..2 {
            pair.lab.gateways[node].start().unwrap();
        }
        let active = pair.settle();
        pair.await_vips_on(active);
        pair.await_traffic();
        watch.end(&pair);
    });
}

#[test]
fn a_hung_guard_that_wakes_does_not_answer_and_does_not_take_the_role_back() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        let watch = Watch::begin(&pair);
        pair.signal(active, libc::SIGSTOP);
        pair.await_role(1 - active, RoleWord::Active);
        pair.await_traffic();
        let_pass(Duration::from_secs(1));
        let woken = now();
        pair.signal(active, libc::SIGCONT);
        let_pass(Duration::from_secs(1));
        assert_eq!(pair.settle(), 1 - active);
        pair.await_vips_on(1 - active);
        assert_eq!(pair.role(1 - active), Some(RoleWord::Active));
        let of_the_new_one = pair.events(1 - active, woken);
        assert!(of_the_new_one.iter().all(|entry| entry.role.is_none()), "{}", pair.story());
        watch.end(&pair);
    });
}

#[test]
fn a_guard_told_to_stop_hands_over_says_goodbye_and_takes_its_addresses_along() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        let watch = Watch::begin(&pair);
        let told = now();
        pair.lab.gateways[active].running().unwrap().signal_main(libc::SIGTERM);
        let status = pair.lab.gateways[active].await_stopped().unwrap().unwrap();
        assert_eq!(status.code(), Some(0), "{status}");
        assert_eq!(pair.vips(active).len(), 0);
        assert!(!pair.lab.gateways[active].tree().join("run/twinwall/guard.sock").exists());
        pair.await_event(1 - active, told, "said goodbye");
        pair.await_role(1 - active, RoleWord::Active);
        pair.await_traffic();
        // Its own addresses and the forwarding of others are none of its business.
        assert!(pair.addresses(active).contains(&crate::support::own_lan(active)[0]));
        watch.end(&pair);
    });
}

#[test]
fn a_passive_guard_told_to_stop_leaves_the_role_where_it_is() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let told = now();
        let passive = 1 - active;
        pair.lab.gateways[passive].running().unwrap().signal_main(libc::SIGTERM);
        let status = pair.lab.gateways[passive].await_stopped().unwrap().unwrap();
        assert_eq!(status.code(), Some(0), "{status}");
        pair.await_event(active, told, "said goodbye");
        assert_eq!(pair.status(active).snapshot.peer.state, "left");
        assert_eq!(pair.role_changes(told), 0);
        assert!(pair.client_pings(plan::LAN_VIP));
    });
}

/// The table of a dead guard belongs to nobody any more: whoever flushes the rules
/// takes the closed gate away. The virtual addresses must not outlive that for long.
#[test]
fn a_dead_guard_whose_gate_was_flushed_away_loses_its_addresses_by_itself() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        let killed = now();
        pair.kill(active);
        pair.await_role(1 - active, RoleWord::Active);
        assert_eq!(pair.vips(active).len(), 4, "behind the closed gate they do no harm");
        pair.run(active, "nft", "flush ruleset");
        assert!(!pair.run(active, "nft", "list tables").contains("twinwall"));
        pair.until("the dead node has no virtual address", || {
            let left = pair.vips(active);
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        });
        let took = now().since(killed);
        assert!(took < Duration::from_secs(11), "{took:?}");
        pair.await_vips_on(1 - active);
        pair.await_traffic();
    });
}

#[test]
fn the_addresses_of_a_living_guard_have_an_end_and_never_reach_it() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let from = now();
        let mut seen = pair.left_of_vips(active);
        for _ in 0..12 {
            let_pass(Duration::from_millis(500));
            let left = pair.left_of_vips(active);
            assert!(left.iter().all(|left| (5..=10).contains(left)), "{left:?}");
            assert_eq!(left.len(), 4, "{left:?}");
            seen.extend(left);
        }
        assert!(seen.iter().any(|left| *left <= 8), "they do run: {seen:?}");
        let touched = |entry: &Entry| {
            entry.text.contains("restored") || entry.text.contains("virtual addresses")
        };
        assert!(!pair.events(active, from).iter().any(touched), "{}", pair.story());
    });
}
