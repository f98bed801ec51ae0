//! `twinwall logs`: the logs of both nodes, merged by time, and what comes. A terminal is shown no
//! control character of a line: whoever can write a log line must not be able to move its cursor.

use std::path::Path;
use std::time::Duration;

use twinwall::agent::logs::search::{LogLine, LogNews, LogsPage, MAX_PAGE, PAGE};
use twinwall::agent::logs::view::LogsView;
use twinwall::agent::logs::visible::visible;
use twinwall::failure::Failure;
use twinwall::percent::encoded;

use crate::api_client::Api;
use crate::cli::LogsArgs;
use crate::show::{print, print_json, print_raw};
use crate::system;

/// Lines that are shown at a time at the most: they are kept in memory, to be turned round.
const MAX_LINES: usize = 200_000;
/// Between the end of a stream and the next one.
const AGAIN: Duration = Duration::from_millis(200);

pub(super) fn logs(root: &Path, args: &LogsArgs) -> Result<(), Failure> {
    let api = Api::of(root);
    if args.sources {
        let view: LogsView = api.get("/api/v1/logs/sources")?;
        return if args.json { print_json(&view) } else { print(&sources(&view)) };
    }
    let (lines, newest) = kept(&api, args)?;
    lines.iter().try_for_each(|line| show(line, args))?;
    if args.follow { follow(&api, args, newest) } else { Ok(()) }
}

/// The lines that are kept, the oldest first, and where following goes on.
fn kept(api: &Api, args: &LogsArgs) -> Result<(Vec<LogLine>, String), Failure> {
    let times = [("since_ms", args.since), ("until_ms", args.until)];
    let times = times.into_iter().filter_map(|(name, ms)| Some(format!("&{name}={}", ms?)));
    let filter = filter(args) + &times.collect::<String>();
    let unasked = if args.since.is_some() { MAX_LINES } else { PAGE };
    let most = args.last.unwrap_or(unasked).min(MAX_LINES);
    let (mut lines, mut newest, mut before) = (Vec::new(), None, None::<String>);
    loop {
        // Following begins where the kept lines end, also when none of them is shown.
        let missing = most.saturating_sub(lines.len()).clamp(1, MAX_PAGE);
        let from = before.map(|before| format!("&before={before}")).unwrap_or_default();
        let page: LogsPage = api.get(&format!("/api/v1/logs?last={missing}{filter}{from}"))?;
        newest.get_or_insert(page.newest);
        lines.extend(page.lines);
        before = page.older;
        if before.is_none() || lines.len() >= most {
            if most == MAX_LINES && before.is_some() {
                eprintln!("twinwall: only the newest {MAX_LINES} lines are shown; ask for a part");
            }
            lines.truncate(most);
            lines.reverse();
            return Ok((lines, newest.unwrap_or_default()));
        }
    }
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
            after = news.after;
            Ok(())
        })?;
        std::thread::sleep(AGAIN);
    }
}

/// How the kept logs stand: both copies, and each source.
fn sources(view: &LogsView) -> String {
    if !view.on {
        return "Logs are not synchronised; turn it on: twinwall ha set sync.logs=true\n"
            .to_owned();
    }
    let mut text = String::new();
    for (name, origin) in [("this node", &view.here), ("the other node", &view.there)] {
        let count = (origin.last + 1).saturating_sub(origin.first);
        let lag = origin.lag_ms.map(|ms| format!(", the copy is {ms} ms behind"));
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
    view.trouble.iter().for_each(|trouble| text += &format!("{:<15} {trouble}\n", "trouble"));
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

fn text(line: &LogLine) -> String {
    let missing = match line.missing {
        0 => String::new(),
        1 => format!("… a line of {} is missing here …\n", line.node),
        many => format!("… {many} lines of {} are missing here …\n", line.node),
    };
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
        view.here = OriginView { first: 1, last: 10, bytes: 1 << 20, ..OriginView::default() };
        view.there.missing = 4;
        let (name, trouble) = ("dhcp".to_owned(), Some("no such file".to_owned()));
        view.here.sources = vec![SourceView { name, trouble, ..SourceView::default() }];
        let shown = sources(&view);
        for part in ["10 lines, 1.0 MiB", "4 lines are missing", "not connected", "no such file"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(sources(&LogsView::default()).contains("sync.logs=true"));
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
