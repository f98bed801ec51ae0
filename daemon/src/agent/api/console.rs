//! The route from which the console learns where to listen: it may not read the settings.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::route::{Method, Route};

/// What the settings say to the console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsoleView {
    /// This node's name.
    pub node: Option<String>,
    /// Addresses with ports; empty for every own address.
    #[schemars(with = "Vec<String>")]
    pub listen: Vec<SocketAddr>,
    /// The interface on which it serves nobody.
    pub ha_link: Option<String>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![Route::new::<ConsoleView>(
        (Method::Get, "/api/v1/console"),
        ("console", "Where the console listens"),
        get(console),
    )]
}

async fn console(State(shared): State<Shared>) -> Json<ConsoleView> {
    let settings = shared.node.settings();
    let node = settings.node.as_ref();
    Json(ConsoleView {
        node: Some(settings.name.clone()),
        listen: node.map(|node| node.web_listen.clone()).unwrap_or_default(),
        ha_link: settings.pair.as_ref().map(|pair| pair.ha_link.interface.clone()),
    })
}
