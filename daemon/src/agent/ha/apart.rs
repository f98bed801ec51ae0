//! Two nodes whose settings went on while they were apart: numbers that drifted, own addresses
//! that are looked after by hand, and changes that give way to newer ones.

use super::take::{self, Draft};
use super::{Said, current, look_at_state, refuse};
use crate::agent::api::error::{Code, Refusal};
use crate::agent::node::Node;
use crate::agent::pairing::NOT_PAIRED;
use crate::agent::settings::{Revision, Version};

/// What asking the other node came to.
pub(super) struct Met {
    /// What it says of its settings; none where it has none, or is away.
    pub(super) said: Option<Said>,
    /// Why it could not be asked.
    pub(super) away: Option<String>,
}

/// Asks the other node for its settings before an order. A higher number of the same text is
/// this node's as well from now on, so that the order gets one above both.
pub(super) async fn meet(node: &Node) -> Result<Met, Refusal> {
    if node.settings().peer.is_none() {
        return Ok(Met { said: None, away: Some(NOT_PAIRED.to_owned()) });
    }
    match look_at_state(node, take::PATIENCE).await {
        Ok(said) => {
            adopt(node, &said.version)?;
            Ok(Met { said: Some(said), away: None })
        }
        Err(why) if why.code == Code::Unreachable => {
            Ok(Met { said: None, away: Some(why.message) })
        }
        // It has none, or wrong ones: checking the new ones there says what is wrong.
        Err(_) => Ok(Met { said: None, away: None }),
    }
}

/// Records a newer version of the text that is here already; whether it was one.
pub(super) fn adopt(node: &Node, version: &Version) -> Result<bool, Refusal> {
    let current = current(node)?;
    let (here, there) = (current.version.revision, version.revision);
    if here.digest != there.digest || here.number >= there.number {
        return Ok(false);
    }
    let put = node.ha().history.put(version.clone(), &current.text, Vec::new());
    put.map(|()| true).map_err(refuse)
}

/// The same settings as the other node gets them: with what it missed, and what they replace.
pub(super) fn for_there(node: &Node, draft: &Draft, said: &Said) -> Draft {
    let history = &node.ha().history;
    let there = said.version.revision;
    let lost = !history.knows(&there) && there.digest != draft.version.revision.digest;
    Draft {
        by_hand: draft.by_hand || history.by_hand_since(&there),
        over: lost.then_some(there),
        ..draft.clone()
    }
}

/// The same for settings that were handed over. A node that was just paired has none.
pub(super) fn adopt_if_any(node: &Node, draft: &Draft) -> Result<bool, Refusal> {
    if current(node).is_err() { Ok(false) } else { adopt(node, &draft.version) }
}

/// Where a change of this node gives way to these: that in words, noted with the version.
pub(super) fn noted(node: &Node, mut draft: Draft) -> (Draft, Option<String>) {
    let here = current(node).ok().map(|current| current.version);
    let lost = here.filter(|here| draft.over == Some(here.revision));
    let words = lost.map(|lost| gives_way(&lost, &draft.version));
    draft.version.note.clone_from(&words);
    (draft, words)
}

fn gives_way(here: &Version, to: &Version) -> String {
    let Revision { number, .. } = here.revision;
    format!(
        "revision {} by {} on {} takes the place of revision {number} by {}, which was made on \
         {} while the nodes were apart; 'twinwall ha restore {number}' there puts it back",
        to.revision.number, to.who, to.node, here.who, here.node
    )
}
