//! The pages. Each is a template and the values that it shows; what every page has around it
//! is made here. Words for the state of the pair come from the agent.

pub(super) mod dashboard;
mod entry;
mod live;
mod moment;
mod picture;
mod plot;
mod words;

use std::net::IpAddr;

use askama::Template;
use axum::Router;
use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

use super::access::Person;
use super::listen::Ends;
use super::state::Shared;
use super::{assets, body, csrf};
use crate::agent::api::error::Refusal;
use crate::agent::dashboard::Dashboard;

/// All pages.
pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/", get(dashboard::page))
        .route("/live", get(live::follow))
        .route("/sign-in", get(entry::sign_in_page).post(entry::sign_in))
        .route("/set-up", get(entry::set_up_page).post(entry::set_up))
        .route("/sign-out", post(entry::sign_out))
        .route("/sign-out-everywhere", post(entry::sign_out_everywhere))
}

/// What is around every page.
pub(super) struct Frame {
    title: &'static str,
    css: String,
    js: String,
    mark: String,
    /// The node's name, where it is known.
    node: String,
    person: Option<Signed>,
    csrf: String,
    /// The other node's console.
    other: Option<Other>,
    /// Whether the page changes by itself.
    live: bool,
}

/// Who is signed in, for the page.
struct Signed {
    name: String,
    role: &'static str,
}

/// The way to the other node's console.
struct Other {
    name: String,
    url: String,
}

impl Frame {
    /// Of a page for somebody who is not signed in.
    fn outside(title: &'static str, csrf: String) -> Frame {
        Frame {
            title,
            css: assets::place("console.css"),
            js: assets::place("console.js"),
            mark: assets::place("mark.svg"),
            node: String::new(),
            person: None,
            csrf,
            other: None,
            live: false,
        }
    }

    /// Of a page for this person.
    fn of(title: &'static str, person: &Person, ends: Ends, pair: Option<&Dashboard>) -> Frame {
        let secret = person.session.as_deref().unwrap_or_default();
        let signed = Signed { name: person.name.clone(), role: person.role.word() };
        Frame {
            node: pair.and_then(|pair| pair.here.name.clone()).unwrap_or_default(),
            person: Some(signed),
            other: pair.and_then(|pair| other(pair, ends)),
            live: true,
            ..Frame::outside(title, csrf::token(secret))
        }
    }
}

/// The other node's own address on the interface over which this visitor came, else on any.
fn other(pair: &Dashboard, ends: Ends) -> Option<Other> {
    let there = pair.there.as_ref()?;
    let own = ends.own.ip();
    let comes_here = |text: &str| {
        let address = text.split('/').next().unwrap_or_default();
        address.parse::<IpAddr>().is_ok_and(|address| address == own)
    };
    let by = pair.interfaces.iter().find(|interface| {
        interface.own_here.iter().chain(&interface.virtual_ips).any(|text| comes_here(text))
    });
    let candidates = by.into_iter().chain(&pair.interfaces).flat_map(|it| &it.own_there);
    let same_family = |text: &&String| text.contains(':') == own.is_ipv6();
    let address = candidates.clone().find(same_family).or_else(|| candidates.clone().next())?;
    let host = if address.contains(':') { format!("[{address}]") } else { address.clone() };
    let name = there.name.clone().unwrap_or_else(|| "the other node".to_owned());
    Some(Other { name, url: format!("https://{host}:{}/", ends.own.port()) })
}

/// A template as an answer.
fn shown(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            eprintln!("twinwall web: a page could not be made: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, "this page could not be made").into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "failed.html")]
struct Failed<'a> {
    page: Frame,
    refusal: &'a Refusal,
}

/// The page for something that was refused.
pub(super) fn failed(refusal: &Refusal) -> Response {
    let page = Frame::outside("Not done", String::new());
    (refusal.code.status(), shown(&Failed { page, refusal })).into_response()
}

/// The page for an address that is none.
pub(super) async fn missing(uri: Uri) -> Response {
    if body::is_api(&uri) {
        let text = "no such path; GET /api/v1/openapi.json lists all";
        return Refusal::not_found(text).into_response();
    }
    let refusal = Refusal::not_found("There is no such page.");
    let page = Frame::outside("Not found", String::new());
    let body = shown(&Failed { page, refusal: &refusal });
    (StatusCode::NOT_FOUND, body).into_response()
}

/// An answer that sets a cookie.
fn with_cookie(response: impl IntoResponse, cookie: String) -> Response {
    ([(header::SET_COOKIE, cookie)], response).into_response()
}
