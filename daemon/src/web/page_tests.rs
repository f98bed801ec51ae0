//! Every page of the table: who gets it, who may send its form, and what goes with each answer;
//! and how a session that ends leads back to where one was.

use std::collections::BTreeSet;
use std::io::Read;

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use flate2::read::GzDecoder;
use http_body_util::BodyExt;

use super::access::SESSION;
use super::csrf;
use super::pages::table;
use super::tests::{Folder, PASSWORD, ROLES, Site, path_of, text};
use crate::agent::accounts::{Accounts, NewToken, Role};

const OWN: (&str, &str) = ("origin", "https://gw:8443");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// What must be with every answer, also with one that says no.
fn is_guarded(answer: &Response<Body>, what: &str) {
    let headers = answer.headers();
    for name in [
        "content-security-policy",
        "strict-transport-security",
        "x-content-type-options",
        "x-frame-options",
        "referrer-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "permissions-policy",
        "cache-control",
    ] {
        assert!(headers.contains_key(name), "{what}: no {name}");
    }
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
    assert!(!policy.contains("unsafe"), "{what}: {policy}");
}

fn is_there(status: StatusCode) -> bool {
    status != StatusCode::METHOD_NOT_ALLOWED
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_there_for_its_role_and_closed_to_all_others() {
    let folder = Folder::with_accounts("pages");
    let (mut seen, mut refused) = (0, 0);
    for page in table() {
        // A site for each, so that nobody is turned away for asking too often.
        let site = Site::of(&folder);
        let path = path_of(page.path);
        for method in ["GET", "POST"] {
            let what = format!("{method} {path}");
            let stranger = site.ask(method, &path, &[OWN, FORM], "csrf=0").await;
            is_guarded(&stranger, &what);
            let Some(least) = page.least.filter(|_| is_there(stranger.status())) else { continue };
            if path.ends_with("/live") {
                let closed = [StatusCode::UNAUTHORIZED, StatusCode::SEE_OTHER];
                assert!(closed.contains(&stranger.status()), "{what}");
                continue;
            }
            assert_eq!(stranger.status(), StatusCode::SEE_OTHER, "{what}");
            let way = stranger.headers()[header::LOCATION].to_str().expect("text");
            assert!(way.starts_with("/sign-in"), "{what}: {way}");
            for (name, role) in ROLES {
                let secret = site.session(name);
                let cookie = format!("{SESSION}={secret}");
                let least = if method == "GET" { least.sees } else { least.orders };
                let headers = [("cookie", cookie.as_str()), OWN, FORM];
                let body = format!("csrf={}", csrf::token(&secret));
                let answer = site.ask(method, &path, &headers, &body).await;
                is_guarded(&answer, &what);
                let forbidden = answer.status() == StatusCode::FORBIDDEN;
                assert_eq!(forbidden, role < least, "{what} as {role:?}: {}", answer.status());
                (seen, refused) = (seen + 1, refused + u32::from(forbidden));
            }
        }
    }
    assert!(seen > 60 && refused > 20, "{seen} {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_is_taken_that_no_page_of_this_console_sent() {
    let folder = Folder::with_accounts("forms-of-others");
    let mut forms = 0;
    for page in table() {
        let site = Site::of(&folder);
        let path = path_of(page.path);
        let secret = site.session("anna");
        let (good, cookie) = (csrf::token(&secret), format!("{SESSION}={secret}"));
        let cookie = ("cookie", cookie.as_str());
        let post = async |headers: &[(&str, &str)], csrf: &str| {
            let body = format!("csrf={csrf}");
            site.ask("POST", &path, &[&[cookie, FORM], headers].concat(), &body).await
        };
        if !is_there(post(&[OWN], "0").await.status()) {
            continue;
        }
        forms += 1;
        for (headers, csrf) in [
            (vec![OWN], "0"),
            (vec![OWN], ""),
            (vec![], good.as_str()),
            (vec![("origin", "https://evil")], &good),
            (vec![("origin", "null"), ("sec-fetch-site", "same-origin")], &good),
            (vec![("sec-fetch-site", "cross-site")], &good),
        ] {
            let answer = post(&headers, csrf).await;
            let status = answer.status();
            // A form whose fields are wrong is refused as such before.
            let closed = [StatusCode::FORBIDDEN, StatusCode::UNPROCESSABLE_ENTITY];
            assert!(closed.contains(&status), "{path}: {status} for {headers:?}");
            is_guarded(&answer, &path);
        }
    }
    assert!(forms >= 14, "{forms}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_say_no_are_guarded_too() {
    let folder = Folder::with_accounts("guarded");
    let site = Site::of(&folder);
    let long = "x".repeat(crate::agent::api::MAX_BODY + 1);
    for (method, path, body) in [
        ("GET", "/nothing", ""),
        ("GET", "/api/v1/nothing", ""),
        ("DELETE", "/access", ""),
        ("POST", "/sign-in", "no form"),
        ("POST", "/sign-in", &long),
        ("GET", "/sign-in?next=%ff", ""),
        ("OPTIONS", "/", ""),
        ("TRACE", "/", ""),
        ("GET", "/api/v1/jobs/nine", ""),
    ] {
        let answer = site.ask(method, path, &[], body).await;
        let what = format!("{method} {path} {}", answer.status());
        is_guarded(&answer, &what);
        assert!(!text(answer).await.is_empty(), "{what}: no words");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_ended_leads_back_to_where_one_was() {
    let folder = Folder::with_accounts("back");
    let site = Site::of(&folder);
    let gone = ("cookie", "__Host-session=gone");
    let way = |answer: &Response<Body>| {
        answer.headers()[header::LOCATION].to_str().expect("text").to_owned()
    };
    let page = site.ask("GET", "/audit?user=anna", &[gone], "").await;
    assert_eq!(way(&page), "/sign-in?next=%2Faudit%3Fuser%3Danna");
    assert_eq!(way(&site.ask("GET", "/", &[gone], "").await), "/sign-in");
    let sent = [gone, OWN, FORM, ("referer", "https://gw:8443/access/ben")];
    let form = site.ask("POST", "/access/ben/role", &sent, "csrf=0&role=viewer").await;
    assert_eq!(way(&form), "/sign-in?next=%2Faccess%2Fben");
    let shown = text(site.ask("GET", &way(&page), &[gone], "").await).await;
    assert!(shown.contains("Your session has ended") && shown.contains("/audit?user=anna"));
    let fresh = text(site.ask("GET", "/sign-in", &[], "").await).await;
    assert!(!fresh.contains("has ended") && !fresh.contains("name=\"next\""));
    for (next, wanted) in [
        ("%2Faudit%3Fuser%3Danna", "/audit?user=anna"),
        ("%2F%2Fevil", "/"),
        ("https%3A%2F%2Fevil", "/"),
        ("", "/"),
    ] {
        let first = site.ask("GET", "/sign-in", &[], "").await;
        let visit = first.headers()[header::SET_COOKIE].to_str().expect("text").to_owned();
        let visit = visit.split(';').next().expect("a pair").to_owned();
        let csrf = csrf::token(visit.split_once('=').expect("a pair").1);
        let password = PASSWORD.replace(' ', "+");
        let body = format!("csrf={csrf}&name=anna&password={password}&next={next}");
        let headers = [("cookie", visit.as_str()), OWN, FORM];
        let answer = site.ask("POST", "/sign-in", &headers, &body).await;
        assert_eq!((answer.status(), way(&answer).as_str()), (StatusCode::SEE_OTHER, wanted));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_refused_is_shown_again_with_what_was_typed_and_the_mistake_at_its_field() {
    let folder = Folder::with_accounts("again");
    let site = Site::of(&folder);
    let secret = site.session("anna");
    let (csrf, cookie) = (csrf::token(&secret), format!("{SESSION}={secret}"));
    let post = async |path: &str, fields: &str| {
        let headers = [("cookie", cookie.as_str()), OWN, FORM];
        let answer = site.ask("POST", path, &headers, &format!("csrf={csrf}&{fields}")).await;
        (answer.status(), text(answer).await)
    };
    let new = "name=ben&role=operator&password=correct+horse+battery&again=other+horse+battery";
    let (status, page) = post("/access", new).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("id=\"again-wrong\"") && page.contains("value=\"ben\""), "{page}");
    assert!(page.contains("value=\"operator\" checked"), "{page}");
    assert!(!page.contains("correct horse"), "a password is never shown");
    let (status, page) = post("/account/tokens", "token=Not+so&scope=operator&days=30").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("id=\"token-wrong\"") && page.contains("value=\"Not so\""), "{page}");
    assert!(page.contains("value=\"operator\" selected"), "{page}");
    let wrong = "present=wrong+horse+battery&password=new+horse+battery&again=new+horse+battery";
    let (status, page) = post("/account/password", wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("id=\"present-wrong\""), "{page}");
}

#[tokio::test]
async fn the_list_shows_no_scope_above_its_account_and_no_hash() {
    let folder = Folder::with_accounts("scopes");
    let new = NewToken { name: "watch".to_owned(), scope: Role::Administrator, expires_ms: None };
    let token = Accounts::add_token(&folder.0, "vera", &new).expect("made").token;
    let site = Site::of(&folder);
    let cookie = format!("{SESSION}={}", site.session("anna"));
    let page = text(site.ask("GET", "/access/vera", &[("cookie", &cookie)], "").await).await;
    assert!(page.contains("<td data-label=\"Scope\">viewer</td>"), "{page}");
    assert!(!page.contains(&token) && !page.contains("argon2"), "{page}");
    let stranger = site.ask("GET", "/access/nobody", &[("cookie", &cookie)], "").await;
    assert_eq!(stranger.status(), StatusCode::NOT_FOUND);
}

/// A first visit's stylesheet, script and mark go with each page.
const ASSETS: [&str; 3] = ["/assets/console.css", "/assets/console.js", "/assets/mark.svg"];
/// What a browser may get at a first visit in bytes, less TLS, heads and room for a large pair.
const FIRST_VISIT: usize = 40_000;

#[tokio::test]
async fn the_largest_pages_are_small_on_their_way() {
    let folder = Folder::with_accounts("packed");
    let site = Site::of(&folder);
    let cookie = format!("{SESSION}={}", site.session("anna"));
    let get = async |path: &str, encodings: &str| {
        let headers = [("cookie", cookie.as_str()), ("accept-encoding", encodings)];
        let answer = site.ask("GET", path, &headers, "").await;
        let packed = answer.headers().contains_key(header::CONTENT_ENCODING);
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        (packed, answer.into_body().collect().await.expect("a body").to_bytes())
    };
    let mut with_each = 0;
    for asset in ASSETS {
        let (packed, bytes) = get(asset, "br, gzip").await;
        assert!(packed, "{asset}");
        with_each += bytes.len();
    }
    let (packed, index) = get("/api-reference", "identity").await;
    assert!(!packed);
    let index = String::from_utf8(index.to_vec()).expect("text");
    let groups = index.split("href=\"").filter(|part| part.starts_with("/api-reference/"));
    let groups: BTreeSet<&str> = groups.filter_map(|part| part.split(['"', '#']).next()).collect();
    assert!(groups.contains("/api-reference/settings"), "{groups:?}");
    for path in groups.into_iter().chain(["/api-reference"]) {
        let (packed, bytes) = get(path, "gzip").await;
        assert!(packed && bytes.len() + with_each < FIRST_VISIT, "{path}: {}", bytes.len());
        let mut plain = String::new();
        GzDecoder::new(&bytes[..]).read_to_string(&mut plain).expect("gzip");
        assert_eq!(plain.len(), get(path, "").await.1.len(), "{path}");
    }
}

#[tokio::test]
async fn what_answers_a_question_or_shows_a_secret_is_not_packed() {
    let folder = Folder::with_accounts("not-packed");
    let site = Site::of(&folder);
    let cookie = format!("{SESSION}={}", site.session("anna"));
    let is_packed = async |method: &str, path: &str, body: &str| {
        let headers = [("cookie", cookie.as_str()), ("accept-encoding", "gzip"), OWN, FORM];
        let answer = site.ask(method, path, &headers, body).await;
        answer.headers().contains_key(header::CONTENT_ENCODING)
    };
    assert!(is_packed("GET", "/sign-in", "").await && is_packed("GET", "/account", "").await);
    assert!(!is_packed("GET", "/sign-in?next=/audit", "").await);
    assert!(!is_packed("POST", "/account/tokens", "csrf=0&token=a&scope=viewer&days=1").await);
    assert!(!is_packed("GET", "/pairing", "").await);
    let pairing = table().into_iter().find(|page| page.path == "/pairing").expect("it is there");
    assert!(pairing.secret, "the code of an invitation");
}
