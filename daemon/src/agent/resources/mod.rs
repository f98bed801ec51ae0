//! What this node has left (SPEC B7): memory, file systems, the kernel's table of connections,
//! temperatures. Looked at now and then on a thread that may wait; a limit of the settings
//! that is passed is told the conditions. Moves nothing.

mod judge;
mod read;
pub mod view;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use super::clock::unix_ms;
use super::engine::assemble::STATE;
use super::node::{Node, Settings};
use judge::{Limit, judge};
use read::{Places, read};
use view::{Limits, Resources as Now, ResourcesView};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);

/// What was found last.
#[derive(Debug, Default)]
pub struct Resources(Mutex<Option<(u64, Now)>>);

impl Resources {
    /// What was found last.
    pub fn view(&self, settings: &Settings) -> ResourcesView {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (at_ms, now) = found.map_or((None, Now::default()), |(at, now)| (Some(at), now));
        ResourcesView { node: settings.name.clone(), at_ms, now, limits: limits(settings) }
    }

    fn found(&self, now: Now) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((unix_ms(), now));
    }
}

fn limits(settings: &Settings) -> Limits {
    let limits = settings.pair.as_ref().map(|pair| pair.resources).unwrap_or_default();
    Limits {
        memory_percent: limits.memory_percent,
        disk_percent: limits.disk_percent,
        connections_percent: limits.connections_percent,
        temperature_celsius: limits.temperature_celsius,
    }
}

fn places(node: &Node) -> Places {
    let machine = node.machine();
    let below = |folder: &str| node.root().join(folder);
    let folders: Vec<PathBuf> = [Path::new("/").to_owned(), below(STATE), below("var/log")].into();
    Places {
        proc: machine.proc.clone(),
        sys: machine.sys.clone(),
        folders,
        network: machine.network,
    }
}

/// Looks until the node is gone.
pub(super) async fn keep(node: Weak<Node>) {
    let mut told: BTreeMap<Limit, Option<String>> = BTreeMap::new();
    loop {
        let places = match node.upgrade() {
            Some(node) => places(&node),
            None => return,
        };
        let read = tokio::task::spawn_blocking(move || read(&places)).await;
        let Some(node) = node.upgrade() else { return };
        if let Ok(now) = read {
            told = report(&node, &now, &told);
            node.resources().found(now);
        }
        drop(node);
        tokio::time::sleep(LOOK).await;
    }
}

/// Tells the conditions; what is not there any more is taken back.
fn report(
    node: &Arc<Node>,
    now: &Now,
    before: &BTreeMap<Limit, Option<String>>,
) -> BTreeMap<Limit, Option<String>> {
    let passed = |limit: &Limit| before.get(limit).is_some_and(Option::is_some);
    let limits = judge(now, &limits(&node.settings()), &passed);
    let conditions = node.conditions();
    for (id, subject) in before.keys().filter(|limit| !limits.contains_key(limit)) {
        conditions.report(*id, subject.as_deref(), None);
    }
    for ((id, subject), matter) in &limits {
        conditions.report(*id, subject.as_deref(), matter.clone());
    }
    limits
}
