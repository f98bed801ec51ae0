//! Changes sections for the engine: fills the plan of `apply` with what the profile says
//! and what the store holds. Called on the worker's thread, one change at a time. It never
//! decides whether something is changed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::agent::apply::{During, Journal, Outcome, Part, Plan, Progress, apply};
use crate::agent::engine::message::Phase;
use crate::agent::engine::work::{Apply, Changing, NotApplied};
use crate::agent::manifest::{Manifest, RelPath};
use crate::agent::profile::{Profile, Task};
use crate::agent::section::Section;
use crate::agent::step::Step;
use crate::agent::store::Store;
use crate::agent::translate::Translator;
use crate::agent::tree::{Cache, Root, Scope};

/// What every change needs.
pub(super) struct Applier {
    pub(super) root: Root,
    pub(super) profile: Profile,
    pub(super) scopes: BTreeMap<Section, Scope>,
    pub(super) translator: Translator,
    pub(super) journal: Arc<Journal>,
    pub(super) store: Arc<Store>,
}

/// The steps of one section in this change.
struct Steps {
    validate: Vec<Step>,
    apply: Vec<Step>,
}

impl Applier {
    /// As the engine wants it.
    pub(super) fn boxed(mut self) -> Box<Apply> {
        let mut caches = BTreeMap::new();
        Box::new(move |changing, tell| self.change(changing, &mut caches, tell))
    }

    fn change(
        &mut self,
        changing: &[Changing],
        caches: &mut BTreeMap<Section, Cache>,
        tell: &mut dyn FnMut(Section, Phase),
    ) -> Result<(), NotApplied> {
        let steps: Vec<Steps> = changing.iter().map(|one| self.steps(one)).collect();
        // Each section's cache is lent to the plan and given back after it.
        let mut lent: Vec<Cache> =
            changing.iter().map(|one| caches.remove(&one.section).unwrap_or_default()).collect();
        let mut parts = Vec::new();
        for ((one, steps), cache) in changing.iter().zip(&steps).zip(&mut lent) {
            let scope = self.scopes.get(&one.section);
            let scope =
                scope.ok_or_else(|| format!("the profile has no section {}", one.section))?;
            parts.push(Part {
                section: one.section,
                scope,
                cache,
                from: &one.from,
                to: &one.to,
                validate: &steps.validate,
                apply: &steps.apply,
            });
        }
        let names: Vec<&str> = changing.iter().map(|one| one.section.id()).collect();
        let mut plan = Plan {
            root: &self.root,
            translator: &self.translator,
            parts,
            title: format!("synchronisation of {}", names.join(", ")),
        };
        let store = Arc::clone(&self.store);
        let contents = move |digest: &_| store.read(digest).map_err(io::Error::other);
        let phases = Phases::of(changing, tell);
        let outcome =
            apply(&mut plan, &self.journal, &contents, &|progress| phases.watch(progress));
        caches.extend(changing.iter().map(|one| one.section).zip(lent));
        match outcome {
            Outcome::Applied(notes) => {
                notes.iter().for_each(|note| eprintln!("twinwall agent: {note}"));
                Ok(())
            }
            failed @ (Outcome::Refused(_) | Outcome::RolledBack { .. } | Outcome::Stuck { .. }) => {
                Err(NotApplied { section: failed.section(), why: failed.to_string() })
            }
        }
    }

    fn steps(&self, one: &Changing) -> Steps {
        let Some(rules) = self.profile.sections.get(&one.section) else {
            return Steps { validate: Vec::new(), apply: Vec::new() };
        };
        let exists = |path: &RelPath| will_exist(self.root.path(), &one.from, &one.to, path);
        let due = |tasks: &[Task]| {
            let due = tasks.iter().filter(|task| task.is_due(exists));
            due.map(|task| task.step.clone()).collect()
        };
        Steps { validate: due(&rules.validate), apply: due(&rules.apply) }
    }
}

/// Whether something is at this path once the section is what it shall be.
fn will_exist(root: &Path, from: &Manifest, to: &Manifest, path: &RelPath) -> bool {
    let in_it = |manifest: &Manifest| {
        manifest.get(path).is_some() || manifest.iter().any(|(other, _)| other.is_within(path))
    };
    if in_it(to) {
        return true;
    }
    // What the section loses is gone; what it never had is another's, as it lies there.
    from.get(path).is_none() && root.join(path.as_path()).symlink_metadata().is_ok()
}

/// Tells the engine a phase only when it is a new one: progress comes for every path.
struct Phases<'a> {
    sections: Vec<Section>,
    told: RefCell<Told<'a>>,
}

/// What was told last, and whom.
type Told<'a> = (Option<During>, &'a mut dyn FnMut(Section, Phase));

impl<'a> Phases<'a> {
    fn of(changing: &[Changing], tell: &'a mut dyn FnMut(Section, Phase)) -> Phases<'a> {
        let sections = changing.iter().map(|one| one.section).collect();
        Phases { sections, told: (None, tell).into() }
    }

    fn watch(&self, progress: Progress) -> ControlFlow<()> {
        let mut told = self.told.borrow_mut();
        if told.0.replace(progress.during) != Some(progress.during) {
            let phase = match progress.during {
                During::Staging => Phase::Staging,
                During::Validation => Phase::Validating,
                During::Switch | During::Apply => Phase::Applying,
                During::Comparison => Phase::Comparing,
            };
            for section in &self.sections {
                (told.1)(*section, phase.clone());
            }
        }
        ControlFlow::Continue(())
    }
}
