//! The way in and out: first set-up, signing in, signing out.

use std::time::Instant;

use askama::Template;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Frame, failed, shown, with_cookie};
use crate::agent::accounts::{Role, Secret};
use crate::agent::api::accounts::FirstAccount;
use crate::agent::api::error::{Code, Refusal};
use crate::agent::api::sync::Taken;
use crate::agent::audit::SignIn;
use crate::web::access::{Person, SESSION, cookie, own_path, set_cookie};
use crate::web::agent::Name;
use crate::web::csrf;
use crate::web::listen::Ends;
use crate::web::request::{Knocked, Posted, VISIT};
use crate::web::sign_in::sign_in as compare;
use crate::web::state::Shared;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    page: Frame,
    wanted: Wanted,
}

/// What the form holds.
#[derive(Default)]
struct Wanted {
    name: String,
    wrong: Option<String>,
    /// Where to go on.
    next: String,
    /// A session was there, and has ended.
    ended: bool,
}

/// Where somebody was.
#[derive(Deserialize)]
pub(super) struct Back {
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "set_up.html")]
struct SetUp {
    page: Frame,
    token: String,
    name: String,
    wrong: Option<String>,
    wrong_name: Option<String>,
    wrong_password: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(super) struct First {
    token: String,
    name: String,
    password: String,
    again: String,
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

/// The visitor's cookie, a new one where there is none.
fn visit(headers: &HeaderMap) -> Result<(String, bool), Refusal> {
    match cookie(headers, VISIT) {
        Some(visit) => Ok((visit.to_owned(), false)),
        None => Secret::new("").map(|secret| (secret.text().to_owned(), true)),
    }
}

/// A page whose form belongs to the visitor's cookie.
fn knock(headers: &HeaderMap, page: impl FnOnce(String) -> Response) -> Response {
    match visit(headers) {
        Ok((visit, false)) => page(csrf::token(&visit)),
        Ok((visit, true)) => with_cookie(page(csrf::token(&visit)), set_cookie(VISIT, &visit)),
        Err(refusal) => failed(&refusal),
    }
}

/// Whether nobody has an account yet.
fn is_fresh(console: &Shared) -> Result<bool, Refusal> {
    console.accounts.now().map(|accounts| accounts.accounts.is_empty())
}

pub(super) async fn sign_in_page(
    State(console): State<Shared>,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Response {
    match is_fresh(&console) {
        Ok(true) => Redirect::to("/set-up").into_response(),
        Ok(false) => {
            // Whoever signs out has no such cookie any more.
            let ended = cookie(&headers, SESSION).is_some();
            let next = own_path(&back.next).map(str::to_owned).unwrap_or_default();
            let wanted = Wanted { ended, next, ..Wanted::default() };
            knock(&headers, |csrf| sign_in_form(csrf, wanted))
        }
        Err(refusal) => failed(&refusal),
    }
}

fn sign_in_form(csrf: String, wanted: Wanted) -> Response {
    shown(&SignInPage { page: Frame::outside("Sign in", csrf), wanted })
}

pub(super) async fn sign_in(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    headers: HeaderMap,
    Knocked(credentials): Knocked<Credentials>,
) -> Response {
    let Credentials { name, password, next } = credentials;
    let compared = compare(&console, &name, password, ends.visitor).await;
    let opened =
        compared.and_then(|account| console.sessions.open(&account, ends.visitor, Instant::now()));
    match opened {
        Ok(secret) => {
            let next = Redirect::to(own_path(&next).unwrap_or("/"));
            with_cookie(next, set_cookie(SESSION, secret.text()))
        }
        Err(refusal) => {
            let status = refusal.code.status();
            let wrong = Some(refusal.message);
            let form = |csrf| sign_in_form(csrf, Wanted { name, next, wrong, ended: false });
            (status, knock(&headers, form)).into_response()
        }
    }
}

pub(super) async fn set_up_page(State(console): State<Shared>, headers: HeaderMap) -> Response {
    match is_fresh(&console) {
        Ok(false) => Redirect::to("/sign-in").into_response(),
        Ok(true) => knock(&headers, |csrf| set_up_form(csrf, String::new(), String::new(), None)),
        Err(refusal) => failed(&refusal),
    }
}

fn set_up_form(csrf: String, token: String, name: String, refusal: Option<&Refusal>) -> Response {
    let at = |place: &str| {
        let details = refusal.map_or(&[][..], |refusal| &refusal.details);
        details.iter().find(|detail| detail.place == place).map(|detail| detail.message.clone())
    };
    let (wrong_name, wrong_password) = (at("name"), at("password"));
    let elsewhere = wrong_name.is_none() && wrong_password.is_none();
    let wrong = refusal.filter(|_| elsewhere).map(|refusal| refusal.message.clone());
    let page = Frame::outside("First set-up", csrf);
    shown(&SetUp { page, token, name, wrong, wrong_name, wrong_password })
}

pub(super) async fn set_up(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    headers: HeaderMap,
    Knocked(first): Knocked<First>,
) -> Response {
    let First { token, name, password, again } = first;
    let refused = |refusal: &Refusal| {
        let status: StatusCode = refusal.code.status();
        let form = |csrf| set_up_form(csrf, token.clone(), name.clone(), Some(refusal));
        (status, knock(&headers, form)).into_response()
    };
    if let Err(refusal) = console.guessing.guess(None, ends.visitor, Instant::now()) {
        return refused(&refusal);
    }
    if password != again {
        let message = "the two passwords differ".to_owned();
        let details = crate::agent::api::error::Detail { place: "password".to_owned(), message };
        return refused(&Refusal {
            code: Code::Invalid,
            message: String::new(),
            details: vec![details],
        });
    }
    let body =
        FirstAccount { token: token.clone(), name: name.clone(), password: password.clone() };
    let (user, from) = ("first-set-up".to_owned(), ends.visitor.to_string());
    let from = Name { user, from, role: Role::Administrator };
    let made: Result<Taken, Refusal> =
        console.agent.post("/api/v1/first-account", &body, &from).await;
    if let Err(refusal) = made {
        return refused(&refusal);
    }
    let compared = compare(&console, &name, password, ends.visitor).await;
    let opened =
        compared.and_then(|account| console.sessions.open(&account, ends.visitor, Instant::now()));
    match opened {
        Ok(secret) => with_cookie(Redirect::to("/"), set_cookie(SESSION, secret.text())),
        Err(_) => Redirect::to("/sign-in").into_response(),
    }
}

pub(super) async fn sign_out(State(console): State<Shared>, posted: Posted<Nothing>) -> Response {
    if let Some(secret) = &posted.person.session {
        console.sessions.close(secret);
        let Person { name, from, .. } = &posted.person;
        console.telling.tell(SignIn::SignedOut, Some(name), *from);
    }
    with_cookie(Redirect::to("/sign-in"), set_cookie(SESSION, ""))
}

pub(super) async fn sign_out_everywhere(
    State(console): State<Shared>,
    posted: Posted<Nothing>,
) -> Response {
    let Posted { person, fields: Nothing {} } = posted;
    console.sessions.close_all_of(&person.name);
    let path = format!("/api/v1/accounts/{}/sign-out", person.name);
    let ended = console.agent.post::<Taken>(&path, &serde_json::json!({}), &person.name()).await;
    if ended.is_err() {
        // On the passive node, or without an agent, only those of this console.
        console.telling.tell(SignIn::SignedOutEverywhere, Some(&person.name), person.from);
    }
    with_cookie(Redirect::to("/sign-in"), set_cookie(SESSION, ""))
}
