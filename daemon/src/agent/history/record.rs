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
}

impl State {
    /// All of them.
    pub const ALL: [State; 4] = [State::Watched, State::Unserved, State::OutOfSync, State::Off];
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
