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
