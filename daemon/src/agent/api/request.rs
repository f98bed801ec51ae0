//! What a request carries: its body, the parts of its path, its query. One that cannot be
//! read is refused in the API's own form. Used by every route that takes something.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::Refusal;

/// Longest request body in bytes: the settings of the largest pair.
pub(crate) const MAX_BODY: usize = 1 << 20;
/// How long a body may take to come.
const BODY_TIME: Duration = Duration::from_secs(10);

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, Refusal> {
        let read = Json::from_request(request, state);
        let read: Result<Json<T>, JsonRejection> =
            tokio::time::timeout(BODY_TIME, read).await.map_err(|_| {
                let time = BODY_TIME.as_secs();
                Refusal::invalid(format!("the request's body was not complete within {time} s"))
            })?;
        read.map(|Json(body)| Body(body)).map_err(|error| refuse(&error))
    }
}

fn refuse(error: &JsonRejection) -> Refusal {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Refusal::too_long();
    }
    Refusal::invalid(error.body_text())
}

/// The parts of the path that vary.
pub(super) struct At<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<At<T>, Refusal> {
        let read = Path::from_request_parts(parts, state).await;
        read.map(|Path(at)| At(at)).map_err(|error| Refusal::not_found(error.body_text()))
    }
}

/// What stands behind the question mark.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Asked<T>, Refusal> {
        let read = Query::from_request_parts(parts, state).await;
        read.map(|Query(asked)| Asked(asked)).map_err(|error| refuse_query(&error.body_text()))
    }
}

/// At its field, where the reader names one behind a colon; what it says of numbers and words is
/// for programmers.
fn refuse_query(text: &str) -> Refusal {
    let said = text.rsplit_once("query string: ").map_or(text, |(_, said)| said);
    let field = |place: &&str| place.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
    let Some((place, why)) = said.split_once(": ").filter(|(place, _)| field(place)) else {
        return Refusal::invalid(said);
    };
    let is_no_number = ["invalid digit", "number too large", "cannot parse integer"];
    let why = match is_no_number.iter().any(|it| why.contains(it)) {
        true => "write a whole number, 0 or more",
        false => why,
    };
    Refusal::at(place, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::logs::search::LogsAsk;
    use axum::http::Uri;

    #[test]
    fn a_question_that_cannot_be_read_is_refused_at_its_field() {
        for (query, place, why) in [
            ("last=-1", "last", "whole number"),
            ("since_ms=99999999999999999999", "since_ms", "whole number"),
            ("colour=red", "colour", "unknown field"),
        ] {
            let uri: Uri = format!("/api/v1/logs?{query}").parse().expect("an address");
            let read = Query::<LogsAsk>::try_from_uri(&uri).expect_err("refused");
            let refusal = refuse_query(&read.body_text());
            assert_eq!(refusal.details.len(), 1, "{refusal:?}");
            assert_eq!(refusal.details[0].place, place, "{refusal:?}");
            assert!(refusal.details[0].message.contains(why), "{refusal:?}");
        }
    }
}
