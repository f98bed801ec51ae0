//! The route of the metrics, as Prometheus reads them.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Shared;
use super::error::Refusal;
use super::route::{Method, Route};
use crate::agent::accounts::Role;
use crate::agent::metrics;

/// Where it is asked; the console has a shorter name for it.
pub const PATH: &str = "/api/v1/metrics";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<String>(
            (Method::Get, PATH),
            ("metrics", "The state of both nodes for Prometheus, as text"),
            get(text),
        )
        .least(Role::Viewer)
        .gives(metrics::FORM),
    ]
}

async fn text(State(shared): State<Shared>) -> Result<Response, Refusal> {
    let text = metrics::of(&shared.node).await?;
    Ok(([(header::CONTENT_TYPE, metrics::FORM)], text).into_response())
}
