//! How a job ends: what came of each section is kept until the next one, and an operator may
//! end one early. What has begun is brought to its end; the rest stays as it is.

use super::{Job, Output, State};
use crate::agent::engine::message::{Message, Phase, Taking};
use crate::agent::engine::overview::{LastJob, SectionResult};
use crate::agent::section::Section;

impl State {
    /// With what came of the last job before a restart.
    pub(in crate::agent::engine) fn after(self, last: Option<LastJob>) -> State {
        State { last, ..self }
    }

    /// Ends the job that runs, on whichever node.
    pub(super) fn cancel(&self, who: String, outputs: &mut Vec<Output>) -> Result<(), String> {
        let Some(job) = &self.job else {
            return Err("no synchronisation runs; there is nothing to cancel".to_owned());
        };
        let number = job.taking.job;
        outputs.push(match job.taking_here {
            true => Output::Cancel { job: number, who },
            false => Output::Say(Message::Cancel { job: number, who }),
        });
        Ok(())
    }

    /// The other node asks to end a job that runs here.
    pub(super) fn asked_to_cancel(&self, number: u64, who: String, outputs: &mut Vec<Output>) {
        let runs = |job: &&Job| job.taking_here && job.taking.job == number;
        if self.job.as_ref().filter(runs).is_some() {
            outputs.push(Output::Cancel { job: number, who });
        }
    }

    /// Keeps what came of a job; `open`: what is said of a section that was left open.
    pub(super) fn close(&mut self, taking_here: bool, taking: &Taking, open: &str) {
        let result = |(section, step): (&Section, &Phase)| SectionResult {
            section: *section,
            failed: match step {
                Phase::Done => None,
                Phase::Failed { why } => Some(why.clone()),
                Phase::Waiting
                | Phase::Fetching { .. }
                | Phase::Staging
                | Phase::Validating
                | Phase::Applying
                | Phase::Comparing => Some(open.to_owned()),
            },
        };
        self.last = Some(LastJob {
            taking_here,
            forced: taking.forced,
            who: taking.who.clone(),
            ended_ms: 0,
            sections: taking.sections.iter().map(result).collect(),
        });
    }

    /// Says when a job ended that has just done so, in milliseconds since 1970 (UTC).
    pub(in crate::agent::engine) fn note_end(&mut self, unix_ms: u64) {
        if let Some(last) = self.last.as_mut().filter(|last| last.ended_ms == 0) {
            last.ended_ms = unix_ms;
        }
    }
}
