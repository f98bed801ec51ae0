//! What became of an order that only began something: its end is an entry of its own in the
//! audit log and a line in the system's. Called once for each such order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::audit::on_disk;
use super::route::End;
use crate::agent::audit::{Entry, Outcome};
use crate::agent::engine::overview::{Overview, SectionState, SectionView};
use crate::agent::jobs::{JobState, JobView};
use crate::agent::node::Node;

/// A synchronisation has begun after so long, or there was nothing to do.
const BEGINS: Duration = Duration::from_secs(2);
/// No operation is followed for longer: an invitation is open for minutes.
const LONGEST: Duration = Duration::from_secs(3600);

/// Follows it; `entry` is the one of its beginning.
pub(super) fn to_its_end(
    node: &Arc<Node>,
    end: End,
    fields: &BTreeMap<&'static str, Value>,
    entry: Entry,
) {
    let sections = sections(fields);
    let following = Arc::clone(node);
    node.runtime().spawn(async move {
        let node = following;
        let ended = match end {
            End::AtOnce => return,
            End::Job => job(&node, entry.job).await,
            End::Synchronisation => synchronisation(&node, &sections).await,
        };
        let (outcome, why) = ended.unwrap_or((Outcome::Failed, None));
        let name =
            entry.job.map_or_else(|| "its synchronisation".to_owned(), |id| format!("job {id}"));
        let asked = entry.request.as_deref().unwrap_or_default();
        let (user, from, word) = (&entry.user, &entry.from, outcome.word());
        eprintln!("twinwall agent: {user} from {from}: {asked}: {name}: {word}");
        let audit = Arc::clone(node.audit());
        on_disk(move || audit.change(Entry { outcome, why, ..entry })).await;
    });
}

/// Which sections were ordered; none for all.
fn sections(fields: &BTreeMap<&'static str, Value>) -> Vec<String> {
    let named = fields.get("sections").and_then(Value::as_array);
    named.into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
}

async fn job(node: &Node, id: Option<u64>) -> Option<(Outcome, Option<String>)> {
    let mut job = node.jobs().watch(id?)?;
    let over = |view: &JobView| view.state != JobState::Running;
    let view = tokio::time::timeout(LONGEST, job.wait_for(over)).await.ok()?.ok()?.clone();
    let outcome = match view.state {
        JobState::Running => return None,
        JobState::Done => Outcome::Done,
        JobState::Failed => Outcome::Failed,
        JobState::Cancelled => Outcome::Cancelled,
    };
    Some((outcome, view.error.map(|error| error.message)))
}

async fn synchronisation(node: &Node, wanted: &[String]) -> Option<(Outcome, Option<String>)> {
    let mut overview = node.engine_soon().await.ok()?.watch();
    let runs = |seen: &Overview| seen.job.is_some();
    // One that is done already was not seen to run.
    let _ = tokio::time::timeout(BEGINS, overview.wait_for(runs)).await;
    let over = |seen: &Overview| seen.job.is_none();
    let seen = tokio::time::timeout(LONGEST, overview.wait_for(over)).await.ok()?.ok()?.clone();
    let is_wanted =
        |view: &&SectionView| wanted.is_empty() || wanted.iter().any(|it| it == view.section.id());
    let failed: Vec<String> = seen
        .sections
        .iter()
        .filter(is_wanted)
        .filter(|view| view.state != SectionState::InSync)
        .map(|view| format!("{}: {}", view.title, view.state.words()))
        .collect();
    Some(match failed.as_slice() {
        [] => (Outcome::Done, None),
        failed => (Outcome::Failed, Some(failed.join("; "))),
    })
}
