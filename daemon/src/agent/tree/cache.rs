//! What earlier scans read, so that an unchanged file is not read again. Kept by the
//! engine, one for each section, in memory only.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::Statx;

use crate::agent::digest::Digest;
use crate::agent::manifest::RelPath;

/// A change in the same tick of the kernel's clock as the reading leaves no trace in the
/// times of a file. So what was read counts only if its last change lay further back than
/// the slowest tick, 10 ms.
const SETTLED: Duration = Duration::from_millis(50);
/// The same for file systems that note whole seconds, or every other.
const SETTLED_SECONDS: Duration = Duration::from_millis(2500);

/// The state of a file as its file system tells it. Whoever changes the content changes
/// this, except through a writable mapping of the file: a full check reads everything
/// again ([`Cache::clear`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: (u32, u32),
    inode: u64,
    size: u64,
    modified: (i64, u32),
    changed: (i64, u32),
}

/// What was read at a path when it had this stamp.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) stamp: Stamp,
    /// Size and digest of the canonical content, of files.
    pub(super) content: Option<(u64, Digest)>,
    /// It has attributes that do not travel.
    pub(super) attributes: bool,
}

/// What the last scans of one section read.
#[derive(Debug, Default)]
pub struct Cache {
    /// Scope and translation under which it was read.
    basis: Option<Digest>,
    known: HashMap<RelPath, Known>,
}

impl Cache {
    /// Forgets everything: the next scan reads every file.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// Takes what is known for a scan on this basis.
    pub(super) fn take(&mut self, basis: Digest) -> HashMap<RelPath, Known> {
        let known = std::mem::take(&mut self.known);
        if self.basis.replace(basis) == Some(basis) { known } else { HashMap::new() }
    }

    /// Keeps what a scan knows at its end.
    pub(super) fn put(&mut self, known: HashMap<RelPath, Known>) {
        self.known = known;
    }
}

impl Stamp {
    pub(super) fn of(seen: &Statx) -> Stamp {
        Stamp {
            device: (seen.stx_dev_major, seen.stx_dev_minor),
            inode: seen.stx_ino,
            size: seen.stx_size,
            modified: (seen.stx_mtime.tv_sec, seen.stx_mtime.tv_nsec),
            changed: (seen.stx_ctime.tv_sec, seen.stx_ctime.tv_nsec),
        }
    }

    /// Whether a later change would show, when this was seen at `now`.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let margin = if self.changed.1 == 0 { SETTLED_SECONDS } else { SETTLED };
        let seconds = u64::try_from(self.changed.0).unwrap_or(0);
        let changed = UNIX_EPOCH + Duration::new(seconds, self.changed.1);
        now.duration_since(changed).is_ok_and(|age| age > margin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_counts_once_the_clock_has_moved_on() {
        let at = |changed| Stamp { device: (0, 0), inode: 0, size: 0, modified: (0, 0), changed };
        let now = UNIX_EPOCH + Duration::new(1000, 500_000_000);
        assert!(at((1000, 440_000_000)).is_settled(now));
        assert!(!at((1000, 460_000_000)).is_settled(now), "in the same tick, perhaps");
        assert!(!at((1000, 0)).is_settled(now), "whole seconds: the next change may look alike");
        assert!(at((997, 0)).is_settled(now));
        assert!(!at((1001, 1)).is_settled(now), "from the future: the clock was set back");
    }
}
