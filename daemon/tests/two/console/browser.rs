//! A person with a real browser: first set-up, dashboard, a switchover seen on both consoles
//! within a second, and how each page looks. The pictures stay in target/screenshots.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::{Outside, with_consoles};

/// Where the script and what it needs lie (`cargo xtask setup` brings it).
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/browser")
}

/// Of each there is a picture in every form.
const PAGES: [&str; 15] = [
    "set-up",
    "sign-in",
    "dashboard",
    "dashboard-out-of-sync",
    "failed",
    "sync",
    "sync-section",
    "sync-direction",
    "sync-preview",
    "sync-progress",
    "sync-done",
    "sync-history",
    "sync-version",
    "events",
    "failover",
];

#[test]
fn a_person_sets_the_console_up_and_sees_a_switchover_live_on_both_nodes() {
    let two = with_consoles();
    assert!(folder().join("node_modules").exists(), "no browser yet: cargo xtask setup");
    let outside = Outside::of(&two);
    let token = two.a.good(&["web", "setup-token"]);
    let program = Path::new(env!("CARGO_BIN_EXE_twinwall"));
    let pictures = program.parent().and_then(Path::parent).expect("target").join("screenshots");
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &outside.0, "node"]);
    command.arg(folder().join("console.mjs")).arg(&pictures);
    command.args(["https://10.1.0.2:8443", "https://10.1.0.3:8443"]);
    command.arg(token.lines().next().expect("a token"));
    command.env("PASSIVE_FILE", two.b.path("etc/ethers"));
    command.env("SLOW_FILE", two.b.path("slow"));
    let output = command.output().expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let wrong = String::from_utf8_lossy(&output.stderr);
    let log = [&two.a, &two.b].map(|node| node.text("agent.log")).concat();
    assert!(output.status.success(), "{said}\n{wrong}\n{log}");
    for page in PAGES {
        for form in ["light-desktop", "dark-desktop", "light-phone", "dark-phone"] {
            let picture = pictures.join(format!("{page}-{form}.png"));
            assert!(picture.exists(), "{}\n{said}", picture.display());
        }
    }
}
