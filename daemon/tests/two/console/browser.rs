//! A person with a real browser: first set-up, dashboard, a switchover seen on both consoles
//! within a second, and how each page looks. The pictures stay in target/screenshots.

use std::path::{Path, PathBuf};
use std::process::Command;

use twinwall_lab::isolate::TREES;

use super::support::{Outside, fresh_with_consoles, with_consoles, with_networks};
use crate::support::{Node, Two};

/// Where the script and what it needs lie (`cargo xtask setup` brings it).
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/browser")
}

/// Of each there is a picture in every form: of the way in, and what is shown and ordered.
const PAGES: [&str; 24] = [
    "set-up",
    "sign-in",
    "dashboard",
    "dashboard-out-of-sync",
    "failed",
    "events",
    "failover",
    "sign-in-again",
    "access",
    "access-wrong",
    "access-one",
    "access-remove",
    "token-made",
    "account",
    "audit",
    "role",
    "role-passive",
    "role-maintenance",
    "conditions",
    "diagnostics",
    "api",
    "api-group",
    "reports",
    "report-table",
];

/// A report that would do what it must not, if anything in it ran or was loaded.
const HOSTILE: &str = "<h1>Nightly</h1><script>fetch('/ran')</script><img src='/loaded' \
    onerror=\"fetch('/ran')\"><meta http-equiv=refresh content='0;url=/gone'>";

/// The same of what is configured.
const CONFIGURING: [&str; 18] = [
    "sync",
    "sync-section",
    "sync-direction",
    "sync-preview",
    "sync-progress",
    "sync-done",
    "sync-history",
    "sync-version",
    "high-availability",
    "high-availability-wrong",
    "high-availability-preview",
    "high-availability-conflict",
    "high-availability-addresses",
    "high-availability-viewer",
    "high-availability-restore",
    "high-availability-disabled",
    "high-availability-enabled",
    "high-availability-progress-enabled",
];

/// The same of alert targets.
const ALERTS: [&str; 4] = ["alerts-none", "alerts-wrong", "alerts-one", "alerts"];

/// Runs the steps of a script on both consoles, all of them where none is named; it gets these
/// tokens, and leaves pictures of these pages.
fn drive(two: &Two, (script, steps): (&str, &str), tokens: &[String], pages: &[&str]) {
    assert!(folder().join("node_modules").exists(), "no browser yet: cargo xtask setup");
    let outside = Outside::of(two);
    let program = Path::new(env!("CARGO_BIN_EXE_twinwall"));
    let pictures = program.parent().and_then(Path::parent).expect("target").join("screenshots");
    let wanted: Vec<PathBuf> = pages.iter().flat_map(|page| forms(&pictures, page)).collect();
    for picture in &wanted {
        // Those of the last run prove nothing.
        let _ = std::fs::remove_file(picture);
    }
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &outside.0, "node"]);
    command.arg(folder().join(script)).arg(&pictures);
    command.args(["https://10.1.0.2:8443", "https://10.1.0.3:8443"]).args(tokens);
    if !steps.is_empty() {
        command.env("STEPS", steps);
    }
    command.env("PASSIVE_FILE", two.b.path("etc/ethers"));
    command.env("SLOW_FILE", two.b.path("slow"));
    command.env("LOG_FILE", two.a.path("var/log/gateway.log"));
    command.env("NAMESPACE_A", two.a.namespace());
    // What the browser keeps goes with the test.
    command.env("TMPDIR", TREES);
    let output = command.output().expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    let wrong = String::from_utf8_lossy(&output.stderr);
    let log = [&two.a, &two.b].map(|node| node.text("agent.log")).concat();
    assert!(output.status.success(), "{said}\n{wrong}\n{log}");
    for picture in wanted {
        assert!(picture.exists(), "{}\n{said}", picture.display());
    }
}

/// The pictures of a page.
fn forms(pictures: &Path, page: &str) -> [PathBuf; 4] {
    ["light-desktop", "dark-desktop", "light-phone", "dark-phone"]
        .map(|form| pictures.join(format!("{page}-{form}.png")))
}

fn token(node: &Node) -> String {
    node.good(&["web", "setup-token"]).lines().next().expect("a token").to_owned()
}

#[test]
fn a_person_sets_the_console_up_and_sees_a_switchover_live_on_both_nodes() {
    let two = with_consoles();
    two.a.write("var/reports/hostile.html", HOSTILE);
    two.a.write("var/reports/table.csv", "name,text\n1,<b>bold</b>\n");
    let steps =
        "entry,dashboard,phone,access,role,conditions,diagnostics,events,reports,differing,leave";
    drive(&two, ("console.mjs", steps), &[token(&two.a)], &PAGES);
}

#[test]
fn a_person_changes_the_pair_and_synchronises_it_by_its_consoles_alone() {
    let two = with_consoles();
    let _switch = with_networks(&two);
    drive(&two, ("console.mjs", "availability,sync"), &[token(&two.a)], &CONFIGURING);
}

#[test]
fn a_person_adds_tries_and_removes_an_alert_target_whose_secret_is_never_shown() {
    let two = with_consoles();
    drive(&two, ("console.mjs", "alerts"), &[token(&two.a)], &ALERTS);
}

#[test]
fn a_person_searches_and_follows_the_logs_of_both_nodes() {
    let two = with_consoles();
    two.a.write("var/log/gateway.log", "");
    two.a.good(&["ha", "set", "sync.logs=true"]);
    drive(&two, ("console.mjs", "logs"), &[token(&two.a)], &["logs", "logs-wrong", "logs-long"]);
}

#[test]
fn two_fresh_nodes_become_a_pair_by_their_consoles_alone_and_show_their_outage() {
    let two = fresh_with_consoles();
    let pages = [
        "dashboard-unpaired",
        "pairing-unpaired",
        "pairing-mistyped",
        "pairing-invitation",
        "pairing-wrong-code",
        "pairing-paired",
        "pairing-test",
        "pairing-tested",
        "pairing-unpair",
    ];
    drive(&two, ("pairing.mjs", ""), &[token(&two.a), token(&two.b)], &pages);
}
