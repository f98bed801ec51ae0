//! Tells people and programs elsewhere what happened: webhooks, mail, syslog, as `[alerts.NAME]`
//! says. It follows the notices of the agent's conditions, on the node that speaks for the pair;
//! what is told and what not is decided in `plan`. Nothing on the way of a failover waits for it.

mod keep;
mod kept;
pub mod message;
mod plan;
pub mod secret;
mod send;
mod trial;
pub mod view;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use twinwall_core::config::{AlertChannel, AlertTarget};

use super::clock::unix_ms;
use super::conditions::Notice;
pub(in crate::agent) use keep::keep;
use kept::{Kept, Mark};
use message::Message;
use plan::{Next, Plan};
use send::Failure;
use trial::Trials;
pub use trial::{Tried, find as target, run as run_trial};

/// Failed tries after which a target counts as failing: one may fail while a link comes back.
const FAILING: u32 = 2;

/// How it stands with all targets.
#[derive(Debug)]
pub struct Alerts {
    inside: Mutex<BTreeMap<String, Told>>,
    disk: Mutex<Kept>,
    trials: Trials,
}

/// How it stands with one.
#[derive(Debug, Default)]
struct Told {
    plan: Plan,
    /// Messages that it took; kept over restarts.
    count: u64,
    last_ms: Option<u64>,
    /// Tries that failed since the last one that did not, and why the last one did.
    failures: u32,
    why: Option<String>,
}

/// What is to be done for a target.
enum Step {
    /// This is told now; the number is that of its notice.
    Tell(Box<Message>, u64),
    /// Not before then.
    Wait(Option<Instant>),
}

impl Alerts {
    /// As it lies below the root.
    pub fn open(root: &Path) -> Alerts {
        let disk = Kept::open(root);
        let marked = |mark: &Mark| Told {
            plan: Plan::after(mark.after),
            count: mark.told,
            ..Told::default()
        };
        let inside = disk.marks().iter().map(|(name, mark)| (name.clone(), marked(mark))).collect();
        Alerts { inside: Mutex::new(inside), disk: Mutex::new(disk), trials: Trials::default() }
    }

    /// From now on there are these targets. One that is new is told what comes after `newest`.
    fn set_targets(&self, targets: &[AlertTarget], newest: u64) {
        let mut inside = self.inside();
        inside.retain(|name, _| targets.iter().any(|target| target.name == *name));
        for target in targets {
            let fresh = || Told { plan: Plan::after(newest), ..Told::default() };
            let told = inside.entry(target.name.clone()).or_insert_with(fresh);
            // The list of notices was begun anew: it was lost, or is that of another machine.
            if told.plan.settled() > newest {
                told.plan = Plan::after(newest);
            }
        }
    }

    /// What a target is told next, on a node that speaks for the pair.
    fn next(&self, target: &AlertTarget, notices: &[Notice], from: &Sender<'_>) -> Step {
        let mut inside = self.inside();
        let Some(told) = inside.get_mut(&target.name) else { return Step::Wait(None) };
        match told.plan.next(Instant::now(), unix_ms(), notices, target) {
            Next::Wait(due) => Step::Wait(due),
            Next::Tell(notice, left_out) => {
                let message = Message::of(notice, from.pair_id, from.name, left_out);
                Step::Tell(Box::new(message), notice.id)
            }
        }
    }

    /// The other node told what came up to this notice.
    fn skip_to(&self, target: &str, id: u64) {
        if let Some(told) = self.inside().get_mut(target) {
            told.plan.skip_to(id);
            (told.failures, told.why) = (0, None);
        }
    }

    /// How the try went.
    fn note(&self, target: &str, id: u64, went: &Result<String, Failure>) {
        let mut inside = self.inside();
        let Some(told) = inside.get_mut(target) else { return };
        match went {
            Ok(_) => {
                told.plan.told(id);
                told.count += 1;
                told.last_ms = Some(unix_ms());
                (told.failures, told.why) = (0, None);
            }
            Err(failure) => {
                told.plan.failed(Instant::now(), id, failure);
                told.failures = told.failures.saturating_add(1);
                told.why = Some(failure.to_string());
            }
        }
    }

    /// Why a target fails, where it does.
    fn failing(&self, target: &str) -> Option<String> {
        let inside = self.inside();
        let told = inside.get(target).filter(|told| told.failures >= FAILING)?;
        told.why.clone()
    }

    /// The last notice that is settled for a target.
    fn settled(&self, target: &str) -> u64 {
        self.inside().get(target).map_or(0, |told| told.plan.settled())
    }

    /// Keeps on the disk how far each target is, where that is another place than before. For
    /// threads that may wait.
    fn write(&self) {
        let mark = |told: &Told| Mark { after: told.plan.settled(), told: told.count };
        let marks = self.inside().iter().map(|(name, told)| (name.clone(), mark(told))).collect();
        self.disk.lock().unwrap_or_else(PoisonError::into_inner).write(marks);
    }

    fn inside(&self) -> MutexGuard<'_, BTreeMap<String, Told>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who tells.
struct Sender<'a> {
    name: &'a str,
    pair_id: u16,
}

/// Whether a target cannot be told anything without a secret.
pub fn needs_secret(target: &AlertTarget) -> bool {
    match &target.channel {
        AlertChannel::Webhook { url } => url.path.contains("{secret}"),
        AlertChannel::Email { user, .. } => user.is_some(),
        AlertChannel::Syslog { .. } => false,
    }
}

/// Whether a secret means anything to a target.
pub fn takes_secret(target: &AlertTarget) -> bool {
    match &target.channel {
        AlertChannel::Webhook { .. } => true,
        AlertChannel::Email { .. } | AlertChannel::Syslog { .. } => needs_secret(target),
    }
}
