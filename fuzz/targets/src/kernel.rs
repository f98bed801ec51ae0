//! The decoders of what the guard's other sockets deliver: answers to ARP, neighbour
//! solicitation and echo requests, and the kernel's netlink messages; those about flows too.

use twinwall_flows::digest::State;
use twinwall_flows::kernel::{Event, decode_entry, decode_event};
use twinwall_guard::ask::{parse_arp_reply, parse_neighbour_advertisement};
use twinwall_guard::ping::{ECHO, parse_echo_reply};
use twinwall_netlink::wire::{Attributes, Messages};

/// The reader of rtnetlink messages, which the guard keeps to itself.
#[allow(dead_code, missing_docs, unreachable_pub)]
#[path = "../../../guard/src/rtnetlink"]
mod rtnetlink {
    pub(crate) mod message;
    pub(crate) mod names;
}

/// The reader of nf_tables messages.
#[allow(dead_code, missing_docs, unreachable_pub)]
#[path = "../../../guard/src/gate"]
mod gate {
    pub(crate) mod found;

    /// What a datagram leaves in the gate's picture of its table: sets, elements, rules.
    pub(crate) fn read(data: &[u8]) -> [usize; 3] {
        let mut found = found::Found::default();
        for message in twinwall_netlink::wire::Messages(data) {
            found.take(&message, "twinwall");
        }
        let elements = found.sets.values().map(|set| set.elements.len()).sum();
        [found.sets.len(), elements, found.rules.values().map(Vec::len).sum()]
    }
}

use rtnetlink::message::{Message, attributes, messages, parse_address, parse_link};

/// A whole Ethernet frame.
pub fn neighbour(data: &[u8]) {
    let arp = parse_arp_reply(data);
    let advertisement = parse_neighbour_advertisement(data);
    assert!(arp.is_none() || advertisement.is_none(), "one frame cannot be both");
    if let Some((address, _)) = advertisement {
        assert!(!address.is_multicast());
    }
}

/// What a raw ICMP socket delivers, read as IPv4 and as ICMPv6. The first two bytes
/// are the identifier that is waited for.
pub fn echo(data: &[u8]) {
    let Some((identifier, packet)) = data.split_first_chunk::<2>() else { return };
    for v4 in [true, false] {
        let Some(reply) = parse_echo_reply(packet, v4, u16::from_be_bytes(*identifier)) else {
            continue;
        };
        let (header, kind) = if v4 { (usize::from(packet[0] & 0xf) * 4, 0) } else { (0, 129) };
        let echo = &packet[header..header + ECHO];
        assert_eq!((echo[0], &echo[4..6]), (kind, &identifier[..]), "not the reply waited for");
        let again = [&reply.number.to_be_bytes()[..], &reply.nonce].concat();
        assert_eq!(again, echo[6..], "not what stands there");
    }
}

/// A datagram of nf_tables, every attribute read in every way.
pub fn nf_tables(data: &[u8]) {
    let mut read = 0;
    for message in Messages(data) {
        read += 16 + message.payload.len();
        let _family = message.family();
        walk(message.attributes(), NESTING);
    }
    assert!(read <= data.len(), "more was read than there was");
    let [sets, elements, rules] = gate::read(data);
    assert!(sets + rules <= data.len() / 16, "more messages than there is room for");
    assert!(elements <= data.len() / 4, "more elements than there is room for");
}

/// Deeper than any attribute of nf_tables lies.
const NESTING: u8 = 5;

fn walk(attributes: Attributes<'_>, depth: u8) {
    let whole = attributes.0.len();
    for (kind, value) in attributes {
        assert!(value.len() + 4 <= whole);
        let first = attributes.get(kind).expect("an attribute that was just read");
        assert_eq!(attributes.be32(kind).is_some(), first.len() >= 4);
        assert_eq!(attributes.be64(kind).is_some(), first.len() >= 8);
        assert!(attributes.string(kind).is_none_or(|text| !text.contains('\0')));
        if depth > 0 {
            walk(attributes.nested(kind), depth - 1);
        }
    }
}

/// A datagram of rtnetlink.
pub fn rtnetlink(data: &[u8]) {
    let mut read = 0;
    for message in messages(data) {
        read += 16 + message.body.len();
        look(&message);
    }
    assert!(read <= data.len(), "more was read than there was");
}

fn look(message: &Message<'_>) {
    let _errno = message.errno();
    if let Some(link) = parse_link(message.body) {
        assert!((1..=15).contains(&link.name.bytes().len()));
        assert_eq!(
            link.name.as_str().parse(),
            Ok(link.name),
            "a name that the guard itself refuses"
        );
    }
    if let Some(address) = parse_address(message.body) {
        let family = i32::from(message.body[0]);
        assert_eq!(address.address.is_ipv4(), family == libc::AF_INET);
    }
    let inside: usize = attributes(message.body).map(|(_, payload)| payload.len()).sum();
    assert!(inside <= message.body.len());
}

/// A datagram about flows, expectations or neighbours.
pub fn conntrack(data: &[u8]) {
    for message in Messages(data) {
        if let Some(entry) = decode_entry(&message) {
            let _told = entry.told();
        }
        let flow = match decode_event(&message) {
            None | Some(Event::Expected(_) | Event::Unexpected(_)) => continue,
            Some(Event::Seen(flow) | Event::Gone(flow)) => flow,
        };
        let key = flow.key();
        assert_eq!((key.tuple(), key.zone()), (flow.original, flow.zone));
        assert_eq!(flow.original.is_ipv4(), flow.reply.is_ipv4());
        assert!(State::of(&key, &flow).bits() < 1 << State::BITS);
    }
}
