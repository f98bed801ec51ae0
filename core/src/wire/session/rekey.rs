//! Other keys for a session whose runs go on.

use std::fmt;

use super::super::key::{Keyed, PairKeys};
use super::super::run::{Ciphers, Said, Under};
use super::Session;
use crate::ids::{BootId, Designation};

/// Why a session keeps its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RekeyRefused {
    /// The peer has not said that it takes the key which would be used.
    NotTaken,
    /// The peer seals with a key that would not be taken any more.
    StillUsed,
}

impl fmt::Display for RekeyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RekeyRefused::NotTaken => "the other node does not take the new key yet",
            RekeyRefused::StillUsed => "the other node still uses the key that would be dropped",
        })
    }
}

impl std::error::Error for RekeyRefused {}

impl Session {
    /// Takes other keys over and keeps all runs, if both nodes go on hearing each other: the
    /// peer takes the key that is used from now on (it uses it, or its beats say so), and the
    /// one that it uses is still taken here.
    ///
    /// # Errors
    /// Which of the two is not so; then nothing has changed.
    pub fn rekey(&mut self, keys: &PairKeys) -> Result<(), RekeyRefused> {
        let keyed = Keyed::new(&keys.key, self.pair_id);
        let also = keys.also.as_ref().map(|key| Keyed::new(key, self.pair_id));
        let said = self.current.as_ref().map(|run| run.said).unwrap_or_default();
        let theirs = match (said.uses, &self.also) {
            (Under::Also, Some(also)) => also,
            (Under::Key, _) | (Under::Also, None) => &self.keyed,
        };
        let takes = self.keyed.is_of(&keyed) || theirs.is_of(&keyed);
        if !takes && said.takes != Some(keyed.tag) {
            return Err(RekeyRefused::NotTaken);
        }
        let uses = match (theirs.is_of(&keyed), &also) {
            (true, _) => Under::Key,
            (false, Some(also)) if theirs.is_of(also) => Under::Also,
            (false, _) => return Err(RekeyRefused::StillUsed),
        };
        (self.keyed, self.also) = (keyed, also);
        let (mut current, mut candidate) = (self.current.take(), self.candidate.take());
        for run in [&mut current, &mut candidate].into_iter().flatten() {
            (run.ciphers, run.also) = self.ciphers(run.boot);
        }
        if let Some(run) = &mut current {
            run.said = Said { uses, ..said };
        }
        (self.current, self.candidate) = (current, candidate);
        Ok(())
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
