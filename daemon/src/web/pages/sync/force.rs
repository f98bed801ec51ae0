//! Force sync: first the direction, then what it would replace, then the order; and the end
//! of one that runs.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{ConnectInfo, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::{Frame, Place, active_here, differs, newer, way, word};
use crate::agent::accounts::Role;
use crate::agent::api::error::Refusal;
use crate::agent::api::sync::{Synchronise, Taken};
use crate::agent::dashboard::Dashboard;
use crate::agent::engine::diff::SectionDiff;
use crate::agent::engine::overview::Overview;
use crate::agent::engine::standing::Direction;
use crate::agent::section::Section;
use crate::web::access::SignedIn;
use crate::web::listen::Ends;
use crate::web::pages::diff::{Diff, Room};
use crate::web::pages::{failed, settled, shown};
use crate::web::request::Posted;
use crate::web::state::{Console, Shared};

/// What stands behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Choice {
    direction: Option<Direction>,
}

/// The form: `section-ID=on` for each section that shall be replaced.
#[derive(Debug, Deserialize)]
pub(super) struct Force {
    direction: Direction,
    #[serde(flatten)]
    ticked: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Nothing {}

#[derive(Template)]
#[template(path = "sync/direction.html")]
struct ChooseDirection {
    page: Frame,
    ways: Vec<Way>,
    sections: Vec<(&'static str, String)>,
    /// Why nothing can be forced now.
    not_now: Option<String>,
}

/// A direction to choose.
struct Way {
    word: &'static str,
    from: String,
    to: String,
    advised: bool,
    /// Why it cannot be chosen.
    not: Option<String>,
}

#[derive(Template)]
#[template(path = "sync/preview.html")]
struct Preview {
    page: Frame,
    direction: &'static str,
    from: String,
    to: String,
    /// The node that loses is the one that carries the traffic.
    to_active: bool,
    sections: Vec<Change>,
}

/// What would be replaced in a section.
struct Change {
    id: &'static str,
    title: &'static str,
    newer: String,
    /// Its HTML, or why it cannot be shown.
    diff: Result<String, String>,
}

pub(super) async fn choose(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Query(choice): Query<Choice>,
) -> Response {
    if let Err(refusal) = person.must_be(Role::Operator) {
        return failed(&refusal);
    }
    let page = Frame::inside("Force sync", Place::Sync, &console, &person, ends).await;
    let Some(pair) = page.pair().cloned() else {
        let why =
            Refusal::unreachable("The state of the pair is not known; try again in a moment.");
        return failed(&why);
    };
    let Some(sync) = &pair.sync else {
        return failed(&Refusal::conflict("The agent is reading its settings; try again."));
    };
    match choice.direction.filter(|_| not_now(&pair, sync).is_none()) {
        None => direction(page, &pair, sync),
        Some(direction) => preview(&console, page, &pair, sync, direction).await,
    }
}

/// Why nothing can be forced now.
fn not_now(pair: &Dashboard, sync: &Overview) -> Option<String> {
    if !pair.paired {
        return Some("This node is not paired: there is nothing to synchronise with.".to_owned());
    }
    if let Some(job) = &sync.job {
        return Some(format!("A synchronisation by {} runs. Wait until it ends.", job.who));
    }
    if !sync.peer.connected {
        return Some(format!("{} cannot be reached now.", super::other(sync)));
    }
    let nothing = !sync.sections.iter().any(differs);
    nothing.then(|| "Nothing differs: there is nothing to synchronise.".to_owned())
}

fn direction(page: Frame, pair: &Dashboard, sync: &Overview) -> Response {
    let active = active_here(pair);
    let one = |direction, gives_here: bool, blank: bool| {
        let (from, to) = way(sync, direction);
        let not = format!("{from} has no configuration of this pair yet and can be no source.");
        Way {
            word: word(direction),
            from: from.to_owned(),
            to: to.to_owned(),
            advised: active == Some(gives_here) && !blank,
            not: blank.then_some(not),
        }
    };
    let mut ways =
        vec![one(Direction::Push, true, sync.blank), one(Direction::Pull, false, sync.peer.blank)];
    ways.sort_by_key(|way| !way.advised);
    let differing = sync.sections.iter().filter(|view| differs(view));
    let sections = differing.map(|view| (view.section.title(), newer(sync, view))).collect();
    let not_now = not_now(pair, sync);
    shown(&ChooseDirection { page, ways, sections, not_now })
}

async fn preview(
    console: &Console,
    page: Frame,
    pair: &Dashboard,
    sync: &Overview,
    direction: Direction,
) -> Response {
    let (from, to) = way(sync, direction);
    let mut room = Room::default();
    let mut sections = Vec::new();
    for view in sync.sections.iter().filter(|view| differs(view)) {
        let path = format!("/api/v1/sync/{}/diff?direction={}", view.section, word(direction));
        let diff: Result<SectionDiff, Refusal> = console.agent.get(&path).await;
        sections.push(Change {
            id: view.section.id(),
            title: view.section.title(),
            newer: newer(sync, view),
            diff: diff.map(|it| Diff::of(it, &mut room).html()).map_err(|it| it.message),
        });
    }
    let takes_here = direction == Direction::Pull;
    let (from, to) = (from.to_owned(), to.to_owned());
    let to_active = active_here(pair) == Some(takes_here);
    shown(&Preview { page, direction: word(direction), from, to, to_active, sections })
}

pub(super) async fn order(State(console): State<Shared>, posted: Posted<Force>) -> Response {
    let Posted { person, fields } = posted;
    if let Err(refusal) = person.must_be(Role::Operator) {
        return failed(&refusal);
    }
    let is_ticked = |section: &Section| fields.ticked.contains_key(&format!("section-{section}"));
    let sections: Vec<Section> = Section::ALL.into_iter().filter(is_ticked).collect();
    if sections.is_empty() {
        let refusal = Refusal::invalid("No section was chosen; nothing was changed.");
        let path = format!("/sync/force?direction={}", word(fields.direction));
        return settled(&console, &person, &path, Err(refusal));
    }
    let body = Synchronise { direction: fields.direction, sections };
    let taken: Result<Taken, Refusal> =
        console.agent.post("/api/v1/sync", &body, &person.name()).await;
    let went =
        taken.map(|_| "Ordered. This page shows how the forced synchronisation goes.".to_owned());
    settled(&console, &person, "/sync", went)
}

pub(super) async fn cancel(State(console): State<Shared>, posted: Posted<Nothing>) -> Response {
    let Posted { person, fields: Nothing {} } = posted;
    if let Err(refusal) = person.must_be(Role::Operator) {
        return failed(&refusal);
    }
    let body = serde_json::json!({});
    let taken: Result<Taken, Refusal> =
        console.agent.post("/api/v1/sync/cancel", &body, &person.name()).await;
    let went = taken.map(|_| {
        "Cancelled: what has not begun stays as it is; a section that has begun is finished."
            .to_owned()
    });
    settled(&console, &person, "/sync", went)
}
