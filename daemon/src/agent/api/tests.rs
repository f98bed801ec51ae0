//! The API over its real socket, asked as a client would.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::agent::jobs::Kind;
use crate::agent::machine::Machine;

/// An agent without settings and without a peer, gone at the end.
struct Agent {
    folder: PathBuf,
    node: Arc<Node>,
}

impl Agent {
    async fn start(name: &str) -> Agent {
        let folder =
            std::env::temp_dir().join(format!("twinwall-api-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("etc/twinwall")).expect("made");
        let text = "name = \"gw-a\"\ndesignation = \"primary\"\n";
        std::fs::write(folder.join("etc/twinwall/node.toml"), text).expect("written");
        let listener = listen(&folder.join("agent.sock")).await.expect("it listens");
        let runtime = tokio::runtime::Handle::current();
        let (node, _) = Node::start(&folder, Machine::below(&folder), runtime).expect("it starts");
        let router = router(Shared { node: Arc::clone(&node) });
        tokio::spawn(server::serve(listener, router));
        Agent { folder, node }
    }

    async fn ask(&self, request: &str, body: &str) -> (u16, Value) {
        let text = format!(
            "{request} HTTP/1.1\r\nhost: agent\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = self.say(text.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
        let status = head[9..12].parse().expect("a status");
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// These bytes, and all that comes back until the agent closes.
    async fn say(&self, request: &[u8]) -> String {
        let mut stream =
            UnixStream::connect(self.folder.join("agent.sock")).await.expect("it is reached");
        // One that is refused early may be closed before all of it was said.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut part).await {
            answer.extend_from_slice(&part[..length]);
        }
        String::from_utf8(answer).expect("text")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.node.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_answers_with_json_and_nonsense_with_a_reason() {
    let agent = Agent::start("read").await;
    let (status, overview) = agent.ask("GET /api/v1/sync", "").await;
    assert_eq!((status, &overview["node"]), (200, &Value::from("gw-a")));
    assert_eq!(overview["sections"].as_array().map(Vec::len), Some(13));
    let (status, refusal) = agent.ask("GET /api/v1/nothing", "").await;
    assert_eq!((status, &refusal["code"]), (404, &Value::from("not_found")));
    let (status, refusal) = agent.ask("GET /api/v1/sync/nat/versions", "").await;
    assert_eq!(status, 404);
    assert!(refusal["message"].as_str().is_some_and(|text| text.contains("firewall")), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_done_is_refused_in_words() {
    let agent = Agent::start("order").await;
    let (status, refusal) = agent.ask("POST /api/v1/sync", r#"{"direction":"push"}"#).await;
    assert_eq!((status, &refusal["code"]), (409, &Value::from("conflict")));
    assert!(refusal["message"].as_str().is_some_and(|text| text.contains("pair invite")));
    for wrong in [r#"{"direction":"up"}"#, r#"{"direction":"push","more":1}"#, "{", ""] {
        let (status, refusal) = agent.ask("POST /api/v1/sync", wrong).await;
        assert_eq!((status, &refusal["code"]), (422, &Value::from("invalid")), "{wrong}");
    }
    let (status, _) = agent.ask("POST /api/v1/sync/vpn/restore", r#"{"version":3}"#).await;
    assert_eq!(status, 404);
    let long = format!("{{\"direction\":\"{}\"}}", "x".repeat(MAX_BODY));
    let (status, refusal) = agent.ask("POST /api/v1/sync", &long).await;
    assert_eq!((status, &refusal["code"]), (413, &Value::from("too_long")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_operation_is_shown_while_it_goes_and_can_be_stopped() {
    let agent = Agent::start("jobs").await;
    let job = agent.node.jobs().begin(Kind::Invite, "root").expect("nothing runs");
    job.step("waiting for the other node");
    let (_, view) = agent.ask("GET /api/v1/jobs/1", "").await;
    assert_eq!(view["steps"][0]["text"], "waiting for the other node");
    let work = tokio::spawn(async move {
        job.cancelled().await;
        job.stopped();
    });
    let (status, _) = agent.ask("POST /api/v1/jobs/1/cancel", "{}").await;
    assert_eq!(status, 200);
    // Waits for the end: one step is known, and no second one comes.
    let (_, view) = agent.ask("GET /api/v1/jobs/1?after=1", "").await;
    assert_eq!(view["state"], "cancelled");
    work.await.expect("it ended");
    let (status, _) = agent.ask("GET /api/v1/jobs/9", "").await;
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_at_settings_are_refused_in_words_where_there_are_none() {
    let agent = Agent::start("looks").await;
    for order in [r#"{"order":"enable"}"#, r#"{"order":"set","changes":[]}"#] {
        let (status, refusal) = agent.ask("POST /api/v1/ha/preview", order).await;
        assert_eq!((status, &refusal["code"]), (409, &Value::from("conflict")), "{order}");
    }
    for wrong in [r#"{"order":"up"}"#, r#"{"order":"restore"}"#, r#"{"order":"enable","x":1}"#] {
        let (status, refusal) = agent.ask("POST /api/v1/ha/preview", wrong).await;
        assert_eq!((status, &refusal["code"]), (422, &Value::from("invalid")), "{wrong}");
    }
    let (status, changes) = agent.ask("GET /api/v1/ha/changes?last=5", "").await;
    assert_eq!((status, changes), (200, serde_json::json!([])));
    let (status, _) = agent.ask("GET /api/v1/ha/versions/9", "").await;
    assert_eq!(status, 404);
    let (status, ports) = agent.ask("GET /api/v1/ha/interfaces", "").await;
    assert_eq!((status, &ports["here"]), (200, &Value::from("gw-a")));
    assert!(ports["away"].is_string() && ports["ports"].is_array(), "{ports}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_agent_listens() {
    let agent = Agent::start("twice").await;
    let second = listen(&agent.folder.join("agent.sock")).await;
    assert!(second.is_err_and(|error| error.to_string().contains("another agent")));
}

#[test]
fn the_document_has_every_route_and_resolves_every_reference() {
    let document = openapi();
    for route in routes() {
        let method = route.method.name();
        let operation = &document["paths"][route.path][method];
        assert_eq!(operation["operationId"], route.id, "{}", route.path);
        assert_eq!(operation["summary"], route.summary);
    }
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 10);
    for reference in references {
        let place = reference.strip_prefix('#').expect("a reference into this document");
        assert!(document.pointer(place).is_some(), "{reference}");
    }
}

/// Two types of one name would be told apart by a number, which may change with the next route.
#[test]
fn every_type_of_the_document_has_a_name_of_its_own() {
    let document = openapi();
    let schemas = document["components"]["schemas"].as_object().expect("types");
    let stem = |name: &str| name.trim_end_matches(|one: char| one.is_ascii_digit()).to_owned();
    for name in schemas.keys() {
        assert!(stem(name) == *name || !schemas.contains_key(&stem(name)), "{name}");
    }
    assert!(schemas.contains_key("ConditionSeverity") && schemas.contains_key("ReasonSeverity"));
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                references.push(reference.clone());
            }
            fields.values().for_each(|field| collect(field, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

/// Every refusal is the documented one: JSON, with a code and a sentence.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_a_request_is_refused_in_the_same_form() {
    let agent = Agent::start("forms").await;
    let long = format!("GET /{}", "x".repeat(server::MAX_HEAD));
    let cases = [
        ("GET /", 404, "no such path"),
        ("GET /api/v1/jobs/nine", 404, "nine"),
        ("GET /api/v1/jobs/%ff", 404, "UTF-8"),
        ("GET /api/v1/jobs/1?after=x", 422, "after"),
        ("GET /api/v1/sync/vpn/diff", 422, "direction"),
        ("GET /api/v1/sync/vpn/diff?direction=up", 422, "direction"),
        ("DELETE /api/v1/sync", 405, "another method"),
        ("PUT /api/v1/jobs", 405, "another method"),
        ("POST /api/v1/openapi.json", 405, "another method"),
        ("GET / more", 400, "no HTTP/1.1 request"),
        (&long, 431, "too long"),
    ];
    for (request, wanted, words) in cases {
        let (status, refusal) = agent.ask(request, "").await;
        let request = &request[..request.len().min(60)];
        assert_eq!(status, wanted, "{request}: {refusal}");
        assert!(refusal["code"].is_string(), "{request}: {refusal}");
        let message = refusal["message"].as_str().expect("a sentence");
        assert!(message.contains(words), "{request}: {message}");
    }
    let (status, refusal) = agent.ask("POST /api/v1/sync", &"x".repeat(MAX_BODY + 1)).await;
    assert_eq!(status, 413);
    assert!(refusal["message"].as_str().is_some_and(|text| text.contains("1048576")), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_method_is_answered_with_those_that_the_path_takes() {
    let agent = Agent::start("allow").await;
    let answer = agent.say(b"DELETE /api/v1/sync HTTP/1.1\r\nhost: agent\r\n\r\n").await;
    let allow = answer.lines().find(|line| line.to_lowercase().starts_with("allow:"));
    assert!(allow.is_some_and(|line| line.contains("GET") && line.contains("POST")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_ends_is_closed_with_a_word() {
    let agent = Agent::start("slow").await;
    let began = Instant::now();
    let head = agent.say(b"GET /api/v1/sync HTTP/1.1\r\nhost: agent\r\n");
    let silent = agent.say(b"");
    let body = agent.say(
        b"POST /api/v1/sync HTTP/1.1\r\nhost: agent\r\ncontent-type: application/json\r\n\
          content-length: 9\r\n\r\n{",
    );
    let (head, silent, body) = tokio::join!(head, silent, body);
    assert!(began.elapsed() < server::HEAD_TIME + Duration::from_secs(3));
    assert!(
        head.starts_with("HTTP/1.1 408 ") && head.contains("not complete within 10 s"),
        "{head}"
    );
    assert!(silent.starts_with("HTTP/1.1 408 "), "{silent}");
    assert!(body.starts_with("HTTP/1.1 422 ") && body.contains("not complete within"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_of_a_node_that_knows_nothing_yet_says_so() {
    let agent = Agent::start("dashboard").await;
    let (status, view) = agent.ask("GET /api/v1/dashboard", "").await;
    assert_eq!((status, &view["here"]["name"]), (200, &Value::from("gw-a")));
    assert_eq!((&view["here"]["status"], &view["there"]), (&Value::from("off"), &Value::Null));
    for (request, body) in [
        ("GET /api/v1/status", ""),
        ("GET /api/v1/explain", ""),
        ("GET /api/v1/events?after=3&last=2", ""),
    ] {
        let (status, refusal) = agent.ask(request, body).await;
        assert_eq!((status, &refusal["code"]), (503, &Value::from("unreachable")), "{request}");
    }
    let (status, _) = agent.ask("POST /api/v1/maintenance", r#"{"lasts_s":0}"#).await;
    assert_eq!(status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_account_needs_the_token_that_the_node_printed() {
    let agent = Agent::start("first").await;
    let first = |token: &str, password: &str| {
        format!(r#"{{"token":"{token}","name":"anna","password":"{password}"}}"#)
    };
    let request = "POST /api/v1/first-account";
    let (status, refusal) = agent.ask(request, &first("0000", "correct horse battery")).await;
    assert_eq!(status, 403, "{refusal}");
    let (status, made) = agent.ask("POST /api/v1/setup-token", "").await;
    assert_eq!((status, &made["lasts_s"]), (200, &Value::from(1800)));
    let token = made["token"].as_str().expect("a token").to_owned();
    let (status, refusal) = agent.ask(request, &first(&token, "short")).await;
    assert_eq!((status, &refusal["details"][0]["place"]), (422, &Value::from("password")));
    let (status, _) = agent.ask(request, &first(&token, "correct horse battery")).await;
    assert_eq!(status, 200);
    let (status, _) = agent.ask(request, &first(&token, "correct horse battery")).await;
    assert_eq!(status, 409);
    let (status, _) = agent.ask("POST /api/v1/setup-token", "").await;
    assert_eq!(status, 409);
    let (_, accounts) = agent.ask("GET /api/v1/accounts", "").await;
    assert_eq!(accounts[0]["role"], "administrator");
    let (status, _) = agent.ask("DELETE /api/v1/accounts/anna", "").await;
    assert_eq!(status, 409);
}

/// Nothing happens on a node that knows nothing: one value at once, then one a second.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_quiet_while_nothing_happens_and_there_are_only_so_many() {
    let agent = Agent::start("stream").await;
    let mut streams = Vec::new();
    for _ in 0..crate::agent::dashboard::MAX_LISTENERS {
        let mut stream = UnixStream::connect(agent.folder.join("agent.sock")).await.expect("there");
        let request = b"GET /api/v1/stream HTTP/1.1\r\nhost: agent\r\n\r\n";
        stream.write_all(request).await.expect("asked");
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.expect("answered");
        assert_eq!(&first, b"HTTP/1.1 200");
        streams.push(stream);
    }
    let (status, refusal) = agent.ask("GET /api/v1/stream", "").await;
    assert_eq!((status, &refusal["code"]), (409, &Value::from("conflict")));
    tokio::time::sleep(Duration::from_millis(3500)).await;
    let mut said = Vec::new();
    let mut stream = streams.pop().expect("one");
    let _ = tokio::time::timeout(Duration::from_millis(50), stream.read_to_end(&mut said)).await;
    let events = String::from_utf8_lossy(&said).matches("event: dashboard").count();
    assert!((2..=15).contains(&events), "{events} events");
}
