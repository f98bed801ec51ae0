//! The sentences for the situations that an operator meets, word for word.

use crate::api::Status;

use super::*;
use crate::api::Missing;
use crate::ids::{Epoch, Generation};
use crate::note::Reason;
use crate::snapshot::{DesiredView, ElectionView, RoleView};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn path_view(interface: &str, silence: u64) -> PathView {
    let silence = Some(ms(silence));
    let alive = silence < Some(ms(300));
    PathView {
        interface: interface.into(),
        carrier: true,
        peer_carrier: true,
        alive,
        silence,
        heard: 900,
    }
}

/// The active node of a healthy pair; the tests of the command show the same one.
fn healthy() -> Status {
    serde_json::from_str(include_str!("../../tests/status/healthy.json")).expect("a status")
}

fn text(status: &Status) -> String {
    let mut text = String::new();
    for answer in explain(&status.snapshot) {
        text += &format!("{}\n", answer.question);
        for sentence in answer.sentences {
            text += &format!("  {sentence}\n");
        }
    }
    text
}

#[test]
fn a_healthy_active_node_explains_itself() {
    let expected = "\
What is true?
  This node is gw-a, the primary.
  It is fit.
  Healthy watched interfaces: 2 of 2.
  Check synchronised is content for 25 s more.
  The peer is alive, last heard 12 ms ago.
  It says that it is passive, epoch 7.
  It counts itself able to serve, with 2 healthy watched interfaces.
  The last confirmed beat took 0.4 ms there and back.
  Heartbeats every 100 ms, by path: ha0 heard 12 ms ago; lan heard 13 ms ago; wan heard 13 ms ago.
Who should serve?
  This node: serving.
Which role follows?
  This node has been active for 3 min 5 s, epoch 7: nobody served.
  Its lease lasts 278 ms more; each confirmed beat prolongs it.
  Next: beat in 43 ms, path silent in 280 ms.
What must the kernel look like?
  3 virtual IPs must be on its interfaces; the gate is open while the lease lasts.
  The kernel confirmed it (state 2).
";
    assert_eq!(text(&healthy()), expected);
    assert_eq!(alarms(&healthy()), Vec::<String>::new());
}

/// A passive in maintenance with a dead uplink, whose peer is silent.
fn unfit_and_alone() -> Status {
    let mut status = healthy();
    let snapshot = &mut status.snapshot;
    snapshot.own.unfit = vec!["watched interface wan is down".into(), "in maintenance".into()];
    snapshot.own.maintenance = Some(ms(5_400_000));
    snapshot.own.checks.clear();
    snapshot.interfaces[1].carrier = false;
    snapshot.interfaces[0].held = Some(ms(42_000));
    snapshot.peer.state = "silent".into();
    snapshot.peer.silence = Some(ms(3_250));
    snapshot.peer.round_trip = None;
    snapshot.peer.same_settings = false;
    snapshot.peer.fitness = Some(Fitness { maintenance: true, healthy: 1, ..Fitness::default() });
    snapshot.election = ElectionView { should_serve: "nobody".into(), reason: Reason::Isolated };
    snapshot.role = RoleView {
        role: RoleWord::Passive,
        epoch: Epoch(8),
        since: ms(3_600_000),
        reason: Reason::PeerServes,
        lease: None,
        alone: false,
    };
    snapshot.desired = DesiredView { generation: Generation(4), addresses: false, applied: false };
    snapshot.paths = vec![
        path_view("ha0", 3_250),
        PathView { carrier: false, silence: None, ..path_view("wan", 3_250) },
    ];
    snapshot.timers.clear();
    status
}

#[test]
fn an_unfit_passive_whose_peer_died_says_that_nobody_serves() {
    let status = unfit_and_alone();
    let expected = "\
What is true?
  This node is gw-a, the primary.
  It is not fit: watched interface wan is down.
  It is not fit: in maintenance.
  Maintenance ends by itself in 1 h 30 min.
  Healthy watched interfaces: 0 of 2.
  lan flapped; it counts again after 42 s without a break.
  The peer is silent on every path, last heard 3.2 s ago.
  Its pair.toml differs from ours.
  Heartbeats every 100 ms, by path: ha0 silent for 3.2 s; wan never heard, no carrier here.
Who should serve?
  Nobody: no path has carrier.
Which role follows?
  This node has been passive for 1 h, epoch 8: the other node serves.
What must the kernel look like?
  3 virtual IPs must be on no interface; the gate is closed.
  The kernel has not confirmed it yet (state 4).
";
    assert_eq!(text(&status), expected);
    let alarms = alarms(&status);
    let expected = [
        "Nobody serves, as gw-a sees it: no path has carrier.",
        "gw-a is not fit: watched interface wan is down.",
        "gw-a is not fit: in maintenance.",
        "The peer has been silent for 3.2 s: nobody could take over from gw-a.",
        "The two nodes work with different pair.toml; make them the same.",
        "The kernel does not look as wanted yet.",
    ];
    assert_eq!(alarms, expected);
}

#[test]
fn a_lost_ha_link_and_missing_protections_are_alarms() {
    let mut status = healthy();
    status.snapshot.paths[0] = path_view("ha0", 61_000);
    status.snapshot.cable_is_direct = false;
    status.snapshot.peer.fitness = Some(Fitness { check_failed: true, ..Fitness::default() });
    status.guard.addresses_present = 2;
    status.guard.missing =
        vec![Missing { name: "persist".into(), remedy: "needs Linux 6.9 or newer.".into() }];
    let expected = [
        "The peer is not fit (a check failed): nobody could take over from gw-a.",
        "HA link lost: ha0 silent for 1 min 1 s.",
        "The HA cable is declared direct, and a third station or a lasting carrier without the peer's speaks against it: lost carrier is not believed. Join the two ports by one cable, or write cable = \"switched\" in pair.toml.",
        "Only 2 of 3 virtual IPs are on the interfaces.",
        "Protection missing, persist: needs Linux 6.9 or newer.",
    ];
    assert_eq!(alarms(&status), expected);
}

#[test]
fn a_peer_that_left_and_two_actives_are_told_apart() {
    let mut status = healthy();
    status.snapshot.peer.state = "left".into();
    status.snapshot.peer.left = Some(Leaving::Shutdown);
    status.snapshot.peer.role = Some(RoleWord::Passive);
    assert_eq!(
        alarms(&status),
        ["The peer left (it shuts down or reboots): nobody could take over from gw-a."]
    );
    let mut status = healthy();
    status.snapshot.peer.role = Some(RoleWord::Active);
    assert_eq!(alarms(&status), ["Both nodes are active."]);
    // Taken over from a dead active on evidence, before its silence counts: what it said last is
    // no alarm.
    status.snapshot.peer.silence = Some(ms(90));
    status.snapshot.role.since = ms(80);
    assert!(!alarms(&status).contains(&"Both nodes are active.".to_owned()));
    status.snapshot.peer.silence = Some(ms(70));
    assert_eq!(alarms(&status), ["Both nodes are active."]);
    status.snapshot.peer.state = "silent".into();
    assert!(!alarms(&status).contains(&"Both nodes are active.".to_owned()));
}

#[test]
fn spans_are_said_in_the_unit_that_fits() {
    let cases = [
        (Duration::ZERO, "0 ms"),
        (Duration::from_micros(300), "under 1 ms"),
        (ms(999), "999 ms"),
        (ms(3_000), "3 s"),
        (ms(3_210), "3.2 s"),
        (ms(9_990), "9.9 s"),
        (ms(59_999), "59 s"),
        (ms(3_599_000), "59 min 59 s"),
        (ms(300_000), "5 min"),
        (ms(5_400_000), "1 h 30 min"),
        (ms(90_000_000), "25 h"),
        (ms(259_200_000), "3 days"),
    ];
    for (value, words) in cases {
        assert_eq!(span(value), words);
    }
}

#[test]
fn a_question_that_could_not_be_answered_yet_is_no_alarm() {
    let mut status = healthy();
    status.snapshot.cable_is_direct = false;
    status.snapshot.cable_checked = false;
    assert_eq!(alarms(&status), [""; 0]);
    let checking =
        "Whether the HA cable is direct is being checked; until then lost carrier is not believed.";
    assert!(text(&status).contains(checking));
}

#[test]
fn a_node_whose_own_addresses_cannot_be_used_says_which_and_only_lasting_troubles_alarm() {
    let mut status = healthy();
    let (checking, duplicate) = (
        "fe80::1 on lan is still being checked for duplicates",
        "another station on wan has fd02::2",
    );
    status.snapshot.own.waits_for = vec![checking.into(), duplicate.into()];
    status.snapshot.own.lasting = vec![duplicate.into()];
    status.snapshot.peer.fitness = Some(Fitness { unready: true, ..Fitness::default() });
    assert_eq!(alarms(&status), ["Another station on wan has fd02::2."]);
    let text = text(&status);
    for sentence in [
        "A planned move to this node must wait: fe80::1 on lan is still being checked for duplicates.",
        "A planned move to this node must wait: another station on wan has fd02::2.",
        "It counts itself able to serve in need, with 0 healthy watched interfaces; a planned move to it must wait for its own addresses.",
    ] {
        assert!(text.contains(sentence), "{text}");
    }
}

#[test]
fn a_peer_without_all_connections_is_said_to_be_able_in_need() {
    let mut status = healthy();
    status.snapshot.peer.fitness = Some(Fitness { behind: true, ..Fitness::default() });
    let expected = "It counts itself able to serve in need, with 0 healthy watched interfaces; a planned move to it waits until it has all connections.";
    assert!(text(&status).contains(expected), "{}", text(&status));
}
