//! What `status`, `explain` and `events` show.

use std::time::Duration;

use twinwall_core::api::{Answer, Count, Missing, RefusedCause, Request, Status};
use twinwall_core::beat::RoleWord;
use twinwall_core::ids::BootId;
use twinwall_core::note::{Reason, What};
use twinwall_core::snapshot::CheckView;

use crate::support::{Root, Socket, agent_saying, event, healthy};

fn status_of(status: Status) -> String {
    let root = Root::new();
    let socket = Socket::answering(&root, vec![vec![Answer::Status(Box::new(status))]]);
    agent_saying(&root, &[]);
    let ran = root.run(&["status"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(socket.requests(), [Request::Status {}]);
    ran.out
}

#[test]
fn the_status_of_a_healthy_node_fits_on_a_screen() {
    let expected = "\
gw-a, the primary: active for 3 min 5 s, epoch 7
  because: nobody served
No alarm.

election    this node: serving
peer        alive, passive in epoch 7, heard 12 ms ago, 0.4 ms there and back
ready       for a planned move
lease       278 ms left
heartbeat   every 100 ms, peer dead after 300 ms; HA link ha0, a direct cable
paths       ha0              heard 12 ms ago
            lan              heard 13 ms ago
            wan              heard 13 ms ago
interfaces  lan              carrier, watched; 10.1.0.1/24 fe80::1/64
            wan              carrier, watched; 203.0.113.5/29
checks      synchronised     good (for 25 s more)
guard       version 0.1.0, 3 virtual IPs present, at worst under 1 ms late
";
    assert_eq!(status_of(healthy()), expected);
}

/// A passive with about everything wrong.
fn troubled() -> Status {
    let mut status = healthy();
    let snapshot = &mut status.snapshot;
    snapshot.status = "fault".to_owned();
    snapshot.role.role = RoleWord::Passive;
    snapshot.role.reason = Reason::PeerServes;
    snapshot.role.lease = None;
    snapshot.election.should_serve = "the peer".to_owned();
    snapshot.election.reason = Reason::PeerServes;
    snapshot.own.unfit = vec!["watched interface wan is down".to_owned()];
    snapshot.own.checks = vec![CheckView {
        name: "dns".to_owned(),
        good: false,
        reason: "no answer".to_owned(),
        left: Duration::from_secs(20),
    }];
    snapshot.interfaces[1].carrier = false;
    snapshot.interfaces[1].peer_healthy = Some(false);
    snapshot.interfaces[0].held = Some(Duration::from_secs(42));
    snapshot.interfaces[0].virtual_ips =
        (1..=9).map(|last| format!("10.1.0.{last}/24").parse().expect("a prefix")).collect();
    snapshot.paths[0].alive = false;
    snapshot.paths[0].silence = Some(Duration::from_secs(90));
    status.guard.missing =
        vec![Missing { name: "realtime".to_owned(), remedy: "give it CAP_SYS_NICE".to_owned() }];
    status.guard.refused_frames = vec![Count { name: "replayed".to_owned(), count: 3 }];
    status.guard.refused_lately = vec![RefusedCause {
        name: "not_authentic".to_owned(),
        text: "the frame is not authentic; compare the key files".to_owned(),
    }];
    status
}

#[test]
fn alarms_come_before_everything_else_and_in_words() {
    let expected = "\
gw-a, the primary: fault (passive) for 3 min 5 s, epoch 7
  because: the other node serves
ALARM  gw-a is not fit: watched interface wan is down.
ALARM  HA link lost: ha0 silent for 1 min 30 s.
ALARM  Heartbeats are refused: the frame is not authentic; compare the key files.
ALARM  Protection missing, realtime: give it CAP_SYS_NICE.

election    the peer: the other node serves
peer        alive, passive in epoch 7, heard 12 ms ago, 0.4 ms there and back
ready       no: not fit
lease       none
heartbeat   every 100 ms, peer dead after 300 ms; HA link ha0, a direct cable
paths       ha0              SILENT for 1 min 30 s
            lan              heard 13 ms ago
            wan              heard 13 ms ago
interfaces  lan              carrier, watched, HELD for 42 s; 10.1.0.1/24 10.1.0.2/24 10.1.0.3/24 10.1.0.4/24 10.1.0.5/24 10.1.0.6/24 and 3 more
            wan              NO CARRIER, watched, bad on the peer; 203.0.113.5/29
checks      dns              BAD: no answer (for 20 s more)
guard       version 0.1.0, 3 virtual IPs present, at worst under 1 ms late
            frames refused: 3 replayed
";
    assert_eq!(status_of(troubled()), expected);
}

#[test]
fn the_json_status_has_seconds_addresses_and_all_the_rest() {
    let root = Root::new();
    let _socket = Socket::answering(&root, vec![vec![Answer::Status(Box::new(healthy()))]]);
    let ran = root.run(&["status", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(serde_json::from_str::<Status>(&ran.out).expect("the same status"), healthy());
    let json: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(json["role"]["since"], 185.0);
    assert_eq!(json["role"]["lease"], 0.278);
    assert_eq!(json["own"]["maintenance"], serde_json::Value::Null);
    assert_eq!(json["interfaces"][0]["virtual_ips"][0], "10.1.0.1/24");
    assert_eq!(json["boot"], "07070707070707070707070707070707");
}

#[test]
fn watching_shows_each_status_until_the_guard_ends() {
    let root = Root::new();
    let mut later = healthy();
    later.snapshot.status = "passive".to_owned();
    let answers = vec![Answer::Status(Box::new(healthy())), Answer::Status(Box::new(later))];
    let socket = Socket::answering(&root, vec![answers]);
    let ran = root.run(&["status", "--watch", "--json"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(3), "twinwall: the guard has ended\n"));
    let words: Vec<Status> =
        ran.out.lines().map(|line| serde_json::from_str(line).expect("a status")).collect();
    assert_eq!(
        words.iter().map(|status| status.snapshot.status.as_str()).collect::<Vec<_>>(),
        ["active", "passive"]
    );
    assert_eq!(socket.requests(), [Request::Watch {}]);
}

#[test]
fn explain_asks_the_four_questions_in_order() {
    let root = Root::new();
    let one = || vec![Answer::Status(Box::new(healthy()))];
    let _socket = Socket::answering(&root, vec![one(), one()]);
    let ran = root.run(&["explain"]);
    let questions: Vec<&str> = ran.out.lines().filter(|line| !line.starts_with(' ')).collect();
    let expected = [
        "1. What is true?",
        "2. Who should serve?",
        "3. Which role follows?",
        "4. What must the kernel look like?",
    ];
    assert_eq!(questions, expected);
    assert!(
        ran.out.contains("   This node has been active for 3 min 5 s, epoch 7: nobody served.\n"),
        "{}",
        ran.out
    );
    let json: serde_json::Value =
        serde_json::from_str(&root.run(&["explain", "--json"]).out).expect("JSON");
    assert_eq!(json[1]["sentences"][0], "This node: serving.");
}

#[test]
fn events_are_shown_from_the_oldest_and_the_last_ones_on_demand() {
    let root = Root::new();
    let kept = || {
        vec![
            event(1, 0, What::Started { boot: BootId([1; 16]) }, "guard started"),
            event(2, 1_500, What::Reloaded, "settings read again"),
            Answer::Done,
        ]
    };
    let socket = Socket::answering(&root, vec![kept(), kept(), kept()]);
    let texts =
        |out: &str| -> Vec<String> { out.lines().map(|line| line[25..].to_owned()).collect() };
    assert_eq!(
        texts(&root.run(&["events"]).out),
        ["   1  guard started", "   2  settings read again"]
    );
    assert_eq!(texts(&root.run(&["events", "--last", "1"]).out), ["   2  settings read again"]);
    let json: serde_json::Value =
        serde_json::from_str(&root.run(&["events", "--last", "1", "--json"]).out).expect("JSON");
    assert_eq!(
        (json["number"].as_u64(), json["note"]["what"].as_str()),
        (Some(2), Some("reloaded"))
    );
    let all = || Request::Events { after: 0 };
    assert_eq!(socket.requests(), [all(), all(), all()]);
}

#[test]
fn following_events_goes_on_where_the_kept_ones_end() {
    let root = Root::new();
    let kept = vec![event(7, 0, What::Reloaded, "seven"), Answer::Done];
    // The real guard ends each batch with 'done' and shows life by empty lines.
    let line = |answer: Answer| serde_json::to_string(&answer).expect("an answer") + "\n";
    let new = line(Answer::Done) + "\n\n" + &line(event(8, 9, What::DoubtEnded, "eight"));
    let kept = kept.into_iter().map(line).collect::<String>();
    let socket = Socket::sending(&root, vec![kept.into_bytes(), new.into_bytes()]);
    let ran = root.run(&["events", "--follow"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(3), "twinwall: the guard has ended\n"));
    assert!(ran.out.contains("   7  seven\n") && ran.out.ends_with("   8  eight\n"), "{}", ran.out);
    assert_eq!(socket.requests(), [Request::Events { after: 0 }, Request::Follow { after: 7 }]);
}
