//! What this node answers when the other asks about its settings, or hands new ones over.

use std::sync::Arc;

use super::take::{self, Draft};
use super::{Said, current};
use crate::agent::api::error::Refusal;
use crate::agent::calls::Reply;
use crate::agent::node::Node;
use crate::agent::settings::check;
use crate::agent::settings::revision::Standing;

/// A question about settings.
pub(in crate::agent) enum Question {
    /// Which are yours?
    State,
    /// Could you take these?
    Check(Draft),
    /// Take these.
    Take(Draft),
    /// What is their text?
    Text,
}

/// The answer.
pub(in crate::agent) async fn answer(
    node: &Arc<Node>,
    question: Question,
) -> Result<Reply, Refusal> {
    match question {
        Question::State => {
            let current = current(node)?;
            // What cannot be read says nothing, and turns nothing off.
            let enabled = check::read(&current.text).map_or(true, |pair| pair.enabled);
            let active = node.guard().borrow().is_active();
            Ok(Reply::SettingsState(Said { version: current.version, enabled, active }))
        }
        Question::Check(draft) => {
            newer(node, &draft)?;
            take::plan(node, &draft)?;
            Ok(Reply::SettingsDone { notes: Vec::new() })
        }
        Question::Take(draft) => {
            let _turn = node.ha().turn.lock().await;
            if newer(node, &draft)? == Standing::Same {
                return Ok(Reply::SettingsDone { notes: Vec::new() });
            }
            let notes = take::take(node, draft).await?;
            Ok(Reply::SettingsDone { notes })
        }
        Question::Text => {
            let current = current(node)?;
            Ok(Reply::SettingsText { version: current.version, text: current.text })
        }
    }
}

/// Older ones never replace newer ones.
fn newer(node: &Node, draft: &Draft) -> Result<Standing, Refusal> {
    let here = match current(node) {
        Ok(current) => current.version,
        // A node that was just paired has none of its own.
        Err(refusal) if refusal.message.contains("no HA settings") => return Ok(Standing::Older),
        Err(refusal) => return Err(refusal),
    };
    match here.revision.stands_to(&draft.version.revision) {
        standing @ (Standing::Older | Standing::Same) => Ok(standing),
        Standing::Newer | Standing::Apart => Err(Refusal::conflict(format!(
            "the settings there are of revision {} by {}, not older than these; look at them with \
             'twinwall ha show' and give the order again",
            here.revision.number, here.who
        ))),
    }
}
