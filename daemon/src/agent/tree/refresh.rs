//! A look at some directories of a section that was scanned before. It costs what those
//! hold, not what the section holds; whatever it cannot tell for certain is left to a scan.

use std::collections::{BTreeSet, HashMap};
use std::io;

use super::root::{is_mount, look_at};
use super::scan::{Walk, basis};
use super::{Cache, Ground};
use crate::agent::manifest::{Entry, Kind, MAX_ENTRIES, Manifest, RelPath};

/// The section, when it was `before` and since then only files and symlinks right in these
/// directories came, went or changed. `None` when that is not so, as far as a look at them
/// shows: a directory came or went, a problem was found, or one of them is not part of the
/// section; only a [`scan`](super::scan()) tells then what there is.
pub fn refresh(
    ground: Ground<'_>,
    cache: &mut Cache,
    before: &Manifest,
    directories: &BTreeSet<RelPath>,
) -> io::Result<Option<Manifest>> {
    let mut known = cache.take(basis(ground)?);
    let mut walk = Walk::new(ground, HashMap::new())?;
    walk.flat = true;
    for path in directories.iter().flat_map(|one| before.directly_in(one)).map(|(path, _)| path) {
        known.remove(path).map(|one| walk.before.insert(path.clone(), one));
    }
    let all = directories.iter().all(|one| walk_flat(&mut walk, ground, before, one));
    known.extend(walk.after.drain());
    cache.put(known);
    if !all || !walk.found.problems.is_empty() {
        return Ok(None);
    }
    Ok(merge(before, directories, walk.entries))
}

/// Whether the directory is one of the section and can be looked at.
fn walk_flat(
    walk: &mut Walk<'_>,
    ground: Ground<'_>,
    before: &Manifest,
    directory: &RelPath,
) -> bool {
    if !before.get(directory).is_some_and(is_directory) {
        return false;
    }
    let Ok(open) = ground.root.open_directory(Some(directory)) else { return false };
    if look_at(&open).map_or(true, |seen| is_mount(&seen)) {
        return false;
    }
    let depth = directory.as_bytes().split(|byte| *byte == b'/').count();
    walk.directory(&open, Some(directory), &ground.scope.place(directory), depth);
    true
}

fn is_directory(entry: &Entry) -> bool {
    matches!(entry.kind, Kind::Directory)
}

/// What was, with these entries in the place of those that were in the directories.
fn merge(
    before: &Manifest,
    directories: &BTreeSet<RelPath>,
    entries: Vec<(RelPath, Entry)>,
) -> Option<Manifest> {
    let mut manifest = before.clone();
    let mut gone = BTreeSet::new();
    for (path, entry) in directories.iter().flat_map(|one| before.directly_in(one)) {
        manifest.remove(path);
        if is_directory(entry) {
            gone.insert(path);
        }
    }
    for (path, entry) in entries {
        if is_directory(&entry) != gone.remove(&path) {
            return None;
        }
        manifest.insert(path, entry);
    }
    (gone.is_empty() && manifest.len() <= MAX_ENTRIES).then_some(manifest)
}
