//! Who is signed in: in memory only, so that a restart signs everybody out. What lies in the
//! map is a hash; the secret is in the visitor's cookie and nowhere else. A session ends by
//! itself, by order, and with the password or the account that it was opened with.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::agent::accounts::{Account, Secret};
use crate::agent::api::error::Refusal;
use crate::agent::clock::unix_ms;
use crate::web::pages::Notice;

/// Without a request it ends after this; live updates are none.
pub(super) const IDLE: Duration = Duration::from_secs(30 * 60);
/// It ends after this in any case.
pub(super) const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// Of one account; the one that was used longest ago goes first.
const MAX_PER_ACCOUNT: usize = 10;
/// Of all accounts.
const MAX: usize = 500;

/// All sessions.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

struct Session {
    account: String,
    /// Of the hash of the password with which it was opened.
    password: blake3::Hash,
    from: IpAddr,
    began: Instant,
    /// The same by the clock, as the accounts know it.
    began_ms: u64,
    used: Instant,
    /// For the next page.
    notice: Option<Notice>,
}

/// A session as its person sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// From where it was opened.
    pub(super) from: IpAddr,
    /// How long it lasts.
    pub(super) began: Duration,
    /// How long ago it was used.
    pub(super) used: Duration,
    /// Whether it is the one that asks.
    pub(super) is_own: bool,
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.used) >= IDLE
            || now.saturating_duration_since(self.began) >= LONGEST
    }
}

impl Sessions {
    /// Opens one; the secret is for the cookie.
    pub(super) fn open(
        &self,
        account: &Account,
        from: IpAddr,
        now: Instant,
    ) -> Result<Secret, Refusal> {
        let secret = Secret::new("")?;
        let mut all = self.all();
        all.retain(|_, session| !session.is_over(now));
        make_room(&mut all, MAX_PER_ACCOUNT, |session| session.account == account.name);
        make_room(&mut all, MAX, |_| true);
        let session = Session {
            account: account.name.clone(),
            password: blake3::hash(account.password.as_bytes()),
            from,
            began: now,
            began_ms: unix_ms(),
            used: now,
            notice: None,
        };
        all.insert(secret.hash(), session);
        Ok(secret)
    }

    /// Whose session this is. With `uses` it is used by that; a look leaves it as idle as it is.
    pub(super) fn account_of(&self, secret: &str, uses: bool, now: Instant) -> Option<String> {
        let mut all = self.all();
        let hash = Secret::hash_of(secret);
        if all.get(&hash)?.is_over(now) {
            all.remove(&hash);
            return None;
        }
        let session = all.get_mut(&hash)?;
        if uses {
            session.used = now;
        }
        Some(session.account.clone())
    }

    /// Whether it was opened with the password that the account has now, and since its
    /// sessions were ended last.
    pub(super) fn fits(&self, secret: &str, account: &Account) -> bool {
        let mut all = self.all();
        let hash = Secret::hash_of(secret);
        let password = blake3::hash(account.password.as_bytes());
        let fits = all.get(&hash).is_some_and(|session| {
            let ended = account.sessions_after_ms.is_some_and(|end| session.began_ms <= end);
            session.password == password && !ended
        });
        if !fits {
            all.remove(&hash);
        }
        fits
    }

    /// Keeps what the next page of this session says.
    pub(super) fn tell(&self, secret: &str, notice: Notice) {
        if let Some(session) = self.all().get_mut(&Secret::hash_of(secret)) {
            session.notice = Some(notice);
        }
    }

    /// What is to be said, once.
    pub(super) fn told(&self, secret: &str) -> Option<Notice> {
        self.all().get_mut(&Secret::hash_of(secret))?.notice.take()
    }

    /// Those of this account, the one that was used last first; `own` is the one that asks.
    pub(super) fn of(&self, account: &str, own: &str, now: Instant) -> Vec<Seen> {
        let (all, own) = (self.all(), Secret::hash_of(own));
        let of_account = all.iter().filter(|(_, it)| it.account == account && !it.is_over(now));
        let mut seen: Vec<Seen> = of_account
            .map(|(hash, session)| Seen {
                from: session.from,
                began: now.saturating_duration_since(session.began),
                used: now.saturating_duration_since(session.used),
                is_own: *hash == own,
            })
            .collect();
        seen.sort_by_key(|session| session.used);
        seen
    }

    /// Signs out.
    pub(super) fn close(&self, secret: &str) {
        self.all().remove(&Secret::hash_of(secret));
    }

    /// Signs this account out everywhere.
    pub(super) fn close_all_of(&self, account: &str) {
        self.all().retain(|_, session| session.account != account);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends those that were used longest ago until another one has its place.
fn make_room(all: &mut HashMap<String, Session>, most: usize, which: impl Fn(&Session) -> bool) {
    while all.values().filter(|session| which(session)).count() >= most {
        let oldest = all
            .iter()
            .filter(|(_, session)| which(session))
            .min_by_key(|(_, session)| session.used)
            .map(|(hash, _)| hash.clone());
        let Some(oldest) = oldest else { return };
        all.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::accounts::Role;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn account(name: &str, password: &str) -> Account {
        let (name, password) = (name.to_owned(), password.to_owned());
        Account { name, role: Role::Viewer, password, sessions_after_ms: None }
    }

    #[test]
    fn a_session_ends_when_it_is_idle_and_in_any_case() {
        let (sessions, begin) = (Sessions::default(), Instant::now());
        let anna = account("anna", "x");
        let secret = sessions.open(&anna, HERE, begin).expect("opened").text().to_owned();
        let at = |minutes: u64| begin + Duration::from_secs(60 * minutes);
        let whose = |uses, minutes| sessions.account_of(&secret, uses, at(minutes));
        assert_eq!(whose(true, 29).as_deref(), Some("anna"));
        assert!(whose(false, 58).is_some(), "a look");
        assert!(whose(true, 59).is_none(), "a look is no use");
        let secret = sessions.open(&anna, HERE, begin).expect("opened").text().to_owned();
        for minutes in (0..720).step_by(20) {
            assert!(sessions.account_of(&secret, true, at(minutes)).is_some());
        }
        assert!(sessions.account_of(&secret, true, at(720)).is_none());
        assert!(sessions.account_of("guessed", true, begin).is_none());
    }

    #[test]
    fn another_password_and_an_order_end_it() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let anna = account("anna", "x");
        let secrets: Vec<String> = (0..3)
            .map(|_| sessions.open(&anna, HERE, now).expect("opened").text().to_owned())
            .collect();
        assert!(
            sessions.fits(&secrets[0], &anna) && !sessions.fits(&secrets[0], &account("anna", "y"))
        );
        assert!(sessions.account_of(&secrets[0], true, now).is_none());
        let ended = Account { sessions_after_ms: Some(unix_ms() + 1), ..anna.clone() };
        assert!(sessions.fits(&secrets[2], &anna) && !sessions.fits(&secrets[2], &ended));
        sessions.close(&secrets[1]);
        assert!(sessions.account_of(&secrets[1], true, now).is_none());
        let last = sessions.open(&anna, HERE, now).expect("opened").text().to_owned();
        sessions.close_all_of("anna");
        assert!(sessions.account_of(&last, true, now).is_none());
    }

    #[test]
    fn one_account_cannot_take_the_places_of_all() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let ben = sessions.open(&account("ben", "x"), HERE, now).expect("opened").text().to_owned();
        let first =
            sessions.open(&account("anna", "x"), HERE, now).expect("opened").text().to_owned();
        for second in 1..100 {
            let later = now + Duration::from_secs(second);
            sessions.open(&account("anna", "x"), HERE, later).expect("opened");
        }
        assert!(sessions.account_of(&first, true, now).is_none());
        assert!(sessions.account_of(&ben, true, now).is_some());
        let seen = sessions.of("ben", &ben, now + Duration::from_secs(9));
        let (began, used) = (Duration::from_secs(9), Duration::from_secs(9));
        assert_eq!(seen, [Seen { from: HERE, began, used, is_own: true }]);
        assert_eq!(sessions.of("anna", &ben, now).len(), MAX_PER_ACCOUNT);
        assert_eq!(sessions.all().len(), MAX_PER_ACCOUNT + 1);
    }
}
