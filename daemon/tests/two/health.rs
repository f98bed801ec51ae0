//! Health checks of the profile with two real guards: the role leaves a node whose check fails
//! for a better one only, and a check that hangs ends with everything that it began.
//!
//! Needs the guard's binary beside the command (`cargo build`).

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Node, Two, profile};

/// Several intervals of a check, and a busy machine.
const LONG: Duration = Duration::from_secs(90);

/// What the file `sick` says is what the check does. Where it hangs, so does its child.
const PROFILE: &str = profile!(
    "health",
    "[section.vpn]\npaths = [\"/etc/vpn\"]\n\
    [[section.vpn.health]]\nlimit = 1\n\
    run = [\"/bin/sh\", \"-c\", \"case $(cat $0/sick 2>/dev/null) in \
    fail) echo no tunnel >&2; exit 7;; \
    hang) /bin/sh -c 'sleep 43211; : of '$0 & wait;; esac\", \"{root}\"]\n"
);

/// Waits until it is so; these take several intervals of a check.
fn wait(two: &Two, what: &str, good: impl Fn() -> bool) {
    let began = Instant::now();
    while !good() {
        let told = || {
            let of = |node: &Node| {
                let ran = node.run(&["status"]);
                format!("{}{}{}", ran.out, ran.err, node.text("agent.log"))
            };
            format!("{what}: not within {LONG:?}\n{}\n{}", of(&two.a), of(&two.b))
        };
        assert!(began.elapsed() < LONG, "{}", told());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn json(node: &Node, arguments: &[&str]) -> Value {
    serde_json::from_str(&node.run(arguments).out).unwrap_or_default()
}

fn role(node: &Node) -> String {
    let status = json(node, &["status", "--json"]);
    status["role"]["role"].as_str().unwrap_or_default().to_owned()
}

/// Why the guard says that its node is unfit.
fn unfit(node: &Node) -> String {
    json(node, &["status", "--json"])["own"]["unfit"].to_string()
}

fn check(node: &Node) -> Value {
    json(node, &["services", "--json"])["checks"][0].clone()
}

fn sick(node: &Node, how: &str) {
    node.write("sick", how);
}

/// The first node is active, the second waits, and both checks were run.
fn settled() -> Two {
    let two = Two::guarded_by(PROFILE);
    wait(&two, "one active, one passive", || role(&two.a) == "active" && role(&two.b) == "passive");
    wait(&two, "both checks go well", || {
        [&two.a, &two.b].iter().all(|node| check(node)["health"] == "good")
    });
    two
}

/// Processes on this machine that belong to a hanging check of this node.
fn hanging(node: &Node) -> usize {
    let mark = format!("sleep 43211; : of {}", node.root.display());
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    let lines = processes.filter_map(|it| fs::read(it.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(&mark)).count()
}

#[test]
fn a_failing_check_moves_the_role_to_a_better_node_only_and_a_recovered_one_is_fit_again() {
    let mut two = settled();
    sick(&two.a, "fail");
    wait(&two, "the role moves", || role(&two.b) == "active" && role(&two.a) == "passive");
    let why = "a health check of vpn ended with 7: no tunnel";
    wait(&two, "the reason is told", || unfit(&two.a).contains(why));
    let said = two.a.run(&["services"]).out;
    assert!(said.contains("failed") && said.contains("ended with 7: no tunnel"), "{said}");
    let ready = two.a.run(&["ready", "--json"]).out;
    assert!(ready.contains("check_failed") && ready.contains("taker_not_fit"), "{ready}");
    wait(&two, "the other node knows", || two.b.run(&["ready"]).out.contains("would not work"));

    // A check that hangs is a failure like another. The other node is no better: nothing moves.
    sick(&two.b, "hang");
    wait(&two, "it hangs", || hanging(&two.b) > 0);
    wait(&two, "it counts", || !check(&two.b)["unfit"].is_null());
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        assert_eq!((role(&two.a), role(&two.b)), ("passive".to_owned(), "active".to_owned()));
    }

    fs::remove_file(two.a.path("sick")).expect("removed");
    wait(&two, "the one that recovered has the role", || role(&two.a) == "active");
    assert_eq!(check(&two.a)["health"], "good");
    wait(&two, "the reason is told", || unfit(&two.b).contains("was not done within 1 s"));

    // With the other node gone, one with a failed check is better than none.
    two.a.kill();
    wait(&two, "it serves all the same", || role(&two.b) == "active");
    fs::remove_file(two.b.path("sick")).expect("removed");
    wait(&two, "nothing is left of what hung", || hanging(&two.b) == 0);
}
