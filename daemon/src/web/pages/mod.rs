//! The pages. Each is a template and the values that it shows; what every page has around it
//! is made here. Words for the state of the pair come from the agent.

pub(super) mod dashboard;
mod diff;
mod entry;
mod events;
mod failover;
mod frame;
mod jobs;
mod live;
mod moment;
mod pairing;
mod picture;
mod plot;
mod sync;
mod words;

use askama::Template;
use axum::Router;
use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use super::access::Person;
use super::body;
use super::state::{Console, Shared};
use crate::agent::api::error::Refusal;

pub(super) use frame::Notice;
use frame::{Frame, Place};

/// All pages.
pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/", get(dashboard::page))
        .route("/live", get(live::follow))
        .merge(sync::router())
        .merge(events::router())
        .merge(pairing::router())
        .route("/jobs/{id}/live", get(jobs::follow))
        .route("/jobs/{id}/cancel", post(jobs::cancel))
        .route("/sign-in", get(entry::sign_in_page).post(entry::sign_in))
        .route("/set-up", get(entry::set_up_page).post(entry::set_up))
        .route("/sign-out", post(entry::sign_out))
        .route("/sign-out-everywhere", post(entry::sign_out_everywhere))
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

/// After an order from a page: back to a page, which says how it went, once.
fn settled(
    console: &Console,
    person: &Person,
    path: &str,
    went: Result<String, Refusal>,
) -> Response {
    if let Some(secret) = &person.session {
        console.sessions.tell(secret, Notice::of(went));
    }
    Redirect::to(path).into_response()
}

/// An answer that sets a cookie.
fn with_cookie(response: impl IntoResponse, cookie: String) -> Response {
    ([(header::SET_COOKIE, cookie)], response).into_response()
}
