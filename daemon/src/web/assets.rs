//! The stylesheet, the script and the mark, as they are in the program. Their addresses carry
//! a digest of their content, so that a browser keeps each for good and takes a new one at
//! once after an upgrade. Each is packed once.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;

use super::packed::{self, GZIP, gzip};

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
            include_str!("../../assets/css/forms.css"),
            include_str!("../../assets/css/picture.css"),
            include_str!("../../assets/css/sync.css"),
            include_str!("../../assets/css/events.css"),
            include_str!("../../assets/css/logs.css"),
            include_str!("../../assets/css/pairing.css"),
            include_str!("../../assets/css/access.css"),
            include_str!("../../assets/css/availability.css"),
            include_str!("../../assets/css/reports.css"),
            include_str!("../../assets/css/narrow.css"),
        ),
    },
    Asset {
        name: "console.js",
        form: "text/javascript; charset=utf-8",
        content: concat!(
            include_str!("../../assets/console.js"),
            include_str!("../../assets/availability.js"),
            include_str!("../../assets/logs.js"),
        ),
    },
    Asset {
        name: "mark.svg",
        form: "image/svg+xml",
        content: include_str!("../../assets/mark.svg"),
    },
];

/// What is made of one.
struct Made {
    digest: String,
    packed: Option<Vec<u8>>,
}

/// Of all of them, in their order.
static MADE: LazyLock<Vec<Made>> = LazyLock::new(|| {
    let made = |asset: &Asset| Made {
        digest: blake3::hash(asset.content.as_bytes()).to_hex()[..16].to_owned(),
        packed: gzip(asset.content.as_bytes(), Compression::best()),
    };
    ALL.iter().map(made).collect()
});

/// Where a page finds the file of this name.
pub(super) fn place(name: &str) -> String {
    let found = ALL.iter().zip(MADE.iter()).find(|(asset, _)| asset.name == name);
    format!("/assets/{name}?{}", found.map_or("", |(_, made)| &made.digest))
}

/// The routes of all files.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ALL.iter().zip(MADE.iter()).fold(Router::new(), |router, (asset, made)| {
        let path = format!("/assets/{}", asset.name);
        router.route(&path, get(async move |headers: HeaderMap| answer(asset, made, &headers)))
    })
}

fn answer(asset: &Asset, made: &'static Made, asked: &HeaderMap) -> Response {
    let packed = made.packed.as_deref().filter(|_| packed::is_taken(asked));
    // What is packed is another representation, with a tag of its own (RFC 9110, section 8.8.3.3).
    let tag = format!("\"{}{}\"", made.digest, if packed.is_some() { "-gzip" } else { "" });
    let known =
        asked.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let kept = [
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (header::VARY, "accept-encoding".to_owned()),
        (header::ETAG, tag),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, kept).into_response();
    }
    let form = [(header::CONTENT_TYPE, asset.form)];
    match packed {
        Some(packed) => (kept, form, [(header::CONTENT_ENCODING, GZIP)], packed).into_response(),
        None => (kept, form, asset.content).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// Files of single pages, and what all of these have in common.
    const OF_PAGES: [&str; 7] = [
        include_str!("../../assets/css/sync.css"),
        include_str!("../../assets/css/events.css"),
        include_str!("../../assets/css/logs.css"),
        include_str!("../../assets/css/pairing.css"),
        include_str!("../../assets/css/access.css"),
        include_str!("../../assets/css/availability.css"),
        include_str!("../../assets/css/reports.css"),
    ];

    #[test]
    fn what_one_page_has_stands_below_its_own_class() {
        let mut classes = BTreeSet::new();
        for file in OF_PAGES {
            for rule in file.lines().filter(|line| !line.starts_with("/*")) {
                let Some((selectors, _)) = rule.split_once(" {") else { continue };
                if selectors.trim_start().starts_with('@') {
                    continue;
                }
                // A comma within brackets separates nothing that is to have the class.
                for selector in selectors.split(", .").filter(|it| !it.contains(')')) {
                    let class = selector.split(['.', ' ', ':']).find(|it| it.starts_with("at-"));
                    assert!(class.is_some(), "{selector} of {rule}");
                    classes.extend(class);
                }
            }
        }
        for place in crate::web::pages::Place::ALL {
            classes.remove(place.class());
        }
        assert!(classes.is_empty(), "of no page: {classes:?}");
    }
}
