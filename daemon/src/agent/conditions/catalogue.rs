//! The conditions that twinwall knows, each once: its name for programs, its number for the
//! MIB, how bad it is, what to do about it, and how long it must last before it is told.
//! Page, command, MIB, metrics, alerts and the generated reference are views of this table.
//! Decides nothing.

mod from;
mod list;
mod reference;

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use from::{of_alarm, of_kind, of_reason};
pub use list::ConditionId;
pub use reference::page;

/// How bad a condition is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[schemars(rename = "ConditionSeverity")]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Clients may be without service, or one more fault would leave them so.
    Critical,
    /// A failover would not work as it should, or a part has failed.
    Major,
    /// It works with less protection; somebody should look at it within days.
    Warning,
    /// Worth knowing; nothing is wrong.
    Info,
}

impl Severity {
    /// All of them, the worst first.
    pub const ALL: [Severity; 4] =
        [Severity::Critical, Severity::Major, Severity::Warning, Severity::Info];

    /// Its word, as in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Severity::Critical => "critical",
            Severity::Major => "major",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }

    /// Its number in the MIB.
    pub const fn number(self) -> u8 {
        match self {
            Severity::Critical => 1,
            Severity::Major => 2,
            Severity::Warning => 3,
            Severity::Info => 4,
        }
    }
}

/// What a condition is about. It decides which node's name stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum About {
    /// The node that says so of itself. The other node learns it from it.
    Node,
    /// The other node, as the one that says so sees it.
    Peer,
    /// The pair: both nodes see it, each for itself.
    Pair,
}

/// Stands in the place of a node's name where a condition is about the pair.
pub const PAIR: &str = "pair";

/// How it comes and goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// It lasts: raised once it was so for the first span without a break, cleared once it
    /// was not so for the second.
    Lasts {
        /// To raise.
        raise: Duration,
        /// To clear.
        clear: Duration,
    },
    /// It happens, and is over.
    Happens,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which.
    pub id: ConditionId,
    /// Its name: small letters and hyphens.
    pub name: &'static str,
    /// Its number in the MIB; never used again for another one.
    pub number: u16,
    /// How bad it is.
    pub severity: Severity,
    /// Whose it is.
    pub about: About,
    /// How it comes and goes.
    pub course: Course,
    /// What it means, in a sentence.
    pub meaning: &'static str,
    /// What to do.
    pub what_now: &'static str,
}

impl ConditionId {
    /// The one of this name.
    pub fn named(name: &str) -> Option<ConditionId> {
        ConditionId::ALL.iter().copied().find(|id| id.row().name == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// How bad it is.
    pub fn severity(self) -> Severity {
        self.row().severity
    }

    /// What to do about it.
    pub fn what_now(self) -> &'static str {
        self.row().what_now
    }
}

impl fmt::Display for ConditionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_numbers_are_unique_and_written_as_programs_expect_them() {
        let rows: Vec<Condition> = ConditionId::ALL.iter().map(|id| id.row()).collect();
        let names: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
        let numbers: BTreeSet<u16> = rows.iter().map(|row| row.number).collect();
        assert_eq!((names.len(), numbers.len()), (rows.len(), rows.len()));
        for row in rows {
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            assert!(row.name.bytes().all(fits) && row.name.len() <= 32, "{}", row.name);
            assert!(row.number > 0, "{}", row.name);
            assert!(row.meaning.ends_with('.') && !row.what_now.ends_with('.'), "{}", row.name);
            assert_eq!(ConditionId::named(row.name), Some(row.id));
            let json = serde_json::to_value(row.id).expect("a word");
            assert_eq!(json, row.name, "the same word in JSON");
        }
    }

    #[test]
    fn the_numbers_of_the_mib_stay_as_they_were_published() {
        for (id, number) in [
            (ConditionId::Failover, 1),
            (ConditionId::PeerSilent, 20),
            (ConditionId::TwoActive, 24),
            (ConditionId::HaLinkLost, 30),
            (ConditionId::OutOfSync, 61),
            (ConditionId::ServiceFailed, 80),
            (ConditionId::GatewayUnreachable, 82),
            (ConditionId::DiskFull, 101),
            (ConditionId::LogsGap, 120),
            (ConditionId::AlertFailing, 130),
        ] {
            assert_eq!(id.row().number, number, "{id}");
        }
    }
}
