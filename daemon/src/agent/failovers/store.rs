//! The reports on disk: one file, written whole or not at all, at most [`MAX_REPORTS`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Clock, MAX_REPORTS, Report};
use crate::agent::store::write_durably;

/// Largest file in bytes that is read.
const MAX_FILE: u64 = 8 << 20;

/// For so many microseconds a measurement of the clocks is as good as a new one.
const FRESH: u64 = 30_000_000;

/// What is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Kept {
    /// The oldest first.
    reports: Vec<Report>,
    /// The other node's name, as it said last.
    there: Option<String>,
    clock: Option<Clock>,
}

/// The reports.
#[derive(Debug)]
pub(super) struct Reports {
    path: PathBuf,
    kept: Kept,
    written: Kept,
}

impl Reports {
    /// Reads the file. One that cannot be read was not written here, and is begun anew.
    pub(super) fn open(path: &Path) -> Reports {
        let fits = fs::metadata(path).is_ok_and(|it| it.len() <= MAX_FILE);
        let bytes = if fits { fs::read(path).unwrap_or_default() } else { Vec::new() };
        let kept: Kept = serde_json::from_slice(&bytes).unwrap_or_default();
        Reports { path: path.to_owned(), written: kept.clone(), kept }
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Report> {
        self.kept.reports.iter().rev()
    }

    /// Takes in what was put together now. A report that is complete stays as it is.
    pub(super) fn merge(&mut self, reports: Vec<Report>) {
        for report in reports {
            let same = |old: &&mut Report| old.summary.id == report.summary.id;
            match self.kept.reports.iter_mut().find(same) {
                Some(old) if old.complete => {}
                Some(old) => *old = report,
                None => self.kept.reports.push(report),
            }
        }
        self.kept.reports.sort_by_key(|report| report.summary.ended_ms);
        let surplus = self.kept.reports.len().saturating_sub(MAX_REPORTS);
        self.kept.reports.drain(..surplus);
    }

    /// Whether this one needs nothing any more.
    pub(super) fn is_complete(&self, id: &str) -> bool {
        self.kept.reports.iter().any(|report| report.summary.id == id && report.complete)
    }

    /// The other node's name, as it said last.
    pub(super) fn there(&self) -> Option<&str> {
        self.kept.there.as_deref()
    }

    pub(super) fn set_there(&mut self, name: String) {
        self.kept.there = Some(name);
    }

    /// The last measurement of the other node's clock.
    pub(super) fn clock(&self) -> Option<Clock> {
        self.kept.clock
    }

    /// Takes in a measurement, unless the last one is as new and more exact.
    pub(super) fn set_clock(&mut self, clock: Clock) {
        let last = self.kept.clock.filter(|last| {
            let apart = clock.at_us.abs_diff(last.at_us);
            apart < FRESH && last.error_us <= clock.error_us
        });
        self.kept.clock = last.or(Some(clock));
    }

    /// Writes it down where something changed.
    pub(super) fn save(&mut self) -> io::Result<()> {
        if self.kept == self.written {
            return Ok(());
        }
        write_durably(&self.path, &serde_json::to_vec(&self.kept)?)?;
        self.written = self.kept.clone();
        Ok(())
    }
}
