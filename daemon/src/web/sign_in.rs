//! Who gives the right password, and how often one may guess. Nobody is locked out for ever:
//! an address from which a person has signed in before keeps its way in while others guess
//! at that name.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::rate::{Rate, visitor};
use super::state::Shared;
use crate::agent::accounts::{Account, DUMMY_HASH, verify};
use crate::agent::api::error::{Code, Refusal};
use crate::agent::audit::SignIn;

/// Guesses of one address: so many at once, then one each six seconds.
const BY_ADDRESS: (u32, Duration) = (10, Duration::from_secs(6));
/// Guesses at one name from everywhere.
const BY_NAME: (u32, Duration) = (20, Duration::from_secs(3));
/// Passwords that wait to be compared: each takes its time and 9 MiB.
const MAX_WAITING: usize = 16;
/// Addresses that are remembered with the name that signed in there.
const MAX_KNOWN: usize = 256;

/// What is remembered of guesses.
pub(super) struct Guessing {
    by_address: Rate<IpAddr>,
    by_name: Rate<String>,
    known: Mutex<VecDeque<(String, IpAddr)>>,
    /// Places to wait in, and the one that compares.
    waiting: Semaphore,
    comparing: Semaphore,
}

impl Default for Guessing {
    fn default() -> Guessing {
        Guessing {
            by_address: Rate::new(BY_ADDRESS.0, BY_ADDRESS.1),
            by_name: Rate::new(BY_NAME.0, BY_NAME.1),
            known: Mutex::default(),
            waiting: Semaphore::new(MAX_WAITING),
            comparing: Semaphore::new(1),
        }
    }
}

impl Guessing {
    /// Whether another guess is allowed; it counts as one.
    pub(super) fn guess(
        &self,
        name: Option<&str>,
        from: IpAddr,
        now: Instant,
    ) -> Result<(), Refusal> {
        let from = visitor(from);
        let mut allowed = self.by_address.take(&from, now);
        if let (Ok(()), Some(name)) = (allowed, name)
            && !self.is_known(name, from)
        {
            allowed = self.by_name.take(&name.to_owned(), now);
        }
        allowed.map_err(|wait| {
            let seconds = wait.as_secs() + 1;
            let message = format!("too many tries; wait {seconds} s and try again");
            Refusal::new(Code::TooMany, message)
        })
    }

    fn is_known(&self, name: &str, from: IpAddr) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().any(|(who, at)| who == name && *at == from)
    }

    fn remember(&self, name: &str, from: IpAddr) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let one = (name.to_owned(), visitor(from));
        known.retain(|other| *other != one);
        known.push_back(one);
        if known.len() > MAX_KNOWN {
            known.pop_front();
        }
    }
}

/// The account of this name, if the password is its own, for somebody who signs in.
///
/// # Errors
/// Too many tries, or that name and password do not belong together: never which is wrong.
pub(super) async fn sign_in(
    console: &Shared,
    name: &str,
    password: String,
    from: IpAddr,
) -> Result<Account, Refusal> {
    let account = is_right(console, name, password, from).await?;
    console.guessing.remember(name, from);
    eprintln!("twinwall web: {name} signed in from {from}");
    console.telling.tell(SignIn::SignedIn, Some(name), from);
    Ok(account)
}

/// The same for somebody who is asked for the password once more.
///
/// # Errors
/// As [`sign_in`].
pub(super) async fn is_right(
    console: &Shared,
    name: &str,
    password: String,
    from: IpAddr,
) -> Result<Account, Refusal> {
    let guessing = &console.guessing;
    let account = console.accounts.now()?.find(name).cloned();
    let known = account.as_ref().map(|account| account.name.clone());
    guessing.guess(Some(name), from, Instant::now()).inspect_err(|_| {
        console.telling.tell(SignIn::Refused, known.as_deref(), from);
    })?;
    let Ok(_place) = guessing.waiting.try_acquire() else {
        return Err(Refusal::new(Code::TooMany, "too many sign in just now; try again"));
    };
    let hash = account.as_ref().map_or(DUMMY_HASH, |account| &account.password).to_owned();
    let _turn = guessing.comparing.acquire().await;
    let right = tokio::task::spawn_blocking(move || verify(&password, &hash)).await;
    match (right, account) {
        (Ok(true), Some(account)) => Ok(account),
        (Ok(_), _) => {
            eprintln!("twinwall web: sign-in refused from {from}");
            console.telling.tell(SignIn::Refused, known.as_deref(), from);
            let message = "name and password do not belong together";
            Err(Refusal::new(Code::Unauthenticated, message))
        }
        (Err(error), _) => Err(Refusal::machine(format!("comparing the password: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_ends_soon_and_never_locks_the_person_out_who_was_here_before() {
        let (guessing, now) = (Guessing::default(), Instant::now());
        let address = |last: u8| IpAddr::from([192, 0, 2, last]);
        let own = address(250);
        guessing.remember("anna", own);
        let one: usize =
            (0..50).filter(|_| guessing.guess(Some("anna"), address(1), now).is_ok()).count();
        assert_eq!(one, 10, "by address");
        let many = (2..200).filter(|at| guessing.guess(Some("anna"), address(*at), now).is_ok());
        assert_eq!(many.count(), 10, "by name");
        let refusal = guessing.guess(Some("anna"), address(201), now).expect_err("too many");
        assert!(refusal.code == Code::TooMany && refusal.message.contains("wait"), "{refusal}");
        assert!(guessing.guess(Some("anna"), own, now).is_ok());
        assert!(guessing.guess(Some("ben"), address(201), now).is_ok());
        let later = now + Duration::from_secs(4);
        assert!(guessing.guess(Some("anna"), address(202), later).is_ok());
    }
}
