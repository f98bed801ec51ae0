//! The tasks of the targets: one for each, made anew when the settings of its target change.
//! Run by the node.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use twinwall_core::config::AlertTarget;

use super::send::send;
use super::{Sender, Step, needs_secret, secret};
use crate::agent::clock::unix_ms;
use crate::agent::conditions::{ConditionId, MAX_NOTICES};
use crate::agent::node::Node;

/// Between two looks when nothing wakes a task: who speaks for the pair may have changed.
const LOOK: Duration = Duration::from_secs(3);
/// What the node that spoke before may not have told any more. Twice is better than never.
const OVERLAP_MS: u64 = 90_000;

/// Follows the settings until the node is gone.
pub(in crate::agent) async fn keep(node: Weak<Node>) {
    let Some(strong) = node.upgrade() else { return };
    let mut settings = strong.watch_settings();
    drop(strong);
    let mut running = Running::default();
    loop {
        let Some(strong) = node.upgrade() else { return };
        let now = settings.borrow_and_update().clone();
        // A slip of the pen ends nothing that runs.
        if now.pair.is_some() || now.problems.is_empty() {
            let targets = now.pair.as_ref().map(|pair| pair.alerts.clone()).unwrap_or_default();
            running.follow(&strong, targets);
        }
        drop(strong);
        if settings.changed().await.is_err() {
            return;
        }
    }
}

/// The tasks, each with the settings from which it was made.
#[derive(Default)]
struct Running(BTreeMap<String, (AlertTarget, JoinHandle<()>)>);

impl Running {
    fn follow(&mut self, node: &Arc<Node>, targets: Vec<AlertTarget>) {
        let newest = *node.conditions().subscribe().borrow();
        node.alerts().set_targets(&targets, newest);
        let old = std::mem::take(&mut self.0);
        let mut old: BTreeMap<_, _> = old.into_iter().collect();
        for target in targets {
            let name = target.name.clone();
            let kept = old.remove(&name);
            let entry = match kept {
                Some((same, task)) if same == target => (same, task),
                other => {
                    other.iter().for_each(|(_, task)| task.abort());
                    let task = tell(Arc::downgrade(node), target.clone());
                    (target, node.runtime().spawn(task))
                }
            };
            self.0.insert(name, entry);
        }
        for (name, (_, task)) in old {
            task.abort();
            node.conditions().report(ConditionId::AlertFailing, Some(&name), None);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.values().for_each(|(_, task)| task.abort());
    }
}

/// Tells one target, one message after the other.
async fn tell(node: Weak<Node>, target: AlertTarget) {
    let Some(strong) = node.upgrade() else { return };
    let mut newest = strong.conditions().subscribe();
    drop(strong);
    loop {
        let Some(strong) = node.upgrade() else { return };
        newest.mark_unchanged();
        let due = match step(&strong, &target) {
            Step::Wait(due) => due,
            Step::Tell(message, id) => {
                let went = send(strong.root(), &target, &message).await;
                strong.alerts().note(&target.name, id, &went);
                Some(Instant::now())
            }
        };
        write(&strong).await;
        drop(strong);
        let look = Instant::now() + LOOK;
        let until = due.map_or(look, |due| due.min(look));
        tokio::select! {
            changed = newest.changed() => if changed.is_err() { return },
            () = tokio::time::sleep_until(until.into()) => {}
        }
    }
}

fn step(node: &Arc<Node>, target: &AlertTarget) -> Step {
    let (conditions, alerts) = (node.conditions(), node.alerts());
    let speaks = target.enabled && conditions.speaks();
    if !speaks {
        alerts.skip_to(&target.name, settled_elsewhere(node, target));
    }
    report(node, target);
    if !speaks {
        return Step::Wait(None);
    }
    let settings = node.settings();
    let pair_id = settings.pair.as_ref().map_or(0, |pair| pair.pair_id);
    let notices = conditions.notices(Some(alerts.settled(&target.name)), MAX_NOTICES);
    alerts.next(target, &notices, &Sender { name: &settings.name, pair_id })
}

/// The last notice that is the other node's to tell: one that is not of the last moments. To a
/// target that is turned off nobody tells anything.
fn settled_elsewhere(node: &Arc<Node>, target: &AlertTarget) -> u64 {
    let before_ms = match target.enabled {
        true => unix_ms().saturating_sub(OVERLAP_MS),
        false => u64::MAX,
    };
    let after = Some(node.alerts().settled(&target.name));
    let notices = node.conditions().notices(after, MAX_NOTICES);
    let settled = notices.iter().rev().find(|notice| notice.at_ms <= before_ms);
    settled.map_or(0, |notice| notice.id)
}

/// Says what is wrong with a target, also on the node that does not speak: after a failover it
/// is the one that has to.
fn report(node: &Arc<Node>, target: &AlertTarget) {
    let lacks = needs_secret(target) && !secret::is_set(node.root(), &target.name);
    let name = &node.settings().name;
    let none = || format!("it has no secret on {name}; set it there with 'twinwall alerts secret'");
    let why = lacks.then(none).or_else(|| node.alerts().failing(&target.name));
    let text = why.filter(|_| target.enabled);
    let text = text.map(|why| format!("The alert target {} is not told: {why}.", target.name));
    node.conditions().report(ConditionId::AlertFailing, Some(&target.name), text);
}

/// A disk that hangs keeps only this task waiting.
async fn write(node: &Arc<Node>) {
    let node = Arc::clone(node);
    // What could not be written is written with the next one.
    let _ = tokio::task::spawn_blocking(move || node.alerts().write()).await;
}
