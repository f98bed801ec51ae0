//! The administrators' pages of accounts: who may sign in, with which role, and their tokens.

use askama::Template;
use axum::extract::{ConnectInfo, Path, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::tokens::{TokenForm, Tokens, made};
use super::wrong::{self, Wrong};
use super::{Frame, Place, failed, settled, shown};
use crate::agent::accounts::{AccountView, NewAccount, Role};
use crate::agent::api::accounts::{NewPassword, NewRole};
use crate::agent::api::error::Refusal;
use crate::agent::api::sync::Taken;
use crate::web::access::{Person, SignedIn};
use crate::web::listen::Ends;
use crate::web::request::Posted;
use crate::web::state::Shared;

/// What each role may, for people.
pub(super) const ROLES: [(Role, &str); 3] = [
    (Role::Viewer, "sees everything that holds no secret, and changes nothing"),
    (Role::Operator, "also moves the role, maintenance, forced synchronisation"),
    (Role::Administrator, "also settings, pairing, accounts, versions put back"),
];

#[derive(Template)]
#[template(path = "access.html")]
struct Page {
    page: Frame,
    accounts: Vec<AccountView>,
    own: String,
    name: String,
    role: Role,
    wrong: Wrong,
}

#[derive(Template)]
#[template(path = "access_one.html")]
struct One {
    page: Frame,
    account: AccountView,
    is_own: bool,
    tokens: Tokens,
    wrong: Wrong,
}

#[derive(Template)]
#[template(path = "access_remove.html")]
struct Removing {
    page: Frame,
    account: AccountView,
    is_own: bool,
}

#[derive(Deserialize)]
pub(super) struct New {
    name: String,
    role: Role,
    password: String,
    again: String,
}

#[derive(Deserialize)]
pub(super) struct RoleForm {
    role: Role,
}

#[derive(Deserialize)]
pub(super) struct PasswordForm {
    password: String,
    again: String,
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

/// A password that was typed the same way twice.
pub(super) fn same(password: &str, again: &str) -> Result<(), Refusal> {
    match password == again {
        true => Ok(()),
        false => Err(wrong::at("again", "the two passwords differ")),
    }
}

/// The account of this name, as it is shown.
pub(super) fn account(console: &Shared, name: &str) -> Result<AccountView, Refusal> {
    let found = console.accounts.now()?.view().into_iter().find(|account| account.name == name);
    found.ok_or_else(|| Refusal::not_found("There is no account of this name."))
}

pub(super) async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
) -> Response {
    list(&console, &person, ends, (String::new(), Role::Viewer), Wrong::default()).await
}

async fn list(
    console: &Shared,
    person: &Person,
    ends: Ends,
    (name, role): (String, Role),
    wrong: Wrong,
) -> Response {
    let accounts = match console.accounts.now() {
        Ok(accounts) => accounts.view(),
        Err(refusal) => return failed(&refusal),
    };
    let page = Frame::inside("Access", Place::Access, console, person, ends).await;
    shown(&Page { page, accounts, own: person.name.clone(), name, role, wrong })
}

pub(super) async fn add(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    posted: Posted<New>,
) -> Response {
    let Posted { person, fields: New { name, role, password, again } } = posted;
    let order = async {
        same(&password, &again)?;
        let new = NewAccount { name: name.clone(), role, password };
        console.agent.post::<Taken>("/api/v1/accounts", &new, &person.name()).await
    };
    match order.await {
        Ok(_) => {
            let said = format!("{name} may sign in as {}, on both nodes in a moment.", role.word());
            settled(&console, &person, "/access", Ok(said))
        }
        Err(refusal) => {
            let status = refusal.code.status();
            let wrong = Wrong::of(refusal);
            (status, list(&console, &person, ends, (name, role), wrong).await).into_response()
        }
    }
}

pub(super) async fn one(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Path(name): Path<String>,
) -> Response {
    show_one(&console, &person, ends, &name, TokenForm::default(), Wrong::default()).await
}

async fn show_one(
    console: &Shared,
    person: &Person,
    ends: Ends,
    name: &str,
    typed: TokenForm,
    wrong: Wrong,
) -> Response {
    let account = match account(console, name) {
        Ok(account) => account,
        Err(refusal) => return failed(&refusal),
    };
    let page = Frame::inside("Account", Place::Access, console, person, ends).await;
    let tokens = Tokens::of(&account, format!("/access/{name}"), typed);
    let is_own = account.name == person.name;
    shown(&One { page, account, is_own, tokens, wrong })
}

/// After an order about one account: its page, or the form again with what is wrong.
async fn after(
    console: &Shared,
    person: &Person,
    ends: Ends,
    name: &str,
    went: Result<String, Refusal>,
) -> Response {
    match went {
        Ok(said) => {
            // Who took away the own role can see this page no more.
            let still = account(console, &person.name);
            let may = still.is_ok_and(|it| it.role == Role::Administrator);
            let next = if may { format!("/access/{name}") } else { "/account".to_owned() };
            settled(console, person, &next, Ok(said))
        }
        Err(refusal) => {
            let status = refusal.code.status();
            let page =
                show_one(console, person, ends, name, TokenForm::default(), Wrong::of(refusal));
            (status, page.await).into_response()
        }
    }
}

pub(super) async fn set_role(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    Path(name): Path<String>,
    posted: Posted<RoleForm>,
) -> Response {
    let Posted { person, fields: RoleForm { role } } = posted;
    let order = async {
        account(&console, &name)?;
        let path = format!("/api/v1/accounts/{name}/role");
        console.agent.post::<Taken>(&path, &NewRole { role }, &person.name()).await?;
        Ok(format!("{name} is {} from now on.", role.word()))
    };
    let went = order.await;
    after(&console, &person, ends, &name, went).await
}

pub(super) async fn set_password(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    Path(name): Path<String>,
    posted: Posted<PasswordForm>,
) -> Response {
    let Posted { person, fields: PasswordForm { password, again } } = posted;
    let order = async {
        account(&console, &name)?;
        if name == person.name {
            // There the present one is asked for.
            return Err(Refusal::forbidden("your own password is changed at 'Your account'"));
        }
        same(&password, &again)?;
        let path = format!("/api/v1/accounts/{name}/password");
        console.agent.post::<Taken>(&path, &NewPassword { password }, &person.name()).await?;
        Ok(format!("{name} has another password; sessions with the old one have ended."))
    };
    let went = order.await;
    after(&console, &person, ends, &name, went).await
}

pub(super) async fn end_sessions(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    Path(name): Path<String>,
    posted: Posted<Nothing>,
) -> Response {
    let Posted { person, fields: Nothing {} } = posted;
    let order = async {
        account(&console, &name)?;
        let path = format!("/api/v1/accounts/{name}/sign-out");
        console.agent.post::<Taken>(&path, &serde_json::json!({}), &person.name()).await?;
        Ok(format!("The sessions of {name} have ended, on both nodes in a moment."))
    };
    let went = order.await;
    after(&console, &person, ends, &name, went).await
}

pub(super) async fn add_token(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    Path(name): Path<String>,
    posted: Posted<TokenForm>,
) -> Response {
    let Posted { person, fields: typed } = posted;
    let made_one = async {
        account(&console, &name)?;
        typed.order(&console, &person, &name).await
    };
    match made_one.await {
        Ok(token) => {
            let page = Frame::inside("New token", Place::Access, &console, &person, ends).await;
            made(page, &typed, token, format!("/access/{name}"), ends)
        }
        Err(refusal) => {
            let status = refusal.code.status();
            let page = show_one(&console, &person, ends, &name, typed, Wrong::of(refusal)).await;
            (status, page).into_response()
        }
    }
}

pub(super) async fn remove_token(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    Path((name, token)): Path<(String, String)>,
    posted: Posted<Nothing>,
) -> Response {
    let Posted { person, fields: Nothing {} } = posted;
    let went = super::tokens::revoke(&console, &person, &name, &token).await;
    after(&console, &person, ends, &name, went).await
}

pub(super) async fn ask_remove(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
    Path(name): Path<String>,
) -> Response {
    match account(&console, &name) {
        Ok(account) => {
            let page = Frame::inside("Remove", Place::Access, &console, &person, ends).await;
            let is_own = account.name == person.name;
            shown(&Removing { page, account, is_own })
        }
        Err(refusal) => failed(&refusal),
    }
}

pub(super) async fn remove(
    State(console): State<Shared>,
    Path(name): Path<String>,
    posted: Posted<Nothing>,
) -> Response {
    let Posted { person, fields: Nothing {} } = posted;
    let order = async {
        account(&console, &name)?;
        let path = format!("/api/v1/accounts/{name}");
        console.agent.delete::<Taken>(&path, &person.name()).await?;
        console.sessions.close_all_of(&name);
        Ok(format!("{name} has no account any more."))
    };
    let went = order.await;
    settled(&console, &person, "/access", went)
}
