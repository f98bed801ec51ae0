//! New keys for a pair that serves: two agents, two guards, and an administrator who types
//! `pair rotate`, whatever dies meanwhile.

use std::time::Duration;

use crate::support::{Begun, Node, Two, wait, wait_telling};

const KEY: &str = "etc/twinwall/pair.key";
const OWN: &str = "etc/twinwall/identity/node.pem";
const PEER: &str = "etc/twinwall/identity/peer.pem";
/// More instants on wish.
const INSTANTS: &str = "TWINWALL_ROTATIONS";

fn status(node: &Node) -> serde_json::Value {
    serde_json::from_str(&node.run(&["status", "--json"]).out).unwrap_or_default()
}

fn role(node: &Node) -> String {
    status(node)["role"]["role"].as_str().unwrap_or_default().to_owned()
}

fn pairing(node: &Node) -> serde_json::Value {
    serde_json::from_str(&node.run(&["pair", "status", "--json"]).out).unwrap_or_default()
}

/// Guards beside the agents, until one is active and the other passive.
fn guards(two: &Two) -> [Begun; 2] {
    let start = |node: &Node| {
        node.write(
            "etc/twinwall/pair.toml",
            &node.text("etc/twinwall/pair.toml").replace(
                "pair_id = 7\n",
                "pair_id = 7\n[heartbeat]\ninterval = 0.2\nthreshold = 10\n",
            ),
        );
        node.begin(&["guard"], &node.path("guard.log"))
    };
    let guards = [start(&two.a), start(&two.b)];
    wait("the pair serves", || {
        let roles = [role(&two.a), role(&two.b)];
        roles.contains(&"active".to_owned()) && roles.contains(&"passive".to_owned())
    });
    guards
}

fn whole(two: &Two) {
    for node in [&two.a, &two.b] {
        let good = || {
            let seen = pairing(node);
            let keys = [&two.a, &two.b].map(|it| it.text(KEY));
            // An order that a killed agent lost may still be on its way to the next one.
            let one = keys[0] == keys[1] && keys[0].lines().count() == 1;
            one && seen["peer"]["connected"] == true && seen["rotation"].is_null()
        };
        let told = || {
            let of = |node: &Node| {
                let said = [node.run(&["pair", "status"]).out, node.run(&["jobs"]).out];
                format!("{}{}{}\n", said[0], said[1], node.text("agent.log"))
            };
            format!("{}{}", of(&two.a), of(&two.b))
        };
        wait_telling("the agents talk, with one key and no other", good, told);
    }
    for (node, peer) in [(&two.a, &two.b), (&two.b, &two.a)] {
        let pinned = node.text(PEER);
        assert_eq!(pinned.matches("BEGIN").count(), 1, "{pinned}");
        assert!(peer.text(OWN).starts_with(pinned.trim()), "the one that it proves");
    }
}

/// How often this node's guard said that a role moved, that the peer was silent, or that it had
/// to put a virtual IP back.
fn troubles(node: &Node) -> usize {
    let said = node.good(&["events"]);
    let trouble =
        |line: &&str| ["claiming", "silent", "restored"].iter().any(|it| line.contains(it));
    said.lines().filter(trouble).count()
}

#[test]
fn keys_and_certificates_change_while_the_pair_serves() {
    let two = Two::paired();
    let _guards = guards(&two);
    whole(&two);
    let before = [KEY, OWN].map(|path| [two.a.text(path), two.b.text(path)]);
    let (roles, before_it) = ([role(&two.a), role(&two.b)], [&two.a, &two.b].map(troubles));
    let said = two.b.good(&["pair", "rotate"]);
    for step in ["1 of 3", "2 of 3", "3 of 3"] {
        assert!(said.contains(step), "{said}");
    }
    whole(&two);
    for (path, [a, b]) in [KEY, OWN].into_iter().zip(before) {
        assert!(two.a.text(path) != a && two.b.text(path) != b, "{path} is another one");
    }
    assert_eq!([role(&two.a), role(&two.b)], roles);
    assert_eq!([&two.a, &two.b].map(troubles), before_it, "no beat was missed");
    for node in [&two.a, &two.b] {
        assert_eq!(status(node)["peer"]["state"], "alive", "{:?}", status(node));
    }
}

#[test]
fn a_change_of_keys_that_is_cut_off_goes_on_by_itself() {
    let mut two = Two::paired();
    let _guards = guards(&two);
    whole(&two);
    let roles = [role(&two.a), role(&two.b)];
    let instants = std::env::var(INSTANTS).ok().and_then(|it| it.parse().ok()).unwrap_or(6u64);
    let (mut finished, before_it) = (0, [&two.a, &two.b].map(troubles));
    for instant in 0..instants {
        let before = two.a.text(KEY);
        let rotating = two.a.begin(&["pair", "rotate"], &two.a.path("rotate.log"));
        std::thread::sleep(Duration::from_millis(40 + 2_400 * instant / instants));
        let killed = if instant % 2 == 0 { &mut two.a } else { &mut two.b };
        killed.kill();
        killed.start();
        drop(rotating);
        whole(&two);
        finished += u64::from(two.a.text(KEY) != before);
        assert_eq!([role(&two.a), role(&two.b)], roles, "instant {instant}");
    }
    assert_eq!([&two.a, &two.b].map(troubles), before_it, "no beat was missed");
    assert!(finished > 0, "of {instants} changes none came to its end");
}

/// Each step makes the agents' connections anew, on one node a moment after the other.
#[test]
fn orders_that_come_while_keys_are_changed_are_carried_out_on_both_nodes() {
    let two = Two::paired();
    two.a.good(&["ha", "disable", "--addresses-by-hand"]);
    whole(&two);
    let rotating = two.a.begin(&["pair", "rotate"], &two.a.path("rotate.log"));
    for number in 3..12 {
        let set = two.b.good(&["ha", "set", &format!("heartbeat.threshold={number}")]);
        assert!(set.contains("on both nodes"), "{set}");
        let push = two.a.run(&["sync", "push", "--yes"]);
        assert!(!push.err.contains("cannot be reached"), "{push:?}");
        assert!(!push.err.contains("not known"), "{push:?}");
    }
    assert!(rotating.ended_well(), "{}", two.a.text("rotate.log"));
    two.b.good(&["pair", "rotate"]);
    // Right after the last step.
    two.a.good(&["pair", "unpair"]);
    for node in [&two.a, &two.b] {
        wait("both have forgotten", || node.run(&["pair", "status"]).out.contains("not paired"));
    }
}

#[test]
fn a_key_file_that_the_guard_does_not_use_is_told_before_its_next_start() {
    let two = Two::paired();
    let _guards = guards(&two);
    whole(&two);
    let told = || two.b.run(&["ready"]).out.contains("other keys than those in pair.key");
    let right = two.b.text(KEY);
    assert!(!told());
    two.b.write(KEY, &right.replace('6', "7"));
    assert!(two.b.run(&["reload"]).err.contains("does not take the new key yet"));
    wait("it is told", told);
    two.b.write(KEY, &right);
    wait("it is not told any more", || !told());
}

#[test]
fn without_the_other_node_nothing_is_begun() {
    let mut two = Two::paired();
    whole(&two);
    two.b.kill();
    wait("the loss is seen", || pairing(&two.a)["peer"]["connected"] == false);
    let before = two.a.text(KEY);
    // An answer that comes before the order was read to its end is heard all the same.
    for _ in 0..15 {
        let ran = two.a.run(&["pair", "rotate"]);
        assert!(ran.code != Some(0) && ran.err.contains("not connected"), "{ran:?}");
    }
    assert_eq!(two.a.text(KEY), before);
}

/// The nodes forget each other while one of them hangs in the middle of a change of keys: the
/// change ends at once, and leaves nothing.
#[test]
fn unpairing_ends_a_change_of_keys_that_goes_on() {
    let two = Two::paired();
    two.a.good(&["ha", "disable", "--addresses-by-hand"]);
    whole(&two);
    let hung = rustix::process::Pid::from_raw(two.b.agent_id().cast_signed()).expect("a process");
    rustix::process::kill_process(hung, rustix::process::Signal::STOP).expect("stopped");
    let rotating = two.a.begin(&["pair", "rotate"], &two.a.path("rotate.log"));
    wait("it has begun", || two.a.text("rotate.log").contains("1 of 3"));
    let begun = std::time::Instant::now();
    two.a.good(&["pair", "unpair", "--here"]);
    assert!(!rotating.ended_well());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let log = two.a.text("rotate.log");
    assert!(log.contains("the nodes were unpaired meanwhile"), "{log}");
    rustix::process::kill_process(hung, rustix::process::Signal::CONT).expect("it goes on");
    for path in [KEY, PEER, "etc/twinwall/identity/rotation.json"] {
        assert!(!two.a.path(path).exists(), "{path}");
    }
}
