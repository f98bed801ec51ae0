//! Connections through the active gateway go on through the passive one.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use crate::net::{Lab, turn};
use crate::two::{Two, flows, states};

const LIMIT: Duration = Duration::from_secs(20);
const PATIENCE: Option<Duration> = Some(Duration::from_secs(5));

/// A TCP connection from the client to the server's `listen`, opened at `to`.
fn tcp(lab: &Lab, listen: &str, to: &str) -> (TcpStream, TcpStream) {
    let listener = lab.server.inside(|| TcpListener::bind(listen)).unwrap();
    let client = lab.client.inside(|| TcpStream::connect(to)).unwrap();
    let server = listener.accept().unwrap().0;
    client.set_read_timeout(PATIENCE).unwrap();
    server.set_read_timeout(PATIENCE).unwrap();
    (client, server)
}

fn talk(ends: &mut (TcpStream, TcpStream), what: &str) {
    let mut read = [0; 4];
    ends.0.write_all(b"ping").unwrap();
    ends.1.read_exact(&mut read).unwrap_or_else(|error| panic!("{what}: {error}"));
    ends.1.write_all(b"pong").unwrap();
    ends.0.read_exact(&mut read).unwrap_or_else(|error| panic!("{what}: {error}"));
}

#[test]
fn translated_connections_of_both_families_go_on_at_the_other_gateway() {
    let _turn = turn();
    let lab = Lab::new();
    let mut two = Two::start(&lab);
    let mut ends = [
        ("source NAT", tcp(&lab, "10.2.0.9:443", "10.2.0.9:443")),
        ("destination NAT", tcp(&lab, "10.2.0.9:80", "10.1.0.1:8080")),
        ("IPv6", tcp(&lab, "[fd02::9]:443", "[fd02::9]:443")),
    ];
    ends.iter_mut().for_each(|(what, ends)| talk(ends, what));
    let answering = lab.server.inside(|| UdpSocket::bind("10.2.0.9:5000")).unwrap();
    let asking = lab.client.inside(|| UdpSocket::bind("10.1.0.9:6000")).unwrap();
    for socket in [&answering, &asking] {
        socket.set_read_timeout(PATIENCE).unwrap();
    }
    let exchange = || {
        asking.send_to(b"ask", "10.2.0.9:5000").unwrap();
        let (_, from) = answering.recv_from(&mut [0; 9]).unwrap();
        answering.send_to(b"answer", from).unwrap();
        asking.recv(&mut [0; 9]).unwrap();
        from
    };
    let before = exchange();
    two.settle(LIMIT);
    let listed = lab.passive.run("conntrack -L 2>/dev/null");
    assert!(listed.contains("dst=10.2.0.1 sport=443"), "source NAT: {listed}");
    assert!(listed.contains("src=10.2.0.9 dst=10.2.0.1 sport=80"), "destination NAT: {listed}");
    assert_eq!(flows(&lab.passive).len(), 4);
    lab.move_cables();
    ends.iter_mut().for_each(|(what, ends)| talk(ends, what));
    assert_eq!(exchange(), before, "UDP keeps its translation");
}

#[test]
fn a_connection_ends_on_both_nodes_and_a_node_s_own_is_none() {
    let _turn = turn();
    let lab = Lab::new();
    let mut two = Two::start(&lab);
    let mut ends = tcp(&lab, "10.2.0.9:443", "10.2.0.9:443");
    talk(&mut ends, "open");
    lab.active.run("ping -c1 -W2 127.0.0.1");
    two.settle(LIMIT);
    assert_eq!(flows(&lab.passive).len(), 1);
    drop(ends);
    two.until(LIMIT, "the end", |_| flows(&lab.passive).is_empty());
    assert!(!lab.passive.run("conntrack -L 2>/dev/null").contains("127.0.0.1"));
}

#[test]
fn a_flushed_mirror_and_a_flushed_source_heal() {
    let _turn = turn();
    let lab = Lab::new();
    let mut two = Two::start(&lab);
    let mut ends = tcp(&lab, "10.2.0.9:443", "10.2.0.9:443");
    talk(&mut ends, "open");
    two.settle(LIMIT);
    lab.passive.run("conntrack -F 2>/dev/null");
    two.settle(LIMIT);
    assert_eq!(states(&lab.passive).len(), 1);
    lab.active.run("conntrack -F 2>/dev/null");
    two.settle(LIMIT);
    assert_eq!(states(&lab.passive).len(), 0);
}

#[test]
fn neighbours_of_the_client_and_the_server_are_known_beforehand() {
    let _turn = turn();
    let lab = Lab::new();
    for (name, n) in [("lan0", 1), ("wan0", 2)] {
        lab.passive.run(&format!(
            "ip link add {name} type veth peer name {name}x
             ip link set {name}x up
             ip link set {name} up
             ip addr add 10.{n}.0.3/24 dev {name}"
        ));
    }
    let mut two = Two::start(&lab);
    let mut ends = tcp(&lab, "10.2.0.9:443", "10.2.0.9:443");
    talk(&mut ends, "open");
    two.until(LIMIT, "neighbours", |_| {
        let known = lab.passive.run("ip neigh show");
        known.contains("10.1.0.9 dev lan0 lladdr") && known.contains("10.2.0.9 dev wan0 lladdr")
    });
    assert!(lab.passive.run("ip neigh show").contains("STALE"));
}
