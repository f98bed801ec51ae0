//! Settings changed while the pair serves.

use std::net::IpAddr;
use std::time::Duration;

use twinwall_core::api::{Answer, Request};
use twinwall_core::beat::RoleWord;
use twinwall_core::config::Prefix;
use twinwall_lab::clock::now;
use twinwall_lab::plan;
use twinwall_lab::worker::command_outside;

use crate::support::{Files, Pair, Watch, in_lab, let_pass};

const ADDED: &str = "10.1.0.9";
const DMZ_VIP: &str = "10.3.0.1";

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

/// A third interface, which comes first in the file.
fn with_dmz(files: &mut Files, watch: bool) {
    let dmz = format!(
        "[[interface]]\nname = \"dmz0\"\nwatch = {watch}\nprimary = \"10.3.0.2/24\"\n\
         secondary = \"10.3.0.3/24\"\nvirtual = \"{DMZ_VIP}/24\"\n\n"
    );
    let mut text = without_dmz(&files.pair);
    let first = text.find("[[interface]]").unwrap();
    text.insert_str(first, &dmz);
    files.pair = text;
}

fn without_dmz(text: &str) -> String {
    let Some(from) = text.find("[[interface]]\nname = \"dmz0\"") else { return text.to_owned() };
    let rest = &text[from + 1..];
    let end = rest.find("[[interface]]").map(|at| from + 1 + at).unwrap();
    format!("{}{}", &text[..from], &text[end..])
}

/// A cable between the two gateways, with their own addresses.
fn lay_dmz(pair: &Pair) {
    let cable = format!(
        "link add name dmz0 netns {} type veth peer name dmz0 netns {}\n",
        plan::GATEWAY_A,
        plan::GATEWAY_B
    );
    command_outside("ip", &["-batch", "-"], &cable).unwrap();
    for (node, own) in [(0, "10.3.0.2/24"), (1, "10.3.0.3/24")] {
        pair.run(node, "ip", &format!("addr add {own} dev dmz0"));
        pair.run(node, "ip", "link set dmz0 up");
    }
}

/// Reloads both nodes, `first` first, with seconds between them.
fn reload_both(pair: &Pair, first: usize, change: impl Fn(&mut Files)) {
    for node in [first, 1 - first] {
        assert_eq!(reload(pair, node, &change), Answer::Done);
        let_pass(Duration::from_millis(1200));
    }
    for node in 0..2 {
        pair.await_status(node, "equal settings", |status| status.snapshot.peer.same_settings);
    }
}

fn has_path(pair: &Pair, node: usize, name: &str) -> bool {
    let paths = pair.status(node).snapshot.paths;
    paths.iter().any(|path| path.interface == name && path.alive)
}

fn gated(pair: &Pair, node: usize, name: &str) -> bool {
    pair.run(node, "nft", "list table netdev twinwall").contains(&format!("chain in_{name}"))
}

#[test]
fn an_interface_comes_and_goes_live_and_no_packet_is_lost() {
    in_lab(|| {
        let mut pair = Pair::boot();
        lay_dmz(&pair);
        let active = pair.settle();
        pair.await_traffic();
        let before = now();
        let watch = Watch::also(&pair, &[], 1000);
        let_pass(Duration::from_millis(500));
        for first in [1 - active, active] {
            reload_both(&pair, first, |files| with_dmz(files, true));
            for node in 0..2 {
                assert!(has_path(&pair, node, "dmz0"), "{:#?}", pair.status(node).snapshot.paths);
                assert!(gated(&pair, node, "dmz0"));
            }
            let holds =
                |node: usize| pair.run(node, "ip", "-o addr show dev dmz0").contains(DMZ_VIP);
            assert!(holds(active) && !holds(1 - active));
            // Another watch only: its path goes, its address stays.
            reload_both(&pair, 1 - first, |files| with_dmz(files, false));
            assert!(!has_path(&pair, 0, "dmz0") && !has_path(&pair, 1, "dmz0"));
            assert!(has_path(&pair, 0, "wan0") && has_path(&pair, 1, "wan0"));
            assert!(holds(active));
            reload_both(&pair, first, |files| files.pair = without_dmz(&files.pair));
            for node in 0..2 {
                assert!(!holds(node) && !gated(&pair, node, "dmz0"));
                assert!(gated(&pair, node, "lan0"));
            }
        }
        assert_eq!(pair.role_changes(before), 0, "{}", pair.story());
        let measured = watch.end(&pair);
        assert_eq!(measured.lost, 0, "{measured:#?}\n{}", pair.story());
        for node in 0..2 {
            let told: Vec<String> =
                pair.events(node, before).into_iter().map(|one| one.text).collect();
            assert!(!told.iter().any(|text| text.contains("by somebody else")), "{told:#?}");
        }
        // And the pair still does what it is for.
        pair.lab.make_active(1 - active).unwrap();
        pair.await_traffic();
    });
}

#[test]
fn a_watch_switched_on_for_a_dead_interface_moves_nothing_to_an_equal_node() {
    in_lab(|| {
        let mut pair = Pair::boot();
        lay_dmz(&pair);
        pair.run(0, "ip", "link set dmz0 down");
        let active = pair.settle();
        let before = now();
        for first in [active, 1 - active] {
            reload_both(&pair, first, |files| with_dmz(files, true));
            reload_both(&pair, 1 - first, |files| with_dmz(files, false));
        }
        assert_eq!(pair.role_changes(before), 0, "{}", pair.story());
        // One that does not exist at all, and comes to be later.
        let other = |files: &mut Files| {
            with_dmz(files, true);
            files.pair = files.pair.replace("dmz0", "dmz1");
        };
        reload_both(&pair, active, other);
        assert_eq!(pair.role_changes(before), 0, "{}", pair.story());
        for node in 0..2 {
            pair.run(node, "ip", "link set dmz0 down");
            pair.run(node, "ip", "link set dmz0 name dmz1");
            pair.run(node, "ip", "link set dmz1 up");
        }
        pair.until("the interface is a path, with its address behind its gate", || {
            let holds = pair.run(active, "ip", "-o addr show dev dmz1").contains(DMZ_VIP);
            let all = holds
                && (0..2).all(|node| has_path(&pair, node, "dmz1") && gated(&pair, node, "dmz1"));
            if all { Ok(()) } else { Err(format!("{:#?}", pair.status(active).snapshot.paths)) }
        });
        assert_eq!(pair.role_changes(before), 0, "{}", pair.story());
    });
}

#[test]
fn the_last_path_to_the_peer_is_not_given_up() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let before = now();
        pair.run(active, "ip", "link set ha0 down");
        for node in 0..2 {
            pair.await_status(node, "no HA link", |status| !status.snapshot.paths[0].alive);
        }
        let unwatch =
            |files: &mut Files| files.pair = files.pair.replace("watch = true", "watch = false");
        for node in 0..2 {
            let was = read(&pair, "pair.toml");
            let answer = reload(&pair, node, unwatch);
            let Answer::Error { message } = answer else { panic!("{answer:?}") };
            assert!(message.contains("mend the HA link first"), "{message}");
            pair.rewrite(node, |files| files.pair = was);
        }
        pair.run(active, "ip", "link set ha0 up");
        for node in 0..2 {
            pair.await_status(node, "the HA link", |status| status.snapshot.paths[0].alive);
        }
        reload_both(&pair, active, unwatch);
        assert_eq!(pair.role_changes(before), 0, "{}", pair.story());
        pair.await_traffic();
    });
}

#[test]
fn ping_targets_come_and_go_live() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let before = now();
        let target = |address: &'static str| {
            move |files: &mut Files| {
                let text = files.pair.split("\n[ping]").next().unwrap().to_owned();
                files.pair = format!("{text}\n[ping]\ntargets = [\"{address}\"]\n");
            }
        };
        reload_both(&pair, active, target("10.2.0.100"));
        pair.kill(1 - active);
        pair.await_event(active, before, "the peer was silent");
        let_pass(Duration::from_secs(2));
        assert_eq!(pair.role_changes(before), 0, "{}", pair.story());
        pair.await_traffic();
        // Nobody has this one.
        assert_eq!(reload(&pair, active, target("10.2.0.77")), Answer::Done);
        pair.await_event(active, before, "no ping target answers");
        assert_eq!(reload(&pair, active, target("10.2.0.100")), Answer::Done);
        pair.await_role(active, RoleWord::Active);
        pair.await_traffic();
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
        let changes: [(&str, &str, &str, &str); 5] = [
            ("pair", "pair_id = 7", "pair_id = 8", "pair_id"),
            ("pair", "interface = \"ha0\"", "interface = \"ha1\"", "ha_link.interface"),
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

fn read(pair: &Pair, name: &str) -> String {
    let place = pair.lab.gateways[0].tree().join("etc/twinwall").join(name);
    std::fs::read_to_string(place).unwrap()
}
