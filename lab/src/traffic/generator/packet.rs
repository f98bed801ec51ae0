//! The packets of flows that are made in number: IPv4 with UDP or TCP, and which flow of the
//! number a packet belongs to. Pure.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::plan::{MANY_SOURCES, MANY_TARGETS};
use crate::traffic::frames::internet_checksum;

const IP_BYTES: usize = 20;
/// A TCP header without options.
const TCP_BYTES: usize = 20;
/// Header and payload of a datagram, as small as a question to a name server.
const UDP_BYTES: usize = 8 + 24;
/// Longest packet.
pub(super) const PACKET_BYTES: usize = IP_BYTES + UDP_BYTES;
/// Ethernet's header before the packets that come from a packet socket.
const ETHERNET_BYTES: usize = 14;

/// Source ports count from here; so many are used.
const FIRST_SOURCE_PORT: u16 = 1024;
const SOURCE_PORTS: u32 = 1 << 15;
/// Target ports, two of them.
const FIRST_TARGET_PORT: u16 = 4000;

const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;

/// TCP's flags.
pub(super) const FIN: u8 = 1;
pub(super) const SYN: u8 = 2;
pub(super) const ACK: u8 = 16;

/// A packet ready to be sent.
#[derive(Clone, Copy)]
pub(super) struct Packet {
    bytes: [u8; PACKET_BYTES],
    length: usize,
}

impl Packet {
    /// What goes out.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Where it goes.
    pub(super) fn target(&self) -> Ipv4Addr {
        Ipv4Addr::new(self.bytes[16], self.bytes[17], self.bytes[18], self.bytes[19])
    }

    /// With an IP header; the kernel fills in its length and its checksum.
    fn new(protocol: u8, payload: usize, from: Ipv4Addr, to: Ipv4Addr) -> Packet {
        let mut bytes = [0; PACKET_BYTES];
        bytes[0] = 0x45;
        bytes[8] = 64;
        bytes[9] = protocol;
        bytes[12..16].copy_from_slice(&from.octets());
        bytes[16..20].copy_from_slice(&to.octets());
        Packet { bytes, length: IP_BYTES + payload }
    }
}

/// Ends of flow number `number`: no two flows have the same, nor do they when all sources are
/// hidden behind one address.
pub fn ends(number: u32) -> [SocketAddrV4; 2] {
    let [target, _, source, low] = [number >> 16, 0, number & 0xffff, number & (SOURCE_PORTS - 1)];
    let address = |[a, b]: [u8; 2], host: u32| {
        let [c, d] = (host as u16).to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    let target_port = FIRST_TARGET_PORT + u16::from(source >= SOURCE_PORTS);
    [
        SocketAddrV4::new(address(MANY_SOURCES, source), FIRST_SOURCE_PORT + low as u16),
        SocketAddrV4::new(address(MANY_TARGETS, target), target_port),
    ]
}

/// The number of the flow that has these addresses before any translation.
pub fn number(source: Ipv4Addr, target: Ipv4Addr) -> Option<u32> {
    let ([a, b, c, d], [e, f, g, h]) = (source.octets(), target.octets());
    let ours = [a, b] == MANY_SOURCES && [e, f] == MANY_TARGETS;
    ours.then(|| u32::from_be_bytes([g, h, c, d]))
}

/// The only datagram of a flow.
pub(super) fn udp(number: u32) -> Packet {
    let [from, to] = ends(number);
    let mut packet = Packet::new(PROTOCOL_UDP, UDP_BYTES, *from.ip(), *to.ip());
    let header = &mut packet.bytes[IP_BYTES..];
    header[..2].copy_from_slice(&from.port().to_be_bytes());
    header[2..4].copy_from_slice(&to.port().to_be_bytes());
    // No checksum: RFC 768 allows that over IPv4.
    header[4..6].copy_from_slice(&(UDP_BYTES as u16).to_be_bytes());
    packet
}

/// A segment without data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
    pub(super) sequence: u32,
    pub(super) acknowledged: u32,
    pub(super) flags: u8,
}

impl Segment {
    /// The first one of a flow.
    pub(super) fn first(number: u32) -> Segment {
        let [from, to] = ends(number);
        Segment { from, to, sequence: 1, acknowledged: 0, flags: SYN }
    }

    /// What the other end says to this one: `flags` beside the acknowledgement.
    pub(super) fn answer(self, flags: u8) -> Segment {
        let takes_one = self.flags & (SYN | FIN) != 0;
        // An end that has said nothing yet begins at 1, as both do.
        let sequence = if self.flags & ACK == 0 { 1 } else { self.acknowledged };
        Segment {
            from: self.to,
            to: self.from,
            sequence,
            acknowledged: self.sequence.wrapping_add(u32::from(takes_one)),
            flags: flags | ACK,
        }
    }

    /// As a packet.
    pub(super) fn packet(self) -> Packet {
        let mut packet = Packet::new(PROTOCOL_TCP, TCP_BYTES, *self.from.ip(), *self.to.ip());
        let header = &mut packet.bytes[IP_BYTES..IP_BYTES + TCP_BYTES];
        header[..2].copy_from_slice(&self.from.port().to_be_bytes());
        header[2..4].copy_from_slice(&self.to.port().to_be_bytes());
        header[4..8].copy_from_slice(&self.sequence.to_be_bytes());
        header[8..12].copy_from_slice(&self.acknowledged.to_be_bytes());
        header[12] = ((TCP_BYTES / 4) << 4) as u8;
        header[13] = self.flags;
        header[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
        let sum = checksum(&packet.bytes[12..IP_BYTES + TCP_BYTES]);
        packet.bytes[IP_BYTES + 16..IP_BYTES + 18].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    /// From a frame of a packet socket.
    pub(super) fn read(frame: &[u8]) -> Option<Segment> {
        let packet = frame.get(ETHERNET_BYTES..)?;
        let header = packet.get(usize::from(packet.first()? & 0x0f) * 4..)?;
        let port = |at: usize| Some(u16::from_be_bytes(*header.get(at..)?.first_chunk()?));
        let word = |at: usize| Some(u32::from_be_bytes(*header.get(at..)?.first_chunk()?));
        let address = |at: usize| Some(Ipv4Addr::from(*packet.get(at..)?.first_chunk::<4>()?));
        Some(Segment {
            from: SocketAddrV4::new(address(12)?, port(0)?),
            to: SocketAddrV4::new(address(16)?, port(2)?),
            sequence: word(4)?,
            acknowledged: word(8)?,
            flags: *header.get(13)?,
        })
    }
}

/// The checksum over the addresses and the segment, with the rest of RFC 9293's pseudo
/// header.
fn checksum(addresses_and_segment: &[u8]) -> u16 {
    internet_checksum(u32::from(PROTOCOL_TCP) + TCP_BYTES as u32, addresses_and_segment)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_flows_are_alike_even_behind_one_address() {
        let numbers = (0..200_000).chain(0xffff_0000..=0xffff_ffff);
        let hidden: BTreeSet<(u16, SocketAddrV4)> =
            numbers.clone().map(|one| (ends(one)[0].port(), ends(one)[1])).collect();
        assert_eq!(hidden.len(), numbers.clone().count());
        for one in numbers.step_by(997) {
            let [from, to] = ends(one);
            assert_eq!(number(*from.ip(), *to.ip()), Some(one));
        }
        assert_eq!(number(Ipv4Addr::new(10, 1, 0, 1), Ipv4Addr::new(10, 65, 0, 1)), None);
    }

    #[test]
    fn a_segment_is_read_as_it_was_written_and_its_checksum_holds() {
        let segment = Segment::first(70_000).answer(SYN);
        let packet = segment.packet();
        let frame = [&[0; ETHERNET_BYTES][..], packet.bytes()].concat();
        assert_eq!(Segment::read(&frame), Some(segment));
        assert_eq!(checksum(&packet.bytes()[12..]), 0);
        assert_eq!(Segment::read(&frame[..40]), None);
    }

    #[test]
    fn a_handshake_and_an_end_count_as_both_ends_expect() {
        let syn = Segment::first(1);
        let syn_ack = syn.answer(SYN);
        assert_eq!((syn_ack.sequence, syn_ack.acknowledged), (1, 2));
        let ack = syn_ack.answer(0);
        assert_eq!((ack.sequence, ack.acknowledged, ack.flags), (2, 2, ACK));
        let fin = Segment { flags: FIN | ACK, ..ack };
        let fin_ack = fin.answer(FIN);
        assert_eq!((fin_ack.sequence, fin_ack.acknowledged), (2, 3));
        assert_eq!((fin_ack.answer(0).sequence, fin_ack.answer(0).acknowledged), (3, 3));
    }
}
