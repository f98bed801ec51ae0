//! What a request brings along is read before anything is answered: some clients of HTTP/2 lose
//! an answer that comes before they have sent it all. And who is refused is told in the form
//! that fits: programs in the API's, people with a page.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::Uri;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;

use super::pages;
use crate::agent::api::MAX_BODY;
use crate::agent::api::error::Refusal;

/// How long a body may take to come.
const TIME: Duration = Duration::from_secs(10);
/// What is read of one that is too long, in bytes; its client may still see the answer.
const DROPPED: usize = 8 * MAX_BODY;

/// Reads the body, and hands it on as a whole.
pub(super) async fn first(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match read(body).await {
        Ok(body) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(refusal) => refused(&parts.uri, refusal),
    }
}

/// A refusal, as whoever asks at this address reads it.
pub(super) fn refused(uri: &Uri, refusal: Refusal) -> Response {
    if is_api(uri) { refusal.into_response() } else { pages::failed(&refusal) }
}

/// Whether programs ask here.
pub(super) fn is_api(uri: &Uri) -> bool {
    uri.path().strip_prefix("/api").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn read(mut body: Body) -> Result<Bytes, Refusal> {
    let whole = async {
        let (mut kept, mut length) = (Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Refusal::invalid("the request's body was cut off"))?;
            let Ok(part) = frame.into_data() else { continue };
            length += part.len();
            if length <= MAX_BODY {
                kept.extend_from_slice(&part);
            } else if length > DROPPED {
                break;
            }
        }
        if length > MAX_BODY { Err(Refusal::too_long()) } else { Ok(kept.into()) }
    };
    tokio::time::timeout(TIME, whole).await.unwrap_or_else(|_| {
        let text = format!("the request's body was not complete within {} s", TIME.as_secs());
        Err(Refusal::invalid(text))
    })
}
