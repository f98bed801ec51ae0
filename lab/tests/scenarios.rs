//! The lab as a program: what it plays, prints and answers to wrong orders. Needs
//! root, keepalived and conntrackd (`cargo xtask setup`).

use std::process::{Command, Output};

fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_twinwall-lab"))
        .args(arguments)
        .output()
        .expect("the lab starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The one JSON line that a played repetition prints.
fn played(arguments: &[&str]) -> serde_json::Value {
    let mut all = vec!["--product", "keepalived", "--json", "--reps", "1"];
    if !arguments.contains(&"--observe") {
        all.extend(["--observe", "1.5"]);
    }
    all.extend(arguments);
    let output = lab(&all);
    let line = text(&output.stdout);
    serde_json::from_str(&line)
        .unwrap_or_else(|cause| panic!("{cause}: {line:?} {}", text(&output.stderr)))
}

#[test]
fn nothing_is_lost_while_nothing_happens() {
    let outcome = played(&["--scenario", "quiet"]);
    assert_eq!(outcome["traffic"]["lost"], 0, "{outcome}");
    assert!(outcome["traffic"]["sent"].as_u64() > Some(1000), "{outcome}");
    assert_eq!(outcome["role_changes"], 0, "{outcome}");
}

#[test]
fn a_power_loss_is_quick_to_inject_and_is_seen_by_the_client() {
    let outcome = played(&["--scenario", "power-loss-direct-100ms"]);
    let took = outcome["fault_took_ms"].as_f64().expect("a number");
    assert!(took < 10.0, "all links drop at once, not over {took} ms");
    // keepalived needs three advert intervals; less means that the fault did not strike.
    let outage = outcome["traffic"]["outage_ms"].as_f64().expect("a number");
    assert!((150.0..1500.0).contains(&outage), "{outage} ms");
    assert_eq!(outcome["role_changes"], 1, "{outcome}");
    let first = &outcome["events"][0];
    assert_eq!((first["source"].as_str(), first["at_ms"].as_f64()), (Some("lab"), Some(0.0)));
}

#[test]
fn connections_of_every_kind_live_through_a_failover_that_commits_them() {
    let outcome = played(&["--scenario", "flows-power-loss-nat", "--observe", "4"]);
    let seen = &outcome["connections"];
    assert_eq!(seen["lost"], 0, "{outcome}");
    let going_on = seen["alive"].as_u64().zip(seen["resumed"].as_u64());
    assert_eq!(going_on.map(|(alive, resumed)| alive + resumed), Some(21), "{seen}");
    let pause = seen["longest_pause_ms"].as_f64().expect("a number");
    // Three advert intervals pass before anybody takes over.
    assert!((150.0..3000.0).contains(&pause), "{pause} ms");
    assert_eq!(seen["kinds"].as_array().map(Vec::len), Some(7), "{seen}");
}

#[test]
fn wrong_orders_are_refused_with_the_remedy() {
    for (arguments, says) in [
        (&["--scenario", "no-such"][..], "`--list` names them all"),
        (&["--scenario", "quiet", "--guard", "/no/such/guard"], "name it by --guard PATH"),
        (&["--scenario", "maintenance", "--product", "keepalived"], "is not for keepalived"),
    ] {
        let output = lab(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let told = text(&output.stderr);
        assert!(told.contains(says), "{arguments:?}: {told}");
    }
}
