//! The other node's reports on this node's disk, below the state directory by their paths there.
//! Only what is written here lies there: no symlinks, root's alone.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Listed;
use super::list::relative;
use crate::agent::engine::assemble::STATE;
use crate::agent::identity::private;
use crate::agent::manifest::RelPath;

/// Copies that are looked at: what limits leave, and what they have not taken away yet.
const MAX_COPIES: usize = 10_000;

/// Where they lie.
pub(super) fn folder(root: &Path) -> PathBuf {
    root.join(STATE).join("reports/there")
}

/// Where one is written until it is whole.
fn incoming(root: &Path) -> PathBuf {
    root.join(STATE).join("reports/incoming")
}

/// All copies.
pub(super) fn all(root: &Path) -> Vec<Listed> {
    let mut found = Vec::new();
    let mut folders = vec![folder(root)];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let Ok(seen) = entry.metadata() else { continue };
            if seen.is_dir() {
                folders.push(entry.path());
            } else if found.len() < MAX_COPIES {
                found.extend(listed(root, &entry.path(), &seen));
            }
        }
    }
    found
}

fn listed(root: &Path, path: &Path, seen: &fs::Metadata) -> Option<Listed> {
    let path = path.strip_prefix(folder(root)).ok()?.to_str()?;
    let ms = seen.mtime().saturating_mul(1000) + seen.mtime_nsec() / 1_000_000;
    Some(Listed {
        path: format!("/{path}"),
        version: String::new(),
        size: seen.len(),
        modified_ms: u64::try_from(ms).unwrap_or_default(),
    })
}

/// Opens one.
pub(super) fn open(root: &Path, path: &str) -> io::Result<File> {
    let path = relative(path).ok_or(io::ErrorKind::NotFound)?;
    File::open(folder(root).join(path.as_path()))
}

/// Whether one could lie here: paths here are longer than at their origin, and the file system
/// may take fewer names.
pub(super) fn look_for_place(root: &Path, path: &str) -> io::Result<()> {
    let path = relative(path).ok_or(io::ErrorKind::InvalidInput)?;
    match fs::symlink_metadata(folder(root).join(path.as_path())) {
        Err(error) if is_of_the_name(&error) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whether a fault is that of one name, so that others may do without it.
pub(super) fn is_of_the_name(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput)
}

/// Begins one.
pub(super) fn begin(root: &Path) -> io::Result<File> {
    let path = incoming(root);
    if let Some(parent) = path.parent() {
        private::directory(parent)?;
    }
    File::create(path)
}

/// Puts the one that was begun into its place, with the time of its origin.
pub(super) fn finish(root: &Path, file: &File, listed: &Listed) -> io::Result<()> {
    let path = relative(&listed.path).ok_or(io::ErrorKind::InvalidInput)?;
    let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(listed.modified_ms);
    file.set_modified(modified)?;
    file.sync_all()?;
    let place = folder(root).join(path.as_path());
    make_room(root, &path)?;
    fs::rename(incoming(root), place)
}

/// Where a directory was a report before, or the other way round, the older one goes.
fn make_room(root: &Path, path: &RelPath) -> io::Result<()> {
    let folder = folder(root);
    if let Some(parent) = path.parent() {
        let mut at = folder.clone();
        for name in parent.as_path() {
            at.push(name);
            if at.is_file() {
                fs::remove_file(&at)?;
            }
        }
        fs::create_dir_all(&at)?;
    } else {
        fs::create_dir_all(&folder)?;
    }
    let place = folder.join(path.as_path());
    if place.is_dir() { fs::remove_dir_all(place) } else { Ok(()) }
}

/// Takes one away, and directories that are empty without it.
pub(super) fn remove(root: &Path, path: &str) -> io::Result<()> {
    let Some(path) = relative(path) else { return Ok(()) };
    let folder = folder(root);
    fs::remove_file(folder.join(path.as_path()))?;
    let mut parent = path.parent();
    while let Some(at) = parent {
        if fs::remove_dir(folder.join(at.as_path())).is_err() {
            // Something lies in it still.
            return Ok(());
        }
        parent = at.parent();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_copy_is_there_as_a_whole_with_its_time_and_goes_with_its_directories() {
        let root = std::env::temp_dir().join(format!("twinwall-copies-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join(STATE)).expect("made");
        let wanted = |path: &str, size| Listed {
            path: path.to_owned(),
            version: String::new(),
            size,
            modified_ms: 1_700_000_000_123,
        };
        let put = |listed: &Listed, text: &str| {
            let mut file = begin(&root).expect("begun");
            file.write_all(text.as_bytes()).expect("written");
            finish(&root, &file, listed)
        };
        let report = wanted("/var/a/b.pdf", 4);
        put(&report, "text").expect("put");
        assert_eq!(all(&root), std::slice::from_ref(&report));
        // The directory is a report now.
        let other = wanted("/var/a", 3);
        put(&other, "new").expect("put");
        assert_eq!(all(&root), [other]);
        put(&report, "text").expect("put");
        assert!(put(&wanted("/../../etc/x.pdf", 3), "bad").is_err());
        remove(&root, "/var/a/b.pdf").expect("removed");
        assert_eq!(fs::read_dir(folder(&root)).expect("there").count(), 0);
        fs::remove_dir_all(root).expect("removed");
    }
}
