//! Services that run only on the active node (SPEC R1, R15): started and stopped as the role
//! moves, in the order of the profile, with limits. The guard never waits for any of it, and
//! what an older role began never overtakes what a newer one wants. Beside them the health
//! checks of the profile. Run by the node's task; without an agent everything stays as it is.

mod act;
mod health;
#[cfg(test)]
mod health_tests;
mod plan;
#[cfg(test)]
mod tests;
pub mod unit;
pub mod view;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use twinwall_core::time::Moment;

use super::guard::GuardState;
use super::node::{Node, Settings};
use super::profile::{Service, Task};
use super::section::Section;
use health::{Checks, turn};
use plan::{Ended, Generation, Plan, TRIES, Verb, Wanted};
use view::{Doing, Phase, ServiceView, ServicesView};

/// A node whose services failed gives the role away if it can, and is not chosen again for
/// this long: both would else hand it to each other.
const UNABLE: Duration = Duration::from_secs(600);
/// Between two looks when nothing happens.
const IDLE: Duration = Duration::from_secs(30);
/// Results that wait for the task: each service and check has one action at a time.
const RESULTS: usize = 64;

/// What a node knows of its services.
#[derive(Debug)]
pub struct Bound {
    began: Instant,
    inside: Mutex<Inside>,
}

#[derive(Debug)]
struct Inside {
    services: Vec<(Section, Service)>,
    plan: Plan,
    tasks: Vec<(Section, Task)>,
    checks: Checks,
    /// Set when what runs now is not wanted any more; one for each wish.
    cancelled: Arc<AtomicBool>,
    /// Tells results of an older profile from those of this one.
    number: u64,
    /// Since when the node cannot bear the role, and why.
    unable: Option<(Instant, String)>,
}

/// An action that has ended.
struct Finished {
    number: u64,
    action: Action,
    ended: Ended,
    took: Duration,
}

/// Carries it out below the root, until the flag is set.
type Act = Box<dyn FnOnce(&Path, &AtomicBool) -> Ended + Send>;

/// What it was, by its place in the list.
#[derive(Clone, Copy)]
enum Action {
    Service(usize, Generation),
    Check(usize),
}

impl Default for Bound {
    fn default() -> Bound {
        let inside = Inside {
            services: Vec::new(),
            plan: Plan::new(Moment::ZERO, &[]),
            tasks: Vec::new(),
            checks: Checks::default(),
            cancelled: Arc::default(),
            number: 0,
            unable: None,
        };
        Bound { began: Instant::now(), inside: Mutex::new(inside) }
    }
}

impl Bound {
    /// How they are, for everybody who shows it.
    pub fn view(&self, node: &str) -> ServicesView {
        let (now, inside) = (self.now(), self.inside());
        let one = |(seen, (section, service)): (plan::Seen<'_>, &(Section, Service))| ServiceView {
            name: seen.name.to_owned(),
            section: *section,
            unit: service.unit.clone(),
            after: service.after.clone(),
            phase: seen.phase.clone(),
            doing: match seen.verb {
                Some(Verb::Start) => Some(Doing::Starting),
                Some(Verb::Stop) => Some(Doing::Stopping),
                Some(Verb::Check) | None => None,
            },
            since_s: now.since(seen.since).as_secs_f64(),
            failures: seen.failures,
        };
        ServicesView {
            node: node.to_owned(),
            wanted: inside.plan.wanted().map(|wanted| wanted == Wanted::Running),
            services: inside.plan.seen().zip(&inside.services).map(one).collect(),
            checks: inside.checks.view(now),
        }
    }

    /// Does something short while a service surely does not run here and is not about to; none
    /// where it may. No service is started meanwhile.
    pub(in crate::agent) fn while_stopped<T>(
        &self,
        name: &str,
        act: impl FnOnce() -> T,
    ) -> Option<T> {
        let inside = self.inside();
        let is_stopped = |seen: plan::Seen<'_>| {
            seen.name == name && *seen.phase == Phase::Stopped && seen.verb != Some(Verb::Start)
        };
        let stays = inside.plan.wanted() == Some(Wanted::Stopped);
        (stays && inside.plan.seen().any(is_stopped)).then(act)
    }

    /// Why a service is neither started nor stopped here; none where it is, or nothing is known.
    pub(in crate::agent) fn left_alone(&self, name: &str) -> Option<String> {
        let inside = self.inside();
        let seen = inside.plan.seen().find(|seen| seen.name == name)?;
        match seen.phase {
            Phase::LeftAlone { why } => Some(why.clone()),
            Phase::Unknown | Phase::Stopped | Phase::Running | Phase::Failed { .. } => None,
        }
    }

    /// Why this node should not have the role, as its services and checks say; `Some(None)`:
    /// nothing speaks against it. None where there is nothing to say.
    pub fn objection(&self) -> Option<Option<String>> {
        let inside = self.inside();
        inside.plan.wanted()?;
        if inside.services.is_empty() && inside.checks.is_empty() {
            return None;
        }
        let held = inside.unable.as_ref().filter(|(since, _)| since.elapsed() < UNABLE);
        Some(held.map(|(_, why)| why.clone()).or_else(|| inside.checks.objection()))
    }

    fn now(&self) -> Moment {
        Moment::ZERO + self.began.elapsed()
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in the services and checks of a profile, where they are others than before. Says
    /// whether the services are.
    fn read(&self, settings: &Settings, root: &Path) -> bool {
        let listed = settings.profile.services();
        let tasks = settings.profile.health();
        let mut inside = self.inside();
        let same = inside.services.iter().map(|(at, it)| (*at, it)).eq(listed.iter().copied());
        if same && inside.tasks.iter().map(|(at, it)| (*at, it)).eq(tasks.iter().copied()) {
            return false;
        }
        let checks = tasks.iter().map(|(at, task)| (*at, task.step.command(root)));
        inside.checks = Checks::new(self.now(), checks);
        inside.tasks = tasks.into_iter().map(|(at, it)| (at, it.clone())).collect();
        inside.cancelled.store(true, Ordering::Relaxed);
        inside.cancelled = Arc::default();
        let services: Vec<&Service> = listed.iter().map(|(_, service)| *service).collect();
        inside.plan = Plan::new(self.now(), &services);
        inside.services = listed.into_iter().map(|(at, it)| (at, it.clone())).collect();
        inside.number += 1;
        inside.unable = None;
        !same
    }

    /// Takes in what is wanted of them; breaks off what is not wanted any more.
    fn want(&self, wanted: Option<Wanted>) {
        let mut inside = self.inside();
        if inside.plan.want(self.now(), wanted) {
            inside.checks.role_moved();
            inside.cancelled.store(true, Ordering::Relaxed);
            inside.cancelled = Arc::default();
        }
    }

    /// Begins what is due, each on a thread of its own.
    fn begin(
        &self,
        root: &Arc<PathBuf>,
        on: &tokio::runtime::Handle,
        done: &mpsc::Sender<Finished>,
    ) {
        let (now, mut inside) = (self.now(), self.inside());
        let Inside { plan, services, checks, tasks, .. } = &mut *inside;
        let mut due: Vec<(Action, Act)> = Vec::new();
        for (place, verb, generation) in plan.begin(now) {
            let service = services[place].1.clone();
            let act = move |root: &Path, cut: &AtomicBool| act::act(&service, verb, root, cut);
            due.push((Action::Service(place, generation), Box::new(act)));
        }
        for place in checks.begin(now, |section| turn(section, plan, services)) {
            let task = tasks[place].1.clone();
            let act = move |root: &Path, cut: &AtomicBool| act::check(&task, root, cut);
            due.push((Action::Check(place), Box::new(act)));
        }
        for (action, act) in due {
            let (root, cancelled) = (Arc::clone(root), Arc::clone(&inside.cancelled));
            let (number, done) = (inside.number, done.clone());
            on.spawn(async move {
                let began = Instant::now();
                let ended = tokio::task::spawn_blocking(move || act(&root, &cancelled)).await;
                let ended = ended.unwrap_or_else(|error| Ended::Failed(error.to_string()));
                let took = began.elapsed();
                // The task may have ended with the agent.
                let _ = done.send(Finished { number, action, ended, took }).await;
            });
        }
    }

    /// Takes in how an action ended, and says it if it is news.
    fn ended(&self, result: Finished) {
        let (now, mut inside) = (self.now(), self.inside());
        if result.number != inside.number {
            return;
        }
        let news = match result.action {
            Action::Service(place, generation) => {
                let news = inside.plan.ended(now, place, generation, result.ended);
                inside.weigh();
                inside.story(place, result.took).filter(|_| news)
            }
            Action::Check(place) => inside.checks.ended(now, place, result.ended),
        };
        news.iter().for_each(|news| eprintln!("twinwall agent: {news}"));
    }

    /// When something is due if nothing happens before.
    fn due_in(&self) -> Duration {
        let now = self.now();
        let inside = self.inside();
        let due = [inside.plan.deadline(now), inside.checks.deadline(now)];
        due.into_iter().flatten().min().map_or(IDLE, |at| at.since(now)).min(IDLE)
    }
}

impl Inside {
    /// How a service is after an action, in a sentence.
    fn story(&self, place: usize, took: Duration) -> Option<String> {
        let seen = self.plan.seen().nth(place)?;
        let (why, took) = (seen.phase.why(), took.as_millis());
        let colon = if why.is_empty() { "" } else { ": " };
        let words = seen.phase.words();
        Some(format!("service {} {words} after {took} ms{colon}{why}", seen.name))
    }

    /// Whether the node can bear the role, as its services say.
    fn weigh(&mut self) {
        if self.plan.wanted() != Some(Wanted::Running) {
            return;
        }
        let failed = self
            .plan
            .seen()
            .find(|seen| matches!(seen.phase, Phase::Failed { .. }) && seen.failures >= TRIES);
        match failed {
            Some(seen) => {
                let why = format!("{} does not run here: {}", seen.name, seen.phase.why());
                self.unable = Some((Instant::now(), why));
            }
            None if self.plan.seen().all(|seen| !matches!(seen.phase, Phase::Failed { .. })) => {
                self.unable = None;
            }
            None => {}
        }
    }
}

/// Starts and stops them until the node is gone.
pub(super) async fn keep(node: Weak<Node>) {
    let Some((mut guard, mut settings, root, runtime)) = node.upgrade().map(|node| {
        let root = Arc::new(node.root().to_owned());
        (node.guard(), node.watch_settings(), root, node.runtime().clone())
    }) else {
        return;
    };
    let (done, mut results) = mpsc::channel(RESULTS);
    loop {
        let left = {
            let Some(node) = node.upgrade() else { return };
            let services = node.services();
            let others = services.read(&settings.borrow_and_update(), &root);
            if others && root.as_path() == Path::new("/") {
                let profile = settings.borrow().profile.clone();
                runtime.spawn_blocking(move || unit::renew(&profile));
            }
            let state = guard.borrow_and_update().clone();
            let last = services.inside().plan.wanted();
            services.want(wanted(&settings.borrow(), &state, last));
            services.begin(&root, &runtime, &done);
            services.due_in()
        };
        tokio::select! {
            changed = guard.changed() => if changed.is_err() { return },
            changed = settings.changed() => if changed.is_err() { return },
            Some(result) = results.recv() => {
                if let Some(node) = node.upgrade() {
                    node.services().ended(result);
                }
            }
            () = tokio::time::sleep(left) => {}
        }
    }
}

/// What the role wants. While nobody can say what the role is, what was wanted last.
fn wanted(settings: &Settings, guard: &GuardState, last: Option<Wanted>) -> Option<Wanted> {
    if !settings.is_enabled() {
        return None;
    }
    match guard.is_active() {
        Some(true) => Some(Wanted::Running),
        Some(false) => Some(Wanted::Stopped),
        None => last,
    }
}
