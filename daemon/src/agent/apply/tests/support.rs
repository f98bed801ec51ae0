//! A place with a journal, and plans for it.

use std::fs;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::agent::apply::{Journal, Outcome, Part, Plan, Progress, apply};
use crate::agent::manifest::Manifest;
use crate::agent::section::Section;
use crate::agent::step::Step;
use crate::agent::tree::tests::support::{Kept, Place};

/// A node with one section, its old and its new state, and the contents of both.
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) kept: Kept,
    pub(super) old: Manifest,
    pub(super) new: Manifest,
    pub(super) validate: Vec<Step>,
    pub(super) apply: Vec<Step>,
}

impl Node {
    /// `old` and `new` fill the section.
    pub(super) fn new(old: impl Fn(&Place), new: impl Fn(&Place)) -> Node {
        let kept = Kept::default();
        let mut other = Place::new();
        new(&other);
        let new = kept.keep(&mut other);
        let mut place = Place::new();
        old(&place);
        let old = kept.keep(&mut place);
        Node { place, kept, old, new, validate: Vec::new(), apply: Vec::new() }
    }

    pub(super) fn journal(&self) -> Journal {
        Journal::open(&self.place.path("var/apply")).unwrap()
    }

    pub(super) fn apply(&mut self, watch: &dyn Fn(Progress) -> ControlFlow<()>) -> Outcome {
        let journal = self.journal();
        let place = &mut self.place;
        let part = Part {
            section: Section::Policies,
            scope: &place.scope,
            cache: &mut place.cache,
            from: &self.old,
            to: &self.new,
            validate: &self.validate,
            apply: &self.apply,
        };
        let mut plan = Plan {
            root: &place.root,
            translator: &place.translator,
            parts: vec![part],
            title: "a test".to_owned(),
        };
        apply(&mut plan, &journal, &|digest| self.kept.read(digest), watch)
    }

    pub(super) fn run(&mut self) -> Outcome {
        self.apply(&|_| ControlFlow::Continue(()))
    }

    /// Whether the disk is what this manifest says, with nothing of ours left over.
    pub(super) fn is(&mut self, manifest: &Manifest) -> bool {
        let left: Vec<_> = fs::read_dir(self.place.path("var/apply"))
            .unwrap()
            .map(|it| it.unwrap().path())
            .collect();
        assert!(left.is_empty(), "{left:?}");
        let scan = self.place.scan();
        assert_eq!(scan.problems, []);
        scan.manifest == *manifest
    }
}

/// A step of the shell with the root as `$1`.
pub(super) fn sh(script: &str) -> Step {
    Step::new(&["sh", "-c", script, "sh", "{root}"], Duration::from_secs(20))
}
