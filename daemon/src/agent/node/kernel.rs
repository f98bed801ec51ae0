//! Keeps the kernel settings that a failover needs as long as high availability is on, and
//! the administrator's otherwise. A level, not an edge: a reboot, a module that is loaded
//! late, an interface that was made anew or a synchronised sysctl.d bring other values.

use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use twinwall_core::config::Pair;

use super::Node;
use crate::agent::sysctls::Sysctls;
use crate::files::guard_is_wanted;

/// Between two looks: some small reads.
const LOOK: Duration = Duration::from_secs(20);

/// What the settings say about the kernel's.
enum Wanted<'a> {
    /// What a failover of this pair needs.
    Needed(&'a Pair),
    /// The administrator's.
    Before,
    /// Settings that cannot be read change nothing.
    AsItIs,
}

/// Looks until the node is gone; at once first.
pub(super) async fn keep(node: Weak<Node>) {
    let mut told = Vec::new();
    loop {
        let Some(strong) = node.upgrade() else { return };
        let set = tokio::task::spawn_blocking(move || strong.set_kernel()).await;
        let trouble = set.unwrap_or_default();
        // The same trouble is told once.
        if trouble != told {
            trouble.iter().for_each(|it| eprintln!("twinwall agent: {it}"));
        }
        told = trouble;
        tokio::time::sleep(LOOK).await;
    }
}

impl Node {
    /// The kernel settings of the machine on which this agent runs.
    pub fn sysctls(&self) -> Sysctls {
        Sysctls::new(&self.machine.proc, &self.root)
    }

    /// Makes them as the settings want them; what could not be done, in words.
    pub fn set_kernel(&self) -> Vec<String> {
        let _one_at_a_time = self.tuning.lock().unwrap_or_else(PoisonError::into_inner);
        let settings = Arc::clone(&self.settings());
        let pair = settings.pair.as_ref().filter(|pair| pair.enabled);
        let wanted = match (guard_is_wanted(&self.root), pair) {
            (false, _) => Wanted::Before,
            (true, Some(pair)) => Wanted::Needed(pair),
            (true, None) => Wanted::AsItIs,
        };
        let done = match wanted {
            Wanted::Needed(pair) => self.sysctls().turn_on(pair),
            Wanted::Before => self.sysctls().turn_off(),
            Wanted::AsItIs => return Vec::new(),
        };
        match done {
            Ok(outcome) => {
                outcome.changed.iter().for_each(|it| eprintln!("twinwall agent: set {it}"));
                outcome.trouble
            }
            Err(error) => vec![format!("kernel settings: {error}")],
        }
    }
}
