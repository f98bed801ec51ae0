//! Routes of high availability: the settings of both nodes, changes of them, their versions,
//! and the orders to turn it on and off.

use axum::Json;
use axum::extract::State;
use axum::routing::{get, post, put};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::error::Refusal;
use super::route::{Method, Route};
use super::{Body, Shared};
use crate::agent::accounts::Role;
use crate::agent::ha::turn::{self, TurnOff, TurnOn};
use crate::agent::ha::{self, Basis, Done, HaView};
use crate::agent::jobs::JobView;
use crate::agent::netconf::live;
use crate::agent::node::Node;
use crate::agent::settings::change::MAX_CHANGES;
use crate::agent::settings::edit::edit;
use crate::agent::settings::history::Current;
use crate::agent::settings::{Change, HaSettings, Revision, Source, Value, Version, check};

/// All settings, as a page sends them back.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutSettings {
    /// What they shall be.
    pub settings: HaSettings,
    /// The revision that they were made from.
    pub seen: Revision,
    /// The administrator looks after the nodes' own network configuration.
    #[serde(default)]
    pub addresses_by_hand: bool,
}

/// Single changes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetSettings {
    /// In their order; all or none.
    pub changes: Vec<Change>,
    /// The revision that was seen, if that matters.
    #[serde(default)]
    pub seen: Option<Revision>,
    /// The administrator looks after the nodes' own network configuration.
    #[serde(default)]
    pub addresses_by_hand: bool,
}

/// A version to put back.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreSettings {
    /// Its number, as the list of versions has it.
    pub version: u64,
    /// The revision that was seen, if that matters.
    #[serde(default)]
    pub seen: Option<Revision>,
    /// The administrator looks after the nodes' own network configuration.
    #[serde(default)]
    pub addresses_by_hand: bool,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<HaView>(
            (Method::Get, "/api/v1/ha"),
            ("ha", "The settings of high availability, here and on the other node"),
            get(show),
        )
        .least(Role::Viewer),
        Route::new::<Done>(
            (Method::Put, "/api/v1/ha/settings"),
            ("put_settings", "Replace the settings on both nodes"),
            put(replace),
        )
        .takes::<PutSettings>(),
        Route::new::<Done>(
            (Method::Post, "/api/v1/ha/set"),
            ("set_settings", "Change single settings on both nodes"),
            post(set),
        )
        .takes::<SetSettings>()
        .tells(&["changes"]),
        Route::new::<Vec<Version>>(
            (Method::Get, "/api/v1/ha/versions"),
            ("settings_versions", "The kept versions of the settings, oldest first"),
            get(versions),
        )
        .least(Role::Viewer),
        Route::new::<Done>(
            (Method::Post, "/api/v1/ha/restore"),
            ("restore_settings", "Put a version of the settings back on both nodes"),
            post(restore),
        )
        .takes::<RestoreSettings>()
        .tells(&["version"]),
        Route::new::<JobView>(
            (Method::Post, "/api/v1/ha/enable"),
            ("enable", "Turn high availability on; this node becomes the active one"),
            post(enable),
        )
        .takes::<TurnOn>(),
        Route::new::<JobView>(
            (Method::Post, "/api/v1/ha/disable"),
            ("disable", "Turn high availability off; both nodes go on by themselves"),
            post(disable),
        )
        .takes::<TurnOff>(),
    ]
}

async fn show(State(shared): State<Shared>) -> Result<Json<HaView>, Refusal> {
    ha::view(&shared.node).await.map(Json)
}

async fn replace(
    State(shared): State<Shared>,
    caller: Caller,
    body: Body<PutSettings>,
) -> Result<Json<Done>, Refusal> {
    let order = body.0;
    let basis = order.basis(caller.who);
    ha::change(&shared.node, basis, |current| order.text(current)).await.map(Json)
}

impl PutSettings {
    pub(super) fn basis(&self, who: String) -> Basis {
        let (seen, by_hand) = (Some(self.seen), self.addresses_by_hand);
        Basis { who, seen, source: Source::Entered, by_hand }
    }

    /// The text with these settings in it.
    pub(super) fn text(&self, current: &Current) -> Result<String, Refusal> {
        check::each_once(&self.settings)?;
        let old = HaSettings::from(&check::read(&current.text)?);
        if (self.settings.enabled, self.settings.pair_id) != (old.enabled, old.pair_id) {
            let message = "not changed this way; use enable and disable, and pairing".to_owned();
            return Err(check::at("enabled".to_owned(), message));
        }
        entered(&current.text, &self.settings.changes_from(&old))
    }
}

async fn set(
    State(shared): State<Shared>,
    caller: Caller,
    body: Body<SetSettings>,
) -> Result<Json<Done>, Refusal> {
    let order = body.0;
    let basis = order.basis(caller.who)?;
    ha::change(&shared.node, basis, |current| order.text(current)).await.map(Json)
}

impl SetSettings {
    pub(super) fn basis(&self, who: String) -> Result<Basis, Refusal> {
        if self.changes.len() > MAX_CHANGES {
            return Err(Refusal::invalid(format!("at most {MAX_CHANGES} changes in one order")));
        }
        let (seen, by_hand) = (self.seen, self.addresses_by_hand);
        Ok(Basis { who, seen, source: Source::Entered, by_hand })
    }

    /// The text with these changes in it.
    pub(super) fn text(&self, current: &Current) -> Result<String, Refusal> {
        entered(&current.text, &self.changes)
    }
}

/// Changes that may name addresses by 'present'.
fn entered(text: &str, changes: &[Change]) -> Result<String, Refusal> {
    if !ha::is_named(changes) {
        // Settings that are wrong can be mended by what is entered.
        return edited(text, changes);
    }
    let settings = HaSettings::from(&check::read(text)?);
    let held = |name: &str| {
        live::held(name).map_err(|error| {
            let place = format!("interface.{name}.name");
            check::at(place, format!("asking for its addresses: {error}"))
        })
    };
    edited(text, &ha::resolve(changes, &settings, held)?)
}

fn edited(text: &str, changes: &[Change]) -> Result<String, Refusal> {
    edit(text, changes).map_err(|error| Refusal::invalid(error.to_string()))
}

async fn versions(State(shared): State<Shared>) -> Json<Vec<Version>> {
    Json(shared.node.ha().history.versions())
}

async fn restore(
    State(shared): State<Shared>,
    caller: Caller,
    body: Body<RestoreSettings>,
) -> Result<Json<Done>, Refusal> {
    let order = body.0;
    let old = old(&shared.node, &order)?;
    let basis = order.basis(caller.who);
    ha::change(&shared.node, basis, |current| restored(&old, current)).await.map(Json)
}

impl RestoreSettings {
    pub(super) fn basis(&self, who: String) -> Basis {
        let (seen, by_hand) = (self.seen, self.addresses_by_hand);
        Basis { who, seen, source: Source::Restored, by_hand }
    }
}

/// The text of the version that is put back.
pub(super) fn old(node: &Node, order: &RestoreSettings) -> Result<String, Refusal> {
    node.ha().history.text(order.version).map_err(ha::refuse)
}

/// The switch stays where it is: what is restored is what the pair is, not whether it runs.
/// Settings that are wrong now can be mended by a version from before.
pub(super) fn restored(old: &str, current: &Current) -> Result<String, Refusal> {
    let then = check::read(old)?.enabled;
    let now = check::read(&current.text).map_or(then, |pair| pair.enabled);
    let switch = Change::Set { key: "enabled".to_owned(), value: Value::Flag(now) };
    if then == now { Ok(old.to_owned()) } else { edited(old, &[switch]) }
}

async fn enable(
    State(shared): State<Shared>,
    caller: Caller,
    body: Body<TurnOn>,
) -> Result<Json<JobView>, Refusal> {
    turn::on(&shared.node, &caller.who, body.0).await.map(Json)
}

async fn disable(
    State(shared): State<Shared>,
    caller: Caller,
    body: Body<TurnOff>,
) -> Result<Json<JobView>, Refusal> {
    turn::off(&shared.node, &caller.who, body.0).map(Json)
}
