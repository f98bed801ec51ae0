//! The steps on one node's disk, done, repeated and cut off.

use std::fs;
use std::path::{Path, PathBuf};

use twinwall_core::config::{default_key_file, key_text, parse_key};

use super::steps::{self, Record, Step, record};
use crate::agent::identity::peer::{Peer, read_peer, write_peer};
use crate::agent::identity::{Certificate, DIRECTORY, Identity};

const OLD: [u8; 32] = counting(1);
const NEW: [u8; 32] = counting(2);
const OTHER: [u8; 32] = counting(3);

const fn counting(first: u8) -> [u8; 32] {
    let mut key = [first; 32];
    key[31] = !first;
    key
}

struct Disk(PathBuf);

impl Disk {
    fn new(name: &str) -> Disk {
        let root = std::env::temp_dir().join(format!("twinwall-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(root.join("etc/twinwall")).expect("made");
        fs::write(root.join(default_key_file()), key_text(&OLD)).expect("written");
        write_peer(&root, &Peer::of(certificate())).expect("written");
        Disk(root)
    }

    fn keys(&self) -> ([u8; 32], Option<[u8; 32]>) {
        let text = fs::read_to_string(self.0.join(default_key_file())).expect("a key file");
        let file = parse_key("pair.key", &text).expect("a good one");
        (file.key, file.also)
    }

    fn own(&self) -> Certificate {
        Identity::load_or_create(&self.0).expect("an identity").certificate().clone()
    }

    fn peer(&self) -> Peer {
        read_peer(&self.0).expect("read").expect("paired")
    }

    fn step(&self) -> Option<Step> {
        record(&self.0).expect("read").map(|record| record.step)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn certificate() -> Certificate {
    Identity::generate().expect("an identity").certificate().clone()
}

/// Each step, done twice.
fn go(root: &Path, theirs: &Certificate) -> Certificate {
    let id = steps::id_of(&NEW);
    let own = steps::stage(root, NEW, false).expect("staged");
    assert_eq!(steps::stage(root, NEW, false).expect("again"), own);
    for _ in 0..2 {
        steps::pin(root, theirs.clone()).expect("pinned");
        steps::use_new(root, id).expect("used");
        assert_eq!(steps::stage(root, NEW, false).expect("late"), own, "what it uses now");
        steps::used(root, id).expect("noted");
    }
    for _ in 0..2 {
        steps::drop_old(root, id).expect("dropped");
    }
    steps::done(root).expect("noted");
    own
}

#[test]
fn three_steps_leave_new_keys_alone_whatever_is_done_twice() {
    let disk = Disk::new("rotate-three");
    let (root, theirs) = (&disk.0, certificate());
    let before = disk.own();
    let next = go(root, &theirs);
    assert!(next != before && disk.own() == next);
    assert_eq!((disk.keys(), disk.peer()), ((NEW, None), Peer::of(theirs)));
    assert!(disk.step().is_none() && steps::is_done(root, steps::id_of(&NEW)).expect("read"));
    assert!(!root.join(DIRECTORY).join("next.pem").exists());
}

#[test]
fn between_the_steps_old_and_new_are_taken() {
    let disk = Disk::new("rotate-between");
    let (root, old, theirs) = (&disk.0, disk.peer().certificate, certificate());
    let before = disk.own();
    let next = steps::stage(root, NEW, true).expect("staged");
    steps::pin(root, theirs.clone()).expect("pinned");
    assert_eq!(
        (disk.keys(), disk.own(), disk.step()),
        ((OLD, Some(NEW)), before, Some(Step::Staged))
    );
    assert_eq!(disk.peer(), Peer { certificate: old.clone(), next: Some(theirs.clone()) });
    assert_eq!(steps::staged(root).expect("staged"), (NEW, next.clone()));
    let id = steps::id_of(&NEW);
    assert!(steps::drop_old(root, id).is_err(), "not before they are used");
    steps::use_new(root, id).expect("used");
    assert_eq!((disk.keys(), disk.own()), ((NEW, Some(OLD)), next));
    steps::used(root, id).expect("noted");
    assert_eq!(disk.peer(), Peer { certificate: old, next: Some(theirs) });
    assert_eq!(record(root).expect("read"), Some(Record { id, step: Step::Used, leads: true }));
}

#[test]
fn a_first_step_is_taken_back_whole() {
    let disk = Disk::new("rotate-back");
    let (root, before, peer) = (&disk.0, disk.own(), disk.peer());
    steps::stage(root, NEW, true).expect("staged");
    steps::pin(root, certificate()).expect("pinned");
    steps::give_up(root).expect("taken back");
    assert_eq!(
        (disk.keys(), disk.own(), disk.peer(), disk.step()),
        ((OLD, None), before, peer, None)
    );
    assert!(!root.join(DIRECTORY).join("next.pem").exists());
}

#[test]
fn what_a_cut_off_step_left_counts_for_nothing_and_no_step_comes_before_its_turn() {
    let disk = Disk::new("rotate-cut");
    let (root, id) = (&disk.0, steps::id_of(&NEW));
    for early in [steps::use_new(root, id), steps::used(root, id), steps::drop_old(root, id)] {
        assert!(early.expect_err("nothing is under way").message.contains("pair rotate"));
    }
    // Killed right after the record was written.
    steps::stage(root, OTHER, true).expect("staged");
    fs::write(root.join(default_key_file()), key_text(&OLD)).expect("written");
    let torn = record(root).expect("read").expect("one");
    assert!(steps::is_torn(root, &torn).expect("read"));
    steps::give_up(root).expect("taken back");
    let theirs = certificate();
    go(root, &theirs);
    assert_eq!(disk.keys(), (NEW, None));
}

#[test]
fn keys_that_are_changed_by_hand_are_left_alone() {
    let disk = Disk::new("rotate-hand");
    let root = &disk.0;
    let text = key_text(&OTHER) + &key_text(&OLD);
    fs::write(root.join(default_key_file()), text).expect("written");
    let refused = steps::stage(root, NEW, true).expect_err("by hand");
    assert!(refused.message.contains("changed by hand"), "{refused}");
    assert_eq!((disk.keys(), disk.step()), ((OTHER, Some(OLD)), None));
}

#[test]
fn of_two_changes_the_one_that_leads_here_stays_and_one_that_only_follows_gives_way() {
    let disk = Disk::new("rotate-two");
    let root = &disk.0;
    steps::stage(root, OTHER, true).expect("this node leads");
    assert!(steps::stage(root, NEW, false).expect_err("busy").message.contains("go on with those"));
    steps::give_up(root).expect("taken back");
    steps::stage(root, OTHER, false).expect("it follows");
    steps::stage(root, NEW, false).expect("its leader begins anew");
    assert_eq!(disk.keys(), (OLD, Some(NEW)));
    steps::use_new(root, steps::id_of(&NEW)).expect("used");
    steps::used(root, steps::id_of(&NEW)).expect("noted");
    assert!(steps::stage(root, OTHER, false).is_err(), "what is in use does not give way");
}

#[test]
fn the_other_nodes_next_certificate_is_never_this_nodes_own() {
    let disk = Disk::new("rotate-own");
    let refused = steps::pin(&disk.0, disk.own()).expect_err("its own");
    assert!(refused.message.contains("own certificate"), "{refused}");
}
