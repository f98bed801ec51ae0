//! One log file that is read: from the place to which it was read, whole lines only, into the
//! writer together with the mark of where they end. Says when it is no longer the file that it
//! was; what that means, `files` decides.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::content::{is_at, open_at};
use super::print::{FileId, HowFar, PRINT, Print};
use crate::agent::clock::unix_us;
use crate::agent::logs::store::{MAX_RAW, Writer, encode_mark};

/// Room for one reading: what was read last before it, and a batch.
pub(super) const BUFFER: usize = PRINT + MAX_RAW;
/// A line without an end in a file that was rotated is whole after this long without more.
const QUIET: Duration = Duration::from_secs(2);

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

/// Where a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Known from before the start, and not found yet.
    Unknown,
    /// One of the source's patterns matches it.
    Live,
    /// A pattern matches it, but it is a copy of one that is still there: read only if that one
    /// is cut off.
    Copy,
    /// It was renamed or removed: what is missing of it is read, and nothing new is expected.
    Rotated,
}

/// See the module.
pub(super) struct Tracked {
    pub(super) id: FileId,
    pub(super) path: PathBuf,
    pub(super) how_far: HowFar,
    pub(super) standing: Standing,
    /// There may be something to read.
    pub(super) dirty: bool,
    pub(super) file: Option<File>,
    /// What is to be read of it instead, where it is packed.
    pub(super) rest: Option<Rest>,
    pub(super) grew: Instant,
    /// It was read since the start, and was itself.
    pub(super) followed: bool,
    /// Since when it is nowhere.
    pub(super) sought: Option<Instant>,
}

/// What comes after a place in a packed file.
pub(super) struct Rest {
    from: Box<dyn Read + Send>,
    /// The bytes before the place, and what was read behind it and is no whole line yet.
    held: Vec<u8>,
    before: usize,
}

impl Rest {
    /// Opens what follows this place.
    pub(super) fn open(path: &Path, how_far: &HowFar) -> io::Result<Rest> {
        let mut from = open_at(path, how_far.print_at())?;
        let mut held = vec![0; how_far.print.length()];
        from.read_exact(&mut held)?;
        Ok(Rest { from, before: held.len(), held })
    }
}

/// Where lines go.
pub(super) struct Sink<'w> {
    pub(super) writer: &'w mut Writer,
    pub(super) source: &'w str,
    pub(super) mark: &'w mut Vec<u8>,
}

impl Tracked {
    pub(super) fn new(id: FileId, path: PathBuf, how_far: HowFar, standing: Standing) -> Tracked {
        let (file, rest, grew) = (None, None, Instant::now());
        Tracked {
            id,
            path,
            how_far,
            standing,
            dirty: true,
            file,
            rest,
            grew,
            followed: false,
            sought: None,
        }
    }

    /// The mark of how far it was read.
    pub(super) fn mark(&self, out: &mut Vec<u8>) {
        encode_mark(&self.id.about(), &self.how_far.encode(), out);
    }

    /// Opens it where it is now, if it is not open.
    pub(super) fn open(&mut self) -> io::Result<()> {
        if self.file.is_none() {
            let file = File::open(&self.path)?;
            if FileId::of(&file.metadata()?) == self.id {
                self.file = Some(file);
            }
        }
        Ok(())
    }

    /// It is elsewhere now.
    pub(super) fn set_path(&mut self, path: PathBuf, root: &Path) {
        let relative = path.strip_prefix(root).unwrap_or(&path);
        self.how_far.path = relative.as_os_str().as_encoded_bytes().to_vec();
        self.path = path;
    }

    /// Whether it still holds what was read of it.
    pub(super) fn is_itself(&mut self) -> io::Result<bool> {
        self.open()?;
        let mut tail = [0; PRINT];
        let tail = &mut tail[..self.how_far.print.length()];
        self.file.as_ref().map_or(Ok(false), |file| is_at(file, &self.how_far, tail))
    }

    /// From its first byte on: it was begun anew.
    pub(super) fn begin_anew(&mut self) {
        (self.how_far.offset, self.how_far.print) = (0, Print::default());
        self.how_far.done = false;
        self.dirty = true;
    }

    /// Reads as much as fits into the buffer.
    pub(super) fn read(&mut self, buffer: &mut [u8], sink: &mut Sink<'_>) -> io::Result<Came> {
        if self.rest.is_some() {
            return self.read_rest(buffer, sink);
        }
        self.open()?;
        // Another one is there now: the next look finds out what became of this one.
        let Some(file) = &self.file else { return Ok(Came::Nothing) };
        let seen = file.metadata()?;
        let before = self.how_far.print.length();
        let room = before + MAX_RAW;
        let length = file.read_at(&mut buffer[..room], self.how_far.print_at())?;
        let read = &buffer[..length];
        if length < before || !self.how_far.print.is_of(&read[..before]) {
            return Ok(Came::Changed);
        }
        (self.how_far.written_us, self.followed) = (written_us(&seen), true);
        if length > before {
            self.grew = Instant::now();
        }
        if let Some(passed) = self.pass_hole(read, before) {
            return Ok(passed);
        }
        // A line that fills the buffer is cut.
        let full = length == room;
        let Some(end) = end_of_lines(&read[before..]) else {
            let given_up = self.standing == Standing::Rotated && self.grew.elapsed() >= QUIET;
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
        self.how_far.offset += hole as u64;
        self.how_far.print = Print::of(&read[..before + hole]);
        Some(Came::More)
    }

    fn add(&mut self, read: &[u8], before: usize, count: usize, sink: &mut Sink<'_>) {
        let count = count as u64;
        self.how_far.offset += (read.len() - before) as u64;
        (self.how_far.print, self.how_far.done) = (Print::of(read), false);
        self.mark(sink.mark);
        sink.writer.add(sink.source, sink.mark, (&read[before..], count), unix_us());
    }

    /// A line that has no end yet, ended here.
    fn add_cut(&mut self, read: &[u8], before: usize, sink: &mut Sink<'_>) -> Came {
        self.how_far.offset += (read.len() - before) as u64;
        (self.how_far.print, self.how_far.done) = (Print::of(read), false);
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
