//! Routes of SNMP: how it stands, for people; and what the process `twinwall snmp` asks, the
//! only routes that its user may use.

use axum::Json;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::caller::Connection;
use super::error::Refusal;
use super::request::Asked;
use super::route::{Method, Route};
use crate::agent::accounts::Role;
use crate::agent::snmp::value::Oid;
use crate::agent::snmp::view::{Answered, Ask, Done, News, SnmpState, SnmpView, Which};
use crate::agent::snmp::{agentx, ask, news, values};

/// The user as whom the process runs, where this machine has one.
pub const SNMP_USER: &str = "twinwall-snmp";
/// How it stands.
pub const STATE: &str = "/api/v1/snmp";
/// All that the objects are made of.
pub const VALUES: &str = "/api/v1/snmp/values";
/// What the process has to know at all times.
pub const NEWS: &str = "/api/v1/snmp/news";
/// Questions to the SNMP agent of one of the nodes.
pub const ASK: &str = "/api/v1/snmp/ask";
/// Where snmpd waits.
pub const SOCKET: &str = "/api/v1/snmp/socket";

/// Where snmpd waits for subagents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Socket {
    /// The path of its socket.
    pub path: String,
}

/// A question for the SNMP agent of one of the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Which node.
    pub node: Which,
    /// The names whose values are asked for, with commas between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub get: Option<String>,
    /// The name after which to go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Oid>,
    /// How many of what comes after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetitions: Option<u16>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<SnmpState>(
            (Method::Get, STATE),
            ("snmp", "How SNMP stands on this node: its file at snmpd, its contexts, what to do"),
            get(state),
        )
        .least(Role::Viewer),
        Route::new::<SnmpView>(
            (Method::Get, VALUES),
            ("snmp_values", "All that the objects of TWINWALL-MIB are made of"),
            get(all),
        ),
        Route::new::<News>(
            (Method::Get, NEWS),
            ("snmp_news", "Contexts and new notices, for the process that speaks with snmpd"),
            get(hear),
        )
        .asks::<Done>(),
        Route::new::<Answered>(
            (Method::Get, ASK),
            ("snmp_ask", "Ask the SNMP agent of one of the nodes, read-only"),
            get(question),
        )
        .asks::<Question>(),
        Route::new::<Socket>(
            (Method::Get, SOCKET),
            ("snmp_socket", "Where snmpd of this node waits for subagents (AgentX)"),
            get(socket),
        ),
    ]
}

async fn state(State(shared): State<Shared>) -> Json<SnmpState> {
    Json(shared.node.snmp().state())
}

async fn all(State(shared): State<Shared>) -> Json<SnmpView> {
    Json(values(&shared.node).await)
}

async fn hear(State(shared): State<Shared>, Asked(done): Asked<Done>) -> Json<News> {
    Json(news(&shared.node, done))
}

async fn question(
    State(shared): State<Shared>,
    Asked(question): Asked<Question>,
) -> Result<Json<Answered>, Refusal> {
    let names = question.get.iter().flat_map(|all| all.split(',')).filter(|name| !name.is_empty());
    let get: Result<Vec<Oid>, String> = names.map(str::parse).collect();
    let get = get.map_err(Refusal::invalid)?;
    let repetitions = question.repetitions.unwrap_or(1);
    let asked = Ask { get, after: question.after, repetitions };
    ask(&shared.node, question.node, asked).await.map(Json)
}

async fn socket(State(shared): State<Shared>) -> Result<Json<Socket>, Refusal> {
    let root = shared.node.root().to_owned();
    let read = tokio::task::spawn_blocking(move || agentx(&root)).await;
    let path = read.map_err(|error| Refusal::machine(format!("reading snmpd.conf: {error}")))?;
    Ok(Json(Socket { path: path.display().to_string() }))
}

/// The process that speaks with snmpd asks for what it needs, and for nothing else: whoever
/// breaks into it has no more than what a manager may see.
pub(super) async fn fence(request: Request, next: Next) -> Response {
    let connection = request.extensions().get::<ConnectInfo<Connection>>();
    let is_snmp = connection.is_some_and(|ConnectInfo(it)| it.is_of(SNMP_USER));
    if is_snmp && !request.uri().path().starts_with(STATE) {
        return Refusal::forbidden("this user may ask for SNMP alone").into_response();
    }
    next.run(request).await
}
