//! Lines of logs as rows of a table: for the page, and for each of those that come.

use askama::Template;

use crate::agent::logs::search::{LogLine, MissingLines};
use crate::agent::logs::visible::visible;
use crate::web::pages::moment::Moment;

/// A line with more bytes is folded: some are as long as a whole page of others.
const LONG: usize = 1_024;
/// Bytes of such a line that are seen before it is opened.
const BEGINNING: usize = 320;

/// Some rows, the newest first.
#[derive(Template)]
#[template(path = "logs/rows.html")]
pub(super) struct Rows {
    /// What is said above them.
    notes: Vec<String>,
    rows: Vec<Row>,
}

/// A line.
struct Row {
    at: Moment,
    node: String,
    source: String,
    event: Option<&'static str>,
    fields: Vec<(&'static str, String)>,
    text: String,
    folded: Option<Folded>,
    missing: Option<String>,
}

/// What is seen of a long line before it is opened.
struct Folded {
    beginning: String,
    /// How much it is in all.
    size: String,
}

impl Folded {
    fn of(said: &str) -> Option<Folded> {
        let end = (0..=BEGINNING).rev().find(|end| said.is_char_boundary(*end)).unwrap_or(0);
        (said.len() > LONG).then(|| Folded {
            beginning: visible(&said[..end]).into_owned(),
            size: format!("{:.1} KiB", said.len() as f64 / 1024.0),
        })
    }
}

impl Rows {
    /// Of these lines, which are the newest first.
    pub(super) fn of<'l>(lines: impl IntoIterator<Item = &'l LogLine>) -> Rows {
        Rows { notes: Vec::new(), rows: lines.into_iter().map(row).collect() }
    }

    /// With the word that so many lines before them were left out.
    pub(super) fn left_out(mut self, count: u64) -> Rows {
        let text = || format!("{count} more lines came than can be shown; filter for fewer.");
        self.notes.extend((count > 0).then(text));
        self
    }

    /// With the word that these lines are missing behind the newest ones.
    pub(super) fn missing(mut self, missing: &[MissingLines]) -> Rows {
        self.notes.extend(missing.iter().map(|it| match it.lines {
            1 => format!("A line of {} is missing here.", it.node),
            many => format!("{many} lines of {} are missing here.", it.node),
        }));
        self
    }

    /// As HTML.
    pub(super) fn draw(&self) -> String {
        self.render().unwrap_or_default()
    }
}

fn row(line: &LogLine) -> Row {
    let fields = line.fields.as_ref();
    let shown = fields.map(|it| it.shown()).unwrap_or_default().into_iter();
    Row {
        at: Moment::of(line.at_us / 1_000),
        node: line.node.clone(),
        source: visible(&line.source).into_owned(),
        event: fields.map(|fields| fields.event.words()),
        fields: shown.map(|(name, value)| (name, visible(&value).into_owned())).collect(),
        text: visible(line.said()).into_owned(),
        folded: Folded::of(line.said()),
        missing: match line.missing {
            0 => None,
            1 => Some(format!("A line of {} is missing before this one.", line.node)),
            many => Some(format!("{many} lines of {} are missing before this one.", line.node)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::logs::parse::{Event, Format, parse_line};
    use crate::agent::logs::store::Origin;

    fn line(text: &str, hint: Option<Format>) -> LogLine {
        LogLine {
            origin: Origin::Here,
            node: "gw-a".to_owned(),
            number: 1,
            at_us: 1_796_032_800_000_000,
            read_us: 1_796_032_800_000_000,
            source: "vpn".to_owned(),
            text: text.to_owned(),
            stamp_bytes: 0,
            fields: parse_line(text, hint, 1_796_032_800_000_000, 0).fields,
            missing: 0,
        }
    }

    #[test]
    fn nothing_that_a_line_holds_becomes_a_part_of_the_page() {
        let hostile = "198.51.100.7:5 [<img src=x onerror=alert(1)>] Peer Connection Initiated with \
                       [AF_INET]\"'><script>alert(1)</script>&amp;\u{1b}[2J\u{202e}";
        let line = line(hostile, Some(Format::Openvpn));
        assert_eq!(line.fields.as_ref().map(|it| it.event), Some(Event::TunnelUp));
        let html = Rows::of([&line]).draw();
        for wrong in ["<img", "<script", "'>", "\u{1b}", "\u{202e}"] {
            assert!(!html.contains(wrong), "{wrong}: {html}");
        }
        assert!(html.contains("\\x1b[2J\\u{202e}") && html.contains("tunnel up"), "{html}");
        assert_eq!(html.matches("<tr").count(), 1, "{html}");
    }

    #[test]
    fn a_long_line_is_folded_and_can_be_seen_whole() {
        let html = Rows::of([&line(&"x".repeat(LONG), None)]).draw();
        assert!(!html.contains("<details"), "{html}");
        // No letter is cut in two, and what is hostile is as harmless in both places.
        let long = format!("a{}<script>\u{202e}", "\u{e4}".repeat(128 << 10));
        let html = Rows::of([&line(&long, None), &line("short", None)]).draw();
        assert_eq!((html.matches("<details").count(), html.matches("<tr").count()), (1, 2));
        let (closed, opened) = html.split_once("</summary>").expect("a summary");
        assert!(closed.len() < 1_500 && closed.contains("The whole line, 256.0 KiB"), "{closed}");
        assert_eq!(closed.matches('\u{e4}').count(), (BEGINNING - 1) / 2);
        let whole = format!("{}&#60;script&#62;\\u{{202e}}</code>", "\u{e4}".repeat(128 << 10));
        assert!(opened.contains(&whole), "{}", opened.len());
    }

    #[test]
    fn what_is_missing_and_what_was_left_out_is_told() {
        let missing = LogLine { missing: 3, ..line("a", None) };
        let html = Rows::of([&missing]).left_out(12).draw();
        assert!(html.contains("3 lines of gw-a are missing"), "{html}");
        assert!(html.contains("12 more lines came") && html.matches("<tr").count() == 2, "{html}");
        let behind = MissingLines { origin: Origin::Here, node: "gw-a".to_owned(), lines: 7 };
        let html = Rows::of([&line("a", None)]).missing(&[behind]).draw();
        let (mark, at) = (html.find("7 lines of gw-a are missing here"), html.find("<code>a"));
        assert!(mark.is_some() && mark < at, "{html}");
        assert!(Rows::of([]).left_out(0).draw().trim().is_empty());
    }
}
