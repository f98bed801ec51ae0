//! `twinwall failovers`: the moves of the active role, each with its outage, and one of them
//! with what both nodes saw and did.

use std::path::Path;

use twinwall::agent::failovers::{Report, Summary};
use twinwall::failure::Failure;

use super::reports;
use crate::api_client::Api;
use crate::cli::FailoversArgs;
use crate::show::{print, print_json};
use crate::system;

pub(super) fn failovers(root: &Path, args: &FailoversArgs) -> Result<(), Failure> {
    let api = Api::of(root);
    match &args.id {
        Some(id) => {
            let plain = |it: char| it.is_ascii_alphanumeric() || it == '-';
            if id.is_empty() || !id.chars().all(plain) {
                return Err(Failure::problem(format!(
                    "'{id}' names no report; 'twinwall failovers' lists them"
                )));
            }
            if let Some(file) = &args.html {
                let page = api.fetch(&format!("/api/v1/failovers/{id}/page"))?;
                return reports::write(file, &page);
            }
            let report: Report = api.get(&format!("/api/v1/failovers/{id}"))?;
            if args.json { print_json(&report) } else { print(&whole(&report)) }
        }
        None => {
            let reports: Vec<Report> = api.get(&format!("/api/v1/failovers?last={}", args.last))?;
            if args.json { print_json(&reports) } else { print(&list(&reports)) }
        }
    }
}

fn list(reports: &[Report]) -> String {
    if reports.is_empty() {
        return "The active role has not moved, as far as is known here.\n".to_owned();
    }
    reports.iter().map(|report| line(&report.summary)).collect()
}

fn line(summary: &Summary) -> String {
    format!(
        "{}  {}  {}  outage {}\n    {}: {}\n",
        system::local_time(summary.ended_ms),
        summary.id,
        way(summary),
        summary.outage.words(),
        summary.kind.words(),
        summary.reason
    )
}

fn way(summary: &Summary) -> String {
    match &summary.from {
        Some(from) if *from != summary.to => format!("{from} -> {}", summary.to),
        Some(_) | None => summary.to.clone(),
    }
}

/// What came after what, and on what the decision was based.
fn steps(report: &Report) -> String {
    let mut text = String::from("\nStep by step, with the time since the step before:\n");
    for step in &report.steps {
        let error = match step.uncertainty_ms {
            error if error > 0.0 => format!(" (± {error:.1} ms)"),
            _exact => String::new(),
        };
        let (took, word) = (step.took_ms, step.kind.words());
        text += &format!("{took:>+12.1} ms  {:<12} {word:<8} {}{error}\n", step.node, step.text);
    }
    if !report.evidence.is_empty() {
        text += "\nEvidence:\n";
        text.extend(report.evidence.iter().map(|sentence| format!("  {sentence}\n")));
    }
    text + "\nWhat each node saw and did:\n"
}

fn whole(report: &Report) -> String {
    let mut text = line(&report.summary);
    for sentence in report.explained.iter().chain(&report.missing) {
        text += &format!("{sentence}\n");
    }
    text += &steps(report);
    let end = i128::from(report.summary.ended_ms) * 1000;
    for seen in &report.timeline {
        let beside = (i128::from(seen.unix_us) - end) as f64 / 1000.0;
        text += &format!("{beside:>+12.1} ms  {:<12} {}\n", seen.node, seen.text);
    }
    text
}
