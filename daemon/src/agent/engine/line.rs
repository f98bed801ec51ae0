//! One configuration connection of the channel carries questions and answers both ways.
//! Here it is parted: the other node's questions are answered from the store on a thread
//! of their own, answers to ours go to whoever asked. Each frame begins with its kind
//! and the number of the question, so that the rest of an answer that nobody waits for
//! any more is passed over.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::exchange::{self, Line};
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

/// The line to the other node, as long as there is one; shared by all who ask.
#[derive(Clone, Default)]
pub struct Lines {
    current: Arc<Mutex<Option<Arc<Mutex<Asker>>>>>,
}

/// The asking end of one connection.
struct Asker {
    sender: Sender,
    answers: mpsc::Receiver<(u32, Vec<u8>)>,
    last: u32,
    runtime: tokio::runtime::Handle,
}

/// Why nothing can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoLine;

impl std::fmt::Display for NoLine {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the other node's agent cannot be reached")
    }
}

impl Lines {
    /// Takes a new connection. Its threads end with it.
    pub fn serve(&self, connection: Connection, store: Arc<Store>, on: &tokio::runtime::Handle) {
        let (sender, receiver) = connection.split();
        let (answers, waiting) = mpsc::sync_channel(WAITING);
        let (questions, asked) = mpsc::sync_channel(QUESTIONS);
        let asker =
            Asker { sender: sender.clone(), answers: waiting, last: 0, runtime: on.clone() };
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Arc::new(Mutex::new(asker)));
        thread::spawn(move || part(receiver, &answers, &questions));
        let on = on.clone();
        thread::spawn(move || answer_all(&store, &asked, &sender, &on));
    }

    /// Runs `work` with the line; one asker at a time.
    ///
    /// # Errors
    /// When there is no connection.
    pub fn ask<T>(&self, work: impl FnOnce(&mut dyn Line) -> T) -> Result<T, NoLine> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let asker = current.ok_or(NoLine)?;
        let mut asker = asker.lock().unwrap_or_else(PoisonError::into_inner);
        if asker.sender.ended().is_some() {
            return Err(NoLine);
        }
        Ok(work(&mut *asker))
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
