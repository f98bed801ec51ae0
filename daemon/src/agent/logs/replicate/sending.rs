//! Reads this node's own lines for the other one: from the number that it wants, as far as they
//! are durable, no more at a time than the window and the rate allow. What was dropped before
//! it was sent is said as a gap.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::message::{A_MESSAGE, begin_batches};
use super::rate::Rate;
use crate::agent::clock::unix_us;
use crate::agent::logs::store::{Content, DIRECTORY, Kind, Origin, Packer, Walk, holding, list};

/// Bytes on their way that are not confirmed: what a fast link carries between two
/// confirmations, well below what a queue of the channel holds.
const WINDOW: usize = 4 << 20;

/// See the module.
pub(super) struct Sending {
    directory: PathBuf,
    /// Number of the next line to send; nothing before the other node said what it wants.
    next: Option<u64>,
    kept: u64,
    way: Option<(u64, Walk)>,
    /// Up to which number, how many bytes, and when the last of it was read.
    flying: VecDeque<(u64, usize, u64)>,
    flying_bytes: usize,
    rate: Rate,
    /// How far behind the last confirmation was, while more waits; else nothing.
    lag_us: u64,
    pub(super) gaps: u64,
    pub(super) missing: u64,
}

impl Sending {
    pub(super) fn new(root: &Path, bytes_per_second: u64) -> Sending {
        Sending {
            directory: root.join(DIRECTORY).join(Origin::Here.directory()),
            next: None,
            kept: 0,
            way: None,
            flying: VecDeque::new(),
            flying_bytes: 0,
            rate: Rate::new(bytes_per_second, Instant::now()),
            lag_us: 0,
            gaps: 0,
            missing: 0,
        }
    }

    /// Nothing is on its way any more.
    pub(super) fn disconnected(&mut self) {
        (self.next, self.way) = (None, None);
        self.flying.clear();
        self.flying_bytes = 0;
    }

    /// The other node wants lines from this number on.
    pub(super) fn want(&mut self, from: u64) {
        self.disconnected();
        (self.next, self.kept) = (Some(from), from);
    }

    /// Lines below this number are durable there, of those that are durable here.
    pub(super) fn confirm(&mut self, next: u64, durable: u64) {
        while let Some((number, bytes, read_us)) = self.flying.front().copied() {
            if number > next {
                break;
            }
            self.flying.pop_front();
            self.flying_bytes -= bytes;
            self.kept = number;
            self.lag_us = unix_us().saturating_sub(read_us);
        }
        if self.behind(durable) == Some(0) {
            // What comes later did not wait since then.
            self.lag_us = 0;
        }
    }

    /// How far the copy is behind: how long ago the oldest line was read that is not confirmed.
    /// Nothing while all are.
    pub(super) fn lag(&self, durable: u64) -> Duration {
        if self.behind(durable).is_none_or(|behind| behind == 0) {
            return Duration::ZERO;
        }
        let waits = self.flying.front().map(|(_, _, read_us)| unix_us().saturating_sub(*read_us));
        Duration::from_micros(waits.unwrap_or(self.lag_us))
    }

    /// Lines that are durable here and not there.
    pub(super) fn behind(&self, durable: u64) -> Option<u64> {
        self.next.map(|_| durable.saturating_sub(self.kept))
    }

    /// When the next message may go, if only the rate holds it back.
    pub(super) fn due(&mut self, durable: u64, now: Instant) -> Option<Instant> {
        let waits = self.next.is_some_and(|next| next < durable) && self.flying_bytes < WINDOW;
        waits.then(|| now + self.rate.wait(now))
    }

    /// The next message, if one may go now.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn poll(&mut self, durable: u64, now: Instant) -> io::Result<Option<Vec<u8>>> {
        if self.due(durable, now).is_none_or(|due| due > now) {
            return Ok(None);
        }
        let mut message = begin_batches();
        let empty = message.len();
        let mut read_us = unix_us();
        while message.len() < A_MESSAGE {
            match self.add_batch(durable, &mut message)? {
                Some(us) => read_us = us,
                None => break,
            }
        }
        let (Some(next), false) = (self.next, message.len() == empty) else { return Ok(None) };
        self.rate.take(message.len(), now);
        self.flying_bytes += message.len();
        self.flying.push_back((next, message.len(), read_us));
        Ok(Some(message))
    }

    /// Adds the batch that is next; when it was read, if there was one.
    fn add_batch(&mut self, durable: u64, message: &mut Vec<u8>) -> io::Result<Option<u64>> {
        let Some(wanted) = self.next.filter(|next| *next < durable) else { return Ok(None) };
        loop {
            if self.way.is_none() && !self.find(wanted, message)? {
                return Ok(self.next.filter(|next| *next > wanted).map(|_| unix_us()));
            }
            let Some((_, walk)) = &mut self.way else { return Ok(None) };
            let Some(head) = walk.peek()? else {
                if !self.turn_over(message)? {
                    return Ok(None);
                }
                if self.next > Some(wanted) {
                    return Ok(Some(unix_us()));
                }
                continue;
            };
            if head.next <= wanted {
                walk.pass(&head);
                continue;
            }
            if head.next > durable {
                return Ok(None);
            }
            if message.len() > 1 && message.len() + head.length() > A_MESSAGE {
                return Ok(None);
            }
            let Some(batch) = walk.batch(&head)? else { return Ok(None) };
            message.extend(batch.bytes());
            walk.pass(&head);
            self.next = Some(head.next);
            return Ok(Some(head.read_us));
        }
    }

    /// Opens the file with this line. False where that line is not there any more: then the
    /// gap is added, and the next line is the oldest there is.
    fn find(&mut self, wanted: u64, message: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let segments = list(&self.directory)?;
            let Some(at) = holding(&segments, wanted) else {
                if let Some(oldest) = segments.first() {
                    self.add_gap(wanted, oldest.first, message)?;
                }
                return Ok(false);
            };
            match Walk::open(&segments[at].path, 0) {
                Ok(walk) => {
                    self.way = Some((segments[at].first, walk));
                    return Ok(true);
                }
                // Removed right now: the next look finds what is there.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn add_gap(&mut self, first: u64, next: u64, message: &mut Vec<u8>) -> io::Result<()> {
        let (kind, read_us) = (Kind::Gap, unix_us());
        let gap = Content { kind, source: "", mark: &[], raw: &[], first, next, read_us };
        Packer::new()?.pack(&gap, message);
        (self.gaps, self.missing) = (self.gaps + 1, self.missing + (next - first));
        self.next = Some(next);
        Ok(())
    }

    /// Goes on in the file behind this one, if there is one. What is missing between the two
    /// was removed, or went bad on the disk.
    fn turn_over(&mut self, message: &mut Vec<u8>) -> io::Result<bool> {
        let Some((first, _)) = &self.way else { return Ok(false) };
        let after = list(&self.directory)?.into_iter().find(|segment| segment.first > *first);
        let Some(segment) = after else { return Ok(false) };
        self.way = Some((segment.first, Walk::open(&segment.path, 0)?));
        match self.next {
            Some(next) if segment.first > next => self.add_gap(next, segment.first, message)?,
            Some(_) | None => {}
        }
        Ok(true)
    }
}
