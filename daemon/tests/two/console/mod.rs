//! The console of two real nodes, asked by curl over HTTPS as a browser and a program would,
//! and seen by a real browser.
//!
//! Needs the guard's binary beside the command (`cargo build`).

mod access;
mod availability;
mod browser;
mod questions;
pub(crate) mod support;

use std::fs;
use std::time::Duration;

use serde_json::Value;
use support::{Console, PASSWORD, json, role, with_consoles};

use crate::support::{ip, wait, within};

#[test]
fn the_first_set_up_needs_the_nodes_own_token_and_the_account_reaches_the_other_node() {
    let two = with_consoles();
    let here = Console::of(&two.a, "10.1.0.2");
    let way_in = here.ask(&["/"]);
    assert_eq!((way_in.status, way_in.header("location")), (303, Some("/sign-in")));
    assert!(here.ask(&["--location", "/"]).body.contains("First set-up"));
    let wrong = here.set_up("0000-0000-0000-0000-0000");
    assert!(wrong.status == 403 && wrong.body.contains("setup-token"), "{wrong:?}");
    let token = two.a.good(&["web", "setup-token"]);
    let token = token.lines().next().expect("a token");
    let page = here.set_up(token);
    assert_eq!(page.status, 303, "{}", page.body);
    for version in ["--http2", "--http1.1"] {
        let page = here.ask(&[version, "/"]);
        assert!(page.status == 200 && page.body.contains("gw-a"), "{page:?}");
    }
    assert_eq!(here.ask(&["/set-up"]).header("location"), Some("/sign-in"), "only once");
    let sizes = ["/", "/assets/console.css", "/assets/console.js", "/assets/mark.svg"]
        .map(|path| here.ask(&["-H", "accept-encoding: gzip", path]))
        .map(|answer| answer.header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0));
    assert!(sizes.iter().sum::<usize>() < 30_000 && !sizes.contains(&0), "{sizes:?}");
    let log = two.a.text("agent.log");
    let told = "first-set-up from 10.1.0.2: POST /api/v1/first-account: done (200)";
    assert!(log.contains(told) && !log.contains(PASSWORD) && !log.contains(token), "{log}");
    // The section 'user management' takes it along; there no second first account is made.
    let there = Console::of(&two.b, "10.1.0.3");
    wait("the account is on the other node", || there.ask(&["/set-up"]).status == 303);
    assert_eq!(there.sign_in("anna", PASSWORD).status, 303);
    assert!(there.ask(&["/"]).body.contains("gw-b"));
    assert_eq!(there.sign_in("anna", "not her password").status, 401);
}

#[test]
fn a_program_may_what_its_token_says_and_history_tells_who_it_was() {
    let two = with_consoles();
    let here = Console::of(&two.a, "10.1.0.2");
    for (name, role) in [("anna", "administrator"), ("vera", "viewer")] {
        two.a.typed(&["account", "add", name, "--role", role], PASSWORD);
    }
    let token = |name: &str, scope: &str| {
        let made = two.a.good(&["account", "token", "add", name, "test", "--scope", scope]);
        format!("authorization: Bearer {}", made.trim())
    };
    let (anna, vera) = (token("anna", "administrator"), token("vera", "administrator"));
    let status_is = |word: &str| {
        let seen = here.ask(&["-H", &vera, "/api/v1/dashboard"]).body;
        let view: Value = serde_json::from_str(&seen).unwrap_or_default();
        (&view["here"]["status"], &view["there"]["status"]) == (&"active".into(), &word.into())
    };
    wait("the accounts are on both nodes", || status_is("passive"));
    let order = ["-X", "POST", "-d", "{\"lasts_s\":60}", "/api/v1/maintenance"];
    assert_eq!(here.ask(&[&["-H", &vera][..], &order].concat()).status, 403);
    assert_eq!(here.ask(&order).status, 401);
    let there = Console::of(&two.b, "10.1.0.3");
    // The other node may have taken the accounts between the making of the one and the other.
    wait("both tokens are on the other node", || {
        let known = |token: &str| there.ask(&["-H", token, "/api/v1/status"]).status == 200;
        known(&anna) && known(&vera)
    });
    let taken = there.ask(&[&["-H", &anna][..], &order].concat());
    assert_eq!(taken.status, 200, "{}", taken.body);
    assert!(two.b.text("agent.log").contains("anna from 10.1.0.3: POST /api/v1/maintenance: done"));
    wait("both say so", || status_is("maintenance"));
    let ended = there.ask(&["-H", &anna, "-X", "DELETE", "/api/v1/maintenance"]);
    assert_eq!(ended.status, 200, "{}", ended.body);
    let events = there.ask(&["-H", &vera, "/api/v1/events?last=2"]);
    let events: Value = serde_json::from_str(&events.body).expect("JSON");
    assert_eq!(events["events"].as_array().map(Vec::len), Some(2));
    assert_eq!((role(&two.a), role(&two.b)), ("active".to_owned(), "passive".to_owned()));
}

#[test]
fn nobody_is_served_over_the_ha_link() {
    let two = with_consoles();
    for (node, address) in [(&two.a, "10.9.0.1/30"), (&two.b, "10.9.0.2/30")] {
        ip(&["-n", node.namespace(), "addr", "add", address, "dev", "ha0"]);
    }
    let from_there = |address: &str| Console::of(&two.b, address).ask(&["/set-up"]).status;
    wait("the address is known", || from_there("10.9.0.1") == 0);
    assert_eq!(from_there("10.1.0.2"), 200);
}

#[test]
fn another_certificate_is_used_without_a_restart() {
    let two = with_consoles();
    let before = Console::of(&two.a, "10.1.0.2").certificate();
    let made = rcgen::generate_simple_self_signed(["console.example".to_owned()]).expect("made");
    two.a.write("etc/twinwall-web/key.pem", &made.signing_key.serialize_pem());
    two.a.write("etc/twinwall-web/cert.pem", &made.cert.pem());
    wait("it is used", || Console::of(&two.a, "10.1.0.2").certificate() != before);
    two.a.write("etc/twinwall-web/cert.pem", "nonsense");
    std::thread::sleep(Duration::from_secs(3));
    let now = Console::of(&two.a, "10.1.0.2").certificate();
    assert!(now != before && !now.is_empty(), "the one before it holds");
}

/// Memory of the console's process, its own and what it has of its program's file.
fn memory_kib(node: &crate::support::Node) -> u64 {
    let root = node.root.to_string_lossy().into_owned();
    let all = fs::read_dir("/proc").expect("there").flatten().map(|entry| entry.path());
    let is_console = |line: &str| line.contains(&root) && line.ends_with("\0web\0");
    let console = all.into_iter().find(|process| {
        fs::read_to_string(process.join("cmdline")).is_ok_and(|line| is_console(&line))
    });
    let status = fs::read_to_string(console.expect("it runs").join("status")).expect("there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Many connections that say nothing, many requests, long bodies, and its death: the role and
/// the other node do not notice.
#[test]
fn a_flood_of_the_console_moves_no_role() {
    let two = with_consoles();
    let beats = |node| json(node, &["status", "--json"])["paths"][0]["heard"].as_u64().unwrap_or(0);
    let (began, before) = (std::time::Instant::now(), beats(&two.b));
    let console: std::net::SocketAddr = "10.1.0.2:8443".parse().expect("an address");
    let silent = within(two.b.namespace(), || {
        let one = |_| std::net::TcpStream::connect(console).ok();
        (0..400).filter_map(one).collect::<Vec<_>>()
    });
    let here = Console::of(&two.a, "10.1.0.2");
    let flood: Vec<&str> = std::iter::repeat_n("/assets/console.css", 600).collect();
    let answers = here.ask(&flood);
    assert!(answers.body.contains("too many requests"), "{}", answers.status);
    let long = two.a.path("long");
    fs::write(&long, vec![b'x'; 8 << 20]).expect("written");
    let body = format!("@{}", long.display());
    std::thread::sleep(Duration::from_secs(3));
    let answer = here.ask(&["-X", "POST", "--data-binary", &body, "/sign-in"]);
    assert!([403, 413, 422, 0].contains(&answer.status), "{}", answer.status);
    let alone = two.b.run(&["status", "--json"]);
    assert_eq!(alone.code, Some(0));
    let expected = began.elapsed().as_secs();
    let heard = beats(&two.b) - before;
    assert!(heard + 2 >= expected, "{heard} beats in {expected} s");
    assert_eq!((role(&two.a), role(&two.b)), ("active".to_owned(), "passive".to_owned()));
    let memory = memory_kib(&two.a);
    assert!(memory < 80 << 10, "{memory} KiB after a flood");
    drop(silent);
    wait("visitors are served again", || here.ask(&["/set-up"]).status == 200);
}
