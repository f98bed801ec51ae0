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
        read.map(|Query(asked)| Asked(asked)).map_err(|error| Refusal::invalid(error.body_text()))
    }
}
