//! Routes of the synchronisation: how the sections stand, their versions, and the orders
//! to synchronise or to put a version back.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::caller::Caller;
use super::error::Refusal;
use super::request::{Asked, At};
use super::route::{Method, Route};
use crate::agent::accounts::Role;
use crate::agent::engine::diff::SectionDiff;
use crate::agent::engine::overview::{Overview, SectionState, SectionView};
use crate::agent::engine::run::{Event, Restore};
use crate::agent::engine::standing::Direction;
use crate::agent::engine::state::Order;
use crate::agent::node::Node;
use crate::agent::section::Section;
use crate::agent::store::Version;

/// An order to synchronise.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Synchronise {
    /// `push`: this node's configuration goes to the other one; `pull`: the other way.
    pub direction: Direction,
    /// Which sections; absent or empty for all that differ.
    #[serde(default)]
    pub sections: Vec<Section>,
}

/// An order to put a version back.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutBack {
    /// Its number, as the list of versions has it.
    pub version: u64,
}

/// The order was taken; how it goes shows `GET /api/v1/sync`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Taken {
    /// Always true; what is not taken is refused.
    pub taken: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<Overview>(
            (Method::Get, "/api/v1/sync"),
            ("sync", "How the sections of the two nodes stand"),
            get(overview),
        )
        .least(Role::Viewer),
        Route::new::<Taken>(
            (Method::Post, "/api/v1/sync"),
            ("synchronise", "Take one node's configuration over to the other one, by order"),
            post(synchronise),
        )
        .least(Role::Operator)
        .takes::<Synchronise>()
        .tells(&["direction", "sections"])
        .synchronises(),
        Route::new::<Taken>(
            (Method::Post, "/api/v1/sync/cancel"),
            ("cancel_sync", "End the synchronisation that runs; what has begun is finished"),
            post(cancel),
        )
        .least(Role::Operator),
        Route::new::<SectionDiff>(
            (Method::Get, "/api/v1/sync/{section}/diff"),
            ("diff", "What a synchronisation would change, by file and line; ?direction=push|pull"),
            get(diff),
        )
        .least(Role::Operator),
        Route::new::<Vec<Version>>(
            (Method::Get, "/api/v1/sync/{section}/versions"),
            ("versions", "The kept versions of a section, oldest first"),
            get(versions),
        )
        .least(Role::Viewer),
        Route::new::<SectionDiff>(
            (Method::Get, "/api/v1/sync/{section}/versions/{version}/diff"),
            ("version_diff", "What putting a version back would change on this node"),
            get(version_diff),
        )
        .least(Role::Operator),
        Route::new::<Taken>(
            (Method::Post, "/api/v1/sync/{section}/restore"),
            ("restore", "Put a version of a section back on this node"),
            post(restore),
        )
        .takes::<PutBack>()
        .tells(&["version"]),
    ]
}

async fn overview(State(shared): State<Shared>) -> Result<Json<Overview>, Refusal> {
    Ok(Json(shared.node.engine()?.overview()))
}

async fn synchronise(
    State(shared): State<Shared>,
    caller: Caller,
    body: super::Body<Synchronise>,
) -> Result<Json<Taken>, Refusal> {
    let Synchronise { direction, sections } = body.0;
    let order = Order { direction, sections, who: caller.who };
    met(&shared.node).await?;
    let taken = shared.node.engine()?.order(|answer| Event::Order(order, answer)).await;
    taken.map_err(Refusal::conflict)?;
    Ok(Json(Taken { taken: true }))
}

/// How long an order waits until both nodes know what the other one has.
const MEET: Duration = Duration::from_secs(3);

/// Agents that are finding each other again, after settings or keys changed, are waited for.
async fn met(node: &Node) -> Result<(), Refusal> {
    node.calls().back_in_a_moment().await;
    let mut overview = node.engine()?.watch();
    let unknown = |view: &SectionView| view.state == SectionState::Unknown;
    let known = |seen: &Overview| {
        !seen.peer.paired || !seen.peer.connected || !seen.sections.iter().any(unknown)
    };
    // Not in time: the order itself says what is not known.
    let _ = tokio::time::timeout(MEET, overview.wait_for(known)).await;
    Ok(())
}

async fn cancel(State(shared): State<Shared>, caller: Caller) -> Result<Json<Taken>, Refusal> {
    let engine = shared.node.engine()?;
    let taken = engine.order(|answer| Event::Cancel(caller.who, answer)).await;
    taken.map_err(Refusal::conflict)?;
    Ok(Json(Taken { taken: true }))
}

/// Which node would take the other's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Way {
    direction: Direction,
}

async fn diff(
    State(shared): State<Shared>,
    At(section): At<String>,
    Asked(way): Asked<Way>,
) -> Result<Json<SectionDiff>, Refusal> {
    let section = named(&section)?;
    let engine = shared.node.engine()?;
    let diff = engine.order(|answer| Event::Compare(section, way.direction, answer)).await;
    diff.map(Json).map_err(Refusal::conflict)
}

async fn versions(
    State(shared): State<Shared>,
    At(section): At<String>,
) -> Result<Json<Vec<Version>>, Refusal> {
    Ok(Json(shared.node.store().versions(named(&section)?)))
}

async fn version_diff(
    State(shared): State<Shared>,
    At((section, version)): At<(String, u64)>,
) -> Result<Json<SectionDiff>, Refusal> {
    let version = kept(&shared, &section, version)?;
    let diff = shared.node.engine()?.order(|answer| Event::Preview(version, answer)).await;
    diff.map(Json).map_err(Refusal::conflict)
}

async fn restore(
    State(shared): State<Shared>,
    caller: Caller,
    At(section): At<String>,
    body: super::Body<PutBack>,
) -> Result<Json<Taken>, Refusal> {
    let version = kept(&shared, &section, body.0.version)?;
    let restore = Restore { version, who: caller.who };
    let taken = shared.node.engine()?.order(|answer| Event::Restore(restore, answer)).await;
    taken.map_err(Refusal::conflict)?;
    Ok(Json(Taken { taken: true }))
}

fn kept(shared: &Shared, section: &str, version: u64) -> Result<Version, Refusal> {
    let version = shared.node.store().version(named(section)?, version);
    version.map_err(|error| Refusal::not_found(error.to_string()))
}

fn named(section: &str) -> Result<Section, Refusal> {
    section.parse().map_err(|error| Refusal::not_found(format!("{error}")))
}
