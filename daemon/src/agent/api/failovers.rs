//! Routes of failover reports, and of the events of both nodes.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Shared;
use super::error::Refusal;
use super::reports::saved;
use super::request::{Asked, At};
use super::route::{Method, Route};
use crate::agent::accounts::Role;
use crate::agent::clock::unix_ms;
use crate::agent::failovers::{Report, TwoNodes, Which, alone};

/// Reports in one answer, where nothing else is asked for.
const PAGE: usize = 10;

/// How many reports.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HowMany {
    /// At most so many, the newest of them; 10 where nothing is said, 50 are kept.
    last: Option<usize>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<Vec<Report>>(
            (Method::Get, "/api/v1/failovers"),
            ("failovers", "A report for each move of the active role, the newest first"),
            get(all),
        )
        .asks::<HowMany>()
        .least(Role::Viewer),
        Route::new::<Report>(
            (Method::Get, "/api/v1/failovers/{id}"),
            ("failover", "One report: what both nodes saw and did when, and the outage"),
            get(one),
        )
        .least(Role::Viewer),
        Route::new::<String>(
            (Method::Get, "/api/v1/failovers/{id}/page"),
            ("failover_page", "One report as one HTML file that needs nothing beside it"),
            get(page),
        )
        .gives("text/html; charset=utf-8")
        .least(Role::Viewer),
        Route::new::<TwoNodes>(
            (Method::Get, "/api/v1/timeline"),
            ("timeline", "What happened on both nodes, the newest first; kept over restarts"),
            get(timeline),
        )
        .asks::<Which>()
        .least(Role::Viewer),
    ]
}

async fn all(State(shared): State<Shared>, Asked(many): Asked<HowMany>) -> Json<Vec<Report>> {
    let mut reports = shared.node.failovers().all();
    reports.truncate(many.last.unwrap_or(PAGE));
    Json(reports)
}

async fn one(State(shared): State<Shared>, At(id): At<String>) -> Result<Json<Report>, Refusal> {
    find(&shared, &id).map(Json)
}

async fn page(State(shared): State<Shared>, At(id): At<String>) -> Result<Response, Refusal> {
    let report = find(&shared, &id)?;
    let node = shared.node.settings().name.clone();
    let html = alone(&report, &node, unix_ms())
        .map_err(|error| Refusal::machine(format!("making the page: {error}")))?;
    Ok(saved("text/html; charset=utf-8", &format!("failover-{id}.html"), html))
}

fn find(shared: &Shared, id: &str) -> Result<Report, Refusal> {
    shared.node.failovers().find(id).ok_or_else(|| {
        let text = "no such report is kept; 'twinwall failovers', or GET /api/v1/failovers, lists \
                    all";
        Refusal::not_found(text)
    })
}

async fn timeline(State(shared): State<Shared>, Asked(which): Asked<Which>) -> Json<TwoNodes> {
    let name = shared.node.settings().name.clone();
    Json(shared.node.failovers().events(&name, &which))
}
