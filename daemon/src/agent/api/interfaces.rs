//! Route of this node's interfaces, for whoever chooses one.

use axum::Json;
use axum::extract::State;
use axum::routing::get;

use super::Shared;
use super::error::Refusal;
use super::route::{Method, Route};
use crate::agent::accounts::Role;
use crate::agent::interfaces::{self, InterfaceState};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<Vec<InterfaceState>>(
            (Method::Get, "/api/v1/interfaces"),
            ("own_interfaces", "This node's interfaces with link state, speed and addresses"),
            get(list),
        )
        .least(Role::Viewer),
    ]
}

async fn list(State(shared): State<Shared>) -> Result<Json<Vec<InterfaceState>>, Refusal> {
    let sys = shared.node.machine().sys.clone();
    let looked = tokio::task::spawn_blocking(move || interfaces::look(&sys)).await;
    let looked = looked.map_err(|error| Refusal::machine(error.to_string()))?;
    let all = looked
        .map_err(|error| Refusal::machine(format!("listing this machine's interfaces: {error}")))?;
    Ok(Json(all))
}
