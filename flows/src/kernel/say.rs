//! Requests about flows and expectations as the kernel reads them. Pure.
//!
//! A new entry is described by its original tuple, the inverse of that, and what NAT makes
//! of it; the kernel works out the reply tuple itself. NAT cannot be changed later.

use std::net::IpAddr;

use twinwall_netlink::number::{
    NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, SUBSYS_CONNTRACK, SUBSYS_EXPECTATIONS,
};
use twinwall_netlink::wire::{Head, Writer, message};

use super::number::*;
use crate::expectation::Expectation;
use crate::flow::{Flow, Protocol, SequenceAdjustment, Status, tcp_flag};
use crate::tuple::{Ends, Key, Tuple, Zone, ZoneSide, protocol};

/// Flags of TCP that are ours to set; the others are the kernel's own bookkeeping.
const TCP_FLAGS: u8 = tcp_flag::WINDOW_SCALE | tcp_flag::SACK_PERMITTED | tcp_flag::BE_LIBERAL;

/// All flows.
pub(super) fn dump_flows(out: &mut Vec<u8>, sequence: u32) {
    let head = head(SUBSYS_CONNTRACK, MSG_GET, NLM_F_DUMP, sequence);
    message(out, head, libc::AF_UNSPEC as u8, 0, |_| {});
}

/// How many entries there are.
pub(super) fn count(out: &mut Vec<u8>, sequence: u32) {
    let head = head(SUBSYS_CONNTRACK, MSG_GET_STATISTICS, 0, sequence);
    message(out, head, libc::AF_UNSPEC as u8, 0, |_| {});
}

/// All expectations.
pub(super) fn dump_expectations(out: &mut Vec<u8>, sequence: u32) {
    let head = head(SUBSYS_EXPECTATIONS, MSG_GET, NLM_F_DUMP, sequence);
    message(out, head, libc::AF_UNSPEC as u8, 0, |_| {});
}

/// The flow with this key.
pub(super) fn get(out: &mut Vec<u8>, key: &Key, sequence: u32) {
    about(out, MSG_GET, 0, sequence, key, |_| {});
}

/// A flow that must not be there.
pub(super) fn remove(out: &mut Vec<u8>, key: &Key, sequence: u32) {
    about(out, MSG_DELETE, 0, sequence, key, |_| {});
}

/// Whatever flow has packets that answer like this.
pub(super) fn remove_by_reply(out: &mut Vec<u8>, flow: &Flow, sequence: u32) {
    let head = head(SUBSYS_CONNTRACK, MSG_DELETE, 0, sequence);
    message(out, head, family(&flow.reply), 0, |w| {
        put_tuple(w, CTA_TUPLE_REPLY, &flow.reply, zone_for(flow.zone, ZoneSide::Reply));
        put_zone(w, flow.zone);
    });
}

/// A flow's life, in seconds.
pub(super) fn timeout(out: &mut Vec<u8>, key: &Key, seconds: u32, sequence: u32) {
    about(out, MSG_NEW, 0, sequence, key, |w| w.be32(CTA_TIMEOUT, seconds));
}

/// A change of a flow that is there and goes the same way.
pub(super) fn update(out: &mut Vec<u8>, flow: &Flow, sequence: u32) {
    about(out, MSG_NEW, 0, sequence, &flow.key(), |w| put_state(w, flow, true));
}

/// A new flow; `with_helper` false leaves its helper out.
pub(super) fn create(out: &mut Vec<u8>, flow: &Flow, with_helper: bool, sequence: u32) {
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    let head = head(SUBSYS_CONNTRACK, MSG_NEW, flags, sequence);
    message(out, head, family(&flow.original), 0, |w| {
        let inverse = flow.original.inverse();
        put_tuple(w, CTA_TUPLE_ORIG, &flow.original, zone_for(flow.zone, ZoneSide::Original));
        put_tuple(w, CTA_TUPLE_REPLY, &inverse, zone_for(flow.zone, ZoneSide::Reply));
        put_zone(w, flow.zone);
        put_nat(w, flow);
        put_state(w, flow, with_helper);
    });
}

/// A new expectation.
pub(super) fn expect(out: &mut Vec<u8>, expectation: &Expectation, sequence: u32) {
    let flags = NLM_F_CREATE | NLM_F_EXCL;
    let head = head(SUBSYS_EXPECTATIONS, MSG_NEW, flags, sequence);
    message(out, head, family(&expectation.tuple), 0, |w| {
        put_tuple(w, CTA_EXPECT_MASTER, &expectation.master, None);
        put_tuple(w, CTA_EXPECT_TUPLE, &expectation.tuple, None);
        put_tuple(w, CTA_EXPECT_MASK, &expectation.mask, None);
        w.be32(CTA_EXPECT_TIMEOUT, expectation.timeout);
        w.be32(CTA_EXPECT_FLAGS, expectation.flags);
        w.be32(CTA_EXPECT_CLASS, expectation.class);
        if expectation.zone != 0 {
            w.be16(CTA_EXPECT_ZONE, expectation.zone);
        }
        if let Some(helper) = &expectation.helper {
            w.string(CTA_EXPECT_HELP_NAME, helper.as_str());
        }
        if let Some(function) = &expectation.function {
            w.string(CTA_EXPECT_FN, function.as_str());
        }
        if let Some(nat) = &expectation.nat {
            w.nest(CTA_EXPECT_NAT, |w| {
                w.be32(CTA_EXPECT_NAT_DIR, nat.direction);
                put_tuple(w, CTA_EXPECT_NAT_TUPLE, &nat.tuple, None);
            });
        }
    });
}

/// An expectation that must not be there.
pub(super) fn unexpect(out: &mut Vec<u8>, tuple: &Tuple, zone: u16, sequence: u32) {
    let head = head(SUBSYS_EXPECTATIONS, MSG_DELETE, 0, sequence);
    message(out, head, family(tuple), 0, |w| {
        put_tuple(w, CTA_EXPECT_TUPLE, tuple, None);
        if zone != 0 {
            w.be16(CTA_EXPECT_ZONE, zone);
        }
    });
}

fn head(subsystem: u16, kind: u16, flags: u16, sequence: u32) -> Head {
    Head { kind: subsystem << 8 | kind, flags: NLM_F_REQUEST | flags, sequence }
}

/// A message about the flow with this key.
fn about(
    out: &mut Vec<u8>,
    kind: u16,
    flags: u16,
    sequence: u32,
    key: &Key,
    fill: impl FnOnce(&mut Writer<'_>),
) {
    let (tuple, zone) = (key.tuple(), key.zone());
    message(out, head(SUBSYS_CONNTRACK, kind, flags, sequence), family(&tuple), 0, |w| {
        put_tuple(w, CTA_TUPLE_ORIG, &tuple, zone_for(zone, ZoneSide::Original));
        put_zone(w, zone);
        fill(w);
    });
}

fn family(tuple: &Tuple) -> u8 {
    if tuple.is_ipv4() { libc::AF_INET as u8 } else { libc::AF_INET6 as u8 }
}

/// The zone that stands inside the tuple of this direction, if it does.
fn zone_for(zone: Zone, side: ZoneSide) -> Option<u16> {
    (zone.side == side).then_some(zone.id)
}

fn put_zone(w: &mut Writer<'_>, zone: Zone) {
    if zone.side == ZoneSide::Both && zone.id != 0 {
        w.be16(CTA_ZONE, zone.id);
    }
}

fn put_tuple(w: &mut Writer<'_>, kind: u16, tuple: &Tuple, zone: Option<u16>) {
    w.nest(kind, |w| {
        w.nest(CTA_TUPLE_IP, |w| {
            put_address(w, tuple.source, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
            put_address(w, tuple.destination, CTA_IP_V4_DST, CTA_IP_V6_DST);
        });
        w.nest(CTA_TUPLE_PROTO, |w| {
            w.bytes(CTA_PROTO_NUM, &[tuple.protocol]);
            match tuple.ends {
                Ends::Ports { source, destination } => {
                    w.be16(CTA_PROTO_SRC_PORT, source);
                    w.be16(CTA_PROTO_DST_PORT, destination);
                }
                Ends::Echo { id, kind, code } => {
                    let [of_id, of_kind, of_code] = match tuple.protocol {
                        protocol::ICMPV6 => {
                            [CTA_PROTO_ICMPV6_ID, CTA_PROTO_ICMPV6_TYPE, CTA_PROTO_ICMPV6_CODE]
                        }
                        _ => [CTA_PROTO_ICMP_ID, CTA_PROTO_ICMP_TYPE, CTA_PROTO_ICMP_CODE],
                    };
                    w.be16(of_id, id);
                    w.bytes(of_kind, &[kind]);
                    w.bytes(of_code, &[code]);
                }
                Ends::None => {}
            }
        });
        if let Some(zone) = zone {
            w.be16(CTA_TUPLE_ZONE, zone);
        }
    });
}

fn put_address(w: &mut Writer<'_>, address: IpAddr, four: u16, six: u16) {
    match address {
        IpAddr::V4(address) => w.bytes(four, &address.octets()),
        IpAddr::V6(address) => w.bytes(six, &address.octets()),
    }
}

/// What NAT makes of the inverse of the original tuple, so that the reply comes out as it
/// is on the source. Ports are named even where NAT kept them: else the kernel would
/// quietly take others when these are in use.
fn put_nat(w: &mut Writer<'_>, flow: &Flow) {
    let inverse = flow.original.inverse();
    let (reply_source, reply_destination) = match flow.reply.ends {
        Ends::Ports { source, destination } => (Some(source), Some(destination)),
        // Both directions of an echo have one identifier: one way is enough to change it.
        Ends::Echo { id, .. } => ((flow.reply.ends == inverse.ends).then_some(id), Some(id)),
        Ends::None => (None, None),
    };
    if flow.status.any(Status::SRC_NAT) {
        put_range(w, CTA_NAT_SRC, flow.reply.destination, reply_destination);
    }
    if flow.status.any(Status::DST_NAT) {
        put_range(w, CTA_NAT_DST, flow.reply.source, reply_source);
    }
}

fn put_range(w: &mut Writer<'_>, kind: u16, address: IpAddr, port: Option<u16>) {
    w.nest(kind, |w| {
        put_address(w, address, CTA_NAT_V4_MINIP, CTA_NAT_V6_MINIP);
        put_address(w, address, CTA_NAT_V4_MAXIP, CTA_NAT_V6_MAXIP);
        if let Some(port) = port {
            w.nest(CTA_NAT_PROTO, |w| {
                w.be16(CTA_PROTONAT_PORT_MIN, port);
                w.be16(CTA_PROTONAT_PORT_MAX, port);
            });
        }
    });
}

/// Everything that can be changed later too.
fn put_state(w: &mut Writer<'_>, flow: &Flow, with_helper: bool) {
    let status = flow.status.0 & (Status::SEEN_REPLY | Status::ASSURED) | Status::CONFIRMED;
    w.be32(CTA_STATUS, status);
    if let Some(seconds) = flow.timeout {
        w.be32(CTA_TIMEOUT, seconds);
    }
    w.be32(CTA_MARK, flow.mark);
    put_protocol(w, &flow.protocol);
    if let Some([original, reply]) = &flow.adjustments {
        put_adjustment(w, CTA_SEQ_ADJ_ORIG, original);
        put_adjustment(w, CTA_SEQ_ADJ_REPLY, reply);
    }
    if let Some(labels) = &flow.labels {
        w.bytes(CTA_LABELS, labels);
        w.bytes(CTA_LABELS_MASK, &[0xff; 16]);
    }
    if let Some(helper) = flow.helper.filter(|_| with_helper) {
        w.nest(CTA_HELP, |w| w.string(CTA_HELP_NAME, helper.as_str()));
    }
}

fn put_protocol(w: &mut Writer<'_>, state: &Protocol) {
    match state {
        Protocol::None => {}
        Protocol::Tcp(tcp) => w.nest(CTA_PROTOINFO, |w| {
            w.nest(CTA_PROTOINFO_TCP, |w| {
                w.bytes(CTA_PROTOINFO_TCP_STATE, &[tcp.state]);
                w.bytes(CTA_PROTOINFO_TCP_WSCALE_ORIGINAL, &[tcp.scale_original]);
                w.bytes(CTA_PROTOINFO_TCP_WSCALE_REPLY, &[tcp.scale_reply]);
                let flags = |flags: u8| [flags & TCP_FLAGS, TCP_FLAGS];
                w.bytes(CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, &flags(tcp.flags_original));
                w.bytes(CTA_PROTOINFO_TCP_FLAGS_REPLY, &flags(tcp.flags_reply));
            });
        }),
        Protocol::Sctp(sctp) => w.nest(CTA_PROTOINFO, |w| {
            w.nest(CTA_PROTOINFO_SCTP, |w| {
                w.bytes(CTA_PROTOINFO_SCTP_STATE, &[sctp.state]);
                w.be32(CTA_PROTOINFO_SCTP_VTAG_ORIGINAL, sctp.tag_original);
                w.be32(CTA_PROTOINFO_SCTP_VTAG_REPLY, sctp.tag_reply);
            });
        }),
    }
}

fn put_adjustment(w: &mut Writer<'_>, kind: u16, adjustment: &SequenceAdjustment) {
    w.nest(kind, |w| {
        w.be32(CTA_SEQADJ_CORRECTION_POS, adjustment.position);
        w.be32(CTA_SEQADJ_OFFSET_BEFORE, adjustment.before);
        w.be32(CTA_SEQADJ_OFFSET_AFTER, adjustment.after);
    });
}

#[cfg(test)]
mod tests {
    use twinwall_netlink::wire::Messages;

    use super::*;
    use crate::flow::HelperName;
    use crate::kernel::read::{Event, decode_event};
    use crate::testing::flow;

    /// A flow with everything that a request carries.
    fn full(source: &str, destination: &str, protocol: u8) -> Flow {
        Flow {
            zone: Zone { id: 5, side: ZoneSide::Both },
            mark: 0x1234_5678,
            labels: Some([3; 16]),
            helper: HelperName::new(b"ftp"),
            adjustments: Some([
                SequenceAdjustment { position: 1, before: 2, after: 3 },
                SequenceAdjustment { position: 4, before: 5, after: 6 },
            ]),
            ..flow(source, destination, protocol)
        }
    }

    #[test]
    fn what_is_said_without_nat_is_read_back() {
        for (source, destination, protocol) in [
            ("10.0.0.9", "192.0.2.1", 6),
            ("10.0.0.9", "192.0.2.1", 17),
            ("10.0.0.9", "192.0.2.1", 1),
            ("fd00::9", "2001:db8::1", 58),
            ("fd00::9", "2001:db8::1", 132),
        ] {
            let flow = full(source, destination, protocol);
            let mut out = Vec::new();
            create(&mut out, &flow, true, 7);
            let messages: Vec<_> = Messages(&out).collect();
            assert_eq!(messages.len(), 1);
            assert_eq!(decode_event(&messages[0]), Some(Event::Seen(flow)));
        }
    }

    #[test]
    fn zones_of_one_direction_stand_in_its_tuple() {
        for side in [ZoneSide::Original, ZoneSide::Reply] {
            let flow = Flow { zone: Zone { id: 9, side }, ..flow("10.0.0.9", "192.0.2.1", 17) };
            let mut out = Vec::new();
            create(&mut out, &flow, true, 1);
            let message = Messages(&out).next().expect("one message");
            assert_eq!(message.attributes().be16(CTA_ZONE), None);
            assert_eq!(decode_event(&message), Some(Event::Seen(flow)));
        }
    }

    #[test]
    fn nat_is_described_by_what_it_makes_of_the_reply() {
        let mut flow = flow("10.0.0.9", "192.0.2.1", 6);
        flow.status.0 |= Status::SRC_NAT | Status::DST_NAT;
        flow.reply.source = "10.9.0.1".parse().unwrap();
        flow.reply.destination = "203.0.113.1".parse().unwrap();
        flow.reply.ends = Ends::Ports { source: 8080, destination: 50_001 };
        let mut out = Vec::new();
        create(&mut out, &flow, true, 1);
        let attributes = Messages(&out).next().expect("one message").attributes();
        let range = |kind| {
            let nat = attributes.nested(kind);
            let port = nat.nested(CTA_NAT_PROTO).be16(CTA_PROTONAT_PORT_MIN);
            (nat.get(CTA_NAT_V4_MINIP).map(<[u8]>::to_vec), port)
        };
        assert_eq!(range(CTA_NAT_SRC), (Some(vec![203, 0, 113, 1]), Some(50_001)));
        assert_eq!(range(CTA_NAT_DST), (Some(vec![10, 9, 0, 1]), Some(8080)));
        let reply = attributes.nested(CTA_TUPLE_REPLY).nested(CTA_TUPLE_IP);
        assert_eq!(reply.get(CTA_IP_V4_SRC), Some(&[192, 0, 2, 1][..]), "before NAT");
    }

    #[test]
    fn an_identifier_that_nat_kept_is_named_so_that_the_kernel_takes_no_other() {
        let mut flow = flow("10.0.0.9", "192.0.2.1", protocol::ICMP);
        flow.status.0 |= Status::SRC_NAT;
        flow.reply.destination = "203.0.113.1".parse().unwrap();
        let mut out = Vec::new();
        create(&mut out, &flow, true, 1);
        let attributes = Messages(&out).next().expect("one message").attributes();
        let named = attributes.nested(CTA_NAT_SRC).nested(CTA_NAT_PROTO);
        assert_eq!(named.be16(CTA_PROTONAT_PORT_MIN), Some(77));
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_survived() {
        let mut whole = Vec::new();
        create(&mut whole, &full("10.0.0.9", "192.0.2.1", 6), true, 1);
        for at in 0..whole.len() {
            for value in [0, 1, 2, 4, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                for message in Messages(&bytes) {
                    let _survived = decode_event(&message);
                }
            }
        }
    }
}
