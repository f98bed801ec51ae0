//! Keeping the role and giving it up: the lease, the handover, the release.

use crate::beat::RoleWord;
use crate::config::Failback;
use crate::early::Step;
use crate::event::{GateOrder, Output};
use crate::ids::Designation;
use crate::note::{Reason, What};
use crate::peer::Phase;
use crate::role::Input;
use crate::time::Moment;
use crate::tuning::{FORWARD, HANDOVER_LIMIT, HANDOVER_PAUSE, OPEN_LEAST, OPEN_PAUSE};

use super::{Core, Handover};

impl Core {
    /// The peer confirmed a beat: the lease runs from its sending.
    pub(super) fn renew_confirmed(&mut self, now: Moment, sent: Moment) {
        let until = sent + self.tuning.lease;
        let Some(current) = self.lease.until.filter(|_| self.answering()) else { return };
        if until > current && until > now + OPEN_LEAST {
            self.push(Output::Gate(GateOrder::Renew { until }));
        }
    }

    /// Whether the answering gate should be open.
    fn answering(&self) -> bool {
        match self.role {
            RoleWord::Active => true,
            RoleWord::Claiming => self.claim.as_ref().is_some_and(|claim| claim.opened),
            RoleWord::Starting | RoleWord::Passive | RoleWord::Releasing => false,
        }
    }

    pub(super) fn gate_answered(&mut self, now: Moment, order: GateOrder, took: bool) {
        match order {
            GateOrder::Open { until } if took => self.opened(now, until),
            GateOrder::Open { .. } => self.note(now, What::GateRefused { opening: true }),
            GateOrder::Renew { until } if took => {
                self.lease.until = Some(until);
                self.announce_changed();
            }
            GateOrder::Renew { .. } => {
                // The kernel's lease had run out a moment before ours: open again if we may.
                self.note(now, What::GateRefused { opening: false });
                self.lease.until = None;
                self.reopen_at = now;
            }
            GateOrder::CloseAnswer { .. } | GateOrder::Close => {}
        }
    }

    fn opened(&mut self, now: Moment, until: Moment) {
        let absent = match self.peer.phase(now, &self.tuning) {
            Phase::Silent | Phase::Left => true,
            Phase::NeverHeard | Phase::Alive | Phase::Doubted => self.early.complete(),
        };
        self.lease.until = Some(until);
        self.asking_until = None;
        self.lease.alone = absent;
        let first = match &mut self.claim {
            Some(claim) => !std::mem::replace(&mut claim.opened, true),
            None => false,
        };
        if first && !self.gate {
            self.want(true);
        }
    }

    /// The lease: renewed while alone, reopened after a hiccup, given up when it ran out.
    pub(super) fn advance_lease(&mut self, now: Moment) {
        if !self.answering() {
            return;
        }
        let phase = self.peer.phase(now, &self.tuning);
        let gone = matches!(phase, Phase::Silent | Phase::Left);
        let Some(until) = self.lease.until else {
            self.reopen(now);
            return;
        };
        if now >= until {
            // After a longer sleep the peer has most likely claimed.
            let spoke = now.since(self.sent_at) < self.tuning.lease;
            if self.woke_late && spoke && !gone {
                return self.ask_again(now);
            }
            let reason = if self.woke_late {
                Reason::WokeLate
            } else if gone && !self.targets_answer(now) {
                Reason::TargetsSilent
            } else {
                Reason::LeaseRanOut
            };
            self.yield_now(now, reason);
            return;
        }
        let believable = gone || self.peer.silence(now) >= self.tuning.believable;
        if !believable && !self.early.complete() {
            self.lease.alone = false;
        }
        if !self.lease.alone
            && now + self.tuning.decide >= until
            && believable
            && self.targets_answer(now)
        {
            self.lease.alone = true;
            self.urgent = true;
        }
    }

    /// The lease ran out while this node was kept from running. The gate is closed, and
    /// the peer may have claimed; or it was kept from running as well, or lost a beat,
    /// and would confirm the next one. That is asked before the role moves.
    fn ask_again(&mut self, now: Moment) {
        self.push(Output::Gate(GateOrder::Close));
        self.lease.close();
        self.reopen_at = now;
        self.asking_until = Some(now + self.tuning.ask_again);
        self.urgent = true;
        self.note(now, What::GateRefused { opening: false });
    }

    /// While alone every beat renews: a peer that hears us although we do not hear
    /// it counts its patience from that very beat.
    pub(super) fn renew_alone(&mut self, now: Moment) {
        if self.lease.alone && self.answering() && self.targets_answer(now) {
            self.push(Output::Gate(GateOrder::Renew { until: now + self.tuning.lease }));
        }
    }

    fn reopen(&mut self, now: Moment) {
        // While catching up the shell would refuse, and cost the next try.
        if now < self.reopen_at || self.catching_up {
            return;
        }
        let phase = self.peer.phase(now, &self.tuning);
        let heard = matches!(phase, Phase::Alive | Phase::Doubted);
        // What a node that woke late believes of the peer's absence is no basis.
        let basis = self.basis(now).filter(|_| heard || self.asking_until.is_none());
        match basis {
            Some(until) => {
                self.reopen_at = now + OPEN_PAUSE;
                self.push(Output::Gate(GateOrder::Open { until }));
            }
            None if heard && self.asking_until.is_some_and(|end| now < end) => {}
            None if self.woke_late || self.asking_until.is_some() => {
                self.yield_now(now, Reason::WokeLate);
            }
            None => self.yield_now(now, Reason::LeaseRanOut),
        }
    }

    /// Stops serving at once.
    pub(super) fn yield_now(&mut self, now: Moment, reason: Reason) {
        self.push(Output::Gate(GateOrder::Close));
        self.lease.close();
        self.become_role(now, Input::Yield, reason);
        self.want(false);
    }

    /// Offers the role to the peer, repeats it, and releases when the peer is ready.
    pub(super) fn advance_handover(&mut self, now: Moment, reason: Reason) {
        let Some(handover) = self.handover.clone() else {
            if now >= self.handover_pause {
                // A claim of the peer that came to nothing has used its epoch up.
                let seen = self.peer.said.as_ref().map(|said| said.epoch).unwrap_or_default();
                let epoch = self.epoch.max(seen).next();
                self.handover = Some(Handover { epoch, reason, since: now });
                self.offered = epoch;
                self.urgent = true;
                self.note(now, What::HandoverAsked { epoch, reason });
            }
            return;
        };
        let ready = self.peer.said.as_ref().is_some_and(|said| {
            said.role == RoleWord::Claiming && said.epoch == handover.epoch && said.ready
        });
        if ready {
            self.release(now, &handover);
        } else if now.since(handover.since) >= HANDOVER_LIMIT {
            self.handover = None;
            self.handover_pause = now + HANDOVER_PAUSE;
            self.switchover = false;
            self.note(now, What::HandoverGivenUp { epoch: handover.epoch });
            if self.leave.is_some() {
                self.yield_now(now, Reason::Leaving);
            }
        }
    }

    /// Nothing speaks for a handover any more. An ordered one does not wait in secret
    /// until it becomes possible again: the operator is told.
    pub(super) fn end_handover(&mut self, now: Moment) {
        let Some(handover) = self.handover.take() else { return };
        if std::mem::take(&mut self.switchover) {
            self.note(now, What::HandoverGivenUp { epoch: handover.epoch });
        }
    }

    /// Ends answering, goes on forwarding, and lets the peer open.
    fn release(&mut self, now: Moment, handover: &Handover) {
        self.release_until = now + FORWARD;
        self.push(Output::Gate(GateOrder::CloseAnswer { until: self.release_until }));
        self.push(Output::Announce { start: false });
        self.lease.close();
        self.granted = handover.epoch;
        self.become_role(now, Input::Release, handover.reason);
        if !self.gate {
            // Without a gate only the addresses can stop answering.
            self.want(false);
        }
    }

    pub(super) fn end_releasing(&mut self, now: Moment) {
        if now < self.release_until {
            return;
        }
        self.push(Output::Gate(GateOrder::Close));
        let reason = self.reason;
        self.become_role(now, Input::ForwardEnded, reason);
        if self.addresses {
            self.want(false);
        }
    }

    /// The peer is the primary, fit for the hold time, and failback is wanted.
    pub(super) fn failback_due(&self, now: Moment) -> bool {
        self.failback_at().is_some_and(|at| now >= at)
    }

    pub(super) fn failback_at(&self) -> Option<Moment> {
        match (self.setup.pair.failback, self.setup.designation, self.role) {
            (Failback::Primary { hold }, Designation::Secondary, RoleWord::Active) => {
                self.peer_fit_since.map(|since| since + hold)
            }
            (Failback::Primary { .. } | Failback::Stay, _, _) => None,
        }
    }

    pub(super) fn advance_evidence(&mut self, now: Moment) {
        let sides = self.peer.side_paths(now, &self.tuning);
        let waiting = matches!(self.role, RoleWord::Passive | RoleWord::Claiming);
        let heard = matches!(self.peer.phase(now, &self.tuning), Phase::Alive | Phase::Doubted);
        let serves = self.peer.said.as_ref().is_some_and(|said| {
            matches!(said.role, RoleWord::Active | RoleWord::Claiming | RoleWord::Releasing)
        });
        match self.early.advance(now, waiting && heard && serves && !sides.is_empty()) {
            Step::Nothing => {}
            Step::Ask(round) => {
                if let Some(round) = round {
                    self.note(now, What::EvidenceRound { round });
                }
                // Every path with carrier may bring the answer, also one that was silent so far.
                self.push(Output::AskKernel { paths: self.peer.connected() });
                self.urgent = true;
            }
        }
    }

    /// No targets are configured, or one answered since the peer fell silent.
    pub(super) fn targets_answer(&self, now: Moment) -> bool {
        self.targets_of(now, self.setup.pair.ping_targets.len())
    }

    /// The same for the first `count` of the targets known.
    pub(super) fn targets_of(&self, now: Moment, count: usize) -> bool {
        let since = self.peer.silent_since();
        let fresh = |at: &Moment| *at >= since && now.since(*at) < self.tuning.ping_valid;
        count == 0 || self.targets.iter().take(count).flatten().any(fresh)
    }

    pub(super) fn ping(&mut self, now: Moment) {
        if self.setup.pair.ping_targets.is_empty() {
            return;
        }
        let calm = matches!(self.peer.phase(now, &self.tuning), Phase::Alive);
        if !calm {
            // What was answered before the doubt will be too old when it is decided.
            self.ping_due = self.ping_due.min(self.pinged_at + self.tuning.ping);
        }
        if now < self.ping_due {
            return;
        }
        self.pinged_at = now;
        self.ping_due = now + if calm { self.tuning.ping * 4 } else { self.tuning.ping };
        self.push(Output::PingTargets);
    }
}
