//! The logs of both nodes, merged by time: with filters and pages, and as they come. What a line
//! holds is somebody else's text: it is always escaped, and what nobody sees in it is written out.

mod filter;
mod live;
mod rows;

use std::time::Duration;

use askama::Template;
use axum::extract::{ConnectInfo, Query, State};
use axum::response::Response;
use axum::routing::get;
use twinwall_core::explain::span;

use super::moment::Moment;
use super::wrong::Wrong;
use super::{Frame, Page as Address, Place, failed, of, shown};
use crate::agent::accounts::Role;
use crate::agent::api::error::Code;
use crate::agent::clock::unix_ms;
use crate::agent::logs::search::{LogsPage, MAX_PATTERN, PAGE};
use crate::agent::logs::view::LogsView;
use crate::web::access::SignedIn;
use crate::web::listen::Ends;
use crate::web::state::Shared;
use filter::Filter;
use rows::Rows;

/// The logs' pages: lines tell of people, and so are not everybody's.
pub(super) fn pages() -> Vec<Address> {
    vec![
        of(Role::Operator, "/logs", get(page)),
        of(Role::Operator, "/logs/live", get(live::follow)),
    ]
}

#[derive(Template)]
#[template(path = "logs/page.html")]
struct Page {
    page: Frame,
    filter: Filter,
    wrong: Wrong,
    nodes: Vec<(&'static str, String, bool)>,
    sources: Vec<(String, bool)>,
    /// How the other node's logs stand here.
    state: Vec<String>,
    rows: String,
    is_empty: bool,
    /// The search ended early, having looked back to then.
    looked_to: Option<Moment>,
    older: Option<String>,
    /// On a page of older lines: where the newest ones are.
    newest: Option<String>,
    /// Where following goes to, and ends.
    follow: String,
    stop: String,
    /// What a live tail follows.
    live: Option<String>,
    longest: usize,
}

async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Query(filter): Query<Filter>,
) -> Response {
    let name = person.name();
    let asked = async {
        let path = format!("/api/v1/logs?last={PAGE}{}", filter.asked(unix_ms())?);
        console.agent.get_as::<LogsPage>(&path, &name).await
    };
    let (told, view) =
        tokio::join!(asked, console.agent.get_as::<LogsView>("/api/v1/logs/sources", &name));
    let (told, wrong) = match told {
        Ok(told) => (told, Wrong::default()),
        Err(refusal) if refusal.code == Code::Invalid => (nothing(), Wrong::of(refusal)),
        Err(refusal) => return failed(&refusal),
    };
    let view: LogsView = match view {
        Ok(view) => view,
        Err(refusal) => return failed(&refusal),
    };
    let page = Frame::inside("Logs", Place::Logs, &console, &person, ends).await;
    let [here, there] = names(&page);
    let words = filter.words();
    shown(&Page {
        nodes: [("here", here.clone()), ("there", there.clone())]
            .map(|(word, name)| (word, name.clone(), filter.node == word || filter.node == name))
            .into(),
        sources: sources(&view, &filter),
        state: state(&view, &there),
        rows: Rows::of(&told.lines).missing(&told.missing).draw(),
        // Of a question that is wrong nothing was looked for.
        is_empty: told.lines.is_empty() && !wrong.is_any(),
        looked_to: told.looked_to_us.map(|us| Moment::of(us / 1_000)),
        older: told.older.map(|older| format!("/logs?before={older}{words}")),
        newest: filter.is_paged().then(|| format!("/logs?{}", words.trim_start_matches('&'))),
        follow: format!("/logs?follow=1{}", filter.timeless_words()),
        stop: format!("/logs?{}", filter.timeless_words().trim_start_matches('&')),
        // What the agent refuses it refuses to a tail too, again and again.
        live: (filter.is_live() && !wrong.is_any())
            .then(|| format!("/logs/live?{}", filter.timeless_words())),
        longest: MAX_PATTERN,
        filter,
        wrong,
        page,
    })
}

/// What is shown while the question is wrong.
fn nothing() -> LogsPage {
    LogsPage {
        here: String::new(),
        there: None,
        lines: Vec::new(),
        older: None,
        newest: String::new(),
        looked_to_us: None,
        missing: Vec::new(),
    }
}

/// How the two nodes are called.
fn names(page: &Frame) -> [String; 2] {
    let there = page.pair().and_then(|pair| pair.there.as_ref()?.name.clone());
    let here = if page.node.is_empty() { "this node".to_owned() } else { page.node.clone() };
    [here, there.unwrap_or_else(|| "the other node".to_owned())]
}

/// The sources, for the form. The profile is the same on both nodes, and so are its sources.
fn sources(view: &LogsView, filter: &Filter) -> Vec<(String, bool)> {
    let mut names: Vec<&str> = view.here.sources.iter().map(|it| it.name.as_str()).collect();
    // One that the profile has no more may still have lines.
    if !filter.source.is_empty() && !names.contains(&filter.source.as_str()) {
        names.push(&filter.source);
    }
    names.into_iter().map(|name| (name.to_owned(), name == filter.source)).collect()
}

/// How the two copies stand, in sentences.
fn state(view: &LogsView, there: &str) -> Vec<String> {
    if !view.on
        && let Some(trouble) = &view.trouble
    {
        return vec![format!("No new line is kept: {trouble}.")];
    }
    if !view.on {
        return vec![
            "Logs are not synchronised; 'Synchronise logs and reports' at High availability turns \
             it on."
                .to_owned(),
        ];
    }
    let copies = match (view.connected, view.there.lag_ms) {
        (true, Some(0)) => format!("Lines of both nodes; all of {there} are here."),
        (true, Some(ms)) => {
            let late = span(Duration::from_millis(ms));
            format!("Lines of both nodes; those of {there} that are not here yet are {late} old.")
        }
        (true, None) => "Lines of both nodes.".to_owned(),
        (false, _) => format!("{there} is not connected: its newer lines come when it is."),
    };
    let missing = (view.there.missing > 0).then(|| {
        format!("{} lines of {there} were dropped before they came here.", view.there.missing)
    });
    let named = view.here.sources.iter();
    let of_sources =
        named.filter_map(|it| Some(format!("{}: {}", it.name, it.trouble.as_deref()?)));
    let all = [Some(copies), missing, view.not_kept().map(str::to_owned)].into_iter().flatten();
    all.chain(of_sources).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::logs::view::{OriginView, SourceView};

    #[test]
    fn the_page_says_how_the_copies_stand_and_what_is_wrong() {
        let off = state(&LogsView::default(), "gw-b");
        assert!(off.len() == 1 && off[0].contains("not synchronised"), "{off:?}");
        let source = SourceView {
            name: "dhcp".to_owned(),
            trouble: Some("no file".to_owned()),
            ..SourceView::default()
        };
        let mut view = LogsView { on: true, connected: true, ..LogsView::default() };
        view.here.sources.push(source);
        view.there = OriginView { lag_ms: Some(40), missing: 7, ..OriginView::default() };
        let said = state(&view, "gw-b");
        assert!(said[0].contains("40 ms") && said[1].starts_with("7 lines of gw-b"), "{said:?}");
        assert_eq!(said[2], "dhcp: no file");
        view.there.lag_ms = Some(0);
        assert!(state(&view, "gw-b")[0].ends_with("all of gw-b are here."));
        view.connected = false;
        assert!(state(&view, "gw-b")[0].contains("gw-b is not connected"));
    }

    #[test]
    fn a_source_that_is_no_more_can_still_be_chosen() {
        let filter: Filter =
            serde_json::from_value(serde_json::json!({ "source": "old" })).expect("a filter");
        assert_eq!(sources(&LogsView::default(), &filter), [("old".to_owned(), true)]);
    }
}
