//! Two ends and a network that a script plays with: lost, late and replayed
//! frames, restarts of either end. What must hold whatever the script:
//! a frame is accepted once; a run that ended is never heard again; no nonce is
//! used twice; and two undisturbed rounds settle the session.

use std::collections::{BTreeSet, VecDeque};

use super::*;

/// What a script is made of.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// This end sends what its interval brings: a hello if it wants one, a beat if it can.
    Tick(usize),
    /// This end starts anew.
    Restart(usize),
    /// The oldest frame in flight arrives, and its answer goes into flight.
    Deliver,
    /// The oldest frame in flight is lost.
    Lose,
    /// The oldest frame in flight is overtaken by all others.
    Delay,
    /// Everything in flight arrives, and every answer to it.
    DeliverAll,
    /// Everything in flight is lost.
    LoseAll,
    /// Every frame ever sent arrives once more; answers go into flight.
    Replay,
}

use Step::{Delay, Deliver, DeliverAll, Lose, LoseAll, Replay, Restart, Tick};

/// The primary and the secondary as indices.
const P: usize = 0;
const S: usize = 1;

const EVERY_STEP: [Step; 9] =
    [Tick(P), Tick(S), Restart(P), Restart(S), Deliver, Lose, Delay, DeliverAll, Replay];

struct Pair {
    ends: [Session; 2],
    boots: [BootId; 2],
    boots_drawn: u8,
    /// Receiver and frame.
    flight: VecDeque<(usize, Vec<u8>)>,
    recorded: Vec<(usize, Vec<u8>)>,
    accepted: BTreeSet<(BootId, Vec<u8>)>,
    nonces: BTreeSet<(BootId, Vec<u8>)>,
    now: Moment,
    sequence: u64,
}

fn end(number: usize, boot: BootId) -> Session {
    let me = if number == P { Designation::Primary } else { Designation::Secondary };
    Session::new(&key(7), PAIR_ID, me, boot)
}

impl Pair {
    fn new() -> Pair {
        Pair {
            ends: [end(P, boot(1)), end(S, boot(2))],
            boots: [boot(1), boot(2)],
            boots_drawn: 2,
            flight: VecDeque::new(),
            recorded: Vec::new(),
            accepted: BTreeSet::new(),
            nonces: BTreeSet::new(),
            now: Moment::ZERO,
            sequence: 0,
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Tick(from) => self.tick(from),
            Restart(which) => {
                self.boots_drawn += 1;
                self.boots[which] = boot(self.boots_drawn);
                self.ends[which] = end(which, self.boots[which]);
            }
            Deliver => {
                if let Some((to, frame)) = self.flight.pop_front() {
                    self.arrive(to, &frame);
                }
            }
            Lose => drop(self.flight.pop_front()),
            Delay => {
                if let Some(frame) = self.flight.pop_front() {
                    self.flight.push_back(frame);
                }
            }
            DeliverAll => self.deliver_all(),
            LoseAll => self.flight.clear(),
            Replay => {
                for (to, frame) in self.recorded.clone() {
                    self.arrive(to, &frame);
                }
            }
        }
    }

    /// An interval of an end; far enough from the last that answers are not held back.
    fn tick(&mut self, from: usize) {
        self.now += Duration::from_millis(10);
        if self.ends[from].wants_hello() {
            self.send_hello(from);
        }
        self.send_beat(from);
    }

    fn send_hello(&mut self, from: usize) {
        let frame = hello(&mut self.ends[from], PathId::HA);
        self.send(from, frame);
    }

    fn send_beat(&mut self, from: usize) {
        self.sequence += 1;
        let mut out = [0; MAX_FRAME];
        if let Some(length) = self.ends[from].seal_beat(PathId::HA, &beat(self.sequence), &mut out)
        {
            let fresh = self.nonces.insert((self.boots[from], out[5..14].to_vec()));
            assert!(fresh, "path and counter sealed twice in one run");
            self.send(from, out[..length].to_vec());
        }
    }

    fn send(&mut self, from: usize, frame: Vec<u8>) {
        self.recorded.push((1 - from, frame.clone()));
        self.flight.push_back((1 - from, frame));
    }

    fn arrive(&mut self, to: usize, frame: &[u8]) {
        let before = self.ends[to].peer();
        match self.ends[to].receive(self.now, PathId::HA, frame) {
            Ok(Received::Hello { answer, new_run }) => {
                if answer {
                    self.send_hello(to);
                }
                if new_run {
                    self.send_beat(to);
                }
            }
            Ok(Received::Beat(heard)) => {
                let fresh = self.accepted.insert((self.boots[to], frame.to_vec()));
                assert!(fresh, "one frame accepted twice");
                assert_eq!(self.ends[to].peer(), Some(heard.boot));
                // Boots are drawn in ascending order.
                assert!(
                    before.is_none_or(|before| before <= heard.boot),
                    "an ended run was heard again"
                );
            }
            Err(_refused) => {}
        }
    }

    fn deliver_all(&mut self) {
        for _ in 0..100 {
            let Some((to, frame)) = self.flight.pop_front() else { return };
            self.arrive(to, &frame);
        }
        panic!("the two ends never stop answering each other");
    }

    fn is_settled(&self) -> bool {
        let knows = |this: usize| {
            self.ends[this].peer() == Some(self.boots[1 - this]) && !self.ends[this].wants_hello()
        };
        knows(P) && knows(S)
    }
}

fn played(script: &[Step]) -> Pair {
    let mut pair = Pair::new();
    for step in script {
        pair.step(*step);
    }
    pair
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
        ("the answer is lost", &[Restart(S), Tick(S), Deliver, Lose, Tick(S), DeliverAll]),
        (
            "the proof is lost, the beat under it is not",
            &[Restart(S), Tick(S), Deliver, Deliver, Lose, DeliverAll, Tick(S), DeliverAll],
        ),
        ("two restarts in a row", &[Restart(S), Tick(S), Deliver, Restart(S), Tick(S), DeliverAll]),
        ("a replay of all that was sent", &[Replay, DeliverAll]),
        ("a replay while the peer is away", &[Restart(S), Replay, LoseAll, Tick(S), DeliverAll]),
        (
            "a replay right after a restart",
            &[Restart(S), Tick(S), Replay, DeliverAll, Tick(S), DeliverAll],
        ),
    ];
    for (name, script) in table {
        let pair = played(&[&up, *script].concat());
        assert!(pair.is_settled(), "{name}: {:?}", pair.ends);
    }
}

#[test]
fn a_restarted_peer_is_heard_after_one_round_trip() {
    let mut pair = played(&[Tick(P), DeliverAll, Restart(S), Tick(S)]);
    pair.step(Deliver);
    assert_eq!(pair.flight.len(), 1, "the answer");
    pair.step(Deliver);
    assert_eq!(pair.flight.len(), 2, "the proof and a beat, without waiting for the interval");
    pair.step(Deliver);
    pair.step(Deliver);
    assert_eq!(pair.ends[P].peer(), Some(pair.boots[S]));
    pair.step(DeliverAll);
    assert!(pair.is_settled());
}

#[test]
fn a_recorded_hello_of_an_ended_run_changes_nothing() {
    let mut pair = played(&[Tick(P), DeliverAll, Restart(S), Tick(S), DeliverAll]);
    assert!(pair.is_settled());
    pair.step(Replay);
    assert!(pair.is_settled(), "still settled with the present run");
    pair.step(LoseAll);
    pair.step(Tick(P));
    let (to, frame) = pair.flight.pop_front().expect("a beat");
    assert!(matches!(pair.ends[to].receive(pair.now, PathId::HA, &frame), Ok(Received::Beat(_))));
}

#[test]
fn the_old_session_goes_on_until_the_new_run_is_confirmed() {
    let mut pair = played(&[Tick(P), DeliverAll]);
    let late = sealed(&mut pair.ends[S], PathId::HA, &beat(90));
    let later = sealed(&mut pair.ends[S], PathId::HA, &beat(91));
    // Hello, answer, proof: the primary holds a candidate, without a beat of it.
    for step in [Restart(S), Tick(S), Deliver, Deliver, Deliver] {
        pair.step(step);
    }
    assert!(pair.ends[P].wants_hello());
    assert!(matches!(pair.ends[P].receive(pair.now, PathId::HA, &late), Ok(Received::Beat(_))));
    pair.step(DeliverAll);
    assert!(pair.is_settled());
    assert_eq!(
        pair.ends[P].receive(pair.now, PathId::HA, &later),
        Err(crate::wire::Refused::NotAuthentic),
        "the old run has ended"
    );
}

#[test]
fn a_recorded_hello_of_the_present_run_does_not_spoil_the_proof() {
    let mut pair = played(&[Tick(P), DeliverAll, Restart(S), Tick(S), DeliverAll]);
    let (_, first_hello) = pair.recorded[0].clone();
    for step in [Restart(S), Tick(S), Deliver, Deliver, LoseAll] {
        pair.step(step);
    }
    let replayed = pair.ends[S].receive(pair.now, PathId::HA, &first_hello);
    assert!(matches!(replayed, Ok(Received::Hello { .. })), "the secondary listens to it");
    pair.step(Tick(S));
    pair.step(Deliver);
    assert!(
        pair.ends[P].holds_candidate(),
        "the next hello echoes the newest one, not the replayed one"
    );
}

#[test]
fn an_ended_run_that_is_heard_late_does_not_lock_the_living_one_out() {
    let mut pair = played(&[Tick(P), Deliver, Deliver]);
    let late: Vec<_> = pair.flight.drain(..).collect();
    assert_eq!(late.len(), 2, "a proof and a beat that are on their way for long");
    for step in [Restart(P), Tick(P), Deliver, Deliver, LoseAll] {
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
    let mut pair = played(script);
    for step in [LoseAll, Tick(P), Tick(S), DeliverAll, Tick(P), Tick(S), DeliverAll] {
        pair.step(step);
    }
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
