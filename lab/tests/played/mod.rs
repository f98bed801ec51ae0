//! One scenario played once by the lab's own program, for tests of what it tells.

use std::process::Command;

use serde_json::Value;

/// What it told.
pub(crate) fn played(scenario: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_twinwall-lab"))
        .args(["--scenario", scenario, "--json", "--reps", "1"])
        .output()
        .expect("the lab starts");
    let line = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(&line).unwrap_or_else(|cause| panic!("{cause}: {line:?} {told}"))
}
