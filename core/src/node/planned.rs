//! Planned moves that wait for the peer's connections: a switchover, a failback and
//! maintenance lose nobody's connection when they come a moment later. Only here; a
//! takeover in need waits for nothing, nor does a node that leaves.

use crate::beat::RoleWord;
use crate::note::What;
use crate::time::Moment;
use crate::tuning::CONNECTIONS_LIMIT;

use super::Core;

impl Core {
    /// Begins to wait when a planned move is due and the peer lacks connections; ends when
    /// it has them, or when nothing is due any more.
    pub(super) fn advance_planned(&mut self, now: Moment) {
        // What the peer said before it lost its power counts no more.
        let able = self.peer_could_take(now).is_ok() && !self.early.complete();
        let awaited = able && self.planned_is_due(now) && self.peer_is_behind();
        match (self.waits_since, awaited) {
            (None, true) => {
                self.waits_since = Some(now);
                self.note(now, What::MoveWaits { limit: CONNECTIONS_LIMIT });
            }
            (Some(_), false) => {
                self.waits_since = None;
                // An order does not wait in secret for a peer that is not able any more.
                if !able && self.handover.is_none() && std::mem::take(&mut self.switchover) {
                    self.note(now, What::HandoverGivenUp { epoch: self.epoch });
                }
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    /// Whether a planned move waits now. One that has begun is carried through.
    pub(super) fn planned_waits(&self, now: Moment) -> bool {
        self.handover.is_none() && self.planned_limit().is_some_and(|end| now < end)
    }

    /// When the waiting ends at the latest.
    pub(super) fn planned_limit(&self) -> Option<Moment> {
        self.waits_since.map(|since| since + CONNECTIONS_LIMIT)
    }

    fn planned_is_due(&self, now: Moment) -> bool {
        let ordered = self.switchover || self.health.maintenance.is_some();
        self.role == RoleWord::Active && self.leave.is_none() && (ordered || self.failback_due(now))
    }

    fn peer_is_behind(&self) -> bool {
        self.peer.said.as_ref().is_some_and(|said| said.fitness.behind)
    }
}
