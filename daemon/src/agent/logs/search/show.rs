//! A line as API, command and page have it: with its node's name, its time and its fields.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::when::{Placed, Placing};
use crate::agent::logs::parse::{Fields, Format, LOOKED_AT, parse_line};
use crate::agent::logs::store::Origin;

/// How the two nodes are called, and their sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// This one.
    pub here: String,
    /// The other one; none before it said its name.
    pub there: Option<String>,
    /// The sources that the profile names, the same on both.
    pub sources: Vec<String>,
}

impl Names {
    /// Of the node of this origin.
    pub fn of(&self, origin: Origin) -> &str {
        match origin {
            Origin::Here => &self.here,
            Origin::There => self.there.as_deref().unwrap_or("the other node"),
        }
    }
}

/// What the lines of a source are, by its name, where the profile says it.
pub type Hints = BTreeMap<String, Format>;

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// Whose log it is from.
    pub origin: Origin,
    /// The name of that node.
    pub node: String,
    /// Its number there, as this node counts; it only grows.
    pub number: u64,
    /// When it was written: microseconds since 1970 (UTC), by its node's clock. What the line
    /// says itself, where that is at most an hour before it was read; else when it was read.
    pub at_us: u64,
    /// When its node read it.
    pub read_us: u64,
    /// The source, as the profile calls it.
    pub source: String,
    /// The line. Bytes that are no UTF-8 are replaced; it may hold control characters.
    pub text: String,
    /// So many bytes at the beginning of `text` are the time that `at_us` tells.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stamp_bytes: usize,
    /// What a DHCP or VPN service says with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Fields>,
    /// So many lines of this node are missing between it and the next older one that is shown, or
    /// before it where it is the oldest: they were dropped before this node had them.
    #[serde(default, skip_serializing_if = "is_zero_lines")]
    pub missing: u64,
}

// Serde hands over a reference.
fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn is_zero_lines(count: &u64) -> bool {
    *count == 0
}

impl LogLine {
    /// The text without the time at its beginning that `at_us` tells.
    pub fn said(&self) -> &str {
        self.text.get(self.stamp_bytes..).unwrap_or(&self.text).trim_start()
    }
}

/// One line with what is known of it.
pub(super) fn show(placed: Placed, names: &Names, hints: &Hints, placing: &mut Placing) -> LogLine {
    let Placed { line, at_us, stamp_bytes, missing } = placed;
    let head = String::from_utf8_lossy(&line.text[..line.text.len().min(LOOKED_AT)]);
    let hint = hints.get(&line.source).copied();
    let parsed = parse_line(&head, hint, line.read_us, placing.zone_s(line.read_us));
    LogLine {
        origin: line.origin,
        node: names.of(line.origin).to_owned(),
        number: line.number,
        at_us,
        read_us: line.read_us,
        text: String::from_utf8_lossy(&line.text).into_owned(),
        stamp_bytes,
        fields: parsed.fields,
        missing,
        source: line.source,
    }
}
