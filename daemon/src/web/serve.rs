//! The console's process: gives up its rights, asks the agent where to listen, opens the
//! sockets, and serves until it is told to stop. Called by `twinwall web`.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use super::certificate::Certificate;
use super::connections::Connections;
use super::listen::{Ends, Serving, accept, bind};
use super::privilege::drop_to_own_user;
use super::rate::{Rate, visitor};
use super::state::{Console, Shared};
use super::{PORT, api, assets, body, headers, pages, worded};
use crate::agent::api::console::ConsoleView;
use crate::agent::api::error::{Code, Refusal};
use crate::agent::netconf::live;

/// Threads that answer; comparing passwords has one of its own.
const WORKERS: usize = 2;
/// Threads for what waits.
const BLOCKING: usize = 4;
/// Blocks from this size on, in bytes, are the system's again when they are freed.
#[cfg(target_env = "gnu")]
const LARGE_BLOCK: libc::c_int = 256 << 10;
/// Between two questions to the agent where to listen.
const ASK: Duration = Duration::from_secs(5);
/// While it was never answered.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// Requests of one visitor: so many at once, then one each twenty milliseconds.
const REQUESTS: (u32, Duration) = (300, Duration::from_millis(20));

/// Why the console ended: the system's error and what was being done.
#[derive(Debug)]
pub struct ServeError(pub &'static str, pub io::Error);

impl std::fmt::Display for ServeError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}: {}", self.0, self.1)
    }
}

impl std::error::Error for ServeError {}

/// Runs the console of the node below `root` until SIGTERM or SIGINT; `ready` is called once
/// it listens.
///
/// # Errors
/// When it cannot give up its rights, has no certificate, or cannot listen anywhere.
pub fn serve(root: &Path, ready: impl FnOnce()) -> Result<(), ServeError> {
    let io = |doing| move |error| ServeError(doing, error);
    give_memory_back();
    drop_to_own_user(root).map_err(io("giving up root's rights"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING)
        .enable_all()
        .build()
        .map_err(io("starting threads"))?;
    runtime.block_on(async {
        let mut stop = signal(SignalKind::terminate()).map_err(io("waiting for signals"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(io("waiting for signals"))?;
        tokio::select! {
            ended = run(root, ready) => ended,
            _ = stop.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    })
}

/// What is freed goes back to the system. Else the allocator learns from the first comparison of
/// a password that blocks of 9 MiB come and go, and keeps that much for the next one; and each
/// thread has an arena of its own, which keeps what its largest answer took.
fn give_memory_back() {
    #[cfg(target_env = "gnu")]
    for (what, value) in [
        (libc::M_ARENA_MAX, 1),
        (libc::M_MMAP_THRESHOLD, LARGE_BLOCK),
        (libc::M_TRIM_THRESHOLD, LARGE_BLOCK),
    ] {
        // SAFETY: numbers alone, and no other thread runs yet.
        unsafe { libc::mallopt(what, value) };
    }
}

async fn run(root: &Path, ready: impl FnOnce()) -> Result<(), ServeError> {
    let console = Console::below(root);
    let mut view = told(&console).await;
    let names: Vec<String> = view.node.iter().filter(|name| is_host_name(name)).cloned().collect();
    let certificate = Certificate::load(root, &names, &own_addresses(view.ha_link.as_deref()))
        .map_err(|error| ServeError("reading the certificate", error))?;
    let tls = certificate
        .tls()
        .map_err(|error| ServeError("preparing TLS", io::Error::other(error.to_string())))?;
    tokio::spawn(Arc::clone(&certificate).keep());
    let serving = Serving {
        router: router(Arc::clone(&console)),
        tls: Arc::new(tls),
        connections: Connections::default(),
        ha_link: Arc::default(),
    };
    serving.ha_link.set(view.ha_link.clone());
    let mut listening = listen(&view, &serving)?;
    ready();
    loop {
        tokio::time::sleep(ASK).await;
        // While the agent is away everything stays as it is.
        let Ok(now) = console.agent.get::<ConsoleView>(PATH).await else { continue };
        if now == view {
            continue;
        }
        serving.ha_link.set(now.ha_link.clone());
        if now.listen != view.listen {
            listening.iter().for_each(JoinHandle::abort);
            for old in listening {
                // It was told to end just now.
                let _ = old.await;
            }
            listening = listen(&now, &serving)?;
        }
        view = now;
    }
}

const PATH: &str = "/api/v1/console";

/// What the agent says, as soon as it says something.
async fn told(console: &Shared) -> ConsoleView {
    let mut said = false;
    loop {
        match console.agent.get(PATH).await {
            Ok(view) => return view,
            Err(refusal) if !said => {
                eprintln!("twinwall web: waiting: {refusal}");
                said = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Opens all sockets. One address that cannot be had is told, all of them end the console.
fn listen(view: &ConsoleView, serving: &Serving) -> Result<Vec<JoinHandle<()>>, ServeError> {
    let everywhere = || SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT));
    let mut wanted: Vec<SocketAddr> = view.listen.clone();
    if wanted.is_empty() {
        wanted.push(everywhere());
    }
    let mut listening = Vec::new();
    let mut last = None;
    for address in wanted {
        match bind(address) {
            Ok(listener) => {
                eprintln!("twinwall web: listening on {address}");
                listening.push(tokio::spawn(accept(listener, serving.clone())));
            }
            Err(error) => {
                eprintln!("twinwall web: {address}: {error}");
                last = Some(error);
            }
        }
    }
    match (listening.is_empty(), last) {
        (true, Some(error)) => Err(ServeError("listening", error)),
        (_, _) => Ok(listening),
    }
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

/// Those under which a browser may reach this node.
fn own_addresses(ha_link: Option<&str>) -> Vec<IpAddr> {
    let interfaces = live::interfaces().unwrap_or_default();
    let others = interfaces.iter().filter(|name| Some(name.as_str()) != ha_link);
    let held = others.flat_map(|name| live::held(name).unwrap_or_default());
    let addresses = held.map(|prefix| prefix.address);
    addresses.filter(|it| !matches!(it, IpAddr::V6(six) if six.is_unicast_link_local())).collect()
}

/// Everything that is served.
pub(super) fn router(console: Shared) -> Router {
    let rate = Arc::new(Rate::new(REQUESTS.0, REQUESTS.1));
    let limited = middleware::from_fn_with_state(rate, limit);
    Router::new()
        .merge(pages::router())
        .merge(api::router())
        .merge(assets::router())
        .fallback(pages::missing)
        .method_not_allowed_fallback(other_method)
        .layer(limited)
        .layer(middleware::from_fn(body::first))
        .layer(middleware::from_fn(worded::head))
        .layer(middleware::from_fn(headers::add))
        .with_state(console)
}

/// What the address does allow stands in the answer's head (RFC 9110, section 15.5.6).
async fn other_method(uri: Uri) -> Response {
    let text = "this path takes another method; GET /api/v1/openapi.json lists all";
    let mut response = body::refused(&uri, Refusal::invalid(text));
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// Turns a visitor away who asks for more than a person or an honest program does.
async fn limit(
    State(rate): State<Arc<Rate<IpAddr>>>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    request: Request,
    next: Next,
) -> Response {
    match rate.take(&visitor(ends.visitor), std::time::Instant::now()) {
        Ok(()) => next.run(request).await,
        Err(_) => turned_away(request.uri()),
    }
}

/// What programs read who ask too often, made once: who floods gets it thousands of times.
static TURNED_AWAY: LazyLock<String> = LazyLock::new(|| {
    let refusal = Refusal::new(Code::TooMany, TOO_MANY);
    serde_json::to_string(&refusal).expect("two texts are JSON")
});
/// What people read.
const TOO_MANY: &str = "too many requests; wait a moment";

fn turned_away(uri: &Uri) -> Response {
    let (form, text) = match body::is_api(uri) {
        true => ("application/json", TURNED_AWAY.as_str()),
        false => ("text/plain; charset=utf-8", TOO_MANY),
    };
    let head = [(header::CONTENT_TYPE, form), (header::RETRY_AFTER, "1")];
    (StatusCode::TOO_MANY_REQUESTS, head, text).into_response()
}
