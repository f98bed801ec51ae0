//! When a conclusion could change by itself, and which.

use std::fmt;

use crate::beat::RoleWord;
use crate::ids::PathId;
use crate::peer::Phase;
use crate::time::Moment;
use crate::tuning::{ANSWER_PAUSE, HANDOVER_LIMIT};

use super::Core;

/// The named timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The next own beat.
    Beat,
    /// The next probe while in doubt.
    Probe,
    /// An answer that was held back for a moment.
    Answer,
    /// The peer becomes doubtful.
    Doubt,
    /// The peer counts as silent.
    PeerSilent,
    /// One path counts as silent.
    PathSilent,
    /// The active decides whether it is alone.
    LeaseDecision,
    /// The lease ends.
    LeaseEnd,
    /// A gate that was found closed is opened again.
    Reopening,
    /// The next round of evidence.
    Evidence,
    /// Forwarding without answering ends.
    ForwardEnd,
    /// A handover is given up, or may be tried again.
    Handover,
    /// A planned move waits no longer for the peer's connections.
    Connections,
    /// A claim is tried again or given up.
    Claim,
    /// A hold, a fact, maintenance or another state of this node's health ends.
    Health,
    /// Failback is due.
    Failback,
    /// The targets are pinged.
    Ping,
    /// The next step of leaving.
    Leave,
    /// The starting node knows its place.
    Boot,
    /// A node that woke late has read what waited.
    CatchUp,
    /// Nothing is waited for.
    Idle,
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Timer::Beat => "beat",
            Timer::Probe => "probe",
            Timer::Answer => "answer",
            Timer::Doubt => "doubt",
            Timer::PeerSilent => "peer silent",
            Timer::PathSilent => "path silent",
            Timer::LeaseDecision => "lease decision",
            Timer::LeaseEnd => "lease end",
            Timer::Reopening => "reopening",
            Timer::Evidence => "evidence",
            Timer::ForwardEnd => "forward end",
            Timer::Handover => "handover",
            Timer::Connections => "end of waiting for connections",
            Timer::Claim => "claim",
            Timer::Health => "health",
            Timer::Failback => "failback",
            Timer::Ping => "ping",
            Timer::Leave => "leave",
            Timer::Boot => "boot",
            Timer::CatchUp => "catch up",
            Timer::Idle => "idle",
        })
    }
}

impl Core {
    /// When [`Event::Deadline`](crate::event::Event::Deadline) is due at the latest, and what for.
    pub fn deadline(&self) -> (Moment, Timer) {
        if self.catching_up {
            // As soon as everything that waited is read.
            return (self.settled_at, Timer::CatchUp);
        }
        let mut next = (Moment::NEVER, Timer::Idle);
        self.each_timer(&mut |timer, at| {
            // What was due at the last settling had its chance then.
            if at > self.settled_at && at < next.0 {
                next = (at, timer);
            }
        });
        next
    }

    /// Every timer that runs.
    pub(super) fn each_timer(&self, tell: &mut dyn FnMut(Timer, Moment)) {
        tell(Timer::Beat, self.beat_due);
        if self.probing {
            tell(Timer::Probe, self.probe_due);
        }
        if self.answer.is_some() {
            tell(Timer::Answer, self.sent_at + ANSWER_PAUSE);
        }
        let silent_since = self.peer.silent_since();
        match self.phase_told {
            Phase::NeverHeard | Phase::Alive | Phase::Doubted => {
                tell(Timer::Doubt, silent_since + self.tuning.doubt);
                tell(Timer::PeerSilent, silent_since + self.peer.patience(&self.tuning));
            }
            Phase::Silent | Phase::Left => {}
        }
        for index in 0..self.peer.path_count() {
            let id = PathId(index as u8);
            let path = self.peer.paths[id.index()];
            if let Some(at) = path.heard_at {
                let changes = if path.told { at + self.tuning.path } else { at };
                tell(Timer::PathSilent, changes.max(self.peer.tell_path_at(id)));
            }
        }
        self.role_timers(tell);
        tell(Timer::Evidence, self.early.next());
        tell(Timer::Health, self.health.next());
        if let Some(at) = self.failback_at() {
            tell(Timer::Failback, at);
        }
        if !self.setup.pair.ping_targets.is_empty() {
            tell(Timer::Ping, self.ping_due);
        }
        tell(Timer::Leave, self.leave_next());
    }

    fn role_timers(&self, tell: &mut dyn FnMut(Timer, Moment)) {
        match self.role {
            RoleWord::Starting => tell(Timer::Boot, self.since + self.tuning.boot),
            RoleWord::Passive => {}
            RoleWord::Claiming => {
                if let Some(claim) = &self.claim {
                    tell(Timer::Claim, claim.open_at);
                    tell(Timer::Claim, claim.since + self.tuning.detection + HANDOVER_LIMIT);
                }
                self.lease_timers(tell);
            }
            RoleWord::Active => {
                self.lease_timers(tell);
                if let Some(end) = self.planned_limit() {
                    tell(Timer::Connections, end);
                }
                match &self.handover {
                    Some(handover) => tell(Timer::Handover, handover.since + HANDOVER_LIMIT),
                    None => tell(Timer::Handover, self.handover_pause),
                }
            }
            RoleWord::Releasing => tell(Timer::ForwardEnd, self.release_until),
        }
    }

    fn lease_timers(&self, tell: &mut dyn FnMut(Timer, Moment)) {
        let Some(until) = self.lease.until else {
            tell(Timer::Reopening, self.reopen_at);
            if let Some(end) = self.asking_until {
                tell(Timer::Reopening, end);
            }
            return;
        };
        tell(Timer::LeaseEnd, until);
        if !self.lease.alone {
            let believable = self.peer.silent_since() + self.tuning.believable;
            tell(Timer::LeaseDecision, until.before(self.tuning.decide).max(believable));
            if let Some(at) = self.lease.confirmed_until(self.tuning.doubt) {
                tell(Timer::Probe, at);
            }
        }
    }
}
