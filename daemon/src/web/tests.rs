//! The console's whole router, asked without a network: who gets what, with an agent that
//! is not there. What reached it is told by its absence: 503.

mod limits;
mod pairing;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::access::SESSION;
use super::csrf;
use super::listen::Ends;
use super::serve::router;
use super::state::{Console, Shared};
use crate::agent::accounts::{Account, Accounts, NewAccount, NewToken, Role};
use crate::agent::api::{access, route};

pub(super) const PASSWORD: &str = "correct horse battery";
pub(super) const ROLES: [(&str, Role); 3] =
    [("vera", Role::Viewer), ("otto", Role::Operator), ("anna", Role::Administrator)];

pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Folder {
        let folder =
            std::env::temp_dir().join(format!("twinwall-web-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("etc")).expect("made");
        Folder(folder)
    }

    pub(super) fn with_accounts(name: &str) -> Folder {
        let folder = Folder::new(name);
        for (name, role) in ROLES {
            let (name, password) = (name.to_owned(), PASSWORD.to_owned());
            Accounts::add(&folder.0, &NewAccount { name, role, password }).expect("made");
        }
        folder
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) struct Site {
    pub(super) console: Shared,
    router: Router,
}

impl Site {
    pub(super) fn of(folder: &Folder) -> Site {
        let console = Console::below(&folder.0);
        Site { router: router(console.clone()), console }
    }

    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Body> {
        let ends = Ends {
            visitor: IpAddr::from([192, 0, 2, 7]),
            own: SocketAddr::from(([10, 1, 0, 2], 8443)),
        };
        let mut request = Request::builder().method(method).uri(path).header("host", "gw:8443");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_owned())).expect("a request");
        request.extensions_mut().insert(ConnectInfo(ends));
        let answer = TowerToHyperService::new(self.router.clone()).call(request).await;
        answer.unwrap_or_else(|never| match never {})
    }

    pub(super) fn session(&self, name: &str) -> String {
        let account: Account =
            self.console.accounts.now().expect("read").find(name).expect("one").clone();
        let secret = self
            .console
            .sessions
            .open(&account, IpAddr::from([192, 0, 2, 7]), Instant::now())
            .expect("opened");
        secret.text().to_owned()
    }
}

pub(super) async fn text(answer: Response<Body>) -> String {
    let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// With its variable parts filled in.
pub(super) fn path_of(template: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "1".to_owned() } else { part.to_owned() };
    template.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_is_there_for_its_role_and_closed_to_all_others() {
    let folder = Folder::with_accounts("roles");
    let token = |name: &str| {
        let new =
            NewToken { name: "test".to_owned(), scope: Role::Administrator, expires_ms: None };
        Accounts::add_token(&folder.0, name, &new).expect("made").token
    };
    let tokens = ROLES.map(|(name, role)| (role, format!("Bearer {}", token(name))));
    let mut asked = 0;
    for (method, path, least) in access() {
        // A site for each, so that nobody is turned away for asking too often.
        let site = Site::of(&folder);
        let (method, path) = (method.name().to_uppercase(), path_of(path));
        let stranger = site.ask(&method, &path, &[], "").await;
        assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        let wrong = site.ask(&method, &path, &[("authorization", "Bearer twinwall_00")], "").await;
        assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        for (role, token) in &tokens {
            let answer = site.ask(&method, &path, &[("authorization", token)], "{}").await;
            let wanted = match *role >= least {
                true => StatusCode::SERVICE_UNAVAILABLE,
                false => StatusCode::FORBIDDEN,
            };
            assert_eq!(answer.status(), wanted, "{method} {path} as {role:?}");
            asked += 1;
        }
    }
    assert!(asked > 90, "{asked}");
}

#[tokio::test]
async fn a_token_may_no_more_than_its_scope() {
    let folder = Folder::with_accounts("scope");
    let new = NewToken { name: "watch".to_owned(), scope: Role::Viewer, expires_ms: None };
    let token = Accounts::add_token(&folder.0, "anna", &new).expect("made").token;
    let (site, bearer) = (Site::of(&folder), format!("Bearer {token}"));
    let by = [("authorization", bearer.as_str())];
    let status = |answer: Response<Body>| answer.status().as_u16();
    assert_eq!(status(site.ask("GET", "/api/v1/status", &by, "").await), 503);
    assert_eq!(status(site.ask("POST", "/api/v1/switchover", &by, "").await), 403);
    assert_eq!(status(site.ask("GET", "/api/v1/nothing", &by, "").await), 404);
    assert_eq!(status(site.ask("GET", "/api/v1/nothing", &[], "").await), 401);
    let page = site.ask("GET", "/", &by, "").await;
    assert_eq!(page.headers()[header::LOCATION], "/sign-in", "a token opens no page");
    Accounts::remove_token(&folder.0, "anna", "watch").expect("removed");
    assert_eq!(status(site.ask("GET", "/api/v1/status", &by, "").await), 401);
}

#[tokio::test]
async fn a_change_by_a_session_needs_its_token_and_its_own_page() {
    let folder = Folder::with_accounts("csrf");
    let site = Site::of(&folder);
    let secret = site.session("otto");
    let cookie = format!("{SESSION}={secret}");
    let good = csrf::token(&secret);
    let own = ("origin", "https://gw:8443");
    let post = async |headers: &[(&str, &str)]| {
        let headers = [&[("cookie", cookie.as_str())][..], headers].concat();
        site.ask("POST", "/api/v1/switchover", &headers, "").await.status().as_u16()
    };
    assert_eq!(post(&[own, (csrf::HEADER, &good)]).await, 503, "it reached the agent");
    assert_eq!(post(&[own]).await, 403);
    assert_eq!(post(&[(csrf::HEADER, &good)]).await, 403);
    assert_eq!(post(&[("origin", "https://evil"), (csrf::HEADER, &good)]).await, 403);
    assert_eq!(post(&[own, (csrf::HEADER, "0")]).await, 403);
    let read = site.ask("GET", "/api/v1/status", &[("cookie", &cookie)], "").await;
    assert_eq!(read.status(), 503);
    let form = format!("csrf={good}");
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    let cookie_pair = ("cookie", cookie.as_str());
    let out = site.ask("POST", "/sign-out", &[cookie_pair, own, form_type], "csrf=0").await;
    assert_eq!(out.status(), 403);
    let out = site.ask("POST", "/sign-out", &[cookie_pair, own, form_type], &form).await;
    assert_eq!(
        (out.status().as_u16(), &out.headers()[header::LOCATION]),
        (303, &"/sign-in".parse().expect("one"))
    );
    assert_eq!(post(&[own, (csrf::HEADER, &good)]).await, 401, "signed out");
}

/// Signs in as a browser does.
pub(super) async fn sign_in(site: &Site, name: &str, password: &str) -> Response<Body> {
    let page = site.ask("GET", "/sign-in", &[], "").await;
    let visit = page.headers()[header::SET_COOKIE].to_str().expect("text");
    let visit = visit.split(';').next().expect("a pair").to_owned();
    let secret = visit.split_once('=').expect("a pair").1;
    let body =
        format!("csrf={}&name={name}&password={}", csrf::token(secret), password.replace(' ', "+"));
    let headers = [
        ("cookie", visit.as_str()),
        ("origin", "https://gw:8443"),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    site.ask("POST", "/sign-in", &headers, &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_opens_a_session_and_a_wrong_one_says_nothing() {
    let folder = Folder::with_accounts("sign-in");
    let site = Site::of(&folder);
    let good = sign_in(&site, "anna", PASSWORD).await;
    assert_eq!(good.status(), StatusCode::SEE_OTHER);
    let cookie = good.headers()[header::SET_COOKIE].to_str().expect("text");
    for word in ["__Host-session=", "Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    let wrong = sign_in(&site, "anna", "wrong horse battery").await;
    let status = wrong.status();
    let (wrong, nobody) = (text(wrong).await, sign_in(&site, "nobody", PASSWORD).await);
    assert_eq!((status, nobody.status()), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
    let same = "name and password do not belong together";
    assert!(wrong.contains(same) && text(nobody).await.contains(same), "{wrong}");
    for _ in 0..10 {
        sign_in(&site, "anna", "wrong horse battery").await;
    }
    let late = sign_in(&site, "anna", PASSWORD).await;
    assert_eq!(late.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn another_password_or_role_holds_at_once() {
    let folder = Folder::with_accounts("holds");
    let site = Site::of(&folder);
    let cookie = format!("{SESSION}={}", site.session("anna"));
    let status = async || {
        let answer = site.ask("GET", "/api/v1/accounts", &[("cookie", &cookie)], "").await;
        answer.status().as_u16()
    };
    assert_eq!(status().await, 503);
    Accounts::set_role(&folder.0, "otto", Role::Administrator).expect("changed");
    Accounts::set_role(&folder.0, "anna", Role::Viewer).expect("changed");
    assert_eq!(status().await, 403);
    Accounts::set_role(&folder.0, "anna", Role::Administrator).expect("changed");
    assert_eq!(status().await, 503);
    Accounts::set_password(&folder.0, "anna", "another horse battery").expect("changed");
    assert_eq!(status().await, 401);
}

#[tokio::test]
async fn a_fresh_node_leads_to_its_set_up_and_every_answer_is_guarded() {
    let folder = Folder::new("fresh");
    let site = Site::of(&folder);
    let page = site.ask("GET", "/sign-in", &[], "").await;
    assert_eq!(page.headers()[header::LOCATION], "/set-up");
    for path in
        ["/", "/set-up", "/sign-in", "/nothing", "/assets/console.css", "/api/v1/status", "/live"]
    {
        let answer = site.ask("GET", path, &[], "").await;
        let headers = answer.headers();
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().expect("text");
        assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
        assert!(
            !policy.contains("unsafe") && headers.contains_key(header::STRICT_TRANSPORT_SECURITY)
        );
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        let keep = headers[header::CACHE_CONTROL].to_str().expect("text");
        assert_eq!(keep == "no-store", !path.starts_with("/assets"), "{path}: {keep}");
    }
    let style = site.ask("GET", "/assets/console.css", &[], "").await;
    let tag = style.headers()[header::ETAG].to_str().expect("text").to_owned();
    let again = site.ask("GET", "/assets/console.css", &[("if-none-match", &tag)], "").await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    let html = text(site.ask("GET", "/set-up", &[], "").await).await;
    assert!(!html.contains("style=") && !html.contains("onclick") && html.contains("setup-token"));
}

#[tokio::test]
async fn what_is_refused_is_told_to_programs_in_the_form_of_the_api() {
    let folder = Folder::with_accounts("forms");
    let site = Site::of(&folder);
    let long = "x".repeat(crate::agent::api::MAX_BODY + 1);
    for (method, path, body, status, code) in [
        ("DELETE", "/api/v1/status", "", 405, "invalid"),
        ("GET", "/api/v2", "", 404, "not_found"),
        ("GET", "/api/v1/", "", 404, "not_found"),
        ("POST", "/api/v1/switchover", &long, 413, "too_long"),
        ("POST", "/api/v1/switchover", "{}", 401, "unauthenticated"),
    ] {
        let answer = site.ask(method, path, &[], body).await;
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json", "{path}");
        assert_eq!(answer.headers().contains_key(header::ALLOW), status == 405, "{path}");
        let body: serde_json::Value = serde_json::from_str(&text(answer).await).expect("JSON");
        assert_eq!(body["code"], code, "{method} {path}");
    }
    let page = text(site.ask("POST", "/sign-in", &[], &long).await).await;
    assert!(page.contains("too long") && page.contains("<html"), "{page}");
}

#[test]
fn the_table_names_each_route_once() {
    let mut all: Vec<(route::Method, &str)> =
        access().into_iter().map(|(method, path, _)| (method, path)).collect();
    let count = all.len();
    all.sort_by_key(|(method, path)| (*path, method.name()));
    all.dedup();
    assert_eq!(all.len(), count);
}

#[tokio::test]
async fn pages_of_the_synchronisation_are_for_their_role() {
    let folder = Folder::with_accounts("sync-pages");
    let (viewer, operator, administrator) = (Role::Viewer, Role::Operator, Role::Administrator);
    // Who may, goes on to the agent, which is not there: 503, or a page or a way that says so.
    for (method, path, fields, least, done) in [
        ("GET", "/sync", "", viewer, 200),
        ("GET", "/sync/vpn", "", viewer, 503),
        ("GET", "/sync/nat", "", viewer, 404),
        ("GET", "/events", "", viewer, 503),
        ("GET", "/failovers/aa-1", "", viewer, 503),
        ("GET", "/failovers/%2e%2e", "", viewer, 404),
        ("GET", "/sync/force", "", operator, 503),
        ("GET", "/sync/vpn/versions/1", "", operator, 503),
        ("POST", "/sync/force", "&direction=push&section-vpn=on", operator, 303),
        ("POST", "/sync/force", "&direction=push", operator, 303),
        ("POST", "/sync/cancel", "", operator, 303),
        ("POST", "/sync/vpn/versions/1", "", administrator, 303),
    ] {
        for (name, role) in ROLES {
            let site = Site::of(&folder);
            let secret = site.session(name);
            let cookie = format!("{SESSION}={secret}");
            let headers = [
                ("cookie", cookie.as_str()),
                ("origin", "https://gw:8443"),
                ("content-type", "application/x-www-form-urlencoded"),
            ];
            let body = format!("csrf={}{fields}", csrf::token(&secret));
            let answer = site.ask(method, path, &headers, &body).await;
            let wanted = if role >= least { done } else { 403 };
            assert_eq!(answer.status().as_u16(), wanted, "{method} {path} as {name}");
            if method == "POST" {
                let forged = site.ask(method, path, &headers, "csrf=0&direction=push").await;
                assert_eq!(forged.status().as_u16(), 403, "{path} without its token");
            }
        }
    }
}
