//! Two real cores in a made-up world: machines with kernels and power, cables
//! and switches, and one virtual clock. No core knows that it is here.
//!
//! Used by the simulation, the transcripts and the model check.

pub(crate) mod clock;
pub(crate) mod coverage;
pub(crate) mod faults;
pub(crate) mod gate;
mod inflict;
pub(crate) mod judge;
pub(crate) mod machine;
pub(crate) mod network;
pub(crate) mod plan;
pub(crate) mod planned;
pub(crate) mod prng;
mod reload;
pub(crate) mod session;
pub(crate) mod settings;
pub(crate) mod shell;
pub(crate) mod trace;

use std::collections::BTreeMap;

use twinwall_core::api::Input;
use twinwall_core::beat::RoleWord;
use twinwall_core::config::Pair;
use twinwall_core::event::{Applied, Event, Fact};
use twinwall_core::ids::{BootId, Generation, InterfaceId, PathId};
use twinwall_core::note::{Note, What};
use twinwall_core::tell::tell;

use clock::{Time, ms, nanos};
use coverage::Coverage;
use faults::Fault;
use judge::Judge;
use machine::{Applier, Guard, Machine, Waiting};
use network::{Medium, Network, Side};
use prng::Prng;
use session::Frame;
use settings::Settings;
use trace::Trace;

/// Events within a span that can only be an endless loop.
const FLOOD: u64 = 2_000;
const FLOOD_SPAN: Time = ms(20);
/// How often the agent repeats its facts, and how long they hold.
const FACT_EVERY: Time = ms(3_000);
const FACT_HOLDS: std::time::Duration = std::time::Duration::from_secs(10);
/// Time from a guard's last word to the loss of power at a shutdown.
const SHUTDOWN: Time = ms(40);

/// What happens next.
#[derive(Debug)]
enum Item {
    /// The shell of a machine gets the processor.
    Poll(Side),
    /// A frame arrives at a machine.
    Frame(Side, usize, Frame),
    /// The kernel tells run `u64` of a guard something.
    Tell(Side, u64, Waiting),
    /// The kernel has looked at a wanted state.
    Applied(Side, u64, Generation, bool),
    /// A question for the peer's kernel arrives there.
    Ask(Side, usize),
    /// The agent states its facts.
    Facts(Side, u64),
    /// The world changes.
    Fault(Fault),
}

/// The world.
pub(crate) struct World {
    pub(crate) time: Time,
    pub(crate) machines: [Machine; 2],
    pub(crate) network: Network,
    pub(crate) pair: Pair,
    pub(crate) prng: Prng,
    pub(crate) judge: Judge,
    pub(crate) coverage: Coverage,
    pub(crate) trace: Trace,
    /// No carrier notice is late, as with a fast poll that was already running.
    pub(crate) prompt_carriers: bool,
    /// Whose inputs are recorded, and what they were.
    pub(crate) recording: Option<(Side, Vec<Input>)>,
    /// Events handled by cores so far.
    pub(crate) steps: u64,
    /// Names of the media; medium 0 is the HA link, then the interfaces of `pair`.
    names: Vec<String>,
    /// Carriers as they were after the last change.
    carriers: [Vec<bool>; 2],
    queue: BTreeMap<(Time, u64), Item>,
    serial: u64,
    /// Steps at the beginning of this span.
    flood: u64,
}

impl World {
    /// Two machines without power on sound cables.
    pub(crate) fn new(settings: Settings, trace: Trace) -> World {
        let pair = settings.pair.clone();
        let mut media = vec![Medium::sound(settings.ha_switched, true)];
        media.extend(pair.interfaces.iter().map(|interface| Medium::sound(true, interface.watch)));
        let names = pair.interfaces.iter().map(|interface| interface.name.clone());
        let names = std::iter::once(pair.ha_link.interface.clone()).chain(names).collect();
        let count = media.len();
        let machine = |side: Side| {
            let setup = settings.setup(side, boot_id(side, 0));
            Machine::new(side, settings.clocks[side], setup, count)
        };
        World {
            time: 0,
            machines: [machine(0), machine(1)],
            network: Network::new(media, nanos(pair.detection()) / 4),
            prng: Prng::new(settings.seed),
            judge: Judge::new(&pair),
            coverage: Coverage::default(),
            pair,
            trace,
            prompt_carriers: false,
            recording: None,
            steps: 0,
            names,
            carriers: [vec![false; count], vec![false; count]],
            queue: BTreeMap::new(),
            serial: 0,
            flood: 0,
        }
    }

    /// Lets a fault happen `after` from now.
    pub(crate) fn plan(&mut self, after: Time, fault: Fault) {
        self.push(self.time + after, Item::Fault(fault));
    }

    /// Runs until `until`, or until a rule is broken.
    pub(crate) fn run_until(&mut self, until: Time) {
        while self.judge.verdict.is_none() {
            let Some(entry) = self.queue.first_entry() else { return };
            if entry.key().0 > until {
                self.time = self.time.max(until);
                break;
            }
            let ((time, _), item) = entry.remove_entry();
            if time / FLOOD_SPAN != self.time / FLOOD_SPAN {
                self.flood = self.steps;
            }
            self.time = time;
            if self.steps - self.flood > FLOOD {
                self.judge.object(format!(
                    "flood: more than {FLOOD} events within {} ms",
                    FLOOD_SPAN / 1_000_000
                ));
            }
            self.happen(item);
            self.judge();
        }
    }

    /// Drops every fault that was planned and has not happened.
    pub(crate) fn forget_plans(&mut self) {
        self.queue.retain(|_, item| !matches!(item, Item::Fault(_)));
    }

    /// Objects unless exactly one node is active and answers.
    pub(crate) fn judge_rest(&mut self, when: &str) {
        let answer = self.machines.iter().filter(|machine| machine.answers(self.time)).count();
        let active = self
            .machines
            .iter()
            .filter(|machine| machine.runs() && machine.role == RoleWord::Active)
            .count();
        if (answer, active) != (1, 1) {
            self.judge.object(format!("L1: {active} active and {answer} answer {when}"));
        }
    }

    /// Which machines have power.
    pub(crate) fn powered(&self) -> [bool; 2] {
        [self.machines[0].powered, self.machines[1].powered]
    }

    fn judge(&mut self) {
        let powered = self.powered();
        let World { judge, machines, network, time, .. } = self;
        network.look(*time, powered);
        judge.look(*time, machines, network);
    }

    fn push(&mut self, at: Time, item: Item) {
        self.serial += 1;
        self.queue.insert((at, self.serial), item);
    }

    fn happen(&mut self, item: Item) {
        match item {
            Item::Poll(side) => {
                if self.machines[side].poll_at == self.time {
                    self.shell(side);
                }
            }
            Item::Frame(to, medium, frame) => self.arrive(to, medium, frame),
            Item::Tell(side, run, what) => self.tell(side, run, what),
            Item::Applied(side, run, generation, wanted) => {
                self.applied(side, run, generation, wanted)
            }
            Item::Ask(side, medium) => self.answer_ask(side, medium),
            Item::Facts(side, run) => self.state_facts(side, run),
            Item::Fault(fault) => self.apply(fault),
        }
    }

    fn arrive(&mut self, to: Side, medium: usize, frame: Frame) {
        let powered = self.powered();
        let listens = self.path_over(to, medium).is_some();
        if !listens || !powered[to] || !self.network.media[medium].carrier(to, powered) {
            return;
        }
        self.machines[to].queue(Waiting::Frame(medium, frame));
        self.wake(to);
    }

    fn tell(&mut self, side: Side, run: u64, what: Waiting) {
        if self.machines[side].runs == run && self.machines[side].powered {
            self.machines[side].queue(what);
            self.wake(side);
        }
    }

    /// The shell will run soon.
    fn wake(&mut self, side: Side) {
        let machine = &self.machines[side];
        if !machine.runs() {
            return;
        }
        let (fast, slow) = machine.latency;
        let at = self.time + self.prng.between(fast, slow);
        if at < self.machines[side].poll_at {
            self.machines[side].poll_at = at;
            self.push(at, Item::Poll(side));
        }
    }

    fn applied(&mut self, side: Side, run: u64, generation: Generation, wanted: bool) {
        let machine = &mut self.machines[side];
        if machine.runs != run || !machine.powered || machine.guard == Guard::Down {
            return;
        }
        machine.applying = false;
        let outcome = match (wanted, machine.applier) {
            (false, _) if !machine.addresses => Applied::Unchanged,
            (false, _) | (true, Applier::Works) => Applied::Done,
            (true, Applier::Partly) => Applied::Partly { failed: 1 },
            (true, Applier::Refuses) => Applied::Failed,
        };
        machine.addresses = wanted && outcome != Applied::Failed;
        if outcome == Applied::Failed {
            machine.refused_at = Some(self.time);
        }
        self.tell(side, run, Waiting::Event(Event::Applied { generation, outcome }));
        self.start_applying(side);
    }

    /// Takes up the newest wanted state, one at a time.
    fn start_applying(&mut self, side: Side) {
        let machine = &mut self.machines[side];
        if machine.applying {
            return;
        }
        let Some(desired) = machine.desired.take() else { return };
        machine.applying = true;
        let (fast, slow) = machine.apply_time;
        let run = machine.runs;
        let at = self.time + self.prng.between(fast, slow);
        self.push(at, Item::Applied(side, run, desired.generation, desired.addresses));
    }

    /// The kernel of `side` is asked on `medium` whether it lives.
    fn answer_ask(&mut self, side: Side, medium: usize) {
        let powered = self.powered();
        if !powered[side] || !self.network.media[medium].carrier(side, powered) {
            return;
        }
        let World { network, prng, time, .. } = self;
        let arrivals = network.send(*time, side, medium, powered, prng);
        let asker = 1 - side;
        let run = self.machines[asker].runs;
        for at in arrivals.into_iter().take(1) {
            self.push(at, Item::Tell(asker, run, Waiting::KernelAnswer(medium)));
        }
    }

    /// The medium of a path of `side`, by the settings of its guard.
    fn medium_of(&self, side: Side, path: PathId) -> Option<usize> {
        let name = self.machines[side].pair().path_names().nth(path.index())?;
        self.names.iter().position(|other| other == name)
    }

    /// The path of `side` over a medium.
    fn path_over(&self, side: Side, medium: usize) -> Option<PathId> {
        let name = &self.names[medium];
        let path = self.machines[side].pair().path_names().position(|other| other == name)?;
        Some(PathId(path as u8))
    }

    /// Number of a medium in the list of `side`; none for the HA link.
    fn interface_on(&self, side: Side, medium: usize) -> Option<InterfaceId> {
        let name = &self.names[medium];
        let all = &self.machines[side].pair().interfaces;
        let index = all.iter().position(|interface| interface.name == *name)?;
        Some(InterfaceId(index as u8))
    }

    fn state_facts(&mut self, side: Side, run: u64) {
        if self.machines[side].runs == run {
            self.state_once(side);
            self.push(self.time + FACT_EVERY, Item::Facts(side, run));
        }
    }

    /// The agent states what it knows, if it runs.
    fn state_once(&mut self, side: Side) {
        let machine = &self.machines[side];
        if !machine.agent {
            return;
        }
        let run = machine.runs;
        let fact = |name: &str, good: bool| {
            let reason = if good { String::new() } else { format!("{name} says no") };
            Waiting::Event(Event::Fact(Fact {
                name: name.to_owned(),
                good,
                reason,
                holds: FACT_HOLDS,
            }))
        };
        let synchronised = machine.synchronised.map(|good| fact("synchronised", good));
        let flows = machine.flows.map(|good| fact("flows", good));
        let gateways = machine.gateways.iter().enumerate().filter_map(|(index, answers)| {
            answers.map(|answers| fact(&format!("gateway.{}", index + 1), answers))
        });
        let facts = synchronised.into_iter().chain([fact("services", machine.check)]).chain(flows);
        let facts = facts.chain(gateways);
        for what in facts.collect::<Vec<_>>() {
            self.tell(side, run, what);
        }
    }

    /// Keeps an input of the side that is recorded.
    fn record(&mut self, side: Side, event: Option<&Event>, start: Option<String>) {
        let at = self.machines[side].now(self.time);
        if let Some((_, inputs)) = self.recording.as_mut().filter(|(whose, _)| *whose == side) {
            inputs.push(Input { at, event: event.cloned(), start });
        }
    }

    /// Takes in what a core tells.
    fn noted(&mut self, side: Side, note: &Note) {
        let machine = &mut self.machines[side];
        if let What::Role { from, to, epoch, reason } = note.what {
            let case = format!("{} to {}: {reason:?}", from.word(), to.word());
            self.coverage.count(&case);
            self.judge.moved(machine, to, reason);
            machine.role = to;
            machine.epoch = epoch;
            machine.reason = reason;
            machine.role_since = self.time;
        } else {
            let name = format!("{:?}", note.what);
            let end = name.find([' ', '(', '{']).unwrap_or(name.len());
            self.coverage.count(&name[..end]);
        }
        self.note_planned(side, note);
        let machine = &mut self.machines[side];
        match note.what {
            What::MaintenanceOn { .. } => machine.maintained = true,
            What::MaintenanceOff { .. } => machine.maintained = false,
            _ => {}
        }
        if self.trace.wants(&note.what, self.machines[side].role) {
            let text = tell(note, self.machines[side].pair());
            self.trace_line(side, &text);
        }
    }

    fn trace_line(&mut self, side: Side, text: &str) {
        self.trace.node(self.time, &self.machines[side], text);
    }
}

/// The boot id of a machine's nth run.
fn boot_id(side: Side, run: u64) -> BootId {
    let mut bytes = [0; 16];
    bytes[0] = 0xa0 + 0x10 * side as u8;
    bytes[1..9].copy_from_slice(&run.to_be_bytes());
    bytes[3] = run as u8;
    BootId(bytes)
}
