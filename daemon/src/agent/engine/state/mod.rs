//! What the engine knows and decides, without disk, clock, threads or sockets: inputs in,
//! outputs out, as in the guard's core. One job at a time, and the node that takes a
//! configuration is the one that runs it: it fetches, validates, applies and compares.
//!
//! Rules: what both nodes have at the same time, or one took from the other, is what they agreed
//! on, and remembered. Only the active gives by itself, and only what nobody changed on the
//! passive. A node without lineage gives nothing, and one that joined a history gives no section
//! that it has not taken yet, whatever its role: such a section goes the other way. What was
//! changed on the taking node is replaced only when the order was forced.

mod close;
mod failed;
mod give;
mod take;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use twinwall_core::time::Moment;

use self::failed::Failed;
use super::marks::Marks;
use super::message::{Message, Phase, Report, Take, Taking};
use super::overview::LastJob;
use super::standing::{Digests, Direction, Standing};
use crate::agent::digest::Digest;
use crate::agent::section::Section;

/// How long the other node may say nothing about a job that it was asked to do.
pub const SILENCE: Duration = Duration::from_secs(60);

/// What the settings say about synchronisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether there is another node.
    pub paired: bool,
    /// Whether high availability is on.
    pub enabled: bool,
    /// Whether changes are sent as they are made.
    pub automatic: bool,
    /// How long a section must be quiet before it is sent.
    pub debounce: Duration,
}

/// What happens to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A section was read from the disk: its manifest, or why not.
    Read(Section, Result<Digest, String>),
    /// What an operator should know of a section that was read; none when there is nothing.
    Remark(Section, Option<String>),
    /// The settings, at the start and when they change.
    Rules(Rules),
    /// Whether this node is active, as the guard says; none while it says nothing.
    Active(Option<bool>),
    /// The control stream to the other node stands.
    Connected,
    /// It does not any more.
    Gone,
    /// Contents have a new line to the other node.
    Line,
    /// The other node said something.
    Heard(Message),
    /// An operator orders a synchronisation.
    Force(Order),
    /// An operator ends the job that runs; in whose name.
    Cancel(String),
    /// A section of the job that runs here came one step further.
    Stepped(Section, Phase),
    /// The job that runs here has ended; every section of it was read again before.
    Ended,
    /// Pairing gave this node a history, or took it away.
    Lineage(Option<crate::agent::store::Lineage>),
    /// This node's configuration begins this history, unless it belongs to one already.
    Begin(crate::agent::store::Lineage),
    /// Nothing but time.
    Tick,
}

/// An operator's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// From where to where.
    pub direction: Direction,
    /// Which sections; empty for all that differ.
    pub sections: Vec<Section>,
    /// Who ordered it.
    pub who: String,
}

/// What the engine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Say this to the other node.
    Say(Message),
    /// Take these sections over from the other node.
    Start(Take),
    /// Take nothing more of the job that runs here.
    Cancel {
        /// Its number.
        job: u64,
        /// Who ordered that.
        who: String,
    },
    /// Remember these facts durably.
    Remember(Marks),
}

/// One section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::agent::engine) struct One {
    pub(super) here: Option<Digest>,
    pub(super) there: Option<Digest>,
    /// When its digest on this node last changed.
    changed_at: Moment,
    /// Why it cannot be read here, or there.
    pub(in crate::agent::engine) problem_here: Option<String>,
    pub(in crate::agent::engine) problem_there: Option<String>,
    /// What an operator should know of it here, although it can be synchronised.
    pub(in crate::agent::engine) remark: Option<String>,
    /// The last try that failed: what was to be taken, why, when.
    pub(in crate::agent::engine) failed: Option<Failed>,
}

/// A job, here or on the other node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent::engine) struct Job {
    /// Whether this node is the one that takes.
    pub(in crate::agent::engine) taking_here: bool,
    pub(in crate::agent::engine) taking: Taking,
    wanted: BTreeMap<Section, Digest>,
    heard_at: Moment,
}

/// Everything that the engine knows.
#[derive(Clone, Debug)]
pub struct State {
    node: String,
    marks: Marks,
    rules: Option<Rules>,
    active: Option<bool>,
    connected: bool,
    pub(in crate::agent::engine) peer: Option<Report>,
    pub(in crate::agent::engine) sections: BTreeMap<Section, One>,
    pub(in crate::agent::engine) job: Option<Job>,
    /// What came of the last one.
    pub(in crate::agent::engine) last: Option<LastJob>,
    last_job: u64,
    reported: Option<Report>,
}

impl State {
    /// The state at the start: nothing read, nobody heard. Job numbers go up from
    /// `first_job`; a number that was used before a restart must not come again.
    pub fn new(node: String, marks: Marks, first_job: u64) -> State {
        State {
            node,
            marks,
            rules: None,
            active: None,
            connected: false,
            peer: None,
            sections: Section::ALL.into_iter().map(|section| (section, One::default())).collect(),
            job: None,
            last: None,
            last_job: first_job,
            reported: None,
        }
    }

    /// This node's name.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// What the settings say, once they were read.
    pub fn rules(&self) -> Option<Rules> {
        self.rules
    }

    /// What is remembered over a restart.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Whether there is another node; so it counts until the settings were read.
    pub fn is_paired(&self) -> bool {
        self.rules.is_none_or(|rules| rules.paired)
    }

    /// Whether the other node's engine can be talked to.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Whether a job runs on either node.
    pub fn has_job(&self) -> bool {
        self.job.is_some()
    }

    /// Whether a forced job runs on either node: other changes wait.
    pub fn forced(&self) -> Option<&Taking> {
        self.job.as_ref().map(|job| &job.taking).filter(|taking| taking.forced)
    }

    /// How a section stands.
    pub fn standing(&self, section: Section) -> Standing {
        self.digests(section).standing()
    }

    /// The three digests of a section.
    pub fn digests(&self, section: Section) -> Digests {
        let one = &self.sections[&section];
        let common = self.marks.common.get(&section).copied();
        Digests { here: one.here, there: one.there, common }
    }

    /// Takes an input and concludes everything that follows from it.
    ///
    /// # Errors
    /// Only an order is ever refused, with the reason in words; nothing changes then.
    pub fn handle(&mut self, now: Moment, input: Input) -> Result<Vec<Output>, String> {
        let mut outputs = Vec::new();
        match input {
            Input::Read(section, read) => self.read(now, section, read),
            Input::Remark(section, remark) => {
                self.sections.entry(section).or_default().remark = remark;
            }
            Input::Rules(rules) => self.rules = Some(rules),
            Input::Active(active) => self.active = active,
            Input::Connected => {
                self.connected = true;
                self.reported = None;
            }
            Input::Gone => self.gone(),
            Input::Line => {
                let failed = self.sections.values_mut().filter_map(|one| one.failed.as_mut());
                failed.for_each(|failed| failed.may_be_tried_again(now));
            }
            Input::Heard(Message::Report(report)) => self.heard(report),
            Input::Heard(Message::Take(take)) => self.asked_to_take(now, take, &mut outputs),
            Input::Heard(Message::Taking(taking)) => self.heard_of_job(now, taking, &mut outputs),
            Input::Heard(Message::Cancel { job, who }) => {
                self.asked_to_cancel(job, who, &mut outputs);
            }
            Input::Cancel(who) => self.cancel(who, &mut outputs)?,
            Input::Force(order) => self.force(now, &order, &mut outputs)?,
            Input::Stepped(section, step) => self.stepped(now, section, step, &mut outputs),
            Input::Ended => self.ended(now),
            Input::Lineage(lineage) => {
                self.marks = Marks { lineage, ..Marks::default() };
                // What came of a synchronisation with another pair's node.
                self.last = None;
                outputs.push(Output::Remember(self.marks.clone()));
            }
            Input::Begin(lineage) => {
                if self.marks.lineage.is_none() {
                    self.marks.lineage = Some(lineage);
                    outputs.push(Output::Remember(self.marks.clone()));
                }
            }
            Input::Tick => {}
        }
        self.settle(now, &mut outputs);
        Ok(outputs)
    }

    /// When to call again with a [`Input::Tick`] if nothing else happens.
    pub fn deadline(&self) -> Moment {
        let silence = self.job.as_ref().filter(|job| !job.taking_here);
        let silence = silence.map(|job| job.heard_at + SILENCE);
        let debounce = self.rules.map_or(Duration::ZERO, |rules| rules.debounce);
        let quiet = self.sections.iter().filter(|(section, _)| self.would_give(**section));
        let quiet = quiet.map(|(_, one)| {
            let calm = one.changed_at + debounce;
            one.failed.as_ref().map_or(calm, |failed| calm.max(failed.rests_until))
        });
        quiet.chain(silence).min().unwrap_or(Moment::NEVER)
    }

    fn read(&mut self, now: Moment, section: Section, read: Result<Digest, String>) {
        let one = self.sections.entry(section).or_default();
        match read {
            Ok(digest) => {
                if one.here != Some(digest) {
                    one.changed_at = now;
                }
                one.here = Some(digest);
                one.problem_here = None;
            }
            Err(why) => {
                one.here = None;
                one.problem_here = Some(why);
            }
        }
    }

    fn heard(&mut self, report: Report) {
        for (section, one) in &mut self.sections {
            one.there = report.sections.get(section).copied();
            one.problem_there = report.problems.get(section).cloned();
        }
        self.peer = Some(report);
    }

    fn gone(&mut self) {
        self.connected = false;
        for one in self.sections.values_mut() {
            one.there = None;
            one.problem_there = None;
        }
        if let Some(job) = self.job.take_if(|job| !job.taking_here) {
            self.close(false, &job.taking, "not known: the connection to the other node ended");
        }
    }

    /// Everything that follows from what is true now, always in this order: what both
    /// agreed on, what the other node must know, what to give.
    fn settle(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        self.agree(outputs);
        self.report(outputs);
        self.give(now, outputs);
    }

    fn agree(&mut self, outputs: &mut Vec<Output>) {
        let mut changed = false;
        for (section, one) in &mut self.sections {
            let Some(digest) = one.here.filter(|_| one.here == one.there) else { continue };
            one.failed = None;
            changed |= self.marks.common.insert(*section, digest) != Some(digest);
            changed |= self.marks.missing.remove(section);
        }
        changed |= self.belong();
        if changed {
            outputs.push(Output::Remember(self.marks.clone()));
        }
    }

    /// A blank node that has everything as the other one has it belongs to that history:
    /// there is nothing to take.
    fn belong(&mut self) -> bool {
        let theirs = self.peer.as_ref().filter(|_| self.connected).and_then(|peer| peer.lineage);
        let on = self.rules.is_some_and(|rules| rules.enabled);
        let same = |one: &One| one.here.is_some() && one.here == one.there;
        let (None, Some(lineage), true) = (self.marks.lineage, theirs, on) else { return false };
        if self.job.is_some() || !self.sections.values().all(same) {
            return false;
        }
        self.marks.lineage = Some(lineage);
        true
    }

    fn report(&mut self, outputs: &mut Vec<Output>) {
        if !self.connected || self.job.as_ref().is_some_and(|job| job.taking_here) {
            // While sections change here, the other node follows the job.
            return;
        }
        let known = |(section, one): (&Section, &One)| Some((*section, one.here?));
        let problem = |(section, one): (&Section, &One)| {
            let failed = one.failed.as_ref().filter(|failed| failed.here);
            let failed = failed.map(|failed| failed.why.clone());
            Some((*section, one.problem_here.clone().or(failed)?))
        };
        let report = Report {
            node: self.node.clone(),
            lineage: self.marks.lineage,
            sections: self.sections.iter().filter_map(known).collect(),
            problems: self.sections.iter().filter_map(problem).collect(),
            missing: self.marks.missing.clone(),
            off: !self.rules.is_some_and(|rules| rules.enabled),
        };
        if self.reported.replace(report.clone()).as_ref() != Some(&report) {
            outputs.push(Output::Say(Message::Report(report)));
        }
    }

    fn next_job(&mut self) -> u64 {
        self.last_job += 1;
        self.last_job
    }
}

impl Job {
    fn new(now: Moment, taking_here: bool, take: &Take) -> Job {
        let waiting = take.sections.keys().map(|section| (*section, Phase::Waiting));
        let taking = Taking {
            job: take.job,
            forced: take.forced,
            who: take.who.clone(),
            sections: waiting.collect(),
        };
        Job { taking_here, taking, wanted: take.sections.clone(), heard_at: now }
    }
}
