//! ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861) as bytes: what
//! `announce` and `ask` send, and what `ask` reads. Pure; whatever comes from the
//! network is checked before it is believed.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::rtnetlink::Mac;

/// EtherType of ARP.
pub const ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// Bytes of an ARP frame.
pub const ARP_FRAME: usize = 42;
/// Bytes of a neighbour advertisement or solicitation with one link-layer option.
pub const ND_FRAME: usize = 86;

const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
const NONCE: u8 = 14;
const FLAG_ROUTER: u8 = 0x80;
const FLAG_OVERRIDE: u8 = 0x20;
/// Offsets in an IPv6 frame.
const ICMP: usize = 54;
const TARGET: usize = 62;
const AFTER_TARGET: usize = 78;

/// The two forms of gratuitous ARP: some stations listen to requests only, some to replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gratuitous {
    /// An ARP announcement (RFC 5227).
    Request,
    /// An answer that nobody asked for.
    Reply,
}

/// Says to all that `address` is at `mac`.
pub fn gratuitous_arp(mac: Mac, address: Ipv4Addr, form: Gratuitous) -> [u8; ARP_FRAME] {
    match form {
        Gratuitous::Request => arp(REQUEST, mac, address, Mac([0; 6]), address),
        Gratuitous::Reply => arp(REPLY, mac, address, Mac::BROADCAST, address),
    }
}

/// Asks who has `target`. `own` may be 0.0.0.0: then it is an ARP probe, which every
/// host answers as well.
pub fn arp_request(mac: Mac, own: Ipv4Addr, target: Ipv4Addr) -> [u8; ARP_FRAME] {
    arp(REQUEST, mac, own, Mac([0; 6]), target)
}

fn arp(
    operation: u8,
    mac: Mac,
    sender: Ipv4Addr,
    target_mac: Mac,
    target: Ipv4Addr,
) -> [u8; ARP_FRAME] {
    let mut frame = [0; ARP_FRAME];
    frame[..6].copy_from_slice(&Mac::BROADCAST.0);
    frame[6..12].copy_from_slice(&mac.0);
    frame[12..14].copy_from_slice(&ARP.to_be_bytes());
    frame[14..22].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, operation]);
    frame[22..28].copy_from_slice(&mac.0);
    frame[28..32].copy_from_slice(&sender.octets());
    frame[32..38].copy_from_slice(&target_mac.0);
    frame[38..42].copy_from_slice(&target.octets());
    frame
}

/// Says to all that `address` is at `mac` from now on. `router`: whether this node
/// forwards there; an advertisement without it would strike us off the default routers.
pub fn unsolicited_advertisement(mac: Mac, address: Ipv6Addr, router: bool) -> [u8; ND_FRAME] {
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let flags = FLAG_OVERRIDE | if router { FLAG_ROUTER } else { 0 };
    neighbour(ADVERTISEMENT, flags, mac, address, all_nodes, address)
}

/// Asks who has `target`. `own` may be `::`; then the answer goes to all nodes.
pub fn solicitation(mac: Mac, own: Ipv6Addr, target: Ipv6Addr) -> [u8; ND_FRAME] {
    let [.., x, y, z] = target.octets();
    let low = 0xff00 | u16::from(x);
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, low, u16::from_be_bytes([y, z]));
    neighbour(SOLICITATION, 0, mac, own, group, target)
}

fn neighbour(
    kind: u8,
    flags: u8,
    mac: Mac,
    from: Ipv6Addr,
    to: Ipv6Addr,
    target: Ipv6Addr,
) -> [u8; ND_FRAME] {
    let mut frame = [0; ND_FRAME];
    frame[..2].copy_from_slice(&[0x33, 0x33]);
    frame[2..6].copy_from_slice(&to.octets()[12..]);
    frame[6..12].copy_from_slice(&mac.0);
    frame[12..14].copy_from_slice(&IPV6.to_be_bytes());
    frame[14] = 0x60;
    frame[18..20].copy_from_slice(&((ND_FRAME - ICMP) as u16).to_be_bytes());
    frame[20..22].copy_from_slice(&[ICMPV6, 255]);
    frame[22..38].copy_from_slice(&from.octets());
    frame[38..54].copy_from_slice(&to.octets());
    frame[ICMP] = kind;
    frame[58] = flags;
    frame[TARGET..AFTER_TARGET].copy_from_slice(&target.octets());
    let option = if kind == SOLICITATION { SOURCE_LINK_LAYER } else { TARGET_LINK_LAYER };
    // RFC 4861 4.3: from the unspecified address goes no link-layer option; a nonce may (RFC 7527).
    frame[78] = if from.is_unspecified() { NONCE } else { option };
    frame[79] = 1;
    frame[80..86].copy_from_slice(&mac.0);
    let sum = checksum(&frame[22..], ICMPV6).to_be_bytes();
    frame[56..58].copy_from_slice(&sum);
    frame
}

/// The ICMPv6 checksum over `bytes`: source, destination, then the whole message.
fn checksum(bytes: &[u8], protocol: u8) -> u16 {
    let message = u32::try_from(bytes.len().saturating_sub(32)).unwrap_or(u32::MAX);
    let mut sum = u64::from(message) + u64::from(protocol);
    for pair in bytes.chunks(2) {
        sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The sender of an ARP reply, if the frame is one.
pub fn parse_arp_reply(frame: &[u8]) -> Option<(Ipv4Addr, Mac)> {
    let frame: &[u8; ARP_FRAME] = frame.first_chunk()?;
    if frame[12..14] != ARP.to_be_bytes() || frame[14..22] != [0, 1, 8, 0, 6, 4, 0, REPLY] {
        return None;
    }
    let address: [u8; 4] = *frame[28..].first_chunk()?;
    let mac: [u8; 6] = *frame[22..].first_chunk()?;
    Some((address.into(), Mac(mac)))
}

/// The target of a neighbour advertisement, if the frame is a valid one (RFC 4861 7.1.2).
pub fn parse_neighbour_advertisement(frame: &[u8]) -> Option<(Ipv6Addr, Mac)> {
    if frame.get(12..14)? != IPV6.to_be_bytes() || frame[14..].first()? >> 4 != 6 {
        return None;
    }
    let payload = usize::from(u16::from_be_bytes(*frame.get(18..)?.first_chunk()?));
    // Behind the packet may be padding to Ethernet's shortest frame.
    let packet = frame.get(..ICMP.checked_add(payload)?)?;
    let minimum = AFTER_TARGET - ICMP;
    if payload < minimum
        || packet[20..22] != [ICMPV6, 255]
        || packet[ICMP..ICMP + 2] != [ADVERTISEMENT, 0]
    {
        return None;
    }
    // A sum that includes its own field is all ones, and its complement zero.
    if checksum(&packet[22..], ICMPV6) != 0 {
        return None;
    }
    let target: [u8; 16] = *packet[TARGET..].first_chunk()?;
    let target = Ipv6Addr::from(target);
    (!target.is_multicast()).then_some((target, Mac(*packet[6..].first_chunk()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 9]);

    fn v6(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    #[test]
    fn a_gratuitous_reply_reads_back_and_a_request_is_no_reply() {
        let address = Ipv4Addr::new(10, 0, 0, 1);
        let reply = gratuitous_arp(MAC, address, Gratuitous::Reply);
        assert_eq!(parse_arp_reply(&reply), Some((address, MAC)));
        assert_eq!(parse_arp_reply(&gratuitous_arp(MAC, address, Gratuitous::Request)), None);
    }

    #[test]
    fn an_advertisement_reads_back_with_and_without_padding() {
        let frame = unsolicited_advertisement(MAC, v6("fd00::1"), true);
        assert_eq!(parse_neighbour_advertisement(&frame), Some((v6("fd00::1"), MAC)));
        let padded = [&frame[..], &[0; 10]].concat();
        assert_eq!(parse_neighbour_advertisement(&padded), Some((v6("fd00::1"), MAC)));
        assert_eq!(frame[58], FLAG_ROUTER | FLAG_OVERRIDE);
    }

    #[test]
    fn a_solicitation_goes_to_the_group_of_its_target() {
        let frame = solicitation(MAC, v6("fd00::2"), v6("fd00::12:3456"));
        assert_eq!(frame[..6], [0x33, 0x33, 0xff, 0x12, 0x34, 0x56]);
        assert_eq!(frame[38..54], v6("ff02::1:ff12:3456").octets());
        assert_eq!(checksum(&frame[22..], ICMPV6), 0);
    }

    #[test]
    fn frames_cut_short_are_refused_without_harm() {
        let arp = gratuitous_arp(MAC, Ipv4Addr::new(10, 0, 0, 1), Gratuitous::Reply);
        let advertisement = unsolicited_advertisement(MAC, v6("fd00::1"), true);
        for end in 0..ND_FRAME {
            assert_eq!(parse_arp_reply(&arp[..end.min(ARP_FRAME - 1)]), None);
            assert_eq!(parse_neighbour_advertisement(&advertisement[..end]), None);
        }
    }

    #[test]
    fn every_single_wrong_byte_that_matters_is_noticed() {
        let good = unsolicited_advertisement(MAC, v6("fd00::1"), false);
        for at in [12, 14, 18, 19, 20, 21, 22, 40, 54, 55, 56, 58, 62, 77, 79, 85] {
            let mut bad = good;
            bad[at] ^= 0x41;
            assert_eq!(parse_neighbour_advertisement(&bad), None, "byte {at}");
        }
        let good = gratuitous_arp(MAC, Ipv4Addr::new(10, 0, 0, 1), Gratuitous::Reply);
        for at in 12..22 {
            let mut bad = good;
            bad[at] ^= 0x41;
            assert_eq!(parse_arp_reply(&bad), None, "byte {at}");
        }
    }

    #[test]
    fn a_million_bent_frames_do_no_harm() {
        let seeds = [
            gratuitous_arp(MAC, Ipv4Addr::new(10, 0, 0, 1), Gratuitous::Reply).to_vec(),
            unsolicited_advertisement(MAC, v6("fd00::1"), true).to_vec(),
        ];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap_or(0)
        };
        let mut believed = 0;
        for round in 0..1_000_000 {
            let mut frame = seeds[round % 2].clone();
            for _ in 0..random() % 4 {
                let at = random() % frame.len();
                frame[at] = random() as u8;
            }
            frame.truncate(random() % (frame.len() * 2));
            believed += usize::from(parse_arp_reply(&frame).is_some());
            believed += usize::from(parse_neighbour_advertisement(&frame).is_some());
        }
        assert!(believed > 1000, "the unbent ones are still read");
    }
}
