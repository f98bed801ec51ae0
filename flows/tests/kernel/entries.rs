//! What is written into the kernel is what comes out of it.

use std::net::IpAddr;

use twinwall_flows::flow::{
    Flow, HelperName, Protocol, Sctp, SequenceAdjustment, Status, Tcp, tcp_state,
};
use twinwall_flows::kernel::Conntrack;
use twinwall_flows::tuple::{Ends, Tuple, Zone, ZoneSide};
use twinwall_flows::work::Write;

use crate::net::{Space, turn};
use crate::two::flows;

fn flow(source: &str, destination: &str, protocol: u8, ends: Ends) -> Flow {
    let address = |text: &str| -> IpAddr { text.parse().unwrap() };
    let original =
        Tuple { source: address(source), destination: address(destination), protocol, ends };
    Flow {
        original,
        reply: original.inverse(),
        zone: Zone::default(),
        status: Status(Status::SEEN_REPLY | Status::ASSURED | Status::CONFIRMED),
        timeout: Some(600),
        mark: 0,
        protocol: Protocol::None,
        labels: None,
        helper: None,
        adjustments: None,
    }
}

const PORTS: Ends = Ends::Ports { source: 40_000, destination: 443 };

fn tcp() -> Flow {
    let protocol = Protocol::Tcp(Tcp {
        state: tcp_state::ESTABLISHED,
        scale_original: 7,
        scale_reply: 9,
        flags_original: 0x0b,
        flags_reply: 0x0b,
    });
    Flow { protocol, ..flow("10.0.0.9", "192.0.2.1", 6, PORTS) }
}

fn translated() -> Flow {
    let mut flow = tcp();
    flow.status.0 |= Status::SRC_NAT | Status::DST_NAT;
    flow.original.ends = Ends::Ports { source: 40_001, destination: 8080 };
    flow.reply.source = "10.9.0.1".parse().unwrap();
    flow.reply.destination = "203.0.113.1".parse().unwrap();
    flow.reply.ends = Ends::Ports { source: 80, destination: 50_001 };
    flow
}

/// One of each kind.
fn kinds() -> Vec<(&'static str, Flow)> {
    let udp = |mark| Flow { mark, ..flow("10.0.0.9", "192.0.2.1", 17, PORTS) };
    let zone = |id, side| {
        let ends = Ends::Ports { source: 30_000 + id, destination: 443 };
        let zone = Zone { id, side };
        Flow { zone, ..flow("10.0.0.9", "192.0.2.1", 17, ends) }
    };
    let mut port_only = tcp();
    port_only.status.0 |= Status::SRC_NAT;
    port_only.original.ends = Ends::Ports { source: 40_002, destination: 443 };
    port_only.reply.ends = Ends::Ports { source: 443, destination: 60_000 };
    let mut six = flow("fd00::9", "2001:db8::1", 17, PORTS);
    six.status.0 |= Status::SRC_NAT;
    six.reply.destination = "2001:db8::77".parse().unwrap();
    let echo = |kind| Ends::Echo { id: 77, kind, code: 0 };
    let mut renumbered = flow("10.0.0.8", "192.0.2.1", 1, echo(8));
    renumbered.status.0 |= Status::SRC_NAT;
    renumbered.reply.destination = "203.0.113.1".parse().unwrap();
    renumbered.reply.ends = Ends::Echo { id: 99, kind: 0, code: 0 };
    let tags = Protocol::Sctp(Sctp { state: 4, tag_original: 11, tag_reply: 12 });
    vec![
        ("TCP", tcp()),
        ("TCP behind both kinds of NAT", translated()),
        ("TCP with another port only", port_only),
        ("UDP with a mark", udp(0x1234_5678)),
        ("UDP of a zone", zone(5, ZoneSide::Both)),
        ("UDP of a zone in one direction", zone(6, ZoneSide::Original)),
        ("UDP over IPv6 behind NAT", six),
        ("ping", flow("10.0.0.9", "192.0.2.1", 1, echo(8))),
        ("ping with another identifier", renumbered),
        ("ping over IPv6", flow("fd00::9", "2001:db8::1", 58, echo(128))),
        ("SCTP", Flow { protocol: tags, ..flow("10.0.0.9", "192.0.2.1", 132, PORTS) }),
        ("GRE", flow("10.0.0.9", "192.0.2.1", 47, PORTS)),
        ("ESP", flow("10.0.0.9", "192.0.2.1", 50, Ends::None)),
        ("UDP-Lite", flow("10.0.0.9", "192.0.2.1", 136, PORTS)),
    ]
}

/// What the kernel adds by itself, and what runs.
fn comparable(flow: &Flow) -> Flow {
    let kept = Status::SEEN_REPLY | Status::ASSURED | Status::SRC_NAT | Status::DST_NAT;
    let mut flow = flow.clone();
    flow.status.0 &= kept;
    flow.timeout = None;
    if let Protocol::Tcp(tcp) = &mut flow.protocol {
        tcp.flags_original &= 0x0b;
        tcp.flags_reply &= 0x0b;
    }
    flow
}

#[test]
fn every_kind_of_flow_is_created_and_read_back() {
    let _turn = turn();
    let space = Space::new();
    let mut conntrack = space.inside(Conntrack::open).unwrap();
    for (what, flow) in kinds() {
        let outcome = conntrack.write(&[Write::Create(flow.clone())]).unwrap();
        assert_eq!(outcome, [Ok(())], "{what}");
        let found = conntrack.get(&flow.key()).unwrap().unwrap_or_else(|| panic!("{what}: absent"));
        assert_eq!(comparable(&found), comparable(&flow), "{what}");
        let left = found.timeout.unwrap_or(0);
        assert!((590..=600).contains(&left), "{what}: {left} s");
    }
    assert_eq!(flows(&space).len(), kinds().len());
    let removals: Vec<Write> = kinds().iter().map(|(_, f)| Write::Remove(f.key())).collect();
    let outcomes = conntrack.write(&removals).unwrap();
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert!(flows(&space).is_empty());
    let outcomes = conntrack.write(&removals).unwrap();
    assert!(outcomes.iter().all(Result::is_ok), "what is not there is removed");
}

#[test]
fn an_echo_whose_identifier_another_one_has_behind_nat_takes_its_place_and_no_other() {
    let _turn = turn();
    let space = Space::new();
    let mut conntrack = space.inside(Conntrack::open).unwrap();
    let behind_nat = |source| {
        let mut flow = flow(source, "192.0.2.1", 1, Ends::Echo { id: 77, kind: 8, code: 0 });
        flow.status.0 |= Status::SRC_NAT;
        flow.reply.destination = "203.0.113.1".parse().unwrap();
        flow
    };
    let (before, now) = (behind_nat("10.0.0.8"), behind_nat("10.0.0.9"));
    for flow in [&before, &now] {
        assert_eq!(conntrack.write(&[Write::Create(flow.clone())]).unwrap(), [Ok(())]);
    }
    let found = conntrack.get(&now.key()).unwrap().expect("it is there");
    assert_eq!(comparable(&found), comparable(&now));
    assert_eq!(conntrack.get(&before.key()).unwrap(), None, "both answers cannot be the same");
}

const LABELS: &str = "
table inet labels {
  chain pre {
    type filter hook prerouting priority 0
    ct label 1 accept
  }
}
";

#[test]
fn helpers_labels_and_adjustments_are_kept_where_the_kernel_has_them() {
    let _turn = turn();
    let space = Space::new();
    // Labels are kept of flows that begin after a rule uses them.
    space.nft(LABELS);
    let mut conntrack = space.inside(Conntrack::open).unwrap();
    let one = SequenceAdjustment { position: 1000, before: 0, after: 7 };
    let mut flow = Flow {
        labels: Some([5; 16]),
        helper: HelperName::new(b"ftp"),
        adjustments: Some([one, SequenceAdjustment::default()]),
        ..translated()
    };
    flow.original.ends = Ends::Ports { source: 40_003, destination: 21 };
    assert_eq!(conntrack.write(&[Write::Create(flow.clone())]).unwrap(), [Ok(())]);
    let found = conntrack.get(&flow.key()).unwrap().expect("it is there");
    assert_eq!(comparable(&found), comparable(&flow));
    let unknown = HelperName::new(b"no-such");
    let other = Flow { helper: unknown, adjustments: None, labels: None, ..tcp() };
    assert_eq!(conntrack.write(&[Write::Create(other.clone())]).unwrap(), [Ok(())]);
    assert!(conntrack.get(&other.key()).unwrap().is_some(), "without its helper it still lives");
}

#[test]
fn what_the_kernel_has_otherwise_is_put_right_in_one_call() {
    let _turn = turn();
    let space = Space::new();
    let mut conntrack = space.inside(Conntrack::open).unwrap();
    let mut write = |writes: &[Write]| {
        let outcomes = conntrack.write(writes).unwrap();
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    };
    let first = translated();
    // An update of what is not there makes it.
    write(&[Write::Update(first.clone())]);
    // A creation of what is there with another translation makes it anew.
    let mut second = first.clone();
    second.reply.destination = "203.0.113.2".parse().unwrap();
    write(&[Write::Create(second.clone())]);
    // Another flow whose answers look the same takes its place.
    let mut clash = second.clone();
    clash.original.source = "10.0.0.7".parse().unwrap();
    write(&[Write::Create(clash.clone())]);
    // A change of the mark leaves the translation.
    write(&[Write::Update(Flow { mark: 9, ..clash.clone() })]);
    // Of several changes of one flow the last one counts.
    write(&[
        Write::Create(clash.clone()),
        Write::Remove(clash.key()),
        Write::Create(first.clone()),
    ]);
    let found = flows(&space);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(comparable(&found[0]), comparable(&first));
    let mut conntrack = space.inside(Conntrack::open).unwrap();
    conntrack.write(&[Write::Timeout(first.key(), 77)]).unwrap();
    let left = conntrack.get(&first.key()).unwrap().and_then(|flow| flow.timeout);
    assert!(left.is_some_and(|left| (70..=77).contains(&left)), "{left:?}");
}
