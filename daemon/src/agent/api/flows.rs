//! The route of the connections that survive a failover.

use axum::Json;
use axum::extract::State;
use axum::routing::get;

use super::Shared;
use super::route::{Method, Route};
use crate::agent::accounts::Role;
use crate::agent::flows::view::FlowsView;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<FlowsView>(
            (Method::Get, "/api/v1/flows"),
            ("flows", "How far the passive node's kernel has the active node's connections"),
            get(flows),
        )
        .least(Role::Viewer),
    ]
}

async fn flows(State(shared): State<Shared>) -> Json<FlowsView> {
    Json(shared.node.flows().view())
}
