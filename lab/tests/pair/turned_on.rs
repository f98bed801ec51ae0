//! High availability is turned on on a gateway that serves its clients already, by addresses
//! that become virtual IPs.

use std::time::Duration;

use twinwall_core::beat::RoleWord;
use twinwall_lab::plan;

use crate::support::{Pair, VIPS, Watch, in_lab, let_pass};

/// The gateway of the clients, without a guard: the addresses that they know are its own.
fn stand_alone(pair: &Pair, node: usize) {
    let gateway = &pair.lab.gateways[node];
    gateway.set_own_addresses().unwrap();
    for vip in VIPS {
        let device =
            if [plan::LAN_VIP, plan::LAN_VIP6].contains(&vip) { plan::LAN } else { plan::WAN };
        let (length, flag) = if vip.is_ipv4() { (24, "") } else { (64, " nodad") };
        pair.run(node, "ip", &format!("addr add {vip}/{length} dev {device}{flag}"));
    }
}

fn word(pair: &Pair, node: usize, seconds: f64) {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    let path = pair.lab.gateways[node].tree().join("run/twinwall/serving");
    std::fs::write(path, format!("{:.2}\n", uptime + seconds)).unwrap();
}

#[test]
fn the_node_that_served_goes_on_while_its_first_guard_takes_the_role() {
    in_lab(|| {
        let mut pair = Pair::without_power(|_, files| {
            // Long enough to see a pause of one interval.
            files.pair = files.pair.replace("interval = 0.100", "interval = 0.500");
        });
        stand_alone(&pair, 0);
        pair.await_traffic();
        let watch = Watch::closely(&pair);
        pair.lab.gateways[1].boot().unwrap();
        word(&pair, 0, 10.0);
        pair.lab.gateways[0].start().unwrap();
        pair.await_role(0, RoleWord::Active);
        pair.await_vips_on(0);
        // Longer than what the node was given to begin with.
        let_pass(Duration::from_secs(2));
        watch.unharmed(&pair);
        assert!(
            !pair.lab.gateways[0].tree().join("run/twinwall/serving").exists(),
            "it counts once"
        );
    });
}

#[test]
fn a_peer_that_serves_or_is_preferred_ends_it_and_two_never_answer() {
    in_lab(|| {
        let mut pair = Pair::without_power(|_, _| {});
        stand_alone(&pair, 1);
        let watch = Watch::begin(&pair);
        pair.lab.gateways[0].boot().unwrap();
        word(&pair, 1, 10.0);
        pair.lab.gateways[1].start().unwrap();
        pair.await_role(0, RoleWord::Active);
        pair.await_vips_on(0);
        pair.await_traffic();
        watch.end(&pair);
    });
}

#[test]
fn a_word_that_is_too_old_or_nonsense_does_not_count() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        for (node, words) in [(1 - active, "1.0\n"), (active, "for ever\n")] {
            pair.kill(node);
            let path = pair.lab.gateways[node].tree().join("run/twinwall/serving");
            std::fs::write(&path, words).unwrap();
            let watch = Watch::begin(&pair);
            pair.lab.gateways[node].start().unwrap();
            pair.settle();
            pair.await_traffic();
            watch.end(&pair);
            assert!(!path.exists(), "it is taken away all the same");
        }
    });
}
