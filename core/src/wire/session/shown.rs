//! What a log may show of a session: no key.

use std::fmt;

use super::Session;

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
