//! The route of the services that are bound to the active role, and of the health checks.

use axum::Json;
use axum::extract::State;
use axum::routing::get;

use super::Shared;
use super::route::{Method, Route};
use crate::agent::accounts::Role;
use crate::agent::services::view::ServicesView;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<ServicesView>(
            (Method::Get, "/api/v1/services"),
            (
                "services",
                "How the services are that run only on the active node, and the health checks",
            ),
            get(services),
        )
        .least(Role::Viewer),
    ]
}

async fn services(State(shared): State<Shared>) -> Json<ServicesView> {
    let node = &shared.node;
    Json(node.services().view(&node.settings().name))
}
