//! Reports of both appliances on both: copied under their origin, handed out as they are, and
//! gone from neither by a restart; and the availability report of a pair whose role moved.
//!
//! Needs the guard's binary beside the command (`cargo build`).

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lan::Lan;
use crate::support::{Node, Two, wait_telling};

const PROFILE: &str = crate::support::profile!(
    "reports",
    "[section.definitions]\npaths = [\"/etc/ethers\"]\n\
    [[reports]]\nname = \"mail\"\npaths = [\"/var/reports\"]\n"
);

const PAIR: &str = "pair_id = 7\n[ha_link]\ninterface = \"ha0\"\n[sync]\nlogs = true\n\
    [probe]\nvirtual_ips = \"10.1.0.1\"\ntargets = \"10.1.0.77\"\ninterval = 0.02\n\
    [[interface]]\nname = \"lan\"\n\
    primary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n";

/// A report of a move is complete some seconds after it.
const LONG: Duration = Duration::from_secs(60);

fn json(node: &Node, arguments: &[&str]) -> Value {
    serde_json::from_str(&node.run(arguments).out).unwrap_or_default()
}

fn role(node: &Node) -> String {
    let status = json(node, &["status", "--json"]);
    status["role"]["role"].as_str().unwrap_or_default().to_owned()
}

fn wait(two: &Two, what: &str, mut good: impl FnMut() -> bool) {
    let began = Instant::now();
    while !good() {
        let told = || {
            let of = |node: &Node| {
                let ran = ["reports", "probe", "failovers", "availability"]
                    .map(|word| node.run(&[word]).out);
                format!("{ran:?}\n{}", node.text("agent.log"))
            };
            format!("{}\n{}", of(&two.a), of(&two.b))
        };
        assert!(began.elapsed() < LONG, "{what}: not within {LONG:?}\n{}", told());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Paths of the other node's reports that this one has.
fn copies(node: &Node) -> Vec<String> {
    let all = json(node, &["reports", "--json", "--node", "there"])["reports"].clone();
    let all = all.as_array().cloned().unwrap_or_default();
    all.iter().filter_map(|it| it["path"].as_str().map(str::to_owned)).collect()
}

fn started() -> (Two, Lan) {
    let mut two = Two::cabled();
    let lan = Lan::between(&two);
    lan.address("10.1.0.77/24");
    two.a.with_guard(PROFILE, PAIR);
    two.b.with_guard(PROFILE, PAIR);
    two.pair_by_files(true);
    wait(&two, "one active, one passive", || role(&two.a) == "active" && role(&two.b) == "passive");
    // A node that was never synchronised takes nothing over.
    wait(&two, "both are ready", || {
        let ready = |node: &Node| node.run(&["ready"]).code == Some(0);
        ready(&two.a) && ready(&two.b)
    });
    (two, lan)
}

#[test]
fn reports_of_both_nodes_are_on_both_as_they_were_written() {
    let (mut two, _lan) = started();
    // Longer than one message, and no text.
    let long: Vec<u8> = (0..700_000_u32).map(|at| (at % 251) as u8).collect();
    fs::create_dir_all(two.b.path("var/reports/2026 ü")).expect("made");
    fs::write(two.b.path("var/reports/2026 ü/a \"b\".pdf"), &long).expect("written");
    two.b.write("var/reports/no.sh", "echo never");
    std::os::unix::fs::symlink("/etc/passwd", two.b.path("var/reports/x.csv")).expect("made");
    two.a.write("var/reports/here.html", "<script>alert(1)</script>");
    let path = "/var/reports/2026 ü/a \"b\".pdf";
    wait(&two, "the report comes over", || copies(&two.a) == [path]);
    wait(&two, "and the other way", || copies(&two.b) == ["/var/reports/here.html"]);
    let saved = two.a.path("saved.pdf");
    two.a.good(&["reports", "get", "there", path, saved.to_str().expect("text")]);
    assert_eq!(fs::read(&saved).expect("saved"), long);
    let refused = two.a.run(&["reports", "get", "there", "/var/reports/../../etc/x.pdf"]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    // It is written anew while its copy is there.
    fs::write(two.b.path("var/reports/2026 ü/a \"b\".pdf"), b"new").expect("written");
    let copy = || fs::read(two.a.path("var/lib/twinwall/reports/there").join(&path[1..]));
    wait(&two, "the newer one comes over", || copy().is_ok_and(|bytes| bytes == b"new"));
    two.b.kill();
    two.a.kill();
    two.a.start();
    wait_telling(
        "the copy is still there, without its origin",
        || copies(&two.a) == [path],
        || two.a.text("agent.log"),
    );
}

/// A report with a path that its origin can open and whose copy's would be too long.
fn too_long(node: &Node) -> String {
    // No deeper than reports are looked for.
    let folder = format!("/var/reports{}", format!("/{}", "x".repeat(255)).repeat(15));
    let left = 4_090 - node.root.as_os_str().len() - folder.len() - "/.csv".len();
    format!("{folder}/{}.csv", "x".repeat(left.min(251)))
}

#[test]
fn one_report_that_cannot_be_copied_holds_up_no_other() {
    let (two, _lan) = started();
    let deep = too_long(&two.b);
    let reports = || json(&two.a, &["reports", "--json"]);
    two.b.write(&deep[1..], "too long\n");
    wait(&two, "the long path is told", || reports()["trouble"].as_str().is_some());
    two.b.write("var/reports/late.csv", "old\n");
    // Some parts long, so that it never stays as it is for the time of its copying.
    fs::write(two.b.path("var/reports/grow.csv"), vec![b'x'; 700_000]).expect("written");
    let (stop, grow) = (AtomicBool::new(false), two.b.path("var/reports/grow.csv"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut open = OpenOptions::new().append(true).open(&grow).expect("opened");
            // With the test this ends too, whatever becomes of it.
            let began = Instant::now();
            while !stop.load(Ordering::Relaxed) && began.elapsed() < 2 * LONG {
                open.write_all(b"a line\n").expect("written");
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        wait(&two, "the other one comes over", || copies(&two.a) == ["/var/reports/late.csv"]);
        wait(&two, "both that do not are told", || {
            let told = reports();
            let trouble = told["trouble"].as_str().unwrap_or_default();
            trouble.starts_with("/var/reports/grow.csv: ")
                && trouble.ends_with("; and one other report")
                && told["complete_s"].is_null()
        });
        stop.store(true, Ordering::Relaxed);
    });
    fs::remove_file(two.b.path(&deep[1..])).expect("removed");
    wait(&two, "all are here", || {
        copies(&two.a).len() == 2
            && reports()["trouble"].is_null()
            && reports()["complete_s"] != Value::Null
    });
}

#[test]
fn a_failover_is_measured_by_the_probe_and_counts_in_the_availability_of_its_month() {
    let (mut two, lan) = started();
    let watching = |node: &Node, part: &str| {
        let probe = json(node, &["probe", "--json"])["probes"][0].clone();
        let soon = probe["answered_ms"].as_f64().is_some_and(|ms| ms < 500.0);
        probe["part"] == part && soon
    };
    wait(&two, "the passive hears the virtual IP", || watching(&two.b, "watching"));
    wait(&two, "the active hears its target", || watching(&two.a, "serving"));
    let newest = |node: &Node| json(node, &["failovers", "--json"])[0].clone();
    wait(&two, "the passive knows who served before", || newest(&two.b)["to"] == "gw-a");
    lan.cut_the_first();
    two.a.kill();
    wait(&two, "the other serves", || role(&two.b) == "active");
    wait(&two, "the probe told", || {
        let report = newest(&two.b);
        report["kind"] == "failover" && over_the_move(&report).is_some()
    });
    let report = newest(&two.b);
    let probed = &over_the_move(&report).expect("it stays");
    // The passive's own kernel, which has the address by then, does not count as an answer.
    assert_eq!(
        (&probed["node"], &probed["asked"]),
        (&"gw-b".into(), &"10.1.0.1, then 10.1.0.77".into()),
        "{report}"
    );
    let us = |value: &Value| value.as_u64().expect("a moment");
    let silent = (us(&probed["to_us"]) - us(&probed["from_us"])) as f64 / 1000.0;
    // It is what the pair recorded, give or take what the network and two pings are late.
    let recorded = report["outage"]["ms"].as_f64().expect("measured");
    assert!(silent > 20.0 && (silent - recorded).abs() < 2_000.0, "{silent} {recorded} {report}");
    let steps = report["steps"].as_array().expect("a list");
    let kinds: Vec<&str> = steps.iter().filter_map(|step| step["kind"].as_str()).collect();
    assert!(kinds.first() == Some(&"began") && kinds.contains(&"decided"), "{kinds:?}");
    let served = steps.iter().find(|step| step["kind"] == "served").expect("it served");
    assert!((served["after_ms"].as_f64().expect("a time") - recorded).abs() < 0.01, "{served}");
    assert!(report["evidence"].as_array().is_some_and(|all| !all.is_empty()), "{report}");
    lan.mend();
    two.a.start();
    wait(&two, "the report is complete", || newest(&two.b)["complete"] == true);
    stands_alone(&two, &newest(&two.b));
}

/// The silence that was there when the role moved, once it is over. On a busy machine shorter ones
/// stand before and behind it.
fn over_the_move(report: &Value) -> Option<Value> {
    let moved = report["ended_ms"].as_u64()? * 1000;
    let is_it = |it: &&Value| {
        let (from, to) = (it["from_us"].as_u64(), it["to_us"].as_u64());
        from.is_some_and(|from| from < moved) && to.is_some_and(|to| to > moved)
    };
    report["probed"].as_array()?.iter().find(is_it).cloned()
}

/// The report as one file, and in the month's report of both nodes.
fn stands_alone(two: &Two, report: &Value) {
    let id = report["id"].as_str().expect("text");
    let recorded = report["outage"]["ms"].as_f64().expect("measured");
    let file = two.b.path("report.html");
    two.b.good(&["failovers", id, "--html", file.to_str().expect("text")]);
    let html = fs::read_to_string(&file).expect("written");
    assert!(html.contains("<svg") && html.contains("probe of gw-b"), "{html}");
    assert!(!html.contains("<script") && !html.contains("href="), "{html}");
    for node in [&two.a, &two.b] {
        // The first one asks the other one for what it did not see.
        wait(two, "it is in the month's report", || {
            let month = json(node, &["availability", "--json"]);
            let moves = month["moves"].as_array().cloned().unwrap_or_default();
            let down = month["down_ms"].as_f64().unwrap_or_default();
            // Before the pair served for the first time nobody did either.
            let counted = (recorded - 1.0..recorded + 30_000.0).contains(&down);
            moves.iter().any(|it| it["id"] == id) && counted
        });
        let csv = node.good(&["availability", "--csv"]);
        assert!(csv.contains("\r\nfailover,") && csv.contains(",gw-a,gw-b,"), "{csv}");
    }
}
