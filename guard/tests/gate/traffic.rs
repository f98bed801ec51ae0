//! What passes the gate when it is open, closed, and between, seen from clients.

use std::net::{IpAddr, SocketAddr};
use std::thread::sleep;

use crate::net::{Lab, gate, ms, open, run};
use crate::packets::{arp, datagram, frame_socket, send_frame, solicit};

/// What a client can see of the node.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// ARP, NS for the VIP and NS for the link-local VIP are answered.
    answers: [bool; 3],
    /// UDP to the VIPs, IPv4 and IPv6.
    to_vip: [bool; 2],
    /// UDP from the VIPs.
    from_vip: [bool; 2],
    /// UDP through the node to the server.
    transit: [bool; 2],
    /// The node's own addresses: ARP, NS, UDP to and from, IPv4 and IPv6.
    own: [bool; 6],
}

/// All gates open, all closed, or answering closed and forwarding open.
fn expected(answers: bool, forwards: bool) -> Seen {
    Seen {
        answers: [answers; 3],
        to_vip: [forwards; 2],
        from_vip: [forwards; 2],
        transit: [forwards; 2],
        own: [true; 6],
    }
}

fn look(lab: &Lab) -> Seen {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let at = |text: &str| SocketAddr::new(ip(text), 7);
    let (node, client, server) = (&lab.node, &lab.client, &lab.server);
    let asks = |vip: &str| arp(client, "cli0", "10.1.0.9".parse().unwrap(), vip.parse().unwrap());
    let asks6 = |vip: &str| solicit(client, "cli0", vip.parse().unwrap());
    let into = |target: &str, from: &str| datagram(client, ip(from), node, at(target)).is_some();
    let out = |source: &str, to: &str| datagram(node, ip(source), client, at(to)).is_some();
    let through =
        |target: &str, from: &str| datagram(client, ip(from), server, at(target)).is_some();
    Seen {
        answers: [asks("10.1.0.1"), asks6("fd01::1"), asks6("fe80::1")],
        to_vip: [into("10.1.0.1", "10.1.0.9"), into("fd01::1", "fd01::9")],
        from_vip: [out("10.1.0.1", "10.1.0.9"), out("fd01::1", "fd01::9")],
        transit: [through("10.2.0.9", "10.1.0.9"), through("fd02::9", "fd01::9")],
        own: [
            asks("10.1.0.2"),
            asks6("fd01::2"),
            into("10.1.0.2", "10.1.0.9"),
            into("fd01::2", "fd01::9"),
            out("10.1.0.2", "10.1.0.9"),
            out("fd01::2", "fd01::9"),
        ],
    }
}

#[test]
fn without_a_gate_everything_passes() {
    let lab = Lab::new();
    assert_eq!(look(&lab), expected(true, true), "else the other tests prove nothing");
}

#[test]
fn a_closed_gate_lets_only_the_nodes_own_addresses_pass() {
    let lab = Lab::new();
    let spec = lab.spec(ms(20_000));
    let (mut table, _switch) = gate(&spec);
    assert_eq!(look(&lab), expected(false, false));
    let audit = table.audit(&spec).unwrap();
    assert!(audit.answers_dropped >= 3 && audit.forwards_dropped >= 6, "{audit:?}");
}

#[test]
fn an_open_gate_lets_everything_pass_until_it_is_closed() {
    let lab = Lab::new();
    let (_table, mut switch) = gate(&lab.spec(ms(20_000)));
    open(&mut switch, ms(20_000));
    assert_eq!(look(&lab), expected(true, true));
    assert!(switch.close());
    assert_eq!(look(&lab), expected(false, false));
}

/// The address from which a datagram of the client reaches the server, if it does.
fn through(lab: &Lab) -> Option<IpAddr> {
    let (from, to) = ("10.1.0.9".parse().unwrap(), "10.2.0.9:7".parse().unwrap());
    datagram(&lab.client, from, &lab.server, to).map(|source| source.ip())
}

#[test]
fn a_releasing_node_forwards_and_is_silent() {
    let lab = Lab::new();
    let (_table, mut switch) = gate(&lab.spec(ms(20_000)));
    let arp_for =
        |vip: &str| arp(&lab.client, "cli0", "10.1.0.9".parse().unwrap(), vip.parse().unwrap());
    for look in 0..3 {
        open(&mut switch, ms(20_000));
        assert!(switch.close_answer());
        match look {
            0 => assert!(!arp_for("10.1.0.1") && arp_for("10.1.0.2")),
            1 => assert!(!solicit(&lab.client, "cli0", "fe80::1".parse().unwrap())),
            _ => assert!(through(&lab).is_some()),
        }
    }
}

#[test]
fn what_is_masqueraded_with_a_vip_leaves_while_releasing_and_not_when_closed() {
    let lab = Lab::new();
    run("nft add table ip nat");
    run("nft add chain ip nat post { type nat hook postrouting priority 100 ; }");
    run("nft add rule ip nat post oifname wan0 snat to 10.2.0.1");
    let (_table, mut switch) = gate(&lab.spec(ms(20_000)));
    let vip = Some("10.2.0.1".parse().unwrap());
    open(&mut switch, ms(20_000));
    assert_eq!(through(&lab), vip);
    assert!(switch.close_answer());
    assert_eq!(through(&lab), vip, "still forwarding");
    assert!(switch.close());
    assert_eq!(through(&lab), None);
}

#[test]
fn announcements_of_a_closed_node_do_not_leave() {
    let lab = Lab::new();
    let (_table, mut switch) = gate(&lab.spec(ms(20_000)));
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 1, 2, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 1, 2, 10, 1, 0, 1]);
    frame.extend([0, 0, 0, 0, 0, 0, 10, 1, 0, 1]);
    frame.resize(60, 0);
    let socket = frame_socket();
    assert!(!send_frame(&socket, "lan0", &frame), "closed: the gate drops it, and send says so");
    open(&mut switch, ms(20_000));
    assert!(send_frame(&socket, "lan0", &frame));
}

#[test]
fn other_traffic_with_an_orders_mark_is_no_order() {
    let lab = Lab::new();
    let (_table, mut switch) = gate(&lab.spec(ms(20_000)));
    let mark: libc::c_int = 0x781c_5ea1;
    open(&mut switch, ms(20_000));
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    // SAFETY: `mark` is a c_int and valid for its size.
    let done = unsafe {
        use std::os::fd::AsRawFd;
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MARK,
            (&raw const mark).cast(),
            4,
        )
    };
    assert_eq!(done, 0);
    socket.send_to(b"marked as an order to close", socket.local_addr().unwrap()).unwrap();
    assert!(switch.answers());
}

#[test]
fn frames_with_a_vlan_tag_belong_to_another_interface() {
    let lab = Lab::new();
    let spec = lab.spec(ms(20_000));
    let (mut table, _switch) = gate(&spec);
    let mut dropped = |tag: &[u8]| {
        let mut frame = vec![2, 0, 0, 0, 1, 2, 2, 0, 0, 0, 1, 9];
        frame.extend(tag);
        frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 1, 9, 10, 1, 0, 9]);
        frame.extend([0, 0, 0, 0, 0, 0, 10, 1, 0, 1]);
        frame.resize(64, 0);
        let before = table.audit(&spec).unwrap().answers_dropped;
        assert!(lab.client.inside(|| send_frame(&frame_socket(), "cli0", &frame)));
        sleep(ms(20));
        table.audit(&spec).unwrap().answers_dropped - before
    };
    assert_eq!(dropped(&[]), 1);
    assert_eq!(dropped(&[0x81, 0, 0, 7]), 0);
}
