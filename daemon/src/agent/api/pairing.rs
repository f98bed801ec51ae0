//! Routes of pairing: how it stands, to invite and to join, to forget, and pairing by files.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::api::Request;
use twinwall_core::ids::Designation;

use super::Shared;
use super::caller::Caller;
use super::error::Refusal;
use super::route::{Method, Route};
use super::sync::Taken;
use crate::agent::accounts::Role;
use crate::agent::identity::Identity;
use crate::agent::jobs::{Job, JobView, Kind};
use crate::agent::node::Node;
use crate::agent::pairing::code::Code;
use crate::agent::pairing::files::{Card, card, import};
use crate::agent::pairing::view::{PairView, view};
use crate::agent::pairing::{invite, join, rotate, unpair};

/// An order to invite.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteOrder {
    /// The HA link's interface; absent where pair.toml names it.
    #[serde(default)]
    pub interface: Option<String>,
    /// This node's part in the pair: primary unless it says otherwise.
    #[serde(default)]
    pub designation: Option<Designation>,
    /// In the place of the other node, which is dead: it is forgotten.
    #[serde(default)]
    pub replace: bool,
}

/// An order to join.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinOrder {
    /// The code that the other node shows.
    pub code: String,
    /// The HA link's interface; absent to find it.
    #[serde(default)]
    pub interface: Option<String>,
}

/// An order to forget the other node.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnpairOrder {
    /// Only here: the other node is dead or away and is not told.
    #[serde(default)]
    pub here: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<PairView>(
            (Method::Get, "/api/v1/pair"),
            ("pair", "Whether this node is paired, with whom, and who is heard on the HA link"),
            get(async |State(shared): State<Shared>| Json(view(&shared.node))),
        )
        .least(Role::Viewer),
        Route::new::<JobView>(
            (Method::Post, "/api/v1/pair/invite"),
            ("invite", "Open an invitation; the job shows the code and goes on until it is over"),
            post(invites),
        )
        .takes::<InviteOrder>(),
        Route::new::<JobView>(
            (Method::Post, "/api/v1/pair/join"),
            ("join", "Join the node that invites, by its code"),
            post(joins),
        )
        .takes::<JoinOrder>(),
        Route::new::<JobView>(
            (Method::Post, "/api/v1/pair/rotate"),
            ("rotate", "Change the keys and certificates of both nodes, or go on with that"),
            post(rotates),
        ),
        Route::new::<Taken>(
            (Method::Post, "/api/v1/pair/unpair"),
            ("unpair", "Forget the other node and the common key, on both nodes"),
            post(unpairs),
        )
        .takes::<UnpairOrder>(),
        Route::new::<Card>(
            (Method::Get, "/api/v1/pair/card"),
            ("card", "What this node shows of itself for a pairing by files"),
            get(shows_card),
        ),
        Route::new::<Taken>(
            (Method::Post, "/api/v1/pair/card"),
            ("import", "Take the other node's card, for a pairing by files"),
            post(imports),
        )
        .takes::<Card>(),
    ]
}

async fn invites(
    State(shared): State<Shared>,
    caller: Caller,
    body: super::Body<InviteOrder>,
) -> Result<Json<JobView>, Refusal> {
    let node = shared.node;
    let order = body.0;
    unpair::may_invite(&node, order.replace)?;
    let settings = node.settings();
    let known = settings.pair.as_ref().map(|pair| pair.ha_link.interface.clone());
    let interface = order.interface.clone().or_else(|| known.clone()).ok_or_else(|| {
        Refusal::invalid("which interface is the HA link? Name it: --interface ha0")
    })?;
    if let Some(known) = known.filter(|known| *known != interface) {
        return Err(Refusal::invalid(format!(
            "pair.toml names {known} as the HA link; invite on that one, or change it first"
        )));
    }
    let own = settings.designation().filter(|_| order.replace);
    let designation = own.or(order.designation).unwrap_or(Designation::Primary);
    let kind = if order.replace { Kind::Replace } else { Kind::Invite };
    let wanted = invite::Wanted { interface, designation };
    let job = node.jobs().begin(kind, &caller.who)?;
    let view = job.view();
    let runtime = node.runtime().clone();
    runtime.spawn(async move {
        let made = invite::invite(&node, &wanted, &job).await;
        end(&node, job, made).await;
    });
    Ok(Json(view))
}

async fn joins(
    State(shared): State<Shared>,
    caller: Caller,
    body: super::Body<JoinOrder>,
) -> Result<Json<JobView>, Refusal> {
    let JoinOrder { code, interface } = body.0;
    let code: Code = code.parse().map_err(|error: crate::agent::pairing::code::NotACode| {
        Refusal::invalid(error.to_string())
    })?;
    unpair::may_invite(&shared.node, false)?;
    let wanted = join::Wanted { code, interface };
    let node = shared.node;
    let job = node.jobs().begin(Kind::Join, &caller.who)?;
    let view = job.view();
    let runtime = node.runtime().clone();
    runtime.spawn(async move {
        let made = join::join(&node, &wanted, &job).await;
        end(&node, job, made).await;
    });
    Ok(Json(view))
}

async fn rotates(State(shared): State<Shared>, caller: Caller) -> Result<Json<JobView>, Refusal> {
    let node = shared.node;
    let job = node.jobs().begin(Kind::Rotate, &caller.who)?;
    let view = job.view();
    let runtime = node.runtime().clone();
    runtime.spawn(async move {
        let ended = rotate::rotate(&node, &job).await;
        job.finish(ended);
    });
    Ok(Json(view))
}

/// How long the agents of a new pair may need to find each other.
const MEET: Duration = Duration::from_secs(10);

/// Ends the job; the settings are read again when a pair was made.
async fn end(node: &Arc<Node>, job: Job, made: Result<String, Refusal>) {
    let made = match made {
        Ok(peer) => node.reload_soon().await.map(|()| peer),
        Err(refusal) => Err(refusal),
    };
    if let Ok(peer) = &made {
        // What an administrator types next needs both agents; without one it says so itself.
        let _ = rotate::await_link(node, MEET).await;
        job.step(format!("Paired with {peer}."));
        if let Err(why) = tell_guard(node).await {
            job.step(format!("But {why}"));
        }
    }
    job.finish(made.map(|peer| Paired { peer }));
}

/// In a pair in which high availability is on: the guard takes the new key, so that the unit
/// that was replaced is a stranger from now on; on a new unit it starts.
async fn tell_guard(node: &Arc<Node>) -> Result<(), String> {
    if !node.settings().is_enabled() {
        return Ok(());
    }
    if node.guard().borrow().status().is_some() {
        let told = node.ask_guard(Request::Reload {}).await;
        return told.map_err(|why| format!("the guard goes on with the old key: {why}"));
    }
    let control = node.machine().control;
    let started = tokio::task::spawn_blocking(move || control.set(true)).await;
    started.map_err(|error| error.to_string())?
}

/// What came of it.
#[derive(Serialize)]
struct Paired {
    /// The other node's name.
    peer: String,
}

async fn unpairs(
    State(shared): State<Shared>,
    body: super::Body<UnpairOrder>,
) -> Result<Json<Taken>, Refusal> {
    unpair::unpair(&shared.node, body.0.here).await?;
    Ok(Json(Taken { taken: true }))
}

async fn shows_card(State(shared): State<Shared>) -> Result<Json<Card>, Refusal> {
    let identity = identity(&shared.node)?;
    Ok(Json(card(&shared.node.settings().name, identity.certificate())))
}

async fn imports(
    State(shared): State<Shared>,
    body: super::Body<Card>,
) -> Result<Json<Taken>, Refusal> {
    let node = shared.node;
    unpair::may_invite(&node, false)?;
    let identity = identity(&node)?;
    import(node.root(), identity.certificate(), &body.0).map_err(Refusal::invalid)?;
    node.reload_soon().await?;
    if node.settings().designation() == Some(Designation::Primary) {
        // Nobody invited: of two nodes by files the primary is the one whose configuration counts.
        invite::begin_history(&node);
    }
    Ok(Json(Taken { taken: true }))
}

fn identity(node: &Node) -> Result<Identity, Refusal> {
    Identity::load_or_create(node.root()).map_err(|error| Refusal::machine(error.to_string()))
}
