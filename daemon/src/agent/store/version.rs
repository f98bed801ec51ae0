//! One version of a section: what it was, when, and by whom. Written as JSON, so that
//! a person with nothing but a shell can read the history.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::digest::Digest;
use crate::agent::section::Section;

/// Identity of a configuration's history: 128 random bits, made at pairing. A blank
/// node has none and can never be a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(with = "String")]
#[serde(try_from = "String", into = "String")]
pub struct Lineage(pub u128);

impl fmt::Display for Lineage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", self.0)
    }
}

impl FromStr for Lineage {
    type Err = String;

    fn from_str(text: &str) -> Result<Lineage, String> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(Lineage).ok_or_else(|| "a lineage is 32 hexadecimal digits".to_owned())
    }
}

impl TryFrom<String> for Lineage {
    type Error = String;

    fn try_from(text: String) -> Result<Lineage, String> {
        text.parse()
    }
}

impl From<Lineage> for String {
    fn from(lineage: Lineage) -> String {
        lineage.to_string()
    }
}

/// Why a version came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// Found at the first look.
    Found,
    /// Changed on this node.
    Changed,
    /// Came from the peer.
    Synchronised,
    /// What this node had before a forced synchronisation replaced it.
    Replaced,
    /// An older version put back.
    Restored,
}

/// Who changed what nobody ordered.
pub const OUTSIDE: &str = "outside twinwall";

impl Cause {
    /// How a version came to be, for people: with who it was, where somebody did it.
    pub fn told(self, who: &str) -> String {
        let word = match self {
            Cause::Found => return "found at the first look".to_owned(),
            Cause::Changed => "changed",
            Cause::Synchronised => "synchronised",
            Cause::Replaced => "replaced",
            Cause::Restored => "restored",
        };
        if who == OUTSIDE { format!("{word} {who}") } else { format!("{word} by {who}") }
    }
}

/// One version of a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SectionVersion")]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// The section.
    pub section: Section,
    /// Counts up in this node's store, from 1.
    pub number: u64,
    /// Digest of its manifest: the same on both nodes for the same configuration.
    pub manifest: Digest,
    /// Files, directories and links in it.
    pub entries: u64,
    /// The history it belongs to; none on a node that was never paired.
    pub lineage: Option<Lineage>,
    /// When it was noted, in milliseconds since 1970 (UTC) by this node's clock.
    pub at_ms: u64,
    /// Why it came to be.
    pub cause: Cause,
    /// Who: a user, the peer's name, or 'outside twinwall'.
    pub who: String,
}

/// What a new version is made from; the store adds number and entries.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// The section.
    pub section: Section,
    /// The history it belongs to.
    pub lineage: Option<Lineage>,
    /// When, in milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// Why.
    pub cause: Cause,
    /// Who.
    pub who: String,
}
