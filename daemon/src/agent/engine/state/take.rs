//! The taking side: which sections this node accepts, and how the job that runs here is
//! told to the other node.

use std::collections::BTreeMap;

use twinwall_core::time::Moment;

use super::{Failed, Job, Output, State};
use crate::agent::digest::Digest;
use crate::agent::engine::message::{Message, Phase, Take, Taking};
use crate::agent::engine::standing::{Changed, Digests, Standing};
use crate::agent::section::Section;

impl State {
    /// The other node asks this one to take sections.
    pub(super) fn asked_to_take(&mut self, now: Moment, take: Take, outputs: &mut Vec<Output>) {
        if let Some(why) = self.refuses(&take) {
            let refused = |section: &Section| (*section, Phase::Failed { why: why.clone() });
            let sections = take.sections.keys().map(refused).collect();
            let Take { job, forced, who, .. } = take;
            let taking = Taking { job, forced, who, sections };
            outputs.push(Output::Say(Message::Taking(taking)));
            return;
        }
        let mut job = Job::new(now, true, &take);
        let mut accepted = take;
        if !accepted.forced {
            self.keep_own_changes(&mut accepted, &mut job);
        }
        self.begin(job, accepted, outputs);
    }

    /// An operator on this node ordered to take from the other one.
    pub(super) fn take_by_order(
        &mut self,
        now: Moment,
        sections: BTreeMap<Section, Digest>,
        who: String,
        outputs: &mut Vec<Output>,
    ) {
        let Some(lineage) = self.peer.as_ref().and_then(|peer| peer.lineage) else { return };
        let take = Take { job: self.next_job(), lineage, forced: true, who, sections };
        self.begin(Job::new(now, true, &take), take, outputs);
    }

    /// One section of the job came further.
    pub(super) fn stepped(
        &mut self,
        now: Moment,
        section: Section,
        step: Phase,
        outputs: &mut Vec<Output>,
    ) {
        let Some(job) = self.job.as_mut().filter(|job| job.taking_here) else { return };
        let Some(known) = job.taking.sections.get_mut(&section) else { return };
        *known = step.clone();
        let (taking, wanted) = (job.taking.clone(), job.wanted.get(&section).copied());
        if let (Phase::Failed { why }, Some(wanted)) = (&step, wanted) {
            let failed = Failed::new(wanted, why.clone(), true, now);
            self.sections.entry(section).or_default().failed = Some(failed);
        }
        if let (Phase::Done, Some(wanted)) = (step, wanted) {
            self.agreed(section, wanted, outputs);
        }
        outputs.push(Output::Say(Message::Taking(taking)));
    }

    /// A section was taken and compared: this is what both nodes had. It counts also where the
    /// giving node went on to something else meanwhile, which would look as if both had changed
    /// it since they agreed last.
    pub(super) fn agreed(&mut self, section: Section, on: Digest, outputs: &mut Vec<Output>) {
        let lacked = self.marks.missing.remove(&section);
        if self.marks.common.insert(section, on) != Some(on) || lacked {
            outputs.push(Output::Remember(self.marks.clone()));
        }
    }

    /// The job that ran here has ended. What it left open counts as failed.
    pub(super) fn ended(&mut self, now: Moment) {
        let Some(job) = self.job.take_if(|job| job.taking_here) else { return };
        self.close(true, &job.taking, "it ended before its turn");
        for (section, step) in job.taking.sections {
            if let (false, Some(wanted)) = (step.is_final(), job.wanted.get(&section)) {
                let why = "the synchronisation ended before its turn".to_owned();
                let failed = Failed::new(*wanted, why, true, now);
                self.sections.entry(section).or_default().failed = Some(failed);
            }
        }
    }

    fn begin(&mut self, job: Job, take: Take, outputs: &mut Vec<Output>) {
        // A blank node that takes a configuration belongs to its history from now on;
        // before the first file changes, so that a crash cannot leave it unnamed.
        if self.marks.lineage.is_none() {
            let lacks = |section: &Section| !self.marks.common.contains_key(section);
            self.marks.missing = Section::ALL.into_iter().filter(lacks).collect();
            self.marks.lineage = Some(take.lineage);
            outputs.push(Output::Remember(self.marks.clone()));
        }
        outputs.push(Output::Say(Message::Taking(job.taking.clone())));
        if job.taking.is_over() {
            return;
        }
        self.job = Some(job);
        outputs.push(Output::Start(take));
    }

    fn refuses(&self, take: &Take) -> Option<String> {
        if let Some(job) = &self.job {
            return Some(format!("a synchronisation by {} runs already", job.taking.who));
        }
        if !self.rules.is_some_and(|rules| rules.enabled) {
            return Some("high availability is off on this node".to_owned());
        }
        if self.marks.lineage.is_some_and(|lineage| lineage != take.lineage) {
            return Some(
                "this node's configuration belongs to another pair; 'twinwall pair unpair' on it \
                 makes it forget that one"
                    .to_owned(),
            );
        }
        let replaces = take.sections.keys().any(|section| self.marks.has(*section));
        let by_itself_to_active = !take.forced && self.active == Some(true) && replaces;
        by_itself_to_active
            .then(|| "this node is active; only an order can replace its configuration".to_owned())
    }

    /// Takes out of an unforced job what somebody changed here.
    fn keep_own_changes(&self, take: &mut Take, job: &mut Job) {
        take.sections.retain(|section, wanted| {
            let there = Digests { there: Some(*wanted), ..self.digests(*section) };
            let own = matches!(there.standing(), Standing::Differs(Changed::Here | Changed::Both));
            if own {
                let why = "it was also changed on the passive node; force a direction".to_owned();
                job.taking.sections.insert(*section, Phase::Failed { why });
            }
            !own
        });
    }
}
