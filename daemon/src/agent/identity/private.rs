//! Files that nobody else may read and that are whole or absent: written beside the
//! target, flushed, renamed. Identity and pairing keep their secrets by it. It never
//! follows what is in a file.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::agent::plain::{self, Links};

/// Mode of every file written here.
const MODE: u32 = 0o600;
/// Mode of directories made here.
const DIRECTORY_MODE: u32 = 0o700;
/// What a write that was cut off leaves behind; the next one overwrites it.
const DRAFT: &str = ".new";

/// A file's content and mode.
#[derive(Debug)]
pub struct Found {
    /// The content.
    pub bytes: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
}

/// Keeps others out of a directory until it is dropped.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "closing it releases the lock")] File);

/// Makes the directory if need be and waits until no other holder of a [`Lock`] on it
/// is left. The kernel releases the lock of a process that died.
///
/// # Errors
/// The system's.
pub fn lock_directory(directory: &Path) -> io::Result<Lock> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    let file = File::open(directory)?;
    // SAFETY: no memory is involved; the descriptor is open.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Lock(file))
}

/// Makes the directory, for root alone; one that others may enter is closed to them.
///
/// # Errors
/// The system's.
pub fn directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)?;
    let mode = fs::metadata(path)?.mode() & 0o7777;
    match mode & 0o077 {
        0 => Ok(()),
        _ => fs::set_permissions(path, fs::Permissions::from_mode(DIRECTORY_MODE)),
    }
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// The system's; `InvalidData` when it is longer.
pub fn read(path: &Path, limit: u64) -> io::Result<Found> {
    // Some lie where the console's user may put a pipe in their place.
    let file = plain::open(path, Links::Followed)?
        .ok_or_else(|| io::Error::other("is no regular file"))?;
    let mode = file.metadata()?.mode() & 0o7777;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than it can be"));
    }
    Ok(Found { bytes, mode })
}

/// Replaces the file as a whole; after a return it also outlives a power cut. Callers
/// hold the directory's [`Lock`] where two of them could meet.
///
/// # Errors
/// The system's; the old file is then still there.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(DRAFT);
    let draft = Path::new(&draft);
    // A draft that was left keeps its own mode when opened again: make it anew.
    match fs::remove_file(draft) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(draft, path)?;
    File::open(directory)?.sync_all()
}

/// Removes the file for good; one that is not there is no error.
///
/// # Errors
/// The system's.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
