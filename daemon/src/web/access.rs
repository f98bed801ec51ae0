//! Who is behind a request: a person by the session's cookie, or a program by its token. Asked
//! anew for each request, so that a role that was taken away is gone at once.

use std::net::IpAddr;
use std::time::Instant;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::agent::Name;
use super::csrf::{self, Head};
use super::listen::Ends;
use super::state::Shared;
use crate::agent::accounts::Role;
use crate::agent::api::error::{Code, Refusal};

/// The cookie of a session. Its prefix binds it to this host, to HTTPS and to all paths
/// (RFC 6265bis, section 4.1.3).
pub(super) const SESSION: &str = "__Host-session";

/// Somebody who may be here.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) from: IpAddr,
    /// The session's secret; none of a program.
    pub(super) session: Option<String>,
}

impl Person {
    /// Whose request this is. With `uses` a session is used by it.
    pub(super) fn of(console: &Shared, parts: &Parts, uses: bool) -> Result<Person, Refusal> {
        let from = ends(parts)?.visitor;
        if let Some(token) = bearer(&parts.headers) {
            return by_token(console, token, from);
        }
        let unknown = || Refusal::new(Code::Unauthenticated, "sign in, or send a token");
        let secret = cookie(&parts.headers, SESSION).ok_or_else(unknown)?;
        let name = console.sessions.account_of(secret, uses, Instant::now()).ok_or_else(unknown)?;
        let accounts = console.accounts.now()?;
        let account = accounts.find(&name).ok_or_else(unknown)?;
        if !console.sessions.fits(secret, account) {
            return Err(unknown());
        }
        let session = Some(secret.to_owned());
        Ok(Person { name, role: account.role, from, session })
    }

    /// For the agent.
    pub(super) fn name(&self) -> Name {
        Name { user: self.name.clone(), from: self.from.to_string(), role: self.role }
    }

    /// Refuses what this role may not.
    pub(super) fn must_be(&self, least: Role) -> Result<(), Refusal> {
        if self.role >= least {
            return Ok(());
        }
        Err(Refusal::forbidden(format!(
            "this needs the role {}; {} is {}",
            least.word(),
            self.name,
            self.role.word()
        )))
    }

    /// Refuses a change that no page of this console asked for. A program has no pages.
    pub(super) fn must_mean_it(&self, given: Option<&str>, head: &Head<'_>) -> Result<(), Refusal> {
        match &self.session {
            Some(secret) => csrf::check(secret, given, head),
            None => Ok(()),
        }
    }
}

fn by_token(console: &Shared, token: &str, from: IpAddr) -> Result<Person, Refusal> {
    let accounts = console.accounts.now()?;
    if let Some((account, role)) = accounts.by_token(token) {
        return Ok(Person { name: account.name.clone(), role, from, session: None });
    }
    console.guessing.guess(None, from, Instant::now())?;
    Err(Refusal::new(
        Code::Unauthenticated,
        "nobody has this token; make one with 'twinwall account token add'",
    ))
}

/// The ends of the connection.
pub(super) fn ends(parts: &Parts) -> Result<Ends, Refusal> {
    let ends = parts.extensions.get::<ConnectInfo<Ends>>();
    ends.map(|ends| ends.0).ok_or_else(|| Refusal::machine("a request without a connection"))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// What sets a cookie that lives as long as a session can, or removes it.
pub(super) fn set_cookie(name: &str, value: &str) -> String {
    let age = if value.is_empty() { 0 } else { super::sessions::LONGEST.as_secs() };
    format!("{name}={value}; Path=/; Max-Age={age}; Secure; HttpOnly; SameSite=Strict")
}

/// Somebody who is signed in at a page; anybody else is shown the way in.
pub(super) struct SignedIn(pub(super) Person);

impl FromRequestParts<Shared> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Shared) -> Result<SignedIn, Response> {
        match Person::of(console, parts, true) {
            Ok(person) if person.session.is_some() => Ok(SignedIn(person)),
            Ok(_) | Err(Refusal { code: Code::Unauthenticated, .. }) => {
                Err(Redirect::to("/sign-in").into_response())
            }
            Err(refusal) => Err(super::pages::failed(&refusal)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_and_tokens_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=1; __Host-session=abc;b=2".parse().expect("a value"));
        headers.append(header::COOKIE, "c=3".parse().expect("a value"));
        assert_eq!(cookie(&headers, SESSION), Some("abc"));
        assert_eq!((cookie(&headers, "c"), cookie(&headers, "session")), (Some("3"), None));
        assert_eq!(bearer(&headers), None);
        headers.insert(header::AUTHORIZATION, "bearer  xyz".parse().expect("a value"));
        assert_eq!(bearer(&headers), Some("xyz"));
        headers.insert(header::AUTHORIZATION, "Basic xyz".parse().expect("a value"));
        assert_eq!(bearer(&headers), None);
    }
}
