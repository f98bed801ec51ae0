//! The logs of both nodes as one, on either of them: by the command and by the API, as lines come,
//! and while the other node is gone.
//!
//! Needs the guard's binary beside the command (`cargo build`).

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::support::{Node, Two, wait_telling};

const PROFILE: &str = crate::support::profile!(
    "logs",
    "[section.definitions]\npaths = [\"/etc/ethers\"]\n\
     [[logs.source]]\nname = \"gateway\"\nfiles = [\"/var/log/gateway.log\"]\n\
     [[logs.source]]\nname = \"vpn\"\nfiles = [\"/var/log/vpn.log\"]\nformat = \"openvpn\"\n"
);

const PAIR: &str = "pair_id = 7\n[sync]\nlogs = true\n[ha_link]\ninterface = \"ha0\"\n\
    [[interface]]\nname = \"lan\"\nprimary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\n\
    virtual = \"10.1.0.1/24\"\n";

fn logging() -> Two {
    logging_after(|_| {})
}

/// The same, after something was done to nodes on which nothing runs yet.
fn logging_after(prepare: impl FnOnce(&Two)) -> Two {
    let mut two = Two::cabled();
    for node in [&mut two.a, &mut two.b] {
        node.with_guard(PROFILE, PAIR);
        for file in ["var/log/gateway.log", "var/log/vpn.log"] {
            node.write(file, "");
        }
    }
    prepare(&two);
    two.pair_by_files(true);
    two
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_micros()).expect("a time")
}

fn stamped(at_us: u64, text: &str) -> String {
    format!("{}.{:06} {text}", at_us / 1_000_000, at_us % 1_000_000)
}

fn append(node: &Node, file: &str, lines: &[String]) {
    let path = node.path("var/log").join(file);
    let mut file = OpenOptions::new().append(true).open(path).expect("it is there");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    file.write_all(text.as_bytes()).expect("written");
}

/// Each line that the command shows, the oldest first.
fn shown(node: &Node, arguments: &[&str]) -> Vec<Value> {
    let out = node.good(&[&["logs", "--json"][..], arguments].concat());
    out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn said(lines: &[Value]) -> Vec<String> {
    let text = |line: &Value| line["text"].as_str().expect("a text").to_owned();
    let rest = |text: String| text.split_once(' ').map(|(_, rest)| rest.to_owned());
    lines.iter().filter_map(|line| rest(text(line))).collect()
}

fn wait_for(node: &Node, count: usize) {
    let all = || shown(node, &["-n", "1000"]);
    let told = || format!("{:#?}\n{}", all(), node.text("agent.log"));
    wait_telling("all lines are there", || all().len() == count, told);
}

/// Twenty lines, a second apart, in turn on both nodes; one of them of a VPN.
fn twenty(two: &Two) -> u64 {
    let began_us = (now_us() - 25_000_000) / 1_000 * 1_000;
    for number in 0..20 {
        let node = if number % 2 == 0 { &two.a } else { &two.b };
        let at_us = began_us + number * 1_000_000;
        let line = match number {
            7 => stamped(
                at_us,
                "198.51.100.7:5 [anna] Peer Connection Initiated with 198.51.100.7:5",
            ),
            _ => stamped(at_us, &format!("number {number} \u{1b}[2J\u{202e}")),
        };
        append(node, if number == 7 { "vpn.log" } else { "gateway.log" }, &[line]);
    }
    began_us
}

#[test]
fn both_nodes_show_the_lines_of_both_in_the_order_of_time_and_filter_them() {
    let two = logging();
    let began_us = twenty(&two);
    for node in [&two.a, &two.b] {
        wait_for(node, 20);
        let lines = shown(node, &[]);
        let nodes: Vec<&str> = lines.iter().filter_map(|line| line["node"].as_str()).collect();
        assert_eq!(nodes, ["gw-a", "gw-b"].repeat(10));
        for (number, text) in said(&lines).iter().enumerate() {
            let wanted =
                if number == 7 { "198.51.100.7:5".to_owned() } else { format!("number {number} ") };
            assert!(text.starts_with(&wanted), "{number}: {text}");
        }
        assert_eq!(lines[7]["fields"]["event"], "tunnel-up");
        assert_eq!(lines[7]["fields"]["user"], "anna");
        let count = |arguments: &[&str]| shown(node, arguments).len();
        assert_eq!(count(&["--node", "gw-a"]), 10);
        assert_eq!(count(&["--source", "vpn", "--source", "vpn"]), 1);
        assert_eq!(count(&["--text", "NUMBER 1"]), 11, "1, and 10 to 19");
        assert_eq!(count(&["--grep", "number (3|1[45]) "]), 3);
        assert_eq!(count(&["-n", "3"]), 3);
        assert_eq!(count(&["--since", "1h", "--grep", "number 5"]), 1);
        assert_eq!(count(&["--until", "1h"]), 0);
        let path = |since, until| format!("/api/v1/logs?since_ms={since}&until_ms={until}");
        let page = asked(node, &path(began_us / 1_000, began_us / 1_000 + 5_000));
        assert_eq!(page["lines"].as_array().map(Vec::len), Some(6), "{page}");
    }
    let seen = two.b.good(&["logs", "-n", "1"]);
    assert!(seen.ends_with("number 19 \\x1b[2J\\u{202e}\n") && seen.contains("gw-b"), "{seen}");
    let wrong = |arguments: &[&str], told: &str| {
        let wrong = two.a.run(&[&["logs"][..], arguments].concat());
        assert!(wrong.code == Some(1) && wrong.err.matches(told).count() == 1, "{wrong:?}");
    };
    wrong(&["--grep", "("], "--grep: unclosed group");
    wrong(&["--node", "gw-c"], "--node: 'gw-c' is none of here, there, gw-a, gw-b");
    wrong(&["--since", "10m", "--until", "20m"], "--since: the time ends before it begins");
    wrong(&["--source", "dhcp"], "--source: 'dhcp' is no source of logs; there are gateway, vpn");
    let none = two.a.run(&["logs", "--text", "what nobody said"]);
    assert!(none.code == Some(0) && none.out.is_empty(), "{none:?}");
    assert_eq!(none.err, "No line of this kind is kept.\n");
    let refused = asked(&two.a, "/api/v1/logs?last=-1");
    assert_eq!(refused["details"][0]["place"], "last", "{refused}");
    let sources = two.a.good(&["logs", "--sources"]);
    assert!(sources.contains("gateway") && sources.contains("vpn"), "{sources}");
}

/// What the agent's socket says.
fn asked(node: &Node, path: &str) -> Value {
    let socket = node.path("run/twinwall/agent.sock");
    let output = std::process::Command::new("curl")
        .args(["--silent", "--unix-socket"])
        .arg(socket)
        .arg(format!("http://agent{path}"))
        .output()
        .expect("curl starts");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn pages_of_the_api_are_in_the_order_of_time_and_neither_lose_nor_repeat_a_line() {
    let two = logging();
    twenty(&two);
    wait_for(&two.b, 20);
    let mut seen = Vec::new();
    let mut path = "/api/v1/logs?last=3".to_owned();
    loop {
        let page = asked(&two.b, &path);
        let lines = page["lines"].as_array().expect("lines").clone();
        seen.extend(said(&lines));
        let Some(older) = page["older"].as_str() else { break };
        path = format!("/api/v1/logs?last=3&before={older}");
    }
    seen.reverse();
    assert_eq!(seen, said(&shown(&two.b, &[])));
}

#[test]
fn lines_are_followed_as_they_come_each_once_and_the_kept_ones_stay_when_a_node_is_gone() {
    let mut two = logging();
    append(&two.a, "gateway.log", &[stamped(now_us(), "before")]);
    wait_for(&two.b, 1);
    let log = two.b.path("followed");
    let following = two.b.begin(&["logs", "--follow", "--json", "-n", "0"], &log);
    let followed = || -> Vec<Value> {
        let text = two.b.text("followed");
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    // It listens once it shows the first of these.
    let mut tries = 0;
    let is_heard = || {
        tries += 1;
        append(&two.a, "gateway.log", &[stamped(now_us(), &format!("try {tries}"))]);
        !followed().is_empty()
    };
    wait_telling("the command listens", is_heard, || two.b.text("followed"));
    let wanted: Vec<String> = (0..2_000).map(|number| format!("line {number}")).collect();
    for part in wanted.chunks(100) {
        let lines: Vec<String> = part.iter().map(|text| stamped(now_us(), text)).collect();
        append(&two.a, "gateway.log", &lines);
    }
    let lines = || -> Vec<String> {
        said(&followed()).into_iter().filter(|text| text.starts_with("line ")).collect()
    };
    let told = || format!("{} lines\n{}", lines().len(), two.b.text("agent.log"));
    wait_telling("all lines are followed", || lines().len() >= wanted.len(), told);
    assert_eq!(lines(), wanted, "each once, in its order");
    drop(following);
    let is_named = || shown(&two.b, &["-n", "1"])[0]["node"] == "gw-a";
    wait_telling("the other node is known by its name", is_named, String::new);
    two.a.kill();
    let kept = shown(&two.b, &["--text", "line 1999", "--node", "gw-a"]);
    assert_eq!(said(&kept), ["line 1999"]);
}

#[test]
fn a_node_that_cannot_keep_lines_is_named_by_status_and_ready_on_both_and_goes_on_by_itself() {
    const PLACE: &str = "var/lib/twinwall/logs";
    // What is no directory takes no files, as a full file system takes none.
    let two = logging_after(|two| two.b.write(PLACE, ""));
    let told =
        |node: &Node| node.run(&["status"]).out.contains("\nwarning  logs-not-kept on gw-b: ");
    let reason = |node: &Node| {
        let ready: Value = serde_json::from_str(&node.run(&["ready", "--json"]).out).expect("JSON");
        let all = ready["against"].as_array().expect("a list").clone();
        all.into_iter().find(|reason| reason["id"] == "logs_not_kept")
    };
    for node in [&two.a, &two.b] {
        let log = || format!("{}\n{}", node.run(&["status"]).out, two.b.text("agent.log"));
        wait_telling("it is told", || told(node), log);
        let reason = reason(node).expect("a reason");
        assert_eq!(reason["severity"], "warns", "{reason}");
        let text = reason["text"].as_str().expect("a text");
        assert!(text.contains("gw-b: logs cannot be kept on this disk"), "{reason}");
        let status: Value = serde_json::from_str(&node.good(&["status", "--json"])).expect("JSON");
        let api = asked(node, "/api/v1/status");
        for status in [status, api] {
            let all = status["conditions"].as_array().expect("a list");
            let named = |one: &&Value| one["condition"] == "logs-not-kept";
            assert!(all.iter().find(named).is_some_and(|it| it["node"] == "gw-b"), "{status}");
        }
    }
    // Nobody has to start anything again; when the condition ends says its hold-down.
    std::fs::remove_file(two.b.path(PLACE)).expect("removed");
    append(&two.b, "gateway.log", &[stamped(now_us(), "after all")]);
    wait_for(&two.a, 1);
}
