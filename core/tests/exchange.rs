//! The session between two ends, by scripts: those that must settle, and what each
//! step must come to. The scripts' language and what holds for all: `exchange/pair.rs`.

#[path = "exchange/pair.rs"]
#[allow(dead_code, reason = "the fuzz target uses the rest")]
mod pair;

use twinwall_core::beat::Beat;
use twinwall_core::ids::PathId;
use twinwall_core::wire::{MAX_FRAME, Received, Refused, Session};

use pair::Step::{Delay, Deliver, DeliverAll, Lose, LoseAll, Rekey, ReplayAll, Restart, Tick};
use pair::{P, Pair, S, Step, beat, boot};

const EVERY_STEP: [Step; 11] = [
    Tick(P),
    Tick(S),
    Restart(P),
    Restart(S),
    Rekey(P),
    Rekey(S),
    Deliver(0),
    Lose(0),
    Delay,
    DeliverAll,
    ReplayAll,
];

fn hello(session: &mut Session, path: PathId) -> Vec<u8> {
    let mut out = [0; MAX_FRAME];
    let length = session.hello(path, &mut out);
    out[..length].to_vec()
}

fn sealed(session: &mut Session, path: PathId, beat: &Beat) -> Vec<u8> {
    let mut out = [0; MAX_FRAME];
    let length = session.seal_beat(path, beat, &mut out).expect("a session");
    out[..length].to_vec()
}

#[test]
fn scripts_that_settle() {
    let up = [Tick(P), DeliverAll];
    let table: &[(&str, &[Step])] = &[
        ("one hello is enough", &[]),
        ("crossing hellos", &[Restart(P), Restart(S), Tick(P), Tick(S), DeliverAll]),
        ("the secondary restarts", &[Restart(S), Tick(S), DeliverAll]),
        ("the primary restarts", &[Restart(P), Tick(P), DeliverAll]),
        ("the end that stayed speaks first", &[Restart(S), Tick(P), Tick(S), DeliverAll]),
        ("both restart", &[Restart(P), Restart(S), Tick(S), DeliverAll]),
        ("a restart with beats under way", &[Tick(P), Tick(S), Restart(S), Tick(S), DeliverAll]),
        ("the first hello is lost", &[Restart(S), Tick(S), LoseAll, Tick(S), DeliverAll]),
        ("the answer is lost", &[Restart(S), Tick(S), Deliver(0), Lose(0), Tick(S), DeliverAll]),
        (
            "the proof is lost, the beat under it is not",
            &[
                Restart(S),
                Tick(S),
                Deliver(0),
                Deliver(0),
                Lose(0),
                DeliverAll,
                Tick(S),
                DeliverAll,
            ],
        ),
        (
            "two restarts in a row",
            &[Restart(S), Tick(S), Deliver(0), Restart(S), Tick(S), DeliverAll],
        ),
        ("a replay of all that was sent", &[ReplayAll, DeliverAll]),
        ("a replay while the peer is away", &[Restart(S), ReplayAll, LoseAll, Tick(S), DeliverAll]),
        (
            "a replay right after a restart",
            &[Restart(S), Tick(S), ReplayAll, DeliverAll, Tick(S), DeliverAll],
        ),
    ];
    for (name, script) in table {
        let pair = Pair::played(&[&up, *script].concat());
        assert!(pair.is_settled(), "{name}: {:?}", pair.ends);
    }
}

#[test]
fn a_restarted_peer_is_heard_after_one_round_trip() {
    let mut pair = Pair::played(&[Tick(P), DeliverAll, Restart(S), Tick(S)]);
    pair.step(Deliver(0));
    assert_eq!(pair.flight.len(), 1, "the answer");
    pair.step(Deliver(0));
    assert_eq!(pair.flight.len(), 2, "the proof and a beat, without waiting for the interval");
    pair.step(Deliver(0));
    pair.step(Deliver(0));
    assert_eq!(pair.ends[P].peer(), Some(pair.boots[S]));
    pair.step(DeliverAll);
    assert!(pair.is_settled());
}

#[test]
fn a_recorded_hello_of_an_ended_run_changes_nothing() {
    let mut pair = Pair::played(&[Tick(P), DeliverAll, Restart(S), Tick(S), DeliverAll]);
    assert!(pair.is_settled());
    pair.step(ReplayAll);
    assert!(pair.is_settled(), "still settled with the present run");
    pair.step(LoseAll);
    pair.step(Tick(P));
    let (to, frame) = pair.flight.pop_front().expect("a beat");
    assert!(matches!(pair.ends[to].receive(pair.now, PathId::HA, &frame), Ok(Received::Beat(_))));
}

#[test]
fn the_old_session_goes_on_until_the_new_run_is_confirmed() {
    let mut pair = Pair::played(&[Tick(P), DeliverAll]);
    let late = sealed(&mut pair.ends[S], PathId::HA, &beat(90));
    let later = sealed(&mut pair.ends[S], PathId::HA, &beat(91));
    // Hello, answer, proof: the primary holds a candidate, without a beat of it.
    for step in [Restart(S), Tick(S), Deliver(0), Deliver(0), Deliver(0)] {
        pair.step(step);
    }
    assert!(pair.ends[P].wants_hello());
    assert!(matches!(pair.ends[P].receive(pair.now, PathId::HA, &late), Ok(Received::Beat(_))));
    pair.step(DeliverAll);
    assert!(pair.is_settled());
    assert_eq!(
        pair.ends[P].receive(pair.now, PathId::HA, &later),
        Err(Refused::NotAuthentic),
        "the old run has ended"
    );
}

#[test]
fn a_recorded_hello_of_the_present_run_does_not_spoil_the_proof() {
    let mut pair = Pair::played(&[Tick(P), DeliverAll, Restart(S), Tick(S), DeliverAll]);
    let (_, first_hello) = pair.recorded[0].clone();
    for step in [Restart(S), Tick(S), Deliver(0), Deliver(0), LoseAll] {
        pair.step(step);
    }
    let replayed = pair.ends[S].receive(pair.now, PathId::HA, &first_hello);
    assert!(matches!(replayed, Ok(Received::Hello { .. })), "the secondary listens to it");
    let greeting = hello(&mut pair.ends[S], PathId::HA);
    assert_eq!(
        pair.ends[P].receive(pair.now, PathId::HA, &greeting),
        Ok(Received::Hello { answer: false, new_run: true }),
        "the next hello echoes the newest one, not the replayed one"
    );
}

#[test]
fn an_ended_run_that_is_heard_late_does_not_lock_the_living_one_out() {
    let mut pair = Pair::played(&[Tick(P), Deliver(0), Deliver(0)]);
    let late: Vec<_> = pair.flight.drain(..).collect();
    assert_eq!(late.len(), 2, "a proof and a beat that are on their way for long");
    for step in [Restart(P), Tick(P), Deliver(0), Deliver(0), LoseAll] {
        pair.step(step);
    }
    for (to, frame) in late {
        pair.arrive(to, &frame);
    }
    assert_eq!(pair.ends[S].peer(), Some(boot(1)), "the ended run, for want of better knowledge");
    for step in [Tick(P), Tick(S), DeliverAll, Tick(P), Tick(S), DeliverAll] {
        pair.step(step);
    }
    assert!(pair.is_settled(), "{:?}", pair.ends);
}

fn assert_settles(script: &[Step]) {
    let mut pair = Pair::played(script);
    pair.rest();
    assert!(pair.is_settled(), "after {script:?}: {:?}", pair.ends);
}

#[test]
fn every_script_of_three_steps_settles_in_two_rounds() {
    for number in 0..EVERY_STEP.len().pow(3) {
        let script: Vec<Step> = (0..3)
            .map(|place| EVERY_STEP[number / EVERY_STEP.len().pow(place) % EVERY_STEP.len()])
            .collect();
        assert_settles(&[&[Tick(P), DeliverAll], script.as_slice()].concat());
    }
}

#[test]
fn long_random_scripts_settle_in_two_rounds() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..300 {
        let mut script = Vec::new();
        for _ in 0..40 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            script.push(EVERY_STEP[(random >> 33) as usize % EVERY_STEP.len()]);
        }
        assert_settles(&script);
    }
}
