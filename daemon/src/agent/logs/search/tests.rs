//! Searches and tails over real files of both origins.

mod missing;
mod pace;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::agent::clock::local_offset_s;
use crate::agent::logs::parse::{Event, Format};
use crate::agent::logs::store::{DIRECTORY, Limits, Origin, Writer};

/// 2026-11-30 10:00:00 UTC.
const TEN_US: u64 = 1_796_032_800_000_000;
const SECOND_US: u64 = 1_000_000;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("twinwall-logs-search-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn writer(&self, origin: Origin) -> Writer {
        let limits = Limits { size: 1 << 30, age: Duration::from_secs(86_400) };
        let directory = self.0.join(DIRECTORY).join(origin.directory());
        Writer::open(&directory, limits, 1).expect("a log")
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn names() -> Names {
    let sources = ["dhcp", "other"].map(str::to_owned).to_vec();
    Names { here: "gw-a".to_owned(), there: Some("gw-b".to_owned()), sources }
}

fn keep(writer: &mut Writer, source: &str, lines: &[String], read_us: u64) {
    let raw: String = lines.iter().map(|line| format!("{line}\n")).collect();
    writer.add(source, b"", (raw.as_bytes(), lines.len() as u64), read_us);
    writer.write().expect("written");
}

/// A line that says when it was written.
fn stamped(at_us: u64, text: &str) -> String {
    format!("{}.{:06} {text}", at_us / SECOND_US, at_us % SECOND_US)
}

/// Each second a line on one of the nodes, `count` of them from ten o'clock on.
fn alternating(folder: &Folder, count: u64) {
    let (mut here, mut there) = (folder.writer(Origin::Here), folder.writer(Origin::There));
    for second in 0..count {
        let at_us = TEN_US + second * SECOND_US;
        let (writer, source) =
            if second % 2 == 0 { (&mut here, "dhcp") } else { (&mut there, "vpn") };
        keep(writer, source, &[stamped(at_us, &format!("line {second}"))], at_us + 300_000);
    }
}

fn asked(folder: &Folder, ask: &LogsAsk) -> LogsPage {
    tried(folder, ask, &Hints::default()).expect("a page")
}

fn tried(folder: &Folder, ask: &LogsAsk, hints: &Hints) -> Result<LogsPage, Refusal> {
    let asker = Arc::new(());
    search(&folder.reader(), &names(), hints, ask, &Arc::downgrade(&asker))
}

fn said(page: &LogsPage) -> Vec<&str> {
    page.lines.iter().map(LogLine::said).collect()
}

/// All pages, one after the other.
fn all_pages(folder: &Folder, ask: &LogsAsk) -> Vec<LogLine> {
    let mut ask = ask.clone();
    let mut lines = Vec::new();
    loop {
        let page = asked(folder, &ask);
        lines.extend(page.lines);
        match page.older {
            Some(older) => ask.before = Some(older),
            None => return lines,
        }
    }
}

#[test]
fn both_logs_are_one_by_time_and_pages_neither_lose_nor_repeat_a_line() {
    let folder = Folder::new();
    alternating(&folder, 1_000);
    let page = asked(&folder, &LogsAsk { last: Some(3), ..LogsAsk::default() });
    assert_eq!(said(&page), ["line 999", "line 998", "line 997"]);
    assert_eq!(page.lines[0].node, "gw-b");
    assert_eq!(page.lines[1].node, "gw-a");
    assert_eq!(page.lines[1].at_us, TEN_US + 998 * SECOND_US, "as the line says");
    let lines = all_pages(&folder, &LogsAsk { last: Some(7), ..LogsAsk::default() });
    let told: Vec<String> = lines.iter().map(|line| line.said().to_owned()).collect();
    let wanted: Vec<String> = (0..1_000).rev().map(|second| format!("line {second}")).collect();
    assert_eq!(told, wanted);
}

#[test]
fn files_that_were_read_one_after_the_other_are_in_the_order_of_time_on_every_page() {
    let folder = Folder::new();
    let mut here = folder.writer(Origin::Here);
    let at = |second: u64| TEN_US + second * SECOND_US;
    let of = |source: u64| -> Vec<String> {
        let seconds = (0..300).filter(|second| second % 3 == source);
        seconds.map(|second| stamped(at(second), &format!("line {second}"))).collect()
    };
    // As after an agent was off: each file as a whole.
    for source in 0..3 {
        keep(&mut here, &format!("file {source}"), &of(source), at(300));
    }
    let wanted: Vec<String> = (0..300).rev().map(|second| format!("line {second}")).collect();
    for last in [1, 7, 100] {
        let lines = all_pages(&folder, &LogsAsk { last: Some(last), ..LogsAsk::default() });
        let told: Vec<String> = lines.iter().map(|line| line.said().to_owned()).collect();
        assert_eq!(told, wanted, "{last} on a page");
    }
    let (from, to) = (at(50) / 1_000, at(59) / 1_000);
    let ask = LogsAsk { since_ms: Some(from), until_ms: Some(to), ..LogsAsk::default() };
    assert_eq!(all_pages(&folder, &ask).len(), 10);
}

#[test]
fn each_filter_leaves_what_it_says() {
    let folder = Folder::new();
    alternating(&folder, 200);
    let ask = |ask: LogsAsk| -> BTreeSet<String> {
        all_pages(&folder, &ask).iter().map(|line| line.said().to_owned()).collect()
    };
    let text = |text: &str| Some(text.to_owned());
    let of_b = ask(LogsAsk { node: text("gw-b"), ..LogsAsk::default() });
    assert!(of_b.len() == 100 && of_b.contains("line 199") && !of_b.contains("line 198"));
    let dhcp = ask(LogsAsk { source: text("dhcp, other"), ..LogsAsk::default() });
    assert!(dhcp.len() == 100 && dhcp.contains("line 198"));
    assert!(ask(LogsAsk { source: text("other"), ..LogsAsk::default() }).is_empty());
    let plain = ask(LogsAsk { text: text("LINE 19"), ..LogsAsk::default() });
    assert_eq!(plain.len(), 11, "in large letters or small: {plain:?}");
    assert!(ask(LogsAsk { text: text("line.19"), ..LogsAsk::default() }).is_empty());
    let expression = ask(LogsAsk { regex: text("line (7|19.)$"), ..LogsAsk::default() });
    assert_eq!(expression.len(), 11, "{expression:?}");
    let (from, to) = ((TEN_US + 50 * SECOND_US) / 1_000, (TEN_US + 59 * SECOND_US) / 1_000);
    let time = LogsAsk { since_ms: Some(from), until_ms: Some(to), ..LogsAsk::default() };
    let timed = ask(time);
    assert!(timed.len() == 10 && timed.contains("line 50") && timed.contains("line 59"));
}

#[test]
fn a_wrong_question_is_refused_at_its_field() {
    let folder = Folder::new();
    let text = |text: &str| Some(text.to_owned());
    let long = "x".repeat(MAX_PATTERN + 1);
    let many = "a,".repeat(MAX_SOURCES + 1);
    for (place, ask) in [
        ("node", LogsAsk { node: text("gw-c"), ..LogsAsk::default() }),
        ("regex", LogsAsk { regex: text("a("), ..LogsAsk::default() }),
        ("regex", LogsAsk { regex: text("(\\w{200}){200}"), ..LogsAsk::default() }),
        ("text", LogsAsk { text: text(&long), ..LogsAsk::default() }),
        ("source", LogsAsk { source: text(&many), ..LogsAsk::default() }),
        ("source", LogsAsk { source: text("dhcp,dnsmasq"), ..LogsAsk::default() }),
        ("before", LogsAsk { before: text("7"), ..LogsAsk::default() }),
        ("before", LogsAsk { before: text("-1-2"), ..LogsAsk::default() }),
        ("since_ms", LogsAsk { since_ms: Some(2), until_ms: Some(1), ..LogsAsk::default() }),
    ] {
        let refused = tried(&folder, &ask, &Hints::default());
        let refusal = refused.expect_err("refused");
        assert_eq!(refusal.details[0].place, place, "{refusal}");
    }
    let unknown = LogsAsk { source: text("vpn"), ..LogsAsk::default() };
    let refused = tried(&folder, &unknown, &Hints::default());
    let told = refused.expect_err("refused").to_string();
    assert_eq!(told, "source: 'vpn' is no source of logs; there are dhcp, other");
    // One that the profile has no more may still have lines.
    keep(&mut folder.writer(Origin::There), "vpn", &["a".to_owned()], TEN_US);
    assert_eq!(asked(&folder, &unknown).lines.len(), 1);
    let folder = Folder::new();
    let open = LogsAsk { regex: text("a("), ..LogsAsk::default() };
    let refused = tried(&folder, &open, &Hints::default());
    assert!(refused.expect_err("refused").message.contains("unclosed group; put \\ before"));
    let empty = LogsAsk { node: text(""), source: text(""), regex: text(""), ..LogsAsk::default() };
    let page = asked(&folder, &empty);
    assert!(page.lines.is_empty() && page.older.is_none(), "nothing is kept yet: {page:?}");
}

#[test]
fn a_search_that_is_too_much_work_says_how_far_it_came_and_goes_on() {
    let folder = Folder::new();
    let mut here = folder.writer(Origin::Here);
    let lines: Vec<String> = (0..3_000).map(|number| stamped(TEN_US + number, "all")).collect();
    keep(&mut here, "dhcp", &lines[..1_500], TEN_US);
    keep(&mut here, "dhcp", &lines[1_500..], TEN_US);
    let ask = LogsAsk { text: Some("nowhere".to_owned()), ..LogsAsk::default() };
    let never = || false;
    let work = Work { found: 10, bytes: MAX_BYTES, looked: 1_000, pace: Pace::of(&never) };
    let (mut ask, mut times) = (ask, 0);
    loop {
        let page =
            search_within(&folder.reader(), &names(), &Hints::default(), &ask, work).expect("one");
        assert!(page.lines.is_empty());
        times += 1;
        let Some(older) = page.older else { break };
        assert!(page.looked_to_us.is_some());
        ask.before = Some(older);
    }
    assert_eq!(times, 4, "a thousand lines each, and the end");
}

#[test]
fn a_page_of_long_lines_ends_early_and_the_next_goes_on() {
    let folder = Folder::new();
    let mut here = folder.writer(Origin::Here);
    for number in 0..40 {
        keep(&mut here, "dhcp", &[format!("{number} {}", "x".repeat(60_000))], TEN_US);
    }
    let page = asked(&folder, &LogsAsk::default());
    assert!((13..=15).contains(&page.lines.len()), "{}", page.lines.len());
    assert_eq!(all_pages(&folder, &LogsAsk::default()).len(), 40);
}

#[test]
fn a_line_is_placed_by_what_it_says_unless_that_cannot_be() {
    let folder = Folder::new();
    let mut here = folder.writer(Origin::Here);
    let hour = 3_600 * SECOND_US;
    let lines = [
        stamped(TEN_US - hour / 2, "late"),
        stamped(TEN_US - 2 * hour, "old"),
        stamped(TEN_US + hour, "ahead"),
        "none".to_owned(),
    ];
    keep(&mut here, "dhcp", &lines, TEN_US);
    let lines = asked(&folder, &LogsAsk::default()).lines;
    let at = |text: &str| {
        let line = lines.iter().find(|line| line.text.ends_with(text)).expect("a line");
        (line.at_us, line.stamp_bytes > 0)
    };
    assert_eq!(at("late"), (TEN_US - hour / 2, true));
    for text in ["old", "ahead", "none"] {
        assert_eq!(at(text), (TEN_US, false), "{text}");
    }
    assert_eq!(lines.last().map(LogLine::said), Some("late"), "the oldest is the last");
}

#[test]
fn a_time_without_a_zone_is_the_nodes_own_and_hints_give_fields() {
    let folder = Folder::new();
    let mut here = folder.writer(Origin::Here);
    let offset = i64::from(local_offset_s(TEN_US / SECOND_US));
    let local = i64::try_from(TEN_US / SECOND_US).expect("a time") + offset;
    let (hour, minute) = (local / 3_600 % 24, local / 60 % 60);
    let line = format!("2026-11-30 {hour:02}:{minute:02}:00 Initialization Sequence Completed");
    keep(&mut here, "vpn", &[line], TEN_US + SECOND_US);
    let hints = Hints::from([("vpn".to_owned(), Format::Openvpn)]);
    let page = tried(&folder, &LogsAsk::default(), &hints).expect("a page");
    let line = &page.lines[0];
    assert_eq!(line.fields.as_ref().map(|fields| fields.event), Some(Event::TunnelUp));
    // A zone may have another date at this moment; then it is placed where it was read.
    assert!(line.at_us == TEN_US || line.stamp_bytes == 0, "{line:?}");
    assert!(offset != 0 || line.at_us == TEN_US);
}

#[test]
fn bytes_that_are_no_text_are_replaced_and_harm_nothing() {
    let folder = Folder::new();
    let mut here = folder.writer(Origin::Here);
    here.add("dhcp", b"", (b"\xff\xfe\x00 \x1b[2J\n\n", 2), TEN_US);
    here.write().expect("written");
    let lines = asked(&folder, &LogsAsk::default()).lines;
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().any(|line| line.text == "\u{fffd}\u{fffd}\0 \u{1b}[2J"), "{lines:?}");
    here.add("dhcp", b"", (b"M\xc3\xbcller \xff \xe6\x97\xa5\n", 1), TEN_US);
    here.write().expect("written");
    let lines = asked(&folder, &LogsAsk { last: Some(1), ..LogsAsk::default() }).lines;
    assert_eq!(lines[0].text, "M\u{fc}ller \u{fffd} \u{65e5}", "what is text stays");
}

#[test]
fn following_gives_each_line_once_in_its_order_and_only_what_is_wanted() {
    let folder = Folder::new();
    let (mut here, mut there) = (folder.writer(Origin::Here), folder.writer(Origin::There));
    keep(&mut here, "dhcp", &[stamped(TEN_US, "before")], TEN_US);
    let ask = FollowAsk { regex: Some("[^x]$".to_owned()), ..FollowAsk::default() };
    let mut follow = Follow::of(folder.reader(), names(), Hints::default(), &ask).expect("one");
    assert!(follow.look().expect("read").lines.is_empty(), "it begins with what comes");
    let mut told = Vec::new();
    for round in 0..50 {
        let at_us = TEN_US + round * SECOND_US;
        keep(&mut there, "vpn", &[stamped(at_us + 5, &format!("{round} b"))], at_us);
        let both = [stamped(at_us + 1, &format!("{round} a")), stamped(at_us + 2, "x")];
        keep(&mut here, "dhcp", &both, at_us);
        let news = follow.look().expect("read");
        told.extend(news.lines.iter().map(|line| line.said().to_owned()));
        // A new follower goes on where this one was.
        let after = FollowAsk { after: Some(news.after), ..ask.clone() };
        follow = Follow::of(folder.reader(), names(), Hints::default(), &after).expect("one");
    }
    let wanted: Vec<String> =
        (0..50).flat_map(|round| [format!("{round} a"), format!("{round} b")]).collect();
    assert_eq!(told, wanted);
}

#[test]
fn who_falls_far_behind_is_told_how_much_was_left_out_and_sees_the_newest() {
    let folder = Folder::new();
    let mut here = folder.writer(Origin::Here);
    keep(&mut here, "dhcp", &["first".to_owned()], TEN_US);
    let ask = FollowAsk::default();
    let mut follow = Follow::of(folder.reader(), names(), Hints::default(), &ask).expect("one");
    for batch in 0..30 {
        let lines: Vec<String> = (0..1_000).map(|it| format!("{}", batch * 1_000 + it)).collect();
        keep(&mut here, "dhcp", &lines, TEN_US);
    }
    let news = follow.look().expect("read");
    assert_eq!(news.left_out + news.lines.len() as u64, 30_000);
    assert_eq!(news.lines.last().map(|line| line.text.as_str()), Some("29999"));
    let mut seen = 0;
    let lines: Vec<String> = (0..3_000).map(|it| format!("more {it}")).collect();
    keep(&mut here, "dhcp", &lines[..2_000], TEN_US);
    keep(&mut here, "dhcp", &lines[2_000..], TEN_US);
    loop {
        let news = follow.look().expect("read");
        assert_eq!(news.left_out, 0);
        seen += news.lines.len();
        if !follow.has_more() {
            break;
        }
    }
    assert_eq!(seen, 3_000, "a burst that is no flood comes whole");
}

#[test]
fn a_moment_is_found_by_halving_also_over_what_is_missing() {
    let folder = Folder::new();
    let mut here = folder.writer(Origin::Here);
    for number in 0..500 {
        if number == 250 {
            here.add_gap(10_000, TEN_US);
        }
        keep(&mut here, "dhcp", &[format!("{number}")], TEN_US + number * SECOND_US);
    }
    let reader = folder.reader();
    for number in [0, 1, 249, 250, 251, 499] {
        let at_us = TEN_US + number * SECOND_US;
        let first = seek::first_after(&reader, Origin::Here, at_us - 1).expect("read");
        let line = reader.forward(Origin::Here, first, 1, &[]).expect("read").pop().expect("one");
        assert_eq!(line.text, number.to_string().into_bytes());
    }
    let end = seek::first_after(&reader, Origin::Here, u64::MAX).expect("read");
    assert_eq!(Some(end), reader.last(Origin::Here).map(|last| last + 1));
    assert_eq!(seek::first_after(&reader, Origin::There, TEN_US).expect("read"), 0);
}
