//! The route of readiness: would a failover work now?

use axum::Json;
use axum::extract::State;
use axum::routing::get;

use super::Shared;
use super::route::{Method, Route};
use crate::agent::accounts::Role;
use crate::agent::readiness::{self, Readiness};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<Readiness>(
            (Method::Get, "/api/v1/readiness"),
            ("readiness", "Whether a failover would work right now, and what speaks against it"),
            get(readiness),
        )
        .least(Role::Viewer),
    ]
}

async fn readiness(State(shared): State<Shared>) -> Json<Readiness> {
    Json(readiness::of(&shared.node).await)
}
