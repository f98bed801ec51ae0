//! Two links on the loopback interface, and everybody who must not get in.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::*;
use crate::agent::identity::peer::Peer;
use crate::agent::identity::{Identity, client_config, server_name};

/// Generous: the machine may be busy.
const SOON: Duration = Duration::from_secs(20);

fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Away from ephemeral ports; tests of other processes have other numbers.
    let base = 20_000 + (std::process::id() % 1000) as u16 * 10;
    base + NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Two identities.
fn two() -> (Identity, Identity) {
    let make = || Identity::generate().expect("an identity");
    (make(), make())
}

fn copy(of: &Identity) -> Identity {
    Identity::from_pem(of.pem_for_tests().as_bytes()).expect("the same identity")
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn link(own: &Identity, peer: &Identity, dials: bool, port: u16) -> Link {
    link_by(own, peer, dials, port, vec![local(port)])
}

fn link_by(
    own: &Identity,
    peer: &Identity,
    dials: bool,
    port: u16,
    addresses: Vec<SocketAddr>,
) -> Link {
    let (sender, addresses) = watch::channel(addresses);
    // The finder lives as long as the agent.
    std::mem::forget(sender);
    Link::open(LinkConfig {
        identity: copy(own),
        peer: Peer::of(peer.certificate().clone()),
        dials,
        node: "gw".to_owned(),
        interface: "lo".to_owned(),
        port,
        addresses,
    })
    .expect("the link opens")
}

async fn next(link: &Link, stream: Stream) -> Connection {
    timeout(SOON, link.connection(stream)).await.expect("a connection")
}

async fn trouble(link: &Link, matching: impl Fn(&Trouble) -> bool) -> String {
    let mut state = link.state();
    let found = state.wait_for(|state| state.trouble.as_ref().is_some_and(&matching));
    let found = timeout(SOON, found).await.expect("in time").expect("the link lives");
    found.trouble.as_ref().map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn each_stream_has_a_connection_of_its_own_and_messages_arrive_in_order() {
    let ((primary, secondary), port) = (two(), port());
    let (dialler, listener) =
        (link(&primary, &secondary, true, port), link(&secondary, &primary, false, port));
    for stream in Stream::ALL {
        let here = next(&dialler, stream).await;
        let mut there = next(&listener, stream).await;
        assert_eq!((here.stream(), there.stream()), (stream, stream));
        for number in 0..100_u8 {
            here.send(vec![number; 1 + usize::from(number) * 1000]).expect("queued");
        }
        for number in 0..100_u8 {
            let message = timeout(SOON, there.recv()).await.expect("in time").expect("a message");
            assert_eq!(message, vec![number; 1 + usize::from(number) * 1000]);
        }
    }
    let mut state = dialler.state();
    let up = state.wait_for(|state| state.is_up() && state.trouble.is_none());
    timeout(SOON, up).await.expect("in time").expect("the link lives");
}

#[tokio::test]
async fn liars_who_take_the_call_and_say_nothing_do_not_delay_the_peer() {
    let ((primary, secondary), port) = (two(), port());
    let mut liars = Vec::new();
    for _ in 0..8 {
        liars.push(TcpListener::bind(local(0)).await.expect("a port"));
    }
    let mut addresses: Vec<SocketAddr> =
        liars.iter().map(|liar| liar.local_addr().expect("bound")).collect();
    addresses.push(local(port));
    let _listener = link(&secondary, &primary, false, port);
    let dialler = link_by(&primary, &secondary, true, port, addresses);
    for stream in Stream::ALL {
        // They could hold one call each for as long as this.
        timeout(HANDSHAKE_LIMIT, dialler.connection(stream)).await.expect("no delay");
    }
}

#[tokio::test]
async fn after_a_restart_of_either_end_there_is_a_new_connection() {
    let ((primary, secondary), port) = (two(), port());
    let dialler = link(&primary, &secondary, true, port);
    let listener = link(&secondary, &primary, false, port);
    let mut first = next(&dialler, Stream::Control).await;
    // Whoever still holds a connection of a link that is gone holds a dead one.
    let mut held = next(&listener, Stream::Control).await;
    drop(listener);
    assert!(timeout(SOON, held.recv()).await.expect("it ends").is_none());
    assert!(timeout(SOON, first.recv()).await.expect("it ends").is_none());
    let listener = link(&secondary, &primary, false, port);
    let _second = next(&dialler, Stream::Control).await;
    let mut there = next(&listener, Stream::Control).await;
    drop(dialler);
    assert!(timeout(SOON, there.recv()).await.expect("it ends").is_none());
    let dialler = link(&primary, &secondary, true, port);
    let here = next(&dialler, Stream::Control).await;
    let mut there = next(&listener, Stream::Control).await;
    here.send(b"again".to_vec()).expect("queued");
    assert_eq!(timeout(SOON, there.recv()).await.expect("in time"), Some(b"again".to_vec()));
}

#[tokio::test]
async fn a_peer_that_does_not_read_fills_its_queue_and_blocks_nobody() {
    let ((primary, secondary), port) = (two(), port());
    let (dialler, listener) =
        (link(&primary, &secondary, true, port), link(&secondary, &primary, false, port));
    let here = next(&dialler, Stream::Logs).await;
    let _there = next(&listener, Stream::Logs).await;
    let other = next(&dialler, Stream::Control).await;
    let mut control = next(&listener, Stream::Control).await;
    let full = (0..1000).any(|_| matches!(here.send(vec![0; MAX_FRAME]), Err(SendError::Full(_))));
    assert!(full, "the queue has a bound");
    assert!(matches!(here.send(vec![0; MAX_FRAME + 1]), Err(SendError::TooLong)));
    other.send(b"quick".to_vec()).expect("queued");
    assert_eq!(timeout(SOON, control.recv()).await.expect("in time"), Some(b"quick".to_vec()));
}

#[tokio::test]
async fn a_stranger_gets_in_at_neither_end() {
    let ((primary, secondary), port) = (two(), port());
    let stranger = Identity::generate().expect("an identity");
    let listener = link(&secondary, &primary, false, port);
    // He knows the listener's certificate, but is not the one pinned there: as a node
    // whose key was revoked by pairing with another one.
    let config =
        client_config(&stranger, &Peer::of(secondary.certificate().clone())).expect("settings");
    let tcp = connect(port).await;
    let tls = TlsConnector::from(config).connect(server_name(), tcp).await;
    let refused = match tls {
        Ok(mut tls) => tls.read(&mut [0; 10]).await.map(|length| length == 0),
        Err(error) => Err(error),
    };
    assert!(refused.unwrap_or(true), "no byte for a stranger");
    let told = trouble(&listener, |it| matches!(it, Trouble::NotThePeer { .. })).await;
    assert!(told.contains("is not the other node of this pair"), "{told}");
    drop(listener);
    // In the middle: he listens where the peer should be.
    let dialler = link(&primary, &stranger, true, port);
    let _real = link(&secondary, &primary, false, port);
    trouble(&dialler, |it| matches!(it, Trouble::NotThePeer { .. } | Trouble::Unreachable { .. }))
        .await;
    assert!(!dialler.state().borrow().is_up());
}

async fn connect(port: u16) -> TcpStream {
    for _ in 0..200 {
        if let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            return stream;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nobody listens");
}

#[tokio::test]
async fn clear_text_and_earlier_tls_are_refused() {
    let ((primary, secondary), port) = (two(), port());
    let listener = link(&secondary, &primary, false, port);
    let mut tcp = connect(port).await;
    tcp.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("written");
    let mut answer = Vec::new();
    let _ = timeout(SOON, tcp.read_to_end(&mut answer)).await.expect("it ends");
    assert!(answer.len() < 20, "an alert at the most");
    // A ClientHello of TLS 1.2: no supported_versions extension.
    let mut tcp = connect(port).await;
    let mut hello = vec![22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    tcp.write_all(&hello).await.expect("written");
    let mut answer = Vec::new();
    let _ = timeout(SOON, tcp.read_to_end(&mut answer)).await.expect("it ends");
    assert_eq!(answer.first(), Some(&21), "an alert");
    assert!(!listener.state().borrow().is_up());
}

#[tokio::test]
async fn the_peer_itself_cannot_send_what_is_too_long() {
    let ((primary, secondary), port) = (two(), port());
    let listener = link(&secondary, &primary, false, port);
    let config =
        client_config(&primary, &Peer::of(secondary.certificate().clone())).expect("settings");
    let tcp = connect(port).await;
    let mut tls = TlsConnector::from(config).connect(server_name(), tcp).await.expect("the peer");
    let greeting = br#"{"versions":{"least":1,"most":1},"stream":"control","node":"a","release":"1","run":"0"}"#;
    let mut frame = (greeting.len() as u32).to_be_bytes().to_vec();
    frame.push(1);
    frame.extend(greeting);
    frame.extend([0xff, 0xff, 0xff, 0xff, 2, 0, 0]);
    tls.write_all(&frame).await.expect("written");
    let mut connection = next(&listener, Stream::Control).await;
    assert!(timeout(SOON, connection.recv()).await.expect("it ends").is_none());
    let told = trouble(&listener, |it| matches!(it, Trouble::Lost { .. })).await;
    assert!(told.contains("4294967295 bytes"), "{told}");
}

#[test]
fn a_cloned_disk_is_noticed() {
    let (own, _) = two();
    let (_, addresses) = watch::channel(Vec::new());
    let opened = Link::open(LinkConfig {
        identity: copy(&own),
        peer: Peer::of(own.certificate().clone()),
        dials: true,
        node: String::new(),
        interface: "lo".to_owned(),
        port: port(),
        addresses,
    });
    assert!(matches!(opened, Err(LinkError::Myself)));
}

#[tokio::test]
async fn a_lost_carrier_ends_all_connections_at_once_and_they_are_dialled_again() {
    let ((primary, secondary), port) = (two(), port());
    let b = link(&secondary, &primary, false, port);
    let a = Arc::new(link(&primary, &secondary, true, port));
    let mut flows = next(&a, Stream::Flows).await;
    let (_of_b, _control) = (next(&b, Stream::Flows).await, next(&a, Stream::Control).await);
    let cutting = Arc::clone(&a);
    tokio::task::spawn_blocking(move || cutting.cut()).await.expect("no panic");
    assert_eq!(timeout(SOON, flows.recv()).await.expect("in time"), None);
    assert!(matches!(flows.send(vec![1]), Err(SendError::Ended(End::NoCarrier))));
    for stream in [Stream::Flows, Stream::Control] {
        next(&a, stream).await.send(vec![2]).expect("queued");
    }
}
