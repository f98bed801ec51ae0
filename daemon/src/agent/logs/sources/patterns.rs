//! Which files a source's patterns match now, and in which directories files may come.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::content::is_packed_path;
use crate::agent::profile::LogSource;
use crate::agent::tree::{Globs, Positions};

/// Directories below one another that are looked into: a circle of mounts has an end.
const MAX_DEPTH: u8 = 16;
/// Files of one source that are read; those beyond are named as a trouble.
pub(super) const MAX_FILES: usize = 256;
/// Directories of one source that are watched and listed.
const MAX_DIRECTORIES: usize = 256;

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) files: Vec<(PathBuf, Metadata)>,
    /// Directories that are there and could hold more.
    pub(super) directories: BTreeSet<PathBuf>,
    /// There were more than are read.
    pub(super) too_many: bool,
}

/// Looks for everything that matches.
pub(super) fn find(root: &Path, globs: &Globs) -> Found {
    let mut found = Found::default();
    look(root, globs, (&globs.start(), false), MAX_DEPTH, &mut found);
    found
}

/// The size of each file of a source that is read below this root, and whether there are more than
/// are read. What became of them by rotation is not counted.
pub(in crate::agent) fn sizes_of(root: &Path, source: &LogSource) -> (Vec<u64>, bool) {
    if source.files.is_empty() {
        return (Vec::new(), false);
    }
    let found = find(root, source.files.globs());
    let read = found.files.iter().filter(|(path, _)| !is_packed_path(path));
    (read.map(|(_, seen)| seen.len()).collect(), found.too_many)
}

/// `inside`: a pattern matched a directory above, so that everything matches.
fn look(
    directory: &Path,
    globs: &Globs,
    (at, inside): (&Positions, bool),
    depth: u8,
    found: &mut Found,
) {
    if depth == 0 || found.directories.len() >= MAX_DIRECTORIES {
        found.too_many |= depth > 0;
        return;
    }
    let names: Vec<Vec<u8>> = match globs.names(at) {
        Some(names) if !inside => names.into_iter().map(|name| name.into_bytes()).collect(),
        Some(_) | None => names_in(directory),
    };
    found.directories.insert(directory.to_owned());
    for name in names {
        let next = globs.advance(at, &name);
        let path = directory.join(std::ffi::OsStr::from_bytes(&name));
        // Links are passed over: what they point to has a name of its own.
        let Ok(seen) = fs::symlink_metadata(&path) else { continue };
        let matched = inside || globs.ends(&next);
        if seen.is_dir() && (matched || !next.is_empty()) {
            look(&path, globs, (&next, matched), depth - 1, found);
        } else if seen.is_file() && matched {
            match found.files.len() < MAX_FILES {
                true => found.files.push((path, seen)),
                false => found.too_many = true,
            }
        }
    }
}

/// A directory that cannot be listed has none.
fn names_in(directory: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<Vec<u8>> = entries.map(|entry| entry.file_name().into_vec()).collect();
    names.sort_unstable();
    names
}
