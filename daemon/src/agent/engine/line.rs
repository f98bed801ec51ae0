//! One configuration connection of the channel carries questions and answers both ways.
//! Here it is parted: the other node's questions are answered from the store on a thread
//! of their own, answers to ours go to whoever asked. Each frame begins with its kind
//! and the number of the question, so that the rest of an answer that nobody waits for
//! any more is passed over.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::exchange::{self, FetchError, Line};
use crate::agent::channel::{Connection, Receiver, SendError, Sender};
use crate::agent::store::Store;

const QUESTION: u8 = b'q';
const ANSWER: u8 = b'a';
const HEAD: usize = 5;
/// Frames of an answer that wait for the asker; the rest waits in the connection.
const WAITING: usize = 16;
/// Questions of the other node that wait. An honest one has one at a time.
const QUESTIONS: usize = 4;
/// How long the other node may take for one frame. It reads from its disk.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a line that does not stand is waited for. The streams of a link come one after the
/// other, the control stream perhaps first, and one that broke is dialled again within a second.
const COMES: Duration = Duration::from_secs(10);

/// The line to the other node; shared by all who ask.
#[derive(Clone, Default)]
pub struct Lines {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Default)]
struct Now {
    newest: Option<Standing>,
    ends: bool,
}

/// The newest line, which may have broken since.
#[derive(Clone)]
struct Standing {
    asker: Arc<Mutex<Asker>>,
    sender: Sender,
}

/// The asking end of one connection.
struct Asker {
    sender: Sender,
    answers: mpsc::Receiver<(u32, Vec<u8>)>,
    last: u32,
    runtime: tokio::runtime::Handle,
}

impl Lines {
    /// Takes a new connection. Its threads end with it.
    pub fn serve(&self, connection: Connection, store: Arc<Store>, on: &tokio::runtime::Handle) {
        let (sender, receiver) = connection.split();
        let (answers, waiting) = mpsc::sync_channel(WAITING);
        let (questions, asked) = mpsc::sync_channel(QUESTIONS);
        let asker =
            Asker { sender: sender.clone(), answers: waiting, last: 0, runtime: on.clone() };
        let standing = Standing { asker: Arc::new(Mutex::new(asker)), sender: sender.clone() };
        self.change(|now| now.newest = Some(standing));
        thread::spawn(move || part(receiver, &answers, &questions));
        let on = on.clone();
        thread::spawn(move || answer_all(&store, &asked, &sender, &on));
    }

    /// Nobody waits for a line any more: everything ends.
    pub fn end(&self) {
        self.change(|now| now.ends = true);
    }

    /// Runs `work` with the line, one asker at a time. One that does not stand is waited for,
    /// and where it breaks meanwhile `work` goes on over the next one, once.
    ///
    /// # Errors
    /// When there is no line for [`COMES`], and what `work` says.
    pub fn ask<T>(
        &self,
        mut work: impl FnMut(&mut dyn Line) -> Result<T, FetchError>,
    ) -> Result<T, FetchError> {
        let first = self.another(None)?;
        match first.with(&mut work) {
            Err(FetchError::Line(error)) if error.kind() != io::ErrorKind::TimedOut => {
                self.another(Some(&first))?.with(&mut work)
            }
            done => done,
        }
    }

    /// A line that stands, other than the one that broke.
    fn another(&self, broken: Option<&Standing>) -> Result<Standing, FetchError> {
        let good = |line: &&Standing| {
            let same = broken.is_some_and(|broken| Arc::ptr_eq(&line.asker, &broken.asker));
            !same && line.sender.ended().is_none()
        };
        let until = Instant::now() + COMES;
        let mut now = self.shared.now.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(standing) = now.newest.as_ref().filter(good) {
                return Ok(standing.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if now.ends || left.is_zero() {
                return Err(FetchError::NoLine);
            }
            let waited = self.shared.changed.wait_timeout(now, left);
            now = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn change(&self, change: impl FnOnce(&mut Now)) {
        change(&mut self.shared.now.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.changed.notify_all();
    }
}

impl Standing {
    fn with<T>(
        &self,
        work: &mut impl FnMut(&mut dyn Line) -> Result<T, FetchError>,
    ) -> Result<T, FetchError> {
        work(&mut *self.asker.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Line for Asker {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.last = self.last.wrapping_add(1);
        let sending = self.sender.send_when_room(framed(QUESTION, self.last, frame));
        self.runtime.block_on(sending).map_err(|error| broken(&error))
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.answers.recv_timeout(PATIENCE) {
                Ok((number, frame)) if number == self.last => return Ok(frame),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    let text = format!("nothing came for {} s", PATIENCE.as_secs());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, text));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let end = self.sender.ended();
                    let text =
                        end.map_or_else(|| "the line ended".to_owned(), |end| end.to_string());
                    return Err(io::Error::new(io::ErrorKind::BrokenPipe, text));
                }
            }
        }
    }
}

fn framed(kind: u8, number: u32, frame: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + frame.len());
    bytes.push(kind);
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(frame);
    bytes
}

fn broken(error: &SendError) -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, error.to_string())
}

/// Parts the frames until the connection ends. A frame that makes no sense ends it.
fn part(
    mut receiver: Receiver,
    answers: &mpsc::SyncSender<(u32, Vec<u8>)>,
    questions: &mpsc::SyncSender<(u32, Vec<u8>)>,
) {
    while let Some(mut frame) = receiver.recv_blocking() {
        let Some((head, _)) = frame.split_first_chunk::<HEAD>() else { return };
        let [kind, number @ ..] = *head;
        let number = u32::from_be_bytes(number);
        frame.drain(..HEAD);
        let taken = match kind {
            // With nobody asking any more, answers are passed over.
            ANSWER => answers.send((number, frame)).is_ok(),
            QUESTION => questions.send((number, frame)).is_ok(),
            _ => false,
        };
        if !taken {
            return;
        }
    }
}

fn answer_all(
    store: &Store,
    questions: &mpsc::Receiver<(u32, Vec<u8>)>,
    sender: &Sender,
    on: &tokio::runtime::Handle,
) {
    while let Ok((number, question)) = questions.recv() {
        let answered = exchange::answer(store, &question, &mut |frame| {
            let sending = sender.send_when_room(framed(ANSWER, number, frame));
            on.block_on(sending).map_err(|error| broken(&error))
        });
        if let Err(error) = answered {
            // The asker sees a broken-off answer and asks again by the next connection.
            eprintln!("twinwall agent: a question of the other node was not answered: {error}");
            return;
        }
    }
}

#[cfg(test)]
mod tests;
