//! The port of the channel.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use rustls::{ClientConnection, StreamOwned};
use twinwall::agent::channel::{HANDSHAKE_LIMIT, PORT, Stream};
use twinwall::agent::identity::peer::Peer;
use twinwall::agent::identity::{Certificate, Identity, client_config, server_name};

use super::stranger::{Silent, call, during, noise, say};
use super::{A, Before, identity, paired, two};
use crate::pairing::{in_talks, invite};
use crate::support::{Node, Two, wait, within};

/// More than any limit of the listener.
const CROWD: usize = 100;
/// Enough for an answer, if there is to be one.
const PATIENCE: Duration = Duration::from_millis(500);

/// A pair that talks; `a` listens.
fn talking() -> Two {
    let two = paired(false);
    in_talks(&two);
    two
}

/// The channel's sockets of this node, which listens: the kernel's number of their state, and
/// the other end.
fn sockets(node: &Node) -> Vec<(String, String)> {
    let process = node.agent_id();
    let local = format!(":{PORT:04X}");
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let text = fs::read_to_string(format!("/proc/{process}/net/{table}")).expect("a table");
        for line in text.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if let [_, own, other, state, ..] = fields[..]
                && own.ends_with(&local)
            {
                found.push((state.to_owned(), other.to_owned()));
            }
        }
    }
    found
}

/// The peer's ends of the connections to this node.
fn connections(node: &Node) -> BTreeSet<String> {
    let established = sockets(node).into_iter().filter(|(state, _)| state == "01");
    established.map(|(_, other)| other).collect()
}

/// Whether its port is open.
fn listens(node: &Node) -> bool {
    sockets(node).iter().any(|(state, _)| state == "0A")
}

/// Whether the node at `a` takes the bearer of this identity for its peer.
fn lets_in(dialler: &Node, own: &Identity, listener: &Certificate) -> bool {
    let config = client_config(own, &Peer::of(listener.clone())).expect("an identity");
    within(dialler.namespace(), || {
        let Some(tcp) = call(A, PORT) else { return false };
        tcp.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        let tls = ClientConnection::new(config, server_name()).expect("a connection");
        is_greeted(StreamOwned::new(tls, tcp))
    })
}

fn is_greeted(mut stream: StreamOwned<ClientConnection, TcpStream>) -> bool {
    let greeting =
        br#"{"versions":{"least":1,"most":1},"stream":"logs","node":"x","release":"1","run":"0"}"#;
    let mut frame = u32::try_from(greeting.len()).expect("short").to_be_bytes().to_vec();
    frame.push(1);
    frame.extend(greeting);
    let said = stream.write_all(&frame).and_then(|()| stream.flush());
    said.is_ok() && stream.read_exact(&mut [0; 5]).is_ok()
}

/// Waits until `a` has lost its peer, whose agent was ended.
fn missed(two: &Two) {
    wait("the peer is missed", || connections(&two.a).is_empty());
}

#[test]
fn a_crowd_that_says_nothing_does_not_keep_the_peer_out() {
    let mut two = talking();
    two.b.kill();
    missed(&two);
    let before = Before::of(&two.a);
    // It calls from the other end of the cable, where the peer's agent starts meanwhile.
    let namespace = two.b.namespace().to_owned();
    let mut crowd = Silent::at(A, PORT, CROWD);
    during(
        &namespace,
        || crowd.hold(),
        || {
            wait("the crowd is there", || connections(&two.a).len() >= 8);
            two.b.start();
            let began = Instant::now();
            in_talks(&two);
            let took = began.elapsed();
            assert!(took < HANDSHAKE_LIMIT * 4 / 5, "it waited {took:?} for the crowd's end");
            before.is_well(&two.a);
        },
    );
}

#[test]
fn garbage_and_half_messages_do_not_touch_the_connections_that_stand() {
    let two = talking();
    wait("all streams", || connections(&two.a).len() == Stream::ALL.len());
    let (before, standing) = (Before::of(&two.a), connections(&two.a));
    let record = |kind: u8, length: u16, body: &[u8]| {
        [&[kind, 3, 3][..], &length.to_be_bytes(), body].concat()
    };
    let messages = [
        noise(1 << 20),
        vec![0; 1 << 16],
        // A handshake record that is longer than TLS has any, and one that never ends.
        record(22, u16::MAX, &noise(1 << 16)),
        record(22, 512, &[1, 0, 1, 252, 3, 3]),
        // A client hello whose inner lengths say more than there is.
        record(22, 6, &[1, 255, 255, 255, 3, 3]),
        // What our own frames would look like without TLS.
        [&[255; 4][..], &[2], &noise(4096)].concat(),
        b"GET / HTTP/1.1\r\nHost: gw-a\r\n\r\n".to_vec(),
        Vec::new(),
    ];
    within(two.b.namespace(), || {
        for message in &messages {
            let heard = say(A, PORT, message, PATIENCE);
            assert!(heard.len() < 64, "a stranger got {} bytes", heard.len());
        }
    });
    before.is_well(&two.a);
    assert!(connections(&two.a).is_superset(&standing), "the peer's connections stay");
}

#[test]
fn in_a_flood_of_connections_the_channel_stands_and_comes_back() {
    let mut two = talking();
    let before = Before::of(&two.a);
    let namespace = two.b.namespace().to_owned();
    let hello = noise(300);
    let flood = || {
        for _ in 0..50 {
            if let Some(mut stream) = call(A, PORT) {
                let _ = stream.write_all(&hello);
            }
        }
    };
    during(&namespace, flood, || {
        in_talks(&two);
        two.b.kill();
        two.b.start();
        in_talks(&two);
        before.is_well(&two.a);
    });
}

#[test]
fn a_listener_without_room_for_more_sockets_keeps_the_connections_it_has() {
    let two = talking();
    wait("all streams", || connections(&two.a).len() == Stream::ALL.len());
    let (before, standing) = (Before::of(&two.a), connections(&two.a));
    let agent = Pid::from_raw(before.process.cast_signed()).expect("a process");
    let limit = |current| Rlimit { current: Some(current), maximum: Some(1024) };
    let full = limit(lowest_free(before.process));
    prlimit(Some(agent), Resource::Nofile, full).expect("limited");
    within(two.b.namespace(), || {
        // What the agent had open for that moment only has left room for some.
        let mut held = Vec::new();
        // Whether a caller sees that it was reset hangs on who is faster; that the port is closed
        // until there is room again does not.
        wait("the listener fails", || {
            held.push(call(A, PORT));
            !listens(&two.a)
        });
    });
    prlimit(Some(agent), Resource::Nofile, limit(1024)).expect("limited");
    wait("it listens again", || listens(&two.a));
    before.is_well(&two.a);
    assert!(connections(&two.a).is_superset(&standing), "the peer's connections stay");
}

/// The lowest number of a file that the process does not have open. As the limit of such numbers
/// it leaves no room, however many holes there are between the open ones.
fn lowest_free(process: u32) -> u64 {
    let open = fs::read_dir(format!("/proc/{process}/fd")).expect("alive").flatten();
    let number = |name: std::ffi::OsString| name.to_str().and_then(|name| name.parse().ok());
    let taken: BTreeSet<u64> = open.filter_map(|entry| number(entry.file_name())).collect();
    (0..).find(|number| !taken.contains(number)).expect("some are free")
}

#[test]
fn only_the_peers_own_key_opens_the_channel() {
    let mut two = talking();
    two.b.kill();
    missed(&two);
    let (listener, peer) = (identity(&two.a), identity(&two.b));
    let stranger = Identity::generate().expect("an identity");
    assert!(lets_in(&two.b, &peer, listener.certificate()));
    assert!(!lets_in(&two.b, &stranger, listener.certificate()));
    assert!(!lets_in(&two.b, &listener, listener.certificate()), "its own key from outside");
    // What is on the cable in the clear is no key.
    assert!(!lets_in(&two.b, &stranger, peer.certificate()));
}

/// Makes a pair by a code.
fn pair(two: &Two, inviting: &[&str]) {
    let (code, inviting) = invite(&two.a, inviting);
    two.b.good(&["pair", "join", &code]);
    assert!(inviting.ended_well(), "{}", two.a.text("invite.log"));
    in_talks(two);
}

#[test]
fn a_key_that_was_unpaired_or_replaced_does_not_open_the_channel_again() {
    let mut two = two();
    for (node, name) in [(&mut two.a, "gw-a"), (&mut two.b, "gw-b")] {
        let text = format!("name = \"{name}\"\ndesignation = \"primary\"\n");
        node.write("etc/twinwall/node.toml", &text);
        node.start();
    }
    pair(&two, &["pair", "invite", "--interface", "ha0", "--secondary"]);
    let (listener, former) = (identity(&two.a), identity(&two.b));
    two.b.kill();
    missed(&two);
    assert!(lets_in(&two.b, &former, listener.certificate()), "it is the peer so far");

    two.b.reborn("gw-c");
    two.b.start();
    pair(&two, &["pair", "replace"]);
    assert!(!lets_in(&two.b, &former, listener.certificate()), "it was replaced");
    in_talks(&two);

    let replacing = identity(&two.b);
    two.b.kill();
    missed(&two);
    assert!(lets_in(&two.b, &replacing, listener.certificate()));
    two.a.good(&["pair", "unpair", "--here"]);
    assert!(!lets_in(&two.b, &replacing, listener.certificate()), "it was unpaired");
    Before::of(&two.a).is_well(&two.a);
}
