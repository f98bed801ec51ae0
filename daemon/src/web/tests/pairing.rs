//! The pages' orders by role: who may not is refused before the agent is asked.

use super::*;

/// An order of a page, what its form holds, and who may give it.
const ORDERS: [(&str, &str, Role); 6] = [
    ("/pairing/invite", "&interface=ha0&designation=primary", Role::Administrator),
    ("/pairing/join", "&code=ABCD-2345&interface=", Role::Administrator),
    ("/pairing/replace", "", Role::Administrator),
    ("/pairing/rotate", "", Role::Administrator),
    ("/pairing/unpair", "", Role::Administrator),
    ("/pairing/test", "&way=one", Role::Operator),
];

#[tokio::test]
async fn orders_of_the_pairing_page_are_for_their_role_and_meant() {
    let folder = Folder::with_accounts("pairing");
    for (path, fields, least) in ORDERS {
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
            let answer = site.ask("POST", path, &headers, &body).await;
            // The agent is away, which the next page would say.
            let wanted = if role >= least { StatusCode::SEE_OTHER } else { StatusCode::FORBIDDEN };
            assert_eq!(answer.status(), wanted, "{path} as {name}");
            let forged = site.ask("POST", path, &headers, &format!("csrf=0{fields}")).await;
            assert_eq!(forged.status(), StatusCode::FORBIDDEN, "{path} as {name}");
        }
        let site = Site::of(&folder);
        let stranger = site.ask("POST", path, &[("origin", "https://gw:8443")], "csrf=0").await;
        assert_eq!(stranger.headers()[header::LOCATION], "/sign-in", "{path}");
    }
}

#[tokio::test]
async fn a_job_is_followed_by_those_who_are_signed_in() {
    let folder = Folder::with_accounts("job");
    let site = Site::of(&folder);
    let stranger = site.ask("GET", "/jobs/1/live", &[], "").await;
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
    let cookie = format!("{SESSION}={}", site.session("anna"));
    let asked = site.ask("GET", "/jobs/1/live", &[("cookie", &cookie)], "").await;
    assert_eq!(asked.status(), StatusCode::SERVICE_UNAVAILABLE, "the agent says who may");
}
