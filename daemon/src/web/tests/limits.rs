//! What is too long, too often or too slow, and how that is told.

use super::*;
use crate::web::worded::MAX_HEAD;

#[tokio::test]
async fn a_head_that_is_too_long_is_refused_in_words() {
    let folder = Folder::with_accounts("heads");
    let site = Site::of(&folder);
    let cookie = "x".repeat(MAX_HEAD);
    for (path, form) in
        [("/sign-in", "text/html; charset=utf-8"), ("/api/v1/status", "application/json")]
    {
        let answer = site.ask("GET", path, &[("cookie", &cookie)], "").await;
        assert_eq!(answer.status().as_u16(), 431, "{path}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], form, "{path}");
        assert!(answer.headers().contains_key(header::CONTENT_SECURITY_POLICY), "{path}");
        assert!(text(answer).await.contains("remove the cookies"), "{path}");
    }
    let short = site.ask("GET", "/sign-in", &[("cookie", &cookie[..12_000])], "").await;
    assert_eq!(short.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_agent_that_hangs_is_not_waited_for() {
    let folder = Folder::with_accounts("hangs");
    let run = folder.0.join("run/twinwall");
    std::fs::create_dir_all(&run).expect("made");
    let _socket = std::os::unix::net::UnixListener::bind(run.join("agent.sock")).expect("bound");
    let new = NewToken { name: "watch".to_owned(), scope: Role::Viewer, expires_ms: None };
    let token = Accounts::add_token(&folder.0, "anna", &new).expect("made").token;
    let (site, bearer) = (Site::of(&folder), format!("Bearer {token}"));
    let begun = Instant::now();
    let by = [("authorization", bearer.as_str())];
    let answer = site.ask("GET", "/api/v1/dashboard", &by, "").await;
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    assert!(begun.elapsed().as_secs() < 20 && text(answer).await.contains("does not answer"));
}

#[tokio::test]
async fn who_asks_without_end_is_turned_away() {
    let site = Site::of(&Folder::new("flood"));
    let mut turned_away = 0;
    for _ in 0..400 {
        let answer = site.ask("GET", "/assets/mark.svg", &[], "").await;
        turned_away += u32::from(answer.status() == StatusCode::TOO_MANY_REQUESTS);
    }
    assert!((50..=100).contains(&turned_away), "{turned_away}");
    let refused = async |path: &str| loop {
        let answer = site.ask("GET", path, &[], "").await;
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            break answer;
        }
    };
    let page = refused("/sign-in").await;
    assert_eq!(page.headers()[header::RETRY_AFTER], "1");
    assert!(page.headers().contains_key(header::CONTENT_SECURITY_POLICY));
    let words = text(page).await;
    assert!(words.len() < 100 && words.contains("wait a moment"), "{words}");
    let program = refused("/api/v1/status").await;
    assert_eq!(program.headers()[header::CONTENT_TYPE], "application/json");
    assert!(text(program).await.contains("\"too_many\""));
}
