//! Whatever befalls the console of the node that serves: no role moves, no packet is lost, no
//! beat is late, and the agent answers. Needs root, Node.js (`cargo xtask setup`), and guard and
//! `twinwall` beside the lab's program.

mod played;

fn unharmed(scenario: &str) -> serde_json::Value {
    let outcome = played::played(scenario);
    assert_eq!(outcome["missed"], serde_json::json!([]), "{outcome}");
    assert!(outcome["beside"]["asked"].as_u64() > Some(50), "{outcome}");
    assert_eq!((&outcome["role_changes"], &outcome["traffic"]["lost"]), (&0.into(), &0.into()));
    outcome
}

#[test]
fn a_console_that_is_killed_takes_nothing_along() {
    unharmed("console-killed");
}

#[test]
fn a_console_that_hangs_holds_nothing_up() {
    unharmed("console-hung");
}

#[test]
fn a_console_that_is_flooded_keeps_the_flood_to_itself() {
    let outcome = unharmed("console-flooded");
    let visitors = &outcome["beside"]["visitors"];
    let number = |name: &str| visitors[name].as_u64().unwrap_or_default();
    // It must have been a flood, in each of its ways.
    assert!(number("answered") > 5_000, "{visitors}");
    assert!(number("slow") > 20 && number("bodies") > 10 && number("silent") > 100, "{visitors}");
}
