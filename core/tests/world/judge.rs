//! The rules that no run may break, looked at after every event.
//!
//! * S1: while the network delivers, two kernels never answer at once. The network
//!   delivers when in neither direction everything sent over a span of T/4 was lost,
//!   all paths together, during the last T + margin + [`PROMPT`]. Where the later
//!   claim was an early one the span is 8 ms, as its evidence takes no longer.
//! * S2: when a path is without any fault and both guards run, two kernels that
//!   answer become one within one interval + [`SLACK`].
//! * S3: a running guard in a role that may not hold VIPs holds none once
//!   its kernel has taken up what the core wants.
//! * S4: an epoch never falls within one run, and no node is active under an epoch
//!   lower than one that it has seen before.
//! * The gate follows the role: open only while claiming or active, shut no longer
//!   than [`SLACK`] in an active that runs; announcements only behind an open gate.
//! * L1: in a quiet world with an able node, one answers ([`Judge::bound`]).

use twinwall_core::beat::{Beat, RoleWord};
use twinwall_core::config::{Failback, Pair};
use twinwall_core::note::Reason;
use twinwall_core::role::may_hold_addresses;

use super::clock::{Time, ms, nanos};
use super::machine::{Applier, Machine, PROMPT as READY};
use super::network::{Network, Side};

/// Longest delay of a frame on a network that delivers.
const PROMPT: Time = ms(4);
/// Time that shells and kernels may take for what the core decided: a kernel tick,
/// a frame each way, a few rounds of a guard's loop.
const SLACK: Time = ms(15);
/// A node that could not apply its addresses is unfit for this long.
pub(crate) const UNFIT: Time = ms(12_000);
/// What a takeover adds to detection, and a handover to either, at the most.
const TAKEOVER: Time = ms(2_500);

/// The judge of one run.
pub(crate) struct Judge {
    /// The rule that was broken.
    pub(crate) verdict: Option<String>,
    /// Longest time in which nobody answered, since somebody did for the first time.
    pub(crate) longest_unserved: Time,
    /// For how long each machine's gate was shut after it was first open.
    pub(crate) shut: [Time; 2],
    interval: Time,
    window: Time,
    bound: Time,
    /// When it looked last, and what answered then.
    looked: Time,
    answered: [bool; 2],
    opened: [Time; 2],
    both_since: Option<Time>,
    sound_since: Option<Time>,
    unserved_since: Option<Time>,
    outage_since: Option<Time>,
    disturbed: Time,
    shut_since: [Option<Time>; 2],
    epochs: [(u64, u64); 2],
    /// Role changes so far.
    pub(crate) moves: u64,
}

impl Judge {
    /// A judge of runs with these settings.
    pub(crate) fn new(pair: &Pair) -> Judge {
        let mut judge = Judge::blank();
        judge.widen(pair);
        judge
    }

    /// A node works with these settings from now on: what is allowed becomes no less.
    pub(crate) fn widen(&mut self, pair: &Pair) {
        let detection = nanos(pair.detection());
        let failback = match pair.failback {
            Failback::Primary { hold } => nanos(hold),
            Failback::Stay => 0,
        };
        let quiet = detection.max(nanos(pair.boot_hold)) + nanos(pair.damping.hold) + failback;
        self.interval = self.interval.max(nanos(pair.interval));
        self.window = self.window.max(detection + nanos(pair.margin()) + PROMPT);
        self.bound = self.bound.max(quiet + detection + TAKEOVER);
    }

    fn blank() -> Judge {
        Judge {
            verdict: None,
            longest_unserved: 0,
            shut: [0; 2],
            looked: 0,
            interval: 0,
            window: 0,
            bound: 0,
            answered: [false; 2],
            opened: [0; 2],
            both_since: None,
            sound_since: None,
            unserved_since: Some(0),
            outage_since: None,
            disturbed: 0,
            shut_since: [None; 2],
            epochs: [(0, 0); 2],
            moves: 0,
        }
    }

    /// Time in which a quiet world with an able node must have one that answers.
    pub(crate) fn bound(&self) -> Time {
        self.bound
    }

    /// A rule is broken. Only the first one counts.
    pub(crate) fn object(&mut self, what: String) {
        self.verdict.get_or_insert(what);
    }

    /// The world is about to change.
    pub(crate) fn disturbed(&mut self, time: Time) {
        self.disturbed = time;
    }

    /// Looks at the world after an event.
    pub(crate) fn look(&mut self, time: Time, machines: &[Machine; 2], network: &Network) {
        let powered = [machines[0].powered, machines[1].powered];
        let answers = [machines[0].answers(time), machines[1].answers(time)];
        self.measure(time, answers, machines);
        let sound = network.sound(powered)
            && machines.iter().all(|machine| machine.runs() && machine.latency == READY);
        self.sound_since = if sound { self.sound_since.or(Some(time)) } else { None };
        self.look_at_both(time, machines, network);
        self.look_at_none(time, machines, network);
        for machine in machines {
            self.look_at_one(time, machine);
        }
    }

    /// Measures the times in which gates were shut. A gate that ran out between two
    /// events was shut from then on.
    fn measure(&mut self, time: Time, answers: [bool; 2], machines: &[Machine; 2]) {
        let end = |machine: &Machine, looked: Time| match machine.gate.closes() {
            0 => time,
            closed => closed.clamp(looked, time),
        };
        for side in 0..2 {
            if answers[side] && !self.answered[side] {
                self.opened[side] = time;
            }
            let closed = end(&machines[side], self.looked);
            if self.opened[side] > 0 && !answers[side] {
                self.shut[side] += time - if self.answered[side] { closed } else { self.looked };
            }
        }
        let served = self.opened != [0; 2];
        if answers != [false; 2] || !served {
            self.outage_since = None;
        } else {
            let last = (0..2)
                .filter(|side| self.answered[*side])
                .map(|side| end(&machines[side], self.looked))
                .max();
            let since = *self.outage_since.get_or_insert(last.unwrap_or(time));
            self.longest_unserved = self.longest_unserved.max(time - since);
        }
        self.looked = time;
        self.answered = answers;
    }

    fn look_at_both(&mut self, time: Time, machines: &[Machine; 2], network: &Network) {
        if self.answered != [true; 2] {
            self.both_since = None;
            return;
        }
        let since = *self.both_since.get_or_insert(time);
        let later: Side = usize::from(self.opened[1] > self.opened[0]);
        let early = machines[later].reason == Reason::PeerPoweredOff;
        let evidence = !early || network.answered_since(time.saturating_sub(self.window));
        if evidence && network.delivered_since(time.saturating_sub(self.window)) {
            self.object(format!(
                "S1: a and b both answer while the network delivers ({} opened later)",
                machines[later].letter()
            ));
        }
        let from = self.sound_since.map(|sound| sound.max(since));
        if from.is_some_and(|from| time > from + self.interval + SLACK) {
            self.object(
                "S2: a and b both still answer one interval after a path is sound again".to_owned(),
            );
        }
    }

    fn look_at_none(&mut self, time: Time, machines: &[Machine; 2], network: &Network) {
        if self.answered != [false; 2] {
            self.unserved_since = None;
            return;
        }
        let since = (*self.unserved_since.get_or_insert(time)).max(self.disturbed);
        let powered = [machines[0].powered, machines[1].powered];
        if !machines
            .iter()
            .any(|machine| able(time, machine) && network.can_serve(machine.side, powered))
        {
            self.unserved_since = Some(time);
            return;
        }
        let quiet = time.saturating_sub(since);
        if quiet > self.bound {
            self.object(format!(
                "L1: a node is able, yet nobody answers for {} ms",
                quiet / 1_000_000
            ));
        }
    }

    fn look_at_one(&mut self, time: Time, machine: &Machine) {
        let side = machine.side;
        if !machine.runs() {
            self.shut_since[side] = None;
            return;
        }
        let letter = machine.letter();
        let settled =
            machine.role_since.max(machine.settled).max(machine.started) + machine.latency.1;
        let idle = !machine.applying && machine.desired.is_none();
        if machine.addresses && !may_hold_addresses(machine.role) && idle && time > settled + SLACK
        {
            self.object(format!("S3: {letter} is {} and still holds VIPs", machine.role.word()));
        }
        let open = self.answered[side];
        let may_open = matches!(machine.role, RoleWord::Claiming | RoleWord::Active);
        if open && !may_open && time > settled + SLACK {
            self.object(format!("gate: {letter} is {} and its gate is open", machine.role.word()));
        }
        if open || machine.role != RoleWord::Active {
            self.shut_since[side] = None;
            return;
        }
        let since = (*self.shut_since[side].get_or_insert(time)).max(machine.settled);
        if time > since + SLACK + 2 * machine.latency.1 {
            self.object(format!("gate: {letter} is active and its gate is shut"));
        }
    }

    /// A node moves to a role.
    pub(crate) fn moved(&mut self, machine: &Machine, to: RoleWord, reason: Reason) {
        self.moves += 1;
        if !reason_fits(machine.role, to, reason) {
            let (from, to) = (machine.role.word(), to.word());
            self.object(format!(
                "reason: {} moves from {from} to {to} because '{reason}'",
                machine.letter()
            ));
        }
    }

    /// A node starts or stops announcing.
    pub(crate) fn announced(&mut self, time: Time, machine: &Machine, start: bool) {
        if start && !machine.answers(time) {
            self.object(format!("announce: {} announces behind a shut gate", machine.letter()));
        }
    }

    /// A node sends a beat.
    pub(crate) fn sent(&mut self, time: Time, machine: &Machine, beat: &Beat) {
        let letter = machine.letter();
        let (run, epoch) = self.epochs[machine.side];
        if run == machine.runs && beat.epoch.0 < epoch {
            self.object(format!("S4: {letter} falls back from epoch {epoch} to {}", beat.epoch));
        }
        self.epochs[machine.side] = (machine.runs, beat.epoch.0);
        if beat.grant.0 > 0 && machine.answers(time) {
            self.object(format!(
                "grant: {letter} grants epoch {} while its gate answers",
                beat.grant
            ));
        }
    }
}

/// Whether nothing but time keeps a node from serving.
fn able(time: Time, machine: &Machine) -> bool {
    machine.refused_at.is_none_or(|at| time > at + UNFIT)
        && machine.runs()
        && machine.latency == READY
        && machine.synchronised != Some(false)
        && machine.check
        && machine.targets
        && machine.applier == Applier::Works
        && machine.leaving.is_none()
        && !machine.maintained
}

/// Whether a reason belongs to a step of the role machine.
fn reason_fits(from: RoleWord, to: RoleWord, reason: Reason) -> bool {
    let claim = matches!(
        reason,
        Reason::PeerSilent
            | Reason::PeerPoweredOff
            | Reason::PeerLeft
            | Reason::PeerRestarted
            | Reason::NobodyServed
            | Reason::PeerHandsOver
    );
    match (from, to) {
        (RoleWord::Starting | RoleWord::Passive | RoleWord::Releasing, RoleWord::Claiming) => claim,
        (RoleWord::Claiming, RoleWord::Active) => claim,
        (_, RoleWord::Starting) => false,
        _ => !claim && !matches!(reason, Reason::Serving | Reason::AwaitsConnections),
    }
}
