//! The stylesheet, the script and the mark, as they are in the program. Their addresses carry
//! a digest of their content, so that a browser keeps each for good and takes a new one at
//! once after an upgrade.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// One file.
struct Asset {
    name: &'static str,
    form: &'static str,
    content: &'static str,
}

static ALL: [Asset; 3] = [
    Asset {
        name: "console.css",
        form: "text/css; charset=utf-8",
        content: concat!(
            include_str!("../../assets/css/base.css"),
            include_str!("../../assets/css/picture.css"),
            include_str!("../../assets/css/forms.css"),
            include_str!("../../assets/css/sync.css"),
            include_str!("../../assets/css/pairing.css"),
            include_str!("../../assets/css/access.css"),
            include_str!("../../assets/css/availability.css"),
            include_str!("../../assets/css/narrow.css"),
        ),
    },
    Asset {
        name: "console.js",
        form: "text/javascript; charset=utf-8",
        content: concat!(
            include_str!("../../assets/console.js"),
            include_str!("../../assets/availability.js"),
        ),
    },
    Asset {
        name: "mark.svg",
        form: "image/svg+xml",
        content: include_str!("../../assets/mark.svg"),
    },
];

/// Digests of all of them, in their order.
static DIGESTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let digest = |asset: &Asset| blake3::hash(asset.content.as_bytes()).to_hex()[..16].to_owned();
    ALL.iter().map(digest).collect()
});

/// Where a page finds the file of this name.
pub(super) fn place(name: &str) -> String {
    let digest = ALL.iter().zip(DIGESTS.iter()).find(|(asset, _)| asset.name == name);
    format!("/assets/{name}?{}", digest.map_or("", |(_, digest)| digest))
}

/// The routes of all files.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ALL.iter().zip(DIGESTS.iter()).fold(Router::new(), |router, (asset, digest)| {
        let path = format!("/assets/{}", asset.name);
        router.route(&path, get(async move |headers: HeaderMap| answer(asset, digest, &headers)))
    })
}

fn answer(asset: &Asset, digest: &str, asked: &HeaderMap) -> Response {
    let tag = format!("\"{digest}\"");
    let known =
        asked.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let kept = [
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (header::ETAG, tag),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    (kept, [(header::CONTENT_TYPE, asset.form)], asset.content).into_response()
}
