//! Reads the kept lines of both origins: for searches, pages and the live tail. It reads files
//! only, beside the writers and without a lock of theirs, on threads that may wait. A file that
//! is removed meanwhile ends nothing: its lines are no longer there.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::batch::Kind;
use super::segment::{Segment, Walk, holding, list};
use super::{DIRECTORY, Origin};

/// Between two places of a file that are remembered: so much is walked over at most to find a
/// line.
const CHUNK: u64 = 256 << 10;
/// So many lines, and bytes of lines, are between them at the most, and one batch: they are kept
/// in memory while a part is read, and may have been packed to next to nothing.
const CHUNK_LINES: u64 = 16 << 10;
const CHUNK_RAW: u64 = 4 << 20;
/// Files of which places are remembered; when there are more, all are forgotten and found again.
const MAX_INDEXED: usize = 512;

/// Sources of one file that are remembered: a profile has fewer.
const MAX_SOURCES: usize = 256;

/// One kept line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Whose log it is from.
    pub origin: Origin,
    /// Its number at its origin: they only grow, and one that is not there was dropped.
    pub number: u64,
    /// The source, as the profile calls it.
    pub source: String,
    /// When the origin read it, in microseconds since 1970.
    pub read_us: u64,
    /// The line without its line feed; any bytes.
    pub text: Vec<u8>,
}

/// Lines that are missing: dropped before this node had them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first that is missing.
    pub first: u64,
    /// The first that is there again.
    pub next: u64,
}

/// A part of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its lines of the sources that were asked for, the newest first; there may be none.
    pub lines: Vec<Line>,
    /// Number of its first line: what comes before the part is below it.
    pub first: u64,
    /// What is missing right before a line of it.
    pub gaps: Vec<Gap>,
}

/// See the module. Clones share what was found out about the files.
#[derive(Clone, Debug)]
pub struct Reader {
    root: PathBuf,
    indexes: Arc<Mutex<BTreeMap<PathBuf, Index>>>,
}

/// Places in one file.
#[derive(Clone, Debug, Default)]
struct Index {
    /// Number of the first line and place of a batch, about every [`CHUNK`] bytes.
    places: Vec<(u64, u64)>,
    /// So far the file was walked over.
    end: u64,
    /// Number of the line after its last.
    next: u64,
    gaps: Vec<Gap>,
    /// Whose lines are in it.
    sources: BTreeSet<Vec<u8>>,
    /// Lines, and bytes of them, behind the last place.
    lines: u64,
    raw: u64,
}

impl Reader {
    /// Reads what is kept below this root; nothing may be there yet.
    pub fn open(root: &Path) -> Reader {
        Reader { root: root.to_owned(), indexes: Arc::default() }
    }

    /// Number of the newest line; none where there is none.
    pub fn last(&self, origin: Origin) -> Option<u64> {
        let segments = self.segments(origin).ok()?;
        let next = segments.iter().rev().find_map(|segment| {
            let index = self.index(segment).ok()?;
            (index.next > segment.first).then_some(index.next)
        })?;
        next.checked_sub(1)
    }

    /// Lines with numbers from `from` on, the oldest first, at most `limit`, of these sources
    /// (empty: of all).
    ///
    /// # Errors
    /// The disk's.
    pub fn forward(
        &self,
        origin: Origin,
        from: u64,
        limit: usize,
        sources: &[String],
    ) -> io::Result<Vec<Line>> {
        let segments = self.segments(origin)?;
        let mut lines = Vec::new();
        for segment in &segments[holding(&segments, from).unwrap_or(0)..] {
            let Some(index) = there(self.index(segment))? else { continue };
            let place = index.places.partition_point(|(number, _)| *number <= from);
            let at = place.checked_sub(1).map_or(0, |place| index.places[place].1);
            let Some(mut walk) = there(Walk::open(&segment.path, at))? else { continue };
            while lines.len() < limit
                && let Some(batch) = next_of(&mut walk, origin, sources, |_, next| next > from)?
            {
                lines.extend(batch.into_iter().filter(|line| line.number >= from));
            }
            if lines.len() >= limit {
                lines.truncate(limit);
                break;
            }
        }
        Ok(lines)
    }

    /// Lines with numbers below `before`, the newest first, at most `limit`, of these sources
    /// (empty: of all).
    ///
    /// # Errors
    /// The disk's.
    pub fn back(
        &self,
        origin: Origin,
        before: u64,
        limit: usize,
        sources: &[String],
    ) -> io::Result<Vec<Line>> {
        let (mut lines, mut before) = (Vec::new(), before);
        while lines.len() < limit
            && let Some(chunk) = self.chunk_before(origin, before, sources)?
        {
            lines.extend(chunk.lines.into_iter().take(limit - lines.len()));
            before = chunk.first;
        }
        Ok(lines)
    }

    /// The part of the log that ends before this number, with its lines of these sources (empty:
    /// of all); none where the log begins. Its memory is bounded, and so is the time that it
    /// takes: for those who may want to end before a line is found.
    ///
    /// # Errors
    /// The disk's.
    pub fn chunk_before(
        &self,
        origin: Origin,
        before: u64,
        sources: &[String],
    ) -> io::Result<Option<Chunk>> {
        let segments = self.segments(origin)?;
        let until = holding(&segments, before.saturating_sub(1)).map_or(0, |last| last + 1);
        for segment in segments[..until].iter().rev() {
            let Some(index) = there(self.index(segment))? else { continue };
            let place = index.places.partition_point(|(first, _)| *first < before);
            let Some(place) = place.checked_sub(1) else { continue };
            let (first, at) = index.places[place];
            let Some(mut walk) = there(Walk::open(&segment.path, at))? else { continue };
            let end = index.places.get(place + 1).map_or(index.end, |(_, at)| *at);
            let mut lines = Vec::new();
            while walk.at() < end
                && let Some(batch) = next_of(&mut walk, origin, sources, |first, _| first < before)?
            {
                lines.extend(batch);
            }
            lines.retain(|line| line.number < before);
            lines.reverse();
            let is_here = |gap: &Gap| (first..before).contains(&gap.next);
            let gaps = index.gaps.into_iter().filter(is_here).collect();
            return Ok(Some(Chunk { lines, first, gaps }));
        }
        Ok(None)
    }

    /// What is missing, the oldest first, as far back as lines are kept.
    ///
    /// # Errors
    /// The disk's.
    pub fn gaps(&self, origin: Origin) -> io::Result<Vec<Gap>> {
        self.gaps_from(origin, 0)
    }

    /// The same, of the files that have this line and newer ones.
    ///
    /// # Errors
    /// The disk's.
    pub fn gaps_from(&self, origin: Origin, number: u64) -> io::Result<Vec<Gap>> {
        let segments = self.segments(origin)?;
        let mut all = Vec::new();
        for segment in &segments[holding(&segments, number).unwrap_or(0)..] {
            all.extend(there(self.index(segment))?.map(|index| index.gaps).unwrap_or_default());
        }
        Ok(all)
    }

    /// Whether any line of this source is kept; where a file has too many of them to know, it may
    /// be.
    ///
    /// # Errors
    /// The disk's.
    pub fn has_source(&self, source: &str) -> io::Result<bool> {
        for origin in Origin::ALL {
            for segment in self.segments(origin)? {
                let Some(index) = there(self.index(&segment))? else { continue };
                let is_full = index.sources.len() >= MAX_SOURCES;
                if is_full || index.sources.contains(source.as_bytes()) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn segments(&self, origin: Origin) -> io::Result<Vec<Segment>> {
        list(&self.root.join(DIRECTORY).join(origin.directory()))
    }

    /// What is known of a file, with what was written to it since the last look.
    fn index(&self, segment: &Segment) -> io::Result<Index> {
        let known = self.lock().get(&segment.path).cloned();
        let mut index = known.unwrap_or_default();
        let mut walk = Walk::open(&segment.path, index.end)?;
        while let Some(head) = walk.peek()? {
            if index.is_far(walk.at()) {
                index.places.push((head.first, walk.at()));
                (index.lines, index.raw) = (0, 0);
            }
            if head.kind == Kind::Lines {
                index.lines += head.next - head.first;
                index.raw += head.raw_length();
                let name = walk.name(&head);
                if !index.sources.contains(name) && index.sources.len() < MAX_SOURCES {
                    index.sources.insert(name.to_vec());
                }
            }
            if head.kind == Kind::Gap {
                index.gaps.push(Gap { first: head.first, next: head.next });
            }
            walk.pass(&head);
            (index.end, index.next) = (walk.at(), head.next);
        }
        let mut indexes = self.lock();
        if indexes.len() >= MAX_INDEXED {
            indexes.clear();
        }
        indexes.insert(segment.path.clone(), index.clone());
        Ok(index)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, Index>> {
        self.indexes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    /// Whether this place of the file is so far from the last one that it is to be remembered.
    fn is_far(&self, at: u64) -> bool {
        let last = self.places.last();
        last.is_none_or(|(_, last)| at - last >= CHUNK)
            || self.lines >= CHUNK_LINES
            || self.raw >= CHUNK_RAW
    }
}

/// A file that was removed meanwhile is not there, and that is all.
fn there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The lines of the next batch, which may be none of it; None at the end. Batches of other
/// sources, and those that `wanted` refuses by their numbers, are passed over without a look.
fn next_of(
    walk: &mut Walk,
    origin: Origin,
    sources: &[String],
    wanted: impl Fn(u64, u64) -> bool,
) -> io::Result<Option<Vec<Line>>> {
    let Some(head) = walk.peek()? else { return Ok(None) };
    let mut lines = Vec::new();
    let is_of = |source: &String| source.as_bytes() == walk.name(&head);
    let matters = head.kind == Kind::Lines
        && wanted(head.first, head.next)
        && (sources.is_empty() || sources.iter().any(is_of));
    if matters {
        let source = String::from_utf8_lossy(walk.name(&head)).into_owned();
        let Some(batch) = walk.batch(&head)? else { return Ok(None) };
        // One that does not hold what it says is not from an honest node, and shows nothing.
        let texts = batch.lines().unwrap_or_default();
        let read_us = head.read_us;
        let line = |(number, text)| Line { origin, number, source: source.clone(), read_us, text };
        lines.extend(texts.into_iter().map(line));
    }
    walk.pass(&head);
    Ok(Some(lines))
}
