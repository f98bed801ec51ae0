//! What the two agents ask each other beside the synchronisation: one question, one answer,
//! over the control stream. The control thread hands in what comes; API and jobs ask.
//! Nothing here waits for a disk. With a connection all open questions end; one that
//! changes nothing the second time is asked again on the next connection, no other ever.
//! A connection that is being made anew is waited for, before each question.

mod frame;
mod question;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::api::error::Refusal;
use super::channel::Sender;
pub use frame::{Frame, FrameError, MAX_CALL};
pub use question::{About, Call, Reply};

/// Questions of the other node that are answered at a time. An honest one has a handful.
pub const MAX_ASKED: usize = 8;
/// Own questions that may be open at a time: an API client each.
const MAX_OPEN: usize = 64;
/// How long a question waits for a connection that ended, or began to be made, just now.
const BLINK: Duration = Duration::from_secs(5);

/// How often a question is asked on one connection after another: settings that change on
/// both nodes make the link anew twice.
const MAX_REPEATS: usize = 4;

/// Answers a question of the other node.
pub type Answering =
    dyn Fn(Call) -> Pin<Box<dyn Future<Output = Result<Reply, Refusal>> + Send>> + Send + Sync;

/// The way to the other node for statements and questions; shared by all.
#[derive(Clone, Default)]
pub struct Calls {
    inside: Arc<Inside>,
}

#[derive(Default)]
struct Inside {
    to_peer: Mutex<Option<Sender>>,
    /// When the connection stood last, or began to be made; none while it stands, and on a
    /// node without a peer.
    lost: watch::Sender<Option<Instant>>,
    open: Mutex<BTreeMap<u64, oneshot::Sender<Result<Reply, Refusal>>>>,
    last: AtomicU64,
    asked: AtomicUsize,
    answering: OnceLock<Box<Answering>>,
}

impl Calls {
    /// Who answers the other node's questions; the first one set stays.
    pub fn answer_by(&self, answering: Box<Answering>) {
        let _ = self.inside.answering.set(answering);
    }

    /// Asks the other node.
    ///
    /// # Errors
    /// Its refusal, or that it cannot be reached or did not answer within `limit`.
    pub async fn call(&self, call: Call, limit: Duration) -> Result<Reply, Refusal> {
        let until = Instant::now() + limit;
        for _ in 0..MAX_REPEATS {
            self.back_in_a_moment().await;
            let left = until.saturating_duration_since(Instant::now());
            match self.call_once(call.clone(), left).await {
                Err(Unanswered::NotSent) => {}
                Err(Unanswered::NotConnected(refusal)) => {
                    // One that was lost just now is waited for, whoever noticed first.
                    let lost = *self.inside.lost.borrow();
                    if lost.is_none_or(|at| at.elapsed() >= BLINK) {
                        return Err(refusal);
                    }
                }
                Err(Unanswered::Lost) if call.may_be_repeated() => {}
                Err(Unanswered::Lost) => break,
                Err(Unanswered::Refused(refusal)) => return Err(refusal),
                Ok(reply) => return Ok(reply),
            }
        }
        Err(away("the connection to it ended before it answered"))
    }

    /// Asks on the connection that stands.
    async fn call_once(&self, call: Call, limit: Duration) -> Result<Reply, Unanswered> {
        let number = self.inside.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (answer, answered) = oneshot::channel();
        {
            let mut open = self.open();
            if open.len() >= MAX_OPEN {
                return Err(Unanswered::Refused(Refusal::conflict(
                    "too many questions wait for the other node; try again in a moment",
                )));
            }
            open.insert(number, answer);
        }
        let _closing = Closing { calls: self, number };
        match self.hand_over(&Frame::Call { number, call }) {
            Ok(()) => {}
            Err(Unsent::Broken) => return Err(Unanswered::NotSent),
            Err(Unsent::NotConnected(refusal)) => return Err(Unanswered::NotConnected(refusal)),
            Err(Unsent::Never(refusal)) => return Err(Unanswered::Refused(refusal)),
        }
        match tokio::time::timeout(limit, answered).await {
            Ok(Ok(answer)) => answer.map_err(Unanswered::Refused),
            Ok(Err(_)) => Err(Unanswered::Lost),
            Err(_) => Err(Unanswered::Refused(away(&format!(
                "it did not answer within {:.1} s",
                limit.as_secs_f64()
            )))),
        }
    }

    /// A connection that ended just now is mostly being made anew: settings changed, or an
    /// agent was started again. A node that is away for longer is not waited for.
    pub(in crate::agent) async fn back_in_a_moment(&self) {
        let mut lost = self.inside.lost.subscribe();
        let since = *lost.borrow();
        if let Some(left) = since.and_then(|at| BLINK.checked_sub(at.elapsed())) {
            // Not back in time: the question says so itself.
            let _ = tokio::time::timeout(left, lost.wait_for(Option::is_none)).await;
        }
    }

    /// Says something; what cannot be queued is lost with its connection, and the next
    /// one begins anew.
    pub(in crate::agent) fn send(&self, frame: &Frame) {
        let _ = self.hand_over(frame);
    }

    fn hand_over(&self, frame: &Frame) -> Result<(), Unsent> {
        let encoded = frame.encode().map_err(|error| Refusal::invalid(error.to_string()));
        let bytes = encoded.map_err(Unsent::Never)?;
        let mut sender = self.sender();
        let Some(to_peer) = sender.as_ref() else {
            let why = away("its agent is not connected; 'twinwall pair status' says why");
            return Err(Unsent::NotConnected(why));
        };
        if to_peer.send(bytes).is_ok() {
            return Ok(());
        }
        // Its thread notices the end later than the first who sends.
        *sender = None;
        self.note_lost(true);
        Err(Unsent::Broken)
    }

    /// A connection begins to be made: who asks before it stands waits for it.
    pub(in crate::agent) fn begins(&self) {
        self.inside.lost.send_replace(Some(Instant::now()));
    }

    /// A connection stands, or (none) has ended: then no open question is answered.
    pub(in crate::agent) fn connected(&self, sender: Option<Sender>) {
        let gone = sender.is_none();
        // In this order: who finds no connection knows since when.
        if gone {
            self.note_lost(true);
        }
        *self.sender() = sender;
        if gone {
            self.open().clear();
        } else {
            self.note_lost(false);
        }
    }

    /// The first one to notice says when.
    fn note_lost(&self, gone: bool) {
        self.inside.lost.send_if_modified(|lost| {
            let since = gone.then(Instant::now);
            let changed = lost.is_some() != since.is_some();
            if changed {
                *lost = since;
            }
            changed
        });
    }

    /// An answer came.
    pub(in crate::agent) fn answered(&self, number: u64, answer: Result<Reply, Refusal>) {
        if let Some(waiting) = self.open().remove(&number) {
            // Who asked may have given up.
            let _ = waiting.send(answer);
        }
    }

    /// A question came; it is answered when that is done.
    pub(in crate::agent) fn asked(&self, number: u64, call: Call, on: &tokio::runtime::Handle) {
        let inside = &self.inside;
        let refused = if inside.asked.fetch_add(1, Ordering::Relaxed) >= MAX_ASKED {
            Some("this node answers too many questions already; try again in a moment")
        } else if inside.answering.get().is_none() {
            Some("this node's agent is still starting; try again in a moment")
        } else {
            None
        };
        let calls = self.clone();
        on.spawn(async move {
            let answer = match (refused, calls.inside.answering.get()) {
                (None, Some(answering)) => answering(call).await,
                (why, _) => Err(Refusal::conflict(why.unwrap_or_default())),
            };
            calls.inside.asked.fetch_sub(1, Ordering::Relaxed);
            // With the connection the question is gone as well.
            calls.send(&Frame::Reply { number, answer });
        });
    }

    fn sender(&self) -> std::sync::MutexGuard<'_, Option<Sender>> {
        self.inside.to_peer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(
        &self,
    ) -> std::sync::MutexGuard<'_, BTreeMap<u64, oneshot::Sender<Result<Reply, Refusal>>>> {
        self.inside.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a question has no answer.
enum Unanswered {
    /// The connection ended first; nobody knows whether it was heard.
    Lost,
    /// The connection had ended before it was asked.
    NotSent,
    /// There was none.
    NotConnected(Refusal),
    /// It was not asked, was refused, or took too long.
    Refused(Refusal),
}

/// Why a frame was not handed over.
enum Unsent {
    /// The connection has ended; the next one may take it.
    Broken,
    /// There is no connection.
    NotConnected(Refusal),
    /// It can never be sent.
    Never(Refusal),
}

/// Forgets a question that nobody waits for any more.
struct Closing<'a> {
    calls: &'a Calls,
    number: u64,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.calls.open().remove(&self.number);
    }
}

/// It was not asked, or did not answer.
pub(in crate::agent) fn away(why: &str) -> Refusal {
    Refusal::unreachable(format!("the other node was not asked, or did not answer: {why}"))
}
