//! Reads the content of a file so that what was read was there at one moment. Called by
//! the scan, and by whoever needs a content as it travels. It opens regular files only.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::Duration;

use rustix::fs::{FileType, Statx, flistxattr};
use rustix::io::Errno;

use super::Ground;
use super::cache::{Known, Stamp};
use super::problem::What;
use super::root::{Root, kind, look_at, name_of, open_file_at};
use super::scan::READ_ATTEMPTS;
use crate::agent::digest::Digest;
use crate::agent::manifest::RelPath;
use crate::agent::translate::{MAX_TRANSLATED, Translator};

/// Between two attempts to read a file that changes.
const PAUSE: Duration = Duration::from_millis(10);
/// Bytes read at once.
const PIECE: usize = 128 << 10;

/// Memory for reading, used again for each file.
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    pub(super) fn new() -> Buffer {
        Buffer(vec![0; PIECE])
    }
}

/// Reads a file to its canonical size and digest, translated if a translator is given.
/// `None` when it is not there any more.
pub(super) fn read_file(
    parent: BorrowedFd<'_>,
    name: &CStr,
    translator: Option<&Translator>,
    buffer: &mut Buffer,
) -> Result<Option<(Statx, Known)>, What> {
    for attempt in 0..READ_ATTEMPTS {
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        let open = match open_file_at(parent, name) {
            Ok(open) => open,
            Err(Errno::NOENT) => return Ok(None),
            // It became a symlink in this moment.
            Err(Errno::LOOP) => continue,
            Err(error) => return Err(unreadable(error)),
        };
        let seen = look_at(&open).map_err(unreadable)?;
        if kind(&seen) != FileType::RegularFile {
            continue;
        }
        let stamp = Stamp::of(&seen);
        let content = match translator {
            Some(translator) => read_translated(&open, seen.stx_size, translator),
            None => read_plain(&open, seen.stx_size, buffer).map_err(unreadable),
        };
        let after = look_at(&open).map_err(unreadable)?;
        if Stamp::of(&after) != stamp {
            continue;
        }
        // Fewer bytes than the size without a change: a file system that lies about sizes.
        let Some(content) = content? else { continue };
        let attributes = has_attributes(&open);
        return Ok(Some((after, Known { stamp, content: Some(content), attributes })));
    }
    Err(What::Changing)
}

fn unreadable(error: Errno) -> What {
    What::Unreadable(io::Error::from(error).to_string())
}

/// Exactly `size` bytes; whether there are more by now, the stamp tells.
fn read_plain(
    open: &OwnedFd,
    size: u64,
    buffer: &mut Buffer,
) -> Result<Option<(u64, Digest)>, Errno> {
    let mut hasher = blake3::Hasher::new();
    let mut left = size;
    while left > 0 {
        let piece = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        match rustix::io::read(open, &mut buffer.0[..piece]) {
            Ok(0) => return Ok(None),
            Ok(length) => {
                hasher.update(&buffer.0[..length]);
                left -= length as u64;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some((size, Digest(*hasher.finalize().as_bytes()))))
}

fn read_translated(
    open: &OwnedFd,
    size: u64,
    translator: &Translator,
) -> Result<Option<(u64, Digest)>, What> {
    if size > MAX_TRANSLATED {
        return Err(What::TooLarge);
    }
    let open = open.try_clone().map_err(|error| What::Unreadable(error.to_string()))?;
    let mut local = Vec::new();
    let read = File::from(open).take(size).read_to_end(&mut local);
    read.map_err(|error| What::Unreadable(error.to_string()))?;
    if local.len() as u64 != size {
        return Ok(None);
    }
    let canonical = translator.to_canonical(&local).map_err(What::Translation)?;
    Ok(Some((canonical.len() as u64, Digest::of(&canonical))))
}

/// Whether it has an access list, a capability or user attributes.
pub(super) fn has_attributes(open: impl AsFd) -> bool {
    let mut names = [0; 4096];
    match flistxattr(open, &mut names) {
        Ok(length) => names[..length].split(|byte| *byte == 0).any(is_lost),
        // More of them than fit: at least one of ours is among them.
        Err(Errno::RANGE) => true,
        // A file system without attributes.
        Err(_) => false,
    }
}

/// Attributes that an administrator or a package sets and that would be missed. Labels
/// of security modules are each node's own.
fn is_lost(name: &[u8]) -> bool {
    name.starts_with(b"system.") || name.starts_with(b"user.") || name == b"security.capability"
}

/// Opens a regular file below the root, of no section: never through a symlink, and never a
/// pipe or a device.
///
/// # Errors
/// The kernel's, or that it is something else.
pub fn open_plain(root: &Root, path: &RelPath) -> io::Result<File> {
    let parent = root.open_directory(path.parent().as_ref())?;
    let open = open_file_at(&parent, &name_of(path))?;
    if kind(&look_at(&open)?) != FileType::RegularFile {
        return Err(io::Error::other("is no regular file"));
    }
    Ok(File::from(open))
}

/// Opens the content at this path as it travels: canonical. The caller compares the
/// digest, as the file may have changed since the scan.
pub fn open_content(ground: Ground<'_>, path: &RelPath) -> io::Result<Box<dyn Read + Send>> {
    let refused = |text: &str| Err(io::Error::other(format!("{path}: {text}")));
    if !ground.scope.covers(path) {
        return refused("is not of this section");
    }
    let parent = ground.root.open_directory(path.parent().as_ref())?;
    let open = open_file_at(&parent, &name_of(path))?;
    let seen = look_at(&open)?;
    if kind(&seen) != FileType::RegularFile {
        return refused("is no regular file any more");
    }
    let mut file = File::from(open);
    if !ground.scope.translates(path) {
        return Ok(Box::new(file));
    }
    let mut local = Vec::new();
    file.by_ref().take(MAX_TRANSLATED + 1).read_to_end(&mut local)?;
    if local.len() as u64 > MAX_TRANSLATED {
        return refused(&What::TooLarge.to_string());
    }
    match ground.translator.to_canonical(&local) {
        Ok(canonical) => Ok(Box::new(Cursor::new(canonical.into_owned()))),
        Err(error) => refused(&error.to_string()),
    }
}
