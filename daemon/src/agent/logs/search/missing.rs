//! Lines that are missing for ever, told where they are missing: at the next newer line of their
//! node that is shown, or, where there is none, for the page or the look as a whole. Used for what
//! a page or a tail shows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::show::Names;
use super::when::Placed;
use crate::agent::logs::store::{Gap, Origin};

/// Lines of a node that are missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingLines {
    /// Whose.
    pub origin: Origin,
    /// The name of that node.
    pub node: String,
    /// How many.
    pub lines: u64,
}

/// How many of each origin are missing behind the last line that is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Behind([u64; 2]);

impl Behind {
    pub(super) fn of(&mut self, origin: Origin) -> &mut u64 {
        match origin {
            Origin::Here => &mut self.0[0],
            Origin::There => &mut self.0[1],
        }
    }

    /// In words.
    pub(super) fn told(mut self, names: &Names) -> Vec<MissingLines> {
        let told = |origin| {
            let (node, lines) = (names.of(origin).to_owned(), *self.of(origin));
            MissingLines { origin, node, lines }
        };
        Origin::ALL.map(told).into_iter().filter(|missing| missing.lines > 0).collect()
    }
}

/// Notes at these lines of one log, the newest or the oldest first, what is missing right before
/// each of them. The gaps behind all of them are given back.
pub(super) fn note<'g>(lines: &mut [Placed], gaps: &'g [Gap]) -> Vec<&'g Gap> {
    let mut behind_all = Vec::new();
    for gap in gaps {
        let behind = lines.iter_mut().filter(|placed| placed.line.number >= gap.next);
        match behind.min_by_key(|placed| placed.line.number) {
            Some(placed) => placed.missing += length(gap),
            None => behind_all.push(gap),
        }
    }
    behind_all
}

/// Lines that are missing in this gap.
pub(super) fn length(gap: &Gap) -> u64 {
    gap.next.saturating_sub(gap.first)
}
