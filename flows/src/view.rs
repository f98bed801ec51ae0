//! How the replication stands, for every page and command that shows it.

use serde::{Deserialize, Serialize};

/// What this node does for the replication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Part {
    /// Tells its flows.
    Source,
    /// Takes the other node's.
    Mirror,
    /// Nothing.
    #[default]
    Off,
}

/// Spans from the reading of an event to the peer's word that its kernel holds it, in
/// milliseconds, over the last twenty seconds at the most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LagMs {
    /// Half of them were shorter.
    pub p50: f64,
    /// All but one in a hundred were shorter.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// The last time that flows were told as a whole or in ranges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Resync {
    /// Why, for people.
    pub reason: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// How many flows were told.
    pub flows: u64,
}

/// How it stands. Counts are since this part began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct View {
    /// What this node does.
    pub part: Part,
    /// Flows that it holds for the pair.
    pub flows: u64,
    /// Flows that the other node holds, if it has said so.
    pub peer_flows: Option<u64>,
    /// Flows in ranges that are equal on both nodes, of all of the source's, in percent;
    /// absent until they were compared, or until a mirror that came back has all that it
    /// missed.
    pub complete_percent: Option<f64>,
    /// Ranges were compared over the present connection. Before that a mirror that came back
    /// holds what it was told, unless somebody else changed its kernel meanwhile.
    #[serde(default)]
    pub compared: bool,
    /// Ranges that the mirror must be told as a whole.
    pub behind_buckets: u64,
    /// Changes that the other node has not confirmed (source) or this kernel not taken (mirror).
    pub backlog: u64,
    /// How late changes are there; absent when there were none lately, and on a mirror.
    pub lag_ms: Option<LagMs>,
    /// Changes told (source) or taken (mirror).
    pub events: u64,
    /// Times that the kernel could not keep its events.
    pub overruns: u64,
    /// Flows that were left out since the bound was reached.
    pub dropped: u64,
    /// Changes that the mirror's kernel refused.
    pub refused_by_kernel: u64,
    /// Most flows that are held.
    pub bound: u64,
    /// Bytes that the lists need in this process.
    pub memory_bytes: u64,
    /// Times that flows were told as a whole or in ranges.
    pub resyncs: u64,
    /// The last of them.
    pub last_resync: Option<Resync>,
    /// Neighbours told (source) or held (mirror).
    pub neighbours: u64,
    /// Expectations told (source) or held (mirror).
    pub expectations: u64,
    /// What is wrong, and what to do about it, for people.
    pub trouble: Option<String>,
}
