//! Who is behind a request: a person by the session's cookie, or a program by its token. Asked
//! anew for each request, so that a role that was taken away is gone at once.

use std::net::IpAddr;
use std::time::Instant;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::agent::Name;
use super::csrf::{self, Head};
use super::listen::Ends;
use super::state::Shared;
use crate::agent::accounts::Role;
use crate::agent::api::error::{Code, Refusal};
use crate::agent::audit::SignIn;
use crate::agent::clock::unix_ms;
use crate::percent::encoded;

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
    if let Some((account, role)) = accounts.by_token(token, unix_ms()) {
        return Ok(Person { name: account.name.clone(), role, from, session: None });
    }
    console.telling.tell(SignIn::TokenRefused, None, from);
    console.guessing.guess(None, from, Instant::now())?;
    Err(Refusal::new(
        Code::Unauthenticated,
        "nobody has this token, or it has ended; make one at 'Your account', or with 'twinwall \
         account token add'",
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

/// Who may see a page, and who may send its form; the table of pages says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Least {
    pub(super) sees: Role,
    pub(super) orders: Role,
}

impl Least {
    fn of(self, method: &Method) -> Role {
        if *method == Method::GET || *method == Method::HEAD { self.sees } else { self.orders }
    }
}

/// The page to sign in, which leads back to where somebody was.
fn way_in(parts: &Parts) -> String {
    let asked =
        match parts.method {
            Method::GET => parts.uri.path_and_query().map(|path| path.as_str().to_owned()),
            // What was typed is gone; the page on which it was is there.
            _ => parts.headers.get(header::REFERER).and_then(|from| from.to_str().ok()).and_then(
                |from| Some(from.parse::<Uri>().ok()?.path_and_query()?.as_str().to_owned()),
            ),
        };
    match asked.as_deref().and_then(own_path).filter(|path| *path != "/") {
        Some(path) => format!("/sign-in?next={}", encoded(path)),
        None => "/sign-in".to_owned(),
    }
}

/// A path of this console, and of nothing else.
pub(super) fn own_path(text: &str) -> Option<&str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let own = text.starts_with('/') && !text.starts_with("//") && text.len() <= MAX_PATH;
    let leads_in = ["/sign-in", "/set-up", "/sign-out"].iter().any(|path| text.starts_with(path));
    (plain && own && !leads_in).then_some(text)
}

/// Longest path that is led back to.
const MAX_PATH: usize = 300;

/// Somebody who is signed in at a page and may use it; anybody else is shown the way in.
pub(super) struct SignedIn(pub(super) Person);

impl FromRequestParts<Shared> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Shared) -> Result<SignedIn, Response> {
        match Person::of(console, parts, true) {
            Ok(person) if person.session.is_some() => {
                let may = parts
                    .extensions
                    .get::<Least>()
                    .map_or(Ok(()), |least| person.must_be(least.of(&parts.method)));
                may.map(|()| SignedIn(person)).map_err(|refusal| super::pages::failed(&refusal))
            }
            Ok(_) | Err(Refusal { code: Code::Unauthenticated, .. }) => {
                Err(Redirect::to(&way_in(parts)).into_response())
            }
            Err(refusal) => Err(super::pages::failed(&refusal)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_to_another_site() {
        for good in ["/", "/sync?section=vpn", "/access/anna"] {
            assert_eq!(own_path(good), Some(good));
        }
        for wrong in [
            "",
            "x",
            "//evil",
            "/\\evil",
            "https://evil/",
            "/a b",
            "/a\r\nx: y",
            "/sign-in?next=/",
            "/sign-out",
            "/\u{e4}",
        ] {
            assert_eq!(own_path(wrong), None, "{wrong}");
        }
        assert_eq!(own_path(&format!("/{}", "x".repeat(MAX_PATH))), None);
    }

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
