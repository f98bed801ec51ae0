//! Gathers what the dashboard is made of. What guard and engine say is at hand; the other
//! node's agent and readiness are asked, and what they said last is kept meanwhile.

use std::sync::Arc;
use std::time::Duration;

use twinwall_core::api::Numbered;

use super::{Dashboard, Other, Views, build};
use crate::agent::calls::{Call, Reply};
use crate::agent::clock::unix_ms;
use crate::agent::jobs::{JobState, JobView};
use crate::agent::node::Node;
use crate::agent::readiness::{self, Readiness};
use crate::agent::{guard, preflight};

/// How long the other agent may take. It answers from memory.
const PATIENCE: Duration = Duration::from_secs(2);
/// Events that are kept for the view: enough to find the last move among others.
const KEPT: usize = 300;

/// The dashboard of this node, everything asked now.
pub async fn of(node: &Arc<Node>) -> Dashboard {
    let mut events = Events::default();
    let (asked, ()) = tokio::join!(ask(Arc::clone(node)), events.read(node));
    look(node, &asked, &events.kept)
}

/// What takes time to find out.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    other: Option<Other>,
    readiness: Option<Readiness>,
    firmware: Option<String>,
}

/// Asks the other node and weighs readiness.
pub(super) async fn ask(node: Arc<Node>) -> Asked {
    let other = async {
        match node.look(Call::About {}, PATIENCE).await {
            Ok(Reply::About(about)) => Some(Other { at_ms: unix_ms(), about }),
            Ok(_) | Err(_) => None,
        }
    };
    let (other, readiness, firmware) =
        tokio::join!(other, readiness::of(&node), preflight::firmware(&node));
    Asked { other, readiness: Some(readiness), firmware }
}

/// The guard's events, read on from where they were.
#[derive(Debug, Default)]
pub(super) struct Events {
    run: Option<twinwall_core::ids::BootId>,
    pub(super) kept: Vec<Numbered>,
}

impl Events {
    /// Takes in what is new. A guard that was started again counts from 1.
    pub(super) async fn read(&mut self, node: &Arc<Node>) {
        let run = node.guard().borrow().status().map(|status| status.snapshot.boot);
        if self.run != run {
            self.kept.clear();
            self.run = run;
        }
        if run.is_none() {
            return;
        }
        let root = node.root().to_owned();
        let after = self.kept.last().map_or(0, |event| event.number);
        let read = tokio::task::spawn_blocking(move || guard::events(&root, after)).await;
        // A guard that does not answer is told by its state.
        if let Ok(Ok(events)) = read {
            self.kept.extend(events);
            let surplus = self.kept.len().saturating_sub(KEPT);
            self.kept.drain(..surplus);
        }
    }
}

/// The dashboard from what is at hand.
pub(super) fn look(node: &Arc<Node>, asked: &Asked, events: &[Numbered]) -> Dashboard {
    let settings = node.settings();
    let guard = node.guard().borrow().clone();
    let sync = node.engine().ok().map(|engine| engine.overview());
    let running = node.jobs().all().into_iter().filter(|job| job.state == JobState::Running);
    // What a job shows and says is for those whose business it is: an invitation has a code.
    let jobs = running.map(|job| JobView { result: None, steps: Vec::new(), ..job });
    build(Views {
        now_ms: unix_ms(),
        name: &settings.name,
        designation: settings.designation(),
        paired: settings.pair.is_some() && settings.node.is_some() && settings.peer.is_some(),
        enabled: settings.is_enabled(),
        pair: settings.pair.as_ref(),
        guard: &guard,
        sync: sync.as_ref(),
        readiness: asked.readiness.as_ref(),
        firmware: asked.firmware.as_deref(),
        other: asked.other.as_ref(),
        flows: node.flows().view(),
        conditions: node.conditions().present(),
        events,
        jobs: jobs.collect(),
        last_failover: node.failovers().last(),
    })
}
