//! The report of one move of the role: the outage, its steps, what both nodes saw and did as a
//! picture of lanes and in words, and why it came so.

use askama::Template;
use axum::extract::{ConnectInfo, Path, State};
use axum::response::Response;

use super::events::{is_plain, way};
use super::moment::Moment;
use super::{Frame, Place, failed, shown};
use crate::agent::failovers::{Report, Row, beside, drawing, rows, served_us, span_us, without};
use crate::web::access::SignedIn;
use crate::web::listen::Ends;
use crate::web::state::Shared;

#[derive(Template)]
#[template(path = "events/failover.html")]
struct Page {
    page: Frame,
    report: Report,
    heading: String,
    ended: Moment,
    error: Option<String>,
    picture: String,
    /// What does not stand above it already.
    explained: Vec<String>,
    rows: Vec<Row>,
    served: f64,
}

impl Page {
    fn beside(&self, unix_us: &u64) -> String {
        beside(*unix_us, self.served)
    }

    fn span(&self, ms: &f64) -> String {
        span_us(ms * 1000.0)
    }
}

pub(super) async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Path(id): Path<String>,
) -> Response {
    if let Err(refusal) = is_plain(&id) {
        return failed(&refusal);
    }
    let report: Report = match console.agent.get(&format!("/api/v1/failovers/{id}")).await {
        Ok(report) => report,
        Err(refusal) => return failed(&refusal),
    };
    let page = Frame::inside("Failover report", Place::Events, &console, &person, ends).await;
    let summary = &report.summary;
    let kind = summary.kind.words();
    let heading = format!("{}{}: {}", kind[..1].to_uppercase(), &kind[1..], way(summary));
    let error = summary.outage.uncertainty_ms;
    shown(&Page {
        heading,
        ended: Moment::of(summary.ended_ms),
        error: (error > 0.0 && summary.outage.ms.is_some()).then(|| span_us(error * 1000.0)),
        picture: drawing(&report),
        explained: without(&report),
        rows: rows(&report),
        served: served_us(&report),
        report,
        page,
    })
}
