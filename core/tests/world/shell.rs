//! The guard's loop as the world plays it: late notice, sockets, deadline, then
//! the core's outputs in their order. Also what faults do to the machines.

use twinwall_core::beat::{Beat, Leaving};
use twinwall_core::event::{Event, GateOrder, Output};
use twinwall_core::ids::{PathId, PathSet};

use super::clock::{Time, ms, nanos, us};
use super::faults::Fault;
use super::machine::{Guard, Stalled, Waiting};
use super::network::Side;
use super::session::{Frame, Opened};
use super::{Item, SHUTDOWN, World, boot_id};

/// Lateness that the shell tells the core.
const LATE: Time = ms(5);
/// Outputs that one event may cause at the most.
const MOST_OUTPUTS: usize = 64;
/// Deadlines that may be due at one moment, one after the other.
const MOST_DEADLINES: usize = 4;

impl World {
    /// One round of a guard's loop.
    pub(super) fn shell(&mut self, side: Side) {
        let machine = &mut self.machines[side];
        machine.poll_at = u64::MAX;
        if !machine.runs() {
            return;
        }
        let late = machine.now(self.time).since(machine.core.deadline().0);
        let was_late = nanos(late) >= LATE;
        if was_late {
            self.coverage.count("told of lateness");
            self.feed(side, Event::Late { by: late });
        }
        self.read_all(side);
        if was_late {
            self.feed(side, Event::Deadline);
        }
        self.meet_deadlines(side);
        self.judge_planned(side);
        self.sleep(side);
    }

    fn read_all(&mut self, side: Side) {
        while self.machines[side].runs() {
            let Some(what) = self.machines[side].waiting.pop_front() else { return };
            if matches!(what, Waiting::Reload) {
                self.reload(side);
                self.carry_out_all(side);
                continue;
            }
            for event in self.read(side, what) {
                self.feed(side, event);
            }
        }
    }

    fn meet_deadlines(&mut self, side: Side) {
        for round in 0.. {
            let machine = &self.machines[side];
            let (due, timer) = machine.core.deadline();
            if !machine.runs() || due > machine.now(self.time) {
                return;
            }
            if round == MOST_DEADLINES {
                let letter = machine.letter();
                self.judge.object(format!("{letter}: the timer '{timer}' is due again and again"));
                return;
            }
            self.feed(side, Event::Deadline);
        }
    }

    /// Sleeps until the core's deadline.
    fn sleep(&mut self, side: Side) {
        let machine = &self.machines[side];
        if !machine.runs() {
            return;
        }
        let (fast, slow) = machine.latency;
        let due = machine.clock.when(machine.core.deadline().0).max(self.time);
        let at = due.saturating_add(self.prng.between(fast, slow));
        if at < self.machines[side].poll_at {
            self.machines[side].poll_at = at;
            self.push(at, Item::Poll(side));
        }
    }

    /// Turns what waited into events for the core.
    fn read(&mut self, side: Side, what: Waiting) -> Vec<Event> {
        match what {
            Waiting::Event(event) => vec![event],
            Waiting::Carrier(medium) => self.read_carrier(side, medium).into_iter().collect(),
            Waiting::Carriers => {
                let media = 0..self.network.media.len();
                let mut events: Vec<Event> =
                    media.filter_map(|medium| self.read_carrier(side, medium)).collect();
                events.push(Event::LinksChecked);
                events
            }
            Waiting::Frame(medium, frame) => {
                let path = self.path_over(side, medium);
                path.and_then(|path| self.read_frame(side, path, &frame)).into_iter().collect()
            }
            Waiting::KernelAnswer(medium) => {
                let path = self.path_over(side, medium);
                path.map(|path| Event::KernelAnswered { path }).into_iter().collect()
            }
            Waiting::Reload => Vec::new(),
        }
    }

    fn read_frame(&mut self, side: Side, path: PathId, frame: &Frame) -> Option<Event> {
        let machine = &mut self.machines[side];
        let now = machine.now(self.time);
        match machine.session.open(now, path, frame) {
            Opened::Beat(heard) => Some(Event::Heard(heard)),
            Opened::Hello { answer, new_run } => {
                let frames: Vec<_> = answer.into_iter().collect();
                self.launch(side, &frames);
                new_run.then_some(Event::Greeted)
            }
            Opened::Refused => None,
        }
    }

    fn read_carrier(&mut self, side: Side, medium: usize) -> Option<Event> {
        let up = self.network.media[medium].carrier(side, self.powered());
        let event = match medium {
            0 => Event::HaCarrier { up },
            _ => Event::Link { interface: self.interface_on(side, medium)?, up },
        };
        let told = self.machines[side].told[medium].replace(up);
        (told != Some(up)).then_some(event)
    }

    /// Hands one event to the core and carries out what it wants.
    pub(super) fn feed(&mut self, side: Side, event: Event) {
        if !self.machines[side].runs() {
            // It froze meanwhile. What was read stays in its memory; the time is read anew.
            if !matches!(event, Event::Deadline | Event::Late { .. }) {
                self.machines[side].waiting.push_back(Waiting::Event(event));
            }
            return;
        }
        self.hand(side, event);
        self.carry_out_all(side);
    }

    /// Hands one event to the core.
    fn hand(&mut self, side: Side, event: Event) {
        self.steps += 1;
        self.record(side, Some(&event), None);
        let machine = &mut self.machines[side];
        let now = machine.now(self.time);
        machine.core.handle(now, event);
    }

    fn carry_out_all(&mut self, side: Side) {
        for count in 0.. {
            if !self.machines[side].runs() {
                return;
            }
            let Some(output) = self.machines[side].core.poll_output() else { return };
            if count == MOST_OUTPUTS {
                let letter = self.machines[side].letter();
                self.judge
                    .object(format!("{letter}: one event caused more than {MOST_OUTPUTS} outputs"));
                return;
            }
            self.carry_out(side, output);
        }
    }

    fn carry_out(&mut self, side: Side, output: Output) {
        match output {
            Output::Send { paths, beat } => self.send(side, paths, &beat),
            Output::Gate(order) => self.gate(side, order),
            Output::Want(desired) => {
                self.machines[side].desired = Some(desired);
                self.start_applying(side);
            }
            Output::Announce { start } => {
                self.judge.announced(self.time, &self.machines[side], start)
            }
            Output::AskKernel { paths } => self.ask(side, paths),
            Output::CheckLinks => {
                let at = self.time + self.prng.between(us(50), us(500));
                let run = self.machines[side].runs;
                self.push(at, Item::Tell(side, run, Waiting::Carriers));
            }
            Output::PingTargets => self.ping(side),
            Output::Note(note) => self.noted(side, &note),
            Output::Refused(why) => {
                self.coverage.count(&format!("refused {why:?}"));
                self.trace_line(side, &format!("refused: {why:?}"));
            }
            Output::Stop => self.stopped(side),
        }
    }

    fn send(&mut self, side: Side, paths: PathSet, beat: &Beat) {
        self.judge.sent(self.time, &self.machines[side], beat);
        self.machines[side].last_beat = beat.sequence;
        let frames = self.machines[side].session.seal(paths, beat);
        self.launch(side, &frames);
    }

    fn launch(&mut self, side: Side, frames: &[(PathId, Frame)]) {
        let powered = self.powered();
        for (path, frame) in frames {
            let Some(medium) = self.medium_of(side, *path) else { continue };
            let World { network, prng, time, .. } = self;
            for at in network.send(*time, side, medium, powered, prng) {
                self.push(at, Item::Frame(1 - side, medium, frame.clone()));
            }
        }
    }

    fn ask(&mut self, side: Side, paths: PathSet) {
        let powered = self.powered();
        for medium in paths.iter().filter_map(|path| self.medium_of(side, path)).collect::<Vec<_>>()
        {
            let World { network, prng, time, .. } = self;
            for at in network.send(*time, side, medium, powered, prng).into_iter().take(1) {
                self.push(at, Item::Ask(1 - side, medium));
            }
        }
    }

    fn ping(&mut self, side: Side) {
        let powered = self.powered();
        let reachable =
            self.network.media.iter().skip(1).any(|medium| medium.carrier(side, powered));
        if !self.machines[side].targets || !reachable {
            return;
        }
        let run = self.machines[side].runs;
        for target in 0..self.machines[side].pair().ping_targets.len() as u8 {
            let at = self.time + self.prng.between(us(100), us(900));
            self.push(at, Item::Tell(side, run, Waiting::Event(Event::TargetAnswered { target })));
        }
    }

    fn gate(&mut self, side: Side, order: GateOrder) {
        let World { machines, prng, time, .. } = self;
        let machine = &mut machines[side];
        match order {
            GateOrder::Open { .. } => self.open(side, order),
            GateOrder::Renew { until } => {
                machine.gate.arm(*time, prng);
                let life = until.since(machine.now(*time));
                self.order(side, Stalled { order, life });
            }
            GateOrder::CloseAnswer { until } => {
                let life = until.since(machine.now(*time));
                machine.gate.close_answer(*time, life, &machine.clock);
                self.hand(side, Event::GateAnswered { order, took: true });
            }
            GateOrder::Close => {
                machine.gate.close();
                self.hand(side, Event::GateAnswered { order, took: true });
            }
        }
    }

    /// Arms, reads the sockets and the clock again, and opens if the core still says so.
    fn open(&mut self, side: Side, order: GateOrder) {
        self.machines[side].gate.arm(self.time, &mut self.prng);
        let mut reloads = 0;
        while let Some(what) = self.machines[side].waiting.pop_front() {
            reloads += usize::from(matches!(what, Waiting::Reload));
            for event in self.read(side, what) {
                self.hand(side, event);
            }
        }
        // Mail is read at the loop's own place only.
        for _ in 0..reloads {
            self.machines[side].queue(Waiting::Reload);
        }
        let machine = &mut self.machines[side];
        let now = machine.now(self.time);
        match machine.core.may_open(now) {
            Some(until) => self.order(side, Stalled { order, life: until.since(now) }),
            None => {
                self.coverage.count("opening withdrawn at the last moment");
                self.hand(side, Event::GateAnswered { order, took: false });
            }
        }
    }

    /// Gives the kernel an order that opens or renews, unless a freeze comes between.
    fn order(&mut self, side: Side, stalled: Stalled) {
        let machine = &mut self.machines[side];
        if machine.stall_next {
            machine.stall_next = false;
            machine.guard = Guard::Frozen;
            machine.stalled = Some(stalled);
            self.trace_line(side, &format!("froze before {:?}", stalled.order));
            return;
        }
        self.complete(side, stalled);
    }

    fn complete(&mut self, side: Side, stalled: Stalled) {
        let World { machines, prng, time, .. } = self;
        let machine = &mut machines[side];
        let Stalled { order, life } = stalled;
        let took = match order {
            GateOrder::Open { .. } => machine.gate.open(*time, life, &machine.clock, prng),
            GateOrder::Renew { until } => {
                let clock = machine.clock;
                machine.gate.renew(*time, life, &clock, prng);
                // Frozen beyond the arming: armed anew, with a new look at the clock.
                let rest = until.since(clock.read(*time)).min(life);
                machine.gate.arm(*time, prng);
                machine.gate.renew(*time, rest, &clock, prng)
            }
            GateOrder::CloseAnswer { .. } | GateOrder::Close => true,
        };
        self.hand(side, Event::GateAnswered { order, took });
    }

    fn stopped(&mut self, side: Side) {
        let shutdown = self.machines[side].leaving == Some(Leaving::Shutdown);
        self.trace_line(side, "guard ended");
        self.machines[side].guard = Guard::Down;
        self.machines[side].waiting.clear();
        if shutdown {
            self.plan(SHUTDOWN, Fault::PowerOff(side));
        }
    }

    /// Starts the guard: a new run.
    pub(super) fn start(&mut self, side: Side) {
        let time = self.time;
        let machine = &mut self.machines[side];
        machine.begin(time, boot_id(side, machine.runs + 1));
        let run = machine.runs;
        self.listen(side);
        let machine = &self.machines[side];
        let setup = serde_json::to_string(machine.core.setup()).expect("a setup can be written");
        self.record(side, None, Some(setup));
        self.carry_out_all(side);
        for event in self.read(side, Waiting::Carriers) {
            self.feed(side, event);
        }
        let own = self.machines[side].own_addresses();
        self.feed(side, own);
        let direct = !self.network.media[0].switched;
        self.feed(side, Event::CableIsDirect { direct });
        self.push(time + us(500), Item::Facts(side, run));
        self.sleep(side);
    }

    /// The guard runs on after a freeze.
    pub(super) fn resume(&mut self, side: Side) {
        let machine = &mut self.machines[side];
        machine.guard = Guard::Running;
        machine.stall_next = false;
        machine.settled = self.time;
        if let Some(stalled) = machine.stalled.take() {
            self.complete(side, stalled);
            self.carry_out_all(side);
        }
        self.machines[side].poll_at = u64::MAX;
        self.wake(side);
    }
}
