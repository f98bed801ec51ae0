//! What is kept for years: moves of the role, drills, and the times in which something held.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::failovers::Summary;

/// Something that held for a time.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// High availability was on, and the node could say how the pair was.
    Watched,
    /// Nobody served.
    Unserved,
    /// The configurations of the two nodes differed.
    OutOfSync,
    /// High availability was off.
    Off,
    /// This node itself was active, as its own guard said: nobody else need have seen it.
    Active,
}

impl State {
    /// What a look sees of its own moment.
    pub const SEEN: [State; 4] = [State::Watched, State::Unserved, State::OutOfSync, State::Off];
}

/// A time in which something held, in milliseconds since 1970 (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// What.
    pub state: State,
    /// From when.
    pub from_ms: u64,
    /// To when.
    pub to_ms: u64,
}

/// A test of the failover by order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Drill {
    /// When it began, in milliseconds since 1970 (UTC).
    pub began_ms: u64,
    /// When it ended.
    pub ended_ms: u64,
    /// Who ordered it.
    pub who: String,
    /// The reports of its moves.
    pub moves: Vec<String>,
    /// What went wrong; none where it went well.
    pub failed: Option<String>,
}

/// One entry of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// The role moved.
    Move(Summary),
    /// It was moved to see that it can.
    Drill(Drill),
    /// Something held for a time.
    Span(Span),
}

impl Record {
    /// By the clock of another node, which is so many microseconds behind.
    pub(super) fn moved(mut self, ahead_us: i64) -> Record {
        let back = |ms: &mut u64| *ms = ms.saturating_add_signed(-(ahead_us / 1000));
        match &mut self {
            Record::Move(summary) => [&mut summary.began_ms, &mut summary.ended_ms].map(back),
            Record::Drill(drill) => [&mut drill.began_ms, &mut drill.ended_ms].map(back),
            Record::Span(span) => [&mut span.from_ms, &mut span.to_ms].map(back),
        };
        self
    }

    /// When it was over.
    pub fn ended_ms(&self) -> u64 {
        match self {
            Record::Move(summary) => summary.ended_ms,
            Record::Drill(drill) => drill.ended_ms,
            Record::Span(span) => span.to_ms,
        }
    }

    /// When it began.
    pub fn began_ms(&self) -> u64 {
        match self {
            Record::Move(summary) => summary.began_ms,
            Record::Drill(drill) => drill.began_ms,
            Record::Span(span) => span.from_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_node_tells_stands_on_this_nodes_clock() {
        let of = |from_ms, to_ms| Record::Span(Span { state: State::Active, from_ms, to_ms });
        assert_eq!(of(5_000, 9_000).moved(1_500_000), of(3_500, 7_500));
        assert_eq!(of(5_000, 9_000).moved(-250_000), of(5_250, 9_250));
    }
}
