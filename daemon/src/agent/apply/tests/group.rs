//! Two sections changed as one, the files of one in a directory of the other: as the packet
//! filter and its definitions.

use std::ops::ControlFlow;

use super::support::sh;
use crate::agent::apply::{Journal, Outcome, Part, Plan, apply};
use crate::agent::manifest::Manifest;
use crate::agent::section::Section;
use crate::agent::step::Step;
use crate::agent::tree::tests::support::{Kept, Place};
use crate::agent::tree::{Cache, Ground, Lists, Scope, scan};

/// The place, with its section split in two.
struct Group {
    place: Place,
    kept: Kept,
    scopes: [Scope; 2],
}

impl Group {
    fn new() -> Group {
        let lists = |include: &[&str], exclude: &[&str]| Lists {
            include: include.iter().map(|text| (*text).to_owned()).collect(),
            exclude: exclude.iter().map(|text| (*text).to_owned()).collect(),
            node_local: Vec::new(),
            translate: Vec::new(),
        };
        let inner = "/etc/app/fw.d/defs*";
        let scopes = [lists(&[inner], &[]), lists(&["/etc/app"], &[inner])];
        let scopes = scopes.map(|lists| Scope::new(lists).unwrap());
        Group { place: Place::new(), kept: Kept::default(), scopes }
    }

    /// What lies there, section by section; its contents can be had afterwards.
    fn look(&mut self) -> [Manifest; 2] {
        self.kept.keep(&mut self.place);
        [0, 1].map(|at| {
            let (root, translator) = (&self.place.root, &self.place.translator);
            let ground = Ground { root, scope: &self.scopes[at], translator };
            scan(ground, &mut Cache::default()).unwrap().manifest
        })
    }

    fn go(&mut self, from: &[Manifest; 2], to: &[Manifest; 2], steps: &[Step]) -> Outcome {
        let journal = Journal::open(&self.place.path("var/apply")).unwrap();
        let mut caches = [Cache::default(), Cache::default()];
        let sections = [Section::Definitions, Section::Firewall];
        let parts = caches.iter_mut().enumerate().map(|(at, cache)| Part {
            section: sections[at],
            scope: &self.scopes[at],
            cache,
            from: &from[at],
            to: &to[at],
            validate: &[],
            apply: steps,
        });
        let mut plan = Plan {
            root: &self.place.root,
            translator: &self.place.translator,
            parts: parts.collect(),
            title: "a test".to_owned(),
        };
        let watch = |_| ControlFlow::Continue(());
        apply(&mut plan, &journal, &|digest| self.kept.read(digest), &watch)
    }
}

/// A group with everything, and what lies there before and with it.
fn with_and_without() -> (Group, [Manifest; 2], [Manifest; 2]) {
    let mut group = Group::new();
    group.place.write("etc/app/main.conf", "include fw.d");
    let without = group.look();
    group.place.write("etc/app/fw.d/defs.nft", "define");
    group.place.write("etc/app/fw.d/rules.nft", "rules");
    let with = group.look();
    assert!(with.iter().zip(&without).all(|(one, other)| one != other));
    (group, with, without)
}

#[test]
fn a_directory_goes_with_the_files_of_another_section_in_it_and_comes_back() {
    let (mut group, with, without) = with_and_without();
    let outcome = group.go(&with, &without, &[]);
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome}");
    assert_eq!(group.look(), without);
    assert!(!group.place.path("etc/app/fw.d").exists());
    let outcome = group.go(&without, &with, &[]);
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome}");
    assert_eq!(group.look(), with);
}

#[test]
fn what_failed_leaves_no_directory_behind() {
    let (mut group, with, without) = with_and_without();
    assert!(matches!(group.go(&with, &without, &[]), Outcome::Applied(_)));
    let outcome = group.go(&without, &with, &[sh("test ! -e $1/etc/app/fw.d")]);
    match outcome {
        Outcome::RolledBack { trouble, .. } => assert_eq!(trouble, Vec::<String>::new()),
        other => panic!("{other}"),
    }
    assert_eq!(group.look(), without);
}

#[test]
fn a_directory_with_a_file_of_no_section_stays_and_the_change_is_refused() {
    let (mut group, _, without) = with_and_without();
    group.scopes[0] = Scope::new(Lists {
        include: vec!["/etc/app/fw.d/defs.nft".to_owned()],
        exclude: Vec::new(),
        node_local: Vec::new(),
        translate: Vec::new(),
    })
    .unwrap();
    group.place.write("etc/app/fw.d/defs-of-mine", "x");
    let now = group.look();
    let outcome = group.go(&now, &without, &[]);
    assert!(outcome.to_string().contains("defs-of-mine, which is not synchronised"), "{outcome}");
    assert_eq!(group.look(), now);
}
