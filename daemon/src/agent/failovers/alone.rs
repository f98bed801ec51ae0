//! A report as one HTML file that needs nothing beside it: for a mail, a ticket, an archive. It
//! holds its own style and drawing, no script, and nothing from elsewhere. API and command
//! hand it out.

use askama::Template;

use super::drawing::{beside, drawing, served_us, span_us};
use super::{Kind, Report};
use crate::agent::moment::Moment;
use crate::agent::probe::Silence;

#[derive(Template)]
#[template(path = "alone/failover.html")]
struct Alone<'a> {
    report: &'a Report,
    heading: String,
    ended: Moment,
    made: Moment,
    node: &'a str,
    error: Option<String>,
    picture: String,
    explained: Vec<String>,
    rows: Vec<Row>,
    served: f64,
}

/// A row of the time line.
pub struct Row {
    /// Beside the moment at which the new active served.
    pub beside: String,
    /// The node that saw it.
    pub node: String,
    /// What.
    pub text: String,
    /// Whether its role changed.
    pub is_role: bool,
}

impl Alone<'_> {
    fn beside(&self, unix_us: &u64) -> String {
        beside(*unix_us, self.served)
    }

    fn span(&self, ms: &f64) -> String {
        span_us(ms * 1000.0)
    }
}

/// The time line in rows.
pub fn rows(report: &Report) -> Vec<Row> {
    let served = served_us(report);
    let row = |seen: &super::Seen| Row {
        beside: beside(seen.unix_us, served),
        node: seen.node.clone(),
        text: seen.text.clone(),
        is_role: seen.role.is_some(),
    };
    report.timeline.iter().map(row).collect()
}

/// The sentences that do not stand with the outage already.
pub fn without(report: &Report) -> Vec<String> {
    let outage = &report.summary.outage;
    let probed: Vec<String> = report.probed.iter().map(Silence::sentence).collect();
    let is_above = |sentence: &&String| {
        sentence.ends_with(&outage.meaning) || **sentence == outage.how || probed.contains(sentence)
    };
    report.explained.iter().filter(|it| !is_above(it)).cloned().collect()
}

/// The file, as the node called `node` makes it at `now_ms`.
///
/// # Errors
/// When there is no memory for it.
pub fn alone(report: &Report, node: &str, now_ms: u64) -> Result<String, askama::Error> {
    let summary = &report.summary;
    let kind = match summary.kind {
        Kind::Failover => "Failover",
        Kind::Failback => "Failback",
        Kind::Switchover => "Switchover",
        Kind::Handover => "Handover",
        Kind::Interruption => "Interruption",
        Kind::Start => "Start",
    };
    let heading = match summary.from.as_ref().filter(|from| **from != summary.to) {
        Some(from) => format!("{kind}: {from} → {}", summary.to),
        None => format!("{kind}: {}", summary.to),
    };
    let error = summary.outage.uncertainty_ms;
    let page = Alone {
        heading,
        ended: Moment::of(summary.ended_ms),
        made: Moment::of(now_ms),
        node,
        error: (error > 0.0 && summary.outage.ms.is_some()).then(|| span_us(error * 1000.0)),
        picture: drawing(report),
        explained: without(report),
        rows: rows(report),
        served: served_us(report),
        report,
    };
    page.render()
}
