//! Which events come through the table's masks and the socket's filter.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use twinwall_flows::flow::{Status, tcp_state};
use twinwall_flows::kernel::{Event, Events};
use twinwall_flows::table::EventTable;

use crate::net::{Lab, turn};
use crate::two::{Two, flows};

/// Everything that comes within a while.
fn listen(events: &mut Events, span: Duration) -> Vec<Event> {
    let mut found = Vec::new();
    let end = Instant::now() + span;
    while Instant::now() < end {
        events.drain(1000, &mut |event| found.push(event.clone())).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    found
}

fn states(events: &[Event]) -> Vec<Option<u8>> {
    let state = |event: &Event| match event {
        Event::Seen(flow) => flow.tcp_state(),
        other => panic!("not expected: {other:?}"),
    };
    events.iter().map(state).collect()
}

#[test]
fn a_tcp_connection_is_two_events_and_a_udp_stream_two() {
    let _turn = turn();
    let lab = Lab::new();
    let mut table = lab.active.inside(EventTable::open).unwrap();
    table.ensure().unwrap();
    let mut events = lab.active.inside(Events::open).unwrap();
    let listener = lab.server.inside(|| TcpListener::bind("10.2.0.9:443")).unwrap();
    let mut client = lab.client.inside(|| TcpStream::connect("10.2.0.9:443")).unwrap();
    let mut server = listener.accept().unwrap().0;
    client.write_all(b"hello").unwrap();
    server.read_exact(&mut [0; 5]).unwrap();
    let begun = listen(&mut events, Duration::from_millis(300));
    assert_eq!(states(&begun), [Some(tcp_state::ESTABLISHED)]);
    let Event::Seen(flow) = &begun[0] else { panic!("{begun:?}") };
    assert!(flow.status.any(Status::ASSURED) && flow.status.any(Status::SRC_NAT));
    drop(client);
    server.read_to_end(&mut Vec::new()).unwrap();
    drop(server);
    let ended = listen(&mut events, Duration::from_millis(300));
    assert_eq!(states(&ended), [Some(tcp_state::TIME_WAIT)]);
    lab.active.run("conntrack -F 2>/dev/null");
    let forgotten = listen(&mut events, Duration::from_millis(300));
    assert!(forgotten.is_empty(), "its end was told: {forgotten:?}");

    let answering = lab.server.inside(|| UdpSocket::bind("10.2.0.9:5000")).unwrap();
    let asking = lab.client.inside(|| UdpSocket::bind("10.1.0.9:6000")).unwrap();
    for _ in 0..3 {
        asking.send_to(b"ask", "10.2.0.9:5000").unwrap();
        let (_, from) = answering.recv_from(&mut [0; 9]).unwrap();
        answering.send_to(b"answer", from).unwrap();
        asking.recv(&mut [0; 9]).unwrap();
        // The kernel takes a stream of UDP for one after two seconds.
        std::thread::sleep(Duration::from_millis(1100));
    }
    let told = listen(&mut events, Duration::from_millis(300));
    assert_eq!(told.len(), 2, "its first packet, and that it is ASSURED: {told:?}");
    lab.active.run("conntrack -F 2>/dev/null");
    let gone = listen(&mut events, Duration::from_millis(300));
    assert!(matches!(gone[..], [Event::Gone(_)]), "{gone:?}");
}

#[test]
fn a_reset_and_a_removal_are_told() {
    let _turn = turn();
    let lab = Lab::new();
    let mut two = Two::start(&lab);
    let listener = lab.server.inside(|| TcpListener::bind("10.2.0.9:443")).unwrap();
    let open = || lab.client.inside(|| TcpStream::connect("10.2.0.9:443")).unwrap();
    let kept: Vec<_> = (0..3).map(|_| (open(), listener.accept().unwrap().0)).collect();
    two.settle(Duration::from_secs(20));
    assert_eq!(flows(&lab.passive).len(), 3);
    let port = kept[0].0.local_addr().unwrap().port();
    lab.active.run(&format!("conntrack -D -p tcp --orig-port-src {port} 2>/dev/null"));
    two.until(Duration::from_secs(5), "the removal", |_| flows(&lab.passive).len() == 2);
}

#[test]
fn lost_events_are_noticed_and_made_good() {
    let _turn = turn();
    let lab = Lab::new();
    let mut two = Two::start(&lab);
    two.settle(Duration::from_secs(20));
    two.source.set_event_room(4096).unwrap();
    let sockets: Vec<UdpSocket> =
        (0..400).map(|_| lab.client.inside(|| UdpSocket::bind("10.1.0.9:0")).unwrap()).collect();
    for socket in &sockets {
        socket.send_to(b"x", "10.2.0.9:9").unwrap();
    }
    two.settle(Duration::from_secs(20));
    let view = two.source.source.view(Instant::now());
    assert!(view.overruns > 0, "{view:?}");
    assert_eq!(flows(&lab.passive).len(), flows(&lab.active).len());
    assert!(flows(&lab.passive).len() >= 400);
}
