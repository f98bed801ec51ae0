//! A change of settings, from the order to both nodes: checked here and there before
//! anything is written; then written on both, where nobody is served first. A node that is away, or that is cut
//! off in the middle, gets them when the two meet again: the higher revision is the newer.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::preview::{self, NodePreview, Preview};
use super::take::{self, Draft, PATIENCE, there};
use super::{apart, ask_state, current, nonsense};
use crate::agent::api::error::{Code, Refusal};
use crate::agent::calls::{Call, Reply};
use crate::agent::clock::unix_ms;
use crate::agent::node::Node;
use crate::agent::pairing::NOT_PAIRED;
use crate::agent::settings::history::Current;
use crate::agent::settings::{Revision, Source, check, targets};

/// How often the other node is asked to take settings that it lost with a connection.
const TAKES: usize = 3;

/// What a change was made from, and by whom.
#[derive(Clone, Debug)]
pub struct Basis {
    /// Who orders it.
    pub who: String,
    /// The revision that was seen; a change made from another one is refused.
    pub seen: Option<Revision>,
    /// Entered anew, or an older version.
    pub source: Source,
    /// The administrator looks after the nodes' own network configuration.
    pub by_hand: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SettingsDone")]
pub struct Done {
    /// The settings' revision now.
    pub revision: Revision,
    /// Whether anything changed.
    pub changed: bool,
    /// Whether the other node has them too; else it gets them when it is back, unless it was
    /// changed more often until then.
    pub on_both: bool,
    /// What did not go as it should, for people.
    pub notes: Vec<String>,
}

/// Changes the settings on both nodes. `edit` makes the new text of the old one.
///
/// # Errors
/// Why not; then neither node has changed anything.
pub async fn change(
    node: &Arc<Node>,
    basis: Basis,
    edit: impl FnOnce(&Current) -> Result<String, Refusal>,
) -> Result<Done, Refusal> {
    node.may_change()?;
    let _turn = node.ha().turn.lock().await;
    let current = current(node)?;
    let Some(ready) = prepare(node, &current, basis, edit).await? else {
        let revision = current.version.revision;
        return Ok(Done { revision, changed: false, on_both: true, notes: Vec::new() });
    };
    carry_out(node, ready.draft, ready.there, ready.away).await
}

/// What the same change would come to. It is refused as the change would be.
///
/// # Errors
/// Why not.
pub async fn look(
    node: &Arc<Node>,
    basis: Basis,
    edit: impl FnOnce(&Current) -> Result<String, Refusal>,
) -> Result<Preview, Refusal> {
    node.may_change()?;
    let _turn = node.ha().turn.lock().await;
    let current = current(node)?;
    let seen = current.version.revision;
    let Some(ready) = prepare(node, &current, basis, edit).await? else {
        let (changed, nodes, notes) = (Vec::new(), Vec::new(), Vec::new());
        return Ok(Preview { seen, changed, nodes, away: None, notes });
    };
    let changed = preview::changed(&current.text, &ready.draft.text);
    let nodes = std::iter::once(ready.here).chain(ready.peer).collect();
    Ok(Preview { seen, changed, nodes, away: ready.away, notes: Vec::new() })
}

/// A change that was checked on both nodes.
struct Ready {
    draft: Draft,
    /// The same for the other node.
    there: Draft,
    /// Why the other node cannot take it now.
    away: Option<String>,
    here: NodePreview,
    peer: Option<NodePreview>,
}

/// Checks a change on both nodes, and writes nothing. None: there is nothing to change.
async fn prepare(
    node: &Arc<Node>,
    current: &Current,
    basis: Basis,
    edit: impl FnOnce(&Current) -> Result<String, Refusal>,
) -> Result<Option<Ready>, Refusal> {
    let here = current.version.revision;
    if let Some(seen) = basis.seen.filter(|seen| seen.digest != here.digest) {
        return Err(Refusal::conflict(format!(
            "{} changed the settings meanwhile (revision {}, yours was made from {}); look at \
             them again",
            current.version.who, here.number, seen.number
        )));
    }
    let text = edit(current)?;
    // By hand now, where it was not: the other node may wait for just that.
    let by_hand = basis.by_hand && !current.version.addresses_by_hand;
    if text == current.text && !by_hand {
        return Ok(None);
    }
    same_switch(&current.text, &text)?;
    targets::refuse_new(&current.text, &text)?;
    let met = apart::meet(node).await?;
    let mut version = node.ha().history.next(&text, unix_ms(), &basis.who, basis.source);
    version.addresses_by_hand = basis.by_hand;
    let draft = Draft { version, text, by_hand: basis.by_hand, keep_virtual: None, over: None };
    let here = preview::of(node, &take::plan(node, &draft)?);
    let said = met.said.as_ref();
    let there = said.map_or_else(|| draft.clone(), |it| apart::for_there(node, &draft, it));
    let checked = match met.away {
        None => check_there(node, &there).await?,
        away => Checked { away, plan: None },
    };
    let Checked { away, plan: peer } = checked;
    Ok(Some(Ready { draft, there, away, here, peer }))
}

/// On and off are operations of their own: they start and stop guards.
fn same_switch(old: &str, new: &str) -> Result<(), Refusal> {
    let new = check::read(new)?.enabled;
    if check::read(old).is_ok_and(|old| old.enabled != new) {
        let message = "not changed this way; use 'twinwall ha enable' or 'twinwall ha disable'";
        return Err(check::at("enabled".to_owned(), message.to_owned()));
    }
    Ok(())
}

/// What the other node says of settings that it could take.
pub(super) struct Checked {
    /// Why it could not be asked.
    pub(super) away: Option<String>,
    /// What taking them would come to there.
    pub(super) plan: Option<NodePreview>,
}

impl Checked {
    /// For what needs both nodes.
    pub(super) fn demand(self) -> Result<Option<NodePreview>, Refusal> {
        match self.away {
            None => Ok(self.plan),
            Some(away) => {
                Err(Refusal::unreachable(format!("both nodes are needed for this: {away}")))
            }
        }
    }
}

/// Whether the other node could take them; that it is away is no hindrance.
pub(super) async fn check_there(node: &Node, draft: &Draft) -> Result<Checked, Refusal> {
    let call = Call::SettingsCheck { draft: draft.clone() };
    match node.calls().call(call, PATIENCE).await {
        Ok(Reply::SettingsDone { plan, .. }) => {
            Ok(Checked { away: None, plan: plan.map(|plan| plan.bounded()) })
        }
        Ok(
            Reply::About(_)
            | Reply::Certificate { .. }
            | Reply::Clock { .. }
            | Reply::Done
            | Reply::Events { .. }
            | Reply::Facts(_)
            | Reply::Interfaces(_)
            | Reply::Snmp(_)
            | Reply::SnmpFacts(_)
            | Reply::Measures(_)
            | Reply::SettingsState(_)
            | Reply::SettingsText { .. },
        ) => Err(nonsense()),
        Err(refusal) if refusal.code == Code::Unreachable => {
            Ok(Checked { away: Some(refusal.message), plan: None })
        }
        Err(refusal) => Err(there(refusal, "the other node")),
    }
}

/// The passive node first: what a guard might refuse shows where nobody is served.
async fn carry_out(
    node: &Arc<Node>,
    draft: Draft,
    there: Draft,
    away: Option<String>,
) -> Result<Done, Refusal> {
    let revision = draft.version.revision;
    let active = node.guard().borrow().is_active() == Some(true);
    let (mut notes, mut on_both) = (Vec::new(), false);
    let hand_over = async |notes: &mut Vec<String>| match &away {
        Some(_) if node.settings().peer.is_none() => {
            notes.push(NOT_PAIRED.to_owned());
            false
        }
        Some(why) => {
            notes.push(format!(
                "the other node gets them when it is back, unless its own were changed more \
                 often until then: {why}"
            ));
            false
        }
        None => match take_there(node, &there).await {
            Ok(more) => {
                notes.extend(more.into_iter().map(|note| format!("on the other node: {note}")));
                true
            }
            Err(why) => {
                notes.push(format!("the other node gets them later: {why}"));
                false
            }
        },
    };
    if !active {
        notes = take::take(node, draft.clone()).await?;
        on_both = hand_over(&mut notes).await;
    } else {
        // After a crash in between the newer ones are there, and come back from there.
        let mut mine = Vec::new();
        on_both |= hand_over(&mut mine).await;
        notes.extend(take::take(node, draft.clone()).await?);
        notes.append(&mut mine);
    }
    Ok(Done { revision, changed: true, on_both, notes })
}

/// The other node takes them. Both nodes may make their link anew at that, and the question
/// or the answer is lost with the old one: then it is asked what it has, and to take them
/// once more where it has not.
pub(super) async fn take_there(node: &Node, draft: &Draft) -> Result<Vec<String>, Refusal> {
    let mut tries = 0;
    loop {
        tries += 1;
        match node.calls().call(Call::SettingsTake { draft: draft.clone() }, PATIENCE).await {
            Ok(Reply::SettingsDone { notes, .. }) => return Ok(notes),
            Ok(
                Reply::About(_)
                | Reply::Certificate { .. }
                | Reply::Clock { .. }
                | Reply::Events { .. }
                | Reply::Done
                | Reply::Facts(_)
                | Reply::Interfaces(_)
                | Reply::Snmp(_)
                | Reply::SnmpFacts(_)
                | Reply::Measures(_)
                | Reply::SettingsState(_)
                | Reply::SettingsText { .. },
            ) => return Err(nonsense()),
            Err(lost) => {
                let has = ask_state(node).await.map_err(|_| lost.clone())?;
                if has.version.revision == draft.version.revision {
                    return Ok(Vec::new());
                }
                if lost.code != Code::Unreachable || tries == TAKES {
                    return Err(lost);
                }
            }
        }
    }
}
