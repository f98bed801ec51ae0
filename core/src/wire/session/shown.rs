//! What may be shown of a session: no key.

use std::fmt;

use super::super::key::Keyed;
use super::Session;

impl Session {
    /// The names of the keys in use, as [`PairKeys::tags`](super::super::PairKeys::tags).
    pub fn key_tags(&self) -> Vec<String> {
        let text = |keyed: &Keyed| keyed.tag.to_string();
        std::iter::once(&self.keyed).chain(&self.also).map(text).collect()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("me", &self.me)
            .field("pair_id", &self.pair_id)
            .field("boot", &self.boot)
            .field("current", &self.current.as_ref().map(|run| run.boot))
            .field("candidate", &self.candidate.as_ref().map(|run| run.boot))
            .finish_non_exhaustive()
    }
}
