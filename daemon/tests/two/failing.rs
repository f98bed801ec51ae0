//! An apply command that fails or hangs on the other node: the old files are back there within
//! its limit, and both nodes say which section and why.

use std::time::{Duration, Instant};

use crate::support::{Two, profile, wait};

/// The limit of the command, and far less than it would take.
const LIMIT: Duration = Duration::from_secs(2);

/// What the file says is what the command does: `fail`, `hang`, anything else is good.
const PROFILE: &str = profile!(
    "failing",
    "[section.support]\npaths = [\"/etc/motd\"]\n\
    [[section.support.apply]]\nlimit = 2\n\
    run = [\"/bin/sh\", \"-c\", \"# A script, as profiles have them.\\n\
    case $(cat $0/etc/motd) in fail) echo no such luck >&2; exit 7;; \
    hang) exec sleep 600;; esac\", \"{root}\"]\n\
    [section.users]\npaths = [\"/etc/people\"]\n"
);

#[test]
fn a_command_that_fails_or_hangs_is_rolled_back_and_both_nodes_say_which_section_and_why() {
    let two = Two::paired_by(PROFILE);
    let ordered = |motd: &str| {
        two.a.write("etc/motd", motd);
        two.a.write("etc/people", &format!("people of {motd}"));
        wait("the change is noticed", || {
            let out = two.a.run(&["sync", "diff", "support"]).out;
            out.contains(&format!("+ {motd}"))
        });
        let began = Instant::now();
        let ran = two.a.run(&["sync", "push", "--yes"]);
        (ran, began.elapsed())
    };
    let (ran, _) = ordered("good");
    assert_eq!((ran.code, two.b.text("etc/motd").as_str()), (Some(0), "good"), "{ran:?}");
    for (motd, why) in [("fail", "no such luck"), ("hang", "was not done within 2 s")] {
        let (ran, took) = ordered(motd);
        assert_ne!(ran.code, Some(0), "{ran:?}");
        assert_eq!(two.b.text("etc/motd"), "good", "the old file is back");
        // Twice: the command, and the one that applies the old files; and a busy machine.
        assert!(took < LIMIT * 10, "{took:?}");
        assert_eq!(two.b.text("etc/people"), format!("people of {motd}"), "no other section waits");
        for node in [&two.a, &two.b] {
            wait("both say it", || {
                let out = node.run(&["sync"]).out;
                let line = out.lines().find(|line| line.starts_with("support"));
                line.is_some_and(|line| line.contains("failed") && line.contains(why))
            });
            let out = node.run(&["sync"]).out;
            let line = out.lines().find(|line| line.starts_with("support")).expect("a row");
            assert_eq!(line.matches("support").count(), 1, "{line}");
            let place = if node.root == two.b.root { "on this node: " } else { "on gw-b: " };
            assert!(line.contains(place) && line.chars().count() < 160, "{line}");
        }
    }
}
