//! Taking facts in: beats, carriers, lateness, what the kernel did; and telling
//! what changed about the peer. Draws no conclusion on the role.

use std::time::Duration;

use crate::beat::{Heard, RoleWord};
use crate::config::Cable;
use crate::event::{Applied, Event, MAX_OWN_TROUBLES, Output, OwnTrouble};
use crate::ids::{Generation, InterfaceId, PathId};
use crate::note::What;
use crate::peer::Phase;
use crate::time::Moment;
use crate::tuning::{CHECK_PAUSE, LAG, LATE};

use super::{Answer, Core, path_of};

impl Core {
    /// Takes in which links there are, of the HA link and of interfaces, before this run's
    /// first word: a peer that is told of none would think itself the better node.
    pub fn know_links(&mut self, now: Moment, ha: Option<bool>, links: &[(InterfaceId, bool)]) {
        if let Some(up) = ha {
            self.ha_carrier(now, up);
        }
        for (interface, up) in links {
            self.link(now, *interface, *up);
        }
    }

    /// A shell can be stopped between any two of its steps, so the core also
    /// measures by itself how far it was kept beyond its own deadline.
    pub(super) fn notice_lateness(&mut self, now: Moment, event: &Event) {
        let by = now.since(self.deadline().0);
        if by >= LATE && !matches!(event, Event::Late { .. }) {
            self.late(now, by);
        }
    }

    pub(super) fn late(&mut self, now: Moment, by: Duration) {
        if now.since(self.sent_at) >= self.tuning.lease {
            // The peer may have claimed meanwhile, also one that was dead or gone before.
            self.overslept = true;
            self.peer.forget_absence(now);
            // Nor does it count what it said then, until it speaks again.
            self.peer.said = None;
        } else {
            self.peer.woke_late(now, by);
        }
        self.early.refute(now);
        self.woke_late = true;
        self.catching_up = true;
        if by >= LATE && by * 2 >= self.setup.pair.interval {
            self.note(now, What::Late { by });
        }
    }

    /// Takes in a beat. `false`: it was another copy of one that was heard already,
    /// in calm times, and no conclusion can come of it.
    pub(super) fn hear(&mut self, now: Moment, heard: &Heard) -> bool {
        let told = self.peer.paths.get(heard.path.index()).is_some_and(|path| path.told);
        let calm = told && self.phase_told == Phase::Alive && !self.early.asking();
        let theirs = self.peer.align(&heard.beat);
        let received = self.peer.hear(now, heard, &theirs);
        if self.overslept {
            // A goodbye that waited is no word about now.
            self.peer.forget_absence(now);
        }
        if received.restarted {
            self.lease.forget();
            // Whatever it held before, this run of the peer has granted nothing and serves nothing.
            self.peer_restarted = self.phase_told != Phase::NeverHeard;
            self.note(now, What::PeerUp { boot: heard.boot, silence: received.silence });
        }
        self.early.refute(now);
        if !received.fresh {
            return !calm || received.restarted;
        }
        let lag = if self.serving() { u64::from(self.tuning.beat_all) } else { LAG };
        let missing =
            self.peer.misses_on_a_path(self.tuning.beat_all) || self.peer.lacks_ours(&theirs, lag);
        if missing && now >= self.check_due {
            self.check_due = now + CHECK_PAUSE;
            self.push(Output::CheckLinks);
        }
        let beat = &heard.beat;
        if self.early.peer_carrier(now, beat.heard[PathId::HA.index()].carrier) {
            self.note(now, What::CableIsDirect { direct: false });
        }
        self.compare_settings(now, beat.settings);
        self.tune(now, beat.patience);
        self.weigh_epoch(now, beat);
        if let Some(confirmation) = self.lease.confirm(now, &beat.heard) {
            self.peer.round_trip = Some(confirmation.round_trip);
            self.renew_confirmed(now, confirmation.sent);
        }
        let arrived = theirs.iter().position(|path| path.sequence == self.sequence);
        self.proven = arrived.map(|index| PathId(index as u8));
        let serves = matches!(beat.role, RoleWord::Active | RoleWord::Claiming);
        if beat.wants_answer {
            self.answer = Some(Answer::OnAllPaths);
        } else if serves && !self.serving() {
            self.answer = self.answer.or(Some(Answer::OnOne(self.proven)));
        }
        true
    }

    pub(super) fn ha_carrier(&mut self, now: Moment, up: bool) {
        if self.peer.carrier(now, PathId::HA, up) {
            self.early.carrier(now, up);
            self.urgent = true;
            self.note(now, What::HaCarrier { up });
        }
    }

    pub(super) fn link(&mut self, now: Moment, interface: InterfaceId, up: bool) {
        if let Some(path) = self.path_of(interface) {
            self.peer.carrier(now, path, up);
        }
        let told = self.health.link(now, interface, up);
        self.urgent |= !told.is_empty();
        for what in told {
            self.note(now, what);
        }
        self.tell_ready(now);
    }

    /// The path over an interface: watched ones in their order, as far as paths go.
    pub(super) fn path_of(&self, interface: InterfaceId) -> Option<PathId> {
        path_of(&self.setup.pair, interface)
    }

    pub(super) fn cable(&mut self, now: Moment, direct: bool) {
        let direct = direct && self.setup.pair.ha_link.cable == Cable::Direct;
        let first = !std::mem::replace(&mut self.early.checked, true);
        if self.early.direct != direct || first {
            self.early.direct = direct;
            self.note(now, What::CableIsDirect { direct });
        }
    }

    pub(super) fn own_addresses(&mut self, now: Moment, mut troubles: Vec<OwnTrouble>) {
        troubles.truncate(MAX_OWN_TROUBLES);
        let looked = self.health.own.looked();
        let before = self.health.fitness(true).unready;
        self.health.own.seen(troubles);
        // The first look is no news: the next beat brings it.
        self.urgent |= looked && before != self.health.fitness(true).unready;
        self.tell_ready(now);
    }

    /// Tells when a planned move to this node must wait, why, and when no longer.
    pub(super) fn tell_ready(&mut self, now: Moment) {
        if !self.health.own.looked() {
            return;
        }
        let waits_for = self.waits_for();
        let news = waits_for.iter().any(|reason| !self.waits_told.contains(reason));
        if news || waits_for.is_empty() != self.waits_told.is_empty() {
            self.note(now, What::Ready { waits_for: waits_for.clone() });
        }
        self.waits_told = waits_for;
    }

    pub(super) fn was_applied(&mut self, now: Moment, generation: Generation, outcome: Applied) {
        if generation != self.generation {
            return;
        }
        // Settings that are read again leave the addresses as they were: that is no news.
        if outcome != Applied::Unchanged || self.addresses != self.addresses_told {
            self.note(now, What::Addresses { present: self.addresses, outcome });
        }
        self.addresses_told = self.addresses && outcome != Applied::Failed;
        match outcome {
            Applied::Done | Applied::Unchanged | Applied::Partly { .. } => self.applied = true,
            Applied::Failed => self.apply_failed(now),
        }
        self.urgent = true;
    }

    pub(super) fn tell_peer(&mut self, now: Moment) {
        let phase = self.peer.phase(now, &self.tuning);
        let silence = self.peer.silence(now);
        if phase != self.phase_told {
            let what = match (self.phase_told, phase) {
                (_, Phase::Doubted) => Some(What::PeerDoubted { silence }),
                (_, Phase::Silent) => Some(What::PeerSilent { silence }),
                (_, Phase::Left) => self.peer.left.map(|why| What::PeerLeft { why }),
                (Phase::Doubted, Phase::Alive) => Some(What::DoubtEnded),
                (_, Phase::Alive | Phase::NeverHeard) => None,
            };
            self.phase_told = phase;
            if phase == Phase::Doubted {
                // The kernel may tell a lost carrier up to a second late.
                self.push(Output::CheckLinks);
            }
            if let Some(what) = what {
                self.note(now, what);
            }
        }
        for index in 0..self.peer.path_count() {
            self.tell_path(now, PathId(index as u8), phase);
        }
        let fit = matches!(phase, Phase::Alive | Phase::Doubted)
            && self.peer.fitness().is_some_and(|peer| peer.ready())
            && !self.peer_has_fewer()
            && !self.peer_reaches_fewer();
        self.peer_fit_since = if fit { self.peer_fit_since.or(Some(now)) } else { None };
    }

    fn tell_path(&mut self, now: Moment, path: PathId, phase: Phase) {
        let delivers = self.peer.delivers(now, path, &self.tuning);
        let told = self.peer.paths[path.index()].told;
        // While the peer itself is in doubt it is not the path that is to blame.
        if delivers == told || phase == Phase::Doubted || now < self.peer.tell_path_at(path) {
            return;
        }
        let entry = &mut self.peer.paths[path.index()];
        entry.told = delivers;
        entry.told_at = Some(now);
        if delivers {
            self.note(now, What::PathHeard { path });
        } else if phase == Phase::Alive && self.peer.shares(path) {
            self.push(Output::CheckLinks);
            self.note(now, What::PathSilent { path });
        }
    }

    pub(super) fn compare_settings(&mut self, now: Moment, theirs: u64) {
        let same = theirs == self.settings;
        if same != self.same_settings {
            self.same_settings = same;
            self.note(now, What::SettingsDiffer { differ: !same });
        }
    }
}
