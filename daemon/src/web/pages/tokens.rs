//! Tokens for programs, as the pages of accounts show, make and revoke them.

use askama::Template;
use axum::response::Response;
use serde::Deserialize;

use super::moment::Moment;
use super::{Frame, shown};
use crate::agent::accounts::{AccountView, Made, NewToken, Role, check_name};
use crate::agent::api::error::Refusal;
use crate::agent::api::sync::Taken;
use crate::agent::clock::unix_ms;
use crate::web::access::Person;
use crate::web::listen::Ends;
use crate::web::request::number;
use crate::web::state::Shared;

/// For how long a token may be made, in days and words; 0 for ever.
const LIVES: [(u16, &str); 5] =
    [(7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "a year"), (0, "until it is revoked")];
const DAY_MS: u64 = 86_400_000;

/// What is typed for a new one.
#[derive(Deserialize)]
pub(super) struct TokenForm {
    pub(super) token: String,
    pub(super) scope: Role,
    #[serde(deserialize_with = "number")]
    pub(super) days: u16,
}

impl Default for TokenForm {
    fn default() -> TokenForm {
        TokenForm { token: String::new(), scope: Role::Viewer, days: 90 }
    }
}

impl TokenForm {
    /// Has it made.
    pub(super) async fn order(
        &self,
        console: &Shared,
        person: &Person,
        account: &str,
    ) -> Result<Made, Refusal> {
        check_name("token", &self.token)?;
        let end = |days: u16| unix_ms() + u64::from(days) * DAY_MS;
        let expires_ms = Some(self.days).filter(|days| *days > 0).map(end);
        let new = NewToken { name: self.token.clone(), scope: self.scope, expires_ms };
        let path = format!("/api/v1/accounts/{account}/tokens");
        console.agent.post(&path, &new, &person.name()).await.map_err(|mut refusal: Refusal| {
            // The field has another name on these pages.
            for detail in refusal.details.iter_mut().filter(|it| it.place == "name") {
                "token".clone_into(&mut detail.place);
            }
            refusal
        })
    }
}

/// Takes one away.
pub(super) async fn revoke(
    console: &Shared,
    person: &Person,
    account: &str,
    token: &str,
) -> Result<String, Refusal> {
    check_name("account", account)?;
    check_name("token", token)?;
    let path = format!("/api/v1/accounts/{account}/tokens/{token}");
    console.agent.delete::<Taken>(&path, &person.name()).await?;
    Ok(format!("The token {token} is good for nothing any more."))
}

/// All of an account, and the form for another one.
pub(super) struct Tokens {
    pub(super) rows: Vec<Row>,
    /// Below which the forms' addresses are.
    pub(super) at: String,
    pub(super) typed: TokenForm,
    /// Those that the account may give.
    pub(super) scopes: Vec<Role>,
}

/// One token.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) scope: &'static str,
    pub(super) end: Option<Moment>,
    pub(super) is_over: bool,
}

impl Tokens {
    pub(super) fn of(account: &AccountView, at: String, typed: TokenForm) -> Tokens {
        let row = |token: &crate::agent::accounts::TokenView| Row {
            name: token.name.clone(),
            scope: token.scope.word(),
            end: token.expires_ms.map(Moment::of),
            is_over: token.is_over(unix_ms()),
        };
        let scopes = [Role::Viewer, Role::Operator, Role::Administrator];
        let scopes = scopes.into_iter().filter(|scope| *scope <= account.role).collect();
        Tokens { rows: account.tokens.iter().map(row).collect(), at, typed, scopes }
    }

    pub(super) fn lives(&self) -> [(u16, &'static str); 5] {
        LIVES
    }
}

#[derive(Template)]
#[template(path = "token_made.html")]
struct TokenMade<'a> {
    page: Frame,
    name: &'a str,
    scope: &'static str,
    secret: String,
    back: String,
    url: String,
}

/// The page that shows it, this once.
pub(super) fn made(
    page: Frame,
    typed: &TokenForm,
    made: Made,
    back: String,
    ends: Ends,
) -> Response {
    let url = base_url(ends);
    let (name, scope) = (typed.token.as_str(), made.scope.word());
    shown(&TokenMade { page, name, scope, secret: made.token, back, url })
}

/// The address under which this visitor came.
pub(super) fn base_url(ends: Ends) -> String {
    format!("https://{}", ends.own)
}
