//! How long the virtual addresses live in the kernel: with an end that is put off while the
//! guard lives, or for good when they become the node's own.

use std::io;
use std::time::Duration;

use super::plan::Need;
use super::{Addresses, Outcome, Vip};

impl Addresses {
    /// Gives every address its full life again; for use with a backstop.
    ///
    /// # Errors
    /// When the kernel cannot be spoken to.
    pub fn refresh(&mut self, wanted: &[Vip]) -> io::Result<Outcome> {
        self.compare(wanted, true)?;
        self.put_all(wanted)
    }

    /// Makes every VIP that is there an address of the node like any other: without an end,
    /// and not marked as ours. It is there all the time.
    ///
    /// # Errors
    /// When the kernel cannot be spoken to.
    pub fn give_back(&mut self, wanted: &[Vip]) -> io::Result<Outcome> {
        (self.as_own, self.life_s) = (true, None);
        self.compare(wanted, true)?;
        self.put_all(wanted)
    }

    /// The same life for all VIPs from now on; it reaches the kernel with the next refresh.
    pub fn set_backstop(&mut self, backstop: Option<Duration>) {
        self.life_s = backstop.map(whole_seconds);
    }

    /// Writes every address anew, those that are there already too.
    fn put_all(&mut self, wanted: &[Vip]) -> io::Result<Outcome> {
        for need in &mut self.plan.needs {
            if *need == Need::Nothing {
                *need = Need::Adopt;
            }
        }
        let mut outcome = Outcome::default();
        self.add(wanted, &mut outcome, &mut |_| {})?;
        Ok(outcome)
    }
}

/// Whole seconds, at least one, never 'for ever'.
pub(super) fn whole_seconds(span: Duration) -> u32 {
    u32::try_from(span.as_secs().max(1)).unwrap_or(u32::MAX).min(u32::MAX - 1)
}
