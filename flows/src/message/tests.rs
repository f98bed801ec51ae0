//! What is said is understood, and nothing else is.

use super::*;
use crate::digest::BUCKETS;
use crate::expectation::{FunctionName, NatOfExpected};
use crate::flow::{HelperName, Protocol, Sctp, SequenceAdjustment, Status};
use crate::neighbour::Interface;
use crate::position::StreamId;
use crate::testing::{flow, numbered};
use crate::tuple::{Ends, Zone, ZoneSide};

fn rich() -> Flow {
    let mut rich = flow("2001:db8::1", "fd00::9", 132);
    rich.reply.destination = "fd00::77".parse().unwrap();
    rich.status.0 |= Status::SRC_NAT;
    rich.zone = Zone { id: 9, side: ZoneSide::Reply };
    rich.protocol = Protocol::Sctp(Sctp { state: 4, tag_original: 5, tag_reply: 6 });
    rich.labels = Some([7; 16]);
    rich.helper = HelperName::new(b"sip");
    let one = SequenceAdjustment { position: 1, before: 2, after: 3 };
    rich.adjustments = Some([one, SequenceAdjustment::default()]);
    rich
}

fn expectation() -> Expectation {
    let master = flow("10.0.0.9", "192.0.2.1", 6).original;
    Expectation {
        master,
        tuple: Tuple { ends: Ends::Ports { source: 0, destination: 2000 }, ..master },
        mask: master,
        zone: 3,
        flags: 1,
        class: 0,
        timeout: 300,
        helper: HelperName::new(b"ftp"),
        function: FunctionName::new(b"nat-follow-master"),
        nat: Some(NatOfExpected { direction: 1, tuple: master }),
    }
}

/// One of each.
pub(super) fn all() -> Vec<Message> {
    let mut some = BucketSet::none();
    some.add(7);
    let interface = Interface::new(b"lan0").unwrap();
    let neighbour =
        Neighbour { interface, address: "10.1.0.9".parse().unwrap(), mac: Some([2; 6]) };
    let bucket = Bucket { digest: 1 << 55, count: 9 };
    let place = Position { stream: StreamId::from_bits(7 << 90 | 5), sequence: 9 };
    vec![
        Message::Hello { part: Part::Source, answer: true, most: 1 << 20, position: Some(place) },
        Message::Hello { part: Part::Mirror, answer: false, most: 1 << 20, position: None },
        Message::Batch { sequence: 0, records: Vec::new() },
        Message::Batch {
            sequence: 9,
            records: vec![
                Record::Upsert(numbered(5)),
                Record::Remove(rich().key()),
                Record::Upsert(rich()),
                Record::Upsert(flow("10.0.0.9", "192.0.2.1", 1)),
                Record::Upsert(Flow { timeout: None, ..flow("fd00::9", "2001:db8::1", 58) }),
            ],
        },
        Message::Ack { sequence: 9, refused: 1, full: 2 },
        Message::Digests { round: 4, sequence: 9, buckets: vec![bucket; BUCKETS] },
        Message::Compared { round: 4, flows: 100, equal: 99, differ: some.clone() },
        Message::SweepBegin { round: 5, buckets: some },
        Message::SweepEnd { round: 5 },
        Message::Expectations {
            whole: true,
            list: vec![
                Expected::There(expectation()),
                Expected::Gone(expectation().tuple, 3),
                Expected::There(Expectation {
                    helper: None,
                    function: None,
                    nat: None,
                    ..expectation()
                }),
            ],
        },
        Message::Neighbours {
            whole: false,
            list: vec![neighbour, Neighbour { mac: None, ..neighbour }],
        },
        Message::CaughtUp { sequence: 9, flows: 100 },
        Message::Anew,
        Message::Ready,
    ]
}

#[test]
fn every_message_comes_out_as_it_went_in() {
    for message in all() {
        let bytes = message.encode();
        assert_eq!(decode_message(&bytes).as_ref(), Ok(&message));
    }
}

#[test]
fn a_usual_flow_is_short_and_the_longest_within_its_room() {
    let mut out = Vec::new();
    put_upsert(&mut out, &numbered(1));
    assert!(out.len() <= 40, "{}", out.len());
    out.clear();
    put_upsert(&mut out, &rich());
    assert!(out.len() < MAX_RECORD, "{}", out.len());
}

#[test]
fn cut_messages_are_refused_or_shorter_ones() {
    for message in all() {
        let bytes = message.encode();
        for end in 0..bytes.len().min(600) {
            assert_ne!(decode_message(&bytes[..end]).as_ref(), Ok(&message), "{end}");
        }
        let mut longer = bytes;
        longer.push(0xee);
        assert!(decode_message(&longer).is_err(), "{message:?}");
    }
}

#[test]
fn flipped_bytes_are_survived_and_what_is_taken_is_said_the_same() {
    for message in all().iter().filter(|m| !matches!(m, Message::Digests { .. })) {
        let whole = message.encode();
        for at in 0..whole.len() {
            for value in [0, 1, 2, 3, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                if let Ok(taken) = decode_message(&bytes) {
                    assert_eq!(decode_message(&taken.encode()).as_ref(), Ok(&taken));
                }
            }
        }
    }
}

#[test]
fn another_version_is_refused_by_its_name() {
    let hello = Message::Hello { part: Part::Mirror, answer: false, most: 1, position: None };
    let mut bytes = hello.encode();
    bytes[2] = 9;
    assert_eq!(decode_message(&bytes), Err(MessageError::Version(9)));
}
