//! Other keys for a session whose runs go on.

use super::super::key::{Keyed, PairKeys};
use super::super::run::{Ciphers, Under};
use super::Session;
use crate::ids::{BootId, Designation};

impl Session {
    /// Takes other keys over and keeps all runs, if the peer stays heard by what is known:
    /// the new key in use was taken before, and the one that the peer uses still is. Says
    /// whether it is so; else nothing has changed.
    pub fn rekey(&mut self, keys: &PairKeys) -> bool {
        let keyed = Keyed::new(&keys.key, self.pair_id);
        let also = keys.also.as_ref().map(|key| Keyed::new(key, self.pair_id));
        let theirs = match (self.peer_uses, &self.also) {
            (Under::Also, Some(also)) => also,
            (Under::Key, _) | (Under::Also, None) => &self.keyed,
        };
        let known = [Some(&self.keyed), self.also.as_ref()].into_iter().flatten();
        if !known.into_iter().any(|it| it.is_of(&keyed)) {
            return false;
        }
        let peer_uses = match (theirs.is_of(&keyed), &also) {
            (true, _) => Under::Key,
            (false, Some(also)) if theirs.is_of(also) => Under::Also,
            (false, _) => return false,
        };
        (self.keyed, self.also, self.peer_uses) = (keyed, also, peer_uses);
        let (mut current, mut candidate) = (self.current.take(), self.candidate.take());
        for run in [&mut current, &mut candidate].into_iter().flatten() {
            (run.ciphers, run.also) = self.ciphers(run.boot);
        }
        (self.current, self.candidate) = (current, candidate);
        true
    }

    /// The ciphers of our run with this one of the peer, by the key in use and the other.
    pub(super) fn ciphers(&self, peer: BootId) -> (Ciphers, Option<Ciphers>) {
        let (primary, secondary) = match self.me {
            Designation::Primary => (self.boot, peer),
            Designation::Secondary => (peer, self.boot),
        };
        let of = |keyed: &Keyed| {
            let cipher = |sender| keyed.root.beat_cipher(self.pair_id, primary, secondary, sender);
            Ciphers { seal: cipher(self.me), open: cipher(self.me.other()) }
        };
        (of(&self.keyed), self.also.as_ref().map(of))
    }
}
