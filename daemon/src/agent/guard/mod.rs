//! The guard as the agent sees it: what it last said, and the orders it takes. A thread
//! follows it and comes back whenever it was away. The guard is never waited for by
//! anybody else, and nothing here decides a role.

mod control;
mod serving;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use twinwall_core::api::{Answer, Numbered, Request, Status};
use twinwall_core::beat::RoleWord;

use crate::client::{self, Client, Waited};
use crate::failure::Failure;
pub use control::Control;
pub(super) use serving::Serving;

/// How often the following thread looks whether it shall end.
const TURN: Duration = Duration::from_millis(250);
/// Between two tries to reach the guard.
const AGAIN: Duration = Duration::from_millis(250);
/// A guard that says nothing for this long is away: it says something every 5 s.
const SILENCE: Duration = Duration::from_secs(15);

/// What is known of the guard now.
#[derive(Clone, Debug, PartialEq)]
pub enum GuardState {
    /// It cannot be asked; in words, with what to do.
    Away(String),
    /// What it said last.
    Says(Arc<Status>),
}

impl GuardState {
    /// What it said last, while it can be asked.
    pub fn status(&self) -> Option<&Status> {
        match self {
            GuardState::Away(_) => None,
            GuardState::Says(status) => Some(status),
        }
    }

    /// Whether it has heard the other node, and hears it no more.
    pub fn is_alone(&self) -> bool {
        let peer = self.status().map(|status| status.snapshot.peer.state.as_str());
        matches!(peer, Some("silent" | "left"))
    }

    /// Whether this node is active; none while nobody says so.
    pub fn is_active(&self) -> Option<bool> {
        let role = self.status()?.snapshot.role.role;
        Some(match role {
            RoleWord::Active => true,
            RoleWord::Starting | RoleWord::Passive | RoleWord::Claiming | RoleWord::Releasing => {
                false
            }
        })
    }

    /// Whether the HA link has carrier at this end; none where that is not known.
    pub fn ha_carrier(&self) -> Option<bool> {
        self.status()?.snapshot.paths.first().map(|path| path.carrier)
    }
}

/// The thread that follows the guard; it ends with this value.
pub struct Follower {
    state: watch::Receiver<GuardState>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Begins to follow the guard below `root`. `heard` is called on the thread at each
    /// change, before anybody else sees it.
    ///
    /// # Errors
    /// When the machine has no room for a thread.
    pub fn start(
        root: &Path,
        heard: impl Fn(&GuardState) + Send + 'static,
    ) -> std::io::Result<Follower> {
        let away = GuardState::Away("the guard was not asked yet".to_owned());
        let (sender, state) = watch::channel(away);
        let ending = Arc::new(AtomicBool::new(false));
        let following = Following {
            root: root.to_owned(),
            ending: Arc::clone(&ending),
            sender,
            heard: Box::new(heard),
        };
        let thread = thread::Builder::new().name("guard-follower".to_owned());
        let thread = thread.spawn(move || following.run())?;
        Ok(Follower { state, ending, thread: Some(thread) })
    }

    /// What is known now, and each change.
    pub fn state(&self) -> watch::Receiver<GuardState> {
        self.state.clone()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}

struct Following {
    root: PathBuf,
    ending: Arc<AtomicBool>,
    sender: watch::Sender<GuardState>,
    heard: Box<dyn Fn(&GuardState) + Send>,
}

impl Following {
    fn run(self) {
        while !self.ends() {
            if let Err(failure) = self.follow() {
                self.say(GuardState::Away(failure.message));
                thread::sleep(AGAIN);
            }
        }
    }

    /// The guard takes the end of this connection for the end of this agent.
    fn follow(&self) -> Result<(), Failure> {
        let mut client = Client::ask(&self.root, &Request::Attend {})?;
        let (mut last, mut watches) = (Instant::now(), false);
        while !self.ends() {
            match client.wait(Some(Instant::now() + TURN))? {
                Waited::Answer(answer) if !watches && is_greeting(&answer) => {
                    client.say(&Request::Watch {})?;
                    watches = true;
                }
                Waited::Answer(Answer::Status(status)) => {
                    last = Instant::now();
                    self.say(GuardState::Says(status.into()));
                }
                Waited::Answer(other) => return Err(client.unexpected(&other)),
                Waited::TooLong if last.elapsed() < SILENCE => {}
                Waited::TooLong => {
                    return Err(Failure::unreachable(
                        "the guard says nothing any more; look for 'twinwall-guard' in the \
                         system's log",
                    ));
                }
                Waited::End => return Err(Failure::unreachable("the guard has ended")),
            }
        }
        Ok(())
    }

    fn say(&self, state: GuardState) {
        if *self.sender.borrow() != state {
            (self.heard)(&state);
            self.sender.send_replace(state);
        }
    }

    fn ends(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }
}

/// Whether the guard has taken notice of this agent, or is of an older release, for which what
/// the agent says holds its time whatever becomes of the agent.
fn is_greeting(answer: &Answer) -> bool {
    match answer {
        Answer::Done => true,
        Answer::Error { message } => message.starts_with("not a request"),
        Answer::Status(_) | Answer::Event(_) | Answer::Input(_) | Answer::Refused { .. } => false,
    }
}

/// Asks the guard for something that is answered by 'done': an order, a fact, a reload.
///
/// # Errors
/// Its refusal, or that it cannot be asked; in words.
pub fn order(root: &Path, request: &Request) -> Result<(), String> {
    client::order(root, request).map_err(|failure| failure.message)
}

/// The events after number `after` that the guard still has. Waits for it.
///
/// # Errors
/// That it cannot be asked; in words.
pub fn events(root: &Path, after: u64) -> Result<Vec<Numbered>, String> {
    client::events(root, after).map_err(|failure| failure.message)
}
