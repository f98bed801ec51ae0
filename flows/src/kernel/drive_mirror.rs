//! A mirror with its sockets: the body of a thread's loop on the passive node.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::Instant;

use twinwall_netlink::wait::{readable, wait};

use super::conntrack::{Conntrack, Dump};
use super::neighbours::NeighbourTable;
use super::place_file::PlaceFile;
use crate::message::MessageError;
use crate::mirror::Mirror;
use crate::work::Work;

/// Datagrams of a dump in one turn, each of some hundred flows.
const DUMPED_AT_ONCE: usize = 8;

/// Why a message came to nothing.
#[derive(Debug)]
pub enum ReceiveError {
    /// No honest peer of this version sends it: end the connection.
    Message(MessageError),
    /// A socket failed: open everything anew.
    Kernel(io::Error),
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReceiveError::Message(error) => error.fmt(f),
            ReceiveError::Kernel(error) => write!(f, "flows: this kernel: {error}"),
        }
    }
}

impl std::error::Error for ReceiveError {}

/// A mirror with its sockets. `wait`, `turn`, `receive` each message of the source, and
/// send what `mirror.poll` gives.
#[derive(Debug)]
pub struct MirrorDrive {
    /// The mirror; connections and the view are its business.
    pub mirror: Mirror,
    conntrack: Conntrack,
    dump: Option<Dump>,
    neighbours: NeighbourTable,
    place: Option<PlaceFile>,
    /// Why there is no place any more, until it is told.
    place_trouble: Option<io::Error>,
}

impl MirrorDrive {
    /// In the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel says to the sockets; it wants CAP_NET_ADMIN.
    pub fn open(mirror: Mirror) -> io::Result<MirrorDrive> {
        let (conntrack, neighbours) = (Conntrack::open()?, NeighbourTable::open()?);
        let (place, place_trouble) = (None, None);
        Ok(MirrorDrive { mirror, conntrack, dump: None, neighbours, place, place_trouble })
    }

    /// Keeps the mirror's place in this file, and goes on from what an agent left there a
    /// moment ago. Without it everything else is as well, and a restart compares all.
    ///
    /// # Errors
    /// Why no place is kept.
    pub fn keep_place(&mut self, now: Instant, path: &Path) -> io::Result<()> {
        let (place, kept) = PlaceFile::open(path, self.conntrack.namespace()?)?;
        self.place = Some(place);
        if let Some(kept) = kept {
            self.mirror.resume(now, kept, self.conntrack.count()?);
        }
        self.note_place();
        Ok(())
    }

    /// Why the place is not kept any more; once.
    pub fn place_trouble(&mut self) -> Option<io::Error> {
        self.place_trouble.take()
    }

    /// Waits until there is something to do, or `wake` can be read: a message of the
    /// source has come, or the agent wants something.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn wait(&mut self, wake: BorrowedFd<'_>, now: Instant) -> io::Result<()> {
        if self.dump.is_some() {
            return Ok(());
        }
        let due = self.mirror.deadline(now).saturating_duration_since(now);
        wait(&mut [readable(wake)], Some(due))
    }

    /// Does what is due; never waits for anybody but the kernel.
    ///
    /// # Errors
    /// When a socket fails: open everything anew.
    pub fn turn(&mut self, now: Instant) -> io::Result<()> {
        if self.mirror.wants_count(now) {
            self.mirror.counted(now, self.conntrack.count()?);
        }
        self.dump_on(now);
        let work = self.mirror.work(now);
        self.act(now, &work)?;
        self.note_place();
        Ok(())
    }

    /// Takes a message of the source into the kernel.
    ///
    /// # Errors
    /// See [`ReceiveError`].
    pub fn receive(&mut self, now: Instant, message: &[u8]) -> Result<(), ReceiveError> {
        let work = self.mirror.receive(now, message).map_err(ReceiveError::Message)?;
        self.act(now, &work).map_err(ReceiveError::Kernel)?;
        // Only now: what the kernel was not told must not count as held.
        self.note_place();
        Ok(())
    }

    fn note_place(&mut self) {
        let Some(place) = &mut self.place else { return };
        if let Err(error) = place.note(self.mirror.holding()) {
            (self.place, self.place_trouble) = (None, Some(error));
        }
    }

    fn act(&mut self, now: Instant, work: &Work) -> io::Result<()> {
        let outcomes = self.conntrack.write(&work.writes)?;
        self.neighbours.write(&work.neighbours)?;
        self.mirror.finished(now, work, &outcomes);
        Ok(())
    }

    fn dump_on(&mut self, now: Instant) {
        if self.dump.is_some() && !self.mirror.needs_dump() {
            self.dump = None;
        }
        if self.dump.is_none() && self.mirror.wants_dump(now) {
            match Conntrack::dump() {
                Ok(dump) => {
                    self.mirror.dump_began(now);
                    self.dump = Some(dump);
                }
                Err(error) => self.mirror.dump_failed(now, &error.to_string()),
            }
        }
        let Some(mut dump) = self.dump.take() else { return };
        for _ in 0..DUMPED_AT_ONCE {
            let mirror = &mut self.mirror;
            match dump.next(&mut |flow| mirror.dumped(flow)) {
                Ok(true) => {}
                Ok(false) => return self.mirror.dump_ended(now),
                Err(error) => return self.mirror.dump_failed(now, &error.to_string()),
            }
        }
        self.dump = Some(dump);
    }
}
