//! Everybody's own account: password, tokens, sessions.

use std::net::IpAddr;
use std::time::Instant;

use askama::Template;
use axum::extract::{ConnectInfo, Path, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::access::{Nothing, account, same};
use super::frame::Notice;
use super::moment::Moment;
use super::tokens::{TokenForm, Tokens, made, revoke};
use super::wrong::{self, Wrong};
use super::{Frame, Place, failed, settled, shown, with_cookie};
use crate::agent::accounts::AccountView;
use crate::agent::api::accounts::NewPassword;
use crate::agent::api::error::{Code, Refusal};
use crate::agent::api::sync::Taken;
use crate::agent::clock::unix_ms;
use crate::web::access::{Person, SESSION, SignedIn, set_cookie};
use crate::web::listen::Ends;
use crate::web::request::Posted;
use crate::web::sign_in::is_right;
use crate::web::state::Shared;

#[derive(Template)]
#[template(path = "account.html")]
struct Page {
    page: Frame,
    account: AccountView,
    tokens: Tokens,
    sessions: Vec<Row>,
    wrong: Wrong,
}

/// One session.
struct Row {
    from: IpAddr,
    began: Moment,
    used: Moment,
    is_own: bool,
}

#[derive(Deserialize)]
pub(super) struct PasswordForm {
    present: String,
    password: String,
    again: String,
}

pub(super) async fn page(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    SignedIn(person): SignedIn,
) -> Response {
    show(&console, &person, ends, TokenForm::default(), Wrong::default()).await
}

async fn show(
    console: &Shared,
    person: &Person,
    ends: Ends,
    typed: TokenForm,
    wrong: Wrong,
) -> Response {
    let account = match account(console, &person.name) {
        Ok(account) => account,
        Err(refusal) => return failed(&refusal),
    };
    let now_ms = unix_ms();
    let ago = |since: std::time::Duration| {
        Moment::of(now_ms.saturating_sub(u64::try_from(since.as_millis()).unwrap_or(0)))
    };
    let own = person.session.as_deref().unwrap_or_default();
    let sessions = console.sessions.of(&person.name, own, Instant::now()).into_iter();
    let row = |seen: crate::web::sessions::Seen| Row {
        from: seen.from,
        began: ago(seen.began),
        used: ago(seen.used),
        is_own: seen.is_own,
    };
    let sessions = sessions.map(row).collect();
    let page = Frame::inside("Your account", Place::Account, console, person, ends).await;
    let tokens = Tokens::of(&account, "/account".to_owned(), typed);
    shown(&Page { page, account, tokens, sessions, wrong })
}

async fn again(
    console: &Shared,
    person: &Person,
    ends: Ends,
    typed: TokenForm,
    refusal: Refusal,
) -> Response {
    let status = refusal.code.status();
    (status, show(console, person, ends, typed, Wrong::of(refusal)).await).into_response()
}

pub(super) async fn set_password(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    posted: Posted<PasswordForm>,
) -> Response {
    let Posted { person, fields } = posted;
    match change_password(&console, &person, ends, fields).await {
        Ok(response) => response,
        Err(refusal) => again(&console, &person, ends, TokenForm::default(), refusal).await,
    }
}

/// All sessions end with the old password; this one goes on as another one.
async fn change_password(
    console: &Shared,
    person: &Person,
    ends: Ends,
    form: PasswordForm,
) -> Result<Response, Refusal> {
    let PasswordForm { present, password, again } = form;
    same(&password, &again)?;
    let right = is_right(console, &person.name, present, ends.visitor).await;
    right.map_err(|refusal| match refusal.code == Code::Unauthenticated {
        true => wrong::at("present", "this is not your present password"),
        false => refusal,
    })?;
    let path = format!("/api/v1/accounts/{}/password", person.name);
    console.agent.post::<Taken>(&path, &NewPassword { password }, &person.name()).await?;
    console.sessions.close_all_of(&person.name);
    let accounts = console.accounts.now()?;
    let account = accounts.find(&person.name);
    let account = account.ok_or_else(|| Refusal::not_found("Your account was removed."))?;
    let secret = console.sessions.open(account, ends.visitor, Instant::now())?;
    let said = "You have another password; your other sessions have ended.".to_owned();
    console.sessions.tell(secret.text(), Notice::of(Ok(said)));
    let next = axum::response::Redirect::to("/account");
    Ok(with_cookie(next, set_cookie(SESSION, secret.text())))
}

pub(super) async fn add_token(
    State(console): State<Shared>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    posted: Posted<TokenForm>,
) -> Response {
    let Posted { person, fields: typed } = posted;
    match typed.order(&console, &person, &person.name).await {
        Ok(token) => {
            let page = Frame::inside("New token", Place::Account, &console, &person, ends).await;
            made(page, &typed, token, "/account".to_owned(), ends)
        }
        Err(refusal) => again(&console, &person, ends, typed, refusal).await,
    }
}

pub(super) async fn remove_token(
    State(console): State<Shared>,
    Path(token): Path<String>,
    posted: Posted<Nothing>,
) -> Response {
    let Posted { person, fields: Nothing {} } = posted;
    let went = revoke(&console, &person, &person.name, &token).await;
    settled(&console, &person, "/account", went)
}
