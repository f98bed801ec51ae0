//! One machine: power, kernel, and the guard's shell around a real core. The
//! shell here does what the guard's loop does, in the same order.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use twinwall_core::beat::{Leaving, RoleWord};
use twinwall_core::config::Pair;
use twinwall_core::event::{AddressTrouble, Desired, Event, GateOrder, OwnTrouble};
use twinwall_core::ids::{BootId, Epoch, InterfaceId, Sequence};
use twinwall_core::note::Reason;
use twinwall_core::time::Moment;
use twinwall_core::{Core, Setup};

use super::clock::{Clock, Time, us};
use super::gate::Gate;
use super::network::Side;
use super::planned::Awaited;
use super::session::{Frame, Session};

/// Frames that a socket keeps for a guard that does not read.
pub(crate) const SOCKET: usize = 256;

/// How the guard's process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// Not running.
    Down,
    /// Running.
    Running,
    /// Stopped, or its machine starved: its kernel lives.
    Frozen,
}

/// What waits for the guard to read it.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// A frame in the socket of a medium.
    Frame(usize, Frame),
    /// The peer's kernel answered a question on a medium.
    KernelAnswer(usize),
    /// The settings are to be read again.
    Reload,
    /// A notice that the carrier of a medium may have changed.
    Carrier(usize),
    /// All carriers were asked for.
    Carriers,
    /// Anything that the core takes as it is.
    Event(Event),
}

/// How the kernel takes a wanted state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applier {
    /// As wanted.
    Works,
    /// Some addresses are refused.
    Partly,
    /// All are refused; removing works.
    Refuses,
}

/// A gate order that the guard was about to give when it froze.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stalled {
    pub(crate) order: GateOrder,
    pub(crate) life: Duration,
}

/// One of the two.
pub(crate) struct Machine {
    pub(crate) side: Side,
    pub(crate) clock: Clock,
    pub(crate) powered: bool,
    pub(crate) guard: Guard,
    pub(crate) core: Core,
    pub(crate) session: Session,
    /// What the guard is made with; its pair is the file on this machine's disk.
    pub(crate) setup: Setup,
    /// When this run of the guard began.
    pub(crate) started: Time,
    /// When the guard last ran on after a freeze or a slow time.
    pub(crate) settled: Time,
    pub(crate) waiting: VecDeque<Waiting>,
    pub(crate) gate: Gate,
    /// VIPs are on the interfaces.
    pub(crate) addresses: bool,
    /// Carriers as the core was told, by medium.
    pub(crate) told: Vec<Option<bool>>,
    /// When the shell runs next.
    pub(crate) poll_at: Time,
    /// Shortest and longest time from an event to the shell's running.
    pub(crate) latency: (Time, Time),
    pub(crate) applier: Applier,
    /// When its kernel refused all addresses last.
    pub(crate) refused_at: Option<Time>,
    /// The newest wanted state that nobody has taken up yet.
    pub(crate) desired: Option<Desired>,
    /// The kernel is at work on an older one.
    pub(crate) applying: bool,
    /// Shortest and longest time that applying takes.
    pub(crate) apply_time: (Time, Time),
    /// The next gate order that opens or renews is caught by a freeze.
    pub(crate) stall_next: bool,
    pub(crate) stalled: Option<Stalled>,
    /// Ping targets answer this machine.
    pub(crate) targets: bool,
    /// The agent runs.
    pub(crate) agent: bool,
    /// The readiness facts that the agent states.
    pub(crate) synchronised: Option<bool>,
    pub(crate) check: bool,
    /// Whether the agent has all connections; it says nothing by default.
    pub(crate) flows: Option<bool>,
    /// Whether each gateway answers; nothing is told of one that is not known.
    pub(crate) gateways: Vec<Option<bool>>,
    /// Its own addresses can be used.
    pub(crate) own_usable: bool,
    /// Role, epoch and reason as the core last told.
    pub(crate) role: RoleWord,
    pub(crate) epoch: Epoch,
    pub(crate) reason: Reason,
    pub(crate) role_since: Time,
    /// The machine loses power when the guard has stopped.
    pub(crate) leaving: Option<Leaving>,
    /// The core said that it is in maintenance.
    pub(crate) maintained: bool,
    /// A planned move that waits.
    pub(crate) awaited: Option<Awaited>,
    /// Number of its last beat.
    pub(crate) last_beat: Sequence,
    /// Number of guard runs so far.
    pub(crate) runs: u64,
}

/// Ordinary time from an event to the shell's running.
pub(crate) const PROMPT: (Time, Time) = (us(10), us(150));
/// Ordinary time that applying takes.
pub(crate) const APPLY: (Time, Time) = (us(300), us(3_000));

impl Machine {
    /// A machine without power.
    pub(crate) fn new(side: Side, clock: Clock, setup: Setup, media: usize) -> Machine {
        Machine {
            side,
            clock,
            powered: false,
            guard: Guard::Down,
            session: Session::new(setup.designation, setup.boot),
            core: Core::new(clock.read(0), setup.clone()),
            gateways: vec![None; setup.pair.gateways.len()],
            setup,
            started: 0,
            settled: 0,
            waiting: VecDeque::new(),
            gate: Gate::default(),
            addresses: false,
            told: vec![None; media],
            poll_at: Time::MAX,
            latency: PROMPT,
            applier: Applier::Works,
            refused_at: None,
            desired: None,
            applying: false,
            apply_time: APPLY,
            stall_next: false,
            stalled: None,
            targets: true,
            agent: true,
            synchronised: Some(true),
            check: true,
            flows: None,
            own_usable: true,
            role: RoleWord::Starting,
            epoch: Epoch(0),
            reason: Reason::Starting,
            role_since: 0,
            leaving: None,
            maintained: false,
            awaited: None,
            last_beat: Sequence(0),
            runs: 0,
        }
    }

    /// A new run of the guard. It closes the gate before anything else.
    pub(crate) fn begin(&mut self, time: Time, boot: BootId) {
        self.runs += 1;
        self.guard = Guard::Running;
        self.started = time;
        self.stalled = None;
        self.stall_next = false;
        self.leaving = None;
        self.desired = None;
        self.applying = false;
        self.maintained = false;
        self.awaited = None;
        self.session = Session::new(self.setup.designation, boot);
        self.session.name_paths(self.setup.pair.path_tags());
        self.waiting.clear();
        self.told.fill(None);
        self.gate.close();
        self.role = RoleWord::Starting;
        self.role_since = time;
        self.epoch = Epoch(0);
        self.poll_at = Time::MAX;
        self.core = Core::new(self.clock.read(time), Setup { boot, ..self.setup.clone() });
    }

    /// The settings that the guard works with.
    pub(crate) fn pair(&self) -> &Pair {
        &self.core.setup().pair
    }

    /// The guard is killed.
    pub(crate) fn crash(&mut self) {
        self.guard = Guard::Down;
        self.waiting.clear();
        self.stalled = None;
    }

    /// The guard stops, if it runs.
    pub(crate) fn freeze(&mut self) {
        if self.guard == Guard::Running {
            self.guard = Guard::Frozen;
        }
    }

    /// The guard wakes up to `most` late from now on.
    pub(crate) fn slow(&mut self, time: Time, most: Time) {
        // A wake-up that is under way may still come late.
        self.settled = time + self.latency.1;
        self.latency = (PROMPT.0, most.max(PROMPT.1));
    }

    /// What the guard finds when it looks at the node's own addresses.
    pub(crate) fn own_addresses(&self) -> Event {
        let address = IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]);
        let what = AddressTrouble::Checking { address };
        let trouble = OwnTrouble { interface: InterfaceId(0), what };
        Event::OwnAddresses { troubles: if self.own_usable { vec![] } else { vec![trouble] } }
    }

    /// The boot id of this run.
    pub(crate) fn boot(&self) -> BootId {
        self.core.setup().boot
    }

    /// Its role, or why it has none.
    pub(crate) fn state(&self) -> &'static str {
        match (self.powered, self.guard) {
            (false, _) => "without power",
            (true, Guard::Down) => "without guard",
            (true, Guard::Frozen) => "stopped",
            (true, Guard::Running) => self.role.word(),
        }
    }

    /// `a` or `b`.
    pub(crate) fn letter(&self) -> char {
        if self.side == 0 { 'a' } else { 'b' }
    }

    /// What its clock shows.
    pub(crate) fn now(&self, time: Time) -> Moment {
        self.clock.read(time)
    }

    /// Whether the guard runs and is not kept from it.
    pub(crate) fn runs(&self) -> bool {
        self.powered && self.guard == Guard::Running
    }

    /// Whether this machine's kernel answers for the VIPs.
    pub(crate) fn answers(&self, time: Time) -> bool {
        self.powered && self.gate.answers(time)
    }

    /// Puts something where the guard will find it. A full socket drops frames.
    pub(crate) fn queue(&mut self, what: Waiting) {
        if self.guard == Guard::Down {
            return;
        }
        let frame = matches!(what, Waiting::Frame(..));
        if frame && self.waiting.len() >= SOCKET {
            return;
        }
        self.waiting.push_back(what);
    }
}
