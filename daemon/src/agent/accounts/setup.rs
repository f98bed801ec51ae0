//! The token with which the first administrator is made: printed on the node itself, so that
//! whoever opens a fresh console first is not its owner by that. In memory only, good for
//! half an hour and for one use.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::super::api::error::Refusal;
use super::Secret;

/// How long it is good.
pub const LASTS: Duration = Duration::from_secs(30 * 60);
/// Wrong ones until it is used up: it has 80 bits, more would only be noise.
const TRIES: u32 = 20;

/// The place of the token.
#[derive(Debug, Default)]
pub struct Setup(Mutex<Option<Open>>);

#[derive(Debug)]
struct Open {
    hash: String,
    until: Instant,
    tries: u32,
}

impl Setup {
    /// Makes a new one; an older one is good no more.
    ///
    /// # Errors
    /// When the kernel gives no random numbers.
    pub fn open(&self, now: Instant) -> Result<Secret, Refusal> {
        let secret = Secret::to_type()?;
        *self.place() = Some(Open { hash: secret.hash(), until: now + LASTS, tries: TRIES });
        Ok(secret)
    }

    /// Refuses any other one. What is right is still good until [`Setup::close`].
    ///
    /// # Errors
    /// What to do for a good one.
    pub fn check(&self, token: &str, now: Instant) -> Result<(), Refusal> {
        let mut place = self.place();
        let Some(open) = place.as_mut().filter(|open| now < open.until && open.tries > 0) else {
            return Err(Refusal::forbidden(
                "no set-up token is open; run 'twinwall web setup-token' on the node, and use \
                 what it prints within 30 minutes",
            ));
        };
        if Secret::hash_of(&token.trim().to_lowercase()) == open.hash {
            return Ok(());
        }
        open.tries -= 1;
        Err(Refusal::forbidden("this is not the set-up token that was printed last"))
    }

    /// It was used.
    pub fn close(&self) {
        *self.place() = None;
    }

    fn place(&self) -> std::sync::MutexGuard<'_, Option<Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_half_an_hour_and_for_some_slips_of_the_finger() {
        let (setup, now) = (Setup::default(), Instant::now());
        assert!(setup.check("", now).is_err());
        let token = setup.open(now).expect("a token");
        let typed = format!(" {} ", token.text().to_uppercase());
        assert!(setup.check(&typed, now).is_ok() && setup.check(&typed, now + LASTS).is_err());
        for _ in 0..TRIES {
            assert!(setup.check("0000-0000-0000-0000-0000", now).is_err());
        }
        assert!(setup.check(token.text(), now).is_err(), "guessed at too often");
        let newer = setup.open(now).expect("a token");
        assert!(setup.check(token.text(), now).is_err() && setup.check(newer.text(), now).is_ok());
        setup.close();
        assert!(setup.check(newer.text(), now).is_err());
    }
}
