//! Routes that look at the settings of high availability before and after a change: what an
//! order would come to, the interfaces to choose from, what each version brought. They change
//! nothing.

use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::error::Refusal;
use super::ha::{PutSettings, RestoreSettings, SetSettings};
use super::request::{Asked, At};
use super::route::{Method, Route};
use super::{Body, Shared, ha as orders};
use crate::agent::accounts::Role;
use crate::agent::ha::ports::{self, Ports};
use crate::agent::ha::turn::{self, TurnOff, TurnOn};
use crate::agent::ha::versions::{self, MAX_SHOWN, VersionChange, VersionView};
use crate::agent::ha::{self, Preview};

/// An order of which somebody wants to know what it would come to.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum PreviewOrder {
    /// `PUT /api/v1/ha/settings`.
    Put(Box<PutSettings>),
    /// `POST /api/v1/ha/set`.
    Set(SetSettings),
    /// `POST /api/v1/ha/restore`.
    Restore(RestoreSettings),
    /// `POST /api/v1/ha/enable`.
    Enable(TurnOn),
    /// `POST /api/v1/ha/disable`.
    Disable(TurnOff),
}

/// Which versions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Those before this number.
    before: Option<u64>,
    /// As many; 50 at the most, 10 where nothing is said.
    last: Option<usize>,
}

/// Versions where nothing is said.
const SHOWN: usize = 10;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<Preview>(
            (Method::Post, "/api/v1/ha/preview"),
            ("preview_settings", "What an order would come to on each node; changes nothing"),
            post(preview),
        )
        .takes::<PreviewOrder>(),
        Route::new::<Ports>(
            (Method::Get, "/api/v1/ha/interfaces"),
            ("ha_interfaces", "The interfaces of both nodes with link, speed and addresses"),
            get(interfaces),
        )
        .least(Role::Viewer),
        Route::new::<Vec<VersionChange>>(
            (Method::Get, "/api/v1/ha/changes"),
            ("settings_changes", "What each version of the settings brought, newest first"),
            get(changes),
        )
        .asks::<Which>()
        .least(Role::Viewer),
        Route::new::<VersionView>(
            (Method::Get, "/api/v1/ha/versions/{number}"),
            ("settings_version", "One kept version of the settings"),
            get(version),
        )
        .least(Role::Viewer),
    ]
}

async fn preview(
    State(shared): State<Shared>,
    caller: Caller,
    body: Body<PreviewOrder>,
) -> Result<Json<Preview>, Refusal> {
    let (node, who) = (&shared.node, caller.who);
    let seen = match body.0 {
        PreviewOrder::Put(order) => {
            let basis = order.basis(who);
            ha::look(node, basis, |current| order.text(current)).await
        }
        PreviewOrder::Set(order) => {
            let basis = order.basis(who)?;
            ha::look(node, basis, |current| order.text(current)).await
        }
        PreviewOrder::Restore(order) => {
            let old = orders::old(node, &order)?;
            ha::look(node, order.basis(who), |current| orders::restored(&old, current)).await
        }
        PreviewOrder::Enable(order) => turn::look_on(node, &who, &order).await,
        PreviewOrder::Disable(order) => turn::look_off(node, &who, &order).await,
    };
    seen.map(Json)
}

async fn interfaces(State(shared): State<Shared>) -> Result<Json<Ports>, Refusal> {
    ports::of(&shared.node).await.map(Json)
}

async fn changes(
    State(shared): State<Shared>,
    Asked(which): Asked<Which>,
) -> Result<Json<Vec<VersionChange>>, Refusal> {
    let Which { before, last } = which;
    let last = last.unwrap_or(SHOWN).min(MAX_SHOWN);
    reading(move || Ok(versions::changes(&shared.node, before, last))).await
}

async fn version(
    State(shared): State<Shared>,
    At(number): At<u64>,
) -> Result<Json<VersionView>, Refusal> {
    reading(move || versions::version(&shared.node, number)).await
}

/// On a thread that may wait for the disk.
async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<Json<T>, Refusal> {
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|error| Refusal::machine(format!("reading the versions: {error}")))?.map(Json)
}
