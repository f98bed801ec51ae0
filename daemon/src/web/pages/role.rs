//! The page of the role: move it, or take this node out of service for a time. What follows is
//! said before, and what came of it after.

use std::time::{Duration, Instant};

use askama::Template;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use twinwall_core::api::Status;
use twinwall_core::explain::span;

use super::access::Nothing;
use super::events::way;
use super::moment::Moment;
use super::{Frame, Place, settled, shown, words};
use crate::agent::api::error::Refusal;
use crate::agent::api::guard::Maintenance;
use crate::agent::api::sync::Taken;
use crate::agent::dashboard::{Dashboard, NodeView, StatusWord};
use crate::agent::failovers::{Kind, Report};
use crate::agent::flows::view::{FlowsView, Part};
use crate::agent::readiness::{Reason, Severity};
use crate::web::access::SignedIn;
use crate::web::hub::Viewer;
use crate::web::listen::Ends;
use crate::web::request::{Posted, number};
use crate::web::state::{Console, Shared};

/// How connections stand.
const FLOWS: &str = "/api/v1/flows";
/// How long a page waits for the roles to be as they should be.
const WAITS: Duration = Duration::from_secs(15);
/// Reports in which the last move is looked for: starts of a node alone are none.
const LOOKED_AT: usize = 10;
/// For how long maintenance can be turned on here, in minutes and words.
const TIMES: [(u32, &str); 5] =
    [(30, "30 minutes"), (120, "2 hours"), (480, "8 hours"), (1440, "a day"), (10080, "a week")];

#[derive(Template)]
#[template(path = "role.html")]
struct Page {
    page: Frame,
    here: String,
    there: String,
    /// None while nobody knows how the pair is.
    roles: Option<Roles>,
    /// What is left of maintenance on this node.
    left: Option<String>,
    last: Option<LastMove>,
    /// What a move means for connections.
    connections: String,
}

/// The last move of the role, as it was measured.
struct LastMove {
    ended: Moment,
    way: String,
    report: Report,
}

/// How the pair stands to a move.
struct Roles {
    rows: Vec<(String, &'static str, &'static str, &'static str)>,
    move_to: Move,
    against: Vec<Reason>,
    detection: String,
    differs: Vec<String>,
    is_active: bool,
}

/// Whether the role can be moved from here.
enum Move {
    /// This node is active.
    Possible,
    /// The other one is, and its console is where to order it.
    Elsewhere,
    /// High availability is off, or nobody is active.
    None(&'static str),
}

#[derive(Deserialize)]
pub(super) struct Lasts {
    #[serde(deserialize_with = "number")]
    minutes: u32,
}

pub(super) async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
) -> Response {
    let page = Frame::inside("Role", Place::Role, &console, &person, ends).await;
    let (status, last, flows) = tokio::join!(
        console.agent.get::<Status>("/api/v1/status"),
        last_move(&console),
        console.agent.get::<FlowsView>(FLOWS),
    );
    let left = status.ok().and_then(|status| status.snapshot.own.maintenance).map(span);
    let name = |view: Option<&NodeView>, otherwise: &str| {
        view.and_then(|view| view.name.clone()).unwrap_or_else(|| otherwise.to_owned())
    };
    let pair = page.pair();
    let here = name(pair.map(|pair| &pair.here), "this node");
    let there = name(pair.and_then(|pair| pair.there.as_ref()), "the other node");
    let roles = pair.map(Roles::of);
    let connections = connections(flows.ok().as_ref());
    shown(&Page { here, there, roles, left, last, connections, page })
}

/// What a move means for connections, as far as this node knows.
fn connections(view: Option<&FlowsView>) -> String {
    let replicated = view.filter(|view| view.now.part == Part::Source);
    let Some(view) = replicated else {
        return "Connections whose state is kept on the gateway (NAT, stateful rules) may have to \
                be made anew: they are not replicated."
            .to_owned();
    };
    view.before_a_move().unwrap_or_else(|| format!("Connections go on. {}", view.sentence()))
}

/// None before the role ever moved, as far as is known here.
async fn last_move(console: &Console) -> Option<LastMove> {
    let path = format!("/api/v1/failovers?last={LOOKED_AT}");
    let reports: Vec<Report> = console.agent.get(&path).await.ok()?;
    let report = reports.into_iter().find(|report| report.summary.kind != Kind::Start)?;
    let (ended, way) = (Moment::of(report.summary.ended_ms), way(&report.summary));
    Some(LastMove { ended, way, report })
}

impl Page {
    fn times(&self) -> [(u32, &'static str); 5] {
        TIMES
    }
}

impl Roles {
    fn of(pair: &Dashboard) -> Roles {
        let active = |node: &NodeView| node.status == StatusWord::Active;
        let there = pair.there.as_ref();
        let move_to = match (pair.enabled, active(&pair.here), there.is_some_and(active)) {
            (false, _, _) => Move::None("High availability is off; there is no role to move."),
            (true, true, _) => Move::Possible,
            (true, false, true) => Move::Elsewhere,
            (true, false, false) => Move::None("No node is active at the moment."),
        };
        let row = |node: &NodeView| {
            let status = node.status;
            let name = node.name.clone().unwrap_or_else(|| "The other node".to_owned());
            (name, status.words(), words::state_class(status), words::icon(status))
        };
        let detection = pair.heartbeat.as_ref().map_or(0.0, |beat| beat.detection_s);
        let readiness = pair.readiness.as_ref();
        Roles {
            rows: std::iter::once(&pair.here).chain(there).map(row).collect(),
            move_to,
            against: readiness.map(|it| it.against.clone()).unwrap_or_default(),
            detection: span(Duration::from_secs_f64(detection.clamp(0.0, 1e6))),
            differs: super::dashboard::different_titles(pair),
            is_active: active(&pair.here),
        }
    }

    fn is_blocked(&self) -> bool {
        self.against.iter().any(|reason| reason.severity == Severity::Blocks)
    }
}

pub(super) async fn switchover(State(console): State<Shared>, posted: Posted<Nothing>) -> Response {
    let Posted { person, fields: Nothing {} } = posted;
    let mut viewer = console.hub.view().await;
    let went = async {
        let path = "/api/v1/switchover";
        console.agent.post::<Taken>(path, &json!({}), &person.name()).await?;
        let moved = |pair: &Dashboard| {
            let there = pair.there.as_ref().map(|node| node.status);
            pair.here.status != StatusWord::Active && there == Some(StatusWord::Active)
        };
        match seen(&mut viewer, moved).await {
            Some(pair) => Ok(format!("The role has moved. {}", words::serving(&pair))),
            None => Err(Refusal::conflict(not_moved(&console).await)),
        }
    };
    let went = went.await;
    settled(&console, &person, "/role", went)
}

/// Why the role has not moved yet.
async fn not_moved(console: &Console) -> String {
    let flows = console.agent.get::<FlowsView>(FLOWS).await.ok();
    let why = flows.and_then(|view| view.before_a_move()).unwrap_or_else(|| {
        "The other node was not ready in time, or took it and gave it back. The events say which."
            .to_owned()
    });
    format!("The order was taken, and the role has not moved yet. {why}")
}

pub(super) async fn maintenance_on(
    State(console): State<Shared>,
    posted: Posted<Lasts>,
) -> Response {
    let Posted { person, fields: Lasts { minutes } } = posted;
    let mut viewer = console.hub.view().await;
    let went = async {
        let order = Maintenance { lasts_s: f64::from(minutes) * 60.0 };
        console.agent.post::<Taken>("/api/v1/maintenance", &order, &person.name()).await?;
        let there = |pair: &Dashboard| pair.here.status == StatusWord::Maintenance;
        let time = span(Duration::from_secs(u64::from(minutes) * 60));
        Ok(match seen(&mut viewer, there).await {
            Some(pair) => format!(
                "{} is in maintenance, for {time} at the most. {}",
                pair.here.name.as_deref().unwrap_or("This node"),
                words::serving(&pair)
            ),
            None => format!(
                "Maintenance is on for {time}; this node hands the role over first, and has not \
                 done so yet."
            ),
        })
    };
    let went = went.await;
    settled(&console, &person, "/role", went)
}

pub(super) async fn maintenance_off(
    State(console): State<Shared>,
    posted: Posted<Nothing>,
) -> Response {
    let Posted { person, fields: Nothing {} } = posted;
    let mut viewer = console.hub.view().await;
    let went = async {
        console.agent.delete::<Taken>("/api/v1/maintenance", &person.name()).await?;
        let back = |pair: &Dashboard| pair.here.status != StatusWord::Maintenance;
        let pair = seen(&mut viewer, back).await;
        let now = pair.map(|pair| words::serving(&pair)).unwrap_or_default();
        Ok(format!("Maintenance has ended; this node may serve again. {now}"))
    };
    let went = went.await;
    settled(&console, &person, "/role", went)
}

/// The pair as soon as it is so; none when that takes too long.
async fn seen(
    viewer: &mut Viewer,
    is_so: impl Fn(&Dashboard) -> bool,
) -> Option<std::sync::Arc<Dashboard>> {
    let until = Instant::now() + WAITS;
    let mut now = viewer.now().await;
    loop {
        if let Some(Ok(pair)) = now.state
            && is_so(&pair)
        {
            return Some(pair);
        }
        let left = until.saturating_duration_since(Instant::now());
        now = tokio::time::timeout(left, viewer.next()).await.ok()??;
    }
}
