//! Which settings are newer, and where they come from. Two nodes compare no more than this.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::digest::Digest;

/// A state of the settings. Equal ones are the same text.
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
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The same text.
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
}

impl Revision {
    /// Of a text.
    pub fn of(number: u64, text: &str) -> Revision {
        Revision { number, digest: Digest::of(text.as_bytes()) }
    }

    /// How this stands to the other node's.
    pub fn stands_to(&self, other: &Revision) -> Standing {
        match (self.digest == other.digest, self.number.cmp(&other.number)) {
            (true, _) => Standing::Same,
            (false, Ordering::Greater) => Standing::Newer,
            (false, Ordering::Less) => Standing::Older,
            (false, Ordering::Equal) => Standing::Apart,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_higher_number_is_newer_and_equal_texts_are_the_same() {
        let one = Revision::of(4, "a");
        assert_eq!(one.stands_to(&Revision::of(9, "a")), Standing::Same);
        assert_eq!(one.stands_to(&Revision::of(3, "b")), Standing::Newer);
        assert_eq!(one.stands_to(&Revision::of(5, "b")), Standing::Older);
        assert_eq!(one.stands_to(&Revision::of(4, "b")), Standing::Apart);
    }
}
