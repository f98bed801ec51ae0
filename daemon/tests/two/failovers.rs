//! Failover reports of two real guards: the same on both nodes, with the outage that the pair
//! measured, kept over restarts, completed when a node is back, and honest about what is lost.
//!
//! Needs the guard's binary beside the command (`cargo build`).

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Node, Two, ip, is_able_beside, status};

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
    status(node)["role"]["role"].as_str().unwrap_or_default().to_owned()
}

/// The process of the node's guard.
fn guard_of(node: &Node) -> u32 {
    let root = node.root.to_string_lossy().into_owned();
    let is_it = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split('\0');
        let is_guard = words.next().is_some_and(|program| program.ends_with("/twinwall-guard"));
        is_guard && words.any(|word| word == root)
    };
    let all = std::fs::read_dir("/proc").expect("processes").flatten();
    let mut pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(is_it).expect("a guard runs")
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

#[test]
fn a_guard_that_is_killed_and_started_again_at_once_is_told_with_its_outage_step_by_step() {
    let two = serving();
    wait(&two, "the other node could take over", || is_able_beside(&two.b, &two.a));
    let killed = i32::try_from(guard_of(&two.a)).ok().and_then(Pid::from_raw);
    kill_process(killed.expect("a process"), Signal::KILL).expect("killed");
    wait(&two, "the other node serves", || role(&two.b) == "active");
    wait(&two, "both tell it", || {
        let (a, b) = (newest(&two.a), newest(&two.b));
        a["kind"] == "failover" && a["id"] == b["id"]
    });
    for node in [&two.a, &two.b] {
        let report = newest(node);
        assert_eq!(report["reason"], "the guard of gw-a was started again", "{report}");
        assert_eq!(report["outage"]["bound"], "at_most", "{report}");
        // A heartbeat's interval, and the start of a process on a busy machine.
        let ms = report["outage"]["ms"].as_f64();
        assert!(ms.is_some_and(|ms| ms > 0.0 && ms < 3_500.0), "{report}");
        let steps = report["steps"].as_array().expect("a list");
        let kinds: Vec<&str> = steps.iter().filter_map(|step| step["kind"].as_str()).collect();
        let wanted = ["began", "noticed", "decided", "served"];
        assert!(wanted.iter().all(|kind| kinds.contains(kind)), "{report}");
        assert!(report["evidence"].as_array().is_some_and(|all| !all.is_empty()), "{report}");
    }
}

/// How many milliseconds of this month nobody served, by both nodes' records.
fn down_ms(node: &Node) -> Option<f64> {
    let month: Value = serde_json::from_str(&node.run(&["availability", "--json"]).out).ok()?;
    let missing = month["missing"].to_string();
    month["down_ms"].as_f64().filter(|_| !missing.contains("not reached"))
}

#[test]
fn a_passive_node_that_is_started_again_counts_as_no_outage() {
    let mut two = serving();
    wait(&two, "the other node could take over", || is_able_beside(&two.b, &two.a));
    // Before the pair served for the first time nobody did; by now both have looked since then.
    std::thread::sleep(Duration::from_secs(3));
    wait(&two, "both are asked", || down_ms(&two.a).is_some() && down_ms(&two.b).is_some());
    let before = [&two.a, &two.b].map(down_ms);
    for _ in 0..2 {
        two.b.kill();
        std::thread::sleep(Duration::from_secs(2));
        two.b.start();
        wait(&two, "it is back", || role(&two.b) == "passive" && is_able_beside(&two.b, &two.a));
        std::thread::sleep(Duration::from_secs(2));
        wait(&two, "both are asked", || down_ms(&two.a).is_some() && down_ms(&two.b).is_some());
        let after = [&two.a, &two.b].map(down_ms);
        // What is looked at once a second lasts a second at least; two clocks were compared.
        let same = |(one, other): (&Option<f64>, &Option<f64>)| {
            one.zip(*other).is_some_and(|(one, other)| (one - other).abs() < 500.0)
        };
        assert!(before.iter().zip(&after).all(same), "{before:?} {after:?}");
    }
    assert_eq!(role(&two.a), "active");
}
