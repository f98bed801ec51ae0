//! Synchronisation by order, from the first look to the last comparison.

use crate::support::{Node, Two, is_there, wait};

/// Both agents see each other and have read everything.
fn settled(two: &Two) {
    for node in [&two.a, &two.b] {
        wait("every section is known", || {
            let out = node.run(&["sync"]).out;
            out.contains("gw-a") && out.contains("gw-b") && !out.contains("unknown")
        });
    }
}

#[test]
fn a_forced_push_shows_what_it_would_change_and_makes_both_alike() {
    let two = Two::paired();
    two.a.write("etc/motd", "hello from gw-a, reach me at 10.1.0.2\n");
    two.a.write("etc/ethers", "02:00:00:00:00:01 10.1.0.2\n");
    two.b.write("etc/ethers", "02:00:00:00:00:09 10.1.0.9\n");
    settled(&two);

    let asked = two.a.run(&["sync", "push"]);
    assert_eq!(asked.code, Some(1), "without a terminal nothing is asked: {asked:?}");
    assert!(asked.err.contains("nothing was changed") && asked.err.contains("--yes"), "{asked:?}");
    assert!(asked.out.contains("-") && asked.out.contains("10.1.0.9"), "{asked:?}");
    let diff = two.b.good(&["sync", "diff", "definitions", "--pull"]);
    assert!(diff.contains("- 02:00:00:00:00:09 10.1.0.9"), "{diff}");
    assert!(diff.contains("+ 02:00:00:00:00:01"), "{diff}");

    let blank = two.a.run(&["sync", "pull", "--yes"]);
    assert!(blank.err.contains("blank"), "the other node can be no source: {blank:?}");
    let done = two.a.good(&["sync", "push", "--yes"]);
    assert!(done.contains("Done: in sync"), "{done}");
    // Where one node names its own address the other one names its own.
    assert_eq!(two.b.text("etc/motd"), two.a.text("etc/motd").replace("10.1.0.2", "10.1.0.3"));
    assert_eq!(two.b.text("etc/ethers"), "02:00:00:00:00:01 10.1.0.3\n");
    let history = two.b.good(&["sync", "history", "definitions"]);
    assert!(history.contains("synchronised by gw-a"), "{history}");
}

#[test]
fn the_losing_side_is_kept_and_can_be_put_back() {
    let two = Two::paired();
    two.a.write("etc/motd", "new\n");
    two.b.write("etc/motd", "old\n");
    settled(&two);
    two.a.good(&["sync", "push", "support", "--yes"]);
    assert_eq!(two.b.text("etc/motd"), "new\n");
    // The agent may have looked before the file was written: then the first one is empty.
    let history = two.b.good(&["sync", "history", "support"]);
    let own = |line: &&str| line.contains("outside twinwall") || line.contains("first look");
    let lost = history.lines().find(own).expect("a version");
    let number = lost.split_whitespace().nth(2).expect("a number");
    let asked = two.b.run(&["sync", "restore", "support", number]);
    assert!(asked.code == Some(1) && asked.err.contains("--yes"), "{asked:?}");
    assert!(asked.out.contains("- new") && asked.out.contains("+ old"), "{asked:?}");
    assert_eq!(two.b.text("etc/motd"), "new\n", "nothing was changed");
    two.b.good(&["sync", "restore", "support", number, "--yes"]);
    assert_eq!(two.b.text("etc/motd"), "old\n");
    let again = two.b.good(&["sync", "restore", "support", number]);
    assert!(again.contains("there already"), "{again}");
    let none = two.b.run(&["sync", "restore", "support", "999"]);
    assert!(none.code == Some(1) && none.err.contains("999"), "{none:?}");
    wait("the other node is told", || two.a.run(&["sync"]).out.contains("changed on gw-b"));
}

#[test]
fn a_killed_agent_and_a_cut_cable_only_delay_it() {
    let mut two = Two::paired();
    settled(&two);
    two.b.kill();
    wait("it is missed", || two.a.run(&["sync"]).out.contains("cannot be reached"));
    let refused = two.a.run(&["sync", "push", "--yes"]);
    assert!(refused.code == Some(1) && refused.err.contains("cannot be reached"), "{refused:?}");
    two.b.start();
    settled(&two);

    two.b.cable("down");
    wait("it is missed", || two.a.run(&["sync"]).out.contains("cannot be reached"));
    wait("the cable is named", || {
        let status = |node: &Node| node.run(&["pair", "status"]).out;
        status(&two.b).contains("ha0 has no carrier") && status(&two.a).contains("no carrier")
    });
    two.a.write("etc/motd", "changed while the cable was cut\n");
    two.b.cable("up");
    settled(&two);
    two.a.good(&["sync", "push", "--yes"]);
    assert_eq!(two.b.text("etc/motd"), "changed while the cable was cut\n");
    assert!(!is_there(&two.b.path("var/lib/twinwall/apply/journal")), "nothing is left open");
}

#[test]
fn an_order_means_what_lies_on_the_disk_at_that_moment() {
    let two = Two::paired();
    settled(&two);
    for number in 0..10 {
        let motd = format!("version {number}\n");
        two.a.write("etc/motd", &motd);
        // Before anybody can have noticed.
        two.a.good(&["sync", "push", "--yes"]);
        assert_eq!(two.b.text("etc/motd"), motd);
    }
}
