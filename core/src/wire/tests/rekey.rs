//! Keys that are changed while both nodes go on.

use super::*;
use crate::wire::{PairKeys, Refused};

const OLD: u8 = 7;
const NEW: u8 = 8;

fn keys(used: u8, also: Option<u8>) -> PairKeys {
    PairKeys { key: key(used), also: also.map(key) }
}

/// A beat each way is taken, and nobody asks for a hello.
fn talks(primary: &mut Session, secondary: &mut Session, number: u64) {
    for (from, to) in [(0, 1), (1, 0)] {
        let ends = [&mut *primary, &mut *secondary];
        let frame = sealed(ends[from], PathId::HA, &beat(number));
        let heard = ends[to].receive(Moment::ZERO, PathId::HA, &frame).expect("a beat");
        assert_eq!(received_beat(heard).sequence, Sequence(number));
    }
    assert!(!primary.wants_hello() && !secondary.wants_hello());
}

/// A new run of a node with these keys and the other one find each other.
fn meets(new: &mut Session, other: &mut Session) {
    let first = hello(new, PathId::HA);
    other.receive(Moment::ZERO, PathId::HA, &first).expect("a hello");
    let second = hello(other, PathId::HA);
    new.receive(Moment::ZERO, PathId::HA, &second).expect("a hello");
    let third = hello(new, PathId::HA);
    other.receive(Moment::ZERO, PathId::HA, &third).expect("a hello");
}

/// The steps of a node: the new key is taken as well, it is used, the old one is dropped.
fn steps() -> [PairKeys; 3] {
    [keys(OLD, Some(NEW)), keys(NEW, Some(OLD)), keys(NEW, None)]
}

#[test]
fn both_go_through_the_steps_one_after_the_other_and_every_beat_is_taken() {
    for primary_first in [true, false] {
        let (mut primary, mut secondary) = settled();
        let mut number = 1;
        for step in steps() {
            for primary_turn in [primary_first, !primary_first] {
                let turn = if primary_turn { &mut primary } else { &mut secondary };
                assert!(turn.rekey(&step) && turn.rekey(&step), "a step twice is the same");
                number += 1;
                talks(&mut primary, &mut secondary, number);
            }
        }
        assert_eq!((primary.peer(), secondary.peer()), (Some(boot(2)), Some(boot(1))));
    }
}

#[test]
fn a_node_that_starts_anew_at_any_step_is_met_by_the_other_at_the_same_or_the_next() {
    let all = [vec![keys(OLD, None)], steps().to_vec()].concat();
    for at in 0..all.len() {
        for other in at..(at + 2).min(all.len()) {
            for (mine, theirs) in [(at, other), (other, at)] {
                let start = |step: &PairKeys, me, run| {
                    let mut session = Session::new(&step.key, PAIR_ID, me, boot(run));
                    assert!(session.rekey(step));
                    session
                };
                let mut secondary = start(&all[theirs], Designation::Secondary, 2);
                let mut before = start(&all[theirs], Designation::Primary, 1);
                meets(&mut before, &mut secondary);
                talks(&mut before, &mut secondary, 1);
                let mut new = start(&all[mine], Designation::Primary, 3);
                meets(&mut new, &mut secondary);
                talks(&mut new, &mut secondary, 2);
            }
        }
    }
}

#[test]
fn a_key_that_the_peer_uses_is_not_dropped_and_one_that_it_may_not_take_is_not_used() {
    let (mut primary, mut secondary) = settled();
    assert!(!primary.rekey(&keys(NEW, None)) && !primary.rekey(&keys(NEW, Some(OLD))));
    talks(&mut primary, &mut secondary, 2);
    assert!(primary.rekey(&keys(OLD, Some(NEW))));
    assert!(!primary.rekey(&keys(NEW, None)), "the peer seals with the old one");
    assert!(secondary.rekey(&keys(OLD, Some(NEW))) && secondary.rekey(&keys(NEW, Some(OLD))));
    assert!(!secondary.rekey(&keys(NEW, None)), "the peer still seals with the old one");
    talks(&mut primary, &mut secondary, 3);
    assert!(!primary.rekey(&keys(OLD, None)), "the peer seals with the new one");
    assert!(secondary.rekey(&keys(OLD, Some(NEW))), "a step back");
    talks(&mut primary, &mut secondary, 4);
    assert!(primary.rekey(&keys(OLD, None)), "and another");
    talks(&mut primary, &mut secondary, 5);
}

#[test]
fn what_was_sealed_or_recorded_under_a_dropped_key_is_refused() {
    let (mut primary, mut secondary) = settled();
    let recorded = [hello(&mut primary, PathId::HA), sealed(&mut primary, PathId::HA, &beat(9))];
    for step in steps() {
        assert!(primary.rekey(&step) && secondary.rekey(&step));
        talks(&mut primary, &mut secondary, 10);
    }
    for frame in recorded {
        let refused = secondary.receive(Moment::ZERO, PathId::HA, &frame).expect_err("dropped");
        assert_eq!(refused, Refused::NotAuthentic);
    }
}

#[test]
fn a_beat_is_taken_once_whatever_key_sealed_it() {
    let (mut primary, mut secondary) = settled();
    let late = sealed(&mut primary, PathId::HA, &beat(2));
    for step in &steps()[..2] {
        assert!(primary.rekey(step) && secondary.rekey(step));
    }
    secondary.receive(Moment::ZERO, PathId::HA, &late).expect("it was on its way");
    let again = secondary.receive(Moment::ZERO, PathId::HA, &late).expect_err("twice");
    assert_eq!(again, Refused::Duplicate);
}
