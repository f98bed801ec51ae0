//! The agent's root directory and the only ways to open what lies below it: by
//! directory descriptor and name, never through a symlink, never out of the root.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Statx, StatxAttributes, StatxFlags, openat,
    openat2, statx, unlinkat,
};
use rustix::io::Errno;

use crate::agent::manifest::RelPath;

/// How the kernel resolves every path of ours: a component that is a symlink, or that
/// leads out of the directory, is an error (`openat2`, Linux 5.6).
const RESOLVE: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// The directory below which everything happens.
#[derive(Debug)]
pub struct Root {
    path: PathBuf,
    directory: OwnedFd,
}

impl Root {
    /// Opens it. This path alone may lead through symlinks: the operator gave it.
    pub fn open(path: &Path) -> io::Result<Root> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(CWD, path, flags, Mode::empty())?;
        Ok(Root { path: path.to_owned(), directory })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the directory at this path; `None` is the root itself.
    pub(in crate::agent) fn open_directory(&self, path: Option<&RelPath>) -> io::Result<OwnedFd> {
        match path {
            Some(path) => {
                Ok(openat2(&self.directory, path.as_path(), DIRECTORY, Mode::empty(), RESOLVE)?)
            }
            None => Ok(self.directory.try_clone()?),
        }
    }

    /// Removes what lies at this path: an empty directory, or anything else.
    pub(in crate::agent) fn remove(&self, path: &RelPath, directory: bool) -> io::Result<()> {
        let parent = self.open_directory(path.parent().as_ref())?;
        let flags = if directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        Ok(unlinkat(parent, name_of(path), flags)?)
    }

    /// Removes a directory, unless something lies in it.
    pub(in crate::agent) fn remove_if_empty(&self, path: &RelPath) -> io::Result<()> {
        match self.remove(path, true).map_err(|error| (Errno::from_io_error(&error), error)) {
            Ok(()) | Err((Some(Errno::NOENT | Errno::NOTEMPTY), _)) => Ok(()),
            Err((_, error)) => Err(error),
        }
    }
}

/// Without `O_NOFOLLOW`, which would only turn the error for a symlink into another.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The last component of a path.
pub(super) fn name_of(path: &RelPath) -> CString {
    let name = path.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    CString::new(name).expect("a RelPath has no NUL")
}

/// Opens a directory in this one.
pub(super) fn open_directory_at(directory: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    openat2(directory, name, DIRECTORY, Mode::empty(), RESOLVE)
}

/// Opens a regular file in this directory for reading. Whoever calls has seen that it is
/// one; should it have become a pipe or a device since, the open does not wait.
pub(super) fn open_file_at(directory: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let quiet = flags | OFlags::NOATIME;
    match openat2(&directory, name, quiet, Mode::empty(), RESOLVE) {
        // Only the owner and root may leave the time of reading as it was.
        Err(Errno::PERM) => openat2(&directory, name, flags, Mode::empty(), RESOLVE),
        opened => opened,
    }
}

/// Looks at a name in this directory without opening it.
pub(super) fn look(directory: impl AsFd, name: &CStr) -> Result<Statx, Errno> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    statx(directory, name, flags, StatxFlags::BASIC_STATS)
}

/// Looks at what is open.
pub(super) fn look_at(open: impl AsFd) -> Result<Statx, Errno> {
    statx(open, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
}

pub(super) fn kind(seen: &Statx) -> FileType {
    FileType::from_raw_mode(seen.stx_mode.into())
}

/// Permission bits with set-user-ID, set-group-ID and sticky.
pub(super) fn mode(seen: &Statx) -> u16 {
    seen.stx_mode & 0o7777
}

pub(super) fn is_mount(seen: &Statx) -> bool {
    seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
}

/// Whether the administrator has locked it (`chattr +i` or `+a`).
pub(super) fn is_locked(seen: &Statx) -> bool {
    seen.stx_attributes.intersects(StatxAttributes::IMMUTABLE.union(StatxAttributes::APPEND))
}
