//! Failover reports of two real guards: the same on both nodes, with the outage that the pair
//! measured, kept over restarts, completed when a node is back, and honest about what is lost.
//!
//! Needs the guard's binary beside the command (`cargo build`).

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Node, Two, ip};

const PROFILE: &str =
    crate::support::profile!("failovers", "[section.definitions]\npaths = [\"/etc/ethers\"]\n");

/// A report is complete some seconds after the move.
const LONG: Duration = Duration::from_secs(40);

fn wait(two: &Two, what: &str, good: impl Fn() -> bool) {
    let began = Instant::now();
    while !good() {
        let told = || {
            [&two.a, &two.b].map(|node| {
                let ran = node.run(&["failovers", "--json"]);
                format!("{}{}\n{}", ran.out, ran.err, node.text("agent.log"))
            })
        };
        assert!(began.elapsed() < LONG, "{what}: not within {LONG:?}\n{}", told().concat());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn role(node: &Node) -> String {
    let status: Value =
        serde_json::from_str(&node.run(&["status", "--json"]).out).unwrap_or_default();
    status["role"]["role"].as_str().unwrap_or_default().to_owned()
}

/// The newest report.
fn newest(node: &Node) -> Value {
    let all: Value =
        serde_json::from_str(&node.run(&["failovers", "--json"]).out).unwrap_or_default();
    all[0].clone()
}

fn serving() -> Two {
    let two = Two::guarded_by(PROFILE);
    for (node, own) in [(&two.a, "10.1.0.2/24"), (&two.b, "10.1.0.3/24")] {
        ip(&["-n", node.namespace(), "addr", "add", own, "dev", "lan"]);
    }
    wait(&two, "one active, one passive", || role(&two.a) == "active" && role(&two.b) == "passive");
    two
}

#[test]
fn both_nodes_tell_a_switchover_alike_and_go_on_telling_it_after_a_restart() {
    let mut two = serving();
    wait(&two, "the other node is ready", || two.a.run(&["switchover"]).code == Some(0));
    for node in [&two.a, &two.b] {
        wait(&two, "the report is complete", || {
            let report = newest(node);
            report["kind"] == "switchover" && report["complete"] == true
        });
    }
    let (a, b) = (newest(&two.a), newest(&two.b));
    assert_eq!(a["id"], b["id"]);
    for report in [&a, &b] {
        assert_eq!((&report["from"], &report["to"]), (&"gw-a".into(), &"gw-b".into()), "{report}");
        assert_eq!(report["missing"], Value::Array(Vec::new()), "{report}");
        let outage = &report["outage"];
        assert_eq!(outage["bound"], "measured", "{report}");
        assert!(outage["ms"].as_f64().is_some_and(|ms| ms < 100.0), "{outage}");
        let nodes = report["timeline"].as_array().expect("a list");
        for name in ["gw-a", "gw-b"] {
            assert!(nodes.iter().any(|seen| seen["node"] == name), "{report}");
        }
    }
    let id = a["id"].as_str().expect("text").to_owned();
    let text = two.b.good(&["failovers", &id]);
    assert!(text.contains("a switchover was ordered") && text.contains("gw-a"), "{text}");
    two.a.kill();
    // What it began ends with it, a moment later.
    wait(&two, "its guard has ended", || role(&two.a).is_empty());
    two.a.start();
    wait(&two, "it is still told", || newest(&two.a)["id"] == a["id"]);
    wait(&two, "the agents meet again", || {
        newest(&two.a)["id"] == a["id"] && two.a.run(&["sync"]).out.contains("in sync")
    });
    assert!(two.b.run(&["failovers", "nothing-1"]).err.contains("no such report"));
}

#[test]
fn a_node_that_dies_is_told_by_the_survivor_and_completed_when_it_is_back() {
    let mut two = serving();
    // What it saw before is on both disks by then.
    std::thread::sleep(Duration::from_secs(7));
    two.a.kill();
    wait(&two, "the other node serves", || role(&two.b) == "active");
    wait(&two, "it is told", || newest(&two.b)["kind"] == "failover");
    let report = newest(&two.b);
    assert_eq!((&report["from"], &report["to"]), (&"gw-a".into(), &"gw-b".into()), "{report}");
    assert_eq!(
        (&report["outage"]["bound"], &report["complete"]),
        (&"at_most".into(), &false.into())
    );
    assert!(
        report["outage"]["ms"].as_f64().is_some_and(|ms| ms > 0.0 && ms < 30_000.0),
        "{report}"
    );
    assert!(report["missing"][0].as_str().is_some_and(|it| it.contains("gw-a")), "{report}");
    two.a.start();
    wait(&two, "it is completed", || newest(&two.b)["complete"] == true);
    wait(&two, "the other one has it too", || newest(&two.a)["id"] == newest(&two.b)["id"]);
}
