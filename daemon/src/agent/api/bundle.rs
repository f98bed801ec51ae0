//! The route of the support bundle.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Shared;
use super::error::Refusal;
use super::route::{Method, Route};
use crate::agent::bundle;

/// Where it is.
pub const PATH: &str = "/api/v1/support-bundle";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<String>(
            (Method::Get, PATH),
            ("support_bundle", "State, events, settings and logs for support, without secrets"),
            get(support_bundle),
        )
        .gives("application/gzip"),
    ]
}

async fn support_bundle(State(shared): State<Shared>) -> Result<Response, Refusal> {
    let made = bundle::of(&shared.node).await?;
    let name = format!("attachment; filename=\"{}\"", made.name);
    let head = [
        (header::CONTENT_TYPE, "application/gzip".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((head, made.bytes).into_response())
}
