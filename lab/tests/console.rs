//! Whatever befalls the console of the node that serves: no role moves, no packet is lost, no
//! beat is late, and the agent answers. Needs root, Node.js (`cargo xtask setup`), and guard and
//! `twinwall` beside the lab's program.

use std::process::Command;

fn played(scenario: &str) -> serde_json::Value {
    let output = Command::new(env!("CARGO_BIN_EXE_twinwall-lab"))
        .args(["--scenario", scenario, "--json", "--reps", "1"])
        .output()
        .expect("the lab starts");
    let line = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    let outcome: serde_json::Value =
        serde_json::from_str(&line).unwrap_or_else(|cause| panic!("{cause}: {line:?} {told}"));
    assert_eq!(outcome["missed"], serde_json::json!([]), "{outcome}");
    assert!(outcome["beside"]["asked"].as_u64() > Some(50), "{outcome}");
    assert_eq!((&outcome["role_changes"], &outcome["traffic"]["lost"]), (&0.into(), &0.into()));
    outcome
}

#[test]
fn a_console_that_is_killed_takes_nothing_along() {
    played("console-killed");
}

#[test]
fn a_console_that_hangs_holds_nothing_up() {
    played("console-hung");
}

#[test]
fn a_console_that_is_flooded_keeps_the_flood_to_itself() {
    let outcome = played("console-flooded");
    let visitors = &outcome["beside"]["visitors"];
    let number = |name: &str| visitors[name].as_u64().unwrap_or_default();
    // It must have been a flood, in each of its ways.
    assert!(number("answered") > 5_000, "{visitors}");
    assert!(number("slow") > 20 && number("bodies") > 10 && number("silent") > 100, "{visitors}");
}
