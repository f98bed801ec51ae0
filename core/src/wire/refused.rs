//! Why a frame was refused, and how often. Filled in by the session; the guard
//! shows the counts in `status`.

use std::fmt;

use super::content::ContentError;
use crate::ids::PathId;

/// Why a frame was refused. Nothing of a refused frame reaches the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Too short for a header, or not of the length that its kind has.
    Length,
    /// Another version of the format: the peer runs another release.
    Version(u8),
    /// Another pair on this segment.
    ForeignPair(u16),
    /// A kind of frame that this version does not know.
    Kind(u8),
    /// A sender that is neither the primary nor the secondary, or a path beyond the last.
    Header,
    /// The sender claims this node's own designation: its own frame came back (a loop
    /// or a mirrored port), or both nodes have the same designation in `node.toml`.
    OwnDesignation,
    /// A beat while no session exists yet.
    NoSession,
    /// The key does not fit: tampered, from an ended run, or another pair key.
    NotAuthentic,
    /// Authentic, but sealed for another path than the one it came in on: cables
    /// crossed, or two paths share one segment.
    Crossed {
        /// The path that it was sealed for, by the sender's numbers.
        sealed_for: PathId,
    },
    /// Authentic, but seen before.
    Duplicate,
    /// Authentic, but further back than the replay window reaches.
    TooOld,
    /// Authentic, but this version cannot give it a meaning.
    Content(ContentError),
}

impl Refused {
    /// Name of the cause, for counters and logs.
    pub const fn name(self) -> &'static str {
        NAMES[self.index()]
    }

    const fn index(self) -> usize {
        match self {
            Refused::Length => 0,
            Refused::Version(_) => 1,
            Refused::ForeignPair(_) => 2,
            Refused::Kind(_) => 3,
            Refused::Header => 4,
            Refused::OwnDesignation => 5,
            Refused::NoSession => 6,
            Refused::NotAuthentic => 7,
            Refused::Crossed { .. } => 8,
            Refused::Duplicate => 9,
            Refused::TooOld => 10,
            Refused::Content(_) => 11,
        }
    }
}

const NAMES: [&str; 12] = [
    "length",
    "version",
    "foreign_pair",
    "kind",
    "header",
    "own_designation",
    "no_session",
    "not_authentic",
    "crossed",
    "duplicate",
    "too_old",
    "content",
];

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Length => f.write_str("the frame has a wrong length"),
            Refused::Version(version) => {
                write!(f, "the frame has format version {version}; bring both nodes to one release")
            }
            Refused::ForeignPair(pair_id) => {
                write!(f, "the frame is of pair {pair_id}; if that is this pair, mend pair_id in pair.toml")
            }
            Refused::Kind(kind) => write!(f, "unknown kind of frame {kind}"),
            Refused::Header => f.write_str("the header names an unknown sender or path"),
            Refused::OwnDesignation => f.write_str(
                "the sender has this node's designation: look for a network loop, or for the same designation in both node.toml",
            ),
            Refused::NoSession => f.write_str("a beat before the session"),
            Refused::NotAuthentic => {
                f.write_str("the frame is not authentic; if this goes on, compare the key files of both nodes")
            }
            Refused::Crossed { sealed_for } => write!(
                f,
                "the frame was sent on path {}: cables crossed, or two paths in one segment",
                sealed_for.0
            ),
            Refused::Duplicate => f.write_str("the frame was seen before"),
            Refused::TooOld => f.write_str("the frame is older than the replay window"),
            Refused::Content(error) => write!(f, "{error}; bring both nodes to one release"),
        }
    }
}

impl std::error::Error for Refused {}

/// How often each cause came up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts([u64; NAMES.len()]);

impl Counts {
    pub(super) fn add(&mut self, cause: Refused) {
        let count = &mut self.0[cause.index()];
        *count = count.saturating_add(1);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NAMES.into_iter().zip(self.0)
    }
}
