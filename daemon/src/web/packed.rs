//! Answers made smaller for whoever takes them so (gzip, RFC 1952): stylesheet and script once,
//! pages as they are asked for. How well something is compressed can tell of a secret in it to
//! who chooses the text beside that secret (BREACH). So nothing is packed that answers a form or
//! a query, and no page whose table says that it shows a secret; a form's token is masked.

use std::io::Write;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;

/// What fits one packet goes as it is, in bytes.
const LEAST: usize = 1200;

/// Packs a page on its way.
pub(super) async fn pack(request: Request, next: Next) -> Response {
    let asks = *request.method() == Method::GET && request.uri().query().is_none();
    let may = asks && is_taken(request.headers());
    let response = next.run(request).await;
    if !may || response.status() != StatusCode::OK || !is_page(response.headers()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let whole = match body.collect().await {
        Ok(whole) => whole.to_bytes(),
        Err(error) => {
            eprintln!("twinwall web: a page could not be read: {error}");
            return (StatusCode::INTERNAL_SERVER_ERROR, "this page could not be made")
                .into_response();
        }
    };
    if whole.len() < LEAST {
        return Response::from_parts(parts, Body::from(whole));
    }
    let Some(packed) = gzip(&whole, Compression::fast()) else {
        return Response::from_parts(parts, Body::from(whole));
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(GZIP));
    Response::from_parts(parts, Body::from(packed))
}

/// The word for it (RFC 9110, section 8.4.1.3).
pub(super) const GZIP: &str = "gzip";

/// Whether whoever asks takes it (RFC 9110, section 12.5.3).
pub(super) fn is_taken(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let mut all = values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    all.any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let weight = weight.trim().strip_prefix("q=").map(str::trim);
        let is_none = weight.is_some_and(|it| it.bytes().all(|byte| b"0.".contains(&byte)));
        name.trim().eq_ignore_ascii_case(GZIP) && !is_none
    })
}

/// The same smaller; none where there is no memory for it.
pub(super) fn gzip(bytes: &[u8], level: Compression) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), level);
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

fn is_page(headers: &HeaderMap) -> bool {
    let form = headers.get(header::CONTENT_TYPE);
    form.is_some_and(|form| form.as_bytes().starts_with(b"text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_says_so_gets_it_packed() {
        let takes = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, text.parse().expect("a value"));
            is_taken(&headers)
        };
        for good in ["gzip", "br, GZIP;q=0.5", "gzip, deflate, br, zstd", "deflate , gzip ;q=1"] {
            assert!(takes(good), "{good}");
        }
        for not in ["", "identity", "br", "gzip;q=0", "gzip;q=0.000, br", "xgzip"] {
            assert!(!takes(not), "{not}");
        }
        assert!(!is_taken(&HeaderMap::new()));
    }
}
