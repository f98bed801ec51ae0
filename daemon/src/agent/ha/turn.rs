//! High availability turned on and off, as a job with steps. On: the two nodes compared
//! (SPEC R2), settings and own addresses
//! on both, the other node's guard first, then this node's, which takes the role; then the
//! whole configuration goes over (SPEC R13). Off: the passive node first, the active last.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::beat::RoleWord;
use twinwall_core::ids::Designation;

use super::order::Checked;
use super::preview::{self, NodePreview, Preview};
use super::take::{self, Draft};
use super::{apart, ask_state, current, order};
use crate::agent::api::error::Refusal;
use crate::agent::clock::unix_ms;
use crate::agent::engine::run::Event;
use crate::agent::engine::standing::Direction;
use crate::agent::engine::state::Order;
use crate::agent::guard::GuardState;
use crate::agent::jobs::{Job, JobView, Kind};
use crate::agent::node::Node;
use crate::agent::preflight;
use crate::agent::section::Section;
use crate::agent::settings::edit::edit;
use crate::agent::settings::{Change, Source, Value, check};

/// How long the end of the pairing is waited for once there is a pair.
const PAIRED: Duration = Duration::from_secs(3);
/// How long this node may take to become active: the boot hold of most settings and more.
const ACTIVE: Duration = Duration::from_secs(60);

/// An order to turn it on.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnOn {
    /// The administrator looks after the nodes' own network configuration.
    #[serde(default)]
    pub addresses_by_hand: bool,
}

/// An order to turn it off.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnOff {
    /// The active node keeps the virtual IPs, as its own addresses.
    #[serde(default = "yes")]
    pub keep_virtual: bool,
    /// The administrator looks after the nodes' own network configuration.
    #[serde(default)]
    pub addresses_by_hand: bool,
}

fn yes() -> bool {
    true
}

/// Begins to turn it on; this node becomes the active one.
///
/// # Errors
/// When something else runs, there is no other node, or it is on already.
pub async fn on(node: &Arc<Node>, who: &str, order: TurnOn) -> Result<JobView, Refusal> {
    node.may_change()?;
    node.settings().demand_pair()?;
    // The two are a pair already: who joined may say so before the inviting node has put
    // its own things away.
    node.jobs().until_ended(&[Kind::Invite, Kind::Join, Kind::Replace], PAIRED).await;
    draft(node, true, who, order.addresses_by_hand)?;
    let job = node.jobs().begin(Kind::TurnOn, who)?;
    let (view, node, who) = (job.view(), Arc::clone(node), who.to_owned());
    node.runtime().clone().spawn(async move {
        let ended = turn_on(&node, &job, &who, order.addresses_by_hand).await;
        job.finish(ended);
    });
    Ok(view)
}

/// Begins to turn it off.
///
/// # Errors
/// When something else runs, or it is off already.
pub fn off(node: &Arc<Node>, who: &str, order: TurnOff) -> Result<JobView, Refusal> {
    node.may_change()?;
    draft(node, false, who, order.addresses_by_hand)?;
    let job = node.jobs().begin(Kind::TurnOff, who)?;
    let (view, node, who) = (job.view(), Arc::clone(node), who.to_owned());
    node.runtime().clone().spawn(async move {
        let ended = turn_off(&node, &job, &who, &order).await;
        job.finish(ended);
    });
    Ok(view)
}

/// The settings with the switch in the wanted place.
fn draft(node: &Node, on: bool, who: &str, by_hand: bool) -> Result<Draft, Refusal> {
    let current = current(node)?;
    let switch = Change::Set { key: "enabled".to_owned(), value: Value::Flag(on) };
    let text =
        edit(&current.text, &[switch]).map_err(|error| Refusal::conflict(error.to_string()))?;
    let already = check::read(&current.text).is_ok_and(|pair| pair.enabled == on);
    if already || text == current.text {
        let how = if on { "on" } else { "off" };
        return Err(Refusal::conflict(format!(
            "high availability is {how} already; 'twinwall ready' says how it is"
        )));
    }
    let mut version = node.ha().history.next(&text, unix_ms(), who, Source::Entered);
    version.addresses_by_hand = by_hand;
    Ok(Draft { version, text, by_hand, keep_virtual: None, over: None })
}

async fn turn_on(
    node: &Arc<Node>,
    job: &Job,
    who: &str,
    by_hand: bool,
) -> Result<Vec<String>, Refusal> {
    let turn = node.ha().turn.lock().await;
    job.step("Comparing the two nodes");
    let compared = preflight::of(node).await;
    compared.demand()?;
    job.step("Checking the settings on both nodes");
    apart::meet(node).await?;
    let draft = draft(node, true, who, by_hand)?;
    take::plan(node, &draft)?;
    order::check_there(node, &draft).await?.demand()?;
    job.step("The other node: settings, own addresses, guard");
    let there = order::take_there(node, &draft).await?;
    let mut notes: Vec<String> = compared.overridden().collect();
    notes.extend(there.into_iter().map(|note| format!("on the other node: {note}")));
    job.step("This node: settings, own addresses, guard");
    let other_serves = ask_state(node).await.is_ok_and(|said| said.active == Some(true));
    notes.extend(if other_serves {
        take::take(node, draft).await?
    } else {
        take::take_serving(node, draft).await?
    });
    drop(turn);
    job.step("Waiting until one of the nodes is active");
    let mut guard = node.guard();
    let served = guard.wait_for(|state| server(state).is_some());
    let Ok(Ok(active)) =
        tokio::time::timeout(ACTIVE, served).await.map(|it| it.map(|it| server(&it)))
    else {
        notes.push("no node is active yet; 'twinwall explain' says why".to_owned());
        return Ok(notes);
    };
    job.step("The configuration goes over to the passive node; 'twinwall sync' shows how");
    notes.extend(synchronise(node, active == Some(Server::Here), who).await?);
    Ok(notes)
}

/// Which node serves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    Here,
    There,
}

fn server(state: &GuardState) -> Option<Server> {
    let snapshot = &state.status()?.snapshot;
    if snapshot.role.role == RoleWord::Active {
        return Some(Server::Here);
    }
    snapshot.peer_serves().then_some(Server::There)
}

/// From the active node to the passive one (SPEC R13), unless one of them is blank, or has
/// not taken all yet: that one takes, since it can be no source.
async fn synchronise(node: &Arc<Node>, active: bool, who: &str) -> Result<Option<String>, Refusal> {
    let engine = node.engine()?;
    let overview = engine.overview();
    if overview.job.is_some() {
        // It has begun by itself.
        return Ok(None);
    }
    let lacks = |blank: bool, missing: &[Section]| blank || !missing.is_empty();
    let here = lacks(overview.blank, &overview.missing);
    let there = lacks(overview.peer.blank, &overview.peer.missing);
    let gives = if here || there { !here } else { active };
    let direction = if gives { Direction::Push } else { Direction::Pull };
    let all = Order { direction, sections: Vec::new(), who: who.to_owned() };
    let ordered = engine.order(|answer| Event::Order(all, answer)).await;
    if ordered.is_err() && engine.overview().job.is_some() {
        // It began by itself meanwhile.
        return Ok(None);
    }
    Ok(ordered.err().map(|why| format!("the synchronisation was not begun: {why}")))
}

async fn turn_off(
    node: &Arc<Node>,
    job: &Job,
    who: &str,
    order: &TurnOff,
) -> Result<Vec<String>, Refusal> {
    let _turn = node.ha().turn.lock().await;
    let (draft, active) = draft_off(node, who, order).await?;
    take::plan(node, &draft)?;
    let away = order::check_there(node, &draft).await?.away;
    both_or_alone(node, away.as_deref())?;
    let mut notes = Vec::new();
    if !active {
        job.step("This node: the guard ends, its addresses stay");
        notes.extend(take::take(node, draft.clone()).await?);
    }
    match away {
        Some(why) => notes.push(format!("the other node turns off when it is back: {why}")),
        None => {
            job.step("The other node: the guard ends, its addresses stay");
            let told = order::take_there(node, &draft).await?;
            notes.extend(told.into_iter().map(|note| format!("on the other node: {note}")));
        }
    }
    if active {
        job.step("This node: the guard ends, its addresses stay");
        notes.extend(take::take(node, draft).await?);
    }
    Ok(notes)
}

/// The settings with the switch off and who keeps the virtual IPs, and whether this node is
/// active.
async fn draft_off(node: &Node, who: &str, order: &TurnOff) -> Result<(Draft, bool), Refusal> {
    let there = apart::meet(node).await?;
    let mut draft = draft(node, false, who, order.addresses_by_hand)?;
    let active = node.guard().borrow().is_active() == Some(true);
    if order.keep_virtual {
        let own = node.settings().designation();
        let peer_serves = there.said.is_some_and(|said| said.active == Some(true));
        draft.keep_virtual = keeper(own, active, peer_serves);
    }
    Ok((draft, active))
}

/// What turning it on would come to. It is refused as the order would be.
///
/// # Errors
/// Why not.
pub async fn look_on(node: &Arc<Node>, who: &str, order: &TurnOn) -> Result<Preview, Refusal> {
    node.may_change()?;
    node.settings().demand_pair()?;
    let _turn = node.ha().turn.lock().await;
    draft(node, true, who, order.addresses_by_hand)?;
    let compared = preflight::of(node).await;
    compared.demand()?;
    apart::meet(node).await?;
    let draft = draft(node, true, who, order.addresses_by_hand)?;
    let here = preview::of(node, &take::plan(node, &draft)?);
    let there = order::check_there(node, &draft).await?.demand()?;
    seen(node, &draft, here, there, None, compared.overridden().collect())
}

/// What turning it off would come to. It is refused as the order would be.
///
/// # Errors
/// Why not.
pub async fn look_off(node: &Arc<Node>, who: &str, order: &TurnOff) -> Result<Preview, Refusal> {
    node.may_change()?;
    let _turn = node.ha().turn.lock().await;
    draft(node, false, who, order.addresses_by_hand)?;
    let (draft, _) = draft_off(node, who, order).await?;
    let here = preview::of(node, &take::plan(node, &draft)?);
    let Checked { away, plan } = order::check_there(node, &draft).await?;
    both_or_alone(node, away.as_deref())?;
    seen(node, &draft, here, plan, away, Vec::new())
}

fn seen(
    node: &Node,
    draft: &Draft,
    here: NodePreview,
    there: Option<NodePreview>,
    away: Option<String>,
    notes: Vec<String>,
) -> Result<Preview, Refusal> {
    let current = current(node)?;
    let changed = preview::changed(&current.text, &draft.text);
    let nodes = std::iter::once(here).chain(there).collect();
    Ok(Preview { seen: current.version.revision, changed, nodes, away, notes })
}

/// A guard that lives without its agent would go on, and serve beside this node.
fn both_or_alone(node: &Node, away: Option<&str>) -> Result<(), Refusal> {
    let guard = node.guard().borrow().clone();
    let heard = guard.status().is_some_and(|status| status.snapshot.peer.is_heard());
    match away {
        Some(why) if heard => Err(Refusal::unreachable(format!(
            "the other node's guard is alive and would serve beside this node, but its agent \
             cannot be told: {why}; start its agent, or stop its guard first"
        ))),
        Some(_) | None => Ok(()),
    }
}

/// Who keeps the virtual IPs: whoever serves. Where nobody does, nobody.
fn keeper(own: Option<Designation>, active: bool, peer_serves: bool) -> Option<Designation> {
    match (active, peer_serves) {
        (true, _) => own,
        (false, true) => own.map(Designation::other),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_serves_keeps_the_virtual_addresses() {
        let (one, two) = (Some(Designation::Primary), Some(Designation::Secondary));
        assert_eq!(keeper(one, true, false), one);
        assert_eq!(keeper(one, false, true), two);
        assert_eq!(keeper(two, false, true), one);
        assert_eq!(keeper(one, false, false), None);
    }
}
