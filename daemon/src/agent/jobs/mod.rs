//! Long operations that an operator started: pairing, turning on, rotating keys. One runs at a
//! time. Each has steps that are shown live, one end, and can be cancelled while it allows that.
//! The API shows them; whoever does the work holds a [`Job`]. In memory only: a job does not
//! survive its agent, what it changed does.

mod kind;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::api::error::Refusal;
use super::clock::unix_ms;
pub use kind::Kind;

/// Jobs that are kept; the oldest that has ended goes first.
pub const KEPT: usize = 50;
/// Steps of one job that are kept. None has so many; an endless one is cut here.
pub const MAX_STEPS: usize = 200;

/// A job as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobView {
    /// Its number, unique in this run of the agent.
    pub id: u64,
    /// What it does, for programs.
    pub kind: Kind,
    /// The same in words.
    pub title: String,
    /// Who started it.
    pub who: String,
    /// When it began: milliseconds since 1970 (UTC).
    pub began_ms: u64,
    /// How it stands.
    pub state: JobState,
    /// What was done, in order.
    pub steps: Vec<StepView>,
    /// What came of it, or what is to be shown meanwhile; its form is the operation's own.
    pub result: Option<serde_json::Value>,
    /// Why it failed.
    pub error: Option<Refusal>,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It goes on.
    Running,
    /// It did what it should.
    Done,
    /// It did not; `error` says why.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepView {
    /// When it began: milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// What is done, in words.
    pub text: String,
    /// How far it is, 0 to 100, where that can be said.
    pub percent: Option<u8>,
}

/// All jobs of this agent.
#[derive(Clone, Default)]
pub struct Jobs(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    last: u64,
    jobs: VecDeque<Kept>,
}

struct Kept {
    cancel: watch::Sender<bool>,
    view: watch::Sender<JobView>,
}

/// The end of whoever does the work. Dropped without an end, the job has failed.
pub struct Job {
    cancel: watch::Receiver<bool>,
    view: watch::Sender<JobView>,
}

impl Jobs {
    /// Begins a job. While one runs no other begins: each changes the pair.
    ///
    /// # Errors
    /// Which one runs, and since when.
    pub fn begin(&self, kind: Kind, who: &str) -> Result<Job, Refusal> {
        let mut inside = self.inside();
        let running = |kept: &&Kept| kept.view.borrow().state == JobState::Running;
        if let Some(other) = inside.jobs.iter().find(running) {
            let other = other.view.borrow();
            let or = match other.kind.may_be_cancelled() {
                true => format!(", or cancel it: twinwall jobs cancel {}", other.id),
                false => String::new(),
            };
            return Err(Refusal::conflict(format!(
                "'{}' by {} runs; wait until it ends{or}",
                other.title, other.who
            )));
        }
        inside.last += 1;
        let view = JobView {
            id: inside.last,
            kind,
            title: kind.title().to_owned(),
            who: who.to_owned(),
            began_ms: unix_ms(),
            state: JobState::Running,
            steps: Vec::new(),
            result: None,
            error: None,
        };
        let (view, _) = watch::channel(view);
        let (cancel, cancelled) = watch::channel(false);
        inside.forget();
        inside.jobs.push_back(Kept { cancel, view: view.clone() });
        Ok(Job { cancel: cancelled, view })
    }

    /// Waits until no job of these kinds runs, so long at the most.
    pub async fn until_ended(&self, kinds: &[Kind], limit: Duration) {
        let running = |kept: &&Kept| {
            let view = kept.view.borrow();
            view.state == JobState::Running && kinds.contains(&view.kind)
        };
        let found = self.inside().jobs.iter().find(running).map(|kept| kept.view.subscribe());
        if let Some(mut view) = found {
            // One that lasts is what the next order is refused for.
            let ended = view.wait_for(|view| view.state != JobState::Running);
            let _ = tokio::time::timeout(limit, ended).await;
        }
    }

    /// The newest last.
    pub fn all(&self) -> Vec<JobView> {
        self.inside().jobs.iter().map(|kept| kept.view.borrow().clone()).collect()
    }

    /// One job, now and at each change.
    pub fn watch(&self, id: u64) -> Option<watch::Receiver<JobView>> {
        let inside = self.inside();
        let kept = inside.jobs.iter().find(|kept| kept.view.borrow().id == id)?;
        Some(kept.view.subscribe())
    }

    /// Asks the running job of this kind to stop, where there is one: what it works at is going
    /// away.
    pub fn stop(&self, kind: Kind) {
        let inside = self.inside();
        let meant = |kept: &&Kept| {
            let view = kept.view.borrow();
            view.kind == kind && view.state == JobState::Running
        };
        if let Some(kept) = inside.jobs.iter().find(meant) {
            kept.cancel.send_replace(true);
        }
    }

    /// Asks a job to stop. It says itself when it has.
    ///
    /// # Errors
    /// When there is no such job, it has ended, or it cannot be stopped.
    pub fn cancel(&self, id: u64) -> Result<(), Refusal> {
        let inside = self.inside();
        let kept = inside.jobs.iter().find(|kept| kept.view.borrow().id == id);
        let kept = kept.ok_or_else(|| no_job(id))?;
        if kept.view.borrow().state != JobState::Running {
            return Err(Refusal::conflict(format!(
                "job {id} has ended; there is nothing to cancel"
            )));
        }
        let kind = kept.view.borrow().kind;
        if !kind.may_be_cancelled() {
            return Err(Refusal::conflict(format!(
                "'{}' cannot be cancelled: stopped between two steps it would be half done",
                kind.title()
            )));
        }
        kept.cancel.send_replace(true);
        Ok(())
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// There is no job of this number.
pub fn no_job(id: u64) -> Refusal {
    Refusal::not_found(format!("there is no job {id}; 'twinwall jobs' lists those of this agent"))
}

impl Inside {
    fn forget(&mut self) {
        while self.jobs.len() >= KEPT {
            let ended = |kept: &Kept| kept.view.borrow().state != JobState::Running;
            let Some(at) = self.jobs.iter().position(ended) else { return };
            self.jobs.remove(at);
        }
    }
}

impl Job {
    /// Its number.
    pub fn id(&self) -> u64 {
        self.view.borrow().id
    }

    /// How it stands now.
    pub fn view(&self) -> JobView {
        self.view.borrow().clone()
    }

    /// The next step begins.
    pub fn step(&self, text: impl Into<String>) {
        let step = StepView { at_ms: unix_ms(), text: text.into(), percent: None };
        self.view.send_modify(|view| {
            if view.steps.len() < MAX_STEPS {
                view.steps.push(step);
            }
        });
    }

    /// Shows something before the end, in the place of the result.
    pub fn show(&self, what: impl Serialize) {
        let what = serde_json::to_value(what).ok();
        self.view.send_modify(|view| view.result = what);
    }

    /// How far the present step is.
    pub fn percent(&self, percent: u8) {
        self.view.send_if_modified(|view| {
            let Some(step) = view.steps.last_mut() else { return false };
            step.percent.replace(percent.min(100)) != Some(percent.min(100))
        });
    }

    /// Resolves when somebody wants it to stop.
    pub async fn cancelled(&self) {
        let mut cancel = self.cancel.clone();
        if cancel.wait_for(|wanted| *wanted).await.is_err() {
            // Nobody is left who could cancel it.
            std::future::pending::<()>().await;
        }
    }

    /// It did what it should.
    pub fn done(self, result: impl Serialize) {
        // What cannot be told as JSON is told as nothing: the operation itself succeeded.
        let result = serde_json::to_value(result).ok();
        self.end(JobState::Done, result, None);
    }

    /// It did not.
    pub fn fail(self, error: Refusal) {
        self.end(JobState::Failed, None, Some(error));
    }

    /// It was stopped, and nothing of it stays.
    pub fn stopped(self) {
        self.end(JobState::Cancelled, None, None);
    }

    /// Ends as the result says.
    pub fn finish(self, result: Result<impl Serialize, Refusal>) {
        match result {
            Ok(result) => self.done(result),
            Err(error) => self.fail(error),
        }
    }

    fn end(&self, state: JobState, result: Option<serde_json::Value>, error: Option<Refusal>) {
        self.view.send_modify(|view| {
            view.state = state;
            view.result = result;
            view.error = error;
        });
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.view.borrow().state == JobState::Running {
            let error = Refusal::machine("it was broken off; the agent's log says why");
            self.end(JobState::Failed, None, Some(error));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_job_runs_at_a_time_and_says_who_began_it() {
        let jobs = Jobs::default();
        let first = jobs.begin(Kind::Invite, "root").expect("nothing runs");
        let refused = jobs.begin(Kind::TurnOn, "anna").err().expect("one runs");
        assert!(refused.message.contains("'Inviting a node' by root"), "{refused}");
        assert!(refused.message.contains("jobs cancel 1"), "{refused}");
        first.done("paired");
        let next = jobs.begin(Kind::Rotate, "anna").expect("the first has ended");
        let refused = jobs.begin(Kind::TurnOn, "anna").err().expect("one runs");
        assert!(!refused.message.contains("jobs cancel"), "{refused}");
        assert!(jobs.cancel(next.id()).is_err_and(|it| it.message.contains("half done")));
        next.fail(Refusal::conflict("no"));
        drop(jobs.begin(Kind::TurnOff, "anna").expect("nothing runs"));
        let states: Vec<JobState> = jobs.all().iter().map(|job| job.state).collect();
        assert_eq!(states, [JobState::Done, JobState::Failed, JobState::Failed]);
    }

    #[test]
    fn the_oldest_that_has_ended_is_forgotten() {
        let jobs = Jobs::default();
        for _ in 0..2 * KEPT {
            jobs.begin(Kind::Join, "root").expect("begun").done(());
        }
        let lasting = jobs.begin(Kind::Join, "root").expect("begun");
        let all = jobs.all();
        assert_eq!((all.len(), all[KEPT - 1].id), (KEPT, lasting.id()));
        assert!(jobs.watch(2).is_none());
    }

    #[tokio::test]
    async fn a_job_hears_that_it_shall_stop() {
        let jobs = Jobs::default();
        for by_order in [true, false] {
            let kind = if by_order { Kind::Invite } else { Kind::Rotate };
            let job = jobs.begin(kind, "root").expect("begun");
            let id = job.id();
            let waits = tokio::spawn(async move {
                job.cancelled().await;
                job.stopped();
            });
            match by_order {
                true => jobs.cancel(id).expect("it runs"),
                false => jobs.stop(kind),
            }
            waits.await.expect("it ends");
            let mut view = jobs.watch(id).expect("kept");
            assert_eq!(view.borrow_and_update().state, JobState::Cancelled);
            assert!(jobs.cancel(id).is_err() && jobs.cancel(99).is_err());
        }
    }

    #[tokio::test]
    async fn an_order_may_wait_for_the_end_of_the_pairing_and_not_for_ever() {
        let jobs = std::sync::Arc::new(Jobs::default());
        let job = jobs.begin(Kind::Invite, "root").expect("nothing runs");
        jobs.until_ended(&[Kind::Join], Duration::from_secs(600)).await;
        jobs.until_ended(&[Kind::Invite], Duration::from_millis(1)).await;
        assert!(jobs.begin(Kind::TurnOn, "anna").is_err(), "it runs on");
        let waits = {
            let jobs = std::sync::Arc::clone(&jobs);
            tokio::spawn(async move {
                jobs.until_ended(&[Kind::Invite], Duration::from_secs(600)).await;
                jobs.begin(Kind::TurnOn, "anna").map(drop)
            })
        };
        job.done(());
        assert!(waits.await.expect("no panic").is_ok());
    }
}
