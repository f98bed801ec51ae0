//! The engine's own thread: takes what happens, lets [`State`] decide, and hands on what
//! follows. It never reads a file of the configuration and never waits for the other
//! node; the worker does the one, the channel's tasks the other.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use twinwall_core::time::Moment;

use super::diff::SectionDiff;
use super::last::LastFile;
use super::marks::MarksFile;
use super::message::Message;
use super::overview::{Newest, Overview};
use super::standing::Direction;
use super::state::{Input, Order, Output, State};
use super::waiting::{Waiting, ask_to_read};
use super::work::{Belonging, Work};
use crate::agent::clock::unix_ms;
use crate::agent::section::Section;
use crate::agent::store::{Store, Version};
use crate::agent::watch::Changes;

/// Inputs that wait for the engine's thread. Its senders are the worker, the channel, the
/// guard's follower and the API; each of them waits when it is full.
const QUEUE: usize = 256;

/// What comes to the engine's thread.
#[derive(Debug)]
pub enum Event {
    /// For the state.
    Input(Input),
    /// An operator's order, and where the answer goes.
    Order(Order, oneshot::Sender<Result<(), String>>),
    /// The same, after what it is about was read.
    Ready(Order, oneshot::Sender<Result<(), String>>),
    /// An operator ends the synchronisation that runs; in whose name.
    Cancel(String, oneshot::Sender<Result<(), String>>),
    /// An operator puts a version back.
    Restore(Restore, oneshot::Sender<Result<(), String>>),
    /// An operator wants to see what differs between the nodes.
    Compare(Section, Direction, oneshot::Sender<Result<SectionDiff, String>>),
    /// An operator wants to see what putting a version back would change.
    Preview(Version, oneshot::Sender<Result<SectionDiff, String>>),
    /// Files of these sections changed on this node.
    Changed(Changes),
    /// End the thread.
    Stop,
}

/// A version to put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restore {
    /// Which.
    pub version: Version,
    /// Who ordered it.
    pub who: String,
}

/// Where the engine's messages to the other node go; the channel sets it.
pub type Say = dyn Fn(Message) + Send;

/// What the engine's thread hands things to.
pub struct Ends {
    /// Messages to the other node. Never waits.
    pub say: Box<Say>,
    /// What the worker has to do.
    pub work: mpsc::Sender<Work>,
    /// Sections that wait for the worker to read them.
    pub waiting: Waiting,
    /// Whose configuration it is; kept up to date for the worker.
    pub belonging: Arc<Mutex<Belonging>>,
    /// What is shown.
    pub overview: watch::Sender<Overview>,
}

/// The handle that everybody else has.
#[derive(Clone)]
pub struct Engine {
    events: mpsc::SyncSender<Event>,
    overview: watch::Receiver<Overview>,
    store: Arc<Store>,
    cancelled: Cancelled,
}

impl Engine {
    /// How the sections stand now.
    pub fn overview(&self) -> Overview {
        let mut overview = self.overview.borrow().clone();
        for view in &mut overview.sections {
            let head = self.store.head(view.section);
            view.newest = head.map(|Version { number, at_ms, cause, who, .. }| Newest {
                number,
                at_ms,
                cause,
                who,
            });
        }
        overview
    }

    /// The same without the versions, for whoever wants to hear of changes.
    pub fn watch(&self) -> watch::Receiver<Overview> {
        self.overview.clone()
    }

    /// The versions, and what they consist of.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Why nothing more of this job is taken, where an operator ended it.
    pub fn cancelled(&self, job: u64) -> Option<String> {
        self.cancelled.why(job)
    }

    /// Tells the engine what happened; waits while it is busy. Nothing is told to one
    /// that has ended.
    pub fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Orders something and gets the answer of the rules.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn order<T>(
        &self,
        event: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Event,
    ) -> Result<T, String> {
        let ended = || "the agent is ending; try again when it has started".to_owned();
        let (answer, answered) = oneshot::channel();
        match self.events.try_send(event(answer)) {
            Ok(()) => answered.await.unwrap_or_else(|_| Err(ended())),
            Err(mpsc::TrySendError::Full(_)) => {
                Err("the agent is busy; try again in a moment".to_owned())
            }
            Err(mpsc::TrySendError::Disconnected(_)) => Err(ended()),
        }
    }
}

/// What it keeps over a restart.
pub struct Files {
    /// What both nodes agreed on.
    pub marks: MarksFile,
    /// What came of the last synchronisation.
    pub last: LastFile,
}

/// The thread's own things.
pub struct Runner {
    state: State,
    files: Files,
    ends: Ends,
    events: mpsc::Receiver<Event>,
    cancelled: Cancelled,
    began: Instant,
}

/// Makes the engine and its handle; [`Runner::run`] wants a thread of its own.
pub fn engine(state: State, files: Files, store: Arc<Store>, ends: Ends) -> (Engine, Runner) {
    let (sender, events) = mpsc::sync_channel(QUEUE);
    let overview = ends.overview.subscribe();
    let cancelled = Cancelled::default();
    let (heard, began) = (cancelled.clone(), Instant::now());
    let runner = Runner { state, files, ends, events, cancelled: heard, began };
    (Engine { events: sender, overview, store, cancelled }, runner)
}

impl Runner {
    /// Works until it is told to stop, or nobody is left to tell it anything.
    pub fn run(mut self) {
        loop {
            let input = match self.next() {
                Some(Event::Stop) => return,
                Some(Event::Input(input)) => input,
                Some(Event::Order(order, answer)) => {
                    self.order(order, answer);
                    continue;
                }
                Some(Event::Ready(order, answer)) => {
                    self.force(order, answer);
                    continue;
                }
                Some(Event::Cancel(who, answer)) => {
                    let _ = answer.send(self.take(Input::Cancel(who)));
                    continue;
                }
                Some(Event::Restore(restore, answer)) => {
                    self.restore(restore, answer);
                    continue;
                }
                Some(Event::Compare(section, direction, answer)) => {
                    self.compare(section, direction, answer);
                    continue;
                }
                Some(Event::Preview(version, answer)) => {
                    self.work(Work::Preview(version, answer));
                    continue;
                }
                Some(Event::Changed(sections)) => {
                    ask_to_read(&self.ends.waiting, &self.ends.work, sections);
                    continue;
                }
                None => Input::Tick,
            };
            // Only orders are refused, and those came another way.
            let _ = self.take(input);
        }
    }

    /// The next event; none when it is time to look again.
    fn next(&self) -> Option<Event> {
        let deadline = self.state.deadline();
        if deadline == Moment::NEVER {
            return self.events.recv().ok().or(Some(Event::Stop));
        }
        match self.events.recv_timeout(deadline.since(self.now()).max(Duration::from_millis(1))) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Event::Stop),
        }
    }

    fn take(&mut self, input: Input) -> Result<(), String> {
        let outputs = self.state.handle(self.now(), input)?;
        for output in outputs {
            match output {
                Output::Say(message) => (self.ends.say)(message),
                Output::Start(take) => {
                    // The two nodes number their jobs apart, so that one may come again.
                    self.cancelled.forget();
                    self.work(Work::Take(take));
                }
                Output::Cancel { job, who } => self.cancelled.set(job, who),
                Output::Remember(marks) => {
                    let belonging = self.ends.belonging.lock();
                    belonging.unwrap_or_else(PoisonError::into_inner).lineage = marks.lineage;
                    if let Err(error) = self.files.marks.set(marks) {
                        self.cannot_remember(&error);
                    }
                }
            }
        }
        self.state.note_end(unix_ms());
        self.files.last.keep(self.state.last.as_ref());
        let overview = self.state.overview();
        self.ends.overview.send_if_modified(|known| {
            let changed = *known != overview;
            *known = overview;
            changed
        });
        Ok(())
    }

    /// What lies on this node's disk at the moment of the order is what is meant: it is read
    /// first, unless the order is refused for a job that runs.
    fn order(&mut self, order: Order, answer: oneshot::Sender<Result<(), String>>) {
        if order.direction == Direction::Push && !self.state.has_job() {
            self.work(Work::Order(order, answer));
        } else {
            self.force(order, answer);
        }
    }

    fn force(&mut self, order: Order, answer: oneshot::Sender<Result<(), String>>) {
        let result = self.take(Input::Force(order));
        // Who asked may have gone; the order stands all the same.
        let _ = answer.send(result);
    }

    fn restore(&mut self, restore: Restore, answer: oneshot::Sender<Result<(), String>>) {
        match self.state.forced() {
            Some(job) => {
                let why =
                    format!("a forced synchronisation by {} runs; wait until it ends", job.who);
                let _ = answer.send(Err(why));
            }
            None => self.work(Work::Restore(restore, answer)),
        }
    }

    fn compare(
        &self,
        section: Section,
        direction: Direction,
        answer: oneshot::Sender<Result<SectionDiff, String>>,
    ) {
        match self.state.digests(section).there {
            Some(there) => self.work(Work::Compare { section, there, direction, answer }),
            None => {
                let why = format!(
                    "what the other node has of {section} is not known; 'twinwall sync' says why"
                );
                let _ = answer.send(Err(why));
            }
        }
    }

    /// The worker ends only after this thread.
    fn work(&self, work: Work) {
        let _ = self.ends.work.send(work);
    }

    /// Without it a restart forgets who changed what: sections then show as never
    /// synchronised, and nothing is overwritten that should not be.
    fn cannot_remember(&self, error: &io::Error) {
        eprintln!("twinwall agent: what both nodes agreed on cannot be written down: {error}");
    }

    fn now(&self) -> Moment {
        Moment::ZERO + self.began.elapsed()
    }
}

/// The job that an operator ended early, for the worker to see.
#[derive(Clone, Default)]
struct Cancelled(Arc<Mutex<Option<(u64, String)>>>);

impl Cancelled {
    fn set(&self, job: u64, who: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((job, who));
    }

    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Why nothing more of this job is taken.
    fn why(&self, job: u64) -> Option<String> {
        let cancelled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = cancelled.as_ref().filter(|(cancelled, _)| *cancelled == job);
        of.map(|(_, who)| format!("cancelled by {who} before its turn"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_the_same_number_is_not_cancelled_with_the_one_before() {
        let engine = Cancelled::default();
        let worker = engine.clone();
        engine.set(7, "anna".to_owned());
        assert_eq!(worker.why(7).as_deref(), Some("cancelled by anna before its turn"));
        assert_eq!(worker.why(8), None);
        engine.forget();
        assert_eq!(worker.why(7), None);
    }
}
