//! The pages. Each is a template and the values that it shows; what every page has around it
//! is made here, and the table of their addresses says who may. Words for the state of the pair
//! come from the agent.

mod access;
mod account;
mod advice;
mod alerts;
mod audit;
mod availability;
pub(super) mod dashboard;
mod diagnostics;
mod diff;
mod entry;
mod events;
mod failover;
mod flows;
mod frame;
mod jobs;
mod live;
mod logs;
mod pairing;
mod paths;
mod picture;
mod plot;
mod reference;
mod reports;
mod role;
mod sync;
mod tokens;
mod words;
mod wrong;

use askama::Template;
use axum::http::{StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router, middleware};

use super::access::{Least, Person};
use super::state::{Console, Shared};
use super::{body, packed};
use crate::agent::accounts::Role;
use crate::agent::api::error::Refusal;
use crate::agent::moment;

use frame::Frame;
pub(super) use frame::{Notice, Place};

/// An address with its pages.
pub(super) struct Page {
    pub(super) path: &'static str,
    /// Who may; none for whoever comes.
    pub(super) least: Option<Least>,
    /// Whether it shows a secret or a file, and is not packed.
    pub(super) secret: bool,
    serve: MethodRouter<Shared>,
}

/// For whoever comes.
fn open(path: &'static str, serve: MethodRouter<Shared>) -> Page {
    Page { path, least: None, secret: false, serve }
}

/// For whoever has this role, or one that may more.
fn of(role: Role, path: &'static str, serve: MethodRouter<Shared>) -> Page {
    Page { path, least: Some(Least { sees: role, orders: role }), secret: false, serve }
}

impl Page {
    /// Its form is for whoever has this role, which may more.
    fn orders(mut self, role: Role) -> Page {
        self.least.iter_mut().for_each(|least| least.orders = role);
        self
    }

    /// It shows a secret, or hands on a file as it comes: not packed.
    fn shows_a_secret(mut self) -> Page {
        self.secret = true;
        self
    }
}

/// Every page: who may see it and send its form stands here and nowhere else.
pub(super) fn table() -> Vec<Page> {
    let [viewer, operator, administrator] = [Role::Viewer, Role::Operator, Role::Administrator];
    let own = vec![
        open("/sign-in", get(entry::sign_in_page).post(entry::sign_in)),
        open("/set-up", get(entry::set_up_page).post(entry::set_up)),
        of(viewer, "/", get(dashboard::page)),
        of(viewer, "/live", get(live::follow)),
        of(viewer, "/sign-out", post(entry::sign_out)),
        of(viewer, "/sign-out-everywhere", post(entry::sign_out_everywhere)),
        of(viewer, "/account", get(account::page)),
        of(viewer, "/account/password", post(account::set_password)),
        of(viewer, "/account/tokens", post(account::add_token)),
        of(viewer, "/account/tokens/{token}/revoke", post(account::remove_token)),
        of(viewer, "/diagnostics", get(diagnostics::page)),
        of(viewer, "/api-reference", get(reference::page)),
        of(viewer, "/api-reference/{group}", get(reference::group)),
        of(operator, "/role", get(role::page)),
        of(operator, "/role/switchover", post(role::switchover)),
        of(operator, "/role/maintenance", post(role::maintenance_on)),
        of(operator, "/role/maintenance/end", post(role::maintenance_off)),
        of(administrator, "/access", get(access::page).post(access::add)),
        of(administrator, "/access/{name}", get(access::one)),
        of(administrator, "/access/{name}/role", post(access::set_role)),
        of(administrator, "/access/{name}/sign-out", post(access::end_sessions)),
        of(administrator, "/access/{name}/password", post(access::set_password)),
        of(administrator, "/access/{name}/remove", get(access::ask_remove).post(access::remove)),
        of(administrator, "/access/{name}/tokens", post(access::add_token)),
        of(administrator, "/access/{name}/tokens/{token}/revoke", post(access::remove_token)),
        of(administrator, "/audit", get(audit::page)),
        // Who may see or stop a job says the agent: whoever may order it.
        of(viewer, "/jobs/{id}/live", get(jobs::follow)),
        of(viewer, "/jobs/{id}/cancel", post(jobs::cancel)),
    ];
    let more = [
        alerts::pages(),
        availability::pages(),
        sync::pages(),
        events::pages(),
        logs::pages(),
        reports::pages(),
        pairing::pages(),
    ];
    own.into_iter().chain(more.into_iter().flatten()).collect()
}

/// All pages, closed to whoever may not.
pub(super) fn router() -> Router<Shared> {
    table().into_iter().fold(Router::new(), |router, Page { path, least, secret, serve }| {
        let serve = if secret { serve } else { serve.layer(middleware::from_fn(packed::pack)) };
        match least {
            None => router.route(path, serve),
            Some(least) => router.route(path, serve.layer(Extension(least))),
        }
    })
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
