//! What the agent said last, as objects: asked for when a manager asks and what is held is no
//! longer fresh, once for all who wait. It never asks while nobody wants to know.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::mib::{Tree, tree};
use crate::agent::api::snmp::VALUES;
use crate::agent::snmp::view::SnmpView;
use crate::web::agent::Agent;

/// So old it still is as good as new.
const FRESH: Duration = Duration::from_secs(1);
/// So old it is better than nothing, while the agent takes its time or starts anew.
const GOOD: Duration = Duration::from_secs(10);
/// How long the agent may take: snmpd waits for five seconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// The objects of TWINWALL-MIB.
pub(super) struct Held {
    agent: Agent,
    last: Mutex<Option<(Instant, Arc<Tree>)>>,
}

impl Held {
    pub(super) fn of(agent: Agent) -> Held {
        Held { agent, last: Mutex::default() }
    }

    /// The objects as they are now, or were seconds ago; none while the agent is away.
    pub(super) async fn tree(&self) -> Option<Arc<Tree>> {
        // Who comes while it is asked waits for the same answer.
        let mut last = self.last.lock().await;
        let within = |limit: Duration, at: Instant| at.elapsed() < limit;
        if let Some((_, tree)) = last.as_ref().filter(|(at, _)| within(FRESH, *at)) {
            return Some(Arc::clone(tree));
        }
        if let Ok(Ok(view)) = timeout(PATIENCE, self.agent.get::<SnmpView>(VALUES)).await {
            *last = Some((Instant::now(), Arc::new(tree(&view))));
        }
        last.as_ref().filter(|(at, _)| within(GOOD, *at)).map(|(_, tree)| Arc::clone(tree))
    }
}
