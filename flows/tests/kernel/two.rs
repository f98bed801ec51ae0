//! A source in the active gateway and a mirror in the passive one, with a line between.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use twinwall_flows::digest::State;
use twinwall_flows::eligible::{Eligible, Filter, Standing};
use twinwall_flows::flow::Flow;
use twinwall_flows::kernel::{Conntrack, MirrorDrive, SourceDrive};
use twinwall_flows::mirror::Mirror;
use twinwall_flows::source::{Settings, Source};
use twinwall_flows::table::EventTable;
use twinwall_flows::tuple::Key;

use crate::net::{Lab, Space};

/// Who is replicated in these tests: everything but what is never.
pub fn settings() -> Settings {
    Settings { most: 1 << 20, eligible: Eligible::new([], Filter::default()) }
}

/// Both, driven by this thread.
pub struct Two<'a> {
    /// The active side.
    pub source: SourceDrive,
    /// The passive side.
    pub mirror: MirrorDrive,
    lab: &'a Lab,
    _tables: [EventTable; 2],
}

impl Two<'_> {
    /// With their tables, connected.
    pub fn start(lab: &Lab) -> Two<'_> {
        let now = Instant::now();
        let table = || {
            let mut table = EventTable::open().unwrap();
            table.ensure().unwrap();
            table
        };
        let tables = [lab.active.inside(table), lab.passive.inside(table)];
        let mut source = source(&lab.active);
        let mut mirror = mirror(&lab.passive);
        source.source.connected(now);
        mirror.mirror.connected(now);
        Two { source, mirror, lab, _tables: tables }
    }

    /// The mirror's agent is killed; its kernel goes on.
    pub fn kill_mirror(&mut self) {
        self.source.source.disconnected(Instant::now());
        self.mirror = mirror(&self.lab.passive);
    }

    /// It is there again, and goes on from the place in this file, if there is one.
    pub fn start_mirror(&mut self, place: &Path) {
        let now = Instant::now();
        self.mirror = mirror(&self.lab.passive);
        self.lab.passive.inside(|| self.mirror.keep_place(now, place)).unwrap();
        self.source.source.connected(now);
        self.mirror.mirror.connected(now);
    }

    /// The source's agent is another one, which knows nothing of what the one before told.
    pub fn replace_source(&mut self) {
        self.source = source(&self.lab.active);
    }

    /// Only the source goes on; the mirror's agent is away.
    pub fn turn_without_mirror(&mut self) {
        self.lab.active.inside(|| self.source.turn(Instant::now())).unwrap();
    }

    /// Whether both say that the mirror's kernel holds everything, and nothing waits to be
    /// removed there.
    pub fn both_say_complete(&self) -> bool {
        let mirror = &self.mirror.mirror;
        self.source.source.complete() && mirror.complete() && !mirror.wants_removals()
    }

    /// One round of both; whether anything was said.
    pub fn turn(&mut self) -> bool {
        let now = Instant::now();
        self.lab.active.inside(|| self.source.turn(now)).unwrap();
        self.lab.passive.inside(|| self.mirror.turn(now)).unwrap();
        let mut said = false;
        while let Some(message) = self.source.source.poll(Instant::now()) {
            said = true;
            self.lab.passive.inside(|| self.mirror.receive(Instant::now(), &message)).unwrap();
        }
        while let Some(message) = self.mirror.mirror.poll() {
            said = true;
            self.source.source.receive(Instant::now(), &message).unwrap();
        }
        said
    }

    /// Goes on until `done`, at most `limit`.
    pub fn until(&mut self, limit: Duration, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + limit;
        while !done(self) {
            assert!(
                Instant::now() < end,
                "not within {limit:?}: {what}: {:#?} {:#?}",
                self.source.source.view(Instant::now()),
                self.mirror.mirror.view(Instant::now())
            );
            if !self.turn() {
                std::thread::sleep(Duration::from_micros(500));
            }
        }
    }

    /// Goes on until both kernels hold the same flows.
    pub fn settle(&mut self, limit: Duration) {
        let lab = self.lab;
        self.until(limit, "equal kernels", |two| {
            two.source.source.complete() && states(&lab.active) == states(&lab.passive)
        });
    }
}

/// A source that knows nothing.
fn source(space: &Space) -> SourceDrive {
    let (now, interfaces) = (Instant::now(), ["lan0".to_owned(), "wan0".to_owned()]);
    let open = || SourceDrive::open(Source::new(settings(), None, now), &interfaces, now);
    space.inside(open).unwrap()
}

/// A mirror that knows nothing.
fn mirror(space: &Space) -> MirrorDrive {
    space.inside(|| MirrorDrive::open(Mirror::new(settings(), Instant::now()))).unwrap()
}

/// All flows of a namespace that are replicated.
pub fn flows(space: &Space) -> Vec<Flow> {
    let mut found = Vec::new();
    space.inside(|| {
        let mut dump = Conntrack::dump().unwrap();
        while dump.next(&mut |flow| found.push(flow.clone())).unwrap() {}
    });
    let eligible = settings().eligible;
    found.retain(|flow| eligible.standing(flow) == Standing::In);
    found
}

/// Their states.
pub fn states(space: &Space) -> BTreeMap<Key, u64> {
    let state = |flow: Flow| (flow.key(), State::of(&flow.key(), &flow).bits());
    flows(space).into_iter().map(state).collect()
}
