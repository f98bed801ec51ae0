//! The node that leads a change of keys: asks the other one for each step, and does it itself
//! when that one has.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use twinwall_core::config::{KEY_BYTES, key_text};
use zeroize::Zeroizing;

use super::told::{Question, Secret};
use super::{Record, Step, patience, steps, tell_guard};
use crate::agent::api::error::{Code, Refusal};
use crate::agent::calls::{Call, Reply};
use crate::agent::digest::Digest;
use crate::agent::identity::{Certificate, certificate_pem};
use crate::agent::jobs::{Job, Kind};
use crate::agent::node::Node;
use crate::agent::pairing::random;

/// How long the agents may need to find each other again.
const LINK: Duration = Duration::from_secs(30);
/// Between two looks at the link.
const LOOK: Duration = Duration::from_millis(100);
/// Between two looks whether something was left half done; longer after each try that failed.
const HALF_DONE: Duration = Duration::from_secs(1);
/// A node that follows leaves the lead to the other one for this long.
const LED: Duration = Duration::from_secs(60);

/// Changes the keys, or goes on where a change was cut off.
///
/// # Errors
/// Why not. A change that the other node did not begin is taken back; one that was cut off
/// waits at its step, where both nodes understand each other. One that is stopped, because the
/// nodes forget each other, does nothing more.
pub async fn rotate(node: &Arc<Node>, job: &Job) -> Result<(), Refusal> {
    tokio::select! {
        biased;
        () = job.cancelled() => Err(Refusal::conflict(
            "the nodes were unpaired meanwhile; there are no common keys any more",
        )),
        ended = change(node, job) => ended,
    }
}

async fn change(node: &Arc<Node>, job: &Job) -> Result<(), Refusal> {
    let settings = node.settings();
    if settings.peer.is_none() {
        return Err(Refusal::conflict(format!("{} is not paired", settings.name)));
    }
    node.may_change()?;
    node.calls().back_in_a_moment().await;
    await_link(node, Duration::ZERO).await?;
    let record = match steps::record(node.root())? {
        Some(record) if !record.leads && steps::age(node.root()) < LED => {
            return Err(Refusal::conflict(
                "the other node is changing the keys already; 'twinwall pair status' shows how far",
            ));
        }
        Some(record) if record.step == Step::Staged && steps::is_torn(node.root(), &record)? => {
            give_up(node).await?;
            begin(node, job).await?
        }
        Some(record) => record,
        None => begin(node, job).await?,
    };
    if record.step == Step::Staged {
        // Cut off right after the file was written, the guard here may not know it yet.
        guard_takes(node).await?;
        job.step("2 of 3: both nodes use the new keys, and still take the old ones");
        stage_there(node, false).await?;
        order(node, Question::Use { id: record.id }).await?;
        use_here(node, record.id).await?;
    }
    job.step("3 of 3: the old keys are dropped on both nodes");
    order(node, Question::Drop { id: record.id }).await?;
    drop_here(node, record.id).await?;
    job.step("Waiting until the agents talk under the new certificates");
    await_link(node, LINK).await?;
    job.step("Both nodes have new keys; the old ones are worth nothing.");
    Ok(())
}

/// The first step on this node, as far as its guard goes.
async fn guard_takes(node: &Arc<Node>) -> Result<(), Refusal> {
    let _one_at_a_time = node.rotating.lock().await;
    tell_guard(node).await
}

/// Takes this node's first step back.
async fn give_up(node: &Arc<Node>) -> Result<(), Refusal> {
    let _one_at_a_time = node.rotating.lock().await;
    steps::give_up(node.root())?;
    tell_guard(node).await
}

/// The first step on both nodes, or nothing of it.
async fn begin(node: &Arc<Node>, job: &Job) -> Result<Record, Refusal> {
    job.step("1 of 3: both nodes take new keys as well as the old ones");
    let key = Zeroizing::new(random::<KEY_BYTES>()?);
    let id = steps::id_of(&key);
    {
        let _one_at_a_time = node.rotating.lock().await;
        steps::stage(node.root(), *key, true)?;
        if let Err(refusal) = tell_guard(node).await {
            steps::give_up(node.root())?;
            return Err(refusal);
        }
    }
    stage_there(node, true).await?;
    Ok(Record { id, step: Step::Staged, leads: true })
}

/// The first step on the other node; `fresh`: its refusal takes this node's back as well.
async fn stage_there(node: &Arc<Node>, fresh: bool) -> Result<(), Refusal> {
    let (key, own) = steps::staged(node.root())?;
    let key = Secret(key_text(&key));
    let asked = ask(node, Question::Stage { key, certificate: certificate_pem(&own) }).await;
    let _one_at_a_time = node.rotating.lock().await;
    match asked {
        Ok(Reply::Certificate { pem }) => {
            let next = Certificate::from_pem(&pem)
                .map_err(|error| Refusal::invalid(format!("the other node: {error}")))?;
            steps::pin(node.root(), next)?;
        }
        Ok(_) => return Err(Refusal::invalid("the other node answers something else")),
        Err(refusal) => {
            // One that did not answer may have taken it.
            if fresh && refusal.code != Code::Unreachable {
                steps::give_up(node.root())?;
                tell_guard(node).await?;
            }
            return Err(refusal);
        }
    }
    node.reload_soon().await
}

async fn use_here(node: &Arc<Node>, id: Digest) -> Result<(), Refusal> {
    let _one_at_a_time = node.rotating.lock().await;
    steps::use_new(node.root(), id)?;
    tell_guard(node).await?;
    steps::used(node.root(), id)?;
    node.reload_soon().await
}

async fn drop_here(node: &Arc<Node>, id: Digest) -> Result<(), Refusal> {
    let _one_at_a_time = node.rotating.lock().await;
    steps::drop_old(node.root(), id)?;
    tell_guard(node).await?;
    steps::done(node.root())?;
    node.reload_soon().await
}

async fn order(node: &Arc<Node>, question: Question) -> Result<(), Refusal> {
    ask(node, question).await.map(drop)
}

/// Asks, once the agents have found each other again.
async fn ask(node: &Arc<Node>, question: Question) -> Result<Reply, Refusal> {
    await_link(node, LINK).await?;
    let limit = LINK + patience(node);
    node.calls().call(Call::Rotate { question }, limit).await.map_err(|refusal| {
        let message = match refusal.code {
            Code::Unreachable => format!(
                "{}; old and new keys are good meanwhile, and this goes on by itself when the \
                 other node is back",
                refusal.message
            ),
            _ => format!("the other node: {}", refusal.message),
        };
        Refusal { message, ..refusal }
    })
}

/// Waits until the agents talk.
///
/// # Errors
/// Why they do not, after `limit`.
pub async fn await_link(node: &Node, limit: Duration) -> Result<(), Refusal> {
    let until = Instant::now() + limit;
    loop {
        let link = node.link();
        if link.as_ref().is_some_and(|link| link.is_up()) {
            return Ok(());
        }
        if Instant::now() >= until {
            let why = link.and_then(|link| link.trouble).map(|it| format!(": {it}"));
            return Err(Refusal::unreachable(format!(
                "the other node's agent is not connected{}",
                why.unwrap_or_default()
            )));
        }
        sleep(LOOK).await;
    }
}

/// Goes on with what was cut off, as soon as the other node is there. As long as the node is.
pub async fn keep(node: Weak<Node>) {
    let mut pause = HALF_DONE;
    loop {
        sleep(pause).await;
        let Some(node) = node.upgrade() else { return };
        let leads = steps::record(node.root()).ok().flatten().is_some_and(|it| it.leads);
        if !leads || !node.link().is_some_and(|link| link.is_up()) {
            pause = HALF_DONE;
            continue;
        }
        // Another change runs, or this one by somebody's order.
        let Ok(job) = node.jobs().begin(Kind::Rotate, "twinwall") else { continue };
        let ended = rotate(&node, &job).await;
        // Neither the list of operations nor the other node is filled with tries.
        pause = if ended.is_err() { (pause * 2).min(LED) } else { HALF_DONE };
        job.finish(ended);
    }
}
