//! Why a frame was refused, and how often. Filled in by the session; the guard
//! shows the counts in `status`.

use std::fmt;
use std::time::Duration;

use super::content::ContentError;
use crate::ids::PathId;
use crate::time::Moment;

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

    /// Whether somebody has to mend something when it lasts. The others are noise, another
    /// pair's, or what a network does to frames.
    const fn is_a_mistake(self) -> bool {
        match self {
            Refused::Version(_)
            | Refused::Kind(_)
            | Refused::OwnDesignation
            | Refused::NoSession
            | Refused::NotAuthentic
            | Refused::Crossed { .. }
            | Refused::Content(_) => true,
            Refused::Length
            | Refused::ForeignPair(_)
            | Refused::Header
            | Refused::Duplicate
            | Refused::TooOld => false,
        }
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
                "the sender has the same designation as the node that hears it: look for a network loop, or for the same designation in both node.toml",
            ),
            Refused::NoSession => f.write_str(
                "heartbeats come, and no session with their sender comes about; if this goes on, compare the key files of both nodes, and look whether frames get through both ways",
            ),
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

/// Refusals further apart than this are not of one streak. Longer than three of the longest
/// heartbeat intervals.
const STREAK_GAP: Duration = Duration::from_secs(200);
/// A streak shorter than this, or of fewer frames, is what a restart of the peer brings by itself.
const STREAK_LASTS: Duration = Duration::from_secs(3);
const STREAK_FRAMES: u32 = 10;

/// How often each cause came up, and what goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    total: [u64; NAMES.len()],
    streaks: [Option<Streak>; NAMES.len()],
}

/// Refusals for one cause, one soon after the other.
#[derive(Clone, Copy, Debug)]
struct Streak {
    cause: Refused,
    since: Moment,
    last: Moment,
    frames: u32,
}

impl Counts {
    pub(super) fn add(&mut self, now: Moment, cause: Refused) {
        let count = &mut self.total[cause.index()];
        *count = count.saturating_add(1);
        let streak = &mut self.streaks[cause.index()];
        let (since, frames) = match streak {
            Some(before) if now.since(before.last) < STREAK_GAP => (before.since, before.frames),
            Some(_) | None => (now, 0),
        };
        *streak = Some(Streak { cause, since, last: now, frames: frames.saturating_add(1) });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NAMES.into_iter().zip(self.total)
    }

    /// Causes that keep coming up, last within `recent`, and call for somebody who mends them.
    pub(super) fn lasting(&self, now: Moment, recent: Duration) -> impl Iterator<Item = Refused> {
        let lasts = move |streak: &&Streak| {
            now.since(streak.last) <= recent
                && streak.last.since(streak.since) >= STREAK_LASTS
                && streak.frames >= STREAK_FRAMES
                && streak.cause.is_a_mistake()
        };
        self.streaks.iter().flatten().filter(lasts).map(|streak| streak.cause)
    }
}
