//! Connections through the pair: in the passive's kernel while they live, gone from it when
//! they end, and alive after each move of the role. Two gateways between a client and a
//! server, with real guards, agents and kernels; `conntrack` is the outside witness.
//!
//! Needs the guard's binary beside the command (`cargo build`).

mod restart;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Node, Two, ip, is_able_beside, status, wait_telling, within};

const PROFILE: &str =
    crate::support::profile!("flows", "[section.definitions]\npaths = [\"/etc/ethers\"]\n");

const PAIR: &str = "pair_id = 7\n[heartbeat]\ninterval = 0.2\n[ha_link]\ninterface = \"ha0\"\n\
    [[interface]]\nname = \"lan\"\nwatch = true\nprimary = [\"10.1.0.2/24\", \"fd01::2/64\"]\n\
    secondary = [\"10.1.0.3/24\", \"fd01::3/64\"]\nvirtual = [\"10.1.0.1/24\", \"fd01::1/64\"]\n\
    [[interface]]\nname = \"wan\"\nwatch = true\nprimary = [\"10.2.0.2/24\", \"fd02::2/64\"]\n\
    secondary = [\"10.2.0.3/24\", \"fd02::3/64\"]\nvirtual = [\"10.2.0.1/24\", \"fd02::1/64\"]\n";

/// The server: IPv4 behind NAT, and IPv6.
const SERVERS: [&str; 2] = ["10.2.0.9:7000", "[fd02::9]:7000"];

/// The interfaces of the gateways, and how addresses begin there.
const NETS: [(&str, [&str; 2]); 2] =
    [("lan", ["10.1.0.", "fd01::"]), ("wan", ["10.2.0.", "fd02::"])];

/// The pair between a client and a server, each in a namespace with a bridge to both gateways.
struct Between {
    two: Two,
    client: Side,
    server: Side,
}

/// A namespace that ends with this value.
struct Side(String);

impl Side {
    fn new(two: &Two, link: &str, nets: [&str; 2]) -> Side {
        let side = Side(format!("{}{link}", two.a.namespace()));
        let name = side.0.clone();
        ip(&["netns", "add", &name]);
        ip(&["-n", &name, "link", "add", "bridge0", "type", "bridge"]);
        ip(&["-n", &name, "link", "set", "lo", "up"]);
        for (node, port) in [(&two.a, "port0"), (&two.b, "port1")] {
            let there = node.namespace();
            ip(&[
                "link", "add", link, "netns", there, "type", "veth", "peer", "name", port, "netns",
                &name,
            ]);
            ip(&["-n", &name, "link", "set", port, "master", "bridge0", "up"]);
            ip(&["-n", there, "link", "set", link, "up"]);
        }
        ip(&["-n", &name, "link", "set", "bridge0", "up"]);
        for net in nets {
            let gateway = format!("{net}1");
            add_address(&name, "bridge0", net, 9);
            ip(&["-n", &name, "route", "add", "default", "via", &gateway]);
        }
        side
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

impl Between {
    fn serving() -> Between {
        let mut two = Two::cabled();
        ip(&["-n", two.a.namespace(), "link", "del", "lan"]);
        let client = Side::new(&two, "lan", NETS[0].1);
        let server = Side::new(&two, "wan", NETS[1].1);
        for (node, last) in [(&mut two.a, 2), (&mut two.b, 3)] {
            node.with_guard(PROFILE, PAIR);
            for (link, nets) in NETS {
                nets.into_iter().for_each(|net| add_address(node.namespace(), link, net, last));
            }
            for forwarding in ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"] {
                inside(node, &["sysctl", "-qw", forwarding]);
            }
            inside(
                node,
                &[
                    "nft",
                    "add table ip nat; add chain ip nat post { type nat hook postrouting priority \
                     srcnat; }; add rule ip nat post oifname wan ip saddr 10.1.0.0/24 snat to 10.2.0.1",
                ],
            );
        }
        two.pair_by_files(true);
        let between = Between { two, client, server };
        between.wait("one is source, the other mirror and able, and both say it", || {
            let [a, b] = [&between.two.a, &between.two.b];
            between.stands(a, b) && is_able_beside(b, a)
        });
        between
    }

    fn wait(&self, what: &str, good: impl FnMut() -> bool) {
        wait_telling(what, good, || {
            let told = [&self.two.a, &self.two.b].map(|node| {
                let flows = node.run(&["flows", "--json"]);
                let events = node.run(&["events", "--last", "20"]);
                let status = node.run(&["status"]);
                let log = node.text("agent.log");
                format!("{flows:?}\n{}\n{}\n{}\n{log}\n", status.out, events.out, entries(node))
            });
            told.concat()
        });
    }

    /// Whether this one is active with the other one's kernel complete.
    fn stands(&self, active: &Node, passive: &Node) -> bool {
        let (source, mirror) = (flows(active), flows(passive));
        (role(active).as_str(), role(passive).as_str()) == ("active", "passive")
            && source["part"] == "source"
            && mirror["part"] == "mirror"
            && [source, mirror].iter().all(|view| view["complete_percent"] == 100.0)
    }

    /// A server that says back what it is told.
    fn echo(&self) {
        for server in SERVERS {
            let listener = within(&self.server.0, || TcpListener::bind(server).expect("bound"));
            std::thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    std::thread::spawn(move || {
                        let mut from = stream.try_clone().expect("another handle");
                        let mut to = stream;
                        let _ = std::io::copy(&mut from, &mut to);
                    });
                }
            });
        }
    }

    fn connect(&self, server: &str) -> TcpStream {
        let server: SocketAddr = server.parse().expect("an address");
        let limit = Duration::from_secs(10);
        let stream = within(&self.client.0, || TcpStream::connect_timeout(&server, limit));
        let stream = stream.expect("connected through the active gateway");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
        stream.set_nodelay(true).expect("set");
        stream
    }
}

/// Gives an interface an address, usable at once.
fn add_address(namespace: &str, link: &str, net: &str, last: u8) {
    let (length, at_once) = if net.contains(':') { (64, Some("nodad")) } else { (24, None) };
    let address = format!("{net}{last}/{length}");
    let mut arguments = vec!["-n", namespace, "addr", "add", &address, "dev", link];
    arguments.extend(at_once);
    ip(&arguments);
}

/// Runs a program in the node's namespace.
fn inside(node: &Node, command: &[&str]) -> String {
    let mut all = vec!["netns", "exec", node.namespace()];
    all.extend(command);
    let output = Command::new("ip").args(&all).output().expect("ip starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn entries(node: &Node) -> String {
    let list = |family| inside(node, &["conntrack", "-L", "-f", family]);
    list("ipv4") + &list("ipv6")
}

fn flows(node: &Node) -> Value {
    serde_json::from_str(&node.run(&["flows", "--json"]).out).unwrap_or_default()
}

fn role(node: &Node) -> String {
    status(node)["role"]["role"].as_str().unwrap_or_default().to_owned()
}

/// Says something and hears it back.
fn converse(stream: &mut TcpStream, times: u32) -> Result<Duration, std::io::Error> {
    let mut longest = Duration::ZERO;
    for number in 0..times {
        let began = Instant::now();
        let said = [number as u8; 32];
        stream.write_all(&said)?;
        let mut heard = [0; 32];
        stream.read_exact(&mut heard)?;
        assert_eq!(heard, said);
        longest = longest.max(began.elapsed());
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(longest)
}

/// Whether the node's kernel has the connection of this client port, as its own would be.
fn has(node: &Node, port: u16) -> bool {
    let all = entries(node);
    let mut lines = all.lines();
    let port = format!("sport={port} ");
    // The answer's way: to the virtual IP where NAT is, else to the client itself.
    let back = |line: &str| line.contains("dst=10.2.0.1 ") || line.contains("dst=fd01::9 ");
    lines.any(|line| line.contains(&port) && line.contains("ASSURED") && back(line))
}

#[test]
fn connections_with_nat_and_ipv6_survive_a_switchover_a_crash_and_the_way_back() {
    let mut between = Between::serving();
    between.echo();
    let mut streams = SERVERS.map(|server| between.connect(server));
    let ports = [&streams[0], &streams[1]].map(|one| one.local_addr().expect("an address").port());
    let all = |node: &Node| ports.iter().all(|port| has(node, *port));
    let mut talk = |what: &str| {
        for stream in &mut streams {
            let longest = converse(stream, 20).expect(what);
            // The client's kernel repeats what was lost, at longer and longer distances.
            assert!(longest < Duration::from_secs(10), "{what}: {longest:?}");
        }
    };
    talk("through the active gateway");
    between.wait("the passive's kernel has them", || all(&between.two.b));
    let two = &between.two;
    between.wait("the order is taken", || two.a.run(&["switchover"]).code == Some(0));
    talk("on through the other gateway");
    between.wait("the parts have changed", || between.stands(&two.b, &two.a));
    assert!(all(&two.a), "{}", entries(&two.a));
    between.two.b.kill();
    talk("on after a crash");
    between.wait("the first one serves again", || role(&between.two.a) == "active");
    between.two.b.start();
    between.wait("the other one has all of it again", || {
        between.stands(&between.two.a, &between.two.b) && all(&between.two.b)
    });
    drop(streams);
    let gone = || !ports.iter().any(|port| has(&between.two.b, *port));
    between.wait("what has ended is not held by the passive", gone);
}

#[test]
fn a_stream_of_datagrams_is_known_to_the_passive_before_it_is_needed() {
    let between = Between::serving();
    let server = within(&between.server.0, || UdpSocket::bind("10.2.0.9:7001").expect("bound"));
    let client = within(&between.client.0, || UdpSocket::bind("10.1.0.9:0").expect("bound"));
    let port = client.local_addr().expect("an address").port();
    client.connect("10.2.0.9:7001").expect("connected");
    server.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
    client.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
    let mut heard = [0; 8];
    for _ in 0..6 {
        client.send(b"question").expect("sent");
        let (_, from) = server.recv_from(&mut heard).expect("heard through the gateway");
        assert_eq!(from.ip().to_string(), "10.2.0.1", "by its virtual IP");
        server.send_to(b"answer..", from).expect("answered");
        client.recv(&mut heard).expect("the answer");
    }
    let known = || entries(&between.two.b).contains(&format!("sport={port} "));
    between.wait("the passive's kernel has it", known);
}

#[test]
fn whatever_happens_to_the_copy_it_heals_by_itself() {
    let mut between = Between::serving();
    between.echo();
    let mut streams: Vec<TcpStream> = (0..20).map(|_| between.connect(SERVERS[0])).collect();
    let ports: Vec<u16> =
        streams.iter().map(|one| one.local_addr().expect("an address").port()).collect();
    for stream in &mut streams {
        converse(stream, 3).expect("through the active gateway");
    }
    let all = |node: &Node| ports.iter().all(|port| has(node, *port));
    between.wait("the passive has all of them", || all(&between.two.b));
    inside(&between.two.b, &["conntrack", "-F"]);
    between.wait("a flushed table is filled again", || all(&between.two.b));
    inside(
        &between.two.b,
        &[
            "conntrack",
            "-I",
            "-p",
            "tcp",
            "-s",
            "10.1.0.77",
            "-d",
            "10.2.0.9",
            "--sport",
            "1234",
            "--dport",
            "7000",
            "--state",
            "ESTABLISHED",
            "-t",
            "400",
            "-u",
            "SEEN_REPLY,ASSURED",
        ],
    );
    assert!(entries(&between.two.b).contains("10.1.0.77"), "it was put there");
    between.wait("what the active does not have goes", || {
        !entries(&between.two.b).contains("10.1.0.77")
    });
    between.two.b.kill();
    inside(&between.two.b, &["conntrack", "-F"]);
    between.two.b.start();
    between.wait("a node that comes back gets all", || {
        all(&between.two.b) && between.stands(&between.two.a, &between.two.b)
    });
}

#[test]
fn it_is_turned_off_by_its_setting_and_leaves_nothing_of_its_own() {
    let between = Between::serving();
    let nodes = [&between.two.a, &between.two.b];
    let table = |node: &Node| inside(node, &["nft", "list", "tables"]).contains("twinwall_flows");
    assert!(nodes.into_iter().all(table));
    inside(&between.two.a, &["nft", "flush", "ruleset"]);
    between.wait("it is back after a flush", || table(&between.two.a));
    between.two.a.good(&["ha", "set", "flows.replicate=false"]);
    between.wait("both are off", || nodes.into_iter().all(|node| flows(node)["part"] == "off"));
    between.wait("no table is left", || !nodes.into_iter().any(table));
    let text = between.two.b.good(&["flows"]);
    assert!(text.contains("not replicated"), "{text}");
    between.two.a.good(&["ha", "set", "flows.replicate=true"]);
    between.wait("both are on", || between.stands(&between.two.a, &between.two.b));
}
