//! Two nodes that meet again compare their settings: the older ones give way. What was
//! changed on both apart from each other is the active node's to say.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::take::Draft;
use super::{Said, apart, ask_state, current, order};
use crate::agent::api::error::Refusal;
use crate::agent::clock::unix_ms;
use crate::agent::node::Node;
use crate::agent::settings::revision::Standing;

/// Between two looks: one short question over a link that is there.
const LOOK: Duration = Duration::from_secs(2);

/// Looks until the node is gone.
pub(in crate::agent) async fn keep(node: Weak<Node>) {
    let mut told = None;
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(node) = node.upgrade() else { return };
        if node.link().is_none() {
            continue;
        }
        let Ok(said) = ask_state(&node).await else { continue };
        let failed = compare(&node, &said).await.err().map(|refusal| refusal.to_string());
        // The same trouble is told once, not every other second.
        if failed.is_some() && failed != told {
            eprintln!("twinwall agent: settings: {}", failed.as_deref().unwrap_or_default());
        }
        told = failed;
    }
}

async fn compare(node: &Arc<Node>, said: &Said) -> Result<(), Refusal> {
    let _turn = node.ha().turn.lock().await;
    let current = current(node)?;
    let mut version = current.version.clone();
    match version.revision.stands_to(&said.version.revision) {
        // The other node looks as well, and hands its newer ones over.
        Standing::Same | Standing::Older => return Ok(()),
        Standing::Newer => {}
        Standing::Apart => {
            let active = node.guard().borrow().is_active() == Some(true);
            if !active || said.active == Some(true) {
                return Ok(());
            }
            // The same text under the next number: so it is the newer one everywhere.
            let history = &node.ha().history;
            let by_hand = version.addresses_by_hand;
            version = history.next(&current.text, unix_ms(), &version.who, version.source);
            version.addresses_by_hand = by_hand;
            history.put(version.clone(), &current.text, Vec::new()).map_err(super::refuse)?;
        }
    }
    let draft =
        Draft { version, text: current.text, by_hand: false, keep_virtual: None, over: None };
    let notes = order::take_there(node, &apart::for_there(node, &draft, said)).await?;
    notes.iter().for_each(|note| eprintln!("twinwall agent: settings: the other node: {note}"));
    Ok(())
}
