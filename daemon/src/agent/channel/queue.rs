//! A queue of messages bounded by bytes: between the users of a connection and its
//! pumps, one each way. Whoever puts something in chooses whether to wait for room.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc};

/// What an entry costs beyond its bytes, so that empty messages are bounded as well.
const ENTRY_COST: usize = 64;

/// A message, and its room in the queue, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) message: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// Why nothing was put in; the message comes back.
#[derive(Debug)]
pub(super) enum PutError {
    Full(Vec<u8>),
    Closed,
}

/// The end where messages go in.
#[derive(Clone, Debug)]
pub(super) struct Put {
    entries: mpsc::UnboundedSender<Queued>,
    room: Arc<Semaphore>,
}

/// The end where they come out.
#[derive(Debug)]
pub(super) struct Take {
    entries: mpsc::UnboundedReceiver<Queued>,
    room: Arc<Semaphore>,
}

/// A queue for `bytes`; one message is at most as large.
pub(super) fn queue(bytes: usize) -> (Put, Take) {
    let room = Arc::new(Semaphore::new(bytes + ENTRY_COST));
    let (sender, receiver) = mpsc::unbounded_channel();
    (Put { entries: sender, room: Arc::clone(&room) }, Take { entries: receiver, room })
}

fn cost(message: &[u8]) -> u32 {
    u32::try_from(message.len() + ENTRY_COST).unwrap_or(u32::MAX)
}

impl Put {
    /// Puts it in if there is room now.
    pub(super) fn try_put(&self, message: Vec<u8>) -> Result<(), PutError> {
        match Arc::clone(&self.room).try_acquire_many_owned(cost(&message)) {
            Ok(room) => self.hand_over(message, room),
            Err(TryAcquireError::NoPermits) => Err(PutError::Full(message)),
            Err(TryAcquireError::Closed) => Err(PutError::Closed),
        }
    }

    /// Waits for room; whoever asked first gets it first.
    pub(super) async fn put(&self, message: Vec<u8>) -> Result<(), PutError> {
        let room = Arc::clone(&self.room).acquire_many_owned(cost(&message)).await;
        let room = room.map_err(|_| PutError::Closed)?;
        self.hand_over(message, room)
    }

    fn hand_over(&self, message: Vec<u8>, room: OwnedSemaphorePermit) -> Result<(), PutError> {
        self.entries.send(Queued { message, _room: room }).map_err(|_| PutError::Closed)
    }
}

impl Take {
    /// The next one; `None` when all ends to put in are gone and nothing is left.
    pub(super) async fn take(&mut self) -> Option<Queued> {
        self.entries.recv().await
    }

    /// The same for a thread that may block.
    pub(super) fn take_blocking(&mut self) -> Option<Queued> {
        self.entries.blocking_recv()
    }
}

impl Drop for Take {
    fn drop(&mut self) {
        // Wakes those who wait for room.
        self.room.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_gives_the_message_back_and_has_room_again_once_read() {
        let (put, mut take) = queue(1000);
        put.try_put(vec![1; 1000]).expect("as large as the queue");
        let back = put.try_put(vec![2; 1]).expect_err("no room");
        assert!(matches!(back, PutError::Full(message) if message == [2]));
        let first = take.take().await.expect("a message");
        assert!(put.try_put(vec![2; 1]).is_err(), "it is still being written");
        drop(first);
        put.try_put(vec![2; 1]).expect("room again");
    }

    #[tokio::test]
    async fn empty_messages_fill_a_queue_as_well() {
        let (put, _take) = queue(1000);
        let taken = (0..1000).take_while(|_| put.try_put(Vec::new()).is_ok()).count();
        assert_eq!(taken, 1064 / ENTRY_COST);
    }

    #[tokio::test]
    async fn who_waits_for_room_is_told_that_the_reader_is_gone() {
        let (put, take) = queue(10);
        put.try_put(vec![0; 10]).expect("room");
        let waiting = tokio::spawn(async move { put.put(vec![0; 10]).await });
        tokio::task::yield_now().await;
        drop(take);
        assert!(matches!(waiting.await.expect("no panic"), Err(PutError::Closed)));
    }
}
