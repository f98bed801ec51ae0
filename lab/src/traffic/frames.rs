//! The bytes of the probes and of their answers: numbered UDP payload, ICMP
//! echo, ARP request, neighbour solicitation.
//!
//! Pure. A question carries its number in a field that the answer repeats, so
//! that two answers to one question are told from answers to two.
//! - UDP and ICMP: in the payload.
//! - ARP: sent as an RFC 5227 probe (sender address 0.0.0.0, so that the asked
//!   node learns no neighbour) with the number in the sender hardware address.
//! - Neighbour solicitation: the source is one of [`SOLICIT_SOURCES`] link-local
//!   addresses of our own making, by number; that many lie far enough apart.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::log::Mac;

/// Longest frame sent: a neighbour solicitation is 86 bytes.
const FRAME_BYTES: usize = 96;
/// Payload of a routed probe, as small as a voice packet's.
const UDP_BYTES: usize = 32;
const ICMP_BYTES: usize = 24;
const ARP_BYTES: usize = 42;
const SOLICIT_BYTES: usize = 86;
/// Marks our payloads.
const MAGIC: [u8; 4] = *b"tw\x02p";
/// Source addresses that the neighbour solicitations of one stream take in turn.
/// At one each 5 ms an address comes again after 320 ms, long after its answer.
pub(super) const SOLICIT_SOURCES: u32 = 64;

const ICMP_ECHO: u8 = 8;
const ICMP_ECHO_REPLY: u8 = 0;
const ICMP6_ECHO: u8 = 128;
pub(super) const ICMP6_ECHO_REPLY: u8 = 129;
const ICMP6_SOLICIT: u8 = 135;
pub(super) const ICMP6_ADVERT: u8 = 136;
const ARP_REQUEST: u8 = 1;
const ARP_REPLY: u8 = 2;
const IPV6_ICMP: u8 = 58;

/// A frame or payload ready to be sent.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    bytes: [u8; FRAME_BYTES],
    length: usize,
}

impl Frame {
    fn new(length: usize) -> Frame {
        Frame { bytes: [0; FRAME_BYTES], length }
    }

    fn put(&mut self, at: usize, part: &[u8]) {
        self.bytes[at..at + part.len()].copy_from_slice(part);
    }

    /// What goes out.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Payload of the routed probe `number`.
pub(super) fn udp(number: u32) -> Frame {
    let mut frame = Frame::new(UDP_BYTES);
    frame.put(0, &MAGIC);
    frame.put(4, &number.to_be_bytes());
    frame
}

/// The number in an echoed payload.
pub(super) fn udp_number(payload: &[u8]) -> Option<u32> {
    if payload.get(..4)? != MAGIC {
        return None;
    }
    number_at(payload, 4)
}

/// An ICMP echo request; the kernel fills in the checksum of ICMPv6 only.
pub(super) fn echo(ipv6: bool, tag: u16, number: u32) -> Frame {
    let mut frame = Frame::new(ICMP_BYTES);
    frame.bytes[0] = if ipv6 { ICMP6_ECHO } else { ICMP_ECHO };
    frame.put(4, &tag.to_be_bytes());
    frame.put(6, &(number as u16).to_be_bytes());
    frame.put(8, &MAGIC);
    frame.put(12, &number.to_be_bytes());
    if !ipv6 {
        let sum = internet_checksum(0, frame.bytes());
        frame.put(2, &sum.to_be_bytes());
    }
    frame
}

/// The number in an echo reply as a raw socket gives it: IPv4 with the IP
/// header before it, IPv6 without.
pub(super) fn echo_number(ipv6: bool, tag: u16, packet: &[u8]) -> Option<u32> {
    let header = if ipv6 { 0 } else { usize::from(packet.first()? & 0x0f) * 4 };
    let reply = packet.get(header..)?;
    let kind = if ipv6 { ICMP6_ECHO_REPLY } else { ICMP_ECHO_REPLY };
    let ours = *reply.first()? == kind
        && reply.get(4..6)? == tag.to_be_bytes()
        && reply.get(8..12)? == MAGIC;
    if ours { number_at(reply, 12) } else { None }
}

/// An ARP request for `target` from the interface with address `source`.
pub(super) fn arp(source: Mac, tag: u8, number: u32, target: Ipv4Addr) -> Frame {
    let mut frame = Frame::new(ARP_BYTES);
    frame.put(0, &[0xff; 6]);
    frame.put(6, &source.0);
    frame.put(12, &[8, 6, 0, 1, 8, 0, 6, 4, 0, ARP_REQUEST]);
    frame.put(22, &numbered_mac(tag, number));
    frame.put(38, &target.octets());
    frame
}

/// Locally administered; bit 7 of the tag's byte is free for use as it is no group bit.
fn numbered_mac(tag: u8, number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_be_bytes();
    [2, tag, a, b, c, d]
}

/// The number, the answering address and the answered-for address of an ARP
/// reply to a request made with `tag`.
pub(super) fn arp_reply(tag: u8, frame: &[u8]) -> Option<(u32, Mac, Ipv4Addr)> {
    let to_us = frame.len() >= ARP_BYTES
        && frame[12..14] == [8, 6]
        && frame[20..22] == [0, ARP_REPLY]
        && frame[32..34] == [2, tag];
    if !to_us {
        return None;
    }
    let address: [u8; 4] = frame[28..32].try_into().ok()?;
    Some((number_at(frame, 34)?, mac_at(frame, 22)?, Ipv4Addr::from(address)))
}

fn solicit_source(tag: u8, number: u32) -> Ipv6Addr {
    let slot = (number % SOLICIT_SOURCES) as u16;
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x7477, u16::from(tag), slot)
}

/// A neighbour solicitation for `target` from the interface with address `source`.
pub(super) fn solicit(source: Mac, tag: u8, number: u32, target: Ipv6Addr) -> Frame {
    let low = target.octets();
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(low[13]), {
        u16::from_be_bytes([low[14], low[15]])
    });
    let mut frame = Frame::new(SOLICIT_BYTES);
    frame.put(0, &[0x33, 0x33, 0xff, low[13], low[14], low[15]]);
    frame.put(6, &source.0);
    frame.put(12, &[0x86, 0xdd, 0x60]);
    frame.put(18, &[0, 32, IPV6_ICMP, 255]);
    frame.put(22, &solicit_source(tag, number).octets());
    frame.put(38, &group.octets());
    frame.bytes[54] = ICMP6_SOLICIT;
    frame.put(62, &low);
    frame.put(78, &[1, 1]);
    frame.put(80, &source.0);
    let sum = internet_checksum(32 + u32::from(IPV6_ICMP), &frame.bytes()[22..]);
    frame.put(56, &sum.to_be_bytes());
    frame
}

/// The newest number below `count` whose solicitation a neighbour advertisement
/// for `target` answers, and the address that answers.
pub(super) fn advert(tag: u8, count: u32, target: Ipv6Addr, frame: &[u8]) -> Option<(u32, Mac)> {
    let advert = frame.len() >= 78
        && frame[12..14] == [0x86, 0xdd]
        && frame[20] == IPV6_ICMP
        && frame[54] == ICMP6_ADVERT
        && frame[62..78] == target.octets();
    if !advert {
        return None;
    }
    let to: [u8; 16] = frame[38..54].try_into().ok()?;
    let slot = u32::from(u16::from_be_bytes([to[14], to[15]]));
    if Ipv6Addr::from(to) != solicit_source(tag, slot) {
        return None;
    }
    let newest = count.checked_sub(1)?;
    let back = (newest + SOLICIT_SOURCES - slot) % SOLICIT_SOURCES;
    // The target link-layer option, when it stands where the kernel puts it.
    let option = frame.get(78..80) == Some(&[2, 1]);
    let mac = mac_at(frame, if option { 80 } else { 6 })?;
    Some((newest.checked_sub(back)?, mac))
}

fn number_at(bytes: &[u8], at: usize) -> Option<u32> {
    let part: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(part))
}

fn mac_at(bytes: &[u8], at: usize) -> Option<Mac> {
    Some(Mac(bytes.get(at..at + 6)?.try_into().ok()?))
}

/// The Internet checksum (RFC 1071) of `bytes`, an even number of them, on top of `start`.
pub(super) fn internet_checksum(start: u32, bytes: &[u8]) -> u16 {
    let mut sum = start;
    for pair in bytes.chunks_exact(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Mac = Mac([2, 0, 0, 0, 0, 9]);
    const THEM: Mac = Mac([2, 0, 0, 0, 0, 7]);
    const V4: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
    const V6: Ipv6Addr = Ipv6Addr::new(0xfd01, 0, 0, 0, 0, 0, 0, 1);

    #[test]
    fn an_echoed_payload_gives_its_number_and_foreign_ones_none() {
        assert_eq!(udp_number(udp(70_000).bytes()), Some(70_000));
        assert_eq!(udp_number(b"hello, world"), None);
        assert_eq!(udp_number(b"tw"), None);
    }

    #[test]
    fn an_echo_reply_gives_its_number_to_its_own_stream_only() {
        let mut reply = vec![0x45; 20];
        reply.extend_from_slice(echo(false, 5, 99_999).bytes());
        assert_eq!(echo_number(false, 5, &reply), None, "a request is no reply");
        reply[20] = ICMP_ECHO_REPLY;
        assert_eq!(echo_number(false, 5, &reply), Some(99_999));
        assert_eq!(echo_number(false, 6, &reply), None);
        assert_eq!(echo_number(false, 5, &reply[..24]), None);
        let mut reply = echo(true, 5, 3).bytes().to_vec();
        reply[0] = ICMP6_ECHO_REPLY;
        assert_eq!(echo_number(true, 5, &reply), Some(3));
    }

    #[test]
    fn an_echo_request_has_a_right_checksum() {
        assert_eq!(internet_checksum(0, echo(false, 5, 99_999).bytes()), 0);
    }

    #[test]
    fn an_arp_reply_gives_number_and_answerer() {
        let request = arp(US, 3, 123_456, V4);
        assert_eq!(arp_reply(3, request.bytes()), None);
        let mut reply = request.bytes().to_vec();
        reply[21] = ARP_REPLY;
        reply.copy_within(22..28, 32);
        reply[22..28].copy_from_slice(&THEM.0);
        reply[28..32].copy_from_slice(&V4.octets());
        assert_eq!(arp_reply(3, &reply), Some((123_456, THEM, V4)));
        assert_eq!(arp_reply(4, &reply), None);
        assert_eq!(arp_reply(3, &reply[..41]), None);
    }

    fn advert_to(number: u32) -> Vec<u8> {
        let mut frame = solicit(US, 3, number, V6).bytes().to_vec();
        frame.copy_within(22..38, 38);
        frame[54] = ICMP6_ADVERT;
        frame[78] = 2;
        frame[80..86].copy_from_slice(&THEM.0);
        frame
    }

    #[test]
    fn an_advert_is_matched_to_the_newest_question_from_its_address() {
        assert_eq!(advert(3, 1_001, V6, &advert_to(1_000)), Some((1_000, THEM)));
        assert_eq!(advert(3, 1_010, V6, &advert_to(1_000)), Some((1_000, THEM)));
        assert_eq!(advert(3, 1, V6, &advert_to(0)), Some((0, THEM)));
        assert_eq!(advert(3, 1, V6, &advert_to(5)), None, "never asked");
        assert_eq!(advert(4, 1_001, V6, &advert_to(1_000)), None);
        assert_eq!(advert(3, 1_001, V6, &advert_to(1_000)[..70]), None);
    }

    #[test]
    fn a_solicitation_has_a_right_checksum() {
        let frame = solicit(US, 3, 7, V6);
        assert_eq!(internet_checksum(32 + u32::from(IPV6_ICMP), &frame.bytes()[22..]), 0);
    }
}
