//! Writes the seeds of the targets about flows anew: `cargo run -p twinwall-fuzz --example
//! flows_seeds`. Needed after a change of the messages only.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use twinwall_flows::digest::{BUCKETS, BucketSet};
use twinwall_flows::expectation::{Expectation, FunctionName};
use twinwall_flows::flow::{Flow, HelperName, Protocol, Status, Tcp};
use twinwall_flows::ledger::Bucket;
use twinwall_flows::message::{Expected, Message, Record};
use twinwall_flows::neighbour::{Interface, Neighbour};
use twinwall_flows::position::{Holding, Kept, Position, StreamId, Table};
use twinwall_flows::tuple::{Ends, Tuple, Zone};
use twinwall_flows::view::Part;
use twinwall_netlink::number::{NLM_F_CREATE, NLM_F_REQUEST, SUBSYS_CONNTRACK};
use twinwall_netlink::wire::{Head, Writer, message};

fn main() -> std::io::Result<()> {
    for (name, message) in messages() {
        write("flows_message", name, &message.encode())?;
    }
    let talk = ["batch", "sweep_begin", "batch", "sweep_end", "digests", "neighbours", "ack"];
    let mut said = Vec::new();
    for name in talk {
        let message = messages().into_iter().find(|(known, _)| *known == name);
        let bytes = message.map(|(_, message)| message.encode()).unwrap_or_default();
        let length = u16::try_from(bytes.len()).expect("below 64 kB");
        said.extend(length.to_be_bytes());
        said.extend(bytes);
    }
    write("flows_talk", "a_sweep_and_a_comparison", &said)?;
    write("flows_place", "kept", &kept().encode())?;
    write("conntrack", "tcp", &kernel_message())
}

/// Where both nodes stand.
const POSITION: Position = Position { stream: StreamId::from_bits(9), sequence: 0 };

fn kept() -> Kept {
    Kept {
        table: Table { boot: [7; 16], namespace: 1 },
        holding: Holding { position: POSITION, flows: 1 },
        at: Duration::from_secs(60),
    }
}

fn flow() -> Flow {
    let ends = Ends::Ports { source: 40_000, destination: 443 };
    let address = |text: &str| -> IpAddr { text.parse().expect("an address") };
    let original =
        Tuple { source: address("10.0.0.9"), destination: address("192.0.2.1"), protocol: 6, ends };
    let mut reply = original.inverse();
    reply.destination = address("203.0.113.1");
    Flow {
        original,
        reply,
        zone: Zone::default(),
        status: Status(Status::SEEN_REPLY | Status::ASSURED | Status::SRC_NAT),
        timeout: Some(432_000),
        mark: 7,
        protocol: Protocol::Tcp(Tcp { state: 3, ..Tcp::default() }),
        labels: Some([1; 16]),
        helper: HelperName::new(b"ftp"),
        adjustments: None,
    }
}

fn messages() -> Vec<(&'static str, Message)> {
    let (flow, all) = (flow(), BucketSet::all());
    let expectation = Expectation {
        master: flow.original,
        tuple: flow.reply,
        mask: flow.original,
        zone: 0,
        flags: 0,
        class: 0,
        timeout: 300,
        helper: HelperName::new(b"ftp"),
        function: FunctionName::new(b"nat-follow-master"),
        nat: None,
    };
    let neighbour = Neighbour {
        interface: Interface::new(b"lan0").expect("a name"),
        address: flow.original.source,
        mac: Some([2; 6]),
    };
    let records = vec![Record::Upsert(flow.clone()), Record::Remove(flow.key())];
    let bucket = Bucket::default();
    let position = Some(POSITION);
    let hello = Message::Hello { part: Part::Source, answer: false, most: 1 << 20, position };
    vec![
        ("hello", hello),
        ("batch", Message::Batch { sequence: 1, records }),
        ("ack", Message::Ack { sequence: 1, refused: 0, full: 0 }),
        ("digests", Message::Digests { round: 1, sequence: 1, buckets: vec![bucket; BUCKETS] }),
        ("compared", Message::Compared { round: 1, flows: 1, equal: 1, differ: all.clone() }),
        ("sweep_begin", Message::SweepBegin { round: 1, buckets: all }),
        ("sweep_end", Message::SweepEnd { round: 1 }),
        ("caught_up", Message::CaughtUp { sequence: 1, flows: 1 }),
        ("anew", Message::Anew),
        ("ready", Message::Ready),
        (
            "expectations",
            Message::Expectations { whole: true, list: vec![Expected::There(expectation)] },
        ),
        ("neighbours", Message::Neighbours { whole: true, list: vec![neighbour] }),
    ]
}

/// A flow as the kernel tells it.
fn kernel_message() -> Vec<u8> {
    let mut out = Vec::new();
    let head =
        Head { kind: SUBSYS_CONNTRACK << 8, flags: NLM_F_REQUEST | NLM_F_CREATE, sequence: 0 };
    let tuple = |w: &mut Writer<'_>, kind: u16, addresses: [[u8; 4]; 2]| {
        w.nest(kind, |w| {
            w.nest(1, |w| {
                w.bytes(1, &addresses[0]);
                w.bytes(2, &addresses[1]);
            });
            w.nest(2, |w| {
                w.bytes(1, &[6]);
                w.be16(2, 40_000);
                w.be16(3, 443);
            });
        });
    };
    message(&mut out, head, 2, 0, |w| {
        tuple(w, 1, [[10, 0, 0, 9], [192, 0, 2, 1]]);
        tuple(w, 2, [[192, 0, 2, 1], [10, 0, 0, 9]]);
        w.be32(3, 0xe);
        w.be32(7, 432_000);
        w.be32(8, 7);
        w.nest(4, |w| w.nest(1, |w| w.bytes(1, &[3])));
        w.nest(5, |w| w.string(1, "ftp"));
    });
    out
}

fn write(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), bytes)
}
