//! The report of one move of the role: the outage, what both nodes saw and did as a picture
//! of two lanes and in words, and why it came so.

use askama::Template;
use axum::extract::{ConnectInfo, Path, State};
use axum::response::Response;
use twinwall_core::beat::RoleWord;

use super::events::{is_plain, way};
use super::moment::Moment;
use super::{Frame, Place, failed, shown};
use crate::agent::failovers::{Report, Seen};
use crate::web::access::SignedIn;
use crate::web::listen::Ends;
use crate::web::state::Shared;

/// Of the wide and of the narrow picture.
const FORMS: [(&str, f64); 2] = [("wide", 760.0), ("narrow", 360.0)];
/// Beside the drawing.
const EDGE: f64 = 10.0;
/// Lanes, from the top.
const LANES: [f64; 2] = [74.0, 148.0];
const LANE: f64 = 74.0;
/// Width of what is too short to be seen.
const LEAST: f64 = 2.0;
/// Around the move at the least, in microseconds.
const MARGIN: f64 = 3_000.0;

#[derive(Template)]
#[template(path = "events/failover.html")]
struct Page {
    page: Frame,
    report: Report,
    heading: String,
    ended: Moment,
    error: Option<String>,
    picture: String,
    /// What does not stand above it already.
    explained: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    beside: String,
    node: String,
    text: String,
    is_role: bool,
}

pub(super) async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Path(id): Path<String>,
) -> Response {
    if let Err(refusal) = is_plain(&id) {
        return failed(&refusal);
    }
    let report: Report = match console.agent.get(&format!("/api/v1/failovers/{id}")).await {
        Ok(report) => report,
        Err(refusal) => return failed(&refusal),
    };
    let page = Frame::inside("Failover report", Place::Events, &console, &person, ends).await;
    let summary = &report.summary;
    let kind = summary.kind.words();
    let heading = format!("{}{}: {}", kind[..1].to_uppercase(), &kind[1..], way(summary));
    let error = summary.outage.uncertainty_ms;
    let served = served_us(&report);
    shown(&Page {
        heading,
        ended: Moment::of(summary.ended_ms),
        error: (error > 0.0 && summary.outage.ms.is_some()).then(|| span_us(error * 1000.0)),
        picture: FORMS.map(|form| draw(&report, form)).concat(),
        explained: explained(&report),
        rows: report.timeline.iter().map(|seen| row(seen, served)).collect(),
        report,
        page,
    })
}

fn explained(report: &Report) -> Vec<String> {
    let outage = &report.summary.outage;
    let is_above =
        |sentence: &&String| sentence.ends_with(&outage.meaning) || **sentence == outage.how;
    report.explained.iter().filter(|it| !is_above(it)).cloned().collect()
}

fn row(seen: &Seen, served: f64) -> Row {
    let beside = seen.unix_us as f64 - served;
    let sign = if beside < 0.0 { "−" } else { "+" };
    Row {
        beside: if beside == 0.0 {
            "0".to_owned()
        } else {
            format!("{sign}{}", span_us(beside.abs()))
        },
        node: seen.node.clone(),
        text: seen.text.clone(),
        is_role: seen.role.is_some(),
    }
}

/// Microseconds for people.
fn span_us(us: f64) -> String {
    match us {
        us if us < 10_000.0 => format!("{:.1} ms", us / 1e3),
        us if us < 1e6 => format!("{:.0} ms", us / 1e3),
        us if us < 60e6 => format!("{:.1} s", us / 1e6),
        us => format!("{:.0} min", us / 60e6),
    }
}

/// When the new active node served, as exactly as it was recorded.
fn served_us(report: &Report) -> f64 {
    let rough = report.summary.ended_ms;
    let is_it = |seen: &&Seen| {
        seen.node == report.summary.to
            && seen.role == Some(RoleWord::Active)
            && seen.unix_us / 1000 == rough
    };
    report.timeline.iter().find(is_it).map_or(rough as f64 * 1e3, |seen| seen.unix_us as f64)
}

#[derive(Template)]
#[template(path = "events/lanes.html")]
struct Picture {
    class: &'static str,
    width: f64,
    height: f64,
    label: String,
    gap: Option<Gap>,
    lanes: Vec<Lane>,
    served: String,
    first: String,
    first_word: String,
    last_word: String,
}

struct Gap {
    x: String,
    width: String,
    text: String,
    anchor: &'static str,
    word: String,
}

struct Lane {
    name: String,
    y: f64,
    bars: Vec<Bar>,
    marks: Vec<(String, String)>,
}

struct Bar {
    class: &'static str,
    x: String,
    width: String,
    word: &'static str,
    text: String,
    anchor: &'static str,
}

/// Between moments and places.
struct Scale {
    left: f64,
    right: f64,
    width: f64,
}

impl Scale {
    /// The move in the middle, with room on both sides.
    fn of(report: &Report, served: f64, width: f64) -> Scale {
        let began = (report.summary.began_ms as f64 * 1e3).min(served);
        let gap = report.summary.outage.ms.map_or(began, |ms| served - ms * 1e3).min(began);
        let margin = ((served - gap) * 0.4).max(MARGIN);
        Scale { left: gap - margin, right: served + margin, width }
    }

    fn x(&self, us: f64) -> f64 {
        let share = ((us - self.left) / (self.right - self.left)).clamp(0.0, 1.0);
        EDGE + share * (self.width - 2.0 * EDGE)
    }

    fn shows(&self, seen: &Seen) -> bool {
        (self.left..=self.right).contains(&(seen.unix_us as f64))
    }

    /// Where a word stands and how it is anchored, so that it stays in the picture.
    fn anchor(&self, x: f64) -> (String, &'static str) {
        let anchor = match x / self.width {
            share if share < 0.3 => "start",
            share if share > 0.7 => "end",
            _between => "middle",
        };
        (format!("{x:.1}"), anchor)
    }

    fn bar(&self, class: &'static str, from: f64, to: f64, word: &'static str) -> Bar {
        let (left, right) = (self.x(from), self.x(to));
        let (text, anchor) = self.anchor((left + right) / 2.0);
        Bar {
            class,
            x: format!("{left:.1}"),
            width: format!("{:.1}", (right - left).max(LEAST)),
            word,
            text,
            anchor,
        }
    }
}

/// The picture; none where nobody served before.
fn draw(report: &Report, (class, width): (&'static str, f64)) -> String {
    let summary = &report.summary;
    let Some(from) = &summary.from else { return String::new() };
    let served = served_us(report);
    let scale = Scale::of(report, served, width);
    let stop = summary.outage.ms.map(|ms| served - ms * 1e3);
    let mut names = vec![from.as_str()];
    names.extend((*from != summary.to).then_some(summary.to.as_str()));
    let lanes: Vec<Lane> = names
        .iter()
        .zip(LANES)
        .map(|(name, y)| lane(report, &scale, name, y, (stop, served)))
        .collect();
    let height = LANES[0] + LANE * (lanes.len() as f64 - 1.0) + 60.0;
    let picture = Picture {
        class,
        width,
        height,
        label: label(report),
        gap: stop.map(|stop| gap(&scale, stop, served, &summary.outage.words())),
        lanes,
        served: format!("{:.1}", scale.x(served)),
        first: format!("{EDGE:.1}"),
        first_word: format!("−{}", span_us(served - scale.left)),
        last_word: format!("+{}", span_us(scale.right - served)),
    };
    picture.render().unwrap_or_default()
}

fn gap(scale: &Scale, stop: f64, served: f64, words: &str) -> Gap {
    let (left, right) = (scale.x(stop), scale.x(served));
    let (text, anchor) = scale.anchor((left + right) / 2.0);
    Gap {
        x: format!("{left:.1}"),
        width: format!("{:.1}", (right - left).max(LEAST)),
        text,
        anchor,
        word: format!("outage {words}"),
    }
}

fn lane(
    report: &Report,
    scale: &Scale,
    name: &str,
    y: f64,
    (stop, served): (Option<f64>, f64),
) -> Lane {
    let seen = || report.timeline.iter().filter(move |seen| seen.node == name && scale.shows(seen));
    let first = |role: RoleWord, after: f64| {
        let at = seen().filter(|it| it.role == Some(role)).map(|it| it.unix_us as f64);
        at.filter(|us| *us >= after).reduce(f64::min)
    };
    let mut bars = Vec::new();
    if report.summary.from.as_deref() == Some(name) {
        let released = first(RoleWord::Releasing, scale.left);
        let passive = first(RoleWord::Passive, scale.left);
        if let Some(end) = [released, passive].into_iter().flatten().reduce(f64::min).or(stop) {
            bars.push(scale.bar("serves", scale.left, end, "served"));
        }
        if let Some(released) = released {
            let end = first(RoleWord::Passive, released).unwrap_or(scale.right);
            bars.push(scale.bar("forwards", released, end, "forwarded"));
        }
    }
    if report.summary.to == name {
        if let Some(claimed) = first(RoleWord::Claiming, scale.left).filter(|it| *it <= served) {
            bars.push(scale.bar("claims", claimed, served, ""));
        }
        bars.push(scale.bar("serves", served, scale.right, "serves"));
    }
    let mark = |it: &Seen| (format!("{:.1}", scale.x(it.unix_us as f64)), it.text.clone());
    Lane { name: name.to_owned(), y, bars, marks: seen().map(mark).collect() }
}

/// The picture in words.
fn label(report: &Report) -> String {
    let summary = &report.summary;
    let from = summary.from.as_deref().unwrap_or("nobody");
    format!(
        "{from} served until the outage began, {} served from its end on. Outage: {}.",
        summary.to,
        summary.outage.words()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_as_exactly_as_they_are_of_use() {
        for (us, text) in
            [(840.0, "0.8 ms"), (12_400.0, "12 ms"), (3_210_000.0, "3.2 s"), (240e6, "4 min")]
        {
            assert_eq!(span_us(us), text);
        }
    }

    #[test]
    fn words_stay_in_the_picture() {
        let scale = Scale { left: 0.0, right: 100.0, width: 360.0 };
        assert_eq!(scale.anchor(scale.x(0.0)).1, "start");
        assert_eq!(scale.anchor(scale.x(50.0)).1, "middle");
        assert_eq!(scale.anchor(scale.x(1e9)).1, "end");
    }
}
