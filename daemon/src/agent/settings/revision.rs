//! Which settings are newer, and where they come from. Two nodes compare no more than this.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::digest::Digest;

/// A state of the settings. Equal ones are the same text; one text may have had two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// Counts up over both nodes, from 1.
    pub number: u64,
    /// Digest of the text.
    pub digest: Digest,
}

/// How two nodes' settings stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SettingsStanding")]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The same text under the same number.
    Same,
    /// This node's are newer.
    Newer,
    /// The other node's are newer.
    Older,
    /// Changed on both apart from each other: somebody must choose.
    Apart,
}

/// Where a version came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Found in the file, written by hand or before twinwall kept versions.
    File,
    /// Entered on this node.
    Entered,
    /// Entered on the other node.
    Received,
    /// An older version put back.
    Restored,
}

/// A version of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SettingsVersion")]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Which.
    pub revision: Revision,
    /// When, in milliseconds since 1970 (UTC) by the clock of the node that made it.
    pub at_ms: u64,
    /// Who: a user, or 'outside twinwall'.
    pub who: String,
    /// Name of the node on which it was made.
    pub node: String,
    /// Where it came from.
    pub source: Source,
    /// The administrator looks after the own addresses that changed with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub addresses_by_hand: bool,
    /// What is to be known about it, for people: which change it took the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Revision {
    /// Of a text.
    pub fn of(number: u64, text: &str) -> Revision {
        Revision { number, digest: Digest::of(text.as_bytes()) }
    }

    /// How this stands to the other node's. The number counts for equal texts as well: nodes
    /// that disagree about it would give the next change a number that is too low.
    pub fn stands_to(&self, other: &Revision) -> Standing {
        match self.number.cmp(&other.number) {
            Ordering::Greater => Standing::Newer,
            Ordering::Less => Standing::Older,
            Ordering::Equal if self.digest == other.digest => Standing::Same,
            Ordering::Equal => Standing::Apart,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_higher_number_is_newer_whatever_the_text() {
        let one = Revision::of(4, "a");
        assert_eq!(one.stands_to(&Revision::of(4, "a")), Standing::Same);
        assert_eq!(one.stands_to(&Revision::of(9, "a")), Standing::Older);
        assert_eq!(one.stands_to(&Revision::of(3, "b")), Standing::Newer);
        assert_eq!(one.stands_to(&Revision::of(5, "b")), Standing::Older);
        assert_eq!(one.stands_to(&Revision::of(4, "b")), Standing::Apart);
    }
}
