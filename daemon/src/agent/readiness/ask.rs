//! Gathers what [`super::judge()`] weighs: the node's own views, and one question to the
//! other agent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use twinwall_core::config::Prerequisite;

use super::{OtherNode, Readiness, Views, judge};
use crate::agent::calls::{Call, Reply};
use crate::agent::clock::{difference, unix_ms};
use crate::agent::guard::GuardState;
use crate::agent::node::Node;
use crate::agent::pairing::rotate;
use crate::agent::preflight::{self, Compared};

/// How long the other agent may take. It answers from memory.
const PATIENCE: Duration = Duration::from_secs(2);

/// The answer of this node.
pub async fn of(node: &Arc<Node>) -> Readiness {
    let settings = node.settings();
    let (other, unmet) = tokio::join!(ask_other(node), unmet(node, settings.is_enabled()));
    let guard = node.guard().borrow().clone();
    let services = node.services().view(&settings.name);
    let sync = node.engine().ok().map(|engine| engine.overview());
    // Agents that are apart are told as that.
    let link_is_up = node.link().is_some_and(|link| link.is_up());
    let connections = node.flows().lasting_trouble().filter(|_| link_is_up);
    let there = node.conditions().peer_name();
    judge(&Views {
        here: &settings.name,
        there: there.as_deref(),
        paired: settings.pair.is_some() && settings.node.is_some() && settings.peer.is_some(),
        enabled: settings.is_enabled(),
        problems: settings.problems.len(),
        guard: &guard,
        sync: sync.as_ref(),
        link: node.link().as_ref(),
        unmet: &unmet,
        services: &services,
        other_keys_in_file: other_keys(&guard, node),
        keys_stand_at: rotate::stands_at(node.root()),
        connections: connections.as_deref(),
        standing: &node.conditions().present(),
        other: other.as_ref(),
    })
}

/// Prerequisites that are not met, but those that have a reason of their own. None are told
/// while the other node does not answer.
async fn unmet(node: &Arc<Node>, enabled: bool) -> Vec<String> {
    if !enabled || !node.link().is_some_and(|link| link.is_up()) {
        return Vec::new();
    }
    let Ok(compared) = timeout(PATIENCE, preflight::look(node)).await else { return Vec::new() };
    let told = [Prerequisite::Clock, Prerequisite::Release];
    let unmet = compared.prerequisites.iter().filter(|it| it.blocks() && !told.contains(&it.name));
    let there = compared.there.as_deref().unwrap_or("the other node");
    let here = &compared.here;
    let told = |it: &Compared| {
        format!("{} ({} on {here}, {} on {there})", it.name.name(), it.here, it.there)
    };
    unmet.map(told).collect()
}

/// Where either is not known, nothing is said.
fn other_keys(guard: &GuardState, node: &Node) -> bool {
    let used = guard.status().map(|status| &status.guard.key_tags).filter(|it| !it.is_empty());
    let file = rotate::file_tags(node.root());
    used.zip(file.as_ref()).is_some_and(|(used, file)| used != file)
}

/// None when it does not answer: the link's state says why.
async fn ask_other(node: &Node) -> Option<OtherNode> {
    let (asked, asked_ms) = (Instant::now(), unix_ms());
    let Ok(Reply::About(about)) = node.look(Call::About {}, PATIENCE).await else {
        return None;
    };
    let clock = difference(asked_ms, asked.elapsed(), about.unix_ms);
    Some(OtherNode { release: about.release, clock })
}
