//! Lines that are missing for ever, told at the line that comes after them. Used for what a page
//! or a tail shows.

use super::when::Placed;
use crate::agent::logs::store::Gap;

/// Notes at these lines of one log, the newest or the oldest first, what is missing right before
/// each of them. What was told before, below `floor`, is not told again.
pub(super) fn note(lines: &mut [Placed], gaps: &[Gap], floor: u64) {
    for gap in gaps.iter().filter(|gap| gap.next >= floor) {
        let behind = lines.iter_mut().filter(|placed| placed.line.number >= gap.next);
        if let Some(placed) = behind.min_by_key(|placed| placed.line.number) {
            placed.missing += gap.next.saturating_sub(gap.first);
        }
    }
}
