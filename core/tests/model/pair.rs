//! The world of the model check: everything in it is a value that can be cloned,
//! and nothing happens by chance. Time goes in steps of one millisecond.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use twinwall_core::beat::{Beat, Heard};
use twinwall_core::config::{Cable, Damping, Failback, HaLink, Interface, Pair as Config, Prefix};
use twinwall_core::event::{Applied, Desired, Event, GateOrder, Order, Output};
use twinwall_core::ids::{BootId, Designation, InterfaceId, PathId};
use twinwall_core::note::{Reason, What};
use twinwall_core::time::Moment;
use twinwall_core::{Core, Setup};

/// The adversary acts in this time, in milliseconds from the settled pair.
pub(crate) const WINDOW: u64 = 80;
/// Steps between two moments at which it may act.
pub(crate) const BETWEEN: u64 = 10;
/// End of a run: the healed pair has come to rest.
pub(crate) const END: u64 = WINDOW + 700;
/// The kernel may close a gate this much late.
const TICK: u64 = 4;
/// Frames under way in one direction; more push out the oldest.
const CHANNEL: usize = 8;
/// How long a holding link keeps a frame.
const HELD: u64 = 7;
/// T of the pair, and T + margin with the ways there and back.
const DETECTION: u64 = 60;
const DELIVERING: u64 = DETECTION + 10 + 2 * HELD;

/// What the adversary can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// From this side on, the link does this.
    Link(usize, Link),
    /// The guard of this side stops, or runs on.
    Freeze(usize),
    Resume(usize),
    /// The guard of this side is restarted, under a new boot id.
    Restart(usize),
    /// The machine loses power, and gets it back when all is mended.
    PowerOff(usize),
    /// The HA cable is pulled.
    PullHa,
    /// The operator orders a switchover from this side.
    Switchover(usize),
}

/// One direction of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    Delivers,
    Loses,
    /// Frames come late, the later ones first, and twice.
    Scrambles,
}

#[derive(Clone)]
struct Node {
    core: Core,
    boot: u8,
    powered: bool,
    frozen: bool,
    inbox: Vec<Event>,
    answer_until: u64,
    desired: Option<Desired>,
    addresses: bool,
}

/// Two nodes and what is between them.
#[derive(Clone)]
pub(crate) struct Pair {
    time: u64,
    nodes: [Node; 2],
    links: [Link; 2],
    ha: bool,
    /// Frames under way to each side, with their arrival.
    frames: [Vec<(u64, Heard)>; 2],
    /// Since when both directions deliver.
    delivers_since: u64,
    overlap: bool,
    cases: Vec<String>,
    story: Vec<String>,
}

/// The clocks begin here, so that no moment is near the origin.
const ORIGIN: u64 = 1_000_000;

impl Pair {
    /// A pair at rest with `a` active; its time begins now.
    pub(crate) fn settled() -> Pair {
        let node = |side: usize| Node {
            core: Core::new(moment(0), setup(side, 1)),
            boot: 1,
            powered: true,
            frozen: false,
            inbox: carriers(true),
            answer_until: 0,
            desired: None,
            addresses: false,
        };
        let mut pair = Pair {
            time: 0,
            nodes: [node(0), node(1)],
            links: [Link::Delivers; 2],
            ha: true,
            frames: [Vec::new(), Vec::new()],
            delivers_since: 0,
            overlap: false,
            cases: Vec::new(),
            story: Vec::new(),
        };
        // The origin of the pair's own count is moved so that the window begins at 0.
        for _ in 0..500 {
            pair.step();
        }
        pair.shift();
        pair
    }

    fn shift(&mut self) {
        assert_eq!(self.answering(), 1, "the pair settled");
        self.story.clear();
        self.cases.clear();
    }

    /// Milliseconds since the pair settled.
    pub(crate) fn time(&self) -> u64 {
        self.time.saturating_sub(500)
    }

    pub(crate) fn cases(&self) -> &[String] {
        &self.cases
    }

    pub(crate) fn story(&self) -> &[String] {
        &self.story
    }

    /// The acts that change something now.
    pub(crate) fn acts(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        for side in 0..2 {
            let links = [Link::Delivers, Link::Loses, Link::Scrambles];
            acts.extend(
                links
                    .iter()
                    .filter(|link| self.links[side] != **link)
                    .map(|link| Act::Link(side, *link)),
            );
            let node = &self.nodes[side];
            if !node.powered {
                continue;
            }
            acts.push(if node.frozen { Act::Resume(side) } else { Act::Freeze(side) });
            acts.extend([Act::Restart(side), Act::PowerOff(side)]);
        }
        acts.push(Act::Switchover(0));
        if self.ha {
            acts.push(Act::PullHa);
        }
        acts
    }

    pub(crate) fn act(&mut self, act: Act) {
        match act {
            Act::Link(side, link) => self.links[side] = link,
            Act::Freeze(side) => self.nodes[side].frozen = true,
            Act::Resume(side) => self.nodes[side].frozen = false,
            Act::Restart(side) => self.restart(side),
            Act::PowerOff(side) => {
                let node = &mut self.nodes[side];
                (node.powered, node.answer_until, node.addresses) = (false, 0, false);
                self.set_ha();
            }
            Act::PullHa => {
                self.ha = false;
                self.set_ha();
            }
            Act::Switchover(side) => self.nodes[side].inbox.push(Event::Order(Order::Switchover)),
        }
    }

    /// Undoes every act.
    pub(crate) fn mend(&mut self) {
        self.links = [Link::Delivers; 2];
        self.ha = true;
        for side in 0..2 {
            self.nodes[side].frozen = false;
            if !self.nodes[side].powered {
                self.nodes[side].powered = true;
                self.restart(side);
            }
        }
        self.set_ha();
    }

    fn set_ha(&mut self) {
        let up = self.ha && self.nodes.iter().all(|node| node.powered);
        for node in &mut self.nodes {
            node.inbox.push(Event::HaCarrier { up });
        }
    }

    fn restart(&mut self, side: usize) {
        let now = moment(self.time);
        let up = self.ha && self.nodes.iter().all(|node| node.powered);
        let node = &mut self.nodes[side];
        node.boot += 1;
        node.core = Core::new(now, setup(side, node.boot));
        node.frozen = false;
        node.answer_until = 0;
        node.inbox = carriers(up);
        // What was on its way was sealed for the run before.
        self.frames[side].clear();
    }

    /// How many kernels answer.
    pub(crate) fn answering(&self) -> usize {
        self.nodes.iter().filter(|node| node.powered && self.time < node.answer_until).count()
    }

    /// The rule that is broken, if one is.
    pub(crate) fn broken(&self) -> Option<String> {
        let delivers = self.time - self.delivers_since >= DELIVERING;
        (self.overlap && delivers).then(|| "two kernels answer while the link delivers".to_owned())
    }

    /// One millisecond.
    pub(crate) fn step(&mut self) {
        self.time += 1;
        if self.links.contains(&Link::Loses) {
            self.delivers_since = self.time;
        }
        for side in 0..2 {
            self.arrive(side);
            self.run(side);
        }
        self.overlap = self.answering() == 2;
    }

    fn arrive(&mut self, side: usize) {
        let time = self.time;
        let (now, later): (Vec<_>, Vec<_>) =
            self.frames[side].drain(..).partition(|(at, _)| *at <= time);
        self.frames[side] = later;
        let node = &mut self.nodes[side];
        if node.powered {
            // The later ones first.
            node.inbox
                .extend(now.into_iter().rev().map(|(_, heard)| Event::Heard(Box::new(heard))));
        }
    }

    fn run(&mut self, side: usize) {
        let node = &self.nodes[side];
        if !node.powered || node.frozen {
            return;
        }
        let now = moment(self.time);
        let late = now.since(node.core.deadline().0);
        let was_late = late >= Duration::from_millis(5);
        if was_late {
            self.feed(side, Event::Late { by: late });
        }
        for event in std::mem::take(&mut self.nodes[side].inbox) {
            self.feed(side, event);
        }
        if was_late || self.nodes[side].core.deadline().0 <= now {
            self.feed(side, Event::Deadline);
        }
        if let Some(desired) = self.nodes[side].desired.take() {
            self.nodes[side].addresses = desired.addresses;
            let applied = Event::Applied { generation: desired.generation, outcome: Applied::Done };
            self.nodes[side].inbox.push(applied);
        }
    }

    fn feed(&mut self, side: usize, event: Event) {
        self.nodes[side].core.handle(moment(self.time), event);
        while let Some(output) = self.nodes[side].core.poll_output() {
            self.carry_out(side, output);
        }
    }

    fn carry_out(&mut self, side: usize, output: Output) {
        match output {
            Output::Send { beat, .. } => self.send(side, *beat),
            Output::Gate(order) => self.gate(side, order),
            Output::Want(desired) => self.nodes[side].desired = Some(desired),
            Output::CheckLinks => self.nodes[side].inbox.push(Event::LinksChecked),
            Output::AskKernel { .. } => {
                let there = self.nodes[1 - side].powered && !self.links.contains(&Link::Loses);
                if there {
                    self.nodes[side].inbox.push(Event::KernelAnswered { path: PathId(1) });
                }
            }
            Output::Note(note) => self.note(side, &note.what),
            Output::Announce { .. } | Output::PingTargets | Output::Refused(_) | Output::Stop => {}
        }
    }

    fn note(&mut self, side: usize, what: &What) {
        if let What::Role { from, to, epoch, reason } = what {
            let case = format!("{} -> {}: {reason:?}", from.word(), to.word());
            let letter = if side == 0 { 'a' } else { 'b' };
            self.story.push(format!("{:>5} ms {letter} {case} (epoch {epoch})", self.time()));
            let worth: bool = *reason != Reason::Starting;
            if worth && !self.cases.contains(&case) {
                self.cases.push(case);
            }
        }
    }

    fn send(&mut self, side: usize, beat: Beat) {
        let to = 1 - side;
        let boot = setup(side, self.nodes[side].boot).boot;
        let path = if self.ha { PathId::HA } else { PathId(1) };
        let heard = Heard { path, boot, beat };
        let frames = &mut self.frames[to];
        match self.links[side] {
            Link::Loses => {}
            Link::Delivers => frames.push((self.time + 1, heard)),
            Link::Scrambles => {
                frames.push((self.time + HELD, heard.clone()));
                frames.push((self.time + 2, heard.clone()));
            }
        }
        if frames.len() > CHANNEL {
            frames.remove(0);
        }
    }

    fn gate(&mut self, side: usize, order: GateOrder) {
        let now = moment(self.time);
        let time = self.time;
        let millis = |until: Moment| until.since(now).as_millis() as u64;
        let node = &mut self.nodes[side];
        let took = match order {
            GateOrder::Open { .. } => match node.core.may_open(now) {
                Some(until) => {
                    node.answer_until = time + millis(until) + TICK;
                    true
                }
                None => false,
            },
            GateOrder::Renew { until } if time < node.answer_until => {
                node.answer_until = time + millis(until) + TICK;
                true
            }
            GateOrder::Renew { .. } => false,
            GateOrder::CloseAnswer { .. } | GateOrder::Close => {
                node.answer_until = 0;
                true
            }
        };
        node.core.handle(now, Event::GateAnswered { order, took });
    }
}

fn moment(time: u64) -> Moment {
    Moment::from_millis(ORIGIN + time)
}

fn carriers(ha: bool) -> Vec<Event> {
    vec![
        Event::HaCarrier { up: ha },
        Event::Link { interface: InterfaceId(0), up: true },
        Event::CableIsDirect { direct: true },
        Event::OwnAddresses { troubles: Vec::new() },
    ]
}

fn setup(side: usize, run: u8) -> Setup {
    let designation = if side == 0 { Designation::Primary } else { Designation::Secondary };
    let mut boot = [0; 16];
    (boot[0], boot[1]) = (side as u8, run);
    Setup {
        name: designation.word().to_owned(),
        designation,
        boot: BootId(boot),
        pair: config(),
        gate: true,
    }
}

fn config() -> Config {
    let prefix =
        |host: u8| Prefix { address: IpAddr::V4(Ipv4Addr::new(10, 1, 0, host)), length: 24 };
    Config {
        pair_id: 7,
        interval: Duration::from_millis(DETECTION / 3),
        threshold: 3,
        ha_link: HaLink { interface: "ha0".to_owned(), cable: Cable::Direct },
        interfaces: vec![Interface {
            name: "lan".to_owned(),
            watch: true,
            primary: vec![prefix(2)],
            secondary: vec![prefix(3)],
            virtual_ips: vec![prefix(1)],
        }],
        failback: Failback::Stay,
        ping_targets: Vec::new(),
        enabled: true,
        sync: Default::default(),
        flows: Default::default(),
        logs: Default::default(),
        overridden: Vec::new(),
        boot_hold: Duration::from_millis(DETECTION),
        damping: Damping {
            flaps: 5,
            window: Duration::from_secs(60),
            hold: Duration::from_secs(3),
        },
        required_checks: Vec::new(),
    }
}
