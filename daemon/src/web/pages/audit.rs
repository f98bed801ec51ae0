//! The page of the audit log: who changed what on this node, and who signed in.

use askama::Template;
use axum::extract::{ConnectInfo, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::moment::Moment;
use super::{Frame, Place, failed, shown};
use crate::agent::api::error::Refusal;
use crate::agent::audit::{Entry, Outcome, Page as Kept};
use crate::percent::encoded;
use crate::web::access::SignedIn;
use crate::web::listen::Ends;
use crate::web::state::Shared;

/// Entries of a page.
const SHOWN: usize = 50;

#[derive(Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    user: String,
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Page {
    page: Frame,
    entries: Vec<Row>,
    user: String,
    /// Where older ones are.
    older: Option<String>,
    /// Where the newest ones are, on a page of older ones.
    newest: Option<String>,
}

/// One entry, the newest first.
struct Row {
    at: Moment,
    entry: Entry,
    class: &'static str,
    icon: &'static str,
}

pub(super) async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Query(Which { user, before }): Query<Which>,
) -> Response {
    let by = if user.is_empty() { String::new() } else { format!("&user={}", encoded(&user)) };
    let from = before.map(|before| format!("&before={before}")).unwrap_or_default();
    let path = format!("/api/v1/audit?last={SHOWN}{from}{by}");
    let kept: Result<Kept, Refusal> = console.agent.get(&path).await;
    let kept = match kept {
        Ok(kept) => kept,
        Err(refusal) => return failed(&refusal),
    };
    let oldest = kept.entries.first().filter(|_| kept.older).map(|entry| entry.number);
    let older = oldest.map(|number| format!("/audit?before={number}{by}"));
    let newest = before.map(|_| format!("/audit?{}", by.trim_start_matches('&')));
    let entries = kept.entries.into_iter().rev().map(Row::of).collect();
    let page = Frame::inside("Audit log", Place::Audit, &console, &person, ends).await;
    shown(&Page { page, entries, user, older, newest })
}

impl Row {
    fn of(entry: Entry) -> Row {
        let (class, icon) = match entry.outcome {
            Outcome::Done => ("good", "check"),
            Outcome::Begun => ("calm", "starting"),
            Outcome::Refused => ("warn", "off"),
            Outcome::Failed => ("bad", "fault"),
            Outcome::Cancelled => ("unknown", "off"),
        };
        Row { at: Moment::of(entry.at_ms), entry, class, icon }
    }
}
