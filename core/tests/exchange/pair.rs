//! Two ends of a session and a network that a script plays with: lost, late,
//! replayed and damaged frames, restarts of either end, keys changed in steps. Checked at every step: a
//! frame is accepted once, a damaged one never; a run that ended is never heard
//! again; no nonce is used twice.
//!
//! Used by `tests/exchange.rs` with scripts made by people, and by the fuzz target
//! `wire_exchange` with scripts made of bytes.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use twinwall_core::beat::{Beat, Fitness, PathHeard, RoleWord};
use twinwall_core::ids::{BootId, Designation, Epoch, MAX_PATHS, NameTag, PathId, Sequence};
use twinwall_core::time::Moment;
use twinwall_core::wire::{MAX_FRAME, PairKey, PairKeys, Received, Session};

/// The primary and the secondary as indices.
pub(crate) const P: usize = 0;
pub(crate) const S: usize = 1;

const PAIR_ID: u16 = 1;
/// Path, its interface and counter in a frame's header: its nonce is made of two of them.
const NONCE: std::ops::Range<usize> = 5..18;
/// Frames that may arrive in a row before the ends count as never falling silent:
/// each of some dozens in flight may be a hello that earns an answer and a beat.
const ENDLESS: usize = 1_200;

/// What a script is made of. Frames in flight and on record are counted from the oldest.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// This end sends what its interval brings: a hello if it wants one, a beat if it can.
    Tick(usize),
    /// This end starts anew.
    Restart(usize),
    /// This end takes the next step of a change of keys, where the other one is not behind.
    Rekey(usize),
    /// This frame in flight arrives, and its answer goes into flight.
    Deliver(usize),
    /// This frame in flight is lost.
    Lose(usize),
    /// The oldest frame in flight is overtaken by all others.
    Delay,
    /// Everything in flight arrives, and every answer to it.
    DeliverAll,
    /// Everything in flight is lost.
    LoseAll,
    /// This frame of all that were ever sent arrives once more.
    Replay(usize),
    /// Every frame ever sent arrives once more.
    ReplayAll,
    /// This frame of all that were ever sent arrives with one byte changed.
    Damage { frame: usize, at: usize, bits: u8 },
}

use Step::{
    Damage, Delay, Deliver, DeliverAll, Lose, LoseAll, Rekey, Replay, ReplayAll, Restart, Tick,
};

/// The two ends and what is under way between them.
pub(crate) struct Pair {
    pub(crate) ends: [Session; 2],
    pub(crate) boots: [BootId; 2],
    /// Steps of changes of keys that each end has done, three for each key.
    pub(crate) steps: [u8; 2],
    /// Receiver and frame.
    pub(crate) flight: VecDeque<(usize, Vec<u8>)>,
    pub(crate) recorded: Vec<(usize, Vec<u8>)>,
    pub(crate) now: Moment,
    boots_drawn: u8,
    accepted: BTreeSet<(BootId, Vec<u8>)>,
    nonces: BTreeSet<(BootId, Vec<u8>)>,
    sequence: u64,
}

impl Pair {
    /// Two ends that have not heard of each other.
    pub(crate) fn new() -> Pair {
        Pair {
            ends: [end(P, boot(1), 0), end(S, boot(2), 0)],
            boots: [boot(1), boot(2)],
            steps: [0, 0],
            boots_drawn: 2,
            flight: VecDeque::new(),
            recorded: Vec::new(),
            accepted: BTreeSet::new(),
            nonces: BTreeSet::new(),
            now: Moment::ZERO,
            sequence: 0,
        }
    }

    /// A pair that went through `script`.
    pub(crate) fn played(script: &[Step]) -> Pair {
        let mut pair = Pair::new();
        for step in script {
            pair.step(*step);
        }
        pair
    }

    /// Lets one thing happen.
    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Tick(from) => self.tick(from),
            Restart(which) => {
                self.boots_drawn += 1;
                self.boots[which] = boot(self.boots_drawn);
                self.ends[which] = end(which, self.boots[which], self.steps[which]);
            }
            Rekey(which) => {
                let next = self.steps[which].saturating_add(1);
                // It refuses what the other one does not take yet, or still seals with.
                if next <= self.steps[1 - which].saturating_add(1)
                    && self.ends[which].rekey(&keys(next)).is_ok()
                {
                    self.steps[which] = next;
                }
            }
            Deliver(index) => {
                if let Some((to, frame)) = self.flight.remove(index) {
                    self.arrive(to, &frame);
                }
            }
            Lose(index) => drop(self.flight.remove(index)),
            Delay => {
                if let Some(frame) = self.flight.pop_front() {
                    self.flight.push_back(frame);
                }
            }
            DeliverAll => self.deliver_all(),
            LoseAll => self.flight.clear(),
            Replay(index) => {
                if let Some((to, frame)) = self.recorded.get(index).cloned() {
                    self.arrive(to, &frame);
                }
            }
            ReplayAll => {
                for (to, frame) in self.recorded.clone() {
                    self.arrive(to, &frame);
                }
            }
            Damage { frame, at, bits } => self.damage(frame, at, bits),
        }
    }

    /// Two rounds that nothing disturbs: after them the ends must have settled.
    pub(crate) fn rest(&mut self) {
        self.step(LoseAll);
        for _ in 0..2 {
            for step in [Tick(P), Tick(S), DeliverAll] {
                self.step(step);
            }
        }
    }

    /// Whether each end hears the other's present run and needs no hello.
    pub(crate) fn is_settled(&self) -> bool {
        let knows = |this: usize| {
            self.ends[this].peer() == Some(self.boots[1 - this]) && !self.ends[this].wants_hello()
        };
        knows(P) && knows(S)
    }

    /// A frame arrives; its answer goes into flight.
    pub(crate) fn arrive(&mut self, to: usize, frame: &[u8]) {
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

    /// An interval of an end; far enough from the last that answers are not held back.
    fn tick(&mut self, from: usize) {
        self.now += Duration::from_millis(10);
        if self.ends[from].wants_hello() {
            self.send_hello(from);
        }
        self.send_beat(from);
    }

    fn damage(&mut self, index: usize, at: usize, bits: u8) {
        let Some((to, mut frame)) = self.recorded.get(index).cloned() else { return };
        let at = at % frame.len();
        frame[at] ^= bits.max(1);
        let got = self.ends[to].receive(self.now, PathId::HA, &frame);
        assert!(got.is_err(), "a damaged frame was accepted: {got:?}");
    }

    fn send_hello(&mut self, from: usize) {
        let mut out = [0; MAX_FRAME];
        let length = self.ends[from].hello(PathId::HA, &mut out);
        self.send(from, &out[..length]);
    }

    fn send_beat(&mut self, from: usize) {
        self.sequence += 1;
        let mut out = [0; MAX_FRAME];
        if let Some(length) = self.ends[from].seal_beat(PathId::HA, &beat(self.sequence), &mut out)
        {
            let fresh = self.nonces.insert((self.boots[from], out[NONCE].to_vec()));
            assert!(fresh, "path and counter sealed twice in one run");
            self.send(from, &out[..length]);
        }
    }

    fn send(&mut self, from: usize, frame: &[u8]) {
        self.recorded.push((1 - from, frame.to_vec()));
        self.flight.push_back((1 - from, frame.to_vec()));
    }

    fn deliver_all(&mut self) {
        for _ in 0..ENDLESS {
            let Some((to, frame)) = self.flight.pop_front() else { return };
            self.arrive(to, &frame);
        }
        panic!("the two ends never stop answering each other");
    }
}

/// The boot id of the nth run of all.
pub(crate) fn boot(number: u8) -> BootId {
    BootId([number; 16])
}

fn end(number: usize, boot: BootId, step: u8) -> Session {
    let me = if number == P { Designation::Primary } else { Designation::Secondary };
    let keys = keys(step);
    let mut session = Session::new(&keys.key, PAIR_ID, me, boot);
    session.rekey(&keys).expect("it knows no peer");
    session
}

/// The keys of an end that has done so many steps: one alone, the next one as well, the next
/// one in use.
fn keys(step: u8) -> PairKeys {
    let key = |number: u8| PairKey::from_bytes(std::array::from_fn(|at| at as u8 ^ number));
    let (old, new) = (key(step / 3), key(step / 3 + 1));
    match step % 3 {
        0 => PairKeys { key: old, also: None },
        1 => PairKeys { key: old, also: Some(new) },
        _ => PairKeys { key: new, also: Some(old) },
    }
}

/// An ordinary beat with this sequence.
pub(crate) fn beat(sequence: u64) -> Beat {
    Beat {
        sequence: Sequence(sequence),
        wants_answer: false,
        role: RoleWord::Passive,
        epoch: Epoch(3),
        grant: Epoch(0),
        handover: Epoch(0),
        ready: true,
        leaving: None,
        fitness: Fitness { healthy: 3, ..Fitness::default() },
        gate: true,
        settings: 0x0123_4567_89ab_cdef,
        patience: Duration::from_millis(300),
        list: NameTag(7),
        heard: [PathHeard { sequence: Sequence(sequence), ..PathHeard::default() }; MAX_PATHS],
    }
}
