//! What the pair does beside serving, played by the lab: a router that falls silent moves the role
//! or leaves it, and logs and SNMP go on through a power loss. Needs root, snmpd (`cargo xtask
//! setup`), and guard and `twinwall` beside the lab's program. Figures are the scenarios' own to
//! judge, on a machine that does nothing else.

mod played;

use serde_json::Value;

use played::played;

fn outage_ms(outcome: &Value) -> f64 {
    outcome["traffic"]["outage_ms"].as_f64().expect("a number")
}

#[test]
fn a_router_that_is_silent_for_the_active_alone_moves_the_role() {
    let outcome = played("gateway-silent");
    // One ceased to be active, the other became it.
    assert_eq!(outcome["role_changes"], 2, "{outcome}");
    assert!((300.0..5_500.0).contains(&outage_ms(&outcome)), "{outcome}");
}

#[test]
fn a_router_that_is_silent_for_both_moves_nothing() {
    let outcome = played("gateway-silent-both");
    assert_eq!(outcome["role_changes"], 0, "{outcome}");
    assert!(outage_ms(&outcome) > 5_000.0, "nothing got through: {outcome}");
}

#[test]
fn logs_and_snmp_go_on_through_a_power_loss() {
    let outcome = played("logs-snmp");
    assert_eq!(outcome["role_changes"], 1, "{outcome}");
    let number = |name: &str| outcome["monitored"][name].as_f64().expect("a number");
    assert!(number("answered") > 10.0 && number("silence_ms") < 6_000.0, "{outcome}");
    let (lines, there) = (number("lines"), number("lines_there"));
    assert!(there > 0.0 && there <= lines, "each at most once: {outcome}");
    assert!(lines - there < 1_000.0, "all but those of the last moment: {outcome}");
}
