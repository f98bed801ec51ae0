//! Routes of what the guard holds and says: its status, with what else is the matter, its reasons,
//! its events, and the orders that it takes. The command asks the guard itself, so that it works
//! without an agent.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::api::{MAX_EVENTS, Numbered, Request, Status};
use twinwall_core::event::Order;
use twinwall_core::explain;

use super::error::Refusal;
use super::request::Asked;
use super::route::{Method, Route};
use super::sync::Taken;
use super::{Body, Shared};
use crate::agent::accounts::Role;
use crate::agent::conditions::{Standing, beside_alarms};
use crate::agent::guard::{self, GuardState};

/// Events on a page, where nothing else is asked for.
const PAGE: usize = 100;
/// Maintenance lasts so long, where nothing else is asked for.
const MAINTENANCE_S: f64 = 7200.0;
/// It lasts at most a week, so that no node is forgotten in it.
const MAX_MAINTENANCE_S: f64 = 7.0 * 86_400.0;

/// What the guard holds and knows, and what is the matter besides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatusView {
    /// From the guard.
    #[serde(flatten)]
    pub status: Status,
    /// Conditions that are raised and that the guard's alarms do not say, the worst first; null
    /// where the agent could not be asked.
    #[serde(default)]
    pub conditions: Option<Vec<Standing>>,
}

/// Which events.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Only those with a higher number.
    after: Option<u64>,
    /// Only those with a lower number: to page back.
    before: Option<u64>,
    /// At most so many, the newest of them; 100 where nothing is said.
    last: Option<usize>,
}

/// Events of the guard, the newest last.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Events {
    /// The events.
    pub events: Vec<Numbered>,
    /// Whether older ones are kept that were asked for and are not here.
    pub older: bool,
}

/// One question of `explain` with its answer.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    /// The question.
    pub question: String,
    /// The answer in sentences.
    pub sentences: Vec<String>,
}

impl From<explain::Answer> for Explained {
    fn from(answer: explain::Answer) -> Explained {
        Explained { question: answer.question.to_owned(), sentences: answer.sentences }
    }
}

/// An order to take this node out of service.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// It ends by itself after so many seconds; two hours where nothing is said.
    #[serde(default = "two_hours")]
    pub lasts_s: f64,
}

fn two_hours() -> f64 {
    MAINTENANCE_S
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<StatusView>(
            (Method::Get, "/api/v1/status"),
            ("status", "What this node's guard holds and knows, as 'twinwall status --json'"),
            get(status),
        )
        .least(Role::Viewer),
        Route::new::<Vec<Explained>>(
            (Method::Get, "/api/v1/explain"),
            ("explain", "Why this node has its role, as 'twinwall explain --json'"),
            get(explained),
        )
        .least(Role::Viewer),
        Route::new::<Events>(
            (Method::Get, "/api/v1/events"),
            ("events", "What happened on this node since its guard started"),
            get(events),
        )
        .asks::<Which>()
        .least(Role::Viewer),
        Route::new::<Taken>(
            (Method::Post, "/api/v1/switchover"),
            ("switchover", "Move the active role from this node to the other one"),
            post(switchover),
        )
        .least(Role::Operator),
        Route::new::<Taken>(
            (Method::Post, "/api/v1/maintenance"),
            ("maintenance_on", "Take this node out of service for a time"),
            post(maintenance_on).delete(maintenance_off),
        )
        .takes::<Maintenance>()
        .tells(&["lasts_s"])
        .least(Role::Operator),
        Route::same::<Taken>(
            (Method::Delete, "/api/v1/maintenance"),
            ("maintenance_off", "Put this node back into service"),
        )
        .least(Role::Operator),
    ]
}

async fn status(State(shared): State<Shared>) -> Result<Json<StatusView>, Refusal> {
    let status = now(&shared)?;
    let present = shared.node.conditions().present();
    let conditions = Some(beside_alarms(present, &shared.node.settings().name));
    Ok(Json(StatusView { status, conditions }))
}

fn now(shared: &Shared) -> Result<Status, Refusal> {
    match &*shared.node.guard().borrow() {
        GuardState::Says(status) => Ok(Status::clone(status)),
        GuardState::Away(why) => Err(Refusal::unreachable(why.clone())),
    }
}

async fn explained(State(shared): State<Shared>) -> Result<Json<Vec<Explained>>, Refusal> {
    let answers = explain::explain(&now(&shared)?.snapshot);
    Ok(Json(answers.into_iter().map(Explained::from).collect()))
}

async fn events(
    State(shared): State<Shared>,
    Asked(which): Asked<Which>,
) -> Result<Json<Events>, Refusal> {
    let root = shared.node.root().to_owned();
    let after = which.after.unwrap_or(0);
    let kept = tokio::task::spawn_blocking(move || guard::events(&root, after)).await;
    let kept = kept.map_err(|error| Refusal::machine(format!("asking the guard: {error}")))?;
    let mut events = kept.map_err(Refusal::unreachable)?;
    events.retain(|event| which.before.is_none_or(|before| event.number < before));
    let most = which.last.unwrap_or(PAGE).min(MAX_EVENTS);
    let surplus = events.len().saturating_sub(most);
    events.drain(..surplus);
    Ok(Json(Events { events, older: surplus > 0 }))
}

async fn switchover(State(shared): State<Shared>) -> Result<Json<Taken>, Refusal> {
    order(&shared, Order::Switchover).await
}

async fn maintenance_on(
    State(shared): State<Shared>,
    body: Body<Maintenance>,
) -> Result<Json<Taken>, Refusal> {
    let seconds = body.0.lasts_s;
    if !(1.0..=MAX_MAINTENANCE_S).contains(&seconds) {
        return Err(Refusal::invalid("lasts_s: from 1 to 604800 seconds, a week"));
    }
    order(&shared, Order::MaintenanceOn { lasts: Duration::from_secs_f64(seconds) }).await
}

async fn maintenance_off(State(shared): State<Shared>) -> Result<Json<Taken>, Refusal> {
    order(&shared, Order::MaintenanceOff).await
}

async fn order(shared: &Shared, order: Order) -> Result<Json<Taken>, Refusal> {
    shared.node.ask_guard(Request::Order { order }).await?;
    Ok(Json(Taken { taken: true }))
}
