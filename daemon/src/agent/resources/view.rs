//! What a node has left, as one value for conditions, API, command, metrics and SNMP.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All of it; what the machine does not have is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// The memory.
    pub memory: Option<Memory>,
    /// The file systems that twinwall and the machine depend on.
    pub disks: Vec<Disk>,
    /// The kernel's table of connections.
    pub connections: Option<Table>,
    /// Temperatures.
    pub temperatures: Vec<Sensor>,
}

/// The memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// Bytes.
    pub total_bytes: u64,
    /// Bytes that can be had without swapping (`MemAvailable`).
    pub available_bytes: u64,
}

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Disk {
    /// A directory on it.
    pub mounted_for: String,
    /// Bytes, without what is kept for root.
    pub total_bytes: u64,
    /// Bytes that anybody may still use.
    pub free_bytes: u64,
}

/// The kernel's table of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Table {
    /// Connections in it.
    pub count: u64,
    /// How many it takes.
    pub most: u64,
}

/// A sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sensor {
    /// Its chip and label.
    pub name: String,
    /// What it measures, in degrees Celsius.
    pub celsius: f64,
    /// What it calls critical itself.
    pub critical_celsius: Option<f64>,
}

/// What a node has left, and when that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourcesView {
    /// This node's name.
    pub node: String,
    /// When, in milliseconds since 1970 (UTC); none before the first look.
    pub at_ms: Option<u64>,
    /// What was found.
    #[serde(flatten)]
    pub now: Resources,
    /// The limits of the settings.
    pub limits: Limits,
}

/// From where on a node counts as short of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Percent of the memory in use.
    pub memory_percent: u8,
    /// Percent of a file system in use.
    pub disk_percent: u8,
    /// Percent of the table of connections in use.
    pub connections_percent: u8,
    /// Degrees Celsius.
    pub temperature_celsius: u8,
}

impl Memory {
    /// How much is in use.
    pub fn used_percent(&self) -> f64 {
        percent(self.total_bytes.saturating_sub(self.available_bytes), self.total_bytes)
    }
}

impl Disk {
    /// How much is in use.
    pub fn used_percent(&self) -> f64 {
        percent(self.total_bytes.saturating_sub(self.free_bytes), self.total_bytes)
    }
}

impl Table {
    /// How much is in use.
    pub fn used_percent(&self) -> f64 {
        percent(self.count, self.most)
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}
