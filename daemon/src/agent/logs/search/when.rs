//! Where a line stands in time: what it says itself, as long as that can be, else the moment at
//! which its node read it. Used wherever lines are put in order.

use crate::agent::clock::local_offset_s;
use crate::agent::logs::parse;
use crate::agent::logs::store::Line;

/// A line may have been written so long before it was read: an agent that was being upgraded, or
/// a machine that was busy. One that says an older time is placed where it was read, so that a
/// time has to be looked for in a bounded part of a log only.
pub(super) const LATE_US: u64 = 3_600_000_000;
/// And so long after: it was stamped by another clock, or in whole seconds.
pub(super) const AHEAD_US: u64 = 60_000_000;
/// Longest time at the beginning of a line in bytes, with a priority before it.
const STAMP: usize = 64;
/// Zones change at full quarters of an hour only.
const QUARTER_US: u64 = 900_000_000;

/// A line and its time.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) line: Line,
    /// Microseconds since 1970 (UTC), by the clock of its node.
    pub(super) at_us: u64,
    /// So many bytes at its beginning say so.
    pub(super) stamp_bytes: usize,
    /// Lines of its node that are missing right before it.
    pub(super) missing: u64,
}

/// Places lines one after the other; it remembers the zone, which seldom changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Placing {
    zone: Option<(u64, i32)>,
}

impl Placing {
    pub(super) fn place(&mut self, line: Line) -> Placed {
        let zone_s = self.zone_s(line.read_us);
        let head = String::from_utf8_lossy(&line.text[..line.text.len().min(STAMP)]);
        let (earliest, latest) =
            (line.read_us.saturating_sub(LATE_US), line.read_us.saturating_add(AHEAD_US));
        let written = parse::written(&head, line.read_us, zone_s)
            .filter(|(at_us, _)| (earliest..=latest).contains(at_us));
        let (at_us, stamp_bytes) = written.unwrap_or((line.read_us, 0));
        Placed { at_us, stamp_bytes, missing: 0, line }
    }

    /// How far local time was ahead of UTC.
    pub(super) fn zone_s(&mut self, at_us: u64) -> i32 {
        let quarter = at_us / QUARTER_US;
        match self.zone {
            Some((known, zone_s)) if known == quarter => zone_s,
            Some(_) | None => {
                let zone_s = local_offset_s(at_us / 1_000_000);
                self.zone = Some((quarter, zone_s));
                zone_s
            }
        }
    }
}
