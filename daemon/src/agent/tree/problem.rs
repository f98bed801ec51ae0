//! What a scan finds that does not travel, each by its name.

use std::fmt;

use super::scan::{MAX_DEPTH, READ_ATTEMPTS};
use crate::agent::manifest::{MAX_ENTRIES, RelPath};
use crate::agent::translate::{MAX_TRANSLATED, TranslateError};

/// Something in a section that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub path: RelPath,
    /// What.
    pub what: What,
}

/// What can be wrong with a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A file with several names. It travels as a file of its own.
    HardLink,
    /// A device, named pipe or socket (the word). It is never opened and does not travel.
    Special(&'static str),
    /// An access list, a capability or user attributes: they do not travel.
    Attributes,
    /// A file system is mounted on it; what is in there is not of the section.
    MountPoint,
    /// A symlink stands where the profile goes through.
    SymlinkInTheWay,
    /// It changed each time while it was read.
    Changing,
    /// A file whose addresses shall be translated is larger than [`MAX_TRANSLATED`].
    TooLarge,
    /// Its addresses cannot be translated.
    Translation(TranslateError),
    /// Deeper than a scan goes.
    TooDeep,
    /// The section has more entries than a manifest holds.
    TooMany,
    /// The system's error.
    Unreadable(String),
}

impl What {
    /// Whether the manifest is incomplete because of it: such a section must not be
    /// synchronised. The others leave a whole manifest.
    pub fn blocks(&self) -> bool {
        match self {
            What::HardLink | What::Special(_) | What::Attributes => false,
            What::MountPoint
            | What::SymlinkInTheWay
            | What::Changing
            | What::TooLarge
            | What::Translation(_)
            | What::TooDeep
            | What::TooMany
            | What::Unreadable(_) => true,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.path, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::HardLink => out.write_str(
                "has several names (hard links); on the other node it becomes a file of its own",
            ),
            What::Special(word) => {
                write!(out, "is {word} and does not travel; exclude it in the profile")
            }
            What::Attributes => out.write_str(
                "has an access list, a capability or user attributes, which do not travel",
            ),
            What::MountPoint => out.write_str(
                "is a mount point, and what is mounted there is not synchronised; \
                 exclude it in the profile",
            ),
            What::SymlinkInTheWay => out.write_str(
                "is a symlink, and none is followed; write the real path in the profile",
            ),
            What::Changing => write!(
                out,
                "changed each of {READ_ATTEMPTS} times while it was read; \
                 exclude it in the profile if a program keeps writing it"
            ),
            What::TooLarge => write!(
                out,
                "is larger than {} MiB, too large for addresses to be translated in it; \
                 take it out of 'translate' in the profile",
                MAX_TRANSLATED >> 20
            ),
            What::Translation(error) => error.fmt(out),
            What::TooDeep => {
                write!(out, "lies deeper than {MAX_DEPTH} directories; exclude it in the profile")
            }
            What::TooMany => write!(
                out,
                "and what follows is more than the {MAX_ENTRIES} entries that a section can have; \
                 exclude some in the profile"
            ),
            What::Unreadable(error) => write!(out, "cannot be read: {error}"),
        }
    }
}
