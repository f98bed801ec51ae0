//! The guard's socket: one JSON value a line each way over a Unix stream socket.
//!
//! A client sends one [`Request`] line and reads [`Answer`] lines; `Watch`,
//! `Follow` and `Record` go on until the client hangs up; between their answers
//! stands an empty line now and then, to say that the guard is there. A line longer than
//! [`MAX_LINE`] ends the connection.

use serde::{Deserialize, Serialize};

use crate::event::{Event, Fact, Order, Refusal};
use crate::note::Note;
use crate::snapshot::Snapshot;
use crate::time::Moment;

/// Longest request line in bytes; the largest is a fact.
pub const MAX_LINE: usize = 4096;
/// Clients at a time; one more is turned away.
pub const MAX_CLIENTS: usize = 16;
/// Events that the guard keeps.
pub const MAX_EVENTS: usize = 1000;

/// What a client asks. Requests without a field are empty structs: of a unit variant
/// serde would pass over fields that it does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// The status once.
    Status {},
    /// The status now and after each change, at most every 50 ms.
    Watch {},
    /// The events kept, those after number `after` only; `Done` ends the list.
    Events {
        /// 0 for all.
        after: u64,
    },
    /// The events kept, then each new one as it happens; `Done` after each batch.
    Follow {
        /// 0 for all.
        after: u64,
    },
    /// Every input of the core from now on, for a replay.
    Record {},
    /// An order; answered by `Done` or `Refused`.
    Order {
        /// Which.
        order: Order,
    },
    /// A readiness fact; answered by `Done` or `Refused`.
    Fact {
        /// Which.
        fact: Fact,
    },
    /// The one who asks is this node's agent, and will be there as long as this connection:
    /// nobody copies connections after it. Answered by `Done`.
    Attend {},
    /// Read the configuration again and apply it if it is right.
    Reload {},
}

/// What the guard answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The status.
    Status(Box<Status>),
    /// One event.
    Event(Numbered),
    /// One input of the core.
    Input(Box<Input>),
    /// The order was taken.
    Done,
    /// The order was refused.
    Refused {
        /// Why.
        why: Refusal,
    },
    /// The request could not be understood or done; in words.
    Error {
        /// What, where, what now.
        message: String,
    },
}

/// A [`Note`] with its number in the ring and the wall-clock time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Numbered {
    /// Ascending from 1 within this run of the guard.
    pub number: u64,
    /// Milliseconds since 1970 (UTC) on this node.
    pub unix_ms: u64,
    /// What happened.
    pub note: Note,
    /// The same in words.
    pub text: String,
}

/// One recorded input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// When.
    pub at: Moment,
    /// What. Absent in the first line, which carries `start` instead.
    pub event: Option<Event>,
    /// How the core was made; in the first line only. See `replay`.
    pub start: Option<String>,
}

/// The core's snapshot with what only the guard knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// From the core.
    #[serde(flatten)]
    pub snapshot: Snapshot,
    /// From the guard.
    pub guard: GuardView,
}

/// What only the guard knows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GuardView {
    /// Version of the program.
    pub version: String,
    /// Protections that are missing, each with what it would need.
    pub missing: Vec<Missing>,
    /// Frames refused since the start, by cause.
    pub refused_frames: Vec<Count>,
    /// Causes for which frames keep being refused and that somebody has to mend.
    #[serde(default)]
    pub refused_lately: Vec<RefusedCause>,
    /// Names of the keys in use, the first one seals; they say nothing of the keys.
    #[serde(default)]
    pub key_tags: Vec<String>,
    /// Worst lateness of the beat thread since the start, microseconds.
    pub worst_late_us: u64,
    /// VIPs present in the kernel when last looked.
    pub addresses_present: u32,
    /// Changes of carrier since the start that the guard read before the kernel told them.
    #[serde(default)]
    pub carriers_read_first: u64,
}

/// A protection that this node does without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Missing {
    /// Which: `gate`, `persist`, `realtime`, `locked_memory`, …
    pub name: String,
    /// What that means, and what would bring it.
    pub remedy: String,
}

/// A cause for which frames keep being refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefusedCause {
    /// Which: a name of `refused_frames`.
    pub name: String,
    /// What it means, and what to look at.
    pub text: String,
}

/// A named count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Count {
    /// What was counted.
    pub name: String,
    /// How many.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_read_and_none_with_a_field_that_it_does_not_know() {
        let requests = [
            r#"{"request":"status"}"#,
            r#"{"request":"watch"}"#,
            r#"{"request":"events","after":3}"#,
            r#"{"request":"follow","after":0}"#,
            r#"{"request":"record"}"#,
            r#"{"request":"order","order":"switchover"}"#,
            r#"{"request":"order","order":{"maintenance_on":{"lasts":{"secs":5,"nanos":0}}}}"#,
            r#"{"request":"order","order":"maintenance_off"}"#,
            r#"{"request":"order","order":"clear_damping"}"#,
            r#"{"request":"order","order":{"leave":"shutdown"}}"#,
            r#"{"request":"fact","fact":{"name":"dns","good":true,"reason":"","holds":{"secs":5,"nanos":0}}}"#,
            r#"{"request":"attend"}"#,
            r#"{"request":"reload"}"#,
        ];
        for line in requests {
            let request = serde_json::from_str::<Request>(line);
            let again = request.map(|request| serde_json::to_string(&request).expect("a line"));
            assert_eq!(again.expect("a request"), line);
            for (at, _) in line.match_indices('{') {
                let more = format!(r#"{}"more":1,{}"#, &line[..=at], &line[at + 1..]);
                let error = serde_json::from_str::<Request>(&more).expect_err(&more).to_string();
                assert!(error.contains("unknown") || error.contains("expected"), "{error}");
            }
        }
    }
}
