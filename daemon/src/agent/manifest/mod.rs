//! What a section consists of: every file, directory and symlink by path, with owner,
//! mode and the digest of its content. The same section on both nodes has the same
//! manifest, byte for byte, and therefore the same digest. Scanning and writing files
//! happens elsewhere; nothing here touches a disk.

mod code;
mod path;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;

pub use code::{DecodeError, MAX_ENCODED};
pub use path::{MAX_PATH, PathError, RelPath};

use super::digest::Digest;

/// Most entries of one section: ten times the largest that we expect.
pub const MAX_ENTRIES: usize = 500_000;
/// Longest target of a symlink in bytes (Linux `PATH_MAX`).
pub const MAX_TARGET: usize = 4096;
/// Longest name of a user or group in bytes (Linux `LOGIN_NAME_MAX` is 256).
pub const MAX_OWNER: usize = 255;

/// A user or group. Names travel, because the same name may have other numbers on the
/// other node; a number stands where the system knows no name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A name of 1 to [`MAX_OWNER`] bytes.
    Name(String),
    /// A number without a name.
    Number(u32),
}

impl fmt::Display for Owner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Name(name) => out.write_str(name),
            Owner::Number(number) => write!(out, "{number}"),
        }
    }
}

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Bytes of its canonical content: own addresses replaced where the profile says so.
        size: u64,
        /// Digest of that content.
        content: Digest,
    },
    /// A directory. Its entries have paths of their own.
    Directory,
    /// A symbolic link, as it is written, never followed.
    Symlink {
        /// Its target: 1 to [`MAX_TARGET`] bytes without NUL.
        target: Vec<u8>,
    },
}

/// One path of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What lies there.
    pub kind: Kind,
    /// Permission bits with set-user-ID, set-group-ID and sticky (`07777`); 0 for symlinks.
    pub mode: u16,
    /// The user that owns it.
    pub user: Owner,
    /// The group that owns it.
    pub group: Owner,
}

/// All paths of a section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    entries: BTreeMap<RelPath, Entry>,
}

/// What happens to one path between two manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// Only the newer one has it.
    Added(&'a RelPath, &'a Entry),
    /// Only the older one has it.
    Removed(&'a RelPath, &'a Entry),
    /// Both have it, not alike: older, then newer.
    Modified(&'a RelPath, &'a Entry, &'a Entry),
}

impl<'a> Change<'a> {
    /// Where it happens.
    pub fn path(&self) -> &'a RelPath {
        match self {
            Change::Added(path, _) | Change::Removed(path, _) | Change::Modified(path, _, _) => {
                path
            }
        }
    }
}

impl Manifest {
    /// Puts an entry in; the one that was at this path before comes back.
    pub fn insert(&mut self, path: RelPath, entry: Entry) -> Option<Entry> {
        self.entries.insert(path, entry)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, path: &RelPath) -> Option<Entry> {
        self.entries.remove(path)
    }

    /// The entry at this path.
    pub fn get(&self, path: &RelPath) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// All entries in the order of their paths' bytes: a directory before what is in it.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&RelPath, &Entry)> {
        self.entries.iter()
    }

    /// What lies right in this directory, in the order of paths.
    pub fn directly_in<'a>(
        &'a self,
        directory: &'a RelPath,
    ) -> impl Iterator<Item = (&'a RelPath, &'a Entry)> {
        let all = self.entries.range((Bound::Excluded(directory), Bound::Unbounded));
        let below = all.take_while(move |(path, _)| path.is_within(directory));
        let name = directory.as_bytes().len() + 1;
        below.filter(move |(path, _)| !path.as_bytes()[name..].contains(&b'/'))
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The digests of all contents, each once.
    pub fn contents(&self) -> std::collections::BTreeSet<Digest> {
        let content = |entry: &Entry| match entry.kind {
            Kind::File { content, .. } => Some(content),
            Kind::Directory | Kind::Symlink { .. } => None,
        };
        self.entries.values().filter_map(content).collect()
    }

    /// What must happen to get from this one to `newer`, in the order of paths.
    pub fn changes<'a>(&'a self, newer: &'a Manifest) -> Vec<Change<'a>> {
        let mut changes = Vec::new();
        let mut old = self.entries.iter().peekable();
        let mut new = newer.entries.iter().peekable();
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return changes,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((left, _)), Some((right, _))) => left.cmp(right),
            };
            let gone = if order.is_le() { old.next() } else { None };
            let come = if order.is_ge() { new.next() } else { None };
            match (gone, come) {
                (Some((_, was)), Some((path, is))) if was != is => {
                    changes.push(Change::Modified(path, was, is));
                }
                (Some(_), Some(_)) | (None, None) => {}
                (Some((path, was)), None) => changes.push(Change::Removed(path, was)),
                (None, Some((path, is))) => changes.push(Change::Added(path, is)),
            }
        }
    }
}

impl FromIterator<(RelPath, Entry)> for Manifest {
    fn from_iter<I: IntoIterator<Item = (RelPath, Entry)>>(entries: I) -> Manifest {
        Manifest { entries: entries.into_iter().collect() }
    }
}
