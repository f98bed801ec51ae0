//! Tells the agent who signed in, and who was refused: the audit log is the agent's. Nobody
//! waits for it; what cannot be told at once is counted, and the next word says how much.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::agent::Agent;
use crate::agent::api::audit::{SIGN_INS, SignInNote};
use crate::agent::audit::SignIn;

/// Words that are on their way at a time.
const MAX_TELLING: usize = 8;
/// How long one may take.
const LIMIT: Duration = Duration::from_secs(5);

/// See above.
pub(super) struct Telling {
    agent: Agent,
    places: Arc<Semaphore>,
    missed: Arc<AtomicU32>,
}

impl Telling {
    pub(super) fn of(agent: Agent) -> Telling {
        Telling { agent, places: Arc::new(Semaphore::new(MAX_TELLING)), missed: Arc::default() }
    }

    /// Tells it; `user` is the account, where there is one of that name. What was typed
    /// otherwise may be a password, and is told nobody.
    pub(super) fn tell(&self, what: SignIn, user: Option<&str>, from: IpAddr) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.missed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let (agent, missed) = (self.agent.clone(), Arc::clone(&self.missed));
        let user = user.map(str::to_owned);
        tokio::spawn(async move {
            let _place = place;
            let before = missed.swap(0, Ordering::Relaxed);
            let note = SignInNote { what, user, from, missed: before };
            let told = tokio::time::timeout(LIMIT, agent.tell(SIGN_INS, &note)).await;
            if !matches!(told, Ok(Ok(()))) {
                missed.fetch_add(before.saturating_add(1), Ordering::Relaxed);
            }
        });
    }
}
