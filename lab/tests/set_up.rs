//! What a newcomer sees of `cargo xtask lab`: two gateways that know nothing of each other
//! become a pair by an administrator's commands, have the same configuration, and one of
//! them loses power. Needs root and the services of a Debian gateway (`cargo xtask setup`).

use std::process::{Command, Stdio};

#[test]
fn two_fresh_gateways_become_a_pair_by_commands_alone_and_survive_a_power_loss() {
    let output = Command::new(env!("CARGO_BIN_EXE_twinwall-lab"))
        .stdin(Stdio::null())
        .output()
        .expect("the lab starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    for line in [
        "gw-a# twinwall pair invite --interface ha0",
        "gw-b  Paired with gw-a.",
        "gw-a# twinwall ha enable",
        "gw-a  gw-a and gw-b: in sync",
        ", 0 lost; connections lost: 0",
        "gw-a is active",
        "gw-a loses power",
        "gw-b serves, the other waits",
    ] {
        assert!(said.contains(line), "'{line}' is missing in\n{said}");
    }
    let sections = said.lines().filter(|line| line.ends_with(" in sync") && !line.contains(':'));
    assert_eq!(sections.count(), 13, "{said}");
    assert!(said.contains("validated and in place on gw-b after"), "{said}");
}
