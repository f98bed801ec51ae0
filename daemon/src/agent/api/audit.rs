//! Every order is told in the audit log and in the system's: who, from where, what, and what
//! came of it; of one that begins a long operation also what became of that. And the routes of
//! the log. Of an order's body only what its route names is told, so that no secret gets in.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::Method as Verb;
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::caller::Caller;
use super::error::{Code, Refusal};
use super::request::Asked;
use super::route::{End, Method, Route};
use super::sync::Taken;
use super::{Shared, follow};
use crate::agent::accounts::check_name;
use crate::agent::audit::{Entry, Outcome, Page, SignIn, Which, Who};
use crate::agent::settings::Change;

/// Where the console tells of sign-ins. They are their own entries.
pub const SIGN_INS: &str = "/api/v1/audit/sign-ins";
/// Where the command tells of orders that it gave the guard.
pub const ORDERS: &str = "/api/v1/audit/orders";
/// How long an answer waits for the disk that shall take its entry: the role may have to move
/// while a disk hangs.
const DISK: Duration = Duration::from_secs(1);
/// Bytes of a body that are looked at.
const LOOKED_AT: usize = 64 << 10;
/// Characters that are told of a field.
const TOLD: usize = 200;
/// Longest answer to an order that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// What happened at a sign-in, as the console tells it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInNote {
    /// What.
    pub what: SignIn,
    /// The account; none where there is none of the name that was given.
    pub user: Option<String>,
    /// From which address.
    #[schemars(with = "String")]
    pub from: IpAddr,
    /// So many before it could not be told.
    #[serde(default)]
    pub missed: u32,
}

/// An order that the command gave the guard, which keeps no log.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardOrder {
    /// Which.
    pub order: GuardOrderWord,
}

/// Which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GuardOrderWord {
    /// Move the active role.
    Switchover,
    /// Out of service.
    MaintenanceOn,
    /// Into service.
    MaintenanceOff,
    /// Release held interfaces.
    ClearDamping,
    /// Read the settings again.
    Reload,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new::<Page>(
            (Method::Get, "/api/v1/audit"),
            ("audit", "Who changed what on this node, and who signed in, with what came of it"),
            get(read),
        )
        .asks::<Which>(),
        Route::new::<Taken>(
            (Method::Post, SIGN_INS),
            ("tell_sign_in", "The console tells of a sign-in; nobody else may"),
            post(tell_sign_in),
        )
        .takes::<SignInNote>(),
        Route::new::<Taken>(
            (Method::Post, ORDERS),
            ("tell_order", "The command gave this node's guard an order; only on the node itself"),
            post(tell_order),
        )
        .takes::<GuardOrder>()
        .tells(&["order"]),
    ]
}

async fn read(
    State(shared): State<Shared>,
    Asked(which): Asked<Which>,
) -> Result<Json<Page>, Refusal> {
    let audit = Arc::clone(shared.node.audit());
    let page = tokio::task::spawn_blocking(move || audit.read(&which)).await;
    page.map(Json).map_err(|error| Refusal::machine(format!("reading the audit log: {error}")))
}

async fn tell_sign_in(
    State(shared): State<Shared>,
    caller: Caller,
    body: super::Body<SignInNote>,
) -> Result<Json<Taken>, Refusal> {
    caller.must_be_the_console()?;
    let SignInNote { what, user, from, missed } = body.0;
    user.iter().try_for_each(|name| check_name("user", name))?;
    let user = user.unwrap_or_else(|| "unknown".to_owned());
    let who = Who { user, from: from.to_canonical().to_string() };
    let audit = Arc::clone(shared.node.audit());
    on_disk(move || audit.sign_in(what, who, missed, Instant::now())).await;
    Ok(Json(Taken { taken: true }))
}

/// The entry is that of the order to this route.
async fn tell_order(
    caller: Caller,
    _order: super::Body<GuardOrder>,
) -> Result<Json<Taken>, Refusal> {
    caller.must_be_local()?;
    Ok(Json(Taken { taken: true }))
}

/// What hangs is not waited for; it goes on by itself.
pub(super) async fn on_disk(work: impl FnOnce() + Send + 'static) {
    let _ = tokio::time::timeout(DISK, tokio::task::spawn_blocking(work)).await;
}

/// An order of the table.
struct Order {
    method: Verb,
    path: &'static str,
    summary: &'static str,
    tells: &'static [&'static str],
    end: End,
}

static TABLE: LazyLock<Vec<Order>> = LazyLock::new(|| {
    let orders = super::routes().into_iter().filter(|route| route.path != SIGN_INS);
    let order = |route: Route| {
        let method = match route.method {
            Method::Get => return None,
            Method::Post => Verb::POST,
            Method::Put => Verb::PUT,
            Method::Delete => Verb::DELETE,
        };
        let Route { path, summary, tells, end, .. } = route;
        Some(Order { method, path, summary, tells, end })
    };
    orders.filter_map(order).collect()
});

fn order_of(request: &Request) -> Option<&'static Order> {
    let path = request.uri().path();
    let fits = |order: &&Order| {
        let (mut wanted, mut given) = (order.path.split('/'), path.split('/'));
        order.method == *request.method()
            && loop {
                match (wanted.next(), given.next()) {
                    (None, None) => break true,
                    (Some(wanted), Some(given)) if wanted == given || wanted.starts_with('{') => {}
                    (_, _) => break false,
                }
            }
    };
    TABLE.iter().find(fits)
}

/// Tells of whatever may change something.
pub(super) async fn record(
    State(shared): State<Shared>,
    caller: Caller,
    request: Request,
    next: Next,
) -> Response {
    let Some(order) = order_of(&request) else { return next.run(request).await };
    let asked = format!("{} {}", request.method(), request.uri().path());
    let (request, seen) = watched(request, order.tells);
    let answer = read_whole(next.run(request).await).await;
    let text = told(order, &seen);
    let mut entry = Entry::of(caller.person(), text, Outcome::Done);
    entry.request = Some(asked.clone());
    if !answer.status().is_success() {
        entry.outcome = Outcome::Refused;
        entry.why = why(answer.body());
    } else if order.end != End::AtOnce {
        entry.outcome = Outcome::Begun;
        entry.job = job(answer.body()).filter(|_| order.end == End::Job);
    }
    let word = entry.outcome.word();
    eprintln!("twinwall agent: {}: {asked}: {word} ({})", caller.who, answer.status().as_u16());
    if entry.outcome == Outcome::Begun {
        follow::to_its_end(&shared.node, order.end, &seen.fields(), entry.clone());
    }
    let audit = Arc::clone(shared.node.audit());
    on_disk(move || audit.change(entry)).await;
    answer.map(Body::from)
}

/// What of a body goes by.
#[derive(Clone, Default)]
struct Seen {
    bytes: Arc<Mutex<Vec<u8>>>,
    tells: &'static [&'static str],
}

impl Seen {
    /// The fields that may be told.
    fn fields(&self) -> BTreeMap<&'static str, Value> {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let field = |name: &&'static str| Some((*name, body.get(*name)?.clone()));
        self.tells.iter().filter_map(field).filter(|(_, value)| !value.is_null()).collect()
    }
}

/// Looks at the body on its way, where something of it is told.
fn watched(request: Request, tells: &'static [&'static str]) -> (Request, Seen) {
    let seen = Seen { tells, ..Seen::default() };
    if tells.is_empty() {
        return (request, seen);
    }
    let kept = Arc::clone(&seen.bytes);
    let request = request.map(|body| {
        Body::new(body.map_frame(move |frame| {
            if let Some(part) = frame.data_ref() {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let room = LOOKED_AT.saturating_sub(kept.len());
                kept.extend_from_slice(&part[..part.len().min(room)]);
            }
            frame
        }))
    });
    (request, seen)
}

/// The order in words, with what is told of its body.
fn told(order: &Order, seen: &Seen) -> String {
    let fields: Vec<String> =
        seen.fields().iter().map(|(name, value)| format!("{name}: {}", in_short(value))).collect();
    match fields.as_slice() {
        [] => order.summary.to_owned(),
        fields => format!("{} ({})", order.summary, fields.join(", ")),
    }
}

fn in_short(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        // Settings are told as the command takes them.
        Value::Array(_) => match Vec::<Change>::deserialize(value) {
            Ok(changes) => changes.iter().map(Change::to_string).collect::<Vec<_>>().join(" "),
            Err(_) => value.to_string(),
        },
        Value::Number(number) => {
            number.as_f64().map_or_else(|| number.to_string(), |it| it.to_string())
        }
        Value::Null | Value::Bool(_) | Value::Object(_) => value.to_string(),
    };
    match text.char_indices().nth(TOLD) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// An answer to an order is short, and its end is near.
async fn read_whole(response: Response) -> axum::http::Response<axum::body::Bytes> {
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, MAX_ANSWER).await.unwrap_or_default();
    Response::from_parts(parts, Body::empty()).map(|_| bytes)
}

/// Why it was refused. What is wrong with a request in itself may quote it, and is not told.
fn why(answer: &[u8]) -> Option<String> {
    let refusal: Refusal = serde_json::from_slice(answer).ok()?;
    Some(match refusal.code {
        Code::Invalid | Code::TooLong => "the request was wrong in itself".to_owned(),
        Code::NotFound
        | Code::Forbidden
        | Code::Unauthenticated
        | Code::TooMany
        | Code::Conflict
        | Code::Unreachable
        | Code::Silent
        | Code::Machine => refusal.message,
    })
}

/// The number of the operation that began.
fn job(answer: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Numbered {
        id: u64,
    }
    serde_json::from_slice(answer).map(|Numbered { id }| id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_told_as_people_write_them() {
        let changes = serde_json::json!([
            { "change": "set", "key": "heartbeat.threshold", "value": 16.0 },
            { "change": "set", "key": "flows.protocols", "value": ["tcp", "udp"] },
            { "change": "add", "key": "interface.lan.virtual", "value": "10.1.0.1/24" },
            { "change": "remove_alert", "name": "noc" },
        ]);
        assert_eq!(
            in_short(&changes),
            "heartbeat.threshold=16 flows.protocols=tcp,udp interface.lan.virtual+=10.1.0.1/24 \
             without alert target noc"
        );
        for (value, told) in [
            (serde_json::json!(600.0), "600"),
            (serde_json::json!(["nat", "vpn"]), "[\"nat\",\"vpn\"]"),
            (serde_json::json!("push"), "push"),
        ] {
            assert_eq!(in_short(&value), told);
        }
    }
}
