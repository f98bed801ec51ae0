//! Alerts of two real agents with guards: who tells, who takes over telling, what is never
//! told; and what rsyslog and Postfix make of what they get.
//!
//! Needs the guard's binary beside the command (`cargo build`).

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Node, Two, ip, wait_telling, within};

const PROFILE: &str =
    crate::support::profile!("alerts", "[section.definitions]\npaths = [\"/etc/ethers\"]\n");

/// What a place was told: heads and bodies of requests.
type Heard = Arc<Mutex<Vec<(String, Value)>>>;

/// Listens in a node's namespace, on its loopback; says yes to everything.
fn listen(node: &Node) -> Heard {
    let listener =
        within(node.namespace(), || TcpListener::bind("127.0.0.1:9000").expect("a socket"));
    let heard = Heard::default();
    let kept = Arc::clone(&heard);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head).is_ok_and(|n| n > 0) {}
            let lower = head.to_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.and_then(|it| it.parse().ok()).unwrap_or(0)];
            if stream.read_exact(&mut body).is_ok() {
                let _ = stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
                let body = serde_json::from_slice(&body).unwrap_or_default();
                kept.lock().expect("held by nobody who fails").push((head, body));
            }
        }
    });
    heard
}

fn bodies(heard: &Heard) -> Vec<Value> {
    heard.lock().expect("free").iter().map(|(_, body)| body.clone()).collect()
}

fn has(heard: &Heard, condition: &str, kind: &str) -> bool {
    bodies(heard).iter().any(|it| it["condition"] == condition && it["kind"] == kind)
}

fn role(node: &Node) -> String {
    let status = node.run(&["status", "--json"]).out;
    let status: Value = serde_json::from_str(&status).unwrap_or_default();
    status["role"]["role"].as_str().unwrap_or_default().to_owned()
}

/// A condition counts after half a minute, and the next try may be half a minute away.
const LONG: Duration = Duration::from_secs(90);

fn wait(two: &Two, what: &str, mut good: impl FnMut() -> bool) {
    let began = Instant::now();
    while !good() {
        let told = || {
            [&two.a, &two.b].map(|node| {
                let alerts = node.run(&["alerts", "--json"]);
                format!("{alerts:?}\n{}", node.text("agent.log"))
            })
        };
        assert!(began.elapsed() < LONG, "{what}: not within {LONG:?}\n{}", told().concat());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The first node is active, the second waits, and their agents talk.
fn serving() -> Two {
    let two = Two::guarded_by(PROFILE);
    for (node, own) in [(&two.a, "10.1.0.2/24"), (&two.b, "10.1.0.3/24")] {
        ip(&["-n", node.namespace(), "addr", "add", own, "dev", "lan"]);
    }
    wait(&two, "one active, one passive", || role(&two.a) == "active" && role(&two.b) == "passive");
    wait(&two, "the agents talk", || {
        two.a.run(&["pair", "status"]).out.contains("talk to each other.")
    });
    // Another path, so that a cut HA link is no dead node.
    two.a.good(&["ha", "set", "interface.lan.watch=true"]);
    for node in [&two.a, &two.b] {
        wait(&two, "another path", || {
            node.run(&["metrics"]).out.contains("twinwall_path_alive{interface=\"lan\"} 1\n")
        });
    }
    two
}

/// What the target of this name says of itself on a node.
fn target(node: &Node, name: &str) -> Value {
    let view: Value =
        serde_json::from_str(&node.run(&["alerts", "--json"]).out).unwrap_or_default();
    let targets = view["targets"].as_array().cloned().unwrap_or_default();
    targets.into_iter().find(|it| it["settings"]["name"] == name).unwrap_or_default()
}

/// In none of what is shown, kept or travels.
fn the_secret_is_nowhere(two: &Two) {
    for node in [&two.a, &two.b] {
        for text in [
            node.good(&["alerts", "--json"]),
            node.good(&["ha", "show", "--json"]),
            node.good(&["audit", "--json"]),
            node.text("etc/twinwall/pair.toml"),
            node.text("agent.log"),
        ] {
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}

#[test]
fn the_active_node_tells_and_the_other_one_only_when_it_is_dead() {
    let mut two = serving();
    let heard = [listen(&two.a), listen(&two.b)];
    let done = two.a.good(&[
        "ha",
        "set",
        "alerts.hook.kind=webhook",
        "alerts.hook.url=http://127.0.0.1:9000/hook",
        "alerts.hook.severity=info",
    ]);
    assert!(done.contains("both nodes"), "{done}");
    wait(&two, "the other node has it", || !target(&two.b, "hook").is_null());
    assert_eq!(target(&two.b, "hook")["state"], "silent");
    for (node, heard) in [(&two.a, &heard[0]), (&two.b, &heard[1])] {
        node.typed(&["alerts", "secret", "hook"], "s3cret-of-the-hook");
        node.good(&["alerts", "test", "hook"]);
        let is_test = |it: &&(String, Value)| it.1["kind"] == "test";
        let test = heard.lock().expect("free").iter().find(is_test).cloned();
        let (head, body) = test.expect("told");
        assert!(head.starts_with("POST /hook HTTP/1.1") && head.contains("twinwall-signature: t="));
        assert_eq!((&body["kind"], &body["pair_id"]), (&"test".into(), &7.into()), "{body}");
    }
    the_secret_is_nowhere(&two);
    two.a.cable("down");
    wait(&two, "it is told", || has(&heard[0], "ha-link-lost", "raised"));
    two.a.cable("up");
    wait(&two, "its end is told", || has(&heard[0], "ha-link-lost", "cleared"));
    let by = |it: &Value| it["sent_by"] == "gw-a";
    assert!(bodies(&heard[0]).iter().all(by), "{heard:?}");
    let tests = |it: &Value| it["kind"] == "test";
    assert!(bodies(&heard[1]).iter().all(tests), "the passive node is quiet: {heard:?}");
    two.a.kill();
    wait(&two, "the other node serves", || role(&two.b) == "active");
    wait(&two, "it tells", || has(&heard[1], "peer-silent", "raised"));
    assert!(bodies(&heard[1]).iter().all(|it| it["sent_by"] == "gw-b"), "{heard:?}");
    wait(&two, "it says so", || target(&two.b, "hook")["state"] == "well");
    let ids: Vec<String> = bodies(&heard[1]).iter().map(|it| it["id"].to_string()).collect();
    let mut once = ids.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "each once: {ids:?}");
}

#[test]
fn a_target_that_cannot_be_told_is_named_and_gets_what_it_missed() {
    let two = serving();
    two.a.good(&[
        "ha",
        "set",
        "alerts.hook.kind=webhook",
        "alerts.hook.url=http://127.0.0.1:9000/",
        "alerts.hook.severity=info",
    ]);
    let refused = two.a.run(&["alerts", "test", "hook"]);
    assert!(refused.code != Some(0) && refused.err.contains("refused"), "{refused:?}");
    two.a.cable("down");
    wait(&two, "it fails", || target(&two.a, "hook")["state"] == "failing");
    wait(&two, "it is a condition", || {
        two.a.text("var/lib/twinwall/notices.jsonl").contains("hook is not told")
    });
    let heard = listen(&two.a);
    wait(&two, "it is told what it missed", || has(&heard, "ha-link-lost", "raised"));
    wait(&two, "it is well again", || target(&two.a, "hook")["state"] == "well");
    two.a.cable("up");
    let gone = two.a.good(&["alerts", "remove", "hook"]);
    assert!(gone.contains("told nothing any more"), "{gone}");
    wait(&two, "it is gone on both", || target(&two.b, "hook").is_null());
    let wrong = two.a.run(&["ha", "set", "alerts.hook.kind=pager"]);
    assert!(wrong.err.contains("not one of the choices"), "{wrong:?}");
}

/// A program in a node's namespace that ends with this value.
struct Server(Child);

impl Server {
    fn start(node: &Node, arguments: &[&str]) -> Server {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", node.namespace()]).args(arguments);
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Server(quiet.spawn().expect("it starts"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What rsyslog writes: the fields as it understood them.
fn rsyslog(node: &Node, folder: &Path) -> Server {
    let text = format!(
        "global(workDirectory=\"{0}\")\nmodule(load=\"imtcp\")\nmodule(load=\"imudp\")\n\
         input(type=\"imtcp\" port=\"6514\" address=\"127.0.0.1\")\n\
         input(type=\"imudp\" port=\"6514\" address=\"127.0.0.1\")\n\
         template(name=\"all\" type=\"string\" string=\"%inputname%|%syslogfacility-text%|\
         %syslogseverity-text%|%hostname%|%app-name%|%msgid%|%structured-data%|%msg%\\n\")\n\
         *.* action(type=\"omfile\" file=\"{0}/lines\" template=\"all\")\n",
        folder.display()
    );
    fs::write(folder.join("conf"), text).expect("written");
    let (conf, pid) = (folder.join("conf"), folder.join("pid"));
    let [conf, pid] = [&conf, &pid].map(|path| path.to_str().expect("text"));
    Server::start(node, &["rsyslogd", "-n", "-f", conf, "-i", pid])
}

#[test]
fn rsyslog_reads_every_field_of_a_line_and_postfix_takes_the_mail() {
    let two = serving();
    let folder = two.a.path("witness");
    fs::create_dir_all(&folder).expect("made");
    let _syslog = rsyslog(&two.a, &folder);
    let mails = folder.join("mail-");
    let pattern = mails.to_str().expect("text");
    let _mail =
        Server::start(&two.a, &["smtp-sink", "-u", "root", "-d", pattern, "127.0.0.1:2525", "10"]);
    two.a.good(&[
        "ha",
        "set",
        "alerts.tcp.kind=syslog",
        "alerts.tcp.server=127.0.0.1:6514",
        "alerts.tcp.transport=tcp",
        "alerts.tcp.facility=local3",
        "alerts.udp.kind=syslog",
        "alerts.udp.server=127.0.0.1:6514",
        "alerts.mail.kind=email",
        "alerts.mail.server=127.0.0.1:2525",
        "alerts.mail.transport=tcp",
        "alerts.mail.from=gw@example.org",
        "alerts.mail.to=noc@example.org,night@example.org",
    ]);
    for name in ["tcp", "udp", "mail"] {
        // The servers may still be starting, and tests are not sent without a pause.
        wait(&two, name, || two.a.run(&["alerts", "test", name]).code == Some(0));
    }
    let lines = || fs::read_to_string(folder.join("lines")).unwrap_or_default();
    for (input, facility) in [("imtcp", "local3"), ("imudp", "daemon")] {
        let wanted = format!(
            "{input}|{facility}|info|gw-a|twinwall|test|[twinwall@32473 kind=\"test\" \
             severity=\"info\" node=\"gw-a\" pair=\"7\"]|"
        );
        wait_telling(input, || lines().lines().any(|line| line.starts_with(&wanted)), lines);
    }
    assert!(lines().contains("This is a test of the alert target tcp; nothing happened."));
    let mail = || {
        let all = fs::read_dir(&folder).expect("there").flatten();
        let mut mails = all.filter(|it| it.file_name().to_string_lossy().starts_with("mail-"));
        mails.find_map(|it| fs::read_to_string(it.path()).ok()).unwrap_or_default()
    };
    let subject = "Subject: [twinwall 7] info: test of alerts (gw-a)";
    wait_telling("the mail", || mail().contains(subject), mail);
    for part in ["noc@example.org", "night@example.org", "Auto-Submitted: auto-generated"] {
        assert!(mail().contains(part), "{part}: {}", mail());
    }
}

/// Prometheus asks the console of either node, and not without a token.
#[test]
fn metrics_of_both_nodes_are_told_by_each() {
    let two = serving();
    for node in [&two.a, &two.b] {
        let has = |line: &str| node.run(&["metrics"]).out.lines().any(|it| it == line);
        wait(&two, "both are known", || {
            has("twinwall_node_status{node=\"gw-a\",status=\"active\"} 1")
                && has("twinwall_node_active{node=\"gw-b\"} 0")
                && has("twinwall_active_nodes 1")
                && has("twinwall_node_heard{node=\"gw-b\"} 1")
        });
    }
    let text = two.a.good(&["metrics"]);
    let count = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!((100..600).contains(&count), "{count} series:\n{text}");
}
