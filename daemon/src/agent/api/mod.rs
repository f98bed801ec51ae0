//! The agent's API: HTTP/1.1 with JSON over a Unix socket. The command is its first
//! client, the console the second. It changes nothing itself; each route asks the part
//! of the agent that does.

pub mod accounts;
pub mod alerts;
pub mod audit;
pub mod bundle;
pub mod caller;
pub mod conditions;
pub mod console;
pub mod dashboard;
pub mod error;
pub mod failover_test;
pub mod failovers;
mod flows;
mod follow;
pub mod guard;
pub mod ha;
pub mod jobs;
mod leases;
pub mod logs;
pub mod metrics;
pub mod pairing;
pub mod preflight;
pub mod readiness;
mod reports;
mod request;
pub mod route;
pub mod server;
pub mod services;
pub mod settings;
pub mod snmp;
pub mod sync;
#[cfg(test)]
mod tests;

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::{UnixListener, UnixStream};

use super::accounts::Role;
use super::node::Node;
use super::tree::{Root, group_number};
use error::Refusal;
pub(crate) use request::{Body, MAX_BODY};
use route::Route;

/// Who may connect beside root, where the machine has such a group.
pub(crate) const GROUP: &str = "twinwall";

/// How long a request waits for settings that are being read: a section that is being changed
/// is changed to its end before.
const SETTLES: Duration = Duration::from_secs(10);
/// Where the document lies; it is answered whatever else goes on, so that who waits for another
/// answer can see that somebody is there.
pub const DOCUMENT: &str = "/api/v1/openapi.json";
/// How long a client waits for an answer: the longest are validators of a whole section, asked
/// for while somebody waits.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// After so long without a word a client asks for the document, to see whether the agent is
/// there at all.
pub const WONDER: Duration = Duration::from_secs(10);
/// How long the agent has to say so.
pub const ALIVE: Duration = Duration::from_secs(3);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// What the routes ask.
#[derive(Clone)]
pub struct Shared {
    /// The agent.
    pub node: Arc<Node>,
}

fn routes() -> Vec<Route> {
    let all = [
        accounts::routes(),
        alerts::routes(),
        audit::routes(),
        bundle::routes(),
        conditions::routes(),
        console::routes(),
        dashboard::routes(),
        failover_test::routes(),
        failovers::routes(),
        flows::routes(),
        guard::routes(),
        ha::routes(),
        settings::routes(),
        sync::routes(),
        jobs::routes(),
        leases::routes(),
        logs::routes(),
        metrics::routes(),
        pairing::routes(),
        preflight::routes(),
        readiness::routes(),
        reports::routes(),
        services::routes(),
        snmp::routes(),
    ];
    all.into_iter().flatten().collect()
}

/// Every route with the least role for which the console asks it.
pub fn access() -> Vec<(route::Method, &'static str, Role)> {
    routes().into_iter().map(|route| (route.method, route.path, route.least)).collect()
}

/// The OpenAPI document.
pub fn openapi() -> serde_json::Value {
    route::document(&routes())
}

/// The page `docs/reference/api.md`.
pub fn reference() -> String {
    route::page(&routes())
}

/// Everything that is served.
pub fn router(shared: Shared) -> Router {
    route::router(routes())
        .route(DOCUMENT, get(async || Json(openapi())))
        .method_not_allowed_fallback(other_method)
        .fallback(async || Refusal::not_found("no such path; GET /api/v1/openapi.json lists all"))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(shared.clone(), settled))
        .layer(middleware::from_fn_with_state(shared.clone(), audit::record))
        .layer(middleware::from_fn(snmp::fence))
        .with_state(shared)
}

/// What the path does allow stands in the answer's head (RFC 9110, section 15.5.6).
async fn other_method() -> Response {
    let text = "this path takes another method; GET /api/v1/openapi.json lists all";
    (StatusCode::METHOD_NOT_ALLOWED, Json(Refusal::invalid(text))).into_response()
}

/// While settings are read again there is no engine for a moment. A request that comes then
/// waits for it, rather than to be refused.
async fn settled(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let until = Instant::now() + SETTLES;
    let waits = request.uri().path() != DOCUMENT;
    while waits && shared.node.engine().is_err() && Instant::now() < until {
        tokio::time::sleep(LOOK).await;
    }
    next.run(request).await
}

/// Opens the socket; nobody but its owner and group can connect.
///
/// # Errors
/// When the place cannot be written, or another agent listens there.
pub async fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if UnixStream::connect(path).await.is_ok() {
        let text = "another agent listens here; stop it first";
        return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
    }
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    if rustix::process::geteuid().is_root() {
        let machine = Root::open(Path::new("/"))?;
        std::os::unix::fs::chown(path, None, group_number(&machine, GROUP)?)?;
    }
    Ok(listener)
}
