//! The files of one source: finds those that its patterns match and reads them on. What became
//! of a file that is not where it was, or not what it was, `rotation` finds out.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::content::{holds, is_packed_path};
use super::family::is_rotated;
use super::patterns::{Found, MAX_FILES, find};
use super::print::{FileId, HowFar};
use super::rotation::begin_alike;
use super::tracked::{Came, Sink, Standing, Tracked, written_us};
use crate::agent::logs::store::{MAX_MARKS, MAX_PATH, Marks, Writer, encode_mark};
use crate::agent::tree::Globs;

/// Of a file that is there when its source is read for the first time, so much of its end is
/// read: what happened before nobody asked for.
const FIRST_BYTES: u64 = 1 << 20;
/// Batches of one file that are read before the next file's turn.
const A_TURN: usize = 16;
/// Rotated files of one source that are remembered, the newest: they may still be written to.
pub(super) const MAX_ROTATED: usize = 16;
/// What a mark is about that says that the source was read before.
const BEFORE: &[u8] = b"s";

/// See the module.
pub(super) struct FileSource {
    pub(super) name: String,
    pub(super) root: PathBuf,
    globs: Globs,
    pub(super) files: BTreeMap<FileId, Tracked>,
    /// Whose marks are to be written: they came, changed other than by reading, or went.
    pub(super) changed: BTreeSet<FileId>,
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
        let mut files = BTreeMap::new();
        let mut is_new = true;
        for (about, how_far) in marks.of(name) {
            is_new = false;
            let (id, how_far) = (FileId::from_about(about), HowFar::decode(how_far));
            if let (Some(id), Some(how_far)) = (id, how_far) {
                let path = root.join(OsStr::from_bytes(&how_far.path));
                files.insert(id, Tracked::new(id, path, how_far, Standing::Unknown));
            }
        }
        FileSource {
            name: name.to_owned(),
            root: root.to_owned(),
            globs,
            files,
            changed: BTreeSet::new(),
            is_new,
            again: false,
            mark: Vec::new(),
            directories: BTreeSet::new(),
            trouble: None,
            lines: 0,
            missed: 0,
        }
    }

    /// Looks which files there are, and what became of those that were.
    pub(super) fn look(&mut self, writer: &mut Writer) {
        let Found { files, directories, too_many } = find(&self.root, &self.globs);
        self.directories = directories;
        let beyond = || format!("more than {MAX_FILES} files match; the others are not read");
        self.trouble = too_many.then(beyond);
        let mut there = BTreeSet::new();
        for (path, seen) in files {
            if is_packed_path(&path) {
                continue;
            }
            let id = FileId::of(&seen);
            there.insert(id);
            if let Err(error) = self.see(id, path.clone(), &seen) {
                self.trouble = Some(format!("{}: {error}", path.display()));
            }
        }
        let gone =
            |file: &&Tracked| file.standing != Standing::Rotated && !there.contains(&file.id);
        let gone: Vec<FileId> = self.files.values().filter(gone).map(|file| file.id).collect();
        gone.into_iter().for_each(|id| self.leave(id));
        self.forget();
        self.note(writer);
    }

    /// A file that a pattern matches.
    fn see(&mut self, id: FileId, path: PathBuf, seen: &Metadata) -> io::Result<()> {
        let Some(file) = self.files.get_mut(&id) else { return self.discover(id, path, seen) };
        if file.path != path && file.how_far.offset == 0 {
            // Nothing of it tells whether it is the same one.
            self.take_unread(id);
            self.files.remove(&id);
            return self.discover(id, path, seen);
        }
        if file.path != path {
            let old = std::mem::replace(&mut file.path, path.clone());
            if !file.is_itself()? {
                // The number was given to another file.
                (file.file, file.path) = (None, old);
                self.change(id, path.clone());
                self.files.remove(&id);
                return self.discover(id, path, seen);
            }
            // What it became by rotation is of the same log.
            let base = self.root.join(OsStr::from_bytes(&file.how_far.path));
            if !is_of(&base, &path) {
                file.set_path(path, &self.root);
                self.changed.insert(id);
            }
            self.take_after(id);
        }
        let was = self.files.get(&id).map(|file| file.standing);
        let is_copy =
            was == Some(Standing::Copy) || was == Some(Standing::Unknown) && self.is_copy(id)?;
        let Some(file) = self.files.get_mut(&id) else { return Ok(()) };
        file.standing = if is_copy { Standing::Copy } else { Standing::Live };
        file.dirty |= seen.len() != file.how_far.offset;
        if file.how_far.offset == 0 {
            self.take_unread(id);
        }
        Ok(())
    }

    /// Whether a file that is known is a copy of another one.
    fn is_copy(&self, id: FileId) -> io::Result<bool> {
        let Some(file) = self.files.get(&id) else { return Ok(false) };
        Ok(self.copied_from(id, &file.path)?.is_some())
    }

    /// The file of which this one is a copy: it became of it by its name, and holds what was
    /// read of it.
    fn copied_from(&self, id: FileId, path: &Path) -> io::Result<Option<&HowFar>> {
        let became = |file: &&Tracked| file.id != id && is_of(&file.path, path);
        let unread = |file: &&Tracked| file.how_far.offset == 0 && begin_alike(&file.path, path);
        if let Some(file) = self.files.values().filter(became).find(unread) {
            return Ok(Some(&file.how_far));
        }
        let before: Vec<&HowFar> =
            self.files.values().filter(became).map(|file| &file.how_far).collect();
        if before.is_empty() {
            return Ok(None);
        }
        let held = holds(path, &before)?;
        Ok(before.into_iter().zip(held).find(|(_, held)| *held).map(|(how_far, _)| how_far))
    }

    /// A file of which nothing is known.
    fn discover(&mut self, id: FileId, path: PathBuf, seen: &Metadata) -> io::Result<()> {
        if let Some(how_far) = self.copied_from(id, &path)?.cloned() {
            let base = self.root.join(OsStr::from_bytes(&how_far.path));
            self.track(id, path, &base, how_far, Standing::Copy);
            return Ok(());
        }
        let mut how_far = HowFar { written_us: written_us(seen), ..HowFar::default() };
        if self.is_new && seen.len() > FIRST_BYTES {
            how_far.offset = start_of_line(&path, seen.len() - FIRST_BYTES)?;
        }
        let bases = self.files.values().map(|file| &file.how_far.path);
        let mut bases = bases.map(|base| self.root.join(OsStr::from_bytes(base)));
        let base = bases.find(|base| is_of(base, &path)).unwrap_or_else(|| path.clone());
        self.track(id, path, &base, how_far, Standing::Live);
        Ok(())
    }

    /// From now on it is read; that it is known is noted at once, so that it is found again
    /// should it be rotated before a line of it is kept. `base` is where it was live.
    pub(super) fn track(
        &mut self,
        id: FileId,
        path: PathBuf,
        base: &Path,
        how_far: HowFar,
        standing: Standing,
    ) {
        let mut file = Tracked::new(id, PathBuf::new(), how_far, standing);
        file.set_path(base.to_owned(), &self.root);
        file.path = path;
        let full = self.files.len() >= MAX_FILES + MAX_ROTATED;
        if full || file.how_far.path.len() > MAX_PATH {
            let why = if full { "too many files" } else { "too long a path" };
            self.trouble = Some(format!("{}: not read: {why}", file.path.display()));
            return;
        }
        if let Err(error) = file.begin() {
            // It was renamed or packed right now.
            (file.standing, self.again) = (Standing::Unknown, true);
            self.trouble = Some(format!("{}: {error}", file.path.display()));
        }
        self.make_room(id);
        self.files.insert(id, file);
        self.changed.insert(id);
    }

    /// Writes the marks of what changed: of all at once, or of none.
    pub(super) fn note(&mut self, writer: &mut Writer) {
        if self.changed.is_empty() && !self.is_new {
            return;
        }
        if writer.marks().count() + self.changed.len() >= MAX_MARKS {
            self.trouble = Some("the sources together have too many files".to_owned());
        }
        let source = self.name.as_bytes();
        let (files, mark) = (&self.files, &mut self.mark);
        writer.set_marks(|marks| {
            encode_mark(BEFORE, &[], mark);
            marks.take(source, mark);
            for id in &self.changed {
                match files.get(id) {
                    Some(file) => {
                        file.mark(mark);
                        marks.take(source, mark);
                    }
                    None => marks.remove(&self.name, &id.about()),
                }
            }
        });
        self.changed.clear();
        self.is_new = false;
    }

    /// Something happened to the file at this path, or to any.
    pub(super) fn touch(&mut self, path: Option<&Path>) {
        for file in self.files.values_mut() {
            let other = path.is_some_and(|path| path != file.path);
            file.dirty |= !other || file.standing == Standing::Rotated;
        }
    }

    /// Reads what there is, each file in its turn, until the writer has enough. Whether there
    /// is more.
    pub(super) fn read(&mut self, buffer: &mut [u8], writer: &mut Writer) -> bool {
        let before = writer.next();
        let due = |file: &&Tracked| {
            file.dirty && matches!(file.standing, Standing::Live | Standing::Rotated)
        };
        let dirty: Vec<FileId> = self.files.values().filter(due).map(|file| file.id).collect();
        for id in dirty {
            self.read_one(id, buffer, writer);
        }
        self.note(writer);
        self.lines += writer.next() - before;
        self.files.values().any(|file| due(&file))
    }

    fn read_one(&mut self, id: FileId, buffer: &mut [u8], writer: &mut Writer) {
        for _ in 0..A_TURN {
            let Some(file) = self.files.get_mut(&id).filter(|_| !writer.is_full()) else { return };
            let sink = &mut Sink { writer, source: &self.name, mark: &mut self.mark };
            match file.read(buffer, sink) {
                Ok(Came::More) => {}
                Ok(Came::Changed) if file.standing == Standing::Live => {
                    let path = file.path.clone();
                    file.file = None;
                    self.change(id, path);
                    self.note(writer);
                }
                Ok(Came::Nothing | Came::Changed) => {
                    file.dirty = false;
                    let ended = file.standing == Standing::Rotated && !file.how_far.done;
                    if ended {
                        file.how_far.done = true;
                        self.changed.insert(id);
                    }
                    return;
                }
                Err(error) => return self.fail(id, &error),
            }
        }
    }

    fn fail(&mut self, id: FileId, error: &io::Error) {
        let Some(file) = self.files.get_mut(&id) else { return };
        file.dirty = false;
        let path = file.path.clone();
        if file.rest.take().is_some() {
            self.miss(&path, &error.to_string());
        } else if error.kind() != io::ErrorKind::NotFound {
            self.trouble = Some(format!("{}: {error}", path.display()));
        }
    }
}

/// Whether a file became of another one by rotation, by their names.
fn is_of(base: &Path, path: &Path) -> bool {
    let name = |path: &Path| path.file_name().unwrap_or_default().as_bytes().to_vec();
    base.parent() == path.parent() && is_rotated(&name(base), &name(path))
}

/// The beginning of the first line behind this place.
fn start_of_line(path: &Path, place: u64) -> io::Result<u64> {
    let mut bytes = vec![0; 64 << 10];
    let length = File::open(path)?.read_at(&mut bytes, place)?;
    let end = memchr::memchr(b'\n', &bytes[..length]);
    Ok(place + end.map_or(0, |end| end as u64 + 1))
}
