//! Why a section cannot be made equal to a manifest.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::agent::digest::Digest;
use crate::agent::manifest::{Owner, RelPath};
use crate::agent::translate::{MAX_TRANSLATED, TranslateError};

/// What stopped the writing.
#[derive(Debug)]
pub enum WriteError {
    /// This cannot be written here, and nothing was.
    Refused(RelPath, Refusal),
    /// The content for a path could not be had; nothing was switched.
    Content(RelPath, Digest, io::Error),
    /// The directory for staged files cannot be used; nothing was switched.
    Staging(PathBuf, io::Error),
    /// The disk: what was being done, where, and the system's error.
    Disk(&'static str, RelPath, io::Error),
    /// The watcher said so; nothing was switched.
    Cancelled,
}

/// Why a path is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It does not belong to the section here.
    Outside,
    /// It lies in something that is no directory of the section.
    NoDirectory,
    /// A symlink stands on the way to it.
    SymlinkInTheWay,
    /// Something that does not travel lies there.
    InTheWay,
    /// The directory shall go, but this in it does not travel.
    Keeps(RelPath),
    /// A file system is mounted on it.
    MountPoint,
    /// It, or its directory, is locked by `chattr`.
    Locked,
    /// Its file system is mounted read-only.
    ReadOnly,
    /// Its user is not known here.
    NoUser(Owner),
    /// Its group is not known here.
    NoGroup(Owner),
    /// Too large to be translated.
    TooLarge,
    /// Its addresses cannot be translated.
    Translation(TranslateError),
    /// It lies too deep.
    TooDeep,
}

impl fmt::Display for WriteError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Refused(path, refusal) => write!(out, "{path} {refusal}"),
            WriteError::Content(path, digest, error) => {
                write!(out, "{path}: its content {} cannot be had: {error}", digest.short())
            }
            WriteError::Staging(path, error) => write!(out, "{}: {error}", path.display()),
            WriteError::Disk(doing, path, error) => write!(out, "{doing} {path}: {error}"),
            WriteError::Cancelled => out.write_str("cancelled; nothing was changed"),
        }
    }
}

impl std::error::Error for WriteError {}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Outside => out.write_str(
                "is not of this section here; give both nodes the same appliance profile",
            ),
            Refusal::NoDirectory => out.write_str("does not lie in a directory of this section"),
            Refusal::SymlinkInTheWay => out.write_str(
                "lies behind a symlink, and none is followed; write the real path in the profile",
            ),
            Refusal::InTheWay => out.write_str(
                "is taken by something that is not synchronised; move that away or exclude the path",
            ),
            Refusal::Keeps(path) => {
                write!(out, "cannot be removed: it holds {path}, which is not synchronised; move that")
            }
            Refusal::MountPoint => out.write_str("is a mount point; exclude it in the profile"),
            Refusal::Locked => {
                out.write_str("is locked against changes, or its directory is; see 'lsattr'")
            }
            Refusal::ReadOnly => out.write_str("lies on a file system that is mounted read-only"),
            Refusal::NoUser(Owner::Name(name)) => {
                write!(out, "belongs to user '{name}', who does not exist here; create that user")
            }
            Refusal::NoUser(Owner::Number(number)) => {
                write!(out, "belongs to user {number}, who cannot own a file here")
            }
            Refusal::NoGroup(Owner::Name(name)) => {
                write!(out, "belongs to group '{name}', which does not exist here; create that group")
            }
            Refusal::NoGroup(Owner::Number(number)) => {
                write!(out, "belongs to group {number}, which cannot own a file here")
            }
            Refusal::TooLarge => write!(
                out,
                "is larger than {} MiB, too large for addresses to be translated in it",
                MAX_TRANSLATED >> 20
            ),
            Refusal::Translation(error) => error.fmt(out),
            Refusal::TooDeep => out.write_str("lies deeper than a section goes"),
        }
    }
}
