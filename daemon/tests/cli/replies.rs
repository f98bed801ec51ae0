//! Orders and what becomes of them.

use std::fs;
use std::time::Duration;

use twinwall_core::api::{Answer, Input, Request};
use twinwall_core::beat::RoleWord;
use twinwall_core::event::{Event, Fact, Order, Refusal};
use twinwall_core::ids::Epoch;
use twinwall_core::note::{Reason, What};
use twinwall_core::time::Moment;

use crate::support::{Root, Socket, event, healthy};

fn role(from: RoleWord, to: RoleWord) -> What {
    What::Role { from, to, epoch: Epoch(8), reason: Reason::Switchover }
}

/// A status in which this node has let go and the peer has this role.
fn look(peer: RoleWord) -> Vec<Answer> {
    both(RoleWord::Passive, peer)
}

/// A status with these two roles.
fn both(own: RoleWord, peer: RoleWord) -> Vec<Answer> {
    let mut status = healthy();
    status.snapshot.role.role = own;
    status.snapshot.peer.role = Some(peer);
    vec![Answer::Status(Box::new(status))]
}

/// A switchover with these answers: events kept, events that follow, the order, each look at the status.
fn switchover(
    follow: Vec<Answer>,
    order: Answer,
    looks: Vec<Vec<Answer>>,
) -> (crate::support::Ran, Vec<Request>) {
    let root = Root::new();
    let kept = vec![event(4, 0, What::Reloaded, "old"), Answer::Done];
    let connections = [vec![kept, follow, vec![order]], looks].concat();
    let socket = Socket::answering(&root, connections);
    let ran = root.run(&["switchover"]);
    (ran, socket.requests())
}

#[test]
fn a_switchover_says_what_happened_and_how_long_it_took() {
    let follow = vec![
        Answer::Done,
        event(
            5,
            1_000,
            What::HandoverAsked { epoch: Epoch(8), reason: Reason::Switchover },
            "handover asked",
        ),
        event(6, 1_004, role(RoleWord::Active, RoleWord::Releasing), "active -> releasing"),
        event(7, 1_305, role(RoleWord::Releasing, RoleWord::Passive), "releasing -> passive"),
    ];
    let (ran, requests) =
        switchover(follow, Answer::Done, vec![look(RoleWord::Claiming), look(RoleWord::Active)]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(
        ran.out.contains("handover asked\n")
            && ran.out.ends_with(
                "The other node serves.\n\
                 Measured by this node's clock: it was ready 4 ms after it was asked; then this node stopped answering, and 301 ms later forwarding.\n\
                 Not measured: for how long nobody answered; only a client sees that.\n"
            ),
        "{}",
        ran.out
    );
    let order = Request::Order { order: Order::Switchover };
    let first = [Request::Events { after: 0 }, Request::Follow { after: 4 }, order];
    assert_eq!(requests, [first.as_slice(), &[Request::Status {}, Request::Status {}]].concat());
}

#[test]
fn a_switchover_in_which_the_node_stops_at_once_claims_no_measurement() {
    let yielded = What::Role {
        from: RoleWord::Active,
        to: RoleWord::Passive,
        epoch: Epoch(8),
        reason: Reason::LeaseRanOut,
    };
    let follow = vec![event(5, 1_305, yielded, "active -> passive")];
    let (ran, _) = switchover(follow, Answer::Done, vec![look(RoleWord::Active)]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let line = "clock: nothing, it stopped serving at once (the peer did not confirm our beats in time).\n";
    assert!(ran.out.contains(line), "{}", ran.out);
}

#[test]
fn a_switchover_that_comes_back_before_it_ended_is_a_problem() {
    let follow = vec![
        event(5, 1_000, role(RoleWord::Active, RoleWord::Releasing), "active -> releasing"),
        event(6, 1_100, role(RoleWord::Releasing, RoleWord::Claiming), "releasing -> claiming"),
        event(7, 1_101, role(RoleWord::Claiming, RoleWord::Active), "claiming -> active"),
    ];
    let (ran, _) = switchover(follow, Answer::Done, Vec::new());
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("this node serves again"), "{}", ran.err);
}

#[test]
fn a_switchover_whose_new_active_dies_at_once_is_a_problem() {
    let follow = vec![
        Answer::Done,
        event(5, 1_305, role(RoleWord::Releasing, RoleWord::Passive), "passive"),
    ];
    let looks = vec![both(RoleWord::Active, RoleWord::Active)];
    let (ran, _) = switchover(follow, Answer::Done, looks);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("this node serves again"), "{}", ran.err);
}

#[test]
fn a_switchover_that_is_given_up_or_refused_or_stuck_is_a_problem() {
    let given_up = vec![event(5, 1_000, What::HandoverGivenUp { epoch: Epoch(8) }, "given up")];
    let (ran, _) = switchover(given_up, Answer::Done, Vec::new());
    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.err,
        "twinwall: the other node did not become ready in time; this node goes on serving. See 'twinwall status' there\n"
    );

    let refused = Answer::Refused { why: Refusal::NotActive };
    let (ran, _) = switchover(Vec::new(), refused, Vec::new());
    ran.assert(
        1,
        "",
        "twinwall: refused: this node is not active; give the order on the active node\n",
    );
}

#[test]
fn a_switchover_without_a_decision_ends_in_time() {
    let root = Root::new();
    let kept = vec![Answer::Done];
    // One connection more than the command makes keeps the others open.
    let socket =
        Socket::answering(&root, vec![kept, Vec::new(), vec![Answer::Done], vec![Answer::Done]]);
    let ran = root.run(&["switchover", "--timeout", "200ms"]);
    ran.assert(
        1,
        "",
        "twinwall: nothing is decided after 200 ms; see 'twinwall status' and 'twinwall events'\n",
    );
    root.run(&["reload"]);
    assert_eq!(socket.requests().len(), 4);
}

#[test]
fn orders_reach_the_guard_with_their_values() {
    let root = Root::new();
    let done = || vec![Answer::Done];
    let socket = Socket::answering(&root, vec![done(), done(), done(), done(), done()]);
    root.run(&["maintenance", "on", "--for", "90m"]).assert(
        0,
        "Maintenance is on and ends by itself in 1 h 30 min. An active node hands over first: see 'twinwall status'.\n",
        "",
    );
    root.run(&["maintenance", "off"]).assert(
        0,
        "Maintenance is off; this node may serve again.\n",
        "",
    );
    root.run(&["clear-damping"]).assert(0, "Held interfaces count again.\n", "");
    root.run(&["reload"]).assert(0, "The settings were read again.\n", "");
    let said = root.run(&["fact", "dns", "bad", "--reason", "no answer", "--for", "5m"]);
    assert!(said.out.starts_with("dns is bad for 5 min, until 20"), "{said:?}");
    let fact = Fact {
        name: "dns".to_owned(),
        good: false,
        reason: "no answer".to_owned(),
        holds: Duration::from_secs(300),
    };
    let expected = [
        Request::Order { order: Order::MaintenanceOn { lasts: Duration::from_secs(5_400) } },
        Request::Order { order: Order::MaintenanceOff },
        Request::Order { order: Order::ClearDamping },
        Request::Reload {},
        Request::Fact { fact },
    ];
    assert_eq!(socket.requests(), expected);
}

#[test]
fn each_refusal_says_what_to_do() {
    let cases = [
        (Refusal::PeerSilent, "the peer cannot be heard"),
        (Refusal::PeerNotFit, "the peer is worse off than this node"),
        (Refusal::PeerNotReady, "the peer's own addresses cannot be used yet"),
        (Refusal::Busy, "another move is under way"),
        (Refusal::NobodyElse, "nobody else could serve"),
    ];
    for (why, text) in cases {
        let root = Root::new();
        let _socket = Socket::answering(&root, vec![vec![Answer::Refused { why }]]);
        let ran = root.run(&["maintenance", "on"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
        assert!(ran.err.starts_with(&format!("twinwall: refused: {text}; ")), "{}", ran.err);
    }
}

#[test]
fn an_error_of_the_guard_is_passed_on_word_for_word() {
    let root = Root::new();
    let message = "pair.toml:4: heartbeat.interval = 0: out of range; write more".to_owned();
    let _socket = Socket::answering(&root, vec![vec![Answer::Error { message: message.clone() }]]);
    root.run(&["reload"]).assert(1, "", &format!("twinwall: {message}\n"));
}

#[test]
fn a_bad_fact_needs_a_reason() {
    for arguments in [&["fact", "dns", "bad"][..], &["fact", "dns", "bad", "--reason", ""]] {
        let ran = Root::new().run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
        assert!(ran.err.contains("--reason <REASON>"), "{}", ran.err);
    }
}

#[test]
fn a_recording_holds_each_input_on_a_line_and_replaces_no_file() {
    let root = Root::new();
    let input = |start: Option<&str>| {
        let event = if start.is_some() { None } else { Some(Event::Deadline) };
        Answer::Input(Box::new(Input {
            at: Moment::from_millis(5),
            event,
            start: start.map(str::to_owned),
        }))
    };
    let inputs = || vec![input(Some("setup")), input(None)];
    let socket = Socket::answering(&root, vec![inputs()]);
    let file = root.path("recording.jsonl");
    let name = file.to_str().expect("a name");
    let ran = root.run(&["record", name]);
    assert_eq!(ran.code, Some(3));
    assert!(
        ran.err.ends_with(
            "twinwall: the guard has ended; ROOT/recording.jsonl holds what came before\n"
        ),
        "{}",
        ran.err
    );
    let text = fs::read_to_string(&file).expect("the recording");
    let lines: Vec<Input> =
        text.lines().map(|line| serde_json::from_str(line).expect("an input")).collect();
    assert_eq!((lines.len(), lines[1].event.clone()), (2, Some(Event::Deadline)));
    assert_eq!(socket.requests(), [Request::Record {}]);

    fs::remove_file(root.path("run/twinwall/guard.sock")).expect("a socket");
    let socket = Socket::answering(&root, vec![inputs()]);
    let message = "twinwall: ROOT/recording.jsonl is there already; name a new file\n";
    root.run(&["record", name]).assert(1, "", message);
    assert_eq!(socket.requests(), [Request::Record {}]);
}
