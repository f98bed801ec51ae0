//! `[logs]` of `pair.toml`: how much of both nodes' logs is kept, and how fast they may travel.
//! No guard heeds it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::document::Section;
use super::errors::Report;
use super::keys::{Absent, Key};
use super::kinds::Whole;

/// A day, the unit of `keep_days`.
const DAY: Duration = Duration::from_secs(86_400);
/// Most that can be kept of each node's logs, in MiB: a disk of a terabyte for both.
const MAX_KEPT: u32 = 512 << 10;
/// Longest time for which they are kept, in days: ten years.
const MAX_DAYS: u32 = 3660;
/// Fastest that they may travel, in MiB/s: a link of ten gigabits.
const MAX_RATE: u32 = 1024;

/// How logs are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// Of each node's, so many MiB on each node's disk.
    pub keep_size: u32,
    /// For so long.
    pub keep_age: Duration,
    /// No more than so many MiB/s go to the other node.
    pub rate: u32,
}

impl Default for Logs {
    fn default() -> Logs {
        Logs { keep_size: 1024, keep_age: DAY * 90, rate: 20 }
    }
}

pub(super) static KEEP_SIZE: Key<Whole<u32>> = Key {
    section: "logs",
    name: "keep_size",
    kind: Whole { min: 16, max: MAX_KEPT },
    absent: Absent::Default("1024"),
    about: "Of each node's logs so many MiB are kept on each node, packed; then the oldest go. What was not sent by then is missing on the other node, and counted.",
};
pub(super) static KEEP_DAYS: Key<Whole<u32>> = Key {
    section: "logs",
    name: "keep_days",
    kind: Whole { min: 1, max: MAX_DAYS },
    absent: Absent::Default("90"),
    about: "Logs are kept for so many days.",
};
pub(super) static RATE: Key<Whole<u32>> = Key {
    section: "logs",
    name: "rate",
    kind: Whole { min: 1, max: MAX_RATE },
    absent: Absent::Default("20"),
    about: "No more than so many MiB of logs a second, packed, go from a node to the other one, so that the HA link has room for everything else.",
};

/// Reads the section.
pub(super) fn read(section: &Section<'_>, report: &mut Report<'_>) -> Option<Logs> {
    let keep_size = section.get(&KEEP_SIZE, report);
    let keep_days = section.get(&KEEP_DAYS, report);
    let rate = section.get(&RATE, report);
    Some(Logs { keep_size: keep_size?.value, keep_age: DAY * keep_days?.value, rate: rate?.value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_pair;

    const REST: &str = "pair_id = 1\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n";

    #[test]
    fn without_the_section_the_defaults_hold_and_each_key_changes_one() {
        let plain = parse_pair("pair.toml", REST).expect("right");
        assert_eq!(plain.logs, Logs::default());
        let text = format!("{REST}[logs]\nkeep_size = 64\nkeep_days = 7\nrate = 5\n");
        let pair = parse_pair("pair.toml", &text).expect("right");
        assert_eq!(pair.logs, Logs { keep_size: 64, keep_age: DAY * 7, rate: 5 });
        assert_eq!(pair.digest(), plain.digest(), "no guard heeds them");
    }

    #[test]
    fn each_wrong_value_is_told_at_its_place() {
        for (line, wrong) in [
            ("keep_size = 1", "logs.keep_size = 1: out of range"),
            ("keep_days = 0", "logs.keep_days = 0: out of range"),
            ("rate = 0", "logs.rate = 0: out of range"),
            ("keep = 1", "logs.keep"),
        ] {
            let errors = parse_pair("pair.toml", &format!("{REST}[logs]\n{line}\n"));
            let text = errors.expect_err(line).to_string();
            assert!(text.contains(wrong), "{line}: {text}");
        }
    }
}
