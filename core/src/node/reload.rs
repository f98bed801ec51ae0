//! Changed settings, taken over without a change of role. The two nodes get them
//! one after the other: what the other node says meanwhile is read by names
//! (`shared`), and no lease outlives its patience (`tune`).

use std::fmt;
use std::time::Duration;

use crate::beat::RoleWord;
use crate::config::Pair;
use crate::event::Output;
use crate::ids::{MAX_TARGETS, PathId};
use crate::note::What;
use crate::peer::Phase;
use crate::time::Moment;
use crate::tuning::Tuning;

use super::Core;

/// Why settings were not taken over; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadRefused {
    /// The peer is heard only on paths that would go.
    LastPath,
}

impl fmt::Display for ReloadRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReloadRefused::LastPath => {
                "the peer is heard only on interfaces whose watch would end, and both nodes would serve; mend the HA link first"
            }
        })
    }
}

impl std::error::Error for ReloadRefused {}

impl Core {
    /// Takes over changed settings without a change of role. The caller has checked
    /// that they may be changed live ([`Pair::change`](crate::config::Pair)), and puts
    /// the new VIPs in force before it carries out what this core wants next.
    ///
    /// # Errors
    /// Why not; nothing has changed then.
    pub fn reload(&mut self, now: Moment, pair: Pair) -> Result<(), ReloadRefused> {
        self.keeps_a_path(now, &pair)?;
        let old = std::mem::replace(&mut self.setup.pair, pair);
        self.note(now, What::Reloaded);
        self.relist(now, &old);
        self.retarget(now, &old);
        self.settings = self.setup.pair.digest();
        let heard = matches!(self.peer.phase(now, &self.tuning), Phase::Alive | Phase::Doubted);
        if let Some(said) = self.peer.said.as_ref().filter(|_| heard) {
            self.compare_settings(now, said.settings);
        }
        if old.ha_link.cable != self.setup.pair.ha_link.cable {
            // What was seen of the cable was seen in another belief: it is looked at anew.
            (self.early.direct, self.early.checked) = (false, false);
        }
        if old.detection() > self.setup.pair.detection() {
            // What the peer was granted, it was granted in trust in the old patience.
            self.old_detection = Some((now + old.detection(), old.detection()));
        }
        self.tuning = Tuning::new(&self.setup.pair, self.peer_patience);
        self.announce_due |= self.role == RoleWord::Active && other_vips(&old, &self.setup.pair);
        let addresses = self.addresses;
        self.want(addresses);
        // The peer learns at once what it shares with us now.
        self.urgent = true;
        self.settle(now);
        Ok(())
    }

    /// Refuses a list that would leave two nodes that hear each other without a path.
    fn keeps_a_path(&self, now: Moment, pair: &Pair) -> Result<(), ReloadRefused> {
        let heard = matches!(self.peer.phase(now, &self.tuning), Phase::Alive | Phase::Doubted);
        if heard && !self.peer.alive_beyond(now, pair, &self.tuning) {
            return Err(ReloadRefused::LastPath);
        }
        Ok(())
    }

    fn relist(&mut self, now: Moment, old: &Pair) {
        let pair = &self.setup.pair;
        let position = |name: &str| old.interfaces.iter().position(|before| before.name == name);
        let keep: Vec<Option<usize>> =
            pair.interfaces.iter().map(|interface| position(&interface.name)).collect();
        self.health.reload(now, pair, &keep);
        if !pair.flows.replicate {
            self.health.forget_flows();
        }
        self.peer.relist(pair);
        for (path, interface) in pair.path_interfaces().into_iter().enumerate() {
            let known = interface.filter(|interface| self.health.is_up(*interface));
            if known.is_some() {
                self.peer.carrier(now, PathId(path as u8), true);
            }
        }
    }

    /// Targets that stay keep their answers. New ones of a node that serves count as
    /// having answered now: it asks them at once, and a lease must not end before.
    fn retarget(&mut self, now: Moment, old: &Pair) {
        let before = self.targets;
        let trusted = self.serving() && self.targets_of(now, old.ping_targets.len());
        let mut targets = [None; MAX_TARGETS];
        for (at, address) in targets.iter_mut().zip(&self.setup.pair.ping_targets) {
            let known = old.ping_targets.iter().position(|other| other == address);
            *at = match known {
                Some(index) => before.get(index).copied().flatten(),
                None => trusted.then_some(now),
            };
        }
        self.targets = targets;
        if old.ping_targets != self.setup.pair.ping_targets {
            self.ping_due = now;
        }
    }

    /// Follows the peer's patience: it may be shorter than ours.
    pub(super) fn tune(&mut self, now: Moment, patience: Duration) {
        if patience != self.peer_patience {
            self.peer_patience = patience;
            self.tuning = Tuning::new(&self.setup.pair, patience);
            self.end_old_detection(now);
        }
    }

    /// The detection time of before a reload holds until every lease that the peer
    /// may hold by it has run out.
    pub(super) fn end_old_detection(&mut self, now: Moment) {
        let Some((until, detection)) = self.old_detection else { return };
        if now < until {
            self.tuning.detection = self.tuning.detection.max(detection);
        } else {
            self.old_detection = None;
            self.tuning.detection = self.setup.pair.detection();
        }
    }

    /// Announces what a reload changed, once it is applied and behind a gate that is
    /// known to be open.
    pub(super) fn announce_changed(&mut self) {
        let serves = self.role == RoleWord::Active && self.addresses && self.applied;
        if serves && std::mem::take(&mut self.announce_due) {
            self.push(Output::Announce { start: true });
        }
    }
}

fn other_vips(old: &Pair, new: &Pair) -> bool {
    let vips = |pair: &Pair| -> Vec<_> {
        let all = pair.interfaces.iter();
        all.map(|interface| (interface.name.clone(), interface.virtual_ips.clone())).collect()
    };
    vips(old) != vips(new)
}
