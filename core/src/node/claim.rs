//! Taking the role: by silence, by evidence, or with the peer's grant.

use crate::beat::{Beat, RoleWord};
use crate::election::Verdict;
use crate::event::{Event, GateOrder, Output};
use crate::ids::{Designation, Epoch};
use crate::note::{Reason, What};
use crate::peer::Phase;
use crate::role::Input;
use crate::time::Moment;
use crate::tuning::{APPLY_PAUSE, HANDOVER_LIMIT, OPEN_LEAST, OPEN_PAUSE};

use super::{Claim, Core};

impl Core {
    /// Asked by the shell after it armed the gate and read all sockets and the clock
    /// again: until when the gate may be opened, if it still may.
    pub fn may_open(&mut self, now: Moment) -> Option<Moment> {
        self.notice_lateness(now, &Event::Deadline);
        // A grant that waits to be sent must not go out from behind an open gate.
        let granting =
            |output: &Output| matches!(output, Output::Send { beat, .. } if beat.grant > Epoch(0));
        if self.catching_up || self.out.iter().any(granting) {
            return None;
        }
        match self.role {
            RoleWord::Claiming if matches!(self.verdict(now), Verdict::Serve(_)) => self.basis(now),
            RoleWord::Active => self.basis(now),
            RoleWord::Starting | RoleWord::Passive | RoleWord::Claiming | RoleWord::Releasing => {
                None
            }
        }
    }

    /// What entitles this node to an open gate now, and until when: the peer's
    /// absence, or its fresh grant.
    pub(super) fn basis(&self, now: Moment) -> Option<Moment> {
        let by_absence = now + self.tuning.lease;
        match self.peer.phase(now, &self.tuning) {
            Phase::Silent | Phase::Left => return Some(by_absence),
            Phase::NeverHeard | Phase::Alive | Phase::Doubted => {}
        }
        if self.early.complete() && self.reason == Reason::PeerPoweredOff {
            return Some(by_absence);
        }
        let said = self.peer.said.as_ref()?;
        let granted =
            said.grant >= self.epoch && self.epoch > Epoch(0) && said.role != RoleWord::Active;
        self.lease
            .confirmed_until(self.tuning.lease)
            .filter(|until| granted && *until > now + OPEN_LEAST)
    }

    /// The peer serves and asks this node to take over.
    pub(super) fn handed_over(&self) -> bool {
        let own = match (&self.claim, self.role) {
            (Some(claim), RoleWord::Claiming) => claim.epoch,
            (Some(_) | None, _) => self.epoch.next(),
        };
        self.peer.said.as_ref().is_some_and(|said| said.handover >= own && said.handover > Epoch(0))
    }

    /// This node's right outranks the peer's: the higher epoch; of two equal ones who
    /// serves already, then the primary. So a node that woke up with old beliefs and
    /// claims cannot take the role from the one that has it.
    pub(super) fn outranks_peer(&self) -> bool {
        let Some(said) = &self.peer.said else { return true };
        let primary = self.setup.designation == Designation::Primary;
        let own = (self.epoch, self.role == RoleWord::Active, primary);
        let peer = (said.epoch, said.role == RoleWord::Active, !primary);
        matches!(self.role, RoleWord::Claiming | RoleWord::Active) && own > peer
    }

    pub(super) fn begin_claim(&mut self, now: Moment, reason: Reason) {
        let asked = self.peer.said.as_ref().map_or(Epoch(0), |said| said.handover);
        let known = self.peer.said.as_ref().map_or(self.epoch, |said| said.epoch.max(self.epoch));
        let handed = reason == Reason::PeerHandsOver;
        self.epoch = if handed { asked } else { known.next() };
        self.claim = Some(Claim {
            epoch: self.epoch,
            reason,
            opened: false,
            links_checked: !handed,
            since: now,
            open_at: now,
        });
        self.become_role(now, Input::Claim, reason);
        if handed {
            self.push(Output::CheckLinks);
        }
        if self.gate {
            // Behind the closed gate the addresses can be made ready beforehand.
            self.want(true);
        }
        self.try_open(now);
    }

    pub(super) fn advance_claim(&mut self, now: Moment, verdict: Verdict) {
        let Some(claim) = self.claim.clone() else { return };
        if claim.opened {
            let lives = self.lease.until.is_some_and(|until| until > now);
            if lives && self.applied && self.addresses {
                self.served(now, claim.reason);
            }
            return;
        }
        let stuck = now.since(claim.since) >= self.tuning.detection + HANDOVER_LIMIT;
        match verdict {
            Verdict::Serve(_) if !stuck => self.try_open(now),
            Verdict::Serve(_) => self.refuse_claim(now, Reason::LeaseRanOut),
            Verdict::HandOver(reason) | Verdict::Stop(reason) | Verdict::Stay(reason) => {
                self.refuse_claim(now, reason)
            }
        }
    }

    fn try_open(&mut self, now: Moment) {
        let Some(until) = self.basis(now) else { return };
        let Some(claim) = self.claim.as_mut().filter(|claim| !claim.opened && now >= claim.open_at)
        else {
            return;
        };
        claim.open_at = now + OPEN_PAUSE;
        self.push(Output::Gate(GateOrder::Open { until }));
    }

    fn served(&mut self, now: Moment, reason: Reason) {
        self.push(Output::Announce { start: true });
        self.become_role(now, Input::Served, reason);
    }

    pub(super) fn refuse_claim(&mut self, now: Moment, reason: Reason) {
        if self.claim.as_ref().is_some_and(|claim| claim.opened) {
            self.push(Output::Gate(GateOrder::Close));
        }
        self.lease.close();
        self.become_role(now, Input::Refused, reason);
        self.want(false);
    }

    pub(super) fn apply_failed(&mut self, now: Moment) {
        if !self.addresses {
            // Nothing to hold back for: the kernel side retries on its own.
            return;
        }
        self.health.apply_failed = Some(now + APPLY_PAUSE);
        if self.role == RoleWord::Claiming {
            self.refuse_claim(now, Reason::ApplyFailed);
        }
    }

    /// Epochs and grants: who yields to whom.
    pub(super) fn weigh_epoch(&mut self, now: Moment, beat: &Beat) {
        let claims = matches!(beat.role, RoleWord::Claiming | RoleWord::Active);
        if !claims {
            // A passive peer that has seen a higher epoch only teaches it.
            if !self.serving() {
                self.epoch = self.epoch.max(beat.epoch);
            }
            return;
        }
        self.peer_restarted = false;
        // A claim that we asked for, also when the offer was withdrawn meanwhile: the
        // peer opens on our word only, and drops the claim when it hears of it.
        let ours = self.role == RoleWord::Active && beat.epoch == self.offered;
        if beat.role == RoleWord::Claiming && ours {
            return;
        }
        if beat.role == RoleWord::Active && self.role == RoleWord::Active {
            self.note(now, What::TwoActive { peer: beat.epoch });
            self.urgent = true;
        }
        if self.outranks_peer() {
            return;
        }
        let reason = if beat.epoch > self.epoch {
            Reason::HigherEpoch
        } else if beat.role == RoleWord::Active && self.role == RoleWord::Claiming {
            Reason::PeerServes
        } else {
            Reason::TieToPrimary
        };
        match self.role {
            RoleWord::Active => self.yield_now(now, reason),
            RoleWord::Claiming if beat.handover == Epoch(0) || beat.handover != self.epoch => {
                self.refuse_claim(now, reason);
            }
            RoleWord::Claiming | RoleWord::Starting | RoleWord::Passive | RoleWord::Releasing => {}
        }
        if beat.epoch >= self.epoch && !self.serving() {
            self.epoch = beat.epoch;
            self.granted = beat.epoch;
        }
    }
}
