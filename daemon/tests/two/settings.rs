//! Settings of high availability as two agents hold them: what they set in the kernel.

use std::process::Command;

use crate::support::{Node, Two, wait};

/// A kernel setting in the node's namespace.
fn promotes(node: &Node) -> String {
    let path = "/proc/sys/net/ipv4/conf/lan/promote_secondaries";
    let shown = Command::new("ip").args(["netns", "exec", node.namespace(), "cat", path]).output();
    String::from_utf8_lossy(&shown.expect("ip starts").stdout).trim().to_owned()
}

fn set(node: &Node, value: u8) {
    let text = format!("net.ipv4.conf.lan.promote_secondaries={value}");
    let done = Command::new("ip")
        .args(["netns", "exec", node.namespace(), "sysctl", "-qw", &text])
        .status();
    assert!(done.expect("ip starts").success());
}

#[test]
fn kernel_settings_hold_while_it_is_on_and_are_the_administrators_after() {
    let mut two = Two::paired();
    for node in [&mut two.a, &mut two.b] {
        node.kill();
        set(node, 0);
        node.start();
        wait("set at the start", || promotes(node) == "1");
    }
    let shown = two.a.good(&["ha", "show"]);
    assert!(shown.contains("net.ipv4.conf.lan.promote_secondaries") && shown.contains("yours: 0"));
    wait("the agents talk", || two.a.run(&["pair", "status"]).out.contains("talk to each other."));
    two.a.good(&["ha", "disable", "--addresses-by-hand"]);
    for node in [&two.a, &two.b] {
        wait("put back", || promotes(node) == "0");
        assert!(!node.path("var/lib/twinwall/sysctls.json").exists());
    }
}

fn meet(two: &Two) {
    two.a.cable("up");
    two.b.cable("up");
    wait("the agents talk", || two.a.run(&["pair", "status"]).out.contains("talk to each other."));
}

fn part(two: &Two) {
    two.a.cable("down");
    wait("apart", || !two.a.run(&["pair", "status"]).out.contains("talk to each other."));
}

fn shows(node: &Node, what: &str) -> bool {
    node.good(&["ha", "show"]).contains(what)
}

#[test]
fn numbers_that_drifted_apart_meet_and_what_gives_way_is_told() {
    let two = Two::paired();
    meet(&two);
    part(&two);
    for threshold in ["heartbeat.threshold=6", "heartbeat.threshold=7", "heartbeat.threshold=8"] {
        two.b.good(&["ha", "set", threshold]);
    }
    let alone = two.a.good(&["ha", "set", "heartbeat.threshold=8"]);
    assert!(alone.contains("unless its own were changed more often"), "{alone}");
    meet(&two);
    wait("one number", || shows(&two.a, "Revision 4 ") && shows(&two.a, "has the same."));
    let both = two.a.good(&["ha", "set", "heartbeat.threshold=9"]);
    assert!(both.contains("Revision 5 is in use on both nodes."), "{both}");
    part(&two);
    two.a.good(&["ha", "set", "heartbeat.threshold=10"]);
    meet(&two);
    wait("the newest counts", || shows(&two.b, "Revision 6 ") && shows(&two.b, "10 missed"));
    // Both were changed: the more often changed one counts, and the other one is told so.
    part(&two);
    two.a.good(&["ha", "set", "heartbeat.threshold=11"]);
    two.b.good(&["ha", "set", "heartbeat.threshold=12"]);
    two.b.good(&["ha", "set", "heartbeat.threshold=13"]);
    meet(&two);
    wait("the newest counts", || shows(&two.a, "Revision 8 ") && shows(&two.a, "13 missed"));
    let way = "takes the place of revision 7 by";
    let told = [two.a.good(&["ha", "history"]), two.a.text("agent.log")];
    assert!(told.iter().all(|it| it.contains(way)), "{told:?}");
    wait("told on both", || two.b.text("agent.log").contains(way));
    two.a.good(&["ha", "restore", "7"]);
    assert!(shows(&two.b, "11 missed"));
}

#[test]
fn addresses_by_hand_reach_a_node_that_was_away_and_are_asked_for_once() {
    let two = Two::paired();
    meet(&two);
    // Nothing configures the interfaces here; what does not touch them needs no leave.
    let done = two.a.good(&["ha", "set", "heartbeat.interval=0.2"]);
    assert!(done.contains("on both nodes"), "{done}");
    let own = "interface.lan.virtual=10.1.0.9/24";
    let refused = two.a.run(&["ha", "set", own]);
    assert!(refused.err.contains("--addresses-by-hand"), "{refused:?}");
    part(&two);
    two.a.good(&["ha", "set", own, "--addresses-by-hand"]);
    two.a.good(&["ha", "set", "heartbeat.interval=0.3"]);
    meet(&two);
    wait("missed and got", || shows(&two.b, "10.1.0.9/24") && shows(&two.b, "every 0.3 s"));
    assert_eq!(two.a.run(&["ha", "restore", "1"]).code, Some(1));
    let back = two.a.good(&["ha", "restore", "1", "--addresses-by-hand"]);
    assert!(back.contains("on both nodes"), "{back}");
}
