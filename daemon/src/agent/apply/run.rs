//! The way forward, in the order that ARCHITECTURE.md promises: stage, validate, journal,
//! switch, apply, compare, commit; and back from wherever it fails.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread;

use super::isolate::isolated;
use super::journal::{Journal, Record, RecordPart, STAGED};
use super::look::{difference, unchanged};
use super::undo::{apply_again, once, trouble, undo};
use super::{During, Failure, Note, Outcome, Part, Plan, Progress, Refused, Watch};
use crate::agent::manifest::{Change, Entry, Kind, Manifest, Owner, RelPath};
use crate::agent::section::Section;
use crate::agent::step::{Leftovers, Step, StepFailure};
use crate::agent::tree::{Contents, Ground, Prepared, Touched, WriteError, prepare, switch};

/// Makes the sections of the plan what they shall be.
pub fn apply(
    plan: &mut Plan<'_>,
    journal: &Journal,
    contents: &Contents<'_>,
    watch: &Watch<'_>,
) -> Outcome {
    if journal.is_pending() {
        return Outcome::Refused(Refused::Pending);
    }
    let outcome = forward(plan, journal, contents, watch).unwrap_or_else(Outcome::Refused);
    // What is left here is cleared at the next start at the latest.
    let _cleared_later = journal.clear();
    outcome
}

/// Up to the journal everything can still be refused; after it there are two ways.
fn forward(
    plan: &mut Plan<'_>,
    journal: &Journal,
    contents: &Contents<'_>,
    watch: &Watch<'_>,
) -> Result<Outcome, Refused> {
    let unwritable = |error| Refused::Journal(format!("{error}"));
    let staging = journal.fresh(STAGED).map_err(unwritable)?;
    let prepared = match stage(plan, contents, watch, &staging) {
        Ok(prepared) => prepared,
        // What was found there need not be what the plan was made from.
        Err(refused) => return unchanged(plan).and(Err(refused)),
    };
    has_way_back(plan, &prepared, contents)?;
    let validated = validate(plan, journal, &prepared, watch)?;
    let record = record(plan, &prepared);
    // The plan was made from a look at the disk a moment ago; this one is the last.
    unchanged(plan)?;
    journal.begin(&record).map_err(unwritable)?;
    let done = change(plan, &prepared, &validated, watch).and_then(|()| {
        let section = plan.parts.first().map_or(Section::System, |part| part.section);
        journal.end().map_err(|error| failure(section, During::Comparison, error.to_string()))
    });
    Ok(match done {
        Ok(()) => {
            Outcome::Applied(validated.err().map(Note::ValidatedInPlace).into_iter().collect())
        }
        Err(why) => back(plan, journal, &record, contents, why),
    })
}

/// Writes everything new beside, for all sections.
fn stage<'a>(
    plan: &Plan<'a>,
    contents: &Contents<'_>,
    watch: &Watch<'_>,
    staging: &Path,
) -> Result<Vec<Prepared<'a>>, Refused> {
    let mut prepared = Vec::new();
    let leaving = leaving(plan);
    for part in &plan.parts {
        let ground = Ground { root: plan.root, scope: part.scope, translator: plan.translator };
        let (during, section) = (During::Staging, part.section);
        let told = Told { watch, during, section, total: part.from.changes(part.to).len() };
        let both = (part.from, part.to);
        let new = prepare(ground, both, &leaving, contents, staging, &told.paths());
        prepared.push(new.map_err(|error| unwritten(part.section, error))?);
    }
    Ok(prepared)
}

/// What none of the sections has afterwards: a directory of one may hold files of another.
fn leaving(plan: &Plan<'_>) -> BTreeSet<RelPath> {
    let mut leaving = BTreeSet::new();
    for part in plan.parts.iter().filter(|_| plan.parts.len() > 1) {
        for change in part.from.changes(part.to) {
            if let Change::Removed(path, _) = change {
                leaving.insert(path.clone());
            }
        }
    }
    leaving
}

fn failure(section: Section, during: During, text: String) -> Failure {
    Failure { section, during, text, step: None }
}

fn unwritten(section: Section, error: WriteError) -> Refused {
    match error {
        WriteError::Cancelled => Refused::Cancelled,
        WriteError::Refused(..)
        | WriteError::Content(..)
        | WriteError::Staging(..)
        | WriteError::Disk(..) => Refused::Write(section, error),
    }
}

/// Whether the old contents can be had, should they be needed.
fn has_way_back(
    plan: &Plan<'_>,
    prepared: &[Prepared<'_>],
    contents: &Contents<'_>,
) -> Result<(), Refused> {
    for (part, prepared) in plan.parts.iter().zip(prepared) {
        for change in prepared.changes() {
            let (Change::Removed(path, old) | Change::Modified(path, old, _)) = change else {
                continue;
            };
            let Kind::File { content, .. } = &old.kind else { continue };
            contents(content)
                .map_err(|error| Refused::NoWayBack(part.section, format!("{path}: {error}")))?;
        }
    }
    Ok(())
}

/// Runs the validators over the staged files. `Ok(Err(why))`: no view of them could be
/// made, and they have to run after the switch.
fn validate(
    plan: &Plan<'_>,
    journal: &Journal,
    prepared: &[Prepared<'_>],
    watch: &Watch<'_>,
) -> Result<Result<(), String>, Refused> {
    let steps = steps(plan, |part| part.validate);
    if steps.is_empty() {
        return Ok(Ok(()));
    }
    if let ControlFlow::Break(()) = tell_steps(watch, During::Validation, &steps, 0) {
        return Err(Refused::Cancelled);
    }
    let mut changes: Vec<&Change<'_>> =
        prepared.iter().flat_map(|prepared| prepared.changes()).collect();
    changes.sort_by_key(|change| change.path());
    let root = plan.root.path();
    let run = || run_all(root, &steps, Leftovers::Killed);
    match isolated(root, journal, &changes, run) {
        Ok(Ok(())) => Ok(Ok(())),
        Ok(Err((section, failure))) => Err(Refused::Invalid(section, failure)),
        Err(why) => Ok(Err(why)),
    }
}

fn steps<'a>(plan: &Plan<'a>, of: fn(&Part<'a>) -> &'a [Step]) -> Vec<(Section, &'a Step)> {
    let all: Vec<(Section, &[Step])> =
        plan.parts.iter().map(|part| (part.section, of(part))).collect();
    once(&all)
}

fn run_all(
    root: &Path,
    steps: &[(Section, &Step)],
    leftovers: Leftovers,
) -> Result<(), (Section, StepFailure)> {
    for (section, step) in steps {
        step.run(root, leftovers).map_err(|failure| (*section, failure))?;
    }
    Ok(())
}

/// What the journal has to say.
fn record(plan: &Plan<'_>, prepared: &[Prepared<'_>]) -> Record {
    let parts = plan.parts.iter().zip(prepared).map(|(part, prepared)| {
        let (mut undo, mut redo) = (Manifest::default(), Manifest::default());
        for change in prepared.changes() {
            let (old, new) = match change {
                Change::Added(_, new) => (None, Some(new)),
                Change::Removed(_, old) => (Some(old), None),
                Change::Modified(_, old, new) => (Some(old), Some(new)),
            };
            let path = change.path();
            old.map(|entry| undo.insert(path.clone(), (*entry).clone()));
            new.map(|entry| redo.insert(path.clone(), (*entry).clone()));
        }
        RecordPart {
            section: part.section,
            lists: part.scope.lists().clone(),
            apply: part.apply.to_vec(),
            undo,
            redo,
            parents: prepared.parents().map(|path| (path.clone(), made())).collect(),
        }
    });
    Record {
        parts: parts.collect(),
        title: plan.title.clone(),
        translator: plan.translator.clone(),
    }
}

/// A directory that is made on the way to a section.
fn made() -> Entry {
    let root = Owner::Number(0);
    Entry { kind: Kind::Directory, mode: 0o755, user: root.clone(), group: root }
}

/// Switches, applies and compares. Whatever fails leaves the journal in force.
fn change(
    plan: &mut Plan<'_>,
    prepared: &[Prepared<'_>],
    validated: &Result<(), String>,
    watch: &Watch<'_>,
) -> Result<(), Failure> {
    let mut touched = Touched::default();
    let section_of = |number: usize| {
        plan.parts.get(number).map_or(Section::System, |part: &Part<'_>| part.section)
    };
    let during = During::Switch;
    let total = prepared.iter().map(|new| new.changes().len()).sum();
    let told = Told { watch, during, section: section_of(0), total };
    switch(prepared, &told.paths(), &mut touched)
        .map_err(|(number, error)| failure(section_of(number), during, error.to_string()))?;
    let last = plan.parts.last().map_or(Section::System, |part| part.section);
    // The services need not wait for the disk: until the journal goes, a power cut brings
    // the old files back.
    thread::scope(|scope| {
        let syncing = thread::Builder::new().name("syncing".to_owned());
        let syncing = syncing.spawn_scoped(scope, || touched.sync());
        let done = put_to_use(plan, validated, watch);
        let synced = syncing.and_then(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the syncing thread ended early")))
        });
        done?;
        synced.map_err(|error| failure(last, During::Comparison, error.to_string()))
    })
}

/// Applies what was switched in, and compares.
fn put_to_use(
    plan: &mut Plan<'_>,
    validated: &Result<(), String>,
    watch: &Watch<'_>,
) -> Result<(), Failure> {
    if validated.is_err() {
        let steps = steps(plan, |part| part.validate);
        run_told(plan, During::Validation, &steps, Leftovers::Killed, watch)?;
    }
    let steps = steps(plan, |part| part.apply);
    run_told(plan, During::Apply, &steps, Leftovers::Stay, watch)?;
    for part in &mut plan.parts {
        let during = During::Comparison;
        let _too_late = watch(Progress { during, section: part.section, done: 0, total: 1 });
        let text = match difference(plan.root, plan.translator, part, part.to) {
            Ok(None) => continue,
            Ok(Some(path)) => {
                format!("{path} is not what was wanted after the apply commands ran")
            }
            Err(problem) => problem,
        };
        return Err(failure(part.section, during, text));
    }
    Ok(())
}

fn run_told(
    plan: &Plan<'_>,
    during: During,
    steps: &[(Section, &Step)],
    leftovers: Leftovers,
    watch: &Watch<'_>,
) -> Result<(), Failure> {
    for (done, (section, step)) in steps.iter().enumerate() {
        let _too_late = tell_steps(watch, during, steps, done);
        step.run(plan.root.path(), leftovers).map_err(|failure| Failure {
            section: *section,
            during,
            text: failure.to_string(),
            step: Some(failure),
        })?;
    }
    Ok(())
}

fn tell_steps(
    watch: &Watch<'_>,
    during: During,
    steps: &[(Section, &Step)],
    done: usize,
) -> ControlFlow<()> {
    match steps.get(done) {
        Some((section, _)) => {
            watch(Progress { during, section: *section, done, total: steps.len() })
        }
        None => ControlFlow::Continue(()),
    }
}

/// Back to the old files, and the old files applied, unless nobody can have seen the new.
fn back(
    plan: &Plan<'_>,
    journal: &Journal,
    record: &Record,
    contents: &Contents<'_>,
    why: Failure,
) -> Outcome {
    let kept = match undo(plan.root, journal, record, contents) {
        Ok(kept) => kept,
        Err(trouble) => return Outcome::Stuck { why, trouble },
    };
    let seen = match why.during {
        During::Staging | During::Validation | During::Switch => false,
        During::Apply | During::Comparison => true,
    };
    let failed = if seen {
        let parts: Vec<(Section, &[Step])> =
            plan.parts.iter().map(|part| (part.section, part.apply)).collect();
        apply_again(plan.root, &parts)
    } else {
        Vec::new()
    };
    match journal.end() {
        Ok(()) => Outcome::RolledBack { why, trouble: trouble(&kept, &failed) },
        Err(error) => Outcome::Stuck { why, trouble: error.to_string() },
    }
}

/// Turns what the writer says of each path into progress.
struct Told<'a> {
    watch: &'a Watch<'a>,
    during: During,
    section: Section,
    total: usize,
}

impl Told<'_> {
    fn paths(&self) -> impl Fn(&RelPath) -> ControlFlow<()> + '_ {
        let done = Cell::new(0);
        move |_| {
            let (during, section, total) = (self.during, self.section, self.total);
            let told = (self.watch)(Progress { during, section, done: done.get(), total });
            done.set(done.get() + 1);
            told
        }
    }
}
