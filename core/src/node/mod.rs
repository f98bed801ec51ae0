//! One node: facts in, conclusions drawn, effects out.
//!
//! Everything is a level, not an edge: [`Core::handle`] takes a fact in, then
//! `settle` draws every conclusion from all facts, in the order of the four
//! questions. No timer has to be cancelled: [`Core::deadline`] is the earliest
//! moment at which a conclusion could change by itself.

mod claim;
mod compare;
mod hear;
mod orders;
mod planned;
mod reload;
mod serve;
mod speak;
mod timers;
mod underway;
mod view;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::beat::RoleWord;
use crate::config::Pair;
use crate::early::Early;
use crate::election::{Verdict, View, elect};
use crate::event::{Desired, Event, Output};
use crate::health::Health;
use crate::ids::{BootId, Designation, Epoch, Generation, MAX_TARGETS, PathId, Sequence};
use crate::lease::Lease;
use crate::note::{Note, Reason, What};
use crate::peer::{Peer, Phase};
use crate::role::{self, Input};
use crate::time::Moment;
use crate::tuning::Tuning;

pub use crate::paths::path_of;
pub use reload::ReloadRefused;
pub use timers::Timer;
use underway::{Answer, Claim, Handover, Leave};

/// Everything that a core is made from; the first line of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// This node's name.
    pub name: String,
    /// Its fixed part in the pair.
    pub designation: Designation,
    /// This run of the guard.
    pub boot: BootId,
    /// The pair's settings.
    pub pair: Pair,
    /// Whether the kernel has a working gate.
    pub gate: bool,
}

/// One node's mind. See the module's text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Core {
    setup: Setup,
    tuning: Tuning,
    /// The peer's patience that `tuning` respects; zero: not known.
    peer_patience: Duration,
    /// Until when a longer detection time that held before a reload goes on to hold.
    old_detection: Option<(Moment, Duration)>,
    peer: Peer,
    health: Health,
    lease: Lease,
    early: Early,
    role: RoleWord,
    reason: Reason,
    since: Moment,
    /// Highest epoch seen anywhere.
    epoch: Epoch,
    /// What this node grants the peer.
    granted: Epoch,
    claim: Option<Claim>,
    handover: Option<Handover>,
    /// The epoch last offered to the peer in this term; 0: none.
    offered: Epoch,
    handover_pause: Moment,
    release_until: Moment,
    /// Next try to reopen a gate that was found closed.
    reopen_at: Moment,
    /// Until here the peer is asked to confirm a lease that ran out while this node was
    /// kept from running.
    #[serde(default)]
    asking_until: Option<Moment>,
    switchover: bool,
    /// Since when a planned move waits for the peer's connections.
    #[serde(default)]
    waits_since: Option<Moment>,
    leave: Option<Leave>,
    peer_fit_since: Option<Moment>,
    peer_restarted: bool,
    sequence: Sequence,
    beat_due: Moment,
    probe_due: Moment,
    probing: bool,
    /// No carrier is looked up for a missing beat before this moment.
    check_due: Moment,
    answer: Option<Answer>,
    /// The path that brought our last beat to the peer, as far as it said so.
    proven: Option<PathId>,
    /// Beats that one path would have been enough for.
    sparing: u32,
    urgent: bool,
    sent_at: Moment,
    generation: Generation,
    addresses: bool,
    applied: bool,
    /// Whether the VIPs are present, as it was told last.
    addresses_told: bool,
    gate: bool,
    /// The VIPs changed while this node serves: announce once they are applied.
    announce_due: bool,
    targets: [Option<Moment>; MAX_TARGETS],
    ping_due: Moment,
    pinged_at: Moment,
    phase_told: Phase,
    /// Digest of our own settings.
    settings: u64,
    same_settings: bool,
    /// Why a planned move to this node must wait, as told last.
    waits_told: Vec<String>,
    woke_late: bool,
    /// Late, and what waited meanwhile is not read yet: no word, no claim.
    catching_up: bool,
    /// Late by so much that what waited may be older than the peer's next run.
    overslept: bool,
    settled_at: Moment,
    #[serde(skip)]
    out: VecDeque<Output>,
}

/// Outputs that one event may cause at the most; the queue never grows beyond it.
pub const MAX_OUTPUTS: usize = 256;

impl Core {
    /// A node that has just started: claims nothing, and wants no VIP in its kernel.
    pub fn new(now: Moment, setup: Setup) -> Core {
        let tuning = Tuning::new(&setup.pair, Duration::ZERO);
        let mut core = Core {
            tuning,
            peer_patience: Duration::ZERO,
            old_detection: None,
            peer: Peer::new(now, &setup.pair),
            health: Health::new(now, &setup.pair),
            lease: Lease::new(),
            early: Early::new(),
            role: RoleWord::Starting,
            reason: Reason::Starting,
            since: now,
            epoch: Epoch(0),
            granted: Epoch(0),
            claim: None,
            handover: None,
            offered: Epoch(0),
            handover_pause: now,
            release_until: now,
            reopen_at: now,
            asking_until: None,
            switchover: false,
            waits_since: None,
            leave: None,
            peer_fit_since: None,
            peer_restarted: false,
            sequence: Sequence(0),
            beat_due: now,
            probe_due: now,
            probing: false,
            check_due: now,
            answer: None,
            proven: None,
            sparing: 0,
            urgent: false,
            sent_at: now,
            generation: Generation(0),
            addresses: false,
            applied: false,
            addresses_told: false,
            gate: setup.gate,
            announce_due: false,
            targets: [None; MAX_TARGETS],
            ping_due: now,
            pinged_at: now,
            phase_told: Phase::NeverHeard,
            settings: setup.pair.digest(),
            same_settings: true,
            waits_told: Vec::new(),
            woke_late: false,
            catching_up: false,
            overslept: false,
            settled_at: now,
            out: VecDeque::with_capacity(MAX_OUTPUTS),
            setup,
        };
        core.note(now, What::Started { boot: core.setup.boot });
        core.want(false);
        core
    }

    /// Takes in what happened and draws every conclusion. `now` never goes back.
    pub fn handle(&mut self, now: Moment, event: Event) {
        self.notice_lateness(now, &event);
        match event {
            Event::Deadline => (self.catching_up, self.overslept) = (false, false),
            Event::Late { by } => self.late(now, by),
            Event::Greeted => self.urgent = true,
            Event::Heard(heard) => {
                if !self.hear(now, &heard) {
                    return;
                }
            }
            Event::HaCarrier { up } => self.ha_carrier(now, up),
            Event::Link { interface, up } => self.link(now, interface, up),
            Event::LinksChecked => {
                if let Some(claim) = &mut self.claim {
                    claim.links_checked = true;
                    self.urgent = true;
                }
            }
            Event::CableIsDirect { direct } => self.cable(now, direct),
            Event::KernelAnswered { path } => {
                if self.early.asking() || self.early.complete() {
                    self.early.refute(now);
                    self.note(now, What::KernelLives { path });
                }
            }
            Event::TargetAnswered { target } => {
                if let Some(at) = self.targets.get_mut(usize::from(target)) {
                    *at = Some(now);
                }
            }
            Event::Applied { generation, outcome } => self.was_applied(now, generation, outcome),
            Event::GateAnswered { order, took } => self.gate_answered(now, order, took),
            Event::GateWorks { works } => self.gate = works,
            Event::Fact(fact) => self.fact(now, fact),
            Event::AgentLeft => self.agent_left(now),
            Event::OwnAddresses { troubles } => self.own_addresses(now, troubles),
            Event::Order(order) => self.order(now, order),
        }
        self.settle(now);
    }

    /// The next thing to do, in order; `None` when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn settle(&mut self, now: Moment) {
        self.settled_at = now;
        self.end_old_detection(now);
        self.expire(now);
        self.tell_peer(now);
        self.advance_evidence(now);
        self.advance_lease(now);
        if self.catching_up {
            return;
        }
        self.advance_planned(now);
        // A conclusion can enable the next one (a refused claim, a released role).
        for _ in 0..4 {
            if !self.follow_election(now) {
                break;
            }
        }
        self.advance_leaving(now);
        self.ping(now);
        self.speak(now);
        self.woke_late = false;
    }

    fn follow_election(&mut self, now: Moment) -> bool {
        let verdict = self.verdict(now);
        let before = self.role;
        match self.role {
            RoleWord::Starting | RoleWord::Passive => match verdict {
                Verdict::Serve(reason) => self.begin_claim(now, reason),
                Verdict::HandOver(_) | Verdict::Stop(_) | Verdict::Stay(_) => {
                    self.end_starting(now)
                }
            },
            RoleWord::Claiming => self.advance_claim(now, verdict),
            RoleWord::Active => match verdict {
                Verdict::HandOver(reason) => self.advance_handover(now, reason),
                Verdict::Stop(reason) => self.yield_now(now, reason),
                Verdict::Serve(_) | Verdict::Stay(_) => self.end_handover(now),
            },
            RoleWord::Releasing => match verdict {
                Verdict::Serve(reason) if !matches!(reason, Reason::PeerHandsOver) => {
                    self.begin_claim(now, reason)
                }
                Verdict::Serve(_) | Verdict::HandOver(_) | Verdict::Stop(_) | Verdict::Stay(_) => {
                    self.end_releasing(now)
                }
            },
        }
        self.role != before
    }

    /// A starting node becomes passive once it knows its place.
    fn end_starting(&mut self, now: Moment) {
        if self.role != RoleWord::Starting {
            return;
        }
        let serving = self.peer.said.as_ref().is_some_and(|said| {
            matches!(said.role, RoleWord::Active | RoleWord::Claiming | RoleWord::Releasing)
        });
        if serving || (self.peer.said.is_some() && now.since(self.since) >= self.tuning.boot) {
            self.become_role(
                now,
                Input::HeardPeer,
                if serving { Reason::PeerServes } else { Reason::PeerPreferred },
            );
        }
    }

    /// The only place that changes the role.
    fn become_role(&mut self, now: Moment, input: Input, reason: Reason) {
        let from = self.role;
        let to = role::next(from, input);
        if to == from {
            return;
        }
        self.role = to;
        self.reason = reason;
        self.since = now;
        self.urgent = true;
        if to != RoleWord::Claiming {
            self.claim = None;
        }
        if to != RoleWord::Active {
            self.handover = None;
            self.asking_until = None;
            self.offered = Epoch(0);
            self.switchover = false;
        }
        self.note(now, What::Role { from, to, epoch: self.epoch, reason });
    }

    fn verdict(&self, now: Moment) -> Verdict {
        let phase = self.peer.phase(now, &self.tuning);
        let view = View {
            role: self.role,
            designation: self.setup.designation,
            own: self.own_compared(),
            peer_links: self.peer_links(),
            unreached: self.unreached(),
            cut_off: self.health.cut_off(),
            isolated: self.peer.connected().is_empty(),
            phase,
            said: self.peer.said.as_ref(),
            peer_restarted: self.peer_restarted,
            evidence: self.early.complete(),
            handed_over: self.handed_over(),
            outranks: self.outranks_peer(),
            targets: self.targets_answer(now),
            leaving: self.leave.is_some(),
            switchover: self.switchover,
            failback: self.failback_due(now),
            waits: self.planned_waits(now),
        };
        elect(&view)
    }

    /// Whether this node answers for the VIPs, or is about to with an open gate.
    fn serving(&self) -> bool {
        match self.role {
            RoleWord::Active | RoleWord::Releasing => true,
            RoleWord::Claiming => self.claim.as_ref().is_some_and(|claim| claim.opened),
            RoleWord::Starting | RoleWord::Passive => false,
        }
    }

    /// Wants the VIPs present or absent: a new generation, even if nothing changes.
    fn want(&mut self, addresses: bool) {
        self.generation = self.generation.next();
        self.addresses = addresses;
        self.applied = false;
        self.push(Output::Want(Desired { generation: self.generation, addresses }));
        if !addresses {
            self.push(Output::Announce { start: false });
        }
    }

    fn note(&mut self, at: Moment, what: What) {
        self.push(Output::Note(Note { at, what }));
    }

    fn push(&mut self, output: Output) {
        // Bounded by construction (each step pushes a few); a flood of notes is cut, never an effect.
        if self.out.len() < MAX_OUTPUTS || !matches!(output, Output::Note(_)) {
            self.out.push_back(output);
        }
    }
}
