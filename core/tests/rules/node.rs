//! One core, and a peer that says whatever a test wants it to say.

use std::time::Duration;

use twinwall_core::beat::{Beat, Fitness, Heard, PathHeard, RoleWord};
use twinwall_core::event::{Applied, Event, GateOrder, Output};
use twinwall_core::ids::{BootId, Epoch, Generation, InterfaceId, MAX_PATHS, PathId, Sequence};
use twinwall_core::time::Moment;
use twinwall_core::{Core, Setup};

use crate::world::network::Side;
use crate::world::settings::Settings;

/// The clock begins here, so that no moment is near the origin.
const ORIGIN: u64 = 1_000_000;
const PEER: BootId = BootId([0xee; 16]);

/// The core, its kernel and the peer's words.
pub(crate) struct Node {
    pub(crate) core: Core,
    /// Milliseconds since the start.
    pub(crate) time: u64,
    /// The opening that the core asked for last and nobody has answered.
    pub(crate) opening: Option<GateOrder>,
    /// Whether the kernel takes renewals.
    pub(crate) renews: bool,
    /// Whether wanted addresses are reported as applied.
    pub(crate) applies: bool,
    /// Beats sent.
    pub(crate) sent: u64,
    /// The wanted state that is not applied yet.
    wanted: Option<Generation>,
    heard: u64,
    settings: Settings,
}

impl Node {
    /// The core of `side`, all carriers up, the HA cable direct; the peer has said nothing.
    pub(crate) fn new(side: Side, settings: Settings) -> Node {
        let setup: Setup = settings.setup(side, BootId([side as u8 + 1; 16]));
        let mut node = Node {
            core: Core::new(moment(0), setup),
            time: 0,
            opening: None,
            renews: true,
            applies: true,
            sent: 0,
            wanted: None,
            heard: 0,
            settings,
        };
        node.feed(Event::HaCarrier { up: true });
        node.feed(Event::CableIsDirect { direct: true });
        for interface in 0..3 {
            node.feed(Event::Link { interface: InterfaceId(interface), up: true });
        }
        node
    }

    /// Hands the core an event now.
    pub(crate) fn feed(&mut self, event: Event) {
        self.core.handle(moment(self.time), event);
        while let Some(output) = self.core.poll_output() {
            self.carry_out(output);
        }
    }

    /// Hands the core an event and leaves its outputs where they are, as while it
    /// reads all sockets before it opens.
    pub(crate) fn read(&mut self, event: Event) {
        self.core.handle(moment(self.time), event);
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Gate(order @ GateOrder::Open { .. }) => self.opening = Some(order),
            Output::Gate(order) => {
                let took = self.renews || !matches!(order, GateOrder::Renew { .. });
                self.core.handle(moment(self.time), Event::GateAnswered { order, took });
            }
            Output::Want(desired) => {
                self.wanted = Some(desired.generation);
                if self.applies {
                    self.apply();
                }
            }
            Output::CheckLinks => self.core.handle(moment(self.time), Event::LinksChecked),
            Output::Send { .. } => self.sent += 1,
            Output::Announce { .. }
            | Output::AskKernel { .. }
            | Output::PingTargets
            | Output::Note(_)
            | Output::Refused(_)
            | Output::Stop => {}
        }
    }

    /// The kernel has done what was wanted last.
    pub(crate) fn apply(&mut self) {
        if let Some(generation) = self.wanted.take() {
            let applied = Event::Applied { generation, outcome: Applied::Done };
            self.core.handle(moment(self.time), applied);
        }
    }

    /// Lets `millis` pass; the core meets every deadline in time.
    pub(crate) fn pass(&mut self, millis: u64) {
        for _ in 0..millis {
            self.time += 1;
            while self.core.deadline().0 <= moment(self.time) {
                self.feed(Event::Deadline);
            }
        }
    }

    /// Asks as the shell does right before it opens.
    pub(crate) fn may_open(&mut self) -> Option<Moment> {
        self.core.may_open(moment(self.time))
    }

    /// Opens the gate, if the core asked for it and still may.
    pub(crate) fn open(&mut self) -> bool {
        let Some(order) = self.opening.take() else { return false };
        let took = self.may_open().is_some();
        self.feed(Event::GateAnswered { order, took });
        took
    }

    /// A beat of an able peer that has heard all that this node sent.
    pub(crate) fn beat(&self, role: RoleWord, epoch: u64) -> Beat {
        let pair = &self.settings.pair;
        let said =
            PathHeard { sequence: Sequence(self.sent), carrier: true, ..PathHeard::default() };
        let mut heard = [said; MAX_PATHS];
        for (path, tag) in heard.iter_mut().zip(pair.path_tags()) {
            path.interface = tag;
        }
        Beat {
            sequence: Sequence(0),
            wants_answer: false,
            role,
            epoch: Epoch(epoch),
            grant: Epoch(0),
            handover: Epoch(0),
            ready: false,
            leaving: None,
            fitness: Fitness { healthy: 0b101, ..Fitness::default() },
            gate: true,
            patience: pair.detection(),
            settings: pair.digest(),
            list: pair.list_tag(),
            heard,
        }
    }

    /// The peer says `beat` on every path.
    pub(crate) fn hear(&mut self, beat: &Beat) {
        for event in self.words(beat) {
            self.feed(event);
        }
    }

    /// The same as events.
    pub(crate) fn words(&mut self, beat: &Beat) -> Vec<Event> {
        self.heard += 1;
        let beat = Beat { sequence: Sequence(self.heard), ..beat.clone() };
        let on = |path| Heard { path: PathId(path), boot: PEER, beat: beat.clone() };
        (0..3).map(|path| Event::Heard(Box::new(on(path)))).collect()
    }

    pub(crate) fn role(&self) -> RoleWord {
        self.core.snapshot(moment(self.time)).role.role
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.core.snapshot(moment(self.time)).role.epoch.0
    }

    /// The primary, active under epoch 1 beside an able passive peer.
    pub(crate) fn active(settings: Settings) -> Node {
        let mut node = Node::new(0, settings);
        let starting = node.beat(RoleWord::Starting, 0);
        node.hear(&starting);
        node.pass(1);
        node.hear_passive(1);
        assert!(node.open(), "the peer grants epoch 1");
        node.pass(2);
        assert_eq!(node.role(), RoleWord::Active);
        node
    }

    /// The secondary, passive beside an active peer.
    pub(crate) fn passive(settings: Settings) -> Node {
        let mut node = Node::new(1, settings);
        let active = node.beat(RoleWord::Active, 1);
        node.hear(&active);
        assert_eq!(node.role(), RoleWord::Passive);
        node
    }

    /// The peer is passive, confirms all and grants everything up to `epoch`.
    pub(crate) fn hear_passive(&mut self, epoch: u64) {
        let beat = Beat { grant: Epoch(epoch), ..self.beat(RoleWord::Passive, epoch) };
        self.hear(&beat);
    }
}

/// The moment so many milliseconds after the start.
pub(crate) fn moment(millis: u64) -> Moment {
    Moment::from_millis(ORIGIN) + Duration::from_millis(millis)
}
