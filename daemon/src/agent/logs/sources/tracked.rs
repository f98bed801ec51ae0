//! One generation of a log: the file that is written, or one that it became. Read from the place
//! to which it was read, whole lines only, into the writer together with the mark of where they
//! end. Says when it is no longer the file that it was; what that means, `log` decides.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::content::{Holds, is_held, is_packed_path, open_at, open_seen};
use super::print::{ENDLESS, FileId, HowFar, PRINT, about};
use crate::agent::clock::unix_us;
use crate::agent::logs::store::{MAX_RAW, Writer, encode_mark};

/// Room for one reading: what was read last before it, and a batch.
pub(super) const BUFFER: usize = PRINT + MAX_RAW;
/// A line without an end in a file that was rotated is whole after this long without more.
const QUIET: Duration = Duration::from_secs(2);
/// A rotated file is given back to the system after this long without a change.
const SETTLED: Duration = Duration::from_secs(10);

/// What came of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Lines; there may be more.
    More,
    /// Nothing more for now.
    Nothing,
    /// It was cut off, or is another file under the same number.
    Changed,
}

/// See the module.
pub(super) struct Tracked {
    /// Its number among the generations of the source's logs.
    pub(super) number: u64,
    /// Where it is now.
    pub(super) path: PathBuf,
    pub(super) how_far: HowFar,
    /// It is what its program writes; else it was rotated, and nothing new is expected.
    pub(super) is_live: bool,
    /// There may be something to read.
    pub(super) dirty: bool,
    pub(super) file: Option<File>,
    /// What is to be read of it instead, where it is packed.
    pub(super) rest: Option<Rest>,
    /// Its length when it was read last, and since when it has that.
    length: u64,
    pub(super) grew: Instant,
}

/// What comes after a place in a packed file.
pub(super) struct Rest {
    from: Box<dyn Read + Send>,
    /// The bytes before the place, and what was read behind it and is no whole line yet.
    held: Vec<u8>,
    before: usize,
}

impl Rest {
    /// Opens what follows this place in the file that was seen at this path. Names change at any
    /// time: what another file has there would be taken for what is in this one, which would
    /// never be read then.
    ///
    /// # Errors
    /// The disk's; as [`open_at`]. Not found, too, where the bytes before the place are others.
    pub(super) fn open(path: &Path, id: FileId, how_far: &HowFar) -> io::Result<Rest> {
        let mut from = open_at(path, id, how_far.tail_at())?;
        let mut held = vec![0; how_far.tail.length()];
        from.read_exact(&mut held)?;
        match how_far.tail.is_of(&held) {
            true => Ok(Rest { from, before: held.len(), held }),
            false => Err(io::Error::new(io::ErrorKind::NotFound, "it is another file by now")),
        }
    }
}

/// Where lines go.
pub(super) struct Sink<'w> {
    pub(super) writer: &'w mut Writer,
    pub(super) source: &'w str,
    pub(super) mark: &'w mut Vec<u8>,
}

impl Tracked {
    pub(super) fn new(number: u64, path: PathBuf, how_far: HowFar) -> Tracked {
        let (file, rest, grew) = (None, None, Instant::now());
        let (is_live, dirty) = (false, true);
        Tracked { number, path, how_far, is_live, dirty, file, rest, length: 0, grew }
    }

    /// The mark of how far it was read.
    pub(super) fn mark(&self, out: &mut Vec<u8>) {
        encode_mark(&about(self.number), &self.how_far.encode(), out);
    }

    /// Whether it has a mark: something of it was read, or is never to be read.
    pub(super) fn is_marked(&self) -> bool {
        self.how_far.offset > 0 || self.how_far.done
    }

    /// Whether it is no file, but says that what was before is not to be read.
    pub(super) fn is_beginning(&self) -> bool {
        self.how_far.offset == 0 && self.how_far.done
    }

    /// Whether nothing of it was read, and there may be something.
    pub(super) fn is_unread(&self) -> bool {
        self.how_far.offset == 0 && !self.how_far.done && self.dirty
    }

    /// Opens it where it is now, if it is not open. False where another file is there.
    pub(super) fn open(&mut self) -> io::Result<bool> {
        if self.file.is_none() {
            match open_seen(&self.path, self.how_far.id) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Whether what is open still holds what was read of it, whatever its name is.
    pub(super) fn is_held_open(&self) -> bool {
        let held = |file| is_held(file, &self.how_far).is_ok_and(|held| held == Holds::All);
        self.file.as_ref().is_some_and(held)
    }

    /// Gives it back to the system if nothing came for long; whether that is so.
    pub(super) fn settle(&mut self) -> bool {
        let is_read = self.how_far.done || self.how_far.offset == 0 && !self.dirty;
        let settled = is_read && !self.is_live && self.rest.is_none();
        let settled = settled && self.grew.elapsed() > SETTLED;
        if settled {
            self.file = None;
        }
        settled
    }

    /// Reads as much as fits into the buffer.
    pub(super) fn read(&mut self, buffer: &mut [u8], sink: &mut Sink<'_>) -> io::Result<Came> {
        if self.rest.is_some() {
            return self.read_rest(buffer, sink);
        }
        if self.how_far.offset == ENDLESS {
            return Ok(Came::Nothing);
        }
        if self.file.is_none() && is_packed_path(&self.path) {
            // One that could not be opened is elsewhere by now.
            let is_read = self.how_far.done || self.how_far.offset == 0;
            return Ok(if is_read { Came::Nothing } else { Came::Changed });
        }
        if !self.open()? {
            return Ok(Came::Changed);
        }
        let Some(file) = &self.file else { return Ok(Came::Changed) };
        let seen = file.metadata()?;
        let before = self.how_far.tail.length();
        let room = before + MAX_RAW;
        let length = file.read_at(&mut buffer[..room], self.how_far.tail_at())?;
        let read = &buffer[..length];
        if length < before || !self.how_far.tail.is_of(&read[..before]) {
            return Ok(Came::Changed);
        }
        self.how_far.written_us = written_us(&seen);
        if seen.len() != self.length {
            (self.length, self.grew) = (seen.len(), Instant::now());
        }
        if let Some(passed) = self.pass_hole(read, before) {
            return Ok(passed);
        }
        // A line that fills the buffer is cut.
        let full = length == room;
        let Some(end) = end_of_lines(&read[before..]) else {
            let given_up = !self.is_live && self.grew.elapsed() >= QUIET;
            return Ok(match full || (given_up && length > before) {
                true => self.add_cut(read, before, sink),
                false => Came::Nothing,
            });
        };
        let count = memchr::memchr_iter(b'\n', &read[before..before + end]).count();
        self.add(&read[..before + end], before, count, sink);
        // What is left is no whole line, unless the buffer was full.
        Ok(if full { Came::More } else { Came::Nothing })
    }

    /// A hole at the beginning of a line: a program goes on writing where it was, in a file
    /// that was cut off.
    fn pass_hole(&mut self, read: &[u8], before: usize) -> Option<Came> {
        let hole = read[before..].iter().take_while(|byte| **byte == 0).count();
        if hole == 0 {
            return None;
        }
        self.how_far.pass(&read[..before + hole]);
        Some(Came::More)
    }

    fn add(&mut self, read: &[u8], before: usize, count: usize, sink: &mut Sink<'_>) {
        self.how_far.pass(read);
        self.mark(sink.mark);
        sink.writer.add(sink.source, sink.mark, (&read[before..], count as u64), unix_us());
    }

    /// A line that has no end yet, ended here.
    fn add_cut(&mut self, read: &[u8], before: usize, sink: &mut Sink<'_>) -> Came {
        self.how_far.pass(&read[before - self.how_far.tail.length()..]);
        self.mark(sink.mark);
        let line = [&read[before..], b"\n"].concat();
        sink.writer.add(sink.source, sink.mark, (&line, 1), unix_us());
        Came::More
    }

    /// The same from a packed file, up to its end.
    fn read_rest(&mut self, buffer: &mut [u8], sink: &mut Sink<'_>) -> io::Result<Came> {
        let Some(rest) = &mut self.rest else { return Ok(Came::Nothing) };
        let (before, mut length) = (rest.before, rest.held.len());
        buffer[..length].copy_from_slice(&rest.held);
        let room = before + MAX_RAW;
        let mut ended = false;
        while length < room && !ended {
            match rest.from.read(&mut buffer[length..room])? {
                0 => ended = true,
                more => length += more,
            }
        }
        let read = &buffer[..length];
        let end = end_of_lines(&read[before..]).map_or(before, |end| before + end);
        let count = memchr::memchr_iter(b'\n', &read[before..end]).count();
        let cut = end == before && length == room || ended && end < length;
        // From the last bytes of what is kept now.
        let kept = if cut { length } else { end };
        rest.held = read[kept.saturating_sub(PRINT)..].to_vec();
        rest.before = kept.min(PRINT);
        if ended {
            self.rest = None;
        }
        if end > before {
            self.add(&read[..end], before, count, sink);
        }
        if cut {
            self.add_cut(read, end, sink);
        }
        Ok(if ended { Came::Nothing } else { Came::More })
    }
}

/// Behind the last line feed.
fn end_of_lines(text: &[u8]) -> Option<usize> {
    memchr::memrchr(b'\n', text).map(|at| at + 1)
}

/// When a file was written last, in microseconds since 1970.
pub(super) fn written_us(seen: &std::fs::Metadata) -> u64 {
    let seconds = u64::try_from(seen.mtime()).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(seen.mtime_nsec()).unwrap_or(0) / 1000
}
