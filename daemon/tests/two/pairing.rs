//! Pairing as an administrator does it: a code on one node, typed on the other.

use std::time::Instant;

use crate::support::{Begun, Node, SOON, Two, wait};

/// Two agents that know nothing of each other.
pub(crate) fn fresh() -> Two {
    let mut two = Two::cabled();
    two.a.write("etc/twinwall/node.toml", "name = \"gw-a\"\ndesignation = \"primary\"\n");
    two.b.write("etc/twinwall/node.toml", "name = \"gw-b\"\ndesignation = \"primary\"\n");
    two.a.start();
    two.b.start();
    two
}

/// Begins to invite; the code, and the command that goes on.
pub(crate) fn invite(node: &Node, arguments: &[&str]) -> (String, Begun) {
    let log = node.path("invite.log");
    let inviting = node.begin(arguments, &log);
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        if let Some(code) = text.lines().find_map(|line| line.strip_prefix("Code: ")) {
            return (code.to_owned(), inviting);
        }
        assert!(began.elapsed() < SOON, "no code: {text}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

pub(crate) fn in_talks(two: &Two) {
    for node in [&two.a, &two.b] {
        wait("the agents talk", || node.run(&["pair", "status"]).out.contains("The agents talk"));
    }
}

#[test]
fn a_code_makes_a_pair_and_unpair_ends_it() {
    let two = fresh();
    let status = two.a.good(&["pair", "status"]);
    assert!(status.contains("is not paired"), "{status}");
    let (code, inviting) = invite(&two.a, &["pair", "invite", "--interface", "ha0"]);
    let joined = two.b.good(&["pair", "join", &code.to_lowercase()]);
    assert!(
        joined.contains("gw-a invites on ha0") && joined.contains("Paired with gw-a"),
        "{joined}"
    );
    assert!(inviting.ended_well(), "{}", two.a.text("invite.log"));
    in_talks(&two);
    let status = two.a.good(&["pair", "status"]);
    assert_eq!(status.matches("Heard on").count(), 1, "one node, one row: {status}");

    let same = |path: &str| assert_eq!(two.a.text(path), two.b.text(path), "{path}");
    same("etc/twinwall/pair.toml");
    same("etc/twinwall/pair.key");
    assert!(two.b.text("etc/twinwall/node.toml").contains("secondary"));
    assert!(two.a.text("etc/twinwall/pair.toml").contains("enabled = false"));
    assert!(two.a.text("var/lib/twinwall/sync.json").contains("\"lineage\": \""), "a history");
    assert!(!two.b.text("var/lib/twinwall/sync.json").contains("\"lineage\": \""), "blank");
    let set = two.a.good(&["ha", "set", "heartbeat.interval=0.5"]);
    assert!(!set.contains("later"), "right after pairing both take the settings over: {set}");
    same("etc/twinwall/pair.toml");
    let again = two.b.run(&["pair", "join", &code]);
    assert!(again.err.contains("is paired with gw-a"), "{again:?}");

    two.b.good(&["pair", "unpair"]);
    for node in [&two.a, &two.b] {
        wait("both have forgotten", || node.run(&["pair", "status"]).out.contains("not paired"));
        assert!(!node.path("etc/twinwall/pair.key").exists());
    }
}

/// Own addresses change how files are translated: both nodes make their engine and their
/// link anew at each of these.
#[test]
fn settings_that_change_everything_are_taken_over_by_both_again_and_again() {
    let two = fresh();
    let (code, inviting) = invite(&two.a, &["pair", "invite", "--interface", "ha0"]);
    two.b.good(&["pair", "join", &code]);
    assert!(inviting.ended_well());
    for number in 2..8 {
        let own = |part: &str, host: u8| format!("interface.lan.{part}=10.1.{number}.{host}/24");
        let (primary, secondary) = (own("primary", 2), own("secondary", 3));
        let set = two.a.good(&["ha", "set", &primary, &secondary, &own("virtual", 1)]);
        assert!(set.contains("in use on both nodes"), "{number}: {set}");
        assert!(two.b.text("etc/twinwall/pair.toml").contains(&format!("10.1.{number}.1/24")));
    }
}

#[test]
fn three_wrong_codes_end_the_invitation_and_leave_nothing() {
    let two = fresh();
    let (code, inviting) = invite(&two.a, &["pair", "invite", "--interface", "ha0"]);
    let wrong = if code.starts_with("AAAA") { "BBBB-BBBB" } else { "AAAA-AAAA" };
    for words in ["attempts left: 2", "attempts left: 1", "that was the last attempt"] {
        let refused = two.b.run(&["pair", "join", wrong]);
        assert!(refused.code == Some(1) && refused.err.contains(words), "{words}: {refused:?}");
    }
    assert!(!inviting.ended_well());
    assert!(two.a.text("invite.log").contains("three wrong codes"), "{}", two.a.text("invite.log"));
    for node in [&two.a, &two.b] {
        assert!(!node.path("etc/twinwall/identity/peer.pem").exists());
        assert!(!node.path("etc/twinwall/pair.key").exists());
    }
}

#[test]
fn a_dead_unit_is_replaced_and_the_blank_one_is_never_the_source() {
    let mut two = fresh();
    let (code, inviting) = invite(&two.a, &["pair", "invite", "--interface", "ha0"]);
    two.b.good(&["pair", "join", &code]);
    assert!(inviting.ended_well());
    in_talks(&two);
    let there = two.a.run(&["pair", "replace"]);
    assert!(there.err.contains("is there and answers"), "{there:?}");
    let (history, key) =
        (two.a.text("var/lib/twinwall/sync.json"), two.a.text("etc/twinwall/pair.key"));
    let lineage =
        history.lines().find(|line| line.contains("lineage")).expect("a history").to_owned();

    two.b.reborn("gw-c");
    two.b.start();
    wait("the old one is missed", || two.a.run(&["pair", "status"]).out.contains("do not talk"));
    let (code, inviting) = invite(&two.a, &["pair", "replace"]);
    two.b.good(&["pair", "join", &code]);
    assert!(inviting.ended_well(), "{}", two.a.text("invite.log"));
    in_talks(&two);
    assert!(two.a.text("etc/twinwall/node.toml").contains("primary"), "the survivor's part stays");
    assert_ne!(two.a.text("etc/twinwall/pair.key"), key, "the dead unit's key is of no use");
    assert!(two.a.text("var/lib/twinwall/sync.json").contains(lineage.trim()), "one history");
    wait("all is known", || !two.a.run(&["sync"]).out.contains("unknown"));
    let blank = two.a.run(&["sync", "pull", "--yes"]);
    assert!(blank.code == Some(1) && blank.err.contains("blank"), "{blank:?}");
}

#[test]
fn two_nodes_pair_by_files_alone() {
    let two = fresh();
    for (from, to) in [(&two.a, &two.b), (&two.b, &two.a)] {
        let card = from.good(&["pair", "export"]);
        to.write("card.json", &card);
    }
    let own = two.a.path("own.json");
    std::fs::write(&own, two.a.good(&["pair", "export"])).expect("written");
    let refused = two.a.run(&["pair", "import", own.to_str().expect("a path")]);
    assert!(refused.err.contains("this node's own card"), "{refused:?}");
    two.b.write("etc/twinwall/node.toml", "name = \"gw-b\"\ndesignation = \"secondary\"\n");
    for node in [&two.a, &two.b] {
        node.write(
            "etc/twinwall/pair.toml",
            "pair_id = 9\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n",
        );
        let card = node.path("card.json");
        node.good(&["pair", "import", card.to_str().expect("a path")]);
    }
    in_talks(&two);
    let begun = |node: &Node| node.text("var/lib/twinwall/sync.json").contains("\"lineage\": \"");
    wait("the primary's configuration counts", || begun(&two.a));
    assert!(!begun(&two.b), "the secondary is blank");
}
