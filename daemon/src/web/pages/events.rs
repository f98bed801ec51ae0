//! Events of both nodes, the newest first, with filters and pages; and the list of failover
//! reports, each of which has a page of its own.

use std::sync::Arc;

use askama::Template;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::dashboard::Fragment;
use super::moment::Moment;
use super::{Frame, Page as Address, Place, failed, failover, live, of, shown};
use crate::agent::accounts::Role;
use crate::agent::api::error::Refusal;
use crate::agent::failovers::{EventKind, Report, Summary, Told, TwoNodes, Whose};
use crate::web::access::SignedIn;
use crate::web::hub::Seen;
use crate::web::listen::Ends;
use crate::web::state::Shared;

/// Events on a page.
const PAGE: usize = 50;
/// Reports on the page.
const REPORTS: usize = 10;
/// The other node's events are asked for every few seconds; older than this is told.
const LATE_MS: u64 = 60_000;

/// The events' pages.
pub(super) fn pages() -> Vec<Address> {
    vec![
        of(Role::Viewer, "/events", get(page)),
        of(Role::Viewer, "/events/live", get(news)),
        of(Role::Viewer, "/failovers/{id}", get(failover::page)),
    ]
}

/// What stands behind the question mark; what is empty or unknown filters nothing.
#[derive(Debug, Default, Deserialize)]
struct Filter {
    #[serde(default)]
    node: String,
    #[serde(default)]
    kind: String,
    before: Option<u64>,
}

impl Filter {
    fn node(&self) -> Option<&'static str> {
        ["here", "there"].into_iter().find(|word| *word == self.node)
    }

    fn kind(&self) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.id() == self.kind)
    }

    /// The words behind the question mark, without a page.
    fn query(&self) -> String {
        let node = self.node().map(|node| format!("&node={node}")).unwrap_or_default();
        let kind = self.kind().map(|kind| format!("&kind={}", kind.id())).unwrap_or_default();
        node + &kind
    }
}

#[derive(Template)]
#[template(path = "events/page.html")]
struct Page {
    page: Frame,
    reports: Vec<MoveRow>,
    nodes: Vec<(&'static str, String, bool)>,
    kinds: Vec<(&'static str, &'static str, bool)>,
    /// What is said where the other node's events may be missing.
    apart: Option<String>,
    rows: Vec<Row>,
    older: Option<String>,
    newest: String,
    is_paged: bool,
    /// Number of this node's newest event when the page was made.
    seen: u64,
}

struct MoveRow {
    ended: Moment,
    way: String,
    complete: bool,
    summary: Summary,
}

struct Row {
    moment: Moment,
    node: String,
    kind: &'static str,
    text: String,
}

/// Who served before and then, in a few characters.
pub(super) fn way(summary: &Summary) -> String {
    match summary.from.as_ref().filter(|from| **from != summary.to) {
        Some(from) => format!("{from} → {}", summary.to),
        None => summary.to.clone(),
    }
}

async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Query(filter): Query<Filter>,
) -> Response {
    let before = filter.before.map(|us| format!("&before_us={us}")).unwrap_or_default();
    let path = format!("/api/v1/timeline?last={PAGE}{}{before}", filter.query());
    let reports = format!("/api/v1/failovers?last={REPORTS}");
    let (told, reports) = tokio::join!(
        console.agent.get::<TwoNodes>(&path),
        console.agent.get::<Vec<Report>>(&reports)
    );
    let both = told.and_then(|told| Ok((told, reports?)));
    let (told, reports): (TwoNodes, Vec<Report>) = match both {
        Ok(both) => both,
        Err(refusal) => return failed(&refusal),
    };
    let page = Frame::inside("Events", Place::Events, &console, &person, ends).await;
    let seen = page.pair().and_then(|pair| pair.events.last()).map_or(0, |event| event.number);
    let now_ms = page.pair().map_or(0, |pair| pair.at_ms);
    let last = told.events.last().map(|event| event.unix_us).filter(|_| told.older);
    shown(&Page {
        reports: reports.into_iter().map(move_row).collect(),
        nodes: nodes(&told, &filter),
        kinds: EventKind::ALL.map(|it| (it.id(), it.words(), filter.kind() == Some(it))).into(),
        apart: apart(&told, now_ms),
        older: last.map(|us| format!("/events?before={us}{}", filter.query())),
        newest: format!("/events?{}", filter.query().trim_start_matches('&')),
        is_paged: filter.before.is_some(),
        rows: told.events.iter().map(|event| row(&told, event)).collect(),
        seen,
        page,
    })
}

fn move_row(report: Report) -> MoveRow {
    MoveRow {
        ended: Moment::of(report.summary.ended_ms),
        way: way(&report.summary),
        complete: report.complete,
        summary: report.summary,
    }
}

fn nodes(told: &TwoNodes, filter: &Filter) -> Vec<(&'static str, String, bool)> {
    let there = told.there.clone().unwrap_or_else(|| "the other node".to_owned());
    [("here", told.here.clone()), ("there", there)]
        .map(|(word, name)| (word, name, filter.node() == Some(word)))
        .into()
}

fn row(told: &TwoNodes, event: &Told) -> Row {
    let there = || told.there.clone().unwrap_or_else(|| "the other node".to_owned());
    Row {
        moment: Moment::of(event.unix_us / 1000),
        node: match event.node {
            Whose::Here => told.here.clone(),
            Whose::There => there(),
        },
        kind: event.kind.words(),
        text: event.text.clone(),
    }
}

/// Whether the other node's newest events may be missing.
fn apart(told: &TwoNodes, now_ms: u64) -> Option<String> {
    let there = told.there.as_deref().unwrap_or("the other node");
    match told.there_until_ms {
        Some(until) if now_ms.saturating_sub(until) <= LATE_MS => None,
        Some(until) => Some(format!(
            "{there} cannot be reached: its events are known until {}.",
            Moment::of(until).text
        )),
        None => {
            Some(format!("{there} was not reached yet: what is here of it is what it said before."))
        }
    }
}

/// What the page was made with.
#[derive(Debug, Default, Deserialize)]
struct Known {
    #[serde(default)]
    seen: u64,
}

#[derive(Template)]
#[template(path = "events/news.html")]
struct News {}

/// Says that there is more than the page shows, and leaves it as it is: nobody reads a list
/// that moves.
async fn news(
    State(console): State<Shared>,
    Query(known): Query<Known>,
    request: Request,
) -> Response {
    live::stream(console, request, move |_| {
        Box::new(move |seen: &Seen| {
            let newest = match &seen.state {
                Some(Ok(pair)) => pair.events.last().map(|event| event.number),
                Some(Err(_)) | None => None,
            };
            let is_new = newest.is_some_and(|newest| newest != known.seen);
            let html = if is_new { News {}.render().unwrap_or_default() } else { String::new() };
            Arc::new(vec![Fragment { id: "events-news", html }])
        })
    })
    .await
}

/// Refuses what can be no report's name, before it becomes a part of a path.
pub(super) fn is_plain(id: &str) -> Result<(), Refusal> {
    let plain = |it: char| it.is_ascii_alphanumeric() || it == '-';
    if !id.is_empty() && id.len() <= 64 && id.chars().all(plain) {
        return Ok(());
    }
    Err(Refusal::not_found("There is no such report."))
}
