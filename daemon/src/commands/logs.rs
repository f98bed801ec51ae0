//! `twinwall logs`: the logs of both nodes, merged by time, and what comes. A terminal is shown no
//! control character of a line: whoever can write a log line must not be able to move its cursor.

mod pages;

use std::path::Path;
use std::time::Duration;

use twinwall::agent::logs::search::{LogLine, LogNews, LogsPage, MissingLines, PAGE};
use twinwall::agent::logs::view::LogsView;
use twinwall::agent::logs::visible::visible;
use twinwall::failure::Failure;
use twinwall::percent::encoded;

use crate::api_client::Api;
use crate::cli::LogsArgs;
use crate::show::{print, print_json, print_raw};
use crate::system;

/// What the fields of a question are called here.
const OPTIONS: [(&str, &str); 7] = [
    ("node", "--node"),
    ("source", "--source"),
    ("text", "--text"),
    ("regex", "--grep"),
    ("since_ms", "--since"),
    ("until_ms", "--until"),
    ("last", "--last"),
];
/// Between the end of a stream and the next one.
const AGAIN: Duration = Duration::from_millis(200);

pub(super) fn logs(root: &Path, args: &LogsArgs) -> Result<(), Failure> {
    let api = Api::of(root).naming(&OPTIONS);
    if args.sources {
        let view: LogsView = api.get("/api/v1/logs/sources")?;
        return if args.json { print_json(&view) } else { print(&sources(&view)) };
    }
    let unasked = if args.since.is_some() { usize::MAX } else { PAGE };
    let path = timed(args);
    let mut ask = |last: usize, before: Option<&str>| {
        let from = before.map(|before| format!("&before={before}")).unwrap_or_default();
        api.get::<LogsPage>(&format!("/api/v1/logs?last={last}{path}{from}"))
    };
    let found = pages::find(args.last.unwrap_or(unasked), pages::MAX_HELD, &mut ask)?;
    let newest = found.newest.clone();
    if found.count == 0 || args.follow {
        let none = found.count == 0 && !args.follow && args.last != Some(0);
        let view: LogsView = api.get("/api/v1/logs/sources")?;
        if let Some(why) = nothing(&view, none.then_some(path.as_str())) {
            eprint!("{why}");
        }
    }
    let behind = found.show(&mut ask, |line| show(line, args))?;
    mark_all(&behind, args)?;
    if args.follow { follow(&api, args, newest) } else { Ok(()) }
}

/// Why there is nothing to see, if there is a reason; of a question to which there is no line,
/// that.
fn nothing(view: &LogsView, question: Option<&str>) -> Option<String> {
    match question {
        _ if !view.on => Some(off(view)),
        Some("") => Some("No line is kept yet.\n".to_owned()),
        Some(_) => Some("No line of this kind is kept.\n".to_owned()),
        None => None,
    }
}

/// Why no logs are kept.
fn off(view: &LogsView) -> String {
    match &view.trouble {
        Some(trouble) => format!("No new line is kept: {trouble}\n"),
        None => {
            "Logs are not synchronised; turn it on: twinwall ha set sync.logs=true\n".to_owned()
        }
    }
}

/// The question.
fn timed(args: &LogsArgs) -> String {
    let times = [("since_ms", args.since), ("until_ms", args.until)];
    let times = times.into_iter().filter_map(|(name, ms)| Some(format!("&{name}={}", ms?)));
    filter(args) + &times.collect::<String>()
}

/// The question, without its times.
fn filter(args: &LogsArgs) -> String {
    let source = (!args.source.is_empty()).then(|| args.source.join(","));
    let fields = [
        ("node", args.node.as_deref()),
        ("source", source.as_deref()),
        ("text", args.text.as_deref()),
        ("regex", args.grep.as_deref()),
    ];
    let part = |(name, value): (&str, Option<&str>)| Some(format!("&{name}={}", encoded(value?)));
    fields.into_iter().filter_map(part).collect()
}

/// Shows what comes for as long as the agent is there. It ends a stream now and then; the next one
/// goes on where that was.
fn follow(api: &Api, args: &LogsArgs, mut after: String) -> Result<(), Failure> {
    loop {
        let path = format!("/api/v1/logs/follow?after={}{}", encoded(&after), filter(args));
        api.stream(&path, |news: LogNews| {
            if news.left_out > 0 && !args.json {
                let many = news.left_out;
                print(&format!(
                    "… {many} lines came too fast and are left out; ask for fewer …\n"
                ))?;
            }
            news.lines.iter().try_for_each(|line| show(line, args))?;
            mark_all(&news.missing, args)?;
            after = news.after;
            Ok(())
        })?;
        std::thread::sleep(AGAIN);
    }
}

/// How the kept logs stand: both copies, and each source.
fn sources(view: &LogsView) -> String {
    if !view.on {
        return off(view);
    }
    let mut text = String::new();
    for (name, origin) in [("this node", &view.here), ("the other node", &view.there)] {
        let count = origin.kept;
        let lag = origin.lag_ms.map(|ms| match ms {
            0 => ", all of them are on both nodes".to_owned(),
            ms => format!(", the copy is {ms} ms behind"),
        });
        let (mib, lag) = (origin.bytes as f64 / f64::from(1 << 20), lag.unwrap_or_default());
        text += &format!("{name:<15} {count} lines, {mib:.1} MiB{lag}\n");
        if origin.missing > 0 {
            text += &format!(
                "{:<15} {} lines are missing, dropped before they were copied\n",
                "", origin.missing
            );
        }
    }
    let connected = if view.connected { "connected" } else { "not connected" };
    text += &format!("{:<15} {connected}\n", "for logs");
    view.not_kept().iter().for_each(|trouble| text += &format!("{:<15} {trouble}\n", "trouble"));
    for source in &view.here.sources {
        let trouble = source.trouble.as_deref().map(|it| format!("; {it}")).unwrap_or_default();
        text += &format!(
            "source {:<20} {} lines since the agent's start{trouble}\n",
            source.name, source.lines
        );
    }
    text
}

fn show(line: &LogLine, args: &LogsArgs) -> Result<(), Failure> {
    if args.json { print_json(line) } else { print_raw(&text(line)) }
}

/// What is missing behind the last lines; programs find it at no line.
fn mark_all(missing: &[MissingLines], args: &LogsArgs) -> Result<(), Failure> {
    missing.iter().try_for_each(|it| {
        let mark = mark(&it.node, it.lines);
        if !args.json {
            return print(&mark);
        }
        eprint!("{mark}");
        Ok(())
    })
}

fn mark(node: &str, missing: u64) -> String {
    match missing {
        0 => String::new(),
        1 => format!("… a line of {node} is missing here …\n"),
        many => format!("… {many} lines of {node} are missing here …\n"),
    }
}

fn text(line: &LogLine) -> String {
    let missing = mark(&line.node, line.missing);
    let at = system::local_time(line.at_us / 1_000);
    let (node, source) = (visible(&line.node), visible(&line.source));
    format!("{missing}{at}  {node}  {source}  {}\n", visible(line.said()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinwall::agent::logs::store::Origin;
    use twinwall::agent::logs::view::{OriginView, SourceView};

    fn line(text: &str, missing: u64) -> LogLine {
        LogLine {
            origin: Origin::There,
            node: "gw-b".to_owned(),
            number: 7,
            at_us: 1_796_032_800_000_000,
            read_us: 1_796_032_800_000_000,
            source: "dhcp".to_owned(),
            text: text.to_owned(),
            stamp_bytes: if text.starts_with("Nov") { 15 } else { 0 },
            fields: None,
            missing,
        }
    }

    #[test]
    fn the_sources_are_listed_with_what_is_wrong_with_them() {
        let mut view = LogsView { on: true, ..LogsView::default() };
        view.here = OriginView { kept: 10, bytes: 1 << 20, lag_ms: Some(7), ..view.here };
        view.there = OriginView { first: 1, last: 9, kept: 5, missing: 4, ..view.there };
        view.there.lag_ms = Some(0);
        let (name, trouble) = ("dhcp".to_owned(), Some("no such file".to_owned()));
        view.here.sources = vec![SourceView { name, trouble, ..SourceView::default() }];
        let shown = sources(&view);
        for part in [
            "10 lines, 1.0 MiB, the copy is 7 ms behind",
            "  5 lines, 0.0 MiB, all of them are on both nodes",
            "4 lines are missing",
            "not connected",
            "no such file",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(sources(&LogsView::default()).contains("sync.logs=true"));
        let full = LogsView { trouble: Some("disk full".to_owned()), ..LogsView::default() };
        assert!(sources(&full).contains("disk full") && !sources(&full).contains("sync.logs"));
    }

    #[test]
    fn an_empty_answer_says_why_it_is_empty() {
        let on = LogsView { on: true, ..LogsView::default() };
        assert_eq!(nothing(&on, None), None, "lines may come");
        assert!(nothing(&on, Some("")).is_some_and(|why| why.contains("No line is kept yet")));
        let asked = nothing(&on, Some("&text=nobody"));
        assert!(asked.is_some_and(|why| why.contains("No line of this kind")));
        for question in [None, Some(""), Some("&text=a")] {
            let off = nothing(&LogsView::default(), question);
            assert!(off.is_some_and(|why| why.contains("sync.logs=true")), "{question:?}");
        }
    }

    #[test]
    fn a_line_shows_its_time_once_and_no_control_character() {
        let shown = text(&line("Nov 30 10:00:00 gw-b dhcpd: DHCPACK", 0));
        assert!(shown.ends_with("  gw-b  dhcp  gw-b dhcpd: DHCPACK\n"), "{shown}");
        assert!(!shown.contains("Nov"), "{shown}");
        let hostile = text(&line("a\u{1b}[2Jb\u{202e}c\rd", 0));
        assert!(hostile.ends_with("  a\\x1b[2Jb\\u{202e}c\\x0dd\n"), "{hostile:?}");
        let missing = text(&line("a", 12));
        assert!(missing.starts_with("… 12 lines of gw-b are missing here …\n"), "{missing}");
    }
}
