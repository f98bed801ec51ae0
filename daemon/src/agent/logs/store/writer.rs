//! The one writer of an origin's lines: appends batches, makes them durable, begins a new file
//! when one is large or old, and removes the oldest by size and age. Owned by the thread that
//! reads this node's logs, or by the one that takes the other node's.
//!
//! What is not durable may be gone after a power loss, and its numbers are given again: so only
//! what is durable is told to the other node.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::batch::{Batch, Content, Kind, MAX_RAW, Packer, batch, renumber};
use super::marks::Marks;
use super::reader::Gap;
use super::segment::{Segment, list, path_of};

/// A file of lines is begun anew beyond a part of what is kept, since it is removed as a whole,
/// within these bounds in bytes.
const SEGMENT: (u64, u64, u64) = (16, 64 << 10, 16 << 20);
/// Or after this long, so that old lines leave on a node that has few.
const SEGMENT_AGE: Duration = Duration::from_secs(86_400);
/// Between two looks at what is too old or too much.
const TIDY: Duration = Duration::from_secs(60);

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes on the disk.
    pub size: u64,
    /// Time since the last line of a file was written.
    pub age: Duration,
}

impl Limits {
    /// Bytes after which a file is full.
    fn segment(&self) -> u64 {
        let (part, least, most) = SEGMENT;
        (self.size / part).clamp(least, most)
    }
}

/// One of the files.
struct Part {
    segment: Segment,
    /// Bytes of it.
    length: u64,
    /// Lines that are missing in it.
    missing: u64,
}

/// See the module.
pub(in crate::agent::logs) struct Writer {
    directory: PathBuf,
    limits: Limits,
    packer: Packer,
    marks: Marks,
    /// The files, the oldest first; the last is written.
    parts: Vec<Part>,
    file: Option<File>,
    begun: Instant,
    /// Batches that are to be written next.
    pending: Vec<u8>,
    /// Lines of it that are missing.
    pending_missing: u64,
    /// Number of the next line; of the next one after those written; after those durable.
    next: u64,
    written: u64,
    durable: u64,
    tidied: Option<Instant>,
    dropped: u64,
}

impl Writer {
    /// Opens the files of this directory, cuts off what was not written whole, and reads the
    /// marks. `first` is the number of the first line of an empty directory.
    pub(in crate::agent::logs) fn open(
        directory: &Path,
        limits: Limits,
        first: u64,
    ) -> io::Result<Writer> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let mut parts = Vec::new();
        for segment in list(directory)? {
            let length = fs::metadata(&segment.path)?.len();
            parts.push(Part { segment, length, missing: 0 });
        }
        let mut writer = Writer {
            directory: directory.to_owned(),
            limits,
            packer: Packer::new()?,
            marks: Marks::default(),
            parts,
            file: None,
            begun: Instant::now(),
            pending: Vec::new(),
            pending_missing: 0,
            next: first,
            written: first,
            durable: first,
            tidied: None,
            dropped: 0,
        };
        writer.recover()?;
        Ok(writer)
    }

    /// The newest file with anything whole in it says where to go on.
    fn recover(&mut self) -> io::Result<()> {
        while let Some(Part { segment, length, .. }) = self.parts.last_mut() {
            let bytes = fs::read(&segment.path)?;
            let (mut at, mut next) = (0, None);
            while let Ok(batch) = batch(&bytes[at..]) {
                match batch.head.kind {
                    Kind::State => {
                        self.marks = Marks::decode(&batch.unpacked().unwrap_or_default());
                    }
                    Kind::Lines => self.marks.take(batch.source(), batch.mark()),
                    Kind::Gap => {}
                }
                at += batch.head.length();
                next = Some(batch.head.next);
            }
            let Some(next) = next else {
                fs::remove_file(&segment.path)?;
                self.parts.pop();
                continue;
            };
            let file = OpenOptions::new().append(true).open(&segment.path)?;
            file.set_len(at as u64)?;
            *length = at as u64;
            // What survived is told to the other node.
            file.sync_data()?;
            self.file = Some(file);
            (self.next, self.written, self.durable) = (next, next, next);
            break;
        }
        Ok(())
    }

    /// Number of the next line.
    pub(in crate::agent::logs) fn next(&self) -> u64 {
        self.next
    }

    /// The first line gets this number, if there is none yet.
    pub(in crate::agent::logs) fn begin_at(&mut self, first: u64) {
        if self.parts.is_empty() && self.pending.is_empty() {
            (self.next, self.written, self.durable) = (first, first, first);
        }
    }

    /// Number of the next line after those that were written: what is added and waits for the
    /// disk is not kept yet.
    pub(in crate::agent::logs) fn written(&self) -> u64 {
        self.written
    }

    /// Lines below this number are on the disk for good.
    pub(in crate::agent::logs) fn durable(&self) -> u64 {
        self.durable
    }

    /// Number of the oldest line that is kept.
    pub(in crate::agent::logs) fn first(&self) -> u64 {
        self.parts.first().map_or(self.written, |part| part.segment.first)
    }

    /// Bytes on the disk.
    pub(in crate::agent::logs) fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.length).sum()
    }

    /// Lines that were written and are there.
    pub(in crate::agent::logs) fn kept(&self) -> u64 {
        let missing: u64 = self.parts.iter().map(|part| part.missing).sum();
        (self.written - self.first()).saturating_sub(missing)
    }

    /// What is missing in files that were there when this was opened.
    pub(in crate::agent::logs) fn set_gaps(&mut self, gaps: &[Gap]) {
        for gap in gaps {
            let holding = self.parts.partition_point(|part| part.segment.first <= gap.first);
            if let Some(part) = holding.checked_sub(1).map(|at| &mut self.parts[at]) {
                part.missing += gap.next - gap.first;
            }
        }
    }

    /// Lines removed because of the limits since this was opened.
    pub(in crate::agent::logs) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How far each source was read.
    pub(in crate::agent::logs) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Adds lines of a source with the mark that they bring it to; `count` are in `raw`, each
    /// with its line feed, at most [`MAX_RAW`] bytes and one more line feed. Nothing is written yet.
    pub(in crate::agent::logs) fn add(
        &mut self,
        source: &str,
        mark: &[u8],
        (raw, count): (&[u8], u64),
        read_us: u64,
    ) {
        let (first, next) = (self.next, self.next + count);
        let content = Content { kind: Kind::Lines, source, mark, raw, first, next, read_us };
        self.packer.pack(&content, &mut self.pending);
        self.marks.take(source.as_bytes(), mark);
        self.next = next;
    }

    /// Adds the other node's batch under the number that is next here.
    pub(in crate::agent::logs) fn add_batch(&mut self, batch: &Batch<'_>) {
        renumber(batch, self.next, &mut self.pending);
        self.next += batch.head.next - batch.head.first;
    }

    /// Notes that so many lines are missing here for ever.
    pub(in crate::agent::logs) fn add_gap(&mut self, lines: u64, read_us: u64) {
        let (first, next) = (self.next, self.next.saturating_add(lines));
        let kind = Kind::Gap;
        let content = Content { kind, source: "", mark: &[], raw: &[], first, next, read_us };
        self.packer.pack(&content, &mut self.pending);
        self.pending_missing += next - self.next;
        self.next = next;
    }

    /// Forgets what is gone for good, and notes the marks that hold.
    pub(in crate::agent::logs) fn set_marks(&mut self, change: impl FnOnce(&mut Marks)) {
        change(&mut self.marks);
        self.add_state();
    }

    fn add_state(&mut self) {
        let raw = self.marks.encode();
        let (first, next) = (self.next, self.next);
        let (kind, read_us) = (Kind::State, 0);
        let content = Content { kind, source: "", mark: &[], raw: &raw, first, next, read_us };
        self.packer.pack(&content, &mut self.pending);
    }

    /// Bytes that wait to be written.
    pub(in crate::agent::logs) fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Whether so much waits to be written that nothing should be added.
    pub(in crate::agent::logs) fn is_full(&self) -> bool {
        self.pending.len() > 16 * MAX_RAW
    }

    /// Writes what was added. After an error it is still there, and can be written again.
    pub(in crate::agent::logs) fn write(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.file.is_none() {
            self.begin_segment()?;
        }
        let (Some(file), Some(part)) = (&mut self.file, self.parts.last_mut()) else {
            return Err(io::Error::other("no file to write to"));
        };
        if let Err(error) = file.write_all(&self.pending) {
            // What was written of it would stand before what is written next.
            file.set_len(part.length)?;
            return Err(error);
        }
        part.length += self.pending.len() as u64;
        part.missing += std::mem::take(&mut self.pending_missing);
        self.pending.clear();
        // Room of a burst is not kept for ever.
        self.pending.shrink_to(4 * MAX_RAW);
        self.written = self.next;
        let full = part.length >= self.limits.segment();
        if full || self.begun.elapsed() >= SEGMENT_AGE {
            self.begin_segment()?;
            // Now that nothing is pending the marks are those of what is written.
            self.add_state();
        }
        Ok(())
    }

    /// The file of what is written next.
    fn begin_segment(&mut self) -> io::Result<()> {
        self.sync()?;
        let path = path_of(&self.directory, self.written);
        let mut options = OpenOptions::new();
        let file = options.append(true).create_new(true).mode(0o600).open(&path);
        let file = match file {
            // One without a line in it has the same name: it goes on.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
            file => file?,
        };
        File::open(&self.directory)?.sync_all()?;
        let segment = Segment { first: self.written, path };
        self.parts.push(Part { segment, length: 0, missing: 0 });
        (self.file, self.begun) = (Some(file), Instant::now());
        Ok(())
    }

    /// Makes what was written durable.
    pub(in crate::agent::logs) fn sync(&mut self) -> io::Result<()> {
        if self.durable < self.written
            && let Some(file) = &self.file
        {
            file.sync_data()?;
            self.durable = self.written;
        }
        Ok(())
    }

    /// Removes the oldest files that are too much or too old, if it is time to look.
    pub(in crate::agent::logs) fn tidy(&mut self) -> io::Result<()> {
        if self.tidied.is_some_and(|last| last.elapsed() < TIDY) && self.bytes() <= self.limits.size
        {
            return Ok(());
        }
        self.tidied = Some(Instant::now());
        let now = SystemTime::now();
        // The last one is being written.
        while let [oldest, second, ..] = &self.parts[..] {
            let written = fs::metadata(&oldest.segment.path)?.modified()?;
            let age = now.duration_since(written).unwrap_or_default();
            if self.bytes() <= self.limits.size && age < self.limits.age {
                break;
            }
            let lines = second.segment.first - oldest.segment.first;
            self.dropped += lines.saturating_sub(oldest.missing);
            fs::remove_file(&oldest.segment.path)?;
            self.parts.remove(0);
        }
        Ok(())
    }
}
