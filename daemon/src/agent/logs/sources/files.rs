//! The files of one source: finds the logs that its patterns match and reads them on. What became
//! of a log by rotation, `log` finds out.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::content::{Holds, holds, is_packed_path, open_seen};
use super::family::is_of;
use super::locate::{Beside, beside};
use super::log::{Learned, Log};
use super::patterns::{Found, MAX_FILES, find};
use super::print::{FileId, HEAD, Head, HowFar, PRINT, Print, about, number_of};
use super::tracked::{Came, Sink, Tracked, written_us};
use crate::agent::logs::store::{MAX_MARKS, MAX_PATH, Marks, Writer, encode_mark};
use crate::agent::manifest::RelPath;
use crate::agent::tree::Globs;

/// Of a file that is there when its source is read for the first time, so much of its end is
/// read: what happened before nobody asked for.
const FIRST_BYTES: u64 = 1 << 20;
/// Batches of one log that are read before the next log's turn.
const A_TURN: usize = 16;
/// Rotated files of all logs of a source that are remembered, and of one log: they may still be
/// written to. At least one of each, since a program opens its new file a little later.
const ROTATED: (usize, usize) = (256, 8);
/// What a mark is about that says that the source was read before.
const BEFORE: &[u8] = b"s";

/// See the module.
pub(super) struct FileSource {
    pub(super) name: String,
    root: PathBuf,
    globs: Globs,
    pub(super) logs: BTreeMap<PathBuf, Log>,
    learned: Learned,
    /// The source was never read before.
    is_new: bool,
    /// Names are changing: soon it is to be looked again.
    pub(super) again: bool,
    mark: Vec<u8>,
    /// Where files of it are or may come.
    pub(super) directories: BTreeSet<PathBuf>,
    pub(super) trouble: Option<String>,
    /// Lines read since the start.
    pub(super) lines: u64,
    /// Ends of files that were rotated away and are nowhere any more, or cannot be read.
    pub(super) missed: u64,
}

impl FileSource {
    /// Reads nothing yet; it goes on where the marks are.
    pub(super) fn new(name: &str, root: &Path, globs: Globs, marks: &Marks) -> FileSource {
        let mut source = FileSource {
            name: name.to_owned(),
            root: root.to_owned(),
            globs,
            logs: BTreeMap::new(),
            learned: Learned::default(),
            is_new: true,
            again: false,
            mark: Vec::new(),
            directories: BTreeSet::new(),
            trouble: None,
            lines: 0,
            missed: 0,
        };
        for (about, how_far) in marks.of(name) {
            source.is_new &= about != BEFORE;
            if let (Some(number), Some(how_far)) = (number_of(about), HowFar::decode(how_far)) {
                source.remember(number, how_far);
            }
        }
        for log in source.logs.values_mut() {
            log.generations.sort_by_key(|one| (!one.is_beginning(), one.number));
        }
        source
    }

    fn remember(&mut self, number: u64, how_far: HowFar) {
        self.learned.next = self.learned.next.max(number + 1);
        // One that no pattern matches any more goes on should one match it again.
        if RelPath::new(&how_far.path).is_ok_and(|path| self.globs.match_path(&path)) {
            let base = self.root.join(OsStr::from_bytes(&how_far.path));
            let fresh = || Log::new(base.clone(), how_far.path.clone(), Vec::new());
            let log = self.logs.entry(base.clone()).or_insert_with(fresh);
            log.generations.push(Tracked::new(number, base, how_far));
        }
    }

    /// Looks which files there are, and what became of those that were.
    pub(super) fn look(&mut self, writer: &mut Writer) {
        let Found { files, directories, too_many } = find(&self.root, &self.globs);
        self.directories = directories;
        let beyond = || format!("more than {MAX_FILES} files match; the others are not read");
        self.learned.trouble = too_many.then(beyond);
        self.learned.again = false;
        self.see(files);
        let keep = self.keep();
        for log in self.logs.values_mut() {
            log.look(keep, &mut self.learned);
        }
        self.again = self.learned.again;
        self.trouble = self.learned.trouble.take();
        self.tell_missed();
        self.note(writer);
    }

    /// Rotated files of a log that are remembered.
    fn keep(&self) -> usize {
        let (all, each) = ROTATED;
        (all / self.logs.len().max(1)).clamp(1, each)
    }

    fn tell_missed(&mut self) {
        for text in self.learned.missed.drain(..) {
            self.missed += 1;
            eprintln!("twinwall agent: logs: {}: {text}", self.name);
            self.trouble = Some(text);
        }
    }

    /// Files that a pattern matches: those of no log that is known are new ones.
    fn see(&mut self, mut files: Vec<(PathBuf, Metadata)>) {
        files.retain(|(path, _)| !is_packed_path(path));
        // A file with two names is read once, under the one that is known.
        files.sort_by_key(|(path, _)| !self.logs.contains_key(path));
        let matched: Vec<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
        let mut there = BTreeSet::new();
        for (path, seen) in files {
            let id = FileId::of(&seen);
            if !there.insert(id) || self.logs.contains_key(&path) {
                continue;
            }
            let mut bases = self.logs.keys().chain(&matched);
            if bases.any(|base| is_of(base, &path)) {
                continue;
            }
            if let Err(error) = self.discover(&path, id, &seen) {
                self.learned.again = true;
                self.learned.trouble = Some(format!("{}: {error}", path.display()));
            }
        }
    }

    /// A log of which nothing is known under this name.
    fn discover(&mut self, path: &Path, id: FileId, seen: &Metadata) -> io::Result<()> {
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        let name = relative.as_os_str().as_bytes().to_vec();
        if self.logs.len() >= MAX_FILES {
            self.drop_gone();
        }
        if self.logs.len() >= MAX_FILES || name.len() > MAX_PATH {
            return Err(io::Error::other("not read: too many files, or too long a path"));
        }
        let mut log = Log::new(path.to_owned(), name, Vec::new());
        let learned = &mut self.learned;
        if let Some((base, at)) = self.logs.values().find_map(|log| holding(log, path, id)) {
            // Renamed to what is a log of its own.
            if let Some(from) = self.logs.get_mut(&base) {
                log.take(vec![from.give(at, learned)], learned);
            }
        }
        // One that was taken for a log because this one was away then.
        let older: Vec<PathBuf> =
            self.logs.keys().filter(|base| is_of(path, base)).cloned().collect();
        for other in older.iter().filter_map(|base| self.logs.remove(base)) {
            log.take(other.generations, learned);
        }
        if log.generations.is_empty() {
            log.begin(learned)?;
            if self.is_new && seen.len() > FIRST_BYTES {
                let how_far = near_end(path, id, seen)?;
                log.take(vec![Tracked::new(learned.number(), path.to_owned(), how_far)], learned);
            }
        }
        self.logs.insert(path.to_owned(), log);
        Ok(())
    }

    /// Logs of which nothing is there any more make room.
    fn drop_gone(&mut self) {
        for log in self.logs.values().filter(|log| log.is_gone()) {
            self.learned.changed.extend(log.numbers());
        }
        self.logs.retain(|_, log| !log.is_gone());
    }

    /// Writes the marks of what changed: of all at once, or of none.
    fn note(&mut self, writer: &mut Writer) {
        if self.learned.changed.is_empty() && !self.is_new {
            return;
        }
        if writer.marks().count() + self.learned.changed.len() >= MAX_MARKS {
            self.trouble = Some("the sources together have too many files".to_owned());
        }
        let source = self.name.as_bytes();
        let all = self.logs.values().flat_map(|log| &log.generations);
        let marked = all.filter(|one| one.is_marked()).map(|one| (one.number, one));
        let (marked, mark): (BTreeMap<u64, &Tracked>, _) = (marked.collect(), &mut self.mark);
        writer.set_marks(|marks| {
            encode_mark(BEFORE, &[], mark);
            marks.take(source, mark);
            for number in &self.learned.changed {
                match marked.get(number) {
                    Some(one) => {
                        one.mark(mark);
                        marks.take(source, mark);
                    }
                    None => marks.remove(&self.name, &about(*number)),
                }
            }
        });
        self.learned.changed.clear();
        self.is_new = false;
    }

    /// Something happened to the file at this path, or to any.
    pub(super) fn touch(&mut self, path: Option<&Path>) {
        let all = self.logs.values_mut().flat_map(|log| &mut log.generations);
        for one in all {
            // One that was renamed has another name than it is known by.
            let open = !one.is_live && one.file.is_some();
            one.dirty |= path.is_none_or(|path| path == one.path || open);
        }
    }

    /// Reads what there is, each log in its turn, until the writer has enough. Whether there
    /// is more.
    pub(super) fn read(&mut self, buffer: &mut [u8], writer: &mut Writer) -> bool {
        let before = writer.next();
        let keep = self.keep();
        let mut sink = Sink { writer: &mut *writer, source: &self.name, mark: &mut self.mark };
        for log in self.logs.values_mut() {
            if read_log(log, buffer, &mut sink, &mut self.learned) == Came::Changed {
                // It was cut off, or is elsewhere.
                log.stale = true;
                log.look(keep, &mut self.learned);
            }
            self.again |= log.stale;
        }
        self.tell_missed();
        self.note(writer);
        self.lines += writer.next() - before;
        self.logs.values().flat_map(|log| &log.generations).any(|one| one.dirty)
    }
}

/// Its generations in their order: the next one only when nothing more is in those before it,
/// so that those of which something was read are known to have none unread between them.
fn read_log(log: &mut Log, buffer: &mut [u8], sink: &mut Sink<'_>, learned: &mut Learned) -> Came {
    let (mut left, mut came) = (A_TURN, Came::Nothing);
    for one in log.generations.iter_mut().filter(|one| one.dirty) {
        one.dirty = !one.is_beginning();
        if one.dirty && !one.is_live && one.how_far.offset == 0 && one.rest.is_none() {
            match beside(&one.path, one.how_far.id, &log.base) {
                Ok(Beside::Other) => {}
                Ok(Beside::Empty) => {
                    one.dirty = false;
                    continue;
                }
                Ok(Beside::Copy) | Err(_) => {
                    (one.dirty, came) = (false, Came::Changed);
                    continue;
                }
            }
        }
        while one.dirty {
            if left == 0 || sink.writer.is_full() {
                return came;
            }
            left -= 1;
            match one.read(buffer, sink) {
                Ok(Came::More) => {}
                Ok(Came::Changed) => (one.dirty, came) = (false, Came::Changed),
                Ok(Came::Nothing) => end(one, learned),
                Err(error) => fail(one, &error, learned),
            }
        }
    }
    came
}

/// Nothing more is in it for now.
fn end(one: &mut Tracked, learned: &mut Learned) {
    one.dirty = false;
    if !one.is_live && !one.how_far.done && one.how_far.offset > 0 {
        one.how_far.done = true;
        learned.changed.insert(one.number);
    }
}

fn fail(one: &mut Tracked, error: &io::Error, learned: &mut Learned) {
    one.dirty = false;
    if one.rest.take().is_some() {
        learned.miss(&one.path, &error.to_string());
    } else {
        learned.trouble = Some(format!("{}: {error}", one.path.display()));
    }
}

/// The generation of this log that has this path now, which is another log's.
fn holding(log: &Log, path: &Path, id: FileId) -> Option<(PathBuf, usize)> {
    let is_it = |one: &Tracked| {
        one.how_far.id == id && holds(path, id, &one.how_far).is_ok_and(|held| held == Holds::All)
    };
    log.generations.iter().position(is_it).map(|at| (log.base.clone(), at))
}

/// The first line of the last [`FIRST_BYTES`].
fn near_end(path: &Path, id: FileId, seen: &Metadata) -> io::Result<HowFar> {
    let file = open_seen(path, id)?;
    let place = seen.len() - FIRST_BYTES;
    let mut bytes = vec![0; 64 << 10];
    let length = file.read_at(&mut bytes, place)?;
    let end = memchr::memchr(b'\n', &bytes[..length]);
    let offset = place + end.map_or(0, |end| end as u64 + 1);
    let (mut head, mut tail) = ([0; HEAD], [0; PRINT]);
    file.read_exact_at(&mut head, 0)?;
    file.read_exact_at(&mut tail, offset - PRINT as u64)?;
    let (head, tail) = (Head::of(&head), Print::of(&tail));
    Ok(HowFar { offset, head, tail, id, written_us: written_us(seen), ..HowFar::default() })
}
