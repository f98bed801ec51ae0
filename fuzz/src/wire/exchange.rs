//! Two ends and a network that does what the bytes say: each step is a byte for
//! what happens and one or more for what to. Whatever they say, a frame is
//! accepted once, a damaged one never, an ended run is not heard again, no nonce
//! is used twice, and two undisturbed rounds settle the session.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use twinwall_core::ids::{BootId, Designation, PathId};
use twinwall_core::time::Moment;
use twinwall_core::wire::{MAX_FRAME, Received, Session};

use super::{beat, session};

/// Steps of one input; more would only make it slow.
const MAX_STEPS: usize = 60;

struct Exchange {
    /// The primary and the secondary.
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

/// Plays the bytes as a script.
pub fn run(data: &[u8]) {
    let mut exchange = Exchange::new();
    let mut bytes = data.iter().copied();
    for _ in 0..MAX_STEPS {
        let Some(what) = bytes.next() else { break };
        exchange.step(what, &mut bytes);
    }
    exchange.flight.clear();
    for _ in 0..2 {
        exchange.tick(0);
        exchange.tick(1);
        exchange.deliver_all();
    }
    for (this, end) in exchange.ends.iter().enumerate() {
        assert_eq!(end.peer(), Some(exchange.boots[1 - this]), "not settled: {end:?}");
        assert!(!end.wants_hello(), "not settled: {end:?}");
    }
}

impl Exchange {
    fn new() -> Exchange {
        let boots = [BootId([1; 16]), BootId([2; 16])];
        Exchange {
            ends: [
                session(Designation::Primary, boots[0]),
                session(Designation::Secondary, boots[1]),
            ],
            boots,
            boots_drawn: 2,
            flight: VecDeque::new(),
            recorded: Vec::new(),
            accepted: BTreeSet::new(),
            nonces: BTreeSet::new(),
            now: Moment::ZERO,
            sequence: 0,
        }
    }

    fn step(&mut self, what: u8, bytes: &mut impl Iterator<Item = u8>) {
        let mut argument = || usize::from(bytes.next().unwrap_or(0));
        match what % 8 {
            0 => self.tick(0),
            1 => self.tick(1),
            2 => self.restart(argument() % 2),
            3 => self.deliver_all(),
            4 => {
                let index = argument();
                if let Some((to, frame)) = self.flight.remove(index) {
                    self.arrive(to, &frame);
                }
            }
            5 => drop(self.flight.remove(argument())),
            6 => {
                if let Some((to, frame)) = self.recorded.get(argument()).cloned() {
                    self.arrive(to, &frame);
                }
            }
            _ => {
                let (index, at, bits) = (argument(), argument(), argument());
                self.damage(index, at, bits);
            }
        }
    }

    fn restart(&mut self, which: usize) {
        self.boots_drawn += 1;
        self.boots[which] = BootId([self.boots_drawn; 16]);
        let me = [Designation::Primary, Designation::Secondary][which];
        self.ends[which] = session(me, self.boots[which]);
    }

    /// A recorded frame arrives with one byte changed: it must be refused.
    fn damage(&mut self, index: usize, at: usize, bits: usize) {
        let Some((to, mut frame)) = self.recorded.get(index).cloned() else { return };
        let at = at % frame.len();
        let bits = (bits % 255) as u8 + 1;
        frame[at] ^= bits;
        let got = self.ends[to].receive(self.now, PathId::HA, &frame);
        assert!(got.is_err(), "a damaged frame was accepted: {got:?}");
    }

    fn tick(&mut self, from: usize) {
        self.now += Duration::from_millis(10);
        if self.ends[from].wants_hello() {
            self.send_hello(from);
        }
        self.send_beat(from);
    }

    fn send_hello(&mut self, from: usize) {
        let mut out = [0; MAX_FRAME];
        let length = self.ends[from].hello(PathId::HA, &mut out);
        self.send(from, out[..length].to_vec());
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

    fn deliver_all(&mut self) {
        // Every frame in flight may be a hello that earns one answer and a beat.
        for _ in 0..20 * MAX_STEPS {
            let Some((to, frame)) = self.flight.pop_front() else { return };
            self.arrive(to, &frame);
        }
        panic!("the two ends never stop answering each other");
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
                // Boots are drawn in ascending order.
                assert!(
                    before.is_none_or(|before| before <= heard.boot),
                    "an ended run was heard again"
                );
            }
            Err(_refused) => {}
        }
    }
}
