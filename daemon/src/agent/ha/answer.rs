//! What this node answers when the other asks about its settings, or hands new ones over.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use twinwall_core::api::Request;
use twinwall_core::event::Fact;

use super::take::{self, Draft};
use super::{Said, apart, current, preview};
use crate::agent::api::error::Refusal;
use crate::agent::calls::Reply;
use crate::agent::node::Node;
use crate::agent::settings::check;
use crate::agent::settings::revision::Standing;

/// How long the guard of the other node may take to become active: its boot hold, and more.
const STANDS_BACK: Duration = Duration::from_secs(15);
/// A fact that is of no use any more goes with this.
const MOMENT: Duration = Duration::from_secs(1);

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
            let plan = preview::of(node, &take::plan(node, &draft)?);
            Ok(Reply::SettingsDone { notes: Vec::new(), plan: Some(Box::new(plan)) })
        }
        Question::Take(draft) => {
            let _turn = node.ha().turn.lock().await;
            if newer(node, &draft)? == Standing::Same {
                return Ok(done(Vec::new()));
            }
            if apart::adopt_if_any(node, &draft)? {
                return Ok(done(Vec::new()));
            }
            let was = node.settings().is_enabled();
            let (draft, lost) = apart::noted(node, draft);
            let mut notes = take::take(node, draft).await?;
            lost.iter().for_each(|lost| eprintln!("twinwall agent: settings: {lost}"));
            notes.extend(lost);
            if !was && node.settings().is_enabled() {
                notes.extend(stand_back(node).await.err());
            }
            Ok(done(notes))
        }
        Question::Text => {
            let current = current(node)?;
            Ok(Reply::SettingsText { version: current.version, text: current.text })
        }
    }
}

fn done(notes: Vec<String>) -> Reply {
    Reply::SettingsDone { notes, plan: None }
}

/// High availability was turned on at the other node, which serves and becomes the active one:
/// this guard, although it starts a moment earlier, lets it. Should nobody serve then, it does.
async fn stand_back(node: &Arc<Node>) -> Result<(), String> {
    let reason = "high availability was turned on at the other node, which becomes active";
    let told = node.ask_guard(standing_back(false, reason, STANDS_BACK)).await;
    told.map_err(|why| format!("the guard did not take a fact: {why}"))?;
    let node = Arc::clone(node);
    node.runtime().clone().spawn(async move {
        let mut guard = node.guard();
        let served = guard
            .wait_for(|state| state.status().is_some_and(|status| status.snapshot.peer_serves()));
        let served = timeout(STANDS_BACK, served).await.is_ok_and(|it| it.is_ok());
        if served {
            // Else it ends by itself.
            let _ = node.ask_guard(standing_back(true, "", MOMENT)).await;
        }
    });
    Ok(())
}

fn standing_back(good: bool, reason: &str, holds: Duration) -> Request {
    let (name, reason) = ("turned_on_there".to_owned(), reason.to_owned());
    Request::Fact { fact: Fact { name, good, reason, holds } }
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
