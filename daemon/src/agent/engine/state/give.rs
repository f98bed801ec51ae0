//! The giving side: when this node asks the other one to take its sections, by itself
//! or by order, and what it makes of the answers.

use std::collections::BTreeMap;

use twinwall_core::time::Moment;

use super::{Failed, Job, Order, Output, SILENCE, State};
use crate::agent::digest::Digest;
use crate::agent::engine::message::{Message, Phase, Take, Taking};
use crate::agent::engine::standing::{Direction, Standing, automatic};
use crate::agent::pairing::NOT_PAIRED;
use crate::agent::section::Section;

/// Who asked, when nobody did.
const AUTOMATIC: &str = "automatic";

impl State {
    /// Whether this section is one that this node gives by itself.
    pub(super) fn would_give(&self, section: Section) -> bool {
        let allowed = self.rules.is_some_and(|rules| rules.enabled && rules.automatic);
        let gives = self.active == Some(true) || self.lacks_there(section);
        allowed
            && self.connected
            && !self.is_off_there()
            && self.marks.has(section)
            && self.job.is_none()
            && automatic(self.standing(section), gives)
    }

    /// Whether the other node joined the history and has not taken this section yet.
    fn lacks_there(&self, section: Section) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.missing.contains(&section))
    }

    /// Whether high availability is off on the other node, which then refuses; it reports
    /// at once when it is turned on.
    pub(in crate::agent::engine) fn is_off_there(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.off)
    }

    /// Gives what is due by itself.
    pub(super) fn give(&mut self, now: Moment, outputs: &mut Vec<Output>) {
        self.give_up_on_silence(now);
        let due: BTreeMap<Section, Digest> = Section::ALL
            .into_iter()
            .filter(|section| self.would_give(*section) && self.is_calm(now, *section))
            .filter_map(|section| Some((section, self.sections[&section].here?)))
            .collect();
        if !due.is_empty() {
            self.ask(now, due, false, AUTOMATIC.to_owned(), outputs);
        }
    }

    /// An operator's order.
    pub(super) fn force(
        &mut self,
        now: Moment,
        order: &Order,
        outputs: &mut Vec<Output>,
    ) -> Result<(), String> {
        self.may_force(order.direction)?;
        let all: Vec<Section> = match order.sections.as_slice() {
            [] => self.all_that_differ()?,
            named => named.to_vec(),
        };
        let mut sections = BTreeMap::new();
        for section in all {
            let one = &self.sections[&section];
            let (side, digest, lacks) = match order.direction {
                Direction::Push => ("this", one.here, !self.marks.has(section)),
                Direction::Pull => ("the other", one.there, self.lacks_there(section)),
            };
            if lacks {
                return Err(format!(
                    "{side} node joined the pair and has not taken section {section} yet: what it \
                     has is its own of before; synchronise in the other direction"
                ));
            }
            let digest = digest.ok_or_else(|| {
                format!("section {section} cannot be read on {side} node; 'twinwall sync' says why")
            })?;
            sections.insert(section, digest);
        }
        if sections.is_empty() {
            return Err("nothing differs; there is nothing to synchronise".to_owned());
        }
        match order.direction {
            Direction::Push => self.ask(now, sections, true, order.who.clone(), outputs),
            Direction::Pull => self.take_by_order(now, sections, order.who.clone(), outputs),
        }
        Ok(())
    }

    /// An order for all means all: what is not known yet cannot be left out silently.
    fn all_that_differ(&self) -> Result<Vec<Section>, String> {
        let unknown = |it: &Section| self.standing(*it) == Standing::Unknown;
        match Section::ALL.into_iter().find(unknown) {
            Some(section) => Err(format!(
                "section {section} is not known on both nodes ('twinwall sync' says why); try again \
                 in a moment, or name the sections to synchronise"
            )),
            None => Ok(Section::ALL.into_iter().filter(|it| self.differs(*it)).collect()),
        }
    }

    fn may_force(&self, direction: Direction) -> Result<(), String> {
        if let Some(job) = &self.job {
            let what =
                if job.taking.forced { "a forced synchronisation" } else { "a synchronisation" };
            return Err(format!("{what} by {} runs; wait until it ends", job.taking.who));
        }
        if !self.is_paired() {
            return Err(NOT_PAIRED.to_owned());
        }
        if !self.connected {
            return Err("the other node's agent cannot be reached; 'twinwall pair status' says \
                why"
            .to_owned());
        }
        if direction == Direction::Push && self.is_off_there() {
            return Err("high availability is off on the other node; turn it on there \
                ('twinwall ha enable'), or give the order on that node"
                .to_owned());
        }
        let (side, lineage) = match direction {
            Direction::Push => ("this", self.marks.lineage),
            Direction::Pull => ("the other", self.peer.as_ref().and_then(|peer| peer.lineage)),
        };
        match lineage {
            Some(_) => Ok(()),
            None => Err(format!(
                "{side} node is blank: it has no configuration of this pair and would wipe the \
                 other one; synchronise in the other direction"
            )),
        }
    }

    /// The other node says how a job goes.
    pub(super) fn heard_of_job(&mut self, now: Moment, taking: Taking, outputs: &mut Vec<Output>) {
        if self.job.as_ref().is_some_and(|job| job.taking_here) {
            // Two jobs at a time are ours to prevent, not to follow.
            return;
        }
        let over = taking.is_over();
        let known = self.job.take().filter(|job| job.taking.job == taking.job);
        let wanted = known.map(|job| job.wanted).unwrap_or_default();
        let mut taken = Vec::new();
        for (section, step) in &taking.sections {
            let Some(digest) = wanted.get(section) else { continue };
            let one = self.sections.entry(*section).or_default();
            match step {
                // It was compared there; its report only says so again.
                Phase::Done => {
                    one.there = Some(*digest);
                    taken.push((*section, *digest));
                }
                Phase::Failed { why } => {
                    one.failed = Some(Failed::new(*digest, why.clone(), false, now));
                }
                Phase::Waiting
                | Phase::Fetching { .. }
                | Phase::Staging
                | Phase::Validating
                | Phase::Applying
                | Phase::Comparing => {}
            }
        }
        taken.into_iter().for_each(|(section, digest)| self.agreed(section, digest, outputs));
        if over {
            self.close(false, &taking, "");
        } else {
            self.job = Some(Job { taking_here: false, taking, wanted, heard_at: now });
        }
    }

    fn ask(
        &mut self,
        now: Moment,
        sections: BTreeMap<Section, Digest>,
        forced: bool,
        who: String,
        outputs: &mut Vec<Output>,
    ) {
        let Some(lineage) = self.marks.lineage else { return };
        let take = Take { job: self.next_job(), lineage, forced, who, sections };
        self.job = Some(Job::new(now, false, &take));
        outputs.push(Output::Say(Message::Take(take)));
    }

    fn give_up_on_silence(&mut self, now: Moment) {
        let silent = |job: &Job| !job.taking_here && now.since(job.heard_at) >= SILENCE;
        let Some(job) = self.job.take_if(|job| silent(job)) else { return };
        self.close(false, &job.taking, "not known: the other node said nothing more");
        for (section, wanted) in job.wanted {
            let why = format!("nothing was said about it for {} s", SILENCE.as_secs());
            let failed = Failed::new(wanted, why, false, now);
            self.sections.entry(section).or_default().failed = Some(failed);
        }
    }

    /// Whether it is quiet for long enough, and what failed may be tried again.
    fn is_calm(&self, now: Moment, section: Section) -> bool {
        let one = &self.sections[&section];
        let debounce = self.rules.map_or_else(Default::default, |rules| rules.debounce);
        let waits = one
            .failed
            .as_ref()
            .is_some_and(|failed| Some(failed.wanted) == one.here && now < failed.rests_until);
        now.since(one.changed_at) >= debounce && !waits
    }

    fn differs(&self, section: Section) -> bool {
        matches!(self.standing(section), Standing::Differs(_) | Standing::Never)
    }
}
