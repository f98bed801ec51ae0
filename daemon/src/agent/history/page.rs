//! The availability report as a file: HTML that needs nothing beside it, and CSV for a table
//! program.

use std::fmt::Write;

use askama::Template;

use super::availability::{Availability, Day, span};
use crate::agent::failovers::Summary;
use crate::agent::moment::Moment;

#[derive(Template)]
#[template(path = "alone/availability.html")]
struct Page<'a> {
    report: &'a Availability,
    made: Moment,
    to: Moment,
    headline: String,
}

impl Page<'_> {
    fn span(&self, ms: &f64) -> String {
        span(*ms)
    }

    fn time(&self, ms: &u64) -> String {
        Moment::of(*ms).text
    }

    fn way(&self, summary: &Summary) -> String {
        match summary.from.as_ref().filter(|from| **from != summary.to) {
            Some(from) => format!("{from} → {}", summary.to),
            None => summary.to.clone(),
        }
    }

    /// The looks of a day in the drawing.
    fn class(&self, day: &Day) -> &'static str {
        day_class(day)
    }

    fn words(&self, day: &Day) -> String {
        day_words(&self.report.month, day)
    }

    fn x(&self, day: &Day) -> u32 {
        10 + (day.day - 1) * 24
    }
}

/// How a day looks: nothing known, an outage, out of sync, or well.
pub fn day_class(day: &Day) -> &'static str {
    if day.watched_ms <= 0.0 {
        "none"
    } else if day.down_ms > 0.0 {
        "down"
    } else if day.out_of_sync_ms > 0.0 {
        "apart"
    } else {
        "up"
    }
}

/// A day in words.
pub fn day_words(month: &str, day: &Day) -> String {
    if day.watched_ms <= 0.0 {
        return format!("{month}-{:02}: not watched", day.day);
    }
    let (down, apart) = (span(day.down_ms), span(day.out_of_sync_ms));
    format!(
        "{month}-{:02}: nobody served for {down}, out of sync for {apart}, {} moves of the role",
        day.day, day.moves
    )
}

/// The availability in percent, as exactly as says something: `99.9993 %`. Never rounded up to
/// a hundred.
pub fn percent(report: &Availability) -> String {
    match report.percent {
        None => "not known".to_owned(),
        Some(all) if all >= 100.0 => "100 %".to_owned(),
        Some(percent) => format!("{:.4} %", (percent * 10_000.0).floor() / 10_000.0),
    }
}

/// The HTML file.
///
/// # Errors
/// When there is no memory for it.
pub fn page(report: &Availability, now_ms: u64) -> Result<String, askama::Error> {
    let headline = percent(report);
    Page { report, made: Moment::of(now_ms), to: Moment::of(report.to_ms), headline }.render()
}

/// The CSV file (RFC 4180): sums first, then each move and each drill.
pub fn csv(report: &Availability) -> String {
    let mut text = String::from("what,from,to,seconds,node before,node after,cause,certainty\r\n");
    let (from, to) = (Moment::of(report.from_ms).iso, Moment::of(report.to_ms).iso);
    for (what, ms) in [
        ("watched", report.watched_ms),
        ("up", report.up_ms),
        ("down", report.down_ms),
        ("out of sync", report.out_of_sync_ms),
        ("off", report.off_ms),
    ] {
        row(&mut text, &[what, &from, &to, &seconds(Some(ms)), "", "", "", ""]);
    }
    for one in &report.moves {
        let (began, ended) = (Moment::of(one.began_ms).iso, Moment::of(one.ended_ms).iso);
        let outage = seconds(one.outage.ms);
        let before = one.from.as_deref().unwrap_or_default();
        let certainty = one.outage.bound.words();
        let kind = one.kind.words();
        row(&mut text, &[kind, &began, &ended, &outage, before, &one.to, &one.reason, certainty]);
    }
    for drill in &report.drills {
        let (began, ended) = (Moment::of(drill.began_ms).iso, Moment::of(drill.ended_ms).iso);
        let took = seconds(Some(drill.ended_ms.saturating_sub(drill.began_ms) as f64));
        let how = drill.failed.as_deref().unwrap_or("went well");
        row(&mut text, &["drill", &began, &ended, &took, "", "", how, ""]);
    }
    text
}

fn seconds(ms: Option<f64>) -> String {
    ms.map(|ms| format!("{:.4}", ms / 1000.0)).unwrap_or_default()
}

fn row(text: &mut String, fields: &[&str]) {
    for (at, field) in fields.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{}", quoted(field));
    }
    text.push_str("\r\n");
}

/// A field that no table program takes for a formula.
fn quoted(field: &str) -> String {
    let guard = if field.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if guard.is_empty() && !field.contains([',', '"', '\r', '\n']) {
        return field.to_owned();
    }
    format!("\"{guard}{}\"", field.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(percent: Option<f64>) -> Availability {
        Availability {
            node: "gw-a".to_owned(),
            month: "2026-11".to_owned(),
            from_ms: 0,
            to_ms: 60_000,
            watched_ms: 60_000.0,
            up_ms: 59_999.2,
            down_ms: 0.8,
            percent,
            out_of_sync_ms: 0.0,
            off_ms: 0.0,
            unknown_outages: 0,
            moves: Vec::new(),
            drills: vec![super::super::Drill {
                began_ms: 1_000,
                ended_ms: 3_500,
                who: "root".to_owned(),
                moves: Vec::new(),
                failed: Some("=1+1, \"no\"".to_owned()),
            }],
            days: vec![Day {
                day: 1,
                watched_ms: 60_000.0,
                down_ms: 0.8,
                out_of_sync_ms: 0.0,
                moves: 1,
            }],
            missing: vec!["<b>nothing</b>".to_owned()],
            months: Vec::new(),
        }
    }

    #[test]
    fn an_outage_is_never_rounded_away() {
        assert_eq!(percent(&report(Some(99.999_999))), "99.9999 %");
        assert_eq!(percent(&report(Some(100.0))), "100 %");
        assert_eq!(percent(&report(None)), "not known");
    }

    #[test]
    fn a_field_of_the_table_is_neither_a_formula_nor_two_fields() {
        let text = csv(&report(None));
        assert!(
            text.contains("down,1970-01-01T00:00:00.000Z,1970-01-01T00:01:00.000Z,0.0008,"),
            "{text}"
        );
        assert!(text.contains("2.5000,,,\"'=1+1, \"\"no\"\"\","), "{text}");
        assert!(text.lines().all(|line| line.matches(',').count() >= 7), "{text}");
    }

    #[test]
    fn the_page_needs_nothing_beside_it_and_runs_nothing() {
        let html = page(&report(Some(99.5)), 0).expect("made");
        assert!(html.contains("99.5000 %") && html.contains("class=\"day down\""), "{html}");
        for word in ["<script", "src=", "href=", "url(", "<b>nothing"] {
            assert!(!html.contains(word), "{word}: {html}");
        }
    }
}
