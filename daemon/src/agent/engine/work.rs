//! What the worker does for the engine: everything that touches files of the
//! configuration or waits for the other node. One errand at a time, so that a section
//! is never read in the middle of its change. It decides nothing: what to take was
//! decided by [`super::state`], how to change a section is `apply`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::diff::SectionDiff;
use super::fetching::{self, Wanted};
use super::line::Lines;
use super::message::{Phase, Take};
use super::reading::{Reader, Reading, Reason, first_differences};
use super::run::{Engine, Event, Restore};
use super::showing::Shown;
use super::standing::Direction;
use super::state::{Input, Order};
use super::waiting::Waiting;
use crate::agent::clock::unix_ms;
use crate::agent::digest::Digest;
use crate::agent::manifest::Manifest;
use crate::agent::profile::Deviation;
use crate::agent::section::Section;
use crate::agent::store::{Cause, Lineage, OUTSIDE, Retention, Store, Version};
use crate::agent::watch::{Changes, Extent, Watcher};

/// Versions that are noted between two looks for old ones: looking reads every manifest.
pub const COLLECT_AFTER: usize = 100;

/// One errand.
#[derive(Debug)]
pub enum Work {
    /// Read the sections that wait.
    Read,
    /// Take sections over from the other node.
    Take(Take),
    /// Say what differs from what the other node has.
    Compare {
        /// In which section.
        section: Section,
        /// What the other node has.
        there: Digest,
        /// Which of the two would replace the other.
        direction: Direction,
        /// Where the answer goes.
        answer: oneshot::Sender<Result<SectionDiff, String>>,
    },
    /// Read what an order is about, and pass it on.
    Order(Order, oneshot::Sender<Result<(), String>>),
    /// Say what putting a version back would change.
    Preview(Version, oneshot::Sender<Result<SectionDiff, String>>),
    /// Put a version back, and say how it went.
    Restore(Restore, oneshot::Sender<Result<(), String>>),
}

/// A section to be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changing {
    /// Which.
    pub section: Section,
    /// What is there.
    pub from: Manifest,
    /// What shall be there.
    pub to: Manifest,
}

/// Changes sections together, all or none; tells phases, and why not.
pub type Apply =
    dyn FnMut(&[Changing], &mut dyn FnMut(Section, Phase)) -> Result<(), NotApplied> + Send;

/// Why sections stay as they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotApplied {
    /// The one because of which; none where it is not about one.
    pub section: Option<Section>,
    /// In words, without the section's name.
    pub why: String,
}

impl NotApplied {
    /// As it is said of one of them.
    fn about(&self, section: Section) -> String {
        match self.section.filter(|other| *other != section) {
            Some(other) => format!("it is changed together with {other}, and there {}", self.why),
            None => self.why.clone(),
        }
    }
}

impl From<String> for NotApplied {
    fn from(why: String) -> NotApplied {
        NotApplied { section: None, why }
    }
}

/// What the worker is told of the pair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Belonging {
    /// The history that the configuration belongs to.
    pub lineage: Option<Lineage>,
    /// The other node's name.
    pub peer: String,
}

/// The worker.
pub struct Worker {
    /// Reads the disk.
    pub reader: Reader,
    /// The versions.
    pub store: Arc<Store>,
    /// To the other node.
    pub lines: Lines,
    /// Who wants to hear of everything.
    pub engine: Engine,
    /// Sections that wait to be read.
    pub waiting: Waiting,
    /// Sections that are changed together.
    pub units: Vec<Vec<Section>>,
    /// Changes them.
    pub apply: Box<Apply>,
    /// How contents are shown.
    pub shown: Shown,
    /// Notices changes.
    pub watcher: Watcher,
    /// Whose configuration it is.
    pub belonging: Arc<Mutex<Belonging>>,
    /// What it read so far.
    pub known: Known,
}

/// What the worker remembers of its readings.
#[derive(Debug, Default)]
pub struct Known {
    /// What each section was when it was read last: its digest, and what lay on the disk.
    last: BTreeMap<Section, (Digest, Manifest)>,
    /// Versions noted since old ones were removed last.
    noted: usize,
}

impl Worker {
    /// Does errands until nobody is left to give any.
    pub fn run(mut self, errands: &mpsc::Receiver<Work>) {
        while let Ok(work) = errands.recv() {
            match work {
                Work::Read => {
                    for (section, extent) in self.waiting.take() {
                        // The engine was told why it could not be read.
                        let _ = self.read_some(section, &extent, Cause::Changed, OUTSIDE);
                    }
                }
                Work::Take(take) => self.take(&take),
                Work::Compare { section, there, direction, answer } => {
                    let result = self.differences(section, there, direction);
                    let _ = answer.send(result);
                }
                Work::Order(order, answer) => {
                    let all = order.sections.is_empty();
                    let wanted = |section: &Section| all || order.sections.contains(section);
                    for section in Section::ALL.into_iter().filter(wanted) {
                        // The engine was told why it could not be read, and refuses the order.
                        let _ = self.read(section, Cause::Changed, OUTSIDE);
                    }
                    self.engine.tell(Event::Ready(order, answer));
                }
                Work::Preview(version, answer) => {
                    let _ = answer.send(self.preview(&version));
                }
                Work::Restore(restore, answer) => {
                    let result = self.restore(&restore);
                    // Who asked may have gone.
                    let _ = answer.send(result);
                }
            }
            self.collect();
        }
    }

    /// Removes versions that are older than those kept, and contents that only they needed.
    /// Between two errands nothing is fetched that no version names yet.
    fn collect(&mut self) {
        if self.known.noted < COLLECT_AFTER {
            return;
        }
        self.known.noted = 0;
        if let Err(error) = self.store.collect(Retention::default(), &BTreeSet::new()) {
            eprintln!("twinwall agent: old versions stay for now: {error}");
        }
    }

    /// Reads one section, notes a version if it changed, and tells the engine.
    fn read(&mut self, section: Section, cause: Cause, who: &str) -> Result<Reading, String> {
        self.read_some(section, &Extent::Everything, cause, who)
    }

    /// The same for so much of it.
    fn read_some(
        &mut self,
        section: Section,
        extent: &Extent,
        cause: Cause,
        who: &str,
    ) -> Result<Reading, String> {
        let lineage = self.belonging().lineage;
        let reason = Reason { lineage, at_ms: unix_ms(), cause, who: who.to_owned() };
        let read = self.reader.read(section, extent, &reason).map_err(|error| error.to_string());
        let digest = read.as_ref().map(|reading| reading.version.manifest).map_err(Clone::clone);
        match &read {
            Ok(reading) => {
                if self.watcher.watch_all(section, &reading.manifest) {
                    self.engine.tell(Event::Changed(Changes::whole([section])));
                }
                let seen = (reading.version.manifest, reading.on_disk());
                let before = self.known.last.insert(section, seen);
                let same = before.is_some_and(|(digest, _)| digest == reading.version.manifest);
                self.known.noted += usize::from(!same);
            }
            Err(_) => drop(self.known.last.remove(&section)),
        }
        let remark = read.as_ref().ok().and_then(Reading::remark);
        self.engine.tell(Event::Input(Input::Read(section, digest)));
        self.engine.tell(Event::Input(Input::Remark(section, remark)));
        read
    }

    fn take(&mut self, take: &Take) {
        let peer = self.belonging().peer;
        let mut fetched = BTreeMap::new();
        for (section, wanted) in &take.sections {
            match self.fetch(*section, *wanted, take) {
                Ok(changing) => drop(fetched.insert(*section, changing)),
                Err(why) => self.step(*section, Phase::Failed { why }),
            }
        }
        for unit in self.units.clone() {
            self.change_unit(&unit, take, &mut fetched, &peer);
        }
        self.engine.tell(Event::Input(Input::Ended));
    }

    /// What is here now, and what shall be here. Where an order replaces whatever is here, that
    /// is read and kept as a version; where nothing was changed here, what was read last will
    /// do: it is compared with the disk once more before anything is switched.
    fn fetch(&mut self, section: Section, wanted: Digest, take: &Take) -> Result<Changing, String> {
        self.engine.cancelled(take.job).map_or(Ok(()), Err)?;
        let known = self.known.last.get(&section).filter(|_| !take.forced).cloned();
        let (digest, from) = match known {
            Some(known) => known,
            None => {
                let read = self.read(section, Cause::Replaced, &take.who)?;
                (read.version.manifest, read.on_disk())
            }
        };
        let wanted = Wanted { section, manifest: wanted, base: Some(digest) };
        let engine = self.engine.clone();
        let mut progress = |percent| {
            let input = Input::Stepped(section, Phase::Fetching { percent });
            engine.tell(Event::Input(input));
        };
        progress(0);
        let store = Arc::clone(&self.store);
        let fetched = self.lines.ask(|line| fetching::fetch(line, &store, wanted, &mut progress));
        let to = fetched.map_err(|error| error.to_string())?;
        self.is_ruled_alike(section, &to)?;
        Ok(Changing { section, from, to })
    }

    /// The other node reads its files by the same rules, unless its profile is another: both
    /// would then never have the same.
    fn is_ruled_alike(&self, section: Section, to: &Manifest) -> Result<(), String> {
        match self.ruled(section, to.clone()).1.first() {
            None => Ok(()),
            Some(other) => Err(format!(
                "{other} here, but not on the other node; give both nodes the same appliance \
                 profile"
            )),
        }
    }

    /// The section with owners and modes as the profile says, and what had others.
    fn ruled(&self, section: Section, mut to: Manifest) -> (Manifest, Vec<Deviation>) {
        let rules = self.shown.rules.get(&section);
        let deviations = rules.map_or_else(Vec::new, |rules| rules.rule_owners(&mut to));
        (to, deviations)
    }

    /// Takes the other node's side into the store and compares.
    fn differences(
        &mut self,
        section: Section,
        there: Digest,
        direction: Direction,
    ) -> Result<SectionDiff, String> {
        let here = self.read(section, Cause::Changed, OUTSIDE)?;
        let wanted = Wanted { section, manifest: there, base: Some(here.version.manifest) };
        let store = Arc::clone(&self.store);
        let fetched = self.lines.ask(|line| fetching::fetch(line, &store, wanted, &mut |_| ()));
        let there = fetched.map_err(|error| error.to_string())?;
        let (old, new) = match direction {
            Direction::Push => (&there, &here.manifest),
            Direction::Pull => (&here.manifest, &there),
        };
        Ok(self.shown.compare(section, old, new, &self.store))
    }

    /// Changes the sections of one unit that are to be taken, all or none.
    fn change_unit(
        &mut self,
        unit: &[Section],
        take: &Take,
        fetched: &mut BTreeMap<Section, Changing>,
        peer: &str,
    ) {
        let wanted = unit.iter().filter(|section| take.sections.contains_key(section));
        let absent = wanted.clone().find(|section| !fetched.contains_key(section)).copied();
        let changing: Vec<Changing> =
            wanted.filter_map(|section| fetched.remove(section)).collect();
        if changing.is_empty() {
            return;
        }
        let result = match (self.engine.cancelled(take.job), absent) {
            (Some(why), _) => Err(NotApplied::from(why)),
            (None, Some(other)) => {
                let why = "it could not be fetched".to_owned();
                Err(NotApplied { section: Some(other), why })
            }
            (None, None) => {
                let engine = self.engine.clone();
                (self.apply)(&changing, &mut |section, phase| {
                    engine.tell(Event::Input(Input::Stepped(section, phase)));
                })
            }
        };
        for one in &changing {
            let phase = match &result {
                Ok(()) => self.compare(one, peer),
                Err(why) => {
                    // What is there now is told as well: the old, if all went right.
                    let _ = self.read(one.section, Cause::Changed, OUTSIDE);
                    Phase::Failed { why: why.about(one.section) }
                }
            };
            self.step(one.section, phase);
        }
    }

    /// Success is claimed only of what is really there.
    fn compare(&mut self, changed: &Changing, who: &str) -> Phase {
        self.step(changed.section, Phase::Comparing);
        match self.read(changed.section, Cause::Synchronised, who) {
            Ok(there) if there.manifest == changed.to => Phase::Done,
            Ok(there) => {
                let differences = first_differences(&changed.to, &there.manifest);
                let why =
                    format!("after it was applied these are not as they should be: {differences}");
                Phase::Failed { why }
            }
            Err(why) => Phase::Failed { why },
        }
    }

    /// What a version is when it is put back: it may be older than a rule of the profile.
    fn version(&self, version: &Version) -> Result<Manifest, String> {
        let to = self.store.manifest(&version.manifest).map_err(|error| error.to_string())?;
        Ok(self.ruled(version.section, to).0)
    }

    fn preview(&mut self, version: &Version) -> Result<SectionDiff, String> {
        let to = self.version(version)?;
        let here = self.read(version.section, Cause::Changed, OUTSIDE)?;
        Ok(self.shown.compare(version.section, &here.manifest, &to, &self.store))
    }

    fn restore(&mut self, restore: &Restore) -> Result<(), String> {
        let section = restore.version.section;
        let to = self.version(&restore.version)?;
        let from = self.read(section, Cause::Changed, OUTSIDE)?.on_disk();
        let changing = Changing { section, from, to };
        let applied = (self.apply)(std::slice::from_ref(&changing), &mut |_, _| ());
        let read = self.read(section, Cause::Restored, &restore.who);
        applied.map_err(|why| why.about(section))?;
        let there = read?.manifest;
        if there == changing.to {
            return Ok(());
        }
        let differences = first_differences(&changing.to, &there);
        Err(format!("it was put back, but these are not as they were: {differences}"))
    }

    fn step(&self, section: Section, phase: Phase) {
        self.engine.tell(Event::Input(Input::Stepped(section, phase)));
    }

    fn belonging(&self) -> Belonging {
        self.belonging.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
