//! Settings changed while the pair serves.

use std::net::IpAddr;
use std::time::Duration;

use twinwall_core::api::{Answer, Request};
use twinwall_core::beat::RoleWord;
use twinwall_core::config::Prefix;
use twinwall_lab::clock::now;
use twinwall_lab::plan;

use crate::support::{Files, Pair, Watch, in_lab, let_pass};

const ADDED: &str = "10.1.0.9";

fn reload(pair: &Pair, node: usize, change: impl FnOnce(&mut Files)) -> Answer {
    pair.rewrite(node, change);
    pair.ask(node, &Request::Reload {})
}

/// One VIP less, one more, and beats half as fast.
fn other_vips(files: &mut Files) {
    files.pair = files
        .pair
        .replace("\"fd01::1/64\"", "\"10.1.0.9/24\"")
        .replace("interval = 0.100", "interval = 0.200");
}

#[test]
fn interval_and_vips_change_live_and_the_gate_with_them() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let added: IpAddr = ADDED.parse().unwrap();
        pair.await_traffic();
        let before = now();
        for node in [1 - active, active] {
            assert_eq!(reload(&pair, node, other_vips), Answer::Done);
            let status = pair.await_status(node, "the new interval", |status| {
                status.snapshot.interval == Duration::from_millis(200)
            });
            let vips: Vec<Prefix> = status.snapshot.interfaces[0].virtual_ips.clone();
            assert_eq!(format!("{vips:?}").matches(ADDED).count(), 1, "{vips:?}");
        }
        pair.until("the new VIP is there, the old one is not", || {
            let all = pair.addresses(active);
            let good = all.contains(&added) && !all.contains(&plan::LAN_VIP6);
            if good { Ok(()) } else { Err(format!("{all:?}")) }
        });
        assert!(!pair.addresses(1 - active).contains(&added));
        assert_eq!(pair.settle(), active);
        pair.await_status(active, "equal settings", |status| status.snapshot.peer.same_settings);
        assert_eq!(pair.role_changes(before), 0, "{}", pair.story());
        assert!(pair.client_pings(added) && pair.client_pings(plan::SERVER_IP));
        // A hung node does not answer for it beside its successor.
        let watch = Watch::also(&pair, &[added], 0);
        pair.signal(active, libc::SIGSTOP);
        pair.await_role(1 - active, RoleWord::Active);
        pair.until("the successor answers for the new VIP", || {
            if pair.client_pings(added) { Ok(()) } else { Err("no answer".to_owned()) }
        });
        pair.signal(active, libc::SIGCONT);
        assert_eq!(pair.settle(), 1 - active);
        watch.end(&pair);
    });
}

#[test]
fn settings_that_differ_between_the_nodes_are_told() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let before = now();
        assert_eq!(reload(&pair, active, other_vips), Answer::Done);
        for node in 0..2 {
            pair.await_status(node, "different settings", |status| {
                !status.snapshot.peer.same_settings
            });
        }
        assert_eq!(pair.role_changes(before), 0, "{}", pair.story());
    });
}

#[test]
fn what_cannot_change_live_is_refused_with_words_and_changes_nothing() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let before = now();
        let changes: [(&str, &str, &str, &str); 6] = [
            ("pair", "pair_id = 7", "pair_id = 8", "pair_id"),
            ("pair", "watch = true", "watch = false", "watch"),
            ("pair", "name = \"wan0\"", "name = \"ha1\"", "interface"),
            ("pair", "interval = 0.100", "interval = \"fast\"", "interval"),
            ("node", "\"primary\"", "\"secondary\"", "designation"),
            ("node", "name =", "realtime = false\nname =", "realtime"),
        ];
        for (file, old, new, word) in changes {
            let was = Files {
                node: read(&pair, "node.toml"),
                pair: read(&pair, "pair.toml"),
                key: read(&pair, "pair.key"),
            };
            let answer = reload(&pair, 0, |files| {
                let text = if file == "pair" { &mut files.pair } else { &mut files.node };
                assert!(text.contains(old), "{text}");
                *text = text.replace(old, new);
            });
            let Answer::Error { message } = answer else { panic!("{word}: {answer:?}") };
            assert!(message.contains(word), "{word}: {message}");
            pair.rewrite(0, |files| *files = was);
        }
        let_pass(Duration::from_millis(500));
        assert_eq!(pair.settle(), active);
        assert!(pair.status(active).snapshot.peer.same_settings);
        assert_eq!(pair.role_changes(before), 0, "{}", pair.story());
    });
}

#[test]
fn another_key_is_refused_by_a_reload() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let other_key = |files: &mut Files| files.key = files.key.replace("6c61", "6c62");
        let answer = reload(&pair, active, other_key);
        let Answer::Error { message } = answer else { panic!("{answer:?}") };
        assert!(message.contains("key") && message.contains("restart"), "{message}");
        assert_eq!(pair.settle(), active);
    });
}

fn read(pair: &Pair, name: &str) -> String {
    let place = pair.lab.gateways[0].tree().join("etc/twinwall").join(name);
    std::fs::read_to_string(place).unwrap()
}
