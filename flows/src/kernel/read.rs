//! Flows and expectations out of the kernel's messages. Pure; what is cut or makes no
//! sense is no flow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use twinwall_netlink::number::{SUBSYS_CONNTRACK, SUBSYS_EXPECTATIONS};
use twinwall_netlink::wire::{Attributes, Message};

use super::number::*;
use crate::expectation::{Expectation, FunctionName, NatOfExpected};
use crate::flow::{Flow, HelperName, Protocol, Sctp, SequenceAdjustment, Status, Tcp};
use crate::tuple::{Ends, Tuple, Zone, ZoneSide, protocol};

/// What the kernel tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A flow is new or changed. Labels and adjustments are there only if they changed.
    Seen(Flow),
    /// A flow is gone; of it only tuples, zone and status count.
    Gone(Flow),
    /// A new expectation.
    Expected(Expectation),
    /// An expectation is gone.
    Unexpected(Expectation),
}

/// What a message tells, if it is about a flow or an expectation.
pub fn decode_event(message: &Message<'_>) -> Option<Event> {
    let (subsystem, kind) = (message.head.kind >> 8, message.head.kind & 0xff);
    let attributes = message.attributes();
    match (subsystem, kind) {
        (SUBSYS_CONNTRACK, MSG_NEW) => flow(attributes).map(Event::Seen),
        (SUBSYS_CONNTRACK, MSG_DELETE) => flow(attributes).map(Event::Gone),
        (SUBSYS_EXPECTATIONS, MSG_NEW) => expectation(attributes).map(Event::Expected),
        (SUBSYS_EXPECTATIONS, MSG_DELETE) => expectation(attributes).map(Event::Unexpected),
        _ => None,
    }
}

/// The flow of a message.
pub(super) fn flow(attributes: Attributes<'_>) -> Option<Flow> {
    let (mut original, mut reply, mut zone) = (None, None, Zone::default());
    let mut flow = Flow {
        // Replaced below: without both tuples there is no flow.
        original: NOWHERE,
        reply: NOWHERE,
        zone,
        status: Status::default(),
        timeout: None,
        mark: 0,
        protocol: Protocol::None,
        labels: None,
        helper: None,
        adjustments: None,
    };
    for (kind, value) in attributes {
        let inner = Attributes(value);
        match kind {
            CTA_TUPLE_ORIG => {
                original = tuple(inner);
                zone_of(inner, ZoneSide::Original, &mut zone);
            }
            CTA_TUPLE_REPLY => {
                reply = tuple(inner);
                zone_of(inner, ZoneSide::Reply, &mut zone);
            }
            CTA_STATUS => flow.status = Status(be32(value)?),
            CTA_TIMEOUT => flow.timeout = Some(be32(value)?),
            CTA_MARK => flow.mark = be32(value)?,
            CTA_ZONE => zone = Zone { id: be16(value)?, side: ZoneSide::Both },
            CTA_PROTOINFO => flow.protocol = protocol_state(inner),
            CTA_LABELS => flow.labels = Some(labels(value)),
            CTA_HELP => flow.helper = inner.get(CTA_HELP_NAME).and_then(HelperName::new),
            CTA_SEQ_ADJ_ORIG => flow.adjustments.get_or_insert_default()[0] = adjustment(inner),
            CTA_SEQ_ADJ_REPLY => flow.adjustments.get_or_insert_default()[1] = adjustment(inner),
            _ => {}
        }
    }
    (flow.original, flow.reply, flow.zone) = (original?, reply?, zone);
    (flow.original.is_ipv4() == flow.reply.is_ipv4()).then_some(flow)
}

const NOWHERE: Tuple = Tuple {
    source: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    destination: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    protocol: 0,
    ends: Ends::None,
};

fn be16(value: &[u8]) -> Option<u16> {
    value.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn be32(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

fn zone_of(tuple: Attributes<'_>, side: ZoneSide, zone: &mut Zone) {
    if let Some(id) = tuple.be16(CTA_TUPLE_ZONE) {
        *zone = Zone { id, side };
    }
}

/// Labels are a bit mask of up to 128 bits; a shorter one is filled up.
fn labels(value: &[u8]) -> [u8; 16] {
    let mut labels = [0; 16];
    let length = value.len().min(16);
    labels[..length].copy_from_slice(&value[..length]);
    labels
}

fn tuple(attributes: Attributes<'_>) -> Option<Tuple> {
    let (mut addresses, mut upper) = (None, None);
    for (kind, value) in attributes {
        match kind {
            CTA_TUPLE_IP => addresses = ip(Attributes(value)),
            CTA_TUPLE_PROTO => upper = proto(Attributes(value)),
            _ => {}
        }
    }
    let ((source, destination), (protocol, ends)) = (addresses?, upper?);
    Some(Tuple { source, destination, protocol, ends })
}

fn ip(attributes: Attributes<'_>) -> Option<(IpAddr, IpAddr)> {
    let (mut source, mut destination) = (None, None);
    for (kind, value) in attributes {
        match kind {
            CTA_IP_V4_SRC => source = v4(value),
            CTA_IP_V4_DST => destination = v4(value),
            CTA_IP_V6_SRC => source = v6(value),
            CTA_IP_V6_DST => destination = v6(value),
            _ => {}
        }
    }
    let (source, destination) = (source?, destination?);
    (source.is_ipv4() == destination.is_ipv4()).then_some((source, destination))
}

fn v4(value: &[u8]) -> Option<IpAddr> {
    value.first_chunk::<4>().map(|bytes| IpAddr::V4(Ipv4Addr::from(*bytes)))
}

fn v6(value: &[u8]) -> Option<IpAddr> {
    value.first_chunk::<16>().map(|bytes| IpAddr::V6(Ipv6Addr::from(*bytes)))
}

fn proto(attributes: Attributes<'_>) -> Option<(u8, Ends)> {
    let protocol = attributes.byte(CTA_PROTO_NUM)?;
    let echo = |id, kind, code| {
        Some(Ends::Echo {
            id: attributes.be16(id)?,
            kind: attributes.byte(kind)?,
            code: attributes.byte(code)?,
        })
    };
    let ends = match protocol {
        protocol::ICMP => echo(CTA_PROTO_ICMP_ID, CTA_PROTO_ICMP_TYPE, CTA_PROTO_ICMP_CODE),
        protocol::ICMPV6 => echo(CTA_PROTO_ICMPV6_ID, CTA_PROTO_ICMPV6_TYPE, CTA_PROTO_ICMPV6_CODE),
        _ => ports(attributes),
    };
    Some((protocol, ends.unwrap_or(Ends::None)))
}

fn ports(attributes: Attributes<'_>) -> Option<Ends> {
    let source = attributes.be16(CTA_PROTO_SRC_PORT)?;
    Some(Ends::Ports { source, destination: attributes.be16(CTA_PROTO_DST_PORT)? })
}

fn protocol_state(attributes: Attributes<'_>) -> Protocol {
    for (kind, value) in attributes {
        let inner = Attributes(value);
        match kind {
            CTA_PROTOINFO_TCP => return tcp(inner).map_or(Protocol::None, Protocol::Tcp),
            CTA_PROTOINFO_SCTP => return sctp(inner).map_or(Protocol::None, Protocol::Sctp),
            _ => {}
        }
    }
    Protocol::None
}

fn tcp(attributes: Attributes<'_>) -> Option<Tcp> {
    let (mut tcp, mut told) = (Tcp::default(), false);
    for (kind, value) in attributes {
        // Flags are a byte of them and a byte with their mask.
        let byte = value.first().copied().unwrap_or(0);
        match kind {
            CTA_PROTOINFO_TCP_STATE => (tcp.state, told) = (byte, true),
            CTA_PROTOINFO_TCP_WSCALE_ORIGINAL => tcp.scale_original = byte,
            CTA_PROTOINFO_TCP_WSCALE_REPLY => tcp.scale_reply = byte,
            CTA_PROTOINFO_TCP_FLAGS_ORIGINAL => tcp.flags_original = byte,
            CTA_PROTOINFO_TCP_FLAGS_REPLY => tcp.flags_reply = byte,
            _ => {}
        }
    }
    told.then_some(tcp)
}

fn sctp(attributes: Attributes<'_>) -> Option<Sctp> {
    Some(Sctp {
        state: attributes.byte(CTA_PROTOINFO_SCTP_STATE)?,
        tag_original: attributes.be32(CTA_PROTOINFO_SCTP_VTAG_ORIGINAL).unwrap_or(0),
        tag_reply: attributes.be32(CTA_PROTOINFO_SCTP_VTAG_REPLY).unwrap_or(0),
    })
}

fn adjustment(attributes: Attributes<'_>) -> SequenceAdjustment {
    let number = |kind| attributes.be32(kind).unwrap_or(0);
    SequenceAdjustment {
        position: number(CTA_SEQADJ_CORRECTION_POS),
        before: number(CTA_SEQADJ_OFFSET_BEFORE),
        after: number(CTA_SEQADJ_OFFSET_AFTER),
    }
}

/// The expectation of a message.
pub(super) fn expectation(attributes: Attributes<'_>) -> Option<Expectation> {
    let nat = attributes.nested(CTA_EXPECT_NAT);
    let nat = tuple(nat.nested(CTA_EXPECT_NAT_TUPLE))
        .map(|tuple| NatOfExpected { direction: nat.be32(CTA_EXPECT_NAT_DIR).unwrap_or(0), tuple });
    Some(Expectation {
        master: tuple(attributes.nested(CTA_EXPECT_MASTER))?,
        tuple: tuple(attributes.nested(CTA_EXPECT_TUPLE))?,
        mask: tuple(attributes.nested(CTA_EXPECT_MASK))?,
        zone: attributes.be16(CTA_EXPECT_ZONE).unwrap_or(0),
        flags: attributes.be32(CTA_EXPECT_FLAGS).unwrap_or(0),
        class: attributes.be32(CTA_EXPECT_CLASS).unwrap_or(0),
        timeout: attributes.be32(CTA_EXPECT_TIMEOUT).unwrap_or(0),
        helper: attributes.get(CTA_EXPECT_HELP_NAME).and_then(HelperName::new),
        function: attributes.get(CTA_EXPECT_FN).and_then(FunctionName::new),
        nat,
    })
}
