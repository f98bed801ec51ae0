//! Forgetting the other node, and when a new one may come. Nothing of the configuration is
//! touched: a node that is alone goes on as it is.

use std::sync::Arc;
use std::time::Duration;

use super::files::forget;
use crate::agent::api::error::Refusal;
use crate::agent::calls::Call;
use crate::agent::engine::run::Event;
use crate::agent::engine::state::Input;
use crate::agent::jobs::Kind;
use crate::agent::node::Node;

/// How long the other node may take to forget.
const LIMIT: Duration = Duration::from_secs(10);
/// The answer leaves before the connection ends.
const LAST_WORD: Duration = Duration::from_millis(500);

/// Whether another node may be paired with now.
///
/// # Errors
/// Why not, and what to do first.
pub fn may_invite(node: &Node, replace: bool) -> Result<(), Refusal> {
    let link = node.link();
    let settings = node.settings();
    let name = link.as_ref().and_then(|link| link.peer.as_ref()).map(|peer| peer.node.clone());
    let name = name.unwrap_or_else(|| "another node".to_owned());
    match (&settings.peer, replace) {
        (None, false) => Ok(()),
        (None, true) => Err(Refusal::conflict(
            "this node is not paired, so there is nobody to replace; use 'twinwall pair invite'",
        )),
        (Some(_), false) => Err(Refusal::conflict(format!(
            "this node is paired with {name}; 'twinwall pair unpair' forgets it, 'twinwall pair \
             replace' puts a new unit in the place of a dead one"
        ))),
        (Some(_), true) if link.is_some_and(|link| link.is_up()) => {
            Err(Refusal::conflict(format!(
                "{name} is there and answers; only a dead unit is replaced. Switch it off, or use \
             'twinwall pair unpair'"
            )))
        }
        (Some(_), true) => Ok(()),
    }
}

/// Forgets the other node; unless `here`, the other one forgets this one first.
///
/// # Errors
/// Why not; nothing was changed then.
pub async fn unpair(node: &Arc<Node>, here: bool) -> Result<(), Refusal> {
    may_forget(node)?;
    node.engine_soon().await?;
    if !here {
        node.calls().call(Call::Unpair {}, LIMIT).await.map_err(|refusal| {
            let message = format!(
                "{}; try again in a moment, and only if it is dead or gone for good forget it here \
                 alone: twinwall pair unpair --here",
                refusal.message
            );
            Refusal { message, ..refusal }
        })?;
    }
    leave(node).await?;
    node.reload_soon().await
}

/// The other node told this one to forget it.
///
/// # Errors
/// Why not; nothing was changed then.
pub(in crate::agent) async fn told(node: &Arc<Node>) -> Result<(), Refusal> {
    may_forget(node)?;
    leave(node).await?;
    let node = Arc::clone(node);
    node.runtime().clone().spawn(async move {
        tokio::time::sleep(LAST_WORD).await;
        if let Err(refusal) = node.reload_soon().await {
            eprintln!("twinwall agent: {refusal}");
        }
    });
    Ok(())
}

fn may_forget(node: &Node) -> Result<(), Refusal> {
    let settings = node.settings();
    if settings.peer.is_none() {
        return Err(Refusal::conflict(format!("{} is not paired", settings.name)));
    }
    if settings.is_enabled() {
        return Err(Refusal::conflict(format!(
            "high availability is on at {}; turn it off first: twinwall ha disable",
            settings.name
        )));
    }
    node.may_change()
}

async fn leave(node: &Node) -> Result<(), Refusal> {
    // First what may fail without harm.
    let engine = node.engine_soon().await?;
    // A change of keys has nobody left to change them with; what it does just now is done first.
    node.jobs().stop(Kind::Rotate);
    let _one_at_a_time = node.rotating.lock().await;
    forget(node.root())
        .map_err(|error| Refusal::machine(format!("forgetting the pair: {error}")))?;
    engine.tell(Event::Input(Input::Lineage(None)));
    Ok(())
}
