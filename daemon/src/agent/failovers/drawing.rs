//! A move of the role drawn: a lane for each node, the outage across them, and what a probe
//! measured below. An SVG whose looks come from the style around it. The console's page and the
//! report that stands alone call it; it knows nothing but the report.

use askama::Template;
use twinwall_core::beat::RoleWord;

use super::{Report, Seen};
use crate::agent::probe::Silence;

/// Of the wide and of the narrow picture.
const FORMS: [(&str, f64); 2] = [("wide", 760.0), ("narrow", 360.0)];
/// Beside the drawing.
const EDGE: f64 = 10.0;
/// The first lane, from the top.
const TOP: f64 = 74.0;
/// Between two lanes.
const LANE: f64 = 74.0;
/// Width of what is too short to be seen.
const LEAST: f64 = 2.0;
/// Around the move at the least, in microseconds.
const MARGIN: f64 = 3_000.0;

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
    word: String,
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
    /// The move in the middle, with room on both sides; a probe's silence is in it as a whole.
    fn of(report: &Report, served: f64, width: f64) -> Scale {
        let began = (report.summary.began_ms as f64 * 1e3).min(served);
        let gap = report.summary.outage.ms.map_or(began, |ms| served - ms * 1e3).min(began);
        let ends = report.probed.iter().flat_map(|it| [Some(it.from_us), it.to_us]).flatten();
        let ends = ends.map(|us| us as f64);
        let (left, right) =
            ends.fold((gap, served), |(left, right), us| (left.min(us), right.max(us)));
        let margin = ((right - left) * 0.4).max(MARGIN);
        Scale { left: left - margin, right: right + margin, width }
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

    fn bar(&self, class: &'static str, (from, to): (f64, f64), word: impl Into<String>) -> Bar {
        let (left, right) = (self.x(from), self.x(to));
        let (text, anchor) = self.anchor((left + right) / 2.0);
        let width = format!("{:.1}", (right - left).max(LEAST));
        Bar { class, x: format!("{left:.1}"), width, word: word.into(), text, anchor }
    }
}

/// The picture, wide and narrow; empty where nobody served before.
pub fn drawing(report: &Report) -> String {
    FORMS.map(|form| draw(report, form)).concat()
}

/// When the new active node served, as exactly as it was recorded, in microseconds since 1970.
pub fn served_us(report: &Report) -> f64 {
    let rough = report.summary.ended_ms;
    let is_it = |seen: &&Seen| {
        seen.node == report.summary.to
            && seen.role == Some(RoleWord::Active)
            && seen.unix_us / 1000 == rough
    };
    report.timeline.iter().find(is_it).map_or(rough as f64 * 1e3, |seen| seen.unix_us as f64)
}

/// Microseconds for people.
pub fn span_us(us: f64) -> String {
    match us {
        us if us < 10_000.0 => format!("{:.1} ms", us / 1e3),
        us if us < 1e6 => format!("{:.0} ms", us / 1e3),
        us if us < 60e6 => format!("{:.1} s", us / 1e6),
        us => format!("{:.0} min", us / 60e6),
    }
}

/// A moment beside the one at which the new active served.
pub fn beside(unix_us: u64, served: f64) -> String {
    let beside = unix_us as f64 - served;
    let sign = if beside < 0.0 { "−" } else { "+" };
    if beside == 0.0 { "0".to_owned() } else { format!("{sign}{}", span_us(beside.abs())) }
}

fn draw(report: &Report, (class, width): (&'static str, f64)) -> String {
    let summary = &report.summary;
    let Some(from) = &summary.from else { return String::new() };
    let served = served_us(report);
    let scale = Scale::of(report, served, width);
    let stop = summary.outage.ms.map(|ms| served - ms * 1e3);
    let mut names = vec![from.as_str()];
    names.extend((*from != summary.to).then_some(summary.to.as_str()));
    let place = |at: usize| TOP + LANE * at as f64;
    let of_node =
        |(at, name): (usize, &&str)| lane(report, &scale, name, place(at), (stop, served));
    let mut lanes: Vec<Lane> = names.iter().enumerate().map(of_node).collect();
    let probes = report.probed.iter().enumerate();
    lanes.extend(probes.map(|(at, silence)| probe(&scale, silence, place(names.len() + at))));
    let height = place(lanes.len() - 1) + 60.0;
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
            bars.push(scale.bar("serves", (scale.left, end), "served"));
        }
        if let Some(released) = released {
            let end = first(RoleWord::Passive, released).unwrap_or(scale.right);
            bars.push(scale.bar("forwards", (released, end), "forwarded"));
        }
    }
    if report.summary.to == name {
        if let Some(claimed) = first(RoleWord::Claiming, scale.left).filter(|it| *it <= served) {
            bars.push(scale.bar("claims", (claimed, served), ""));
        }
        bars.push(scale.bar("serves", (served, scale.right), "serves"));
    }
    let mark = |it: &Seen| (format!("{:.1}", scale.x(it.unix_us as f64)), it.text.clone());
    Lane { name: name.to_owned(), y, bars, marks: seen().map(mark).collect() }
}

/// For how long a probe had no answer.
fn probe(scale: &Scale, silence: &Silence, y: f64) -> Lane {
    let to = silence.to_us.map_or(scale.right, |us| us as f64);
    let bar = scale.bar("silent", (silence.from_us as f64, to), silence.words());
    let name = format!("probe of {}", silence.node);
    Lane { name, y, bars: vec![bar], marks: Vec::new() }
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
        assert_eq!(beside(1_000, 3_500.0), "−2.5 ms");
        assert_eq!(beside(1_000, 1_000.0), "0");
    }

    #[test]
    fn words_stay_in_the_picture() {
        let scale = Scale { left: 0.0, right: 100.0, width: 360.0 };
        assert_eq!(scale.anchor(scale.x(0.0)).1, "start");
        assert_eq!(scale.anchor(scale.x(50.0)).1, "middle");
        assert_eq!(scale.anchor(scale.x(1e9)).1, "end");
    }
}
