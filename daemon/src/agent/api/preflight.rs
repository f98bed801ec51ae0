//! The route of the prerequisites: are the two nodes alike enough?

use axum::Json;
use axum::extract::State;
use axum::routing::get;

use super::Shared;
use super::route::{Method, Route};
use crate::agent::accounts::Role;
use crate::agent::preflight::{self, Preflight};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<Preflight>(
            (Method::Get, "/api/v1/preflight"),
            ("preflight", "The prerequisites of high availability with both nodes' values"),
            get(preflight),
        )
        .least(Role::Viewer),
    ]
}

async fn preflight(State(shared): State<Shared>) -> Json<Preflight> {
    Json(preflight::look(&shared.node).await)
}
