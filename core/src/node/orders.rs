//! The operator's orders, readiness facts, and leaving.

use std::time::Duration;

use crate::beat::{Leaving, RoleWord};
use crate::event::{Fact, Order, Output, Refusal};
use crate::health::Health;
use crate::ids::InterfaceId;
use crate::note::What;
use crate::peer::Phase;
use crate::time::Moment;
use crate::tuning::LEAVE_LIMIT;

use super::{Core, Leave};

/// Goodbyes sent: one may be lost on every path.
const GOODBYES: u8 = 3;
const GOODBYE_PAUSE: Duration = Duration::from_millis(2);

impl Core {
    pub(super) fn order(&mut self, now: Moment, order: Order) {
        let done = match order {
            Order::Switchover => self.order_switchover(now),
            Order::MaintenanceOn { lasts } => self.order_maintenance(now, lasts),
            Order::MaintenanceOff => {
                if self.health.maintenance.take().is_some() {
                    self.note(now, What::MaintenanceOff { by_itself: false });
                }
                Ok(())
            }
            Order::ClearDamping => {
                for what in self.health.clear_damping() {
                    self.note(now, what);
                }
                Ok(())
            }
            Order::Leave(why) => {
                self.order_leave(now, why);
                Ok(())
            }
        };
        if let Err(why) = done {
            self.note(now, What::Refused(why));
            self.push(Output::Refused(why));
        }
    }

    /// A refused one is no note: a check repeats itself, and would push out the rest.
    pub(super) fn fact(&mut self, now: Moment, fact: Fact) {
        match self.health.fact(now, fact) {
            Ok(Some(what)) => self.note(now, what),
            Ok(None) => {}
            Err(why) => return self.push(Output::Refused(why)),
        }
        self.tell_ready(now);
    }

    /// Without an agent nobody copies connections, where any are copied.
    pub(super) fn agent_left(&mut self, now: Moment) {
        if self.setup.pair.flows.replicate {
            self.health.agent_left(now);
        }
    }

    /// Lets run out what has run out of this node's health, and tells it.
    pub(super) fn expire(&mut self, now: Moment) {
        for what in self.health.expire(now) {
            self.note(now, what);
        }
        if self.health.lacks_agent(now) {
            self.urgent = true;
            self.tell_ready(now);
        }
    }

    fn order_switchover(&mut self, now: Moment) -> Result<(), Refusal> {
        if self.role != RoleWord::Active {
            return Err(Refusal::NotActive);
        }
        if self.handover.is_some() {
            return Err(Refusal::Busy);
        }
        self.peer_could_take(now)?;
        if self.peer_reaches_fewer() {
            // The role would come back at once.
            return Err(Refusal::PeerNotFit);
        }
        self.handover_pause = now;
        self.switchover = true;
        Ok(())
    }

    fn order_maintenance(&mut self, now: Moment, lasts: Duration) -> Result<(), Refusal> {
        if self.serving() {
            self.peer_could_take(now).map_err(|why| {
                let passes = why == Refusal::PeerNotReady;
                if passes { why } else { Refusal::NobodyElse }
            })?;
            self.handover_pause = now;
        }
        self.health.maintenance = Some(now + lasts);
        self.urgent = true;
        self.note(now, What::MaintenanceOn { lasts });
        Ok(())
    }

    pub(super) fn peer_could_take(&self, now: Moment) -> Result<(), Refusal> {
        match self.peer.phase(now, &self.tuning) {
            Phase::Alive | Phase::Doubted => {}
            Phase::NeverHeard | Phase::Silent | Phase::Left => return Err(Refusal::PeerSilent),
        }
        match self.peer.fitness() {
            Some(peer) if peer.ready() && !self.peer_has_fewer() => Ok(()),
            Some(peer) if peer.eligible() && !self.peer_has_fewer() => Err(Refusal::PeerNotReady),
            Some(_) | None => Err(Refusal::PeerNotFit),
        }
    }

    fn order_leave(&mut self, now: Moment, why: Leaving) {
        if self.leave.is_none() {
            self.handover_pause = now;
            self.leave = Some(Leave { why, since: now, goodbyes: 0, next: now });
        }
    }

    /// Says goodbye once the role is gone and the addresses with it.
    pub(super) fn advance_leaving(&mut self, now: Moment) {
        let gone = matches!(self.role, RoleWord::Passive | RoleWord::Starting);
        let clean = self.applied && !self.addresses;
        let Some(leave) = &mut self.leave else { return };
        let waited = now.since(leave.since) >= LEAVE_LIMIT;
        if !gone || !(clean || waited) || now < leave.next || leave.goodbyes > GOODBYES {
            return;
        }
        leave.goodbyes += 1;
        leave.next = now + GOODBYE_PAUSE;
        if leave.goodbyes > GOODBYES {
            self.push(Output::Stop);
        } else {
            self.urgent = true;
        }
    }

    /// The farewell that beats carry by now.
    pub(super) fn farewell(&self) -> Option<Leaving> {
        self.leave.as_ref().filter(|leave| leave.goodbyes > 0).map(|leave| leave.why)
    }

    /// When leaving has something to do next.
    pub(super) fn leave_next(&self) -> Moment {
        self.leave.as_ref().map_or(Moment::NEVER, |leave| {
            if leave.goodbyes == 0 { leave.since + LEAVE_LIMIT } else { leave.next }
        })
    }
}

impl Health {
    /// Reads whether an interface has carrier, for the view.
    pub(crate) fn is_up(&self, interface: InterfaceId) -> bool {
        self.links.get(interface.index()).is_some_and(|link| link.up)
    }
}
