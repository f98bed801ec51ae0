//! Searches and tails that find nothing in long lines: when they look at the clock, and that they
//! go on from there.

use std::cell::Cell;

use super::*;

/// Bytes of a line: two of them are more than what is looked at between two looks.
const LONG: usize = 60_000;
const LINES: u64 = 60;

/// Each second a long line, from ten o'clock on.
fn long_lines(folder: &Folder) {
    let mut here = folder.writer(Origin::Here);
    for second in 0..LINES {
        let at_us = TEN_US + second * SECOND_US;
        keep(&mut here, "dhcp", &[stamped(at_us, &"q".repeat(LONG))], at_us);
    }
}

#[test]
fn the_clock_is_looked_at_after_few_long_lines_and_the_next_page_goes_on() {
    let folder = Folder::new();
    long_lines(&folder);
    let mut ask = LogsAsk { regex: Some("Z".to_owned()), ..LogsAsk::default() };
    let mut looked_to_us = TEN_US + LINES * SECOND_US;
    let mut pages = 0;
    loop {
        let looks = Cell::new(0);
        let is_over = || looks.replace(looks.get() + 1) >= 8;
        let pace = Pace::of(&is_over);
        let work = Work { found: 10, bytes: MAX_BYTES, looked: 1_000, pace };
        let page =
            search_within(&folder.reader(), &names(), &Hints::default(), &ask, work).expect("one");
        assert!(page.lines.is_empty());
        pages += 1;
        let Some(older) = page.older else { break };
        let to_us = page.looked_to_us.expect("it says how far it came");
        assert!((looked_to_us - to_us) / SECOND_US <= 16, "at most two lines for each look");
        looked_to_us = to_us;
        ask.before = Some(older);
    }
    assert!(pages >= 4, "{pages}");
}

#[test]
fn a_look_of_a_tail_ends_after_few_long_lines_and_the_next_one_goes_on() {
    let folder = Folder::new();
    let mut here = folder.writer(Origin::Here);
    keep(&mut here, "dhcp", &["first".to_owned()], TEN_US);
    let ask = FollowAsk { regex: Some("Z".to_owned()), ..FollowAsk::default() };
    let mut follow = Follow::of(folder.reader(), names(), Hints::default(), &ask).expect("one");
    drop(here);
    long_lines(&folder);
    let mut here = folder.writer(Origin::Here);
    keep(&mut here, "dhcp", &["Z".to_owned()], TEN_US + LINES * SECOND_US);
    let (mut looks, mut lines) = (0, Vec::new());
    while looks == 0 || follow.has_more() {
        let over = || {
            let left = Cell::new(4);
            move || left.replace(left.get() - 1) <= 0
        };
        let news = follow.look_until(over).expect("read");
        assert_eq!(news.left_out, 0);
        lines.extend(news.lines);
        looks += 1;
    }
    let said: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(said, ["Z"]);
    assert!(looks >= LINES / 10, "{looks}");
}

#[test]
fn a_search_whose_asker_has_gone_looks_at_nothing() {
    let folder = Folder::new();
    long_lines(&folder);
    let (names, ask) = (names(), LogsAsk::default());
    let page = search(&folder.reader(), &names, &Hints::default(), &ask, &Weak::new());
    assert!(page.expect("a page").lines.is_empty());
}

#[test]
fn an_expression_that_is_too_much_work_is_refused_and_says_what_to_do() {
    let folder = Folder::new();
    let ask = |regex: &str| LogsAsk { regex: Some(regex.to_owned()), ..LogsAsk::default() };
    for large in ["(?:q{0,40}){0,20}Z", "q.{800}Z", "(?:(?:q?){30}[qa]){30}Z", "[qa]{101}"] {
        let refusal = tried(&folder, &ask(large), &Hints::default()).expect_err("refused");
        assert_eq!(refusal.details[0].place, "regex");
        assert!(refusal.message.contains("make it simpler"), "{refusal}");
    }
    for usual in [
        "DHCP(ACK|NAK)",
        r"(?i)\b(error|fail(ed|ure)?|warn(ing)?|crit(ical)?)\b",
        r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}:\d+",
        r"\w+@\w+\.\w+ .{0,60}",
        r"(?i)([0-9a-f]{2}:){5}[0-9a-f]{2}",
        r"^\S+ \S+ \S+ sshd\[\d+\]: (Accepted|Failed) password for (invalid user )?\w+ from",
    ] {
        assert!(tried(&folder, &ask(usual), &Hints::default()).is_ok(), "{usual}");
    }
}
