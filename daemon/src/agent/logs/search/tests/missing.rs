//! Where lines are missing, it is told, whatever is asked for.

use super::*;

#[test]
fn what_is_missing_is_told_once_at_the_line_behind_it() {
    let folder = Folder::new();
    let mut there = folder.writer(Origin::There);
    keep(&mut there, "vpn", &[stamped(TEN_US, "a"), stamped(TEN_US + 1, "b")], TEN_US);
    there.add_gap(500, TEN_US);
    keep(&mut there, "vpn", &[stamped(TEN_US + 2, "c"), stamped(TEN_US + 3, "d")], TEN_US);
    there.write().expect("written");
    for last in [1, 2, 3, 4] {
        let lines = all_pages(&folder, &LogsAsk { last: Some(last), ..LogsAsk::default() });
        let told: Vec<(&str, u64)> = lines.iter().map(|it| (it.said(), it.missing)).collect();
        assert_eq!(told, [("d", 0), ("c", 500), ("b", 0), ("a", 0)], "{last} on a page");
    }
    let ask = FollowAsk { after: Some("0-3".to_owned()), ..FollowAsk::default() };
    let mut follow = Follow::of(folder.reader(), names(), Hints::default(), &ask).expect("one");
    let news = follow.look().expect("read");
    let told: Vec<(&str, u64)> = news.lines.iter().map(|it| (it.said(), it.missing)).collect();
    assert_eq!(told, [("c", 500), ("d", 0)]);
}

/// Five lines of the other node, with a gap of 500 and two hours in between.
fn torn() -> Folder {
    let folder = Folder::new();
    let mut there = folder.writer(Origin::There);
    let say = |there: &mut Writer, source: &str, second: u64, text: &str| {
        let at_us = TEN_US + second * SECOND_US;
        keep(there, source, &[stamped(at_us, text)], at_us);
    };
    say(&mut there, "dhcp", 0, "wanted 1");
    say(&mut there, "other", 1, "not");
    there.add_gap(500, TEN_US + 2 * SECOND_US);
    say(&mut there, "other", 7_200, "not");
    say(&mut there, "dhcp", 7_201, "wanted 2");
    say(&mut there, "dhcp", 7_202, "not");
    folder
}

#[test]
fn what_is_missing_between_two_lines_is_told_whatever_is_asked_for() {
    let folder = torn();
    let text = |text: &str| Some(text.to_owned());
    let ms = |second: u64| Some((TEN_US + second * SECOND_US) / 1_000);
    let told = |ask: &LogsAsk| -> (Vec<(String, u64)>, Vec<u64>) {
        let page = asked(&folder, ask);
        let lines = page.lines.iter().map(|line| (line.said().to_owned(), line.missing));
        (lines.collect(), page.missing.iter().map(|it| it.lines).collect())
    };
    let both = vec![("wanted 2".to_owned(), 500), ("wanted 1".to_owned(), 0)];
    let wanted = LogsAsk { text: text("WANTED"), ..LogsAsk::default() };
    assert_eq!(told(&wanted), (both.clone(), vec![]));
    assert_eq!(told(&LogsAsk { regex: text("wanted ."), ..LogsAsk::default() }).0, both);
    assert_eq!(told(&LogsAsk { source: text("dhcp"), ..wanted.clone() }).0, both, "of a source");
    // Before the first, and behind the last, of what is shown.
    let late = LogsAsk { since_ms: ms(60), ..wanted.clone() };
    assert_eq!(told(&late), (both[..1].to_vec(), vec![]));
    let first = LogsAsk { text: text("wanted 1"), ..LogsAsk::default() };
    assert_eq!(told(&first), (both[1..].to_vec(), vec![500]));
    let none = LogsAsk { text: text("nobody"), ..LogsAsk::default() };
    assert_eq!(told(&none), (vec![], vec![500]));
    // Of another time it is not.
    let after = LogsAsk { since_ms: ms(7_201), ..none.clone() };
    assert_eq!(told(&after), (vec![], vec![]));
    let early = LogsAsk { until_ms: ms(600), ..wanted.clone() };
    assert_eq!(told(&early), (both[1..].to_vec(), vec![500]), "it began then");
    assert_eq!(told(&LogsAsk { node: text("here"), ..none }), (vec![], vec![]));
    // On pages of one line it is told once.
    let single = LogsAsk { last: Some(1), ..wanted };
    let lines = all_pages(&folder, &single);
    assert_eq!(lines.iter().map(|line| line.missing).sum::<u64>(), 0, "{lines:?}");
    let page = asked(&folder, &single);
    assert!(page.missing.is_empty());
    let next = asked(&folder, &LogsAsk { before: page.older, ..single });
    assert_eq!((next.lines[0].said(), next.missing[0].lines), ("wanted 1", 500));
}

#[test]
fn a_tail_tells_once_what_is_missing_also_between_lines_that_it_does_not_show() {
    let (folder, text) = (torn(), |text: &str| Some(text.to_owned()));
    let ask = FollowAsk { after: text("0-2"), text: text("wanted 1"), ..FollowAsk::default() };
    let mut follow = Follow::of(folder.reader(), names(), Hints::default(), &ask).expect("one");
    let news = follow.look().expect("read");
    assert_eq!((news.lines.len(), news.missing[0].lines), (0, 500));
    assert!(follow.look().expect("read").missing.is_empty(), "once");
}
