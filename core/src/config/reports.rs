//! `[reports]` of `pair.toml`: how many of the other node's reports each node keeps. No guard
//! heeds it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::document::Section;
use super::errors::Report;
use super::keys::{Absent, Key};
use super::kinds::Whole;

pub(super) static KEEP_SIZE: Key<Whole<u32>> = Key {
    section: "reports",
    name: "keep_size",
    kind: Whole { min: 1, max: 1_048_576 },
    absent: Absent::Default("1024"),
    about: "Mebibytes of the other node's reports that each node keeps at the most; the oldest go first. Its own reports stay where they are.",
};
pub(super) static KEEP_DAYS: Key<Whole<u32>> = Key {
    section: "reports",
    name: "keep_days",
    kind: Whole { min: 1, max: 36_500 },
    absent: Absent::Default("365"),
    about: "Days for which each node keeps the other node's reports at the most.",
};

/// A day.
const DAY: Duration = Duration::from_secs(86_400);

/// How many of the other node's reports are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reports {
    /// All together at the most, in mebibytes.
    pub keep_mib: u32,
    /// None older than this.
    pub keep: Duration,
}

impl Default for Reports {
    fn default() -> Reports {
        Reports { keep_mib: 1024, keep: DAY * 365 }
    }
}

impl Reports {
    /// All together at the most, in bytes.
    pub fn keep_bytes(&self) -> u64 {
        u64::from(self.keep_mib) << 20
    }

    /// None older than so many days.
    pub fn keep_days(&self) -> u32 {
        u32::try_from(self.keep.as_secs() / DAY.as_secs()).unwrap_or(u32::MAX)
    }
}

/// Reads the section.
pub(super) fn read(section: &Section<'_>, report: &mut Report<'_>) -> Option<Reports> {
    let keep_mib = section.get(&KEEP_SIZE, report);
    let days = section.get(&KEEP_DAYS, report);
    Some(Reports { keep_mib: keep_mib?.value, keep: DAY * days?.value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_pair;

    #[test]
    fn a_year_and_a_gibibyte_are_kept_unless_the_file_says_otherwise() {
        let rest = "pair_id = 1\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n";
        let plain = parse_pair("pair.toml", rest).expect("right");
        assert_eq!((plain.reports, plain.reports.keep_days()), (Reports::default(), 365));
        let text = format!("{rest}[reports]\nkeep_size = 8\nkeep_days = 30\n");
        let pair = parse_pair("pair.toml", &text).expect("right");
        assert_eq!(pair.reports.keep_bytes(), 8 << 20);
        assert_eq!(pair.reports.keep, Duration::from_secs(30 * 86_400));
        assert_eq!(pair.digest(), plain.digest(), "no guard heeds it");
        let wrong = parse_pair("pair.toml", &format!("{rest}[reports]\nkeep_days = 0\n"));
        assert!(wrong.expect_err("refused").to_string().contains("reports.keep_days = 0"));
    }
}
