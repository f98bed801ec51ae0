//! What this node says, and when.

use crate::beat::{Beat, RoleWord};
use crate::event::Output;
use crate::ids::{Epoch, NameTag, PathId, PathSet};
use crate::peer::Phase;
use crate::time::Moment;
use crate::tuning::{ANSWER_ALL, ANSWER_PAUSE};

use super::{Answer, Core};

impl Core {
    /// Sends a beat if one is due, asked for, or urgent.
    pub(super) fn speak(&mut self, now: Moment) {
        let probing = self.should_probe(now);
        if probing && !self.probing {
            self.probe_due = now;
        }
        self.probing = probing;
        let answer = self.answer.filter(|_| now.since(self.sent_at) >= ANSWER_PAUSE);
        let everywhere = self.urgent || (probing && now >= self.probe_due);
        let paths = match answer {
            _ if everywhere => self.peer.connected(),
            Some(Answer::OnAllPaths) => self.peer.connected(),
            _ if now >= self.beat_due => self.beat_on(now),
            Some(Answer::OnOne(proven)) => self.send_on(proven, ANSWER_ALL),
            None => return,
        };
        self.answer = None;
        self.urgent = false;
        self.send(now, paths);
    }

    /// Where a beat goes that is due: everywhere unless the node serves in calm, since
    /// then every beat is answered at once.
    fn beat_on(&mut self, now: Moment) -> PathSet {
        let calm = self.role == RoleWord::Active
            && self.peer.phase(now, &self.tuning) == Phase::Alive
            && !self.lease.alone;
        let proven = self.proven.filter(|_| calm);
        self.send_on(proven, self.tuning.beat_all)
    }

    /// The path that is known to have brought our last beat to the peer; all of them
    /// when that is not known, and every so many times.
    fn send_on(&mut self, proven: Option<PathId>, all_every: u32) -> PathSet {
        self.sparing = self.sparing.wrapping_add(1);
        let connected = self.peer.connected();
        match proven {
            Some(path) if connected.contains(path) && !self.sparing.is_multiple_of(all_every) => {
                PathSet::only(path)
            }
            Some(_) | None => connected,
        }
    }

    fn send(&mut self, now: Moment, paths: PathSet) {
        // A node that does not serve speaks a little later than asked, so that its
        // answers to the active's beats are its beats.
        let slack = if self.serving() { self.tuning.period } else { self.tuning.period * 5 / 4 };
        self.beat_due = now + slack;
        self.probe_due = now + self.tuning.probe;
        self.sent_at = now;
        self.renew_alone(now);
        if paths.is_empty() {
            return;
        }
        self.sequence = self.sequence.next();
        self.proven = None;
        self.lease.sent(self.sequence, now);
        let beat = Box::new(self.beat(now));
        self.push(Output::Send { paths, beat });
    }

    fn beat(&self, now: Moment) -> Beat {
        let silenced = self.gate || (self.applied && !self.addresses);
        let ready = self.claim.as_ref().is_some_and(|claim| {
            let prepared = !self.gate || (self.applied && self.addresses);
            !claim.opened && claim.links_checked && prepared
        });
        let (fitness, fresh) = (self.health.fitness(self.serving()), self.health.fresh());
        Beat {
            sequence: self.sequence,
            wants_answer: self.probing || self.early.asking(),
            role: self.role,
            epoch: self.epoch,
            grant: if !self.answers() && silenced { self.granted } else { Epoch(0) },
            handover: match self.role {
                RoleWord::Releasing => self.granted,
                RoleWord::Active => {
                    self.handover.as_ref().map_or(Epoch(0), |handover| handover.epoch)
                }
                RoleWord::Starting | RoleWord::Passive | RoleWord::Claiming => Epoch(0),
            },
            ready,
            leaving: self.farewell(),
            fitness,
            gate: self.gate,
            settings: self.settings,
            patience: self.setup.pair.detection(),
            // Of what a reload just brought this node cannot speak yet.
            list: if fresh == 0 { self.peer.list() } else { NameTag::NONE },
            heard: self.peer.report(now, fitness.healthy, fresh),
        }
    }

    /// Whether this node may be answering for the VIPs when its beat goes out.
    fn answers(&self) -> bool {
        match self.role {
            // A claimant's gate may open between the writing of a beat and its sending.
            RoleWord::Active | RoleWord::Claiming => true,
            RoleWord::Starting | RoleWord::Passive | RoleWord::Releasing => false,
        }
    }

    /// Whether something is decided within milliseconds: beats every few of them.
    fn should_probe(&self, now: Moment) -> bool {
        let phase = self.peer.phase(now, &self.tuning);
        let heard = matches!(phase, Phase::Alive | Phase::Doubted);
        let unconfirmed = self.asking_until.is_some()
            || self.lease.unconfirmed(now).is_some_and(|age| age >= self.tuning.doubt);
        match self.role {
            RoleWord::Active => {
                heard && (phase == Phase::Doubted || unconfirmed || self.handover.is_some())
            }
            RoleWord::Claiming => heard,
            RoleWord::Releasing => {
                heard && self.peer.said.as_ref().is_some_and(|said| said.role != RoleWord::Active)
            }
            RoleWord::Starting | RoleWord::Passive => phase == Phase::Doubted,
        }
    }
}
