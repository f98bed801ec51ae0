//! The lines of both nodes on this node's disk: `here` what its own sources said, `there` what
//! the other node's did, each with numbers of its own that only grow. Written by one thread
//! each, read by anybody beside them. It survives kill -9 and power loss at any instant: what
//! was not written whole is cut off at the next start, and the marks in it with it.

mod batch;
mod marks;
mod reader;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use batch::{BatchError, MAX_NAME, MAX_PATH, MAX_RAW, Numbered, decode_batch};
pub(in crate::agent::logs) use batch::{Content, Kind, MAX_BATCH, Packer, batch};
pub use marks::MAX_MARKS;
pub(in crate::agent::logs) use marks::{Marks, encode as encode_mark};
pub use reader::{Chunk, Gap, Line, Reader};
pub(in crate::agent::logs) use segment::{Walk, holding, list};
pub use writer::Limits;
pub(in crate::agent::logs) use writer::Writer;

/// Where the lines lie, relative to the root.
pub const DIRECTORY: &str = "var/lib/twinwall/logs";

/// Whose logs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[schemars(rename = "LogOrigin")]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// This node's.
    Here,
    /// The other node's.
    There,
}

impl Origin {
    /// Both.
    pub const ALL: [Origin; 2] = [Origin::Here, Origin::There];

    /// Where they lie, below [`DIRECTORY`].
    pub const fn directory(self) -> &'static str {
        match self {
            Origin::Here => "here",
            Origin::There => "there",
        }
    }
}
