//! The page for whoever looks for a cause: paths, counters, reasons in words, services, missing
//! protections, versions, and the support bundle.

use std::time::Duration;

use askama::Template;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use twinwall_core::api::Status;
use twinwall_core::explain::span;

use super::{Frame, Place, shown, snmp};
use crate::agent::accounts::Role;
use crate::agent::api::bundle::PATH as BUNDLE;
use crate::agent::api::error::Refusal;
use crate::agent::api::guard::Explained;
use crate::agent::api::snmp::STATE as SNMP;
use crate::agent::services::view::{Health, HealthView, Phase, ServiceView, ServicesView};
use crate::agent::snmp::view::SnmpState;
use crate::web::access::SignedIn;
use crate::web::listen::Ends;
use crate::web::state::Shared;

#[derive(Template)]
#[template(path = "diagnostics.html")]
struct Page {
    page: Frame,
    may_bundle: bool,
    status: Result<Status, Refusal>,
    explained: Vec<Explained>,
    services: Option<ServicesView>,
    /// How SNMP stands, drawn.
    snmp: String,
}

pub(super) async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
) -> Response {
    let agent = &console.agent;
    let (page, status, explained, services, snmp) = tokio::join!(
        Frame::inside("Diagnostics", Place::Diagnostics, &console, &person, ends),
        agent.get::<Status>("/api/v1/status"),
        agent.get::<Vec<Explained>>("/api/v1/explain"),
        agent.get::<ServicesView>("/api/v1/services"),
        agent.get::<SnmpState>(SNMP),
    );
    let (explained, services) = (explained.unwrap_or_default(), services.ok());
    let may_bundle = person.role == Role::Administrator;
    let snmp = snmp::draw(snmp.ok().as_ref());
    shown(&Page { page, may_bundle, status, explained, services, snmp })
}

impl Page {
    fn bundle(&self) -> &'static str {
        BUNDLE
    }

    /// Each counter with what it says.
    fn counters(&self, status: &Status) -> Vec<(String, String)> {
        let (snapshot, guard) = (&status.snapshot, &status.guard);
        let role = &snapshot.role;
        let fixed = [
            ("Heartbeat interval", span(snapshot.interval)),
            ("Detection time", span(snapshot.detection)),
            ("Worst lateness of a heartbeat", span(Duration::from_micros(guard.worst_late_us))),
            ("Epoch of the role", role.epoch.to_string()),
            ("Role held for", span(role.since)),
            ("Virtual IPs in the kernel", guard.addresses_present.to_string()),
            (
                "Changes of carrier read before the kernel told",
                guard.carriers_read_first.to_string(),
            ),
        ];
        let named = |(name, value): (&str, String)| (name.to_owned(), value);
        let mut all: Vec<(String, String)> = fixed.into_iter().map(named).collect();
        all.extend(snapshot.paths.iter().map(|path| {
            (format!("Heartbeats heard on {}", path.interface), path.heard.to_string())
        }));
        all.extend(role.lease.map(|left| ("Lease left".to_owned(), span(left))));
        all
    }

    fn span(&self, left: &std::time::Duration) -> String {
        span(*left)
    }

    fn phase(&self, service: &ServiceView) -> (&'static str, String) {
        match &service.phase {
            Phase::Unknown => ("unknown", "not looked at yet".to_owned()),
            Phase::Stopped => ("calm", "stopped".to_owned()),
            Phase::Running => ("good", "running".to_owned()),
            Phase::Failed { why } => ("bad", format!("failed: {why}")),
            Phase::LeftAlone { why } => ("unknown", format!("left alone: {why}")),
        }
    }

    fn health(&self, check: &HealthView) -> (&'static str, String) {
        let class = match &check.health {
            Health::Unknown | Health::LeftOut { .. } => "unknown",
            Health::Good => "good",
            Health::Doubtful { .. } | Health::Recovering { .. } => "warn",
            Health::Failed { .. } => "bad",
            Health::Resting => "calm",
        };
        let why = match &check.health {
            Health::Doubtful { why }
            | Health::Failed { why }
            | Health::Recovering { why }
            | Health::LeftOut { why } => format!(": {why}"),
            Health::Unknown | Health::Good | Health::Resting => String::new(),
        };
        (class, format!("{}{why}", check.health.words()))
    }
}
