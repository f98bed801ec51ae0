//! Routes of the alert targets: how they stand, a test, and the secret that this node keeps for
//! one. What a target is, is a setting of high availability.

use axum::Json;
use axum::extract::State;
use axum::routing::{get, post, put};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::Refusal;
use super::request::At;
use super::route::{Method, Route};
use super::sync::Taken;
use super::{Body, Shared};
use crate::agent::accounts::Role;
use crate::agent::alerts::view::{self, AlertsView};
use crate::agent::alerts::{Tried, run_trial, secret, takes_secret, target};

/// A secret. It can be set and not be read.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// The key of a webhook's signature, or the password of a mail account.
    pub secret: String,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<AlertsView>(
            (Method::Get, "/api/v1/alerts"),
            ("alerts", "Whom the pair tells when something happens, and how that goes"),
            get(show),
        )
        .least(Role::Viewer),
        Route::new::<Tried>(
            (Method::Post, "/api/v1/alerts/{name}/test"),
            ("test_alert", "Send a test to a target, from this node"),
            post(test),
        )
        .least(Role::Operator),
        Route::new::<Taken>(
            (Method::Put, "/api/v1/alerts/{name}/secret"),
            ("set_alert_secret", "Keep a target's secret on this node; the other has its own"),
            put(set_secret).delete(forget_secret),
        )
        .takes::<NewSecret>(),
        Route::same::<Taken>(
            (Method::Delete, "/api/v1/alerts/{name}/secret"),
            ("forget_alert_secret", "Forget a target's secret on this node"),
        ),
    ]
}

async fn show(State(shared): State<Shared>) -> Result<Json<AlertsView>, Refusal> {
    waiting(move || Ok(view::of(&shared.node))).await
}

async fn test(State(shared): State<Shared>, At(name): At<String>) -> Result<Json<Tried>, Refusal> {
    run_trial(&shared.node, &name).await.map(Json)
}

async fn set_secret(
    State(shared): State<Shared>,
    At(name): At<String>,
    body: Body<NewSecret>,
) -> Result<Json<Taken>, Refusal> {
    let target = target(&shared.node, &name)?;
    if !takes_secret(&target) {
        return Err(Refusal::conflict(format!(
            "{name} needs no secret: that is for webhooks, and for mail with a user"
        )));
    }
    waiting(move || {
        secret::set(shared.node.root(), &name, &body.0.secret)?;
        Ok(Taken { taken: true })
    })
    .await
}

/// Also of a target that is gone.
async fn forget_secret(
    State(shared): State<Shared>,
    At(name): At<String>,
) -> Result<Json<Taken>, Refusal> {
    waiting(move || {
        secret::forget(shared.node.root(), &name)?;
        Ok(Taken { taken: true })
    })
    .await
}

/// On a thread that may wait for the disk.
async fn waiting<T: Send + 'static>(
    doing: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<Json<T>, Refusal> {
    let done = tokio::task::spawn_blocking(doing).await;
    done.map_err(|error| Refusal::machine(format!("looking at alerts: {error}")))?.map(Json)
}
