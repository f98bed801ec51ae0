//! What lies below the root of a section, as a manifest. A walk by directory descriptors
//! that opens only directories which can hold something of the section, and reads only
//! files that changed since they were last read. It changes nothing, not even the times
//! of reading.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::SystemTime;

use rustix::fs::{FileType, RawDir, Statx, readlinkat};
use rustix::io::Errno;

use super::cache::{Known, Stamp};
use super::owners::Owners;
use super::problem::{Problem, What};
use super::read::{Buffer, has_attributes, read_file};
use super::root::{is_mount, kind, look, look_at, mode, open_directory_at};
use super::scope::Place;
use super::{Cache, Ground};
use crate::agent::digest::Digest;
use crate::agent::manifest::{Entry, Kind, MAX_ENTRIES, Manifest, RelPath};

/// Directories below each other: each holds a descriptor while it is walked.
pub(super) const MAX_DEPTH: usize = 64;
/// Times that a file which changes while it is read is read again.
pub(super) const READ_ATTEMPTS: u32 = 5;
/// Problems that are named; more are counted.
pub const MAX_PROBLEMS: usize = 200;

/// What a scan found.
#[derive(Debug, Default)]
pub struct Scan {
    /// The section. It is incomplete when a problem [blocks](What::blocks).
    pub manifest: Manifest,
    /// What is not as it should be, the first [`MAX_PROBLEMS`] in the order of the walk;
    /// those that block are always among them if there are any.
    pub problems: Vec<Problem>,
    /// Problems beyond those.
    pub more_problems: usize,
    /// Files whose content was read, as the cache did not know them.
    pub files_read: usize,
}

impl Scan {
    /// The first problem because of which the manifest is incomplete.
    pub fn blocked_by(&self) -> Option<&Problem> {
        self.problems.iter().find(|problem| problem.what.blocks())
    }
}

/// Looks at a section. An error is one of the root itself; what is wrong further down
/// is a [`Problem`].
pub fn scan(ground: Ground<'_>, cache: &mut Cache) -> io::Result<Scan> {
    let mut walk = Walk::new(ground, cache.take(basis(ground)?))?;
    walk.after.reserve(walk.before.len());
    walk.entries.reserve(walk.before.len());
    let root = ground.root.open_directory(None)?;
    walk.directory(&root, None, &ground.scope.root(), 0);
    cache.put(walk.after);
    walk.found.manifest = walk.entries.into_iter().collect();
    Ok(walk.found)
}

/// Scope and translation, under which a cache is good.
pub(super) fn basis(ground: Ground<'_>) -> io::Result<Digest> {
    let lists = serde_json::to_vec(ground.scope.lists()).map_err(io::Error::other)?;
    let translation = ground.translator.fingerprint();
    Ok(Digest::of(&[lists.as_slice(), &translation.0].concat()))
}

/// Bytes of names that one call lists.
const LISTING: usize = 32 << 10;

pub(super) struct Walk<'a> {
    ground: Ground<'a>,
    /// Before anything was read.
    started: SystemTime,
    owners: Owners,
    pub(super) before: HashMap<RelPath, Known>,
    pub(super) after: HashMap<RelPath, Known>,
    /// In the order of paths.
    pub(super) entries: Vec<(RelPath, Entry)>,
    pub(super) found: Scan,
    /// Directories are noted, not walked.
    pub(super) flat: bool,
    buffer: Buffer,
    listing: Vec<MaybeUninit<u8>>,
}

impl<'a> Walk<'a> {
    /// One that begins with what is known.
    pub(super) fn new(ground: Ground<'a>, before: HashMap<RelPath, Known>) -> io::Result<Walk<'a>> {
        Ok(Walk {
            ground,
            started: SystemTime::now(),
            owners: Owners::read(ground.root)?,
            before,
            after: HashMap::new(),
            entries: Vec::new(),
            found: Scan::default(),
            flat: false,
            buffer: Buffer::new(),
            listing: vec![MaybeUninit::uninit(); LISTING],
        })
    }

    fn problem(&mut self, path: &RelPath, what: What) {
        // One that blocks takes the place of one that does not, so that it is never hidden.
        if self.found.problems.len() == MAX_PROBLEMS {
            self.found.more_problems += 1;
            if !what.blocks() || self.found.blocked_by().is_some() {
                return;
            }
            self.found.problems.pop();
        }
        self.found.problems.push(Problem { path: path.clone(), what });
    }

    fn unreadable(&mut self, path: &RelPath, error: Errno) {
        match error {
            // Gone since its directory was listed: as if it had not been there.
            Errno::NOENT => {}
            Errno::LOOP => self.problem(path, What::SymlinkInTheWay),
            error => self.problem(path, What::Unreadable(io::Error::from(error).to_string())),
        }
    }

    /// Walks what is in an open directory; `path` is `None` for the root.
    pub(super) fn directory(
        &mut self,
        open: &OwnedFd,
        path: Option<&RelPath>,
        place: &Place,
        depth: usize,
    ) {
        let names = match place.only_names(self.ground.scope) {
            Some(names) => names,
            None => match self.list(open.as_fd()) {
                Ok(names) => names,
                Err(error) => {
                    if let Some(path) = path {
                        self.unreadable(path, error);
                    }
                    return;
                }
            },
        };
        for name in names {
            let here = place.enter(self.ground.scope, name.to_bytes());
            if !here.covered() && !here.leads_on() {
                continue;
            }
            let joined = match path {
                Some(path) => path.join(name.to_bytes()),
                None => RelPath::new(name.to_bytes()),
            };
            match (joined, path) {
                (Ok(path), _) if depth < MAX_DEPTH => {
                    self.name(open.as_fd(), &name, path, &here, depth);
                }
                (Ok(path), _) => self.problem(&path, What::TooDeep),
                (Err(_), Some(path)) => self.problem(path, What::TooDeep),
                (Err(_), None) => {}
            }
        }
    }

    /// The names in a directory, sorted.
    fn list(&mut self, open: BorrowedFd<'_>) -> Result<Vec<CString>, Errno> {
        let mut names: Vec<CString> = Vec::new();
        let mut raw = RawDir::new(open, &mut self.listing);
        while let Some(entry) = raw.next() {
            let entry = entry?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn name(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        path: RelPath,
        place: &Place,
        depth: usize,
    ) {
        let seen = match look(parent, name) {
            Ok(seen) => seen,
            Err(error) => return self.unreadable(&path, error),
        };
        let directory = kind(&seen) == FileType::Directory;
        if !place.covered() {
            // On the way to something covered; a file or symlink here ends the way.
            if directory {
                self.enter(parent, name, &path, place, depth);
            } else if kind(&seen) == FileType::Symlink {
                self.problem(&path, What::SymlinkInTheWay);
            }
            return;
        }
        if is_mount(&seen) {
            return self.problem(&path, What::MountPoint);
        }
        if self.entries.len() == MAX_ENTRIES {
            if !self.found.problems.iter().any(|problem| problem.what == What::TooMany) {
                self.problem(&path, What::TooMany);
            }
            return;
        }
        match kind(&seen) {
            FileType::RegularFile => self.file(parent, name, path, &seen, place),
            FileType::Symlink => self.symlink(parent, name, path, &seen),
            FileType::Directory => self.enter(parent, name, &path, place, depth),
            FileType::Fifo => self.problem(&path, What::Special("a named pipe")),
            FileType::Socket => self.problem(&path, What::Special("a socket")),
            FileType::CharacterDevice | FileType::BlockDevice => {
                self.problem(&path, What::Special("a device"));
            }
            FileType::Unknown => self.problem(&path, What::Special("of an unknown kind")),
        }
    }

    /// Notes a directory, if it is covered, and walks it.
    fn enter(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        path: &RelPath,
        place: &Place,
        depth: usize,
    ) {
        let opened = open_directory_at(parent, name).and_then(|it| Ok((look_at(&it)?, it)));
        let (seen, open) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.unreadable(path, error),
        };
        if place.covered() {
            let stamp = Stamp::of(&seen);
            let known = match self.before.remove(path) {
                Some(known) if known.stamp == stamp => known,
                _ => Known { stamp, content: None, attributes: has_attributes(&open) },
            };
            if known.attributes {
                self.problem(path, What::Attributes);
            }
            self.keep(path, known);
            let entry = self.entry(Kind::Directory, &seen);
            self.entries.push((path.clone(), entry));
        }
        if !self.flat {
            self.directory(&open, Some(path), place, depth + 1);
        }
    }

    fn file(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        path: RelPath,
        seen: &Statx,
        place: &Place,
    ) {
        let stamp = Stamp::of(seen);
        let (seen, known) = match self.before.remove(&path) {
            Some(known) if known.stamp == stamp => (*seen, known),
            _ => {
                self.found.files_read += 1;
                let translator = place.translated().then_some(self.ground.translator);
                match read_file(parent, name, translator, &mut self.buffer) {
                    Ok(Some(read)) => read,
                    Ok(None) => return,
                    Err(what) => return self.problem(&path, what),
                }
            }
        };
        if seen.stx_nlink > 1 {
            self.problem(&path, What::HardLink);
        }
        if known.attributes {
            self.problem(&path, What::Attributes);
        }
        if let Some((size, content)) = known.content {
            let entry = self.entry(Kind::File { size, content }, &seen);
            self.keep(&path, known);
            self.entries.push((path, entry));
        }
    }

    /// Remembers what was read, if a later change would show.
    fn keep(&mut self, path: &RelPath, known: Known) {
        if known.stamp.is_settled(self.started) {
            self.after.insert(path.clone(), known);
        }
    }

    fn symlink(&mut self, parent: BorrowedFd<'_>, name: &CStr, path: RelPath, seen: &Statx) {
        match readlinkat(parent, name, Vec::new()) {
            Ok(target) => {
                let entry = self.entry(Kind::Symlink { target: target.into_bytes() }, seen);
                self.entries.push((path, entry));
            }
            // It became something else in this moment; the next scan sees that.
            Err(Errno::INVAL) => self.problem(&path, What::Changing),
            Err(error) => self.unreadable(&path, error),
        }
    }

    fn entry(&self, kind: Kind, seen: &Statx) -> Entry {
        let mode = if matches!(kind, Kind::Symlink { .. }) { 0 } else { mode(seen) };
        let (user, group) = (self.owners.user(seen.stx_uid), self.owners.group(seen.stx_gid));
        Entry { kind, mode, user, group }
    }
}
