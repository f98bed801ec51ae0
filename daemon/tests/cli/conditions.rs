//! What `status` shows besides the guard's alarms, and that it needs no agent.

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use serde_json::Value;
use twinwall::agent::conditions::{ConditionId, Standing};
use twinwall_core::api::{Answer, Status};

use crate::support::{Root, Socket, agent_saying, healthy};

/// A disk of the other node that takes no lines, with something in every field.
pub(crate) fn standing() -> Standing {
    Standing {
        good_for_ms: Some(2_000),
        ..raised(ConditionId::LogsNotKept, "gw-b", "logs cannot be kept on this disk")
    }
}

fn raised(condition: ConditionId, node: &str, text: &str) -> Standing {
    Standing {
        condition,
        node: node.to_owned(),
        subject: Some("wan".to_owned()),
        severity: condition.severity(),
        since_ms: 1_700_000_000_000,
        known: true,
        good_for_ms: None,
        text: text.to_owned(),
        what_now: condition.what_now().to_owned(),
    }
}

/// A guard that is asked so often.
fn guard(root: &Root, times: usize) -> Socket {
    let one = || vec![Answer::Status(Box::new(healthy()))];
    Socket::answering(root, std::iter::repeat_with(one).take(times).collect())
}

#[test]
fn conditions_that_no_alarm_says_follow_the_alarms() {
    let root = Root::new();
    let _socket = guard(&root, 2);
    let present = [
        raised(ConditionId::InterfaceDown, "gw-a", "the guard's alarm says it already."),
        raised(ConditionId::PeerUnfit, "gw-b", "the guard's alarm says it already."),
        raised(ConditionId::InterfaceDown, "gw-b", "The port has no carrier."),
        Standing {
            known: false,
            subject: None,
            ..raised(ConditionId::LogsNotKept, "gw-b", "logs cannot be kept on this disk")
        },
        Standing { good_for_ms: Some(900), subject: None, ..standing() },
    ];
    agent_saying(&root, &present);
    let shown = root.run(&["status"]).out;
    let wanted = "\nNo alarm.\n\
        major  interface-down on gw-b wan: The port has no carrier.\n\
        warning  logs-not-kept on gw-b: logs cannot be kept on this disk (it may be better by now)\n\
        warning  logs-not-kept on gw-b: logs cannot be kept on this disk (ending)\n\n\
        election ";
    assert!(shown.contains(wanted) && !shown.contains("already"), "{shown}");
    let json: Value = serde_json::from_str(&root.run(&["status", "--json"]).out).expect("a status");
    let named: Vec<&Value> =
        json["conditions"].as_array().expect("a list").iter().map(|it| &it["condition"]).collect();
    assert_eq!(named, ["interface-down", "logs-not-kept", "logs-not-kept"]);
}

#[test]
fn without_an_agent_the_guards_status_is_shown_and_that_nobody_knows_more() {
    let root = Root::new();
    let _socket = guard(&root, 3);
    let shown = root.run(&["status"]);
    assert_eq!((shown.code, shown.err.as_str()), (Some(0), ""));
    let why = "\nconditions  not known: no agent runs here: there is no socket \
        ROOT/run/twinwall/agent.sock; ";
    assert!(shown.out.contains("\nNo alarm.\n\nelection") && shown.out.contains(why), "{shown:?}");
    let printed = root.run(&["status", "--json"]).out;
    let json: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(json.get("conditions"), Some(&Value::Null));
    assert_eq!(serde_json::from_str::<Status>(&printed).expect("the same status"), healthy());
    // One that hangs holds nobody up who wants to know who serves.
    let _agent = UnixListener::bind(root.path("run/twinwall/agent.sock")).expect("a socket");
    let began = Instant::now();
    let shown = root.run(&["status"]);
    let took = began.elapsed();
    assert_eq!((shown.code, shown.err.as_str()), (Some(0), ""));
    assert!(
        shown.out.contains("\nconditions  not known: the agent does not answer at "),
        "{shown:?}"
    );
    assert!(took < Duration::from_secs(5), "{took:?}");
}
