//! Takes the other node's lines: each batch once and in order, under numbers that go on from
//! what is kept of it here, made durable some times a second and confirmed then.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::message::MessageError;
use super::whose::Theirs;
use crate::agent::clock::unix_us;
use crate::agent::logs::not_kept;
use crate::agent::logs::store::{
    BatchError, DIRECTORY, Kind, Limits, Origin, Reader, Writer, batch,
};

/// Between two times that lines are made durable, as where they are read.
const SYNC: Duration = Duration::from_millis(200);

/// Between two tries to keep what came on a disk that did not take it.
const AGAIN: Duration = Duration::from_secs(2);
/// So many bytes may wait for such a disk in memory: twice what an honest node sends without a
/// confirmation.
const MAX_WAITING: usize = 8 << 20;

/// Why nothing more is taken from this connection.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// What the other node said.
    Peer(MessageError),
    /// The disk.
    Disk(io::Error),
}

impl From<io::Error> for NotTaken {
    fn from(error: io::Error) -> NotTaken {
        NotTaken::Disk(error)
    }
}

impl From<MessageError> for NotTaken {
    fn from(error: MessageError) -> NotTaken {
        NotTaken::Peer(error)
    }
}

impl From<BatchError> for NotTaken {
    fn from(error: BatchError) -> NotTaken {
        NotTaken::Peer(error.into())
    }
}

/// See the module.
pub(super) struct Receiving {
    root: PathBuf,
    pub(super) writer: Writer,
    theirs: Option<Theirs>,
    /// The other node said whose lines it sends, and is sending.
    begun: bool,
    confirmed: u64,
    synced: Instant,
    pub(super) gaps: u64,
    pub(super) missing: u64,
    /// Why what came waits: the disk did not take it.
    pub(super) trouble: Option<String>,
}

impl Receiving {
    pub(super) fn open(root: &Path, limits: Limits) -> io::Result<Receiving> {
        let directory = root.join(DIRECTORY).join(Origin::There.directory());
        let mut writer = Writer::open(&directory, limits, 1)?;
        let gaps = Reader::open(root).gaps(Origin::There)?;
        writer.set_gaps(&gaps);
        Ok(Receiving {
            root: root.to_owned(),
            writer,
            theirs: Theirs::open(root)?,
            begun: false,
            confirmed: 0,
            synced: Instant::now(),
            gaps: gaps.len() as u64,
            missing: gaps.iter().map(|gap| gap.next - gap.first).sum(),
            trouble: None,
        })
    }

    pub(super) fn disconnected(&mut self) {
        self.begun = false;
    }

    /// The other node has lines of this store, from this number on. Which one is wanted.
    pub(super) fn hello(&mut self, store: &str, first: u64) -> io::Result<u64> {
        // What waits for the disk is here, and is not asked for again.
        if self.due().is_some() {
            let kept = self.writer.write().and_then(|()| self.writer.sync());
            self.note(kept)?;
        }
        let known = self.theirs.as_ref();
        let known = known.filter(|it| it.store == store && it.shift < self.writer.next());
        let shift = match known {
            Some(theirs) => theirs.shift,
            None => {
                self.writer.begin_at(first);
                let shift = self.writer.next().saturating_sub(first);
                let theirs = Theirs { store: store.to_owned(), shift };
                theirs.save(&self.root)?;
                self.theirs = Some(theirs);
                shift
            }
        };
        let durable = self.writer.durable().saturating_sub(shift);
        (self.begun, self.confirmed) = (true, durable);
        Ok(self.writer.next() - shift)
    }

    /// The next number that is expected, as the other node counts.
    pub(super) fn next(&self) -> Option<u64> {
        let theirs = self.theirs.as_ref().filter(|_| self.begun)?;
        Some(self.writer.next() - theirs.shift)
    }

    /// Takes the batches of a message.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Result<(), NotTaken> {
        while !bytes.is_empty() {
            let batch = batch(bytes)?;
            bytes = &bytes[batch.head.length()..];
            let expected = self.next().ok_or(MessageError::Order)?;
            let lines = batch.head.next.checked_sub(batch.head.first).ok_or(BatchError::Wrong)?;
            if batch.head.first != expected {
                return Err(MessageError::Order.into());
            }
            match batch.head.kind {
                Kind::Lines => self.writer.add_batch(&batch),
                Kind::Gap => {
                    self.writer.add_gap(lines, unix_us());
                    (self.gaps, self.missing) = (self.gaps + 1, self.missing + lines);
                }
                Kind::State => return Err(MessageError::Order.into()),
            }
        }
        let kept = self.writer.write();
        Ok(self.note(kept)?)
    }

    /// Notes whether the disk took what came. What it did not take waits here, and with it the
    /// other node for its confirmation: the connection stays, which has nothing to do with it.
    ///
    /// # Errors
    /// The disk's, once too much waits.
    fn note(&mut self, kept: io::Result<()>) -> io::Result<()> {
        self.trouble = kept.as_ref().err().map(not_kept);
        if self.writer.waiting() > MAX_WAITING { kept } else { Ok(()) }
    }

    /// When something is to be made durable next.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.trouble {
            Some(_) => Some(self.synced + AGAIN),
            None => (self.writer.durable() < self.writer.next()).then(|| self.synced + SYNC),
        }
    }

    /// Makes durable what is due. What the other node is to be told of it.
    pub(super) fn sync(&mut self, now: Instant) -> io::Result<Option<u64>> {
        if self.due().is_none_or(|due| due > now) {
            return Ok(None);
        }
        let kept = self.writer.write().and_then(|()| self.writer.sync());
        let kept = kept.and_then(|()| self.writer.tidy());
        self.synced = Instant::now();
        self.note(kept)?;
        if self.trouble.is_some() {
            return Ok(None);
        }
        Ok(self.next().filter(|next| std::mem::replace(&mut self.confirmed, *next) != *next))
    }
}
