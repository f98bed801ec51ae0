//! The audit log of two real nodes, and the support bundle.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::support::{Console, PASSWORD, with_consoles};
use crate::support::{Node, wait, wait_telling};

/// The entries that `twinwall audit` shows.
fn audit(node: &Node, more: &[&str]) -> Vec<Value> {
    let arguments = [&["audit", "--json", "--last", "500"], more].concat();
    let lines = node.good(&arguments);
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn is(entry: &Value, user: &str, text: &str, outcome: &str) -> bool {
    entry["user"] == user
        && entry["text"].as_str().is_some_and(|it| it.contains(text))
        && entry["outcome"] == outcome
}

#[test]
fn who_changed_what_is_told_with_what_became_of_it_and_outlives_the_agent() {
    let mut two = with_consoles();
    two.a.typed(&["account", "add", "anna", "--role", "administrator"], PASSWORD);
    let here = Console::of(&two.a, "10.1.0.2");
    assert_eq!(here.sign_in("anna", "wrong horse battery").status, 401);
    assert_eq!(here.sign_in("anna", PASSWORD).status, 303);
    let token =
        two.a.good(&["account", "token", "add", "anna", "test", "--scope", "administrator"]);
    let bearer = format!("authorization: Bearer {}", token.trim());
    let order = |arguments: &[&str]| here.ask(&[&["-H", &bearer][..], arguments].concat()).status;
    assert_eq!(order(&["-X", "POST", "/api/v1/pair/rotate"]), 200);
    let told = |user: &str, text: &str, outcome: &str| {
        audit(&two.a, &[]).iter().any(|entry| is(entry, user, text, outcome))
    };
    wait("what became of the change of keys", || told("anna", "Change the keys", "done"));
    assert!(told("anna", "Change the keys", "begun"));
    let log = two.a.text("agent.log");
    assert!(log.contains("anna from 10.1.0.2: POST /api/v1/pair/rotate: begun (200)"), "{log}");
    assert!(log.contains("POST /api/v1/pair/rotate: job 1: done"), "{log}");
    wait("the sections are in sync", || {
        two.a.good(&["sync", "--json"]).contains("\"verdict\":\"in_sync\"")
    });
    let push = ["-H", "content-type: application/json", "-d", "{\"direction\":\"push\"}"];
    order(&[&push[..], &["/api/v1/sync"]].concat());
    two.a.good(&["clear-damping"]);
    assert_eq!(order(&["-X", "DELETE", "/api/v1/accounts/anna"]), 409);
    for (user, text, outcome) in [
        ("root", "Make an account (name: anna, role: administrator)", "done"),
        ("anna", "Sign in", "refused"),
        ("anna", "Sign in", "done"),
        ("root", "Make a token for programs; it is shown this once (name: test", "done"),
        ("anna", "(direction: push)", "refused"),
        ("root", "(order: clear_damping)", "done"),
        ("anna", "Remove an account", "refused"),
    ] {
        wait(text, || told(user, text, outcome));
    }
    // Only the console itself tells of sign-ins; who comes through it does not.
    let note = r#"{"what":"signed_in","user":"ben","from":"192.0.2.9"}"#;
    let forged = ["-H", "content-type: application/json", "-d", note, "/api/v1/audit/sign-ins"];
    assert_eq!(order(&forged), 403);
    outlives_the_agent(&mut two.a, token.trim());
}

/// What was told is there after a crash, and holds no secret.
fn outlives_the_agent(node: &mut Node, token: &str) {
    let before = audit(node, &[]);
    node.kill();
    node.start();
    let told = || format!("{:?}\n{}", node.run(&["audit"]), node.text("agent.log"));
    wait_telling("the agent answers", || node.run(&["audit"]).code == Some(0), told);
    let after = audit(node, &[]);
    assert_eq!(after[..before.len()], before);
    let only = audit(node, &["--user", "anna"]);
    assert!(only.len() > 4 && only.iter().all(|entry| entry["user"] == "anna"), "{only:?}");
    let all = format!("{after:?}{}", node.good(&["audit"]));
    assert!(!all.contains("horse") && !all.contains(token) && !all.contains("argon2"));
}

/// Everything in the archive, names and contents.
fn unpacked(node: &Node) -> String {
    let file = node.path("bundle.tar.gz");
    node.good(&["support-bundle", &file.display().to_string()]);
    let output = Command::new("tar").args(["xzvOf"]).arg(&file).output().expect("tar starts");
    assert!(output.status.success());
    let both = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[test]
fn the_support_bundle_holds_what_helps_and_no_secret() {
    let two = with_consoles();
    two.a.typed(&["account", "add", "anna", "--role", "administrator"], PASSWORD);
    let token = two.a.good(&["account", "token", "add", "anna", "test"]);
    // What the profile masks, quoted where nobody expects it: as a reason of a service or check.
    two.a.write("etc/ethers", "shared-key hidden-by-the-profile-1\nplain words\n");
    two.a.write("etc/twinwall/note", "");
    let node = two.a.text("etc/twinwall/node.toml");
    two.a.write("etc/twinwall/node.toml", &format!("{node}# hidden-by-the-profile-1\n"));
    wait("the change is in the store", || {
        let versions = two.a.good(&["sync", "history", "definitions"]);
        versions.lines().count() > 1
            && two.a.good(&["sync", "--json"]).contains("\"verdict\":\"in_sync\"")
    });
    let all = unpacked(&two.a);
    for part in [
        "README.txt",
        "versions.txt",
        "status.json",
        "explain.txt",
        "events.json",
        "dashboard.json",
        "sync.json",
        "services.json",
        "preflight.json",
        "ha.json",
        "peer.json",
        "audit.json",
        "settings/node.toml",
        "settings/pair.toml",
        "kernel/nft.txt",
        "kernel/lan.addresses.txt",
    ] {
        assert!(all.contains(&format!("/{part}")), "{part}");
    }
    assert!(all.contains("gw-b") && all.contains("What is true?") && all.contains("10.1.0.1"));
    holds_no_secret(&two.a, &all, token.trim());
    let size = fs::metadata(two.a.path("bundle.tar.gz")).expect("there").len();
    assert!(size < 1 << 20, "{size}");
    let again = two.a.run(&["support-bundle", &two.a.path("bundle.tar.gz").display().to_string()]);
    assert_eq!(again.code, Some(4), "no file is overwritten");
}

/// Keys of the pair, of the node and of its console, hashes, and what the profile masks.
fn holds_no_secret(node: &Node, all: &str, token: &str) {
    let key = node.text("etc/twinwall/pair.key");
    let identity = node.text("etc/twinwall/identity/node.pem");
    let own = node.text("var/lib/twinwall-web/key.pem");
    let accounts = node.text("etc/twinwall-accounts/accounts.toml");
    let hashes = accounts
        .lines()
        .filter_map(|line| line.split_once("= '"))
        .filter(|(key, _)| ["password ", "hash "].contains(key));
    let mut secrets: Vec<&str> = hashes.map(|(_, hash)| hash.trim_end_matches('\'')).collect();
    assert_eq!(secrets.len(), 2);
    secrets.extend([token, PASSWORD, "hidden-by-the-profile-1", "PRIVATE KEY"]);
    secrets
        .extend(key.lines().chain(identity.lines()).chain(own.lines()).filter(|it| it.len() > 20));
    assert!(secrets.len() > 8, "{}", secrets.len());
    for secret in secrets.iter().filter(|it| !it.starts_with("-----")) {
        assert!(!all.contains(secret.trim()), "it holds {secret}");
    }
}
