//! What a form sends: read within limits, and only when a page of this console sent it.

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::access::{Person, SignedIn, cookie};
use super::csrf::{self, Head};
use super::pages;
use super::state::Shared;
use crate::agent::api::error::Refusal;

/// The cookie of whoever is not signed in yet, for the forms that lead in.
pub(super) const VISIT: &str = "__Host-visit";

#[derive(Deserialize)]
struct Fields<T> {
    csrf: String,
    #[serde(flatten)]
    fields: T,
}

/// A form of somebody who is signed in.
pub(super) struct Posted<T> {
    pub(super) person: Person,
    pub(super) fields: T,
}

impl<T: DeserializeOwned> FromRequest<Shared> for Posted<T> {
    type Rejection = Response;

    async fn from_request(request: Request, console: &Shared) -> Result<Posted<T>, Response> {
        let (mut parts, body) = request.into_parts();
        let SignedIn(person) = SignedIn::from_request_parts(&mut parts, console).await?;
        let read = read(Request::from_parts(parts.clone(), body)).await;
        let read: Fields<T> = read.map_err(|refusal| pages::failed(&refusal))?;
        let meant = person.must_mean_it(Some(&read.csrf), &head(&parts));
        meant.map_err(|refusal| pages::failed(&refusal))?;
        Ok(Posted { person, fields: read.fields })
    }
}

/// A form of somebody who wants in.
pub(super) struct Knocked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Shared> for Knocked<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _console: &Shared) -> Result<Knocked<T>, Response> {
        let (parts, body) = request.into_parts();
        let read: Result<Fields<T>, Refusal> = read(Request::from_parts(parts.clone(), body)).await;
        let checked = read.and_then(|read| {
            let visit = cookie(&parts.headers, VISIT).ok_or_else(|| {
                Refusal::forbidden("this page needs cookies; allow them for this address")
            })?;
            csrf::check(visit, Some(&read.csrf), &head(&parts))?;
            Ok(Knocked(read.fields))
        });
        checked.map_err(|refusal| pages::failed(&refusal))
    }
}

/// A number of a form: there all values are texts.
pub(super) fn number<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    text.trim().parse().map_err(serde::de::Error::custom)
}

fn head(parts: &Parts) -> Head<'_> {
    Head { headers: &parts.headers, uri: &parts.uri }
}

async fn read<T: DeserializeOwned>(request: Request) -> Result<Fields<T>, Refusal> {
    // Its body has come as a whole before anybody looks at it.
    let read = Form::<Fields<T>>::from_request(request, &()).await;
    read.map(|Form(fields)| fields).map_err(|error| Refusal::invalid(error.body_text()))
}
