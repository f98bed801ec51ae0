//! Exchanges logs with the other node, both ways at once, on a thread of its own: it reads and
//! writes the disk between messages, which no task of the runtime may. It wakes for the
//! connection, for new lines, and for what is due. Whatever fails ends the connection, and the
//! next one goes on where the disks of both are.

mod message;
mod rate;
mod receiving;
mod sending;
#[cfg(test)]
mod tests;
mod whose;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use super::store::Limits;
use super::told::Told;
use crate::agent::channel::{Arrivals, Connection, Receiver, Sender};
pub use message::{Message, MessageError, Word, decode_message};
use message::{VERSION, encode_word};
use receiving::{NotTaken, Receiving};
use sending::Sending;
use whose::Own;

/// Between two words of how far this node is.
const TELL: Duration = Duration::from_secs(1);
/// Between two tries after the disk failed.
const AGAIN: Duration = Duration::from_secs(2);
/// Taken or sent before the other is looked at again.
const A_TURN: usize = 16;
/// As the thread that reads.
const NICENESS: i32 = 10;

/// What the exchange is made from.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) root: PathBuf,
    pub(super) limits: Limits,
    /// The most that goes out.
    pub(super) bytes_per_second: u64,
}

/// What the thread is to do; nothing once this is dropped.
pub(super) type Orders = watch::Sender<Option<Arrivals>>;

/// The thread; it ends with this.
pub(super) struct Exchange {
    orders: Option<Orders>,
    thread: Option<JoinHandle<()>>,
}

impl Exchange {
    /// Opens the other node's lines and starts the thread.
    ///
    /// # Errors
    /// When the disk does not allow it, or the machine has no room for a thread.
    pub(super) fn start(terms: &Terms, told: Arc<Told>) -> io::Result<Exchange> {
        let (orders, links) = watch::channel(None);
        let begins = told.view().here.first.max(1);
        let mut inside = Inside {
            own: Own::open(&terms.root, begins)?,
            sending: Sending::new(&terms.root, terms.bytes_per_second),
            receiving: Receiving::open(&terms.root, terms.limits)?,
            terms: terms.clone(),
            durable: told.durable.subscribe(),
            told,
            logged: String::new(),
            disk: None,
        };
        inside.tell();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let thread = thread::Builder::new().name("logs-exchange".to_owned());
        let thread = thread.spawn(move || {
            super::be_nice(NICENESS);
            runtime.block_on(inside.run(links));
        })?;
        Ok(Exchange { orders: Some(orders), thread: Some(thread) })
    }

    /// Where the other node's connections arrive, which may be elsewhere than before.
    pub(super) fn set_link(&self, link: Option<Arrivals>) {
        let Some(orders) = &self.orders else { return };
        orders.send_if_modified(|known| {
            let same = match (&*known, &link) {
                (Some(known), Some(link)) => known.is_same(link),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            if !same {
                *known = link;
            }
            !same
        });
    }
}

impl Drop for Exchange {
    /// Waits for the thread: on a thread that may.
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so on standard error.
            let _ = thread.join();
        }
    }
}

/// Everything that the thread has.
struct Inside {
    terms: Terms,
    own: Own,
    sending: Sending,
    receiving: Receiving,
    durable: watch::Receiver<u64>,
    told: Arc<Told>,
    logged: String,
    /// The disk that ended the last connection.
    disk: Option<String>,
}

/// Why a connection is given up.
enum Stop {
    Peer(String),
    Disk(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Disk(error)
    }
}

impl From<NotTaken> for Stop {
    fn from(error: NotTaken) -> Stop {
        match error {
            NotTaken::Peer(error) => Stop::Peer(error.to_string()),
            NotTaken::Disk(error) => Stop::Disk(error),
        }
    }
}

impl Inside {
    async fn run(mut self, mut links: watch::Receiver<Option<Arrivals>>) {
        loop {
            let link = links.borrow_and_update().clone();
            let next = async {
                match &link {
                    Some(link) => link.next().await,
                    None => std::future::pending().await,
                }
            };
            let due = self.receiving.due();
            let due = async {
                match due {
                    Some(due) => sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            let connection = tokio::select! {
                changed = links.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
                connection = next => connection,
                () = due => {
                    // What it says of the disk stands in the view.
                    let _ = self.receiving.sync(Instant::now());
                    self.tell();
                    continue;
                }
            };
            let ended = tokio::select! {
                ended = self.serve(connection) => Some(ended),
                _ = links.changed() => None,
            };
            self.sending.disconnected();
            self.receiving.disconnected();
            self.disk = match &ended {
                Some(Err(Stop::Disk(error))) => Some(super::not_kept(error)),
                Some(Err(Stop::Peer(_)) | Ok(())) | None => None,
            };
            self.tell();
            match ended {
                Some(Err(Stop::Peer(why))) => self.log(&why),
                Some(Err(Stop::Disk(_))) => sleep(AGAIN).await,
                Some(Ok(())) | None => {}
            }
        }
    }

    /// Until the connection ends.
    async fn serve(&mut self, connection: Connection) -> Result<(), Stop> {
        let (sender, mut receiver) = connection.split();
        let durable = *self.durable.borrow();
        let first = self.told.view().here.first.max(self.own.begins).min(durable);
        let store = self.own.store.clone();
        say(&sender, &Word::Hello { version: VERSION, store, first })?;
        let mut tell = Instant::now();
        loop {
            let durable = *self.durable.borrow_and_update();
            self.send(&sender, durable)?;
            let now = Instant::now();
            if let Some(next) = self.receiving.sync(now)? {
                say(&sender, &Word::Kept { next })?;
                self.tell();
            }
            if now >= tell {
                tell = now + TELL;
                let lag_ms = millis(self.sending.lag(durable));
                say(&sender, &Word::Newest { next: durable, lag_ms })?;
                self.tell();
            }
            let due = [Some(tell), self.receiving.due(), self.sending.due(durable, now)];
            let due = due.into_iter().flatten().min().unwrap_or(tell);
            tokio::select! {
                message = receiver.recv() => match message {
                    Some(message) => self.take(&sender, &message, &mut receiver).await?,
                    None => return Ok(()),
                },
                changed = self.durable.changed() => if changed.is_err() { return Ok(()) },
                () = sleep_until(due.into()) => {}
            }
        }
    }

    fn send(&mut self, sender: &Sender, durable: u64) -> Result<(), Stop> {
        for _ in 0..A_TURN {
            let Some(message) = self.sending.poll(durable, Instant::now())? else { break };
            // Its window is smaller than the queue.
            sender.send(message).map_err(|error| Stop::Peer(error.to_string()))?;
        }
        Ok(())
    }

    /// What came, and what else is there already.
    async fn take(
        &mut self,
        sender: &Sender,
        first: &[u8],
        receiver: &mut Receiver,
    ) -> Result<(), Stop> {
        self.hear(sender, first)?;
        for _ in 1..A_TURN {
            let next = tokio::select! {
                biased;
                message = receiver.recv() => message,
                () = std::future::ready(()) => None,
            };
            match next {
                Some(message) => self.hear(sender, &message)?,
                None => break,
            }
        }
        self.told.there(&self.receiving.writer);
        Ok(())
    }

    fn hear(&mut self, sender: &Sender, message: &[u8]) -> Result<(), Stop> {
        match decode_message(message).map_err(NotTaken::Peer)? {
            Message::Batches(batches) => self.receiving.take(batches)?,
            Message::Word(Word::Hello { version: VERSION, store, first }) => {
                let from = self.receiving.hello(&store, first)?;
                say(sender, &Word::Want { from })?;
                self.told.change(|view| view.connected = true);
                self.disk = None;
                self.logged.clear();
            }
            Message::Word(Word::Hello { version, .. }) => {
                return Err(NotTaken::Peer(MessageError::Version(version)).into());
            }
            Message::Word(Word::Want { from }) if from > *self.durable.borrow() => {
                return Err(self.begin_anew(from));
            }
            Message::Word(Word::Want { from }) => self.sending.want(from),
            Message::Word(Word::Kept { next }) => {
                self.sending.confirm(next, *self.durable.borrow());
            }
            Message::Word(Word::Newest { next, lag_ms }) => {
                let here = self.receiving.next();
                self.told.change(|view| {
                    view.there.lag_ms = Some(lag_ms);
                    view.there.behind = here.map(|here| next.saturating_sub(here));
                });
            }
        }
        Ok(())
    }

    /// The other node has lines that this one lost after it had called them durable: a disk
    /// that lied, or one that was put back to an earlier state. Their numbers are given again,
    /// so that what follows goes under another name.
    fn begin_anew(&mut self, from: u64) -> Stop {
        let durable = *self.durable.borrow();
        let lost = from - durable;
        match Own::draw(&self.terms.root, durable) {
            Ok(own) => self.own = own,
            Err(error) => return error.into(),
        }
        Stop::Peer(format!(
            "{lost} lines that the other node has of this one are gone from this disk; they stay \
             there, and new lines follow them"
        ))
    }

    fn tell(&mut self) {
        let durable = *self.durable.borrow();
        self.told.there(&self.receiving.writer);
        let trouble = self.receiving.trouble.clone().or_else(|| self.disk.clone());
        if let Some(trouble) = &trouble {
            self.log(trouble);
        }
        self.told.change(|view| {
            view.there.trouble = trouble;
            (view.here.gaps, view.here.missing) = (self.sending.gaps, self.sending.missing);
            (view.there.gaps, view.there.missing) = (self.receiving.gaps, self.receiving.missing);
            view.here.behind = self.sending.behind(durable);
            view.here.lag_ms = view.here.behind.map(|_| millis(self.sending.lag(durable)));
            if self.receiving.next().is_none() {
                view.connected = false;
                (view.there.lag_ms, view.there.behind) = (None, None);
            }
        });
    }

    /// In the log, unless it was the last thing said there.
    fn log(&mut self, what: &str) {
        if self.logged != what {
            eprintln!("twinwall agent: logs: {what}");
            what.clone_into(&mut self.logged);
        }
    }
}

fn say(sender: &Sender, word: &Word) -> Result<(), Stop> {
    sender.send(encode_word(word)).map_err(|error| Stop::Peer(error.to_string()))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
