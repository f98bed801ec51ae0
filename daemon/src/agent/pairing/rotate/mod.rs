//! New keys for a pair that goes on: the heartbeats' key and the certificates of both agents,
//! in steps of which both nodes may be at neighbouring ones (ADR 14). One node leads and asks
//! the other over the agents' link; whatever ends in between, it goes on from the files.
//! `steps` is one node's disk, `lead` asks, `told` answers.

mod lead;
mod steps;
#[cfg(test)]
mod tests;
mod told;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use twinwall_core::api::Request;
use twinwall_core::wire::PairKeys;

pub use lead::{await_link, keep, rotate};
pub use steps::{Record, Step, forget, record};
pub use told::{Question, answer};

use crate::agent::api::error::Refusal;
use crate::agent::node::Node;

/// Between two tries to hand the guard its keys.
const AGAIN: Duration = Duration::from_millis(100);
/// What a guard may need beyond the next heartbeats of its peer.
const GUARD: Duration = Duration::from_secs(5);

/// A change of keys that stands at a step for longer deserves a word.
const LONG: Duration = Duration::from_secs(60);

/// The step at which a change of keys has stood for long.
pub fn stands_at(root: &Path) -> Option<Step> {
    let record = record(root).ok().flatten()?;
    (steps::age(root) > LONG).then_some(record.step)
}

/// The names of the keys in the file, as a guard tells those that it uses; none where the
/// file cannot be read.
pub fn file_tags(root: &Path) -> Option<Vec<String>> {
    let (_, file) = steps::key_file(root).ok()?;
    Some(PairKeys::from(&file).tags())
}

/// How long the other node's guard may take to be heard under another key.
fn patience(node: &Node) -> Duration {
    let settings = node.settings();
    let beats = settings.pair.as_ref().map(|pair| pair.interval * 3);
    GUARD + beats.unwrap_or_default()
}

/// The guard, where one runs, reads its keys again. It does not drop the key that its peer
/// seals with, so that after a step of the other node it may have to hear from there first.
async fn tell_guard(node: &Arc<Node>) -> Result<(), Refusal> {
    let until = Instant::now() + patience(node);
    while node.guard().borrow().status().is_some() {
        match node.ask_guard(Request::Reload {}).await {
            Ok(()) => return Ok(()),
            Err(refusal) if Instant::now() > until => {
                let message = format!("the guard did not take the keys: {}", refusal.message);
                return Err(Refusal { message, ..refusal });
            }
            Err(_) => sleep(AGAIN).await,
        }
    }
    // One that starts reads the file.
    Ok(())
}
