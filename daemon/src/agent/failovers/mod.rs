//! A report for every move of the active role (SPEC B6): what each node saw and did when, on
//! one time line, and how long nobody served. Each agent keeps the events of its own guard
//! and of the other node's, measures how far the two clocks are apart, and puts a report
//! together from both. What cannot be known is told as that. Never asked on the way of a
//! failover, and nothing here decides a role.

mod alone;
mod build;
mod drawing;
mod keep;
mod log;
mod measure;
mod outage;
mod steps;
mod store;
#[cfg(test)]
mod tests;
mod timeline;
mod words;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::beat::RoleWord;

use super::clock::unix_ms;
use super::probe::Silence;
pub use alone::{Row, alone, rows, without};
pub use drawing::{beside, drawing, served_us, span_us};
pub(in crate::agent) use keep::{answer, keep};
use log::Log;
pub use log::{Entry, MAX_ENTRIES, Place};
pub use measure::Clock;
pub(in crate::agent) use measure::monotonic;
pub use steps::{Step, StepKind};
use store::Reports;
pub use timeline::{EventKind, MAX_PAGE, Told, TwoNodes, Which, Whose};

/// Reports that are kept.
pub const MAX_REPORTS: usize = 50;
/// Entries of a report's time line, of both nodes together; those nearest to the move.
pub const MAX_SEEN: usize = 60;
/// Events in one answer to the other node.
const MAX_ANSWER: usize = 400;
/// Their bytes, well below what a question or an answer may have.
const MAX_ANSWER_BYTES: usize = 300 << 10;
/// A day in milliseconds.
const DAY_MS: u64 = 86_400_000;
/// Bytes of an event without its words.
const ENTRY_BYTES: usize = 400;

/// What kind of move it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MoveKind")]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Unplanned: the other node could not serve any more, or stopped.
    Failover,
    /// Return to the primary, as the settings say.
    Failback,
    /// Planned: by order, or for maintenance.
    Switchover,
    /// The role was handed over; why is not known.
    Handover,
    /// The same node lost the role and took it again.
    Interruption,
    /// Nobody is known to have served before.
    Start,
}

impl Kind {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Kind::Failover => "failover",
            Kind::Failback => "failback",
            Kind::Switchover => "switchover",
            Kind::Handover => "handover",
            Kind::Interruption => "interruption",
            Kind::Start => "start",
        }
    }
}

/// How the measured outage stands to the real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Both moments were recorded.
    Measured,
    /// It was not longer: the former active may have served beyond the first moment.
    AtMost,
    /// It was not shorter: the former active stopped before the first moment.
    AtLeast,
    /// It is not known.
    Unknown,
}

impl Bound {
    /// For people and tables.
    pub fn words(self) -> &'static str {
        match self {
            Bound::Measured => "measured",
            Bound::AtMost => "at most",
            Bound::AtLeast => "at least",
            Bound::Unknown => "not known",
        }
    }
}

/// For how long nobody served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outage {
    /// Milliseconds; none where it is not known.
    pub ms: Option<f64>,
    /// How that stands to the real one.
    pub bound: Bound,
    /// Milliseconds by which it may be wrong, because two clocks had to be compared.
    pub uncertainty_ms: f64,
    /// From which moment to which, and who recorded them; or why it is not known.
    pub how: String,
    /// What it means for clients.
    pub meaning: String,
}

impl Outage {
    /// In short, for people: `3.2 ms`, `at most 1.4 s`, `not known`.
    pub fn words(&self) -> String {
        let Some(ms) = self.ms else { return "not known".to_owned() };
        let span = words::span_ms(ms);
        match self.bound {
            Bound::AtMost => format!("at most {span}"),
            Bound::AtLeast => format!("at least {span}"),
            Bound::Measured | Bound::Unknown => span,
        }
    }
}

/// A move of the active role in short. Moments are of this node's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// The same on both nodes.
    pub id: String,
    /// What kind of move.
    pub kind: Kind,
    /// Who served before; none where that is not known.
    pub from: Option<String>,
    /// Who served then.
    pub to: String,
    /// Why, in a sentence.
    pub reason: String,
    /// When it began, in milliseconds since 1970 (UTC).
    pub began_ms: u64,
    /// When the new active node served.
    pub ended_ms: u64,
    /// How long nobody served.
    pub outage: Outage,
}

/// What a node saw or did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// Which node.
    pub node: String,
    /// When: microseconds since 1970 (UTC), by this node's clock for both.
    pub unix_us: u64,
    /// What it is about.
    pub kind: EventKind,
    /// In words.
    pub text: String,
    /// The role that the node has from here on, where that changed.
    pub role: Option<RoleWord>,
}

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// In short.
    #[serde(flatten)]
    pub summary: Summary,
    /// What came after what, and how long each took.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// On what the decision was based, sentence by sentence.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// What the probes of the nodes found silent meanwhile; empty where none is configured.
    #[serde(default)]
    pub probed: Vec<Silence>,
    /// What both nodes saw and did, in the order of time.
    pub timeline: Vec<Seen>,
    /// Why it came so, sentence by sentence.
    pub explained: Vec<String>,
    /// What is not in it, and why; empty when it is whole.
    pub missing: Vec<String>,
    /// Whether anything may still come to it.
    pub complete: bool,
    /// How far the other node's clock was ahead of this one's; none while that was not measured.
    pub clock: Option<Clock>,
}

/// Everything that is kept. Shared by API, dashboard and the task that keeps it up.
pub struct Failovers(Mutex<Inside>);

struct Inside {
    here: Log,
    there: Log,
    reports: Reports,
    /// Until when the other node's events are known, in microseconds of this node's clock.
    asked_us: Option<u64>,
    /// What the other node's probe found silent, by its clock.
    silences_there: Vec<Silence>,
}

impl Failovers {
    /// As it lies below the root.
    pub fn open(root: &Path) -> Failovers {
        let folder = root.join(crate::agent::engine::assemble::STATE);
        Failovers(Mutex::new(Inside {
            here: Log::open(&folder.join("events-here.jsonl")),
            there: Log::open(&folder.join("events-there.jsonl")),
            reports: Reports::open(&folder.join("failovers.json")),
            asked_us: None,
            silences_there: Vec::new(),
        }))
    }

    /// The reports, the newest first.
    pub fn all(&self) -> Vec<Report> {
        self.inside().reports.newest_first().cloned().collect()
    }

    /// One of them.
    pub fn find(&self, id: &str) -> Option<Report> {
        let inside = self.inside();
        inside.reports.newest_first().find(|report| report.summary.id == id).cloned()
    }

    /// The last move from one node to the other, or interruption.
    pub fn last(&self) -> Option<Summary> {
        let inside = self.inside();
        let mut all = inside.reports.newest_first().map(|report| &report.summary);
        all.find(|summary| summary.kind != Kind::Start).cloned()
    }

    /// All moves in short, the newest first, each with whether it is told to its end.
    pub(in crate::agent) fn moves(&self) -> Vec<(Summary, bool)> {
        let inside = self.inside();
        let all = inside.reports.newest_first();
        all.map(|report| (report.summary.clone(), report.complete)).collect()
    }

    /// All reports in short: only those that nothing may come to any more, or that are a day old,
    /// where `finished`.
    pub(in crate::agent) fn summaries(&self, finished: bool) -> Vec<Summary> {
        let inside = self.inside();
        let old = unix_ms().saturating_sub(DAY_MS);
        let is_it = |it: &&Report| !finished || it.complete || it.summary.ended_ms < old;
        inside.reports.newest_first().filter(is_it).map(|it| it.summary.clone()).collect()
    }

    /// The other node's name, as it said last.
    pub(in crate::agent) fn there(&self) -> Option<String> {
        self.inside().reports.there().map(str::to_owned)
    }

    /// How far the other node's clock was ahead of this one's when it was measured last.
    pub(in crate::agent) fn clock(&self) -> Option<Clock> {
        self.inside().reports.clock()
    }

    /// Events of both nodes.
    pub fn events(&self, name: &str, which: &Which) -> TwoNodes {
        let inside = self.inside();
        timeline::of(&inside, name, which)
    }

    /// This node's events after a place, for the other node.
    pub(in crate::agent) fn told(&self, after: Option<&Place>) -> Vec<Entry> {
        let mut entries = self.inside().here.after(after, MAX_ANSWER);
        let mut room = MAX_ANSWER_BYTES;
        // The words stand in each twice: as such, and in what they are made of.
        let fits = |entry: &&Entry| {
            let left = room.checked_sub(2 * entry.text.len() + ENTRY_BYTES);
            room = left.unwrap_or(0);
            left.is_some()
        };
        let kept = entries.iter().rev().take_while(fits).count();
        entries.drain(..entries.len() - kept);
        entries
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
