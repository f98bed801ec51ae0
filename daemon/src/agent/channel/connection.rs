//! What the engine holds of one connection: an end to send, an end to receive, and why
//! it ended. The pumps in the background do the reading and writing.

use std::fmt;

use tokio::sync::watch;

use super::frame::FrameError;
use super::hello::Greeting;
use super::queue::{Put, PutError, Take};
use super::{DEAD_AFTER, MAX_FRAME, Stream};

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer closed it: its agent ended, or nobody there reads any more.
    ByPeer,
    /// Nothing was heard for [`DEAD_AFTER`].
    Silent,
    /// The network said so.
    Network(String),
    /// The peer sent what no honest peer sends.
    Garbage(FrameError),
    /// The peer opened a newer connection of this stream.
    Replaced,
    /// This node closed it.
    Here,
    /// The HA link has no carrier at this end: nothing sent from now on arrives.
    NoCarrier,
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::ByPeer => out.write_str("closed by the peer"),
            End::Silent => {
                write!(out, "the peer was silent for {} s", DEAD_AFTER.as_secs())
            }
            End::Network(error) => write!(out, "lost: {error}"),
            End::Garbage(error) => error.fmt(out),
            End::Replaced => out.write_str("replaced by a newer connection of the peer"),
            End::Here => out.write_str("closed here"),
            End::NoCarrier => out.write_str("the HA link has no carrier here"),
        }
    }
}

/// Why a message was not taken.
#[derive(Debug)]
pub enum SendError {
    /// The peer is slow: [`super::QUEUE_BYTES`] wait already. The message comes back.
    Full(Vec<u8>),
    /// More than [`MAX_FRAME`] bytes; cut it.
    TooLong,
    /// The connection has ended; ask [`super::Link::connection`] for the next.
    Ended(End),
}

impl fmt::Display for SendError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Full(_) => out.write_str("the peer does not read fast enough"),
            SendError::TooLong => write!(out, "a message has at most {MAX_FRAME} bytes"),
            SendError::Ended(end) => write!(out, "no connection: {end}"),
        }
    }
}

impl std::error::Error for SendError {}

/// One connection of a stream. Messages arrive whole, once and in order, or the
/// connection ends.
#[derive(Debug)]
pub struct Connection {
    sender: Sender,
    receiver: Receiver,
    peer: Greeting,
}

/// The end to send. When its last clone and the [`Receiver`] are dropped, what is queued
/// is still written, then the connection closes.
#[derive(Clone, Debug)]
pub struct Sender {
    queue: Put,
    ended: watch::Receiver<Option<End>>,
}

/// The end to receive. Dropping it ends the connection.
#[derive(Debug)]
pub struct Receiver {
    queue: Take,
    ended: watch::Receiver<Option<End>>,
}

impl Connection {
    pub(super) fn new(
        outgoing: Put,
        incoming: Take,
        ended: watch::Receiver<Option<End>>,
        peer: Greeting,
    ) -> Connection {
        let sender = Sender { queue: outgoing, ended: ended.clone() };
        Connection { sender, receiver: Receiver { queue: incoming, ended }, peer }
    }

    /// What the peer said of itself.
    pub fn peer(&self) -> &Greeting {
        &self.peer
    }

    /// What it is for.
    pub fn stream(&self) -> Stream {
        self.peer.stream
    }

    /// See [`Sender::send`].
    ///
    /// # Errors
    /// As there.
    pub fn send(&self, message: Vec<u8>) -> Result<(), SendError> {
        self.sender.send(message)
    }

    /// See [`Receiver::recv`].
    pub async fn recv(&mut self) -> Option<Vec<u8>> {
        self.receiver.recv().await
    }

    /// Both ends, for two tasks or threads.
    pub fn split(self) -> (Sender, Receiver) {
        (self.sender, self.receiver)
    }
}

impl Sender {
    /// Queues a message; never waits. It is *not* an acknowledgement of the peer.
    ///
    /// # Errors
    /// When the queue is full, the message too long, or the connection has ended.
    pub fn send(&self, message: Vec<u8>) -> Result<(), SendError> {
        self.open(&message)?;
        self.queue.try_put(message).map_err(|error| self.refused(error))
    }

    /// Queues a message and waits for room: as fast as the peer reads, for contents that
    /// nobody waits for. Ends at the latest when the connection does.
    ///
    /// # Errors
    /// When the message is too long or the connection has ended.
    pub async fn send_when_room(&self, message: Vec<u8>) -> Result<(), SendError> {
        self.open(&message)?;
        self.queue.put(message).await.map_err(|error| self.refused(error))
    }

    /// Why the connection ended, once it has.
    pub fn ended(&self) -> Option<End> {
        self.ended.borrow().clone()
    }

    fn open(&self, message: &[u8]) -> Result<(), SendError> {
        if message.len() > MAX_FRAME {
            return Err(SendError::TooLong);
        }
        self.ended().map_or(Ok(()), |end| Err(SendError::Ended(end)))
    }

    fn refused(&self, error: PutError) -> SendError {
        match error {
            PutError::Full(message) => SendError::Full(message),
            PutError::Closed => SendError::Ended(self.ended().unwrap_or(End::Here)),
        }
    }
}

impl Receiver {
    /// The next message; `None` when the connection has ended and all that arrived
    /// was read: see [`Receiver::ended`].
    pub async fn recv(&mut self) -> Option<Vec<u8>> {
        self.queue.take().await.map(|queued| queued.message)
    }

    /// The same for a thread of its own outside the runtime.
    pub fn recv_blocking(&mut self) -> Option<Vec<u8>> {
        self.queue.take_blocking().map(|queued| queued.message)
    }

    /// Why the connection ended, once it has.
    pub fn ended(&self) -> Option<End> {
        self.ended.borrow().clone()
    }
}

#[cfg(test)]
impl Sender {
    /// One whose messages are read by a test.
    pub(in crate::agent) fn to_nowhere() -> (Sender, Receiver) {
        let (outgoing, incoming) = super::queue::queue(MAX_FRAME);
        // Its sender is gone, so that the connection counts as one that never ended.
        let ended = watch::channel(None).1;
        let sender = Sender { queue: outgoing, ended: ended.clone() };
        (sender, Receiver { queue: incoming, ended })
    }
}
