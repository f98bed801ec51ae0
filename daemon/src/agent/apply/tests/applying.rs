//! What an apply does and undoes.

use std::cell::RefCell;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use super::support::{Node, sh};
use crate::agent::apply::{During, Note, Outcome, Refused};
use crate::agent::step::{How, Step};
use crate::agent::tree::tests::support::{Place, rel};

fn old(place: &Place) {
    place.write("etc/app/main.conf", "old main");
    place.write("etc/app/gone.conf", "old gone");
    place.write("etc/app/dir/x", "old x");
    place.link("main.conf", "etc/app/link");
    place.directory("srv");
}

fn new(place: &Place) {
    place.write("etc/app/main.conf", "new main");
    place.write("etc/app/added/y", "new y");
    place.link("added/y", "etc/app/link");
    place.write("srv/new/list", "new list");
    place.write("etc/app/dir", "now a file");
}

#[test]
fn what_is_wanted_is_applied_once_and_compared() {
    let mut node = Node::new(old, new);
    node.apply = vec![sh("cat $1/etc/app/main.conf >> $1/var/seen")];
    let told = RefCell::new(Vec::new());
    let outcome = node.apply(&|progress| {
        told.borrow_mut().push(progress);
        ControlFlow::Continue(())
    });
    assert!(matches!(&outcome, Outcome::Applied(notes) if notes.is_empty()), "{outcome}");
    let wanted = node.new.clone();
    assert!(node.is(&wanted));
    assert_eq!(node.place.read("var/seen"), "new main");
    let mut phases: Vec<During> = told.borrow().iter().map(|it| it.during).collect();
    phases.dedup();
    assert_eq!(phases, [During::Staging, During::Switch, During::Apply, During::Comparison]);
    assert!(told.borrow().iter().all(|it| it.done <= it.total + 1), "{told:?}");
}

#[test]
fn validators_see_the_new_files_in_place_and_nobody_else_does() {
    let mut node = Node::new(old, new);
    let looks = "test \"$(cat $1/etc/app/main.conf)\" = 'new main' && \
                 test \"$(cat $1/etc/app/link)\" = 'new y' && \
                 test \"$(cat $1/etc/app/dir)\" = 'now a file' && \
                 test -e $1/srv/new/list && test ! -e $1/etc/app/gone.conf && \
                 test \"$(stat -c %a $1/etc/app)\" = 755 && echo scribble > $1/etc/app/main.conf && \
                 echo scribble > $1/etc/app/new";
    node.validate = vec![sh(looks), sh("echo no, not this >&2; exit 7")];
    let outcome = node.run();
    let Outcome::Refused(Refused::Invalid(_, failure)) = &outcome else { panic!("{outcome}") };
    assert_eq!(failure.how, How::Exit(7));
    assert!(outcome.to_string().contains("no, not this"), "{outcome}");
    let wanted = node.old.clone();
    assert!(node.is(&wanted));
    node.validate.pop();
    let outcome = node.run();
    assert!(matches!(&outcome, Outcome::Applied(notes) if notes.is_empty()), "{outcome}");
    let wanted = node.new.clone();
    assert!(node.is(&wanted), "what the validator wrote is gone");
}

#[test]
fn nft_checks_the_staged_rules_at_their_absolute_path() {
    let rules = |drop: &'static str| {
        move |place: &Place| {
            let root = place.path("").display().to_string();
            let include = format!("include \"{root}etc/app/sets.nft\"\n");
            place.write("etc/app/nftables.conf", include);
            place.write("etc/app/sets.nft", format!("table inet t {{ chain c {{ {drop}; }}; }}\n"));
        }
    };
    let check = |node: &mut Node| {
        // Both nodes' roots differ only in this test; the include follows the root.
        let argv = ["nft", "-c", "-f", "{root}/etc/app/nftables.conf"];
        node.validate = vec![Step::new(&argv, Duration::from_secs(20))];
        let path = node.place.path("").display().to_string();
        let include = format!("include \"{path}etc/app/sets.nft\"\n");
        for manifest in [&mut node.old, &mut node.new] {
            let mut entry = manifest.get(&rel("etc/app/nftables.conf")).unwrap().clone();
            entry.kind = node.kept.put(include.as_bytes());
            manifest.insert(rel("etc/app/nftables.conf"), entry);
        }
        node.place.write("etc/app/nftables.conf", include);
        node.run()
    };
    let mut node = Node::new(rules("ip saddr 10.0.0.1 drop"), rules("ip saddr 10.0.0.2 drop"));
    let outcome = check(&mut node);
    assert!(matches!(&outcome, Outcome::Applied(notes) if notes.is_empty()), "{outcome}");
    let mut node = Node::new(rules("ip saddr 10.0.0.1 drop"), rules("ip saddr 10.0.0.2 dorp"));
    let outcome = check(&mut node);
    assert!(matches!(&outcome, Outcome::Refused(Refused::Invalid(..))), "{outcome}");
    assert!(outcome.to_string().contains("dorp"), "{outcome}");
}

#[test]
fn an_apply_command_that_fails_brings_the_old_files_back_and_applies_them() {
    let mut node = Node::new(old, new);
    let seen = "cat $1/etc/app/main.conf >> $1/var/seen; grep -q old $1/etc/app/main.conf || { \
                echo refuses the new >&2; exit 4; }";
    node.apply = vec![sh(seen)];
    let outcome = node.run();
    let Outcome::RolledBack { why, trouble } = &outcome else { panic!("{outcome}") };
    assert_eq!((why.during, trouble.as_slice()), (During::Apply, &[][..]));
    assert!(outcome.to_string().contains("ended with 4"), "{outcome}");
    assert!(outcome.to_string().contains("refuses the new"), "{outcome}");
    assert_eq!(node.place.read("var/seen"), "new mainold main");
    let wanted = node.old.clone();
    assert!(node.is(&wanted));
    assert!(!node.place.path("srv/new").exists(), "made on the way, gone on the way back");
}

#[test]
fn an_apply_command_that_hangs_is_ended_by_its_limit() {
    let mut node = Node::new(old, new);
    let hangs = sh("grep -q old $1/etc/app/main.conf || sleep 300");
    node.apply = vec![Step { limit: Duration::from_millis(300), ..hangs }];
    let started = Instant::now();
    let outcome = node.run();
    assert!(started.elapsed() < Duration::from_secs(20));
    let Outcome::RolledBack { why, trouble } = &outcome else { panic!("{outcome}") };
    let how = why.step.as_ref().map(|step| &step.how);
    assert_eq!(how, Some(&How::Limit(Duration::from_millis(300))));
    assert_eq!(trouble.as_slice(), &[] as &[String]);
    let wanted = node.old.clone();
    assert!(node.is(&wanted));
}

#[test]
fn an_apply_command_that_changes_the_section_is_found_out() {
    let mut node = Node::new(old, new);
    node.apply = vec![sh("echo extra > $1/etc/app/generated; mkdir -p $1/etc/app/added/sub; \
                         echo ours > $1/etc/app/added/sub/x.bak")];
    let outcome = node.run();
    let Outcome::RolledBack { why, trouble } = &outcome else { panic!("{outcome}") };
    assert_eq!(why.during, During::Comparison);
    assert!(why.text.contains("/etc/app/added/sub"), "{outcome}");
    // The old files are back; a directory that holds something of this node's own stays.
    assert_eq!(node.place.read("etc/app/main.conf"), "old main");
    assert_eq!(trouble.len(), 1, "{outcome}");
    assert!(trouble[0].contains("/etc/app/added"), "{outcome}");
    assert!(node.place.path("etc/app/added/sub/x.bak").exists());
    assert!(!node.journal().is_pending());
}

#[test]
fn a_section_that_changed_meanwhile_is_not_overwritten() {
    let mut node = Node::new(old, new);
    node.place.write("etc/app/main.conf", "edited");
    let outcome = node.run();
    assert!(matches!(&outcome, Outcome::Refused(Refused::Changed(..))), "{outcome}");
    assert_eq!(node.place.read("etc/app/main.conf"), "edited");
    // And while the validators were running.
    let mut node = Node::new(old, new);
    let path = node.place.path("etc/app/main.conf");
    node.validate = vec![sh("true")];
    let outcome = node.apply(&|progress| {
        if progress.during == During::Validation {
            fs::write(&path, "edited").unwrap();
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(&outcome, Outcome::Refused(Refused::Changed(..))), "{outcome}");
    assert_eq!(node.place.read("etc/app/main.conf"), "edited");
}

#[test]
fn without_the_old_contents_nothing_begins() {
    let mut node = Node::new(old, new);
    let only_new = Node::new(|_| {}, new);
    node.kept = only_new.kept;
    let outcome = node.run();
    assert!(matches!(&outcome, Outcome::Refused(Refused::NoWayBack(..))), "{outcome}");
    let wanted = node.old.clone();
    assert!(node.is(&wanted));
}

#[test]
fn cancelling_changes_nothing() {
    for phase in [During::Staging, During::Validation] {
        let mut node = Node::new(old, new);
        node.validate = vec![sh("true")];
        let outcome = node.apply(&|progress| {
            if progress.during == phase {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert!(matches!(&outcome, Outcome::Refused(Refused::Cancelled)), "{outcome}");
        let wanted = node.old.clone();
        assert!(node.is(&wanted));
    }
}

#[test]
fn where_no_view_can_be_made_validators_run_after_the_switch() {
    // A staging directory inside of the directory that is laid over: no overlay of that.
    let (old, new) = (
        |place: &Place| place.write("etc/app/a", "old"),
        |place: &Place| place.write("etc/app/a", "new"),
    );
    for (validator, applied) in [("grep -q new $1/etc/app/a", true), ("exit 1", false)] {
        let mut node = Node::new(old, new);
        node.validate = vec![sh(validator)];
        node.apply = vec![sh("echo applied > $1/var/seen")];
        let inside = node.place.path("etc/app/journal.bak");
        fs::create_dir(&inside).unwrap();
        fs::remove_dir(node.place.path("var/apply")).unwrap_or_default();
        std::os::unix::fs::symlink(&inside, node.place.path("var/apply")).unwrap();
        let outcome = node.run();
        if applied {
            let Outcome::Applied(notes) = &outcome else { panic!("{outcome}") };
            assert!(matches!(notes.as_slice(), [Note::ValidatedInPlace(_)]), "{notes:?}");
        } else {
            let Outcome::RolledBack { why, .. } = &outcome else { panic!("{outcome}") };
            assert_eq!(why.during, During::Validation);
            assert!(!Path::exists(&node.place.path("var/seen")), "nothing was applied");
        }
        let wanted = if applied { node.new.clone() } else { node.old.clone() };
        assert!(node.is(&wanted));
    }
}
