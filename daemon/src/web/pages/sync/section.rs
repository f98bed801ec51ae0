//! One section: what differs, its versions, and putting one back.

use askama::Template;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, May, Place, differs, named, other};
use crate::agent::accounts::Role;
use crate::agent::api::error::Refusal;
use crate::agent::api::sync::{PutBack, Taken};
use crate::agent::engine::diff::SectionDiff;
use crate::agent::engine::overview::{Overview, SectionView};
use crate::agent::section::Section;
use crate::agent::store::Version;
use crate::web::access::SignedIn;
use crate::web::listen::Ends;
use crate::web::pages::diff::{Diff, Room};
use crate::web::pages::moment::Moment;
use crate::web::pages::{failed, settled, shown};
use crate::web::request::Posted;
use crate::web::state::Shared;

/// Versions on a page.
const PAGE: usize = 25;

/// What stands behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Paging {
    /// Only versions with a lower number.
    before: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

#[derive(Template)]
#[template(path = "sync/section.html")]
struct Page {
    page: Frame,
    may: May,
    id: &'static str,
    title: &'static str,
    here: String,
    other: String,
    view: Option<Standing>,
    /// What differs, where that was asked for: its HTML, or why it cannot be shown.
    diff: Option<Result<String, String>>,
    versions: Vec<Row>,
    /// Before which number the next page begins.
    older: Option<u64>,
    newest: Option<u64>,
}

impl Page {
    fn is_newest(&self, number: &u64) -> bool {
        self.newest == Some(*number)
    }
}

/// How the section stands.
struct Standing {
    words: &'static str,
    reason: String,
    differs: bool,
}

/// A version.
struct Row {
    number: u64,
    moment: Moment,
    /// How it came to be.
    told: String,
    entries: u64,
}

impl Row {
    fn of(version: Version) -> Row {
        Row {
            number: version.number,
            moment: Moment::of(version.at_ms),
            told: version.cause.told(&version.who),
            entries: version.entries,
        }
    }
}

pub(super) async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Path(section): Path<String>,
    Query(paging): Query<Paging>,
) -> Response {
    let section = match named(&section) {
        Ok(section) => section,
        Err(refusal) => return failed(&refusal),
    };
    let kept = console.agent.get(&format!("/api/v1/sync/{section}/versions")).await;
    let kept: Vec<Version> = match kept {
        Ok(kept) => kept,
        Err(refusal) => return failed(&refusal),
    };
    let page = Frame::inside(section.title(), Place::Sync, &console, &person, ends).await;
    let may = May::of(&person);
    let sync = page.pair().and_then(|pair| pair.sync.clone());
    let is_it = |view: &&SectionView| view.section == section;
    let view = sync.as_ref().and_then(|sync| {
        let view = sync.sections.iter().find(is_it)?;
        Some(Standing {
            words: view.state.words(),
            reason: view.reason.clone(),
            differs: differs(view),
        })
    });
    let asks = may.operate && paging.before.is_none();
    let diff = match asks && view.as_ref().is_some_and(|view| view.differs) {
        true => Some(difference(&console, section, sync.as_ref()).await),
        false => None,
    };
    let newest = kept.last().map(|version| version.number);
    let (versions, older) = rows(kept, paging.before);
    shown(&Page {
        may,
        id: section.id(),
        title: section.title(),
        here: sync.as_ref().map(|sync| sync.node.clone()).unwrap_or_default(),
        other: sync.as_ref().map_or("the other node", |sync| other(sync)).to_owned(),
        view,
        diff,
        versions,
        older,
        newest,
        page,
    })
}

/// What this node has that the other has not, and the other way round: its HTML, or why it
/// cannot be shown.
async fn difference(
    console: &Shared,
    section: Section,
    sync: Option<&Overview>,
) -> Result<String, String> {
    let path = format!("/api/v1/sync/{section}/diff?direction=push");
    let diff: Result<SectionDiff, Refusal> = console.agent.get(&path).await;
    let diff = diff.map_err(|it| it.message)?;
    let diff = Diff::of(diff, &mut Room::default());
    Ok(match sync {
        Some(sync) => diff.between(other(sync), &sync.node).html(),
        None => diff.html(),
    })
}

/// The newest first, and where the next page begins.
fn rows(kept: Vec<Version>, before: Option<u64>) -> (Vec<Row>, Option<u64>) {
    let asked = kept.into_iter().rev();
    let mut asked = asked.filter(|it| before.is_none_or(|before| it.number < before));
    let rows: Vec<Row> = asked.by_ref().take(PAGE).map(Row::of).collect();
    let older = asked.next().and(rows.last().map(|row| row.number));
    (rows, older)
}

#[derive(Template)]
#[template(path = "sync/version.html")]
struct OneVersion {
    page: Frame,
    may: May,
    id: &'static str,
    title: &'static str,
    here: String,
    other: String,
    row: Row,
    same: bool,
    diff: String,
    /// Who runs a forced synchronisation: nothing is put back meanwhile.
    busy: Option<String>,
}

pub(super) async fn version(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Path((section, number)): Path<(String, u64)>,
) -> Response {
    if let Err(refusal) = person.must_be(Role::Operator) {
        return failed(&refusal);
    }
    let found = find(&console, &section, number).await;
    let (section, version, diff) = match found {
        Ok(found) => found,
        Err(refusal) => return failed(&refusal),
    };
    let page = Frame::inside(section.title(), Place::Sync, &console, &person, ends).await;
    let sync = page.pair().and_then(|pair| pair.sync.clone());
    let job = sync.as_ref().and_then(|sync| sync.job.as_ref()).filter(|job| job.forced);
    shown(&OneVersion {
        may: May::of(&person),
        id: section.id(),
        title: section.title(),
        here: sync.as_ref().map_or_else(|| "this node".to_owned(), |sync| sync.node.clone()),
        other: sync.as_ref().map_or("the other node", |sync| other(sync)).to_owned(),
        row: Row::of(version),
        same: diff.paths.is_empty(),
        busy: job.map(|job| job.who.clone()),
        diff: Diff::of(diff, &mut Room::default()).html(),
        page,
    })
}

async fn find(
    console: &Shared,
    section: &str,
    number: u64,
) -> Result<(Section, Version, SectionDiff), Refusal> {
    let section = named(section)?;
    let versions = format!("/api/v1/sync/{section}/versions");
    let kept: Vec<Version> = console.agent.get(&versions).await?;
    let version = kept.into_iter().find(|version| version.number == number);
    let version = version.ok_or_else(|| {
        Refusal::not_found(format!("Version {number} of {} is not kept.", section.title()))
    })?;
    let diff = console.agent.get(&format!("{versions}/{number}/diff")).await?;
    Ok((section, version, diff))
}

pub(super) async fn restore(
    State(console): State<Shared>,
    Path((section, number)): Path<(String, u64)>,
    posted: Posted<Nothing>,
) -> Response {
    let Posted { person, fields: Nothing {} } = posted;
    if let Err(refusal) = person.must_be(Role::Administrator) {
        return failed(&refusal);
    }
    let section = match named(&section) {
        Ok(section) => section,
        Err(refusal) => return failed(&refusal),
    };
    let path = format!("/api/v1/sync/{section}/restore");
    let body = PutBack { version: number };
    let taken: Result<Taken, Refusal> = console.agent.post(&path, &body, &person.name()).await;
    let went = taken.map(|_| format!("Version {number} of {} is in use again.", section.title()));
    settled(&console, &person, &format!("/sync/{section}"), went)
}
