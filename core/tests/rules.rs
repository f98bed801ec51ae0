//! Rules that the simulation can hardly break, because it takes two mistakes at once
//! or a peer that lies: one core, and a peer that says what a test wants. Each test
//! fails when the one line is removed that it is about.

#[allow(dead_code, reason = "the simulation uses the rest")]
mod world;

#[path = "rules/node.rs"]
mod node;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use twinwall_core::beat::{Beat, Fitness, Leaving, RoleWord};
use twinwall_core::event::{Applied, Event, Order, Output};
use twinwall_core::ids::{BootId, Epoch, PathId};
use twinwall_core::note::What;

use node::{Node, moment};
use world::settings::Settings;

/// A passive node beside a peer that is in no state to serve: it claims, and waits for
/// the peer's word.
fn claiming_beside_an_unfit_peer() -> (Node, Beat) {
    let mut node = Node::passive(Settings::plain(1));
    let unfit = Fitness { maintenance: true, healthy: 0b101, ..Fitness::default() };
    let beat = Beat { fitness: unfit, ..node.beat(RoleWord::Passive, 1) };
    node.hear(&beat);
    assert_eq!((node.role(), node.epoch()), (RoleWord::Claiming, 2));
    (node, beat)
}

#[test]
fn a_claim_beside_a_peer_that_is_heard_opens_on_its_grant_only() {
    let (mut node, passive) = claiming_beside_an_unfit_peer();
    for grant in [0, 1] {
        node.pass(5);
        let beat = Beat {
            grant: Epoch(grant),
            heard: node.beat(RoleWord::Passive, 1).heard,
            ..passive.clone()
        };
        node.hear(&beat);
        assert_eq!(node.opening, None, "granted up to {grant}, claimed under 2");
        assert_eq!(node.may_open(), None);
    }
    node.pass(5);
    let beat = Beat { grant: Epoch(2), heard: node.beat(RoleWord::Passive, 2).heard, ..passive };
    node.hear(&beat);
    assert!(node.open());
}

#[test]
fn a_claim_without_a_word_of_the_peer_is_given_up_after_a_second_and_t() {
    let (mut node, passive) = claiming_beside_an_unfit_peer();
    for _ in 0..13 {
        node.pass(95);
        assert_eq!(node.role(), RoleWord::Claiming, "at {} ms", node.time);
        let beat = Beat { heard: node.beat(RoleWord::Passive, 1).heard, ..passive.clone() };
        node.hear(&beat);
    }
    node.pass(70);
    assert_eq!((node.opening, node.epoch() > 2 || node.role() == RoleWord::Passive), (None, true));
}

#[test]
fn an_active_peer_grants_nothing_whatever_its_beat_says() {
    let mut node = Node::passive(Settings::plain(1));
    let offer = Beat { handover: Epoch(2), ..node.beat(RoleWord::Active, 1) };
    node.hear(&offer);
    assert_eq!(node.role(), RoleWord::Claiming);
    node.pass(2);
    let lie = Beat { grant: Epoch(9), handover: Epoch(2), ..node.beat(RoleWord::Active, 1) };
    node.hear(&lie);
    assert_eq!((node.opening, node.may_open()), (None, None));
}

#[test]
fn an_offer_under_an_epoch_that_is_over_is_no_offer() {
    let mut node = Node::passive(Settings::plain(1));
    let seen = node.beat(RoleWord::Active, 7);
    node.hear(&seen);
    let stale = Beat { handover: Epoch(2), ..node.beat(RoleWord::Active, 1) };
    node.hear(&stale);
    assert_eq!((node.role(), node.epoch()), (RoleWord::Passive, 7));
}

#[test]
fn a_new_claim_is_above_every_epoch_that_the_peer_has_seen() {
    let mut node = Node::active(Settings::plain(1));
    node.hear_passive(5);
    assert_eq!((node.role(), node.epoch()), (RoleWord::Active, 1));
    node.renews = false;
    // The lease runs out, and the peer is no better than this node.
    let mut claimed = None;
    for _ in 0..500 {
        node.pass(1);
        if node.role() == RoleWord::Claiming {
            claimed = Some(node.epoch());
            break;
        }
    }
    assert!(
        claimed.is_some_and(|epoch| epoch > 5),
        "a grant up to 5 is for older claims: {claimed:?}"
    );
}

#[test]
fn of_two_equal_epochs_the_one_that_serves_stays() {
    let mut node = Node::new(1, Settings::plain(1));
    node.pass(1_001);
    assert!(node.open(), "alone");
    node.pass(2);
    assert_eq!((node.role(), node.epoch()), (RoleWord::Active, 1));
    let claim = node.beat(RoleWord::Claiming, 1);
    node.hear(&claim);
    assert_eq!(node.role(), RoleWord::Active, "the primary only claims");
}

/// Seed 2776 found it: a starved node went active behind a gate that had shut.
#[test]
fn a_claimant_whose_lease_was_lost_before_its_addresses_came_is_not_active() {
    let mut node = Node::passive(Settings::plain(1));
    node.applies = false;
    node.pass(301);
    assert!(node.open(), "the peer is silent");
    // Its next renewal comes too late for the kernel; then the addresses are there.
    node.renews = false;
    node.pass(130);
    assert!(node.opening.is_some(), "it asks to open again");
    node.apply();
    assert_eq!(node.role(), RoleWord::Claiming, "the gate is shut");
    node.renews = true;
    assert!(node.open());
    assert_eq!(node.role(), RoleWord::Active);
}

#[test]
fn a_confirmation_that_leaves_no_time_opens_nothing() {
    let (mut node, passive) = claiming_beside_an_unfit_peer();
    node.pass(5);
    let old = node.beat(RoleWord::Passive, 2).heard;
    for _ in 0..3 {
        node.pass(90);
        node.hear(&passive);
    }
    node.pass(19);
    let beat = Beat { grant: Epoch(2), heard: old, ..passive };
    node.hear(&beat);
    assert_eq!(node.opening, None, "a millisecond is left of {} ms", node.time);
}

#[test]
fn the_role_is_released_to_the_claim_that_was_asked_for() {
    let mut node = Node::active(Settings::plain(1));
    node.hear_passive(1);
    node.feed(Event::Order(Order::Switchover));
    let other = Beat { ready: true, ..node.beat(RoleWord::Claiming, 1) };
    node.hear(&other);
    assert_eq!(node.role(), RoleWord::Active);
    let asked = Beat { ready: true, ..node.beat(RoleWord::Claiming, 2) };
    node.hear(&asked);
    assert_eq!(node.role(), RoleWord::Releasing);
}

/// A claimant to whom the peer said goodbye, about to open.
fn about_to_open() -> Node {
    let mut node = Node::passive(Settings::plain(1));
    let goodbye = Beat { leaving: Some(Leaving::Shutdown), ..node.beat(RoleWord::Passive, 1) };
    node.hear(&goodbye);
    assert!(node.opening.is_some() && node.may_open().is_some());
    node
}

#[test]
fn an_opening_is_withdrawn_when_the_node_was_kept_from_running() {
    let mut node = about_to_open();
    node.read(Event::Late { by: Duration::from_millis(20) });
    assert_eq!(node.may_open(), None, "what waited meanwhile is not read yet");
}

#[test]
fn an_opening_is_withdrawn_while_a_grant_waits_to_be_sent() {
    let mut node = about_to_open();
    let higher = node.beat(RoleWord::Active, 9);
    for event in node.words(&higher) {
        node.read(event);
    }
    assert_eq!((node.role(), node.may_open()), (RoleWord::Passive, None));
    // Its answer, which grants, is not out yet when the peer is gone again.
    let goodbye = Beat { leaving: Some(Leaving::Shutdown), ..node.beat(RoleWord::Passive, 9) };
    for event in node.words(&goodbye) {
        node.read(event);
    }
    assert_eq!(node.role(), RoleWord::Claiming);
    assert_eq!(node.may_open(), None);
}

#[test]
fn an_opening_is_withdrawn_when_the_target_answered_too_long_ago() {
    let mut settings = Settings::plain(1);
    settings.pair.ping_targets = vec![IpAddr::V4(Ipv4Addr::new(10, 2, 0, 254))];
    let mut node = Node::passive(settings);
    node.pass(155);
    node.feed(Event::TargetAnswered { target: 0 });
    node.pass(146);
    assert!(node.opening.is_some() && node.may_open().is_some());
    node.time += 4;
    assert_eq!(node.may_open(), None);
}

#[test]
fn a_gate_is_reopened_for_no_longer_than_the_peer_confirmed() {
    let mut node = Node::active(Settings::plain(1));
    node.hear_passive(1);
    let confirmed = moment(node.time);
    node.renews = false;
    node.pass(98);
    node.hear_passive(1);
    assert!(node.opening.is_some(), "the kernel's lease had run out");
    node.time += 3;
    let until = node.may_open().expect("the peer is there");
    assert!(until <= confirmed + Duration::from_millis(98 + 290), "{until} is longer");
}

/// The HA cable of a passive node is pulled; its peer's kernel answers nothing.
fn evidence(node: &mut Node, millis: u64) {
    node.feed(Event::HaCarrier { up: false });
    node.pass(millis);
}

#[test]
fn an_answer_after_the_last_round_withdraws_the_opening() {
    let mut node = Node::passive(Settings::plain(1));
    evidence(&mut node, 20);
    assert!(node.opening.is_some() && node.may_open().is_some(), "three rounds stayed unanswered");
    node.read(Event::KernelAnswered { path: PathId(1) });
    assert_eq!(node.may_open(), None);
}

#[test]
fn a_node_that_was_kept_from_running_asks_all_rounds_again() {
    let mut node = Node::passive(Settings::plain(1));
    evidence(&mut node, 11);
    assert_eq!(node.role(), RoleWord::Passive);
    node.time += 8;
    node.feed(Event::Late { by: Duration::from_millis(8) });
    node.feed(Event::Deadline);
    node.pass(4);
    assert_eq!(node.role(), RoleWord::Passive, "two rounds from before do not count");
}

#[test]
fn evidence_opens_no_claim_that_was_begun_for_another_reason() {
    let mut node = Node::passive(Settings::plain(1));
    let offer = Beat { handover: Epoch(2), ..node.beat(RoleWord::Active, 1) };
    node.hear(&offer);
    assert_eq!(node.role(), RoleWord::Claiming);
    evidence(&mut node, 20);
    assert_eq!((node.opening, node.may_open()), (None, None), "nobody said why it opens");
    node.pass(300);
    assert!(node.open(), "the peer is silent");
}

#[test]
fn an_answer_from_before_the_peers_last_beat_is_none() {
    let mut settings = Settings::plain(1);
    settings.pair.interval = Duration::from_millis(20);
    settings.pair.ping_targets = vec![IpAddr::V4(Ipv4Addr::new(10, 2, 0, 254))];
    let mut node = Node::active(settings);
    node.feed(Event::TargetAnswered { target: 0 });
    node.pass(2);
    node.hear_passive(1);
    node.pass(55);
    assert_ne!(node.role(), RoleWord::Active, "peer and targets are silent since");
}

#[test]
fn a_node_that_asks_again_reopens_on_a_confirmation_only() {
    let mut node = Node::active(Settings::plain(1));
    node.hear_passive(1);
    node.pass(150);
    node.time += 145;
    let goodbye = Beat { leaving: Some(Leaving::Shutdown), ..node.beat(RoleWord::Passive, 1) };
    node.feed(Event::Late { by: Duration::from_millis(100) });
    node.hear(&goodbye);
    node.feed(Event::Deadline);
    // The goodbye may be older than the peer's next run.
    assert!(node.role() != RoleWord::Active && node.epoch() > 1, "{:?}", node.role());
}

#[test]
fn settings_that_are_read_again_tell_nothing_of_addresses_that_stay_as_they_are() {
    let mut node = Node::passive(Settings::plain(1));
    let now = moment(node.time);
    let pair = Settings::plain(1).setup(0, BootId([1; 16])).pair;
    let mut told = |outcome: Applied| {
        node.core.reload(now, pair.clone()).expect("taken over");
        let mut outputs: Vec<Output> = std::iter::from_fn(|| node.core.poll_output()).collect();
        let wanted = outputs.iter().find_map(|output| match output {
            Output::Want(desired) => Some(desired.generation),
            _ => None,
        });
        let generation = wanted.expect("wanted anew");
        node.core.handle(now, Event::Applied { generation, outcome });
        outputs.extend(std::iter::from_fn(|| node.core.poll_output()));
        let addresses = |output: &&Output| match output {
            Output::Note(note) => matches!(note.what, What::Addresses { .. }),
            _ => false,
        };
        outputs.iter().filter(addresses).count()
    };
    assert_eq!(told(Applied::Unchanged), 0);
    assert_eq!(told(Applied::Done), 1, "a leftover was removed");
}
