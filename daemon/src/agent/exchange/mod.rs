//! Questions between the agents about files: reports, leases, history. A connection of its own,
//! so that a long report delays neither orders nor flows. Both ask and answer at any time. With a
//! connection all open questions end; whoever asked begins anew on the next one. What is asked
//! and answered is decided in `reports`, `leases` and `history`.

pub mod message;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::channel::{Arrivals, Receiver, Sender, Stream};
use super::history::{self, Record};
use super::node::Node;
use super::{leases, reports};
use message::{Ask, Message, Told};

/// Questions of the other node that are answered at a time: an honest one has three.
const MAX_ASKED: usize = 4;
/// Own questions that may be open at a time.
const MAX_OPEN: usize = 16;
/// How long an answer may take: a question about leases waits for news.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long an availability report waits for the other node's part.
const SHORT: Duration = Duration::from_secs(3);
/// Between two looks whether the link is another one.
const LOOK: Duration = Duration::from_secs(1);

type Answered = (Told, Vec<u8>);

/// Why a question has no answer, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) enum AskError {
    /// The line: another question would have none either.
    Line(String),
    /// This question: another one may well have one.
    Refused(String),
}

impl fmt::Display for AskError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::Line(why) | AskError::Refused(why) => out.write_str(why),
        }
    }
}

/// The way to the other node.
#[derive(Debug)]
pub struct Exchange {
    inside: Mutex<Inside>,
    last: AtomicU64,
    asked: Arc<Semaphore>,
    /// Number of the connection that stands, from 1; 0 while none does.
    connected: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inside {
    to_peer: Option<Sender>,
    open: BTreeMap<u64, oneshot::Sender<Answered>>,
    connections: u64,
}

impl Default for Exchange {
    fn default() -> Exchange {
        Exchange {
            inside: Mutex::default(),
            last: AtomicU64::new(0),
            asked: Arc::new(Semaphore::new(MAX_ASKED)),
            connected: watch::Sender::new(0),
        }
    }
}

impl Exchange {
    /// Which connection stands, and each change: what is kept for one is forgotten with it.
    pub(in crate::agent) fn connection(&self) -> watch::Receiver<u64> {
        self.connected.subscribe()
    }

    /// Asks the other node.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(in crate::agent) async fn ask(&self, ask: Ask) -> Result<Answered, AskError> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let encoded = Message::Question { number, ask }.encode();
        let bytes = encoded.map_err(|error| AskError::Refused(error.to_string()))?;
        let line = |why: &str| AskError::Line(why.to_owned());
        let (answer, answered) = oneshot::channel();
        let to_peer = {
            let mut inside = self.inside();
            if inside.open.len() >= MAX_OPEN {
                return Err(line("too many questions are open"));
            }
            let to_peer = inside.to_peer.clone();
            let to_peer = to_peer.ok_or_else(|| line("the other node is not connected"))?;
            inside.open.insert(number, answer);
            to_peer
        };
        let _closing = Closing { exchange: self, number };
        let asked = async {
            to_peer.send_when_room(bytes).await.map_err(|error| line(&error.to_string()))?;
            answered.await.map_err(|_| line("the connection ended"))
        };
        match timeout(PATIENCE, asked).await {
            Ok(Ok((Told::Refused { why }, _))) => Err(AskError::Refused(why)),
            Ok(told) => told,
            Err(_) => Err(line("the other node does not answer")),
        }
    }

    /// What the other node knows of a time; none where it does not say within a moment.
    pub(in crate::agent) async fn history(&self, window: (u64, u64)) -> Option<Vec<Record>> {
        let ask = Ask::History { from_ms: window.0, to_ms: window.1 };
        match timeout(SHORT, self.ask(ask)).await {
            Ok(Ok((Told::History { records }, _))) => Some(records),
            Ok(Ok(_) | Err(_)) | Err(_) => None,
        }
    }

    fn begin(&self, sender: &Sender) {
        let mut inside = self.inside();
        inside.connections += 1;
        inside.open.clear();
        inside.to_peer = Some(sender.clone());
        let number = inside.connections;
        drop(inside);
        self.connected.send_replace(number);
    }

    fn end(&self) {
        let mut inside = self.inside();
        inside.to_peer = None;
        inside.open.clear();
        drop(inside);
        self.connected.send_replace(0);
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a question that nobody waits for any more.
struct Closing<'a> {
    exchange: &'a Exchange,
    number: u64,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.exchange.inside().open.remove(&self.number);
    }
}

/// Carries the messages of whichever link there is, until the node is gone.
pub(in crate::agent) async fn keep(node: Weak<Node>) {
    let mut carried: Option<Arrivals> = None;
    let mut tasks = JoinSet::new();
    loop {
        let Some(strong) = node.upgrade() else { return };
        let link = strong.arrivals(Stream::Reports);
        let same = match (&carried, &link) {
            (Some(old), Some(new)) => old.is_same(new),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !same {
            tasks.abort_all();
            while tasks.join_next().await.is_some() {}
            strong.exchange().end();
            if let Some(link) = link.clone() {
                tasks.spawn(carry(node.clone(), link));
            }
            carried = link;
        }
        drop(strong);
        tokio::time::sleep(LOOK).await;
    }
}

async fn carry(node: Weak<Node>, link: Arrivals) {
    loop {
        let (sender, mut receiver) = link.next().await.split();
        let Some(strong) = node.upgrade() else { return };
        strong.exchange().begin(&sender);
        drop(strong);
        if let Err(why) = hear(&node, &sender, &mut receiver).await {
            eprintln!("twinwall agent: reports: {why}; the other node is connected to anew");
        }
        let Some(strong) = node.upgrade() else { return };
        strong.exchange().end();
    }
}

/// Hears one connection to its end. Answers that are being made end with it.
async fn hear(
    node: &Weak<Node>,
    sender: &Sender,
    receiver: &mut Receiver,
) -> Result<(), message::MessageError> {
    let mut answering = JoinSet::new();
    loop {
        let bytes = tokio::select! {
            bytes = receiver.recv() => bytes,
            Some(_) = answering.join_next() => continue,
        };
        let Some(bytes) = bytes else { return Ok(()) };
        let Some(strong) = node.upgrade() else { return Ok(()) };
        match Message::decode(&bytes)? {
            Message::Question { number, ask } => {
                answering.spawn(answer(strong, sender.clone(), number, ask));
            }
            Message::Answer { number, told, bytes } => {
                let waiting = strong.exchange().inside().open.remove(&number);
                // Who asked may have given up.
                let _ = waiting.map(|waiting| waiting.send((told, bytes)));
            }
        }
    }
}

async fn answer(node: Arc<Node>, sender: Sender, number: u64, ask: Ask) {
    let asked = Arc::clone(&node.exchange().asked);
    let (told, bytes) = match asked.try_acquire() {
        Ok(_place) => made(&node, ask).await.unwrap_or_else(|why| refused(&why)),
        Err(_) => refused("this node answers too many questions already"),
    };
    let message = Message::Answer { number, told, bytes };
    let encoded = message.encode().or_else(|error| {
        let (told, bytes) = refused(&error.to_string());
        Message::Answer { number, told, bytes }.encode()
    });
    if let Ok(encoded) = encoded {
        // With the connection the question is gone as well.
        let _ = sender.send_when_room(encoded).await;
    }
}

fn refused(why: &str) -> Answered {
    (Told::Refused { why: why.to_owned() }, Vec::new())
}

async fn made(node: &Arc<Node>, ask: Ask) -> Result<Answered, String> {
    match ask {
        Ask::Reports {} => {
            let (files, left_out) = reports::listed(node).await?;
            Ok((Told::Reports { files, left_out: left_out as u64 }, Vec::new()))
        }
        Ask::Part { path, version, offset } => {
            let bytes = reports::part(node, &path, &version, offset).await?;
            Ok((Told::Part {}, bytes))
        }
        Ask::Leases { anew } => {
            let pieces = leases::told(node, anew).await?;
            let left_alone = leases::left_alone(node);
            Ok((Told::Leases { pieces, left_alone }, Vec::new()))
        }
        Ask::History { from_ms, to_ms } => {
            let telling = Arc::clone(node);
            let told = move || history::told(&telling, (from_ms, to_ms));
            let records = tokio::task::spawn_blocking(told).await;
            let records = records.map_err(|error| error.to_string())?;
            Ok((Told::History { records }, Vec::new()))
        }
    }
}
