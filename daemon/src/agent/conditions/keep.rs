//! Keeps the conditions up: looks at each change of the guard and once a second, asks the
//! other node for its own, and writes what is told to the disk on a thread that may wait.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::catalogue::About;
use super::copies::Copies;
use super::hold::Whose;
use super::moves::Moves;
use super::observe::{self, MAX_TOLD, Told, can_say, observe};
use super::{Conditions, Notice, speak};
use crate::agent::calls::{Call, Reply};
use crate::agent::clock::unix_ms;
use crate::agent::failovers::monotonic;
use crate::agent::node::Node;
use crate::agent::readiness::{self, Reason};

/// Between two looks when nothing changes.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks at the least: the guard may change often.
const LEAST: Duration = Duration::from_millis(50);
/// Between two questions to the other node.
const ASK: Duration = Duration::from_secs(2);
/// Between two questions for readiness, which asks both nodes what they are.
const WEIGH: Duration = Duration::from_secs(10);
/// How long the other node may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// By then every part of the agent has had time to report.
const REPORTED: Duration = Duration::from_secs(60);

/// What the keeping task remembers between two looks.
struct Keeping {
    began: Instant,
    moves: Moves,
    copies: Copies,
    other: Other,
    asking: Question<Option<Other>>,
    against: Option<Vec<Reason>>,
    weighing: Question<Vec<Reason>>,
    /// The same trouble is told once.
    trouble: Option<String>,
    writing: Option<JoinHandle<Result<(), String>>>,
    /// Notices that are not written yet.
    unwritten: Vec<Notice>,
}

/// What the other node said last.
#[derive(Default)]
struct Other {
    name: Option<String>,
    role: Option<String>,
    told: Option<Vec<Told>>,
    /// When it answered last.
    at: Option<Instant>,
}

/// A question that is asked now and then, one at a time.
struct Question<T> {
    running: Option<JoinHandle<T>>,
    due: Instant,
    every: Duration,
}

impl<T: Send + 'static> Question<T> {
    fn new(every: Duration) -> Question<T> {
        Question { running: None, due: Instant::now(), every }
    }

    /// The answer, once it is there; asks again when it is time.
    async fn turn(&mut self, ask: impl Future<Output = T> + Send + 'static) -> Option<T> {
        if self.running.as_ref().is_some_and(JoinHandle::is_finished) {
            let running = self.running.take()?;
            return running.await.ok();
        }
        if self.running.is_none() && Instant::now() >= self.due {
            self.due = Instant::now() + self.every;
            self.running = Some(tokio::spawn(ask));
        }
        None
    }
}

impl<T> Drop for Question<T> {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

/// Keeps them until the node is gone.
pub(in crate::agent) async fn keep(node: Weak<Node>) {
    let Some(mut guard) = node.upgrade().map(|node| node.guard()) else { return };
    let mut keeping = {
        let Some(node) = node.upgrade() else { return };
        Keeping::new(node.conditions())
    };
    loop {
        let looked = Instant::now();
        {
            let Some(node) = node.upgrade() else { return };
            guard.mark_unchanged();
            keeping.ask(&node).await;
            keeping.copies.look(&node);
            keeping.look(&node);
            keeping.write(&node).await;
        }
        tokio::time::sleep(LEAST.saturating_sub(looked.elapsed())).await;
        match timeout(LOOK.saturating_sub(looked.elapsed()), guard.changed()).await {
            Ok(Ok(())) | Err(_) => {}
            // Nobody follows the guard any more: the agent ends.
            Ok(Err(_)) => tokio::time::sleep(LOOK).await,
        }
    }
}

impl Keeping {
    fn new(conditions: &Conditions) -> Keeping {
        let inside = conditions.inside();
        Keeping {
            began: Instant::now(),
            moves: Moves::remember(inside.notices.iter()),
            copies: Copies::default(),
            other: Other::default(),
            asking: Question::new(ASK),
            against: None,
            weighing: Question::new(WEIGH),
            trouble: None,
            writing: None,
            unwritten: Vec::new(),
        }
    }

    /// What takes time to find out is asked beside, and taken in when it is there.
    async fn ask(&mut self, node: &Arc<Node>) {
        let settings = node.settings();
        if !settings.is_enabled() {
            // A look at the settings is all that it takes, and it is due at once.
            self.weighing.due = self.weighing.due.min(Instant::now() + LOOK);
        }
        let asked = Arc::clone(node);
        if let Some(against) =
            self.weighing.turn(async move { readiness::of(&asked).await.against }).await
        {
            self.against = Some(against);
        }
        if settings.peer.is_none() {
            self.other = Other { told: Some(Vec::new()), ..Other::default() };
            return;
        }
        let asked = Arc::clone(node);
        match self.asking.turn(async move { other(&asked).await }).await {
            Some(Some(other)) => self.other = other,
            // What it told stays, and is known to be old.
            Some(None) => (self.other.told, self.other.role) = (None, None),
            None => {}
        }
    }

    /// Looks at everything, and tells what is new.
    fn look(&mut self, node: &Arc<Node>) {
        let settings = node.settings();
        let guard = node.guard().borrow().clone();
        let services = node.services().view(&settings.name);
        let conditions = node.conditions();
        let (now, now_ms) = (monotonic(), unix_ms());
        let silent_for = self.other.at.unwrap_or(self.began).elapsed();
        let speaks = speak::speaks(&speak::Views {
            enabled: settings.is_enabled(),
            guard: &guard,
            other_role: self.other.role.as_deref(),
            silent_for,
        });
        conditions.speaks.store(speaks, std::sync::atomic::Ordering::Relaxed);
        let reports = node.failovers().moves();
        let events = node.failovers().told(self.moves.place.as_ref());
        let mut inside = conditions.inside();
        inside.here.clone_from(&settings.name);
        if self.other.name.is_some() {
            inside.there.clone_from(&self.other.name);
        }
        let (reported, there) = (inside.reported.clone(), inside.there.clone());
        let views = observe::Views {
            enabled: settings.is_enabled(),
            guard: &guard,
            against: self.against.as_deref(),
            services: &services,
            reported: &reported,
            all_reported: self.began.elapsed() >= REPORTED,
            told: self.other.told.as_deref(),
            there: there.as_deref(),
        };
        let mut changes = self.moves.moves(now_ms, &reports);
        changes.extend(self.moves.events(now_ms, &events));
        let observed = observe(&views);
        changes.extend(inside.holder.look(now, now_ms, observed, &|key| can_say(&views, key)));
        let told = inside.tell(now_ms, changes);
        drop(inside);
        if let Some(last) = told.last() {
            conditions.newest.send_replace(last.id);
        }
        self.unwritten.extend(told);
        let surplus = self.unwritten.len().saturating_sub(super::MAX_NOTICES);
        self.unwritten.drain(..surplus);
    }

    /// Writes what was told, one write at a time: a disk that hangs holds up nothing else.
    async fn write(&mut self, node: &Arc<Node>) {
        if let Some(writing) = self.writing.take_if(|writing| writing.is_finished()) {
            let failed = writing.await.map_or_else(|error| Some(error.to_string()), Result::err);
            if failed.is_some() && failed != self.trouble {
                eprintln!("twinwall agent: notices: {}", failed.as_deref().unwrap_or_default());
            }
            self.trouble = failed;
        }
        if self.writing.is_some() || self.unwritten.is_empty() {
            return;
        }
        let new = std::mem::take(&mut self.unwritten);
        let writing = Arc::clone(node);
        self.writing = Some(tokio::task::spawn_blocking(move || {
            let conditions = writing.conditions();
            let all = conditions.inside().notices.clone();
            conditions.disk().add(&new, &all).map_err(|error| error.to_string())
        }));
    }
}

/// Asks the other node.
async fn other(node: &Arc<Node>) -> Option<Other> {
    match node.look(Call::About {}, PATIENCE).await {
        Ok(Reply::About(about)) => Some(Other {
            name: Some(about.name),
            role: about.role_held,
            told: Some(about.conditions),
            at: Some(Instant::now()),
        }),
        Ok(_) | Err(_) => None,
    }
}

impl Conditions {
    /// What this node tells the other one of itself.
    pub(in crate::agent) fn told(&self) -> Vec<Told> {
        let (inside, now) = (self.inside(), monotonic());
        let own = inside.holder.raised().filter(|raised| {
            raised.key.whose == Whose::Here && raised.key.condition.row().about == About::Node
        });
        let told = own.map(|raised| Told {
            condition: raised.key.condition.name().to_owned(),
            subject: raised.key.subject.clone(),
            text: raised.text.to_owned(),
            since_ms: Some(raised.since_ms),
            good_for_ms: raised.gone.map(|gone| now.since(gone).as_millis() as u64),
        });
        told.take(MAX_TOLD).collect()
    }

    fn disk(&self) -> std::sync::MutexGuard<'_, super::Log> {
        self.disk.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
