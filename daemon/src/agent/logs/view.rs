//! How the replication of logs is, as one value: the API, the command, the console and the
//! metrics are views of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogsView {
    /// Whether logs are kept and exchanged: `sync.logs`.
    pub on: bool,
    /// Whether the other node is connected for them.
    pub connected: bool,
    /// This node's own logs.
    pub here: OriginView,
    /// The other node's.
    pub there: OriginView,
    /// Why keeping logs could not even begin, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl LogsView {
    /// Why this node cannot keep lines, its own or the other node's; one reason for both once.
    pub fn not_kept(&self) -> Option<&str> {
        [&self.trouble, &self.here.trouble, &self.there.trouble]
            .into_iter()
            .flatten()
            .next()
            .map(String::as_str)
    }
}

/// The lines of one node on this node's disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OriginView {
    /// Number of the oldest line kept.
    pub first: u64,
    /// Number of the newest line; less than `first` where there is none.
    pub last: u64,
    /// Lines that are kept: those between the two, without the missing ones.
    #[serde(default)]
    pub kept: u64,
    /// Bytes on the disk.
    pub bytes: u64,
    /// How far the other copy is behind, in milliseconds: how long ago the oldest line was read
    /// that is not on it yet; 0 when all are. Of this node's lines the copy there, of the other's
    /// the one here. None while nobody is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_ms: Option<u64>,
    /// Lines that are not on the other copy yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<u64>,
    /// Places where lines are missing: dropped before they were copied.
    pub gaps: u64,
    /// Lines missing there.
    pub missing: u64,
    /// Lines removed by the limits since the agent was started.
    pub dropped: u64,
    /// Why they cannot be kept on this node, in words: its disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// The sources as this node reads them; of the other node's nothing is told.
    #[serde(default)]
    pub sources: Vec<SourceView>,
}

/// One source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceView {
    /// Its name in the profile.
    pub name: String,
    /// Lines read since the agent was started.
    pub lines: u64,
    /// Ends of rotated files that could not be read.
    pub missed: u64,
    /// What is wrong with it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}
