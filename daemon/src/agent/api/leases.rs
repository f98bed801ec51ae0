//! Routes of what is kept and measured beside the failover: DHCP leases, and the probe.

use axum::Json;
use axum::extract::State;
use axum::routing::get;

use super::Shared;
use super::route::{Method, Route};
use crate::agent::accounts::Role;
use crate::agent::leases::LeasesView;
use crate::agent::probe::ProbesView;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<LeasesView>(
            (Method::Get, "/api/v1/leases"),
            ("leases", "The DHCP leases that this node knows, and whether its server would too"),
            get(leases),
        )
        .least(Role::Viewer),
        Route::new::<ProbesView>(
            (Method::Get, "/api/v1/probe"),
            ("probe", "What the probe pings, and the last times without an answer"),
            get(probe),
        )
        .least(Role::Viewer),
    ]
}

async fn leases(State(shared): State<Shared>) -> Json<LeasesView> {
    let settings = shared.node.settings();
    Json(shared.node.leases().view(&settings.name, &settings.profile.leases))
}

async fn probe(State(shared): State<Shared>) -> Json<ProbesView> {
    Json(shared.node.probes().view(&shared.node.settings().name))
}
