//! The made-up world: two kernels as maps, a line between the nodes, a clock.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::eligible::{Eligible, Filter};
use crate::expectation::Expectation;
use crate::flow::Flow;
use crate::kernel::{Event, Natural};
use crate::mirror::{Mirror, held};
use crate::neighbour::Neighbour;
use crate::position::Holding;
use crate::source::{Settings, Source};
use crate::testing::numbered;
use crate::tuple::Key;
use crate::work::{Outcome, Work, Write};

const TICK: Duration = Duration::from_millis(5);

pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) source: Source,
    pub(super) mirror: Mirror,
    /// The source's kernel and the mirror's.
    pub(super) here: HashMap<Key, Flow>,
    pub(super) there: HashMap<Key, Flow>,
    pub(super) neighbours: Vec<Neighbour>,
    pub(super) connected: bool,
    /// The mirror's agent runs.
    pub(super) alive: bool,
    /// What the mirror kept for the one that comes after it.
    pub(super) kept: Option<Holding>,
    /// Dumps of the mirror's kernel so far.
    pub(super) dumps_there: u32,
    /// What the mirror's kernel refuses.
    pub(super) refuse: Option<Key>,
    pub(super) written: usize,
    pub(super) bytes: usize,
    pub(super) last_write: Option<Write>,
    /// Dumps under way: what is left of them.
    pub(super) dump_here: Option<Vec<Flow>>,
    pub(super) dump_there: Option<Vec<Flow>>,
    second: Duration,
}

impl Pair {
    pub(super) fn new() -> Pair {
        Pair::bounded(1 << 20, 1 << 20)
    }

    pub(super) fn bounded(most_here: usize, most_there: usize) -> Pair {
        let now = Instant::now();
        let settings = |most| Settings { most, eligible: Eligible::new([], Filter::default()) };
        Pair {
            now,
            source: Source::new(settings(most_here), None, now),
            mirror: Mirror::new(settings(most_there), now),
            here: HashMap::new(),
            there: HashMap::new(),
            neighbours: Vec::new(),
            connected: false,
            alive: true,
            kept: None,
            dumps_there: 0,
            refuse: None,
            written: 0,
            bytes: 0,
            last_write: None,
            dump_here: None,
            dump_there: None,
            second: Duration::ZERO,
        }
    }

    pub(super) fn connected() -> Pair {
        let mut pair = Pair::new();
        pair.connect();
        pair.run(Duration::from_secs(1));
        assert!(pair.source.complete() && pair.mirror.complete());
        pair
    }

    pub(super) fn connect(&mut self) {
        self.connected = true;
        self.source.connected(self.now);
        self.mirror.connected(self.now);
    }

    pub(super) fn disconnect(&mut self) {
        self.connected = false;
        self.source.disconnected(self.now);
        self.mirror.disconnected(self.now);
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    /// A flow is in the source's kernel, and nobody told.
    pub(super) fn here(&mut self, flow: &Flow) {
        self.here.insert(flow.key(), flow.clone());
    }

    /// One is in the mirror's.
    pub(super) fn there(&mut self, flow: &Flow) {
        self.there.insert(flow.key(), held(flow.clone(), true));
    }

    /// One is not in the source's kernel any more, and nobody told.
    pub(super) fn forget(&mut self, flow: &Flow) {
        self.here.remove(&flow.key());
    }

    pub(super) fn begin(&mut self, flow: &Flow) {
        self.begin_unseen(flow);
        self.turn();
    }

    /// The same while nobody carries messages.
    pub(super) fn begin_unseen(&mut self, flow: &Flow) {
        self.here(flow);
        self.source.event(self.now, &Event::Seen(flow.clone()));
    }

    /// A helper expects another flow because of what this one said.
    pub(super) fn expect_from(&mut self, flow: &Flow) {
        let expectation = Expectation {
            master: flow.original,
            tuple: flow.reply,
            mask: flow.reply,
            zone: 0,
            flags: 0,
            class: 0,
            timeout: 300,
            helper: None,
            function: None,
            nat: None,
        };
        self.source.event(self.now, &Event::Expected(expectation));
    }

    pub(super) fn end(&mut self, flow: &Flow) {
        self.forget(flow);
        self.source.event(self.now, &Event::Gone(flow.clone()));
    }

    /// The nodes change roles; what was under way between them is lost.
    pub(super) fn swap(&mut self, natural: Natural) {
        let settings = || Settings { most: 1 << 20, eligible: Eligible::default() };
        self.disconnect();
        std::mem::swap(&mut self.here, &mut self.there);
        (self.dump_here, self.dump_there, self.kept) = (None, None, None);
        self.source = Source::new(settings(), Some(natural), self.now);
        self.mirror = Mirror::new(settings(), self.now);
        self.connect();
    }

    /// Whether both kernels hold the same, but for what they may differ in.
    pub(super) fn is_equal(&self) -> bool {
        let eligible = Eligible::default();
        let states = |flows: &HashMap<Key, Flow>| {
            let mut states: Vec<(Key, u64)> = flows
                .iter()
                .filter(|(_, flow)| eligible.standing(flow) == crate::eligible::Standing::In)
                .map(|(key, flow)| (*key, crate::digest::State::of(key, flow).bits()))
                .collect();
            states.sort();
            states
        };
        states(&self.here) == states(&self.there)
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.turn();
            let quiet = self.dump_here.is_none() && self.dump_there.is_none();
            let due = self.source.deadline(self.now).min(self.mirror.deadline(self.now));
            let step = due.saturating_duration_since(self.now).max(TICK);
            self.pass(if quiet { step.min(end - self.now).max(TICK) } else { TICK });
        }
        self.turn();
    }

    pub(super) fn pass(&mut self, span: Duration) {
        self.now += span;
        self.second += span;
        let seconds = u32::try_from(self.second.as_secs()).unwrap();
        self.second -= Duration::from_secs(seconds.into());
        for flow in self.there.values_mut() {
            flow.timeout = flow.timeout.map(|left| left.saturating_sub(seconds));
        }
        self.there.retain(|_, flow| flow.timeout != Some(0));
    }

    /// Everything that is due now, and the ends of flows, which have time.
    pub(super) fn turn(&mut self) {
        self.turn_once();
        while self.alive && self.mirror.wants_removals() {
            let work = self.mirror.work(self.now);
            self.act(&work);
        }
    }

    /// Everything that is due now.
    pub(super) fn turn_once(&mut self) {
        self.dump_of_source();
        if self.alive {
            self.dump_of_mirror();
        }
        while let Some(key) = self.source.asks(self.now) {
            if let Some(flow) = self.here.get(&key).cloned() {
                self.source.asked(self.now, &flow);
            }
        }
        let work = self.source.work();
        let outcomes = apply(&mut self.here, &work, None);
        self.source.finished(&work, &outcomes);
        if self.alive {
            self.upkeep_of_mirror();
        }
        loop {
            let to_mirror: Vec<_> = std::iter::from_fn(|| self.source.poll(self.now)).collect();
            let to_source: Vec<_> = std::iter::from_fn(|| self.mirror.poll()).collect();
            if to_mirror.is_empty() && to_source.is_empty() {
                return;
            }
            let connected = self.connected;
            for message in to_mirror.iter().filter(|_| connected) {
                self.bytes += message.len();
                let work = self.mirror.receive(self.now, message).expect("an honest source");
                self.act(&work);
            }
            for message in to_source.iter().filter(|_| connected) {
                self.source.receive(self.now, message).expect("an honest mirror");
            }
        }
    }

    fn upkeep_of_mirror(&mut self) {
        if self.mirror.wants_count(self.now) {
            self.mirror.counted(self.now, self.there.len());
        }
        let work = self.mirror.work(self.now);
        self.act(&work);
    }

    fn act(&mut self, work: &Work) {
        let outcomes = apply(&mut self.there, work, self.refuse);
        self.written += work.writes.len();
        self.last_write = work.writes.last().cloned().or(self.last_write.take());
        for neighbour in &work.neighbours {
            self.neighbours.retain(|known| known.address != neighbour.address);
            self.neighbours.push(*neighbour);
        }
        self.mirror.finished(self.now, work, &outcomes);
        self.kept = self.mirror.holding();
    }

    fn dump_of_source(&mut self) {
        if self.source.wants_dump(self.now) {
            self.source.dump_began(self.now);
            self.dump_here = Some(self.here.values().cloned().collect());
        }
        let Some(rest) = &mut self.dump_here else { return };
        while self.source.has_room() {
            let Some(flow) = rest.pop() else {
                self.dump_here = None;
                return self.source.dump_ended(self.now, Vec::new());
            };
            self.source.dumped(self.now, &flow);
        }
    }

    fn dump_of_mirror(&mut self) {
        if !self.mirror.needs_dump() {
            self.dump_there = None;
        }
        if self.dump_there.is_none() && self.mirror.wants_dump(self.now) {
            self.mirror.dump_began(self.now);
            self.dumps_there += 1;
            self.dump_there = Some(self.there.values().cloned().collect());
        }
        if let Some(rest) = self.dump_there.take() {
            rest.iter().for_each(|flow| self.mirror.dumped(flow));
            self.mirror.dump_ended(self.now);
        }
    }

    /// One random thing.
    pub(super) fn something(&mut self, chance: &mut Chance) {
        let mut flow = numbered(chance.below(60));
        flow.mark = chance.below(3);
        match chance.below(24) {
            0..=7 => self.begin_unseen(&flow),
            8..=11 => self.end(&flow),
            17 => self.restart_mirror(),
            18 => self.crash_of_mirror(),
            19 => {
                // Somebody else changes its kernel while nobody is there.
                self.there.retain(|_, _| chance.below(3) > 0);
                self.restart_mirror();
            }
            20 => self.restart_source(),
            12 => {
                self.there.remove(&flow.key());
            }
            13 => self.there(&flow),
            14 => {
                // Lost events, then the kernel's word that some were lost.
                self.here(&flow);
                self.forget(&numbered(chance.below(60)));
                self.source.overrun(self.now);
            }
            15 if self.connected => self.disconnect(),
            15 => self.connect(),
            16 => self.pass(Duration::from_millis(chance.below(3000).into())),
            _ => self.turn(),
        }
    }
}

/// What a kernel makes of it.
pub(super) fn apply(
    kernel: &mut HashMap<Key, Flow>,
    work: &Work,
    refuse: Option<Key>,
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for write in &work.writes {
        match write {
            Write::Create(flow) | Write::Update(flow) | Write::Replace(flow) => {
                if refuse == Some(flow.key()) {
                    outcomes.push(Err(libc::ENOMEM));
                    continue;
                }
                // What stands in the way of it is gone.
                kernel.remove(&Key::new(&flow.reply, flow.zone));
                kernel.insert(flow.key(), flow.clone());
            }
            Write::Remove(key) => remove(kernel, key),
            Write::Timeout(key, seconds) => {
                if let Some(flow) = kernel.get_mut(key) {
                    flow.timeout = Some(*seconds);
                }
            }
            Write::Expect(_) | Write::Unexpect(..) => {}
        }
        outcomes.push(Ok(()));
    }
    outcomes
}

/// A kernel finds a flow by the way of its answers as well.
fn remove(kernel: &mut HashMap<Key, Flow>, key: &Key) {
    if kernel.remove(key).is_some() {
        return;
    }
    let back = Key::new(&key.tuple().inverse(), key.zone());
    if kernel.get(&back).is_some_and(|flow| flow.reply == key.tuple()) {
        kernel.remove(&back);
    }
}

/// Chance from a seed (SplitMix64).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((z ^ (z >> 31)) % u64::from(end)).unwrap()
    }
}
