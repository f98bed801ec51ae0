//! Gateways with two real guards: both nodes ask them, also the passive one without an address
//! of its own there; the role leaves a node that reaches fewer for one that reaches more, and
//! for no other; and both nodes tell what is the matter, once, also after a restart.
//!
//! Needs the guard's binary beside the command (`cargo build`).

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Node, Two, ip};

const PROFILE: &str =
    crate::support::profile!("reach", "[section.definitions]\npaths = [\"/etc/ethers\"]\n");

/// On `wan` the pair has a virtual address only: the passive node has none there.
const PAIR: &str = "pair_id = 7\nreach.interval = 0.2\nreach.misses = 3\nreach.hold = 1\n\
    [ha_link]\ninterface = \"ha0\"\n[[interface]]\nname = \"lan\"\n\
    primary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n\
    [[interface]]\nname = \"wan\"\nvirtual = \"203.0.113.5/24\"\n\
    gateways = [\"203.0.113.1\", \"fe80::1\"]\n";

const LONG: Duration = Duration::from_secs(60);

/// The provider's router: a bridge with a port for each node.
struct Router {
    namespace: String,
}

impl Router {
    fn between(two: &Two) -> Router {
        let namespace = format!("{}r", two.a.namespace());
        ip(&["netns", "add", &namespace]);
        let router = Router { namespace };
        // A port that is no part of the bridge answers for none of its addresses.
        let alone = "net.ipv4.conf.all.arp_ignore=1";
        ip(&["netns", "exec", &router.namespace, "sysctl", "-qw", alone]);
        router.ip(&["link", "add", "br0", "type", "bridge"]);
        for (node, port) in [(&two.a, "to-a"), (&two.b, "to-b")] {
            let (own, theirs) = (router.namespace.as_str(), node.namespace());
            ip(&[
                "link", "add", port, "netns", own, "type", "veth", "peer", "name", "wan", "netns",
                theirs,
            ]);
            ip(&["-n", theirs, "link", "set", "wan", "up"]);
            router.ip(&["link", "set", port, "master", "br0", "up"]);
        }
        router.ip(&["addr", "add", "203.0.113.1/24", "dev", "br0"]);
        router.ip(&["addr", "add", "fe80::1/64", "dev", "br0", "nodad"]);
        router.ip(&["link", "set", "br0", "up"]);
        router
    }

    fn ip(&self, arguments: &[&str]) {
        ip(&[&["-n", self.namespace.as_str()], arguments].concat());
    }

    /// The line behind a node's port is dead, and its cable is well.
    fn cut(&self, port: &str) {
        self.ip(&["link", "set", port, "nomaster"]);
    }

    fn mend(&self, port: &str) {
        self.ip(&["link", "set", port, "master", "br0"]);
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.namespace]);
    }
}

fn wait(two: &Two, what: &str, good: impl Fn() -> bool) {
    let began = Instant::now();
    while !good() {
        let told = || {
            [&two.a, &two.b].map(|node| {
                let of = |arguments: &[&str]| {
                    let ran = node.run(arguments);
                    format!("{}{}\n", ran.out, ran.err)
                };
                let all = [of(&["status"]), of(&["reach"]), of(&["notices"])].concat();
                format!("{all}{}", node.text("agent.log"))
            })
        };
        assert!(began.elapsed() < LONG, "{what}: not within {LONG:?}\n{}", told().concat());
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn json(node: &Node, arguments: &[&str]) -> Value {
    serde_json::from_str(&node.run(arguments).out).unwrap_or_default()
}

fn role(node: &Node) -> String {
    let status = json(node, &["status", "--json"]);
    status["role"]["role"].as_str().unwrap_or_default().to_owned()
}

fn reaches(node: &Node, side: &str, wanted: bool) -> bool {
    let view = json(node, &["reach", "--json"]);
    let all = view["gateways"].as_array().cloned().unwrap_or_default();
    all.len() == 2 && all.iter().all(|gateway| gateway[side] == wanted)
}

/// Subjects and nodes of the conditions of this name that a node tells.
fn present(node: &Node, name: &str) -> Vec<(String, String)> {
    let view = json(node, &["conditions", "--json"]);
    let all = view["present"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of_name = all.iter().filter(|one| one["condition"] == name);
    of_name.map(|one| (text(&one["node"]), text(&one["subject"]))).collect()
}

fn notices(node: &Node) -> Vec<Value> {
    let text = node.run(&["notices", "--json", "--last", "1000"]).out;
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// How often this was told of a node's gateway.
fn told(node: &Node, kind: &str, of: &str, gateway: &str) -> usize {
    let is_it = |one: &&Value| {
        one["condition"] == "gateway-unreachable"
            && one["kind"] == kind
            && one["node"] == of
            && one["subject"] == gateway
    };
    notices(node).iter().filter(is_it).count()
}

/// The same of each kind, node and gateway, as each node tells it.
fn all_told(two: &Two) -> Vec<usize> {
    let mut counts = Vec::new();
    for node in [&two.a, &two.b] {
        for of in ["gw-a", "gw-b"] {
            for gateway in ["203.0.113.1", "fe80::1%wan"] {
                counts.extend(["raised", "cleared"].map(|kind| told(node, kind, of, gateway)));
            }
        }
    }
    counts
}

fn speaks(node: &Node) -> bool {
    json(node, &["conditions", "--json"])["speaks"] == true
}

/// The first node is active, the second waits, and both gateways answer both.
fn settle(two: &Two) {
    wait(two, "one active, one passive", || role(&two.a) == "active" && role(&two.b) == "passive");
    wait(two, "both reach both, and know it of each other", || {
        [&two.a, &two.b].iter().all(|it| reaches(it, "here", true) && reaches(it, "there", true))
    });
}

fn start(two: &mut Two) {
    two.a.with_guard(PROFILE, PAIR);
    two.b.with_guard(PROFILE, PAIR);
    for (node, own) in [(&two.a, "10.1.0.2/24"), (&two.b, "10.1.0.3/24")] {
        ip(&["-n", node.namespace(), "addr", "add", own, "dev", "lan"]);
    }
    two.pair_by_files(true);
}

/// Both nodes started while the line behind the cable was not up yet, as a switch port is that
/// forwards later than its link is there.
fn settled_late() -> (Two, Router) {
    let mut two = Two::cabled();
    let router = Router::between(&two);
    router.cut("to-a");
    router.cut("to-b");
    start(&mut two);
    let misses = |node: &Node| {
        let view = json(node, &["reach", "--json"]);
        let all = view["gateways"].as_array().cloned().unwrap_or_default();
        let why = |it: &Value| it["why"].as_str().unwrap_or_default().contains("after the start");
        all.len() == 2 && all.iter().all(|it| it["here"].is_null() && why(it))
    };
    wait(&two, "they have asked in vain, and wait", || misses(&two.a) && misses(&two.b));
    router.mend("to-a");
    router.mend("to-b");
    settle(&two);
    (two, router)
}

#[test]
fn the_role_goes_to_the_node_that_reaches_more_gateways_and_both_tell_why() {
    let (mut two, router) = settled_late();
    wait(&two, "the active speaks", || speaks(&two.a) && !speaks(&two.b));
    let before = all_told(&two);
    assert_eq!(before, vec![0; before.len()], "nobody is told of a node that starts");

    router.cut("to-a");
    wait(&two, "the role moves", || role(&two.b) == "active" && role(&two.a) == "passive");
    let lost = |node: &Node| present(node, "gateway-unreachable");
    let of_a =
        ["203.0.113.1", "fe80::1%wan"].map(|gateway| ("gw-a".to_owned(), gateway.to_owned()));
    for node in [&two.a, &two.b] {
        wait(&two, "both tell of both gateways", || {
            let mut lost = lost(node);
            lost.sort();
            lost == of_a
        });
        wait(&two, "the move is told", || {
            notices(node).iter().any(|it| {
                let text = it["text"].as_str().unwrap_or_default();
                it["condition"] == "failover" && text.contains("reached gateways that gw-a did not")
            })
        });
    }
    wait(&two, "the new active speaks", || speaks(&two.b) && !speaks(&two.a));
    let explained = two.b.good(&["explain"]);
    assert!(explained.contains("203.0.113.1 on wan answers this node; does not answer the peer"));

    // A switchover back would be into something worse.
    let refused = two.b.run(&["switchover"]);
    assert!(refused.code == Some(1) && refused.err.contains("worse off"), "{}", refused.err);

    nothing_moves_while_both_are_as_bad(&two, &router);
    let each_once: Vec<usize> = before.iter().map(|count| count + 1).collect();
    wait(&two, "each is told, and once", || all_told(&two) == each_once);
    goes_on_after_a_restart(&mut two);
}

/// The other node reaches no more either; then both do again, and each is told once.
fn nothing_moves_while_both_are_as_bad(two: &Two, router: &Router) {
    let lost = |node: &Node| present(node, "gateway-unreachable");
    router.cut("to-b");
    wait(two, "nobody reaches any", || {
        reaches(&two.a, "here", false) && reaches(&two.b, "here", false)
    });
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        assert_eq!((role(&two.a), role(&two.b)), ("passive".to_owned(), "active".to_owned()));
    }

    router.mend("to-a");
    router.mend("to-b");
    wait(two, "both reach both again", || {
        [&two.a, &two.b].iter().all(|it| reaches(it, "here", true))
    });
    wait(two, "it is over on both", || lost(&two.a).is_empty() && lost(&two.b).is_empty());
}

/// What was told is there after a restart, and the numbers go on.
fn goes_on_after_a_restart(two: &mut Two) {
    let before = notices(&two.b);
    let last = before.last().expect("there are some")["id"].as_u64();
    two.b.kill();
    wait(two, "its guard has ended", || role(&two.b).is_empty());
    wait(two, "the other one serves and speaks", || role(&two.a) == "active" && speaks(&two.a));
    wait(two, "it is told as silent or gone", || {
        !present(&two.a, "peer-silent").is_empty() || !present(&two.a, "peer-away").is_empty()
    });
    two.b.start();
    wait(two, "it tells what it told before", || {
        let now = notices(&two.b);
        now.len() >= before.len() && now[..before.len()] == before[..]
    });
    wait(two, "new ones have greater numbers", || {
        notices(&two.b).last().is_some_and(|it| it["id"].as_u64() > last)
    });
}

#[test]
fn what_a_node_has_left_stands_beside_its_limits() {
    let mut two = Two::paired();
    let limits = ["ha", "set", "resources.memory=1", "resources.disk=100"];
    wait(&two, "the settings are taken", || two.a.run(&limits).code == Some(0));
    wait(&two, "it is looked at", || {
        let view = json(&two.a, &["resources", "--json"]);
        view["memory"]["total_bytes"].as_u64() > Some(0) && view["limits"]["memory_percent"] == 1
    });
    let memory = |node: &Node| present(node, "memory-low");
    wait(&two, "a limit that is passed is told", || {
        let (a, b) = (memory(&two.a), memory(&two.b));
        let own =
            |all: &[(String, String)], name: &str| all.contains(&(name.to_owned(), String::new()));
        own(&a, "gw-a") && own(&b, "gw-b")
    });
    assert!(present(&two.a, "disk-full").is_empty(), "100 % is not reached");
    two.a.kill();
}
