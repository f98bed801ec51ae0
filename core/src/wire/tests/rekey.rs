//! Keys that are changed while both nodes go on.

use super::*;
use crate::wire::{PairKeys, Refused, RekeyRefused};

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
                turn.rekey(&step).expect("a step");
                turn.rekey(&step).expect("a step twice is the same");
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
                    session.rekey(step).expect("it knows no peer");
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
fn a_key_that_the_peer_uses_is_not_dropped_and_one_that_it_does_not_take_is_not_used() {
    let (not_taken, still_used) = (Err(RekeyRefused::NotTaken), Err(RekeyRefused::StillUsed));
    let (mut primary, mut secondary) = settled();
    for sudden in [keys(NEW, None), keys(NEW, Some(OLD))] {
        assert_eq!(primary.rekey(&sudden), not_taken);
    }
    talks(&mut primary, &mut secondary, 2);
    assert_eq!(primary.rekey(&keys(OLD, Some(NEW))), Ok(()));
    talks(&mut primary, &mut secondary, 3);
    assert_eq!(primary.rekey(&keys(NEW, Some(OLD))), not_taken, "only this node takes it");
    assert_eq!(secondary.rekey(&keys(OLD, Some(NEW))), Ok(()));
    assert_eq!(primary.rekey(&keys(NEW, Some(OLD))), not_taken, "the peer has not said so yet");
    talks(&mut primary, &mut secondary, 4);
    assert_eq!(primary.rekey(&keys(NEW, None)), still_used);
    assert_eq!(secondary.rekey(&keys(NEW, Some(OLD))), Ok(()));
    assert_eq!(secondary.rekey(&keys(NEW, None)), still_used);
    talks(&mut primary, &mut secondary, 5);
    assert_eq!(primary.rekey(&keys(OLD, None)), still_used);
    assert_eq!(secondary.rekey(&keys(OLD, Some(NEW))), Ok(()), "a step back");
    talks(&mut primary, &mut secondary, 6);
    assert_eq!(primary.rekey(&keys(OLD, None)), Ok(()), "and another");
    talks(&mut primary, &mut secondary, 7);
    assert_eq!(secondary.rekey(&keys(NEW, Some(OLD))), not_taken, "it is taken no more");
}

#[test]
fn of_beats_that_overtake_each_other_the_newest_says_what_is_taken() {
    let (mut primary, mut secondary) = settled();
    let late = sealed(&mut secondary, PathId::HA, &beat(2));
    for end in [&mut primary, &mut secondary] {
        end.rekey(&keys(OLD, Some(NEW))).expect("a step");
    }
    talks(&mut primary, &mut secondary, 3);
    primary.receive(Moment::ZERO, PathId::HA, &late).expect("it was on its way");
    assert_eq!(primary.rekey(&keys(NEW, Some(OLD))), Ok(()));
}

#[test]
fn what_was_sealed_or_recorded_under_a_dropped_key_is_refused() {
    let (mut primary, mut secondary) = settled();
    let recorded = [hello(&mut primary, PathId::HA), sealed(&mut primary, PathId::HA, &beat(9))];
    for step in steps() {
        primary.rekey(&step).expect("a step");
        secondary.rekey(&step).expect("a step");
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
    for (number, step) in (3..).zip(&steps()[..2]) {
        primary.rekey(step).expect("a step");
        secondary.rekey(step).expect("a step");
        talks(&mut primary, &mut secondary, number);
    }
    secondary.receive(Moment::ZERO, PathId::HA, &late).expect("it was on its way");
    let again = secondary.receive(Moment::ZERO, PathId::HA, &late).expect_err("twice");
    assert_eq!(again, Refused::Duplicate);
}
