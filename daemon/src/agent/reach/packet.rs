//! The questions to a gateway as bytes, and its answers: ARP (RFC 826, RFC 5227), neighbour
//! solicitation (RFC 4861), echo (RFC 792, RFC 4443). Pure; whatever comes from the network is
//! checked before it is believed.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes of an ARP frame with its Ethernet header.
pub const ARP_FRAME: usize = 42;
/// Bytes of an echo: type, code, checksum, identifier, sequence, nonce.
pub const ECHO: usize = 16;
/// Bytes of a neighbour solicitation with its link-layer option.
pub const SOLICITATION: usize = 32;

const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERNET: usize = 14;
const REPLY: u8 = 2;
const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;
const SOLICIT: u8 = 135;
const ADVERTISE: u8 = 136;

/// An address of a network card.
pub type Mac = [u8; 6];

/// Asks who has `target`. `own` may be 0.0.0.0: then it is an ARP probe, which every host
/// answers as well, and which teaches nobody an address.
pub fn arp_request(mac: Mac, own: Ipv4Addr, target: Ipv4Addr) -> [u8; ARP_FRAME] {
    let mut frame = [0; ARP_FRAME];
    frame[..6].copy_from_slice(&[0xff; 6]);
    frame[6..12].copy_from_slice(&mac);
    frame[12..14].copy_from_slice(&ETHERTYPE_ARP.to_be_bytes());
    frame[14..22].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
    frame[22..28].copy_from_slice(&mac);
    frame[28..32].copy_from_slice(&own.octets());
    frame[38..42].copy_from_slice(&target.octets());
    frame
}

/// Whose answer a frame is: an ARP reply to `mac`.
pub fn parse_arp_reply(frame: &[u8], mac: Mac) -> Option<Ipv4Addr> {
    let frame = frame.get(..ARP_FRAME)?;
    let is_reply = frame[12..ETHERNET] == ETHERTYPE_ARP.to_be_bytes()
        && frame[ETHERNET..22] == [0, 1, 8, 0, 6, 4, 0, REPLY];
    let sender: [u8; 4] = frame[28..32].try_into().ok()?;
    (is_reply && frame[32..38] == mac).then(|| Ipv4Addr::from(sender))
}

/// Asks who has `target`, as an ICMPv6 message; the kernel fills in its checksum.
pub fn solicitation(mac: Mac, target: Ipv6Addr) -> [u8; SOLICITATION] {
    let mut message = [0; SOLICITATION];
    message[0] = SOLICIT;
    message[8..24].copy_from_slice(&target.octets());
    message[24..26].copy_from_slice(&[1, 1]);
    message[26..].copy_from_slice(&mac);
    message
}

/// The group at which a node with this address listens for such questions.
pub fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., x, y, z] = target.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(x), u16::from_be_bytes([y, z]))
}

/// Whose advertisement an ICMPv6 message is. Unsolicited ones count too: they come from it.
pub fn parse_advertisement(message: &[u8]) -> Option<Ipv6Addr> {
    let message = message.get(..24)?;
    let target: [u8; 16] = message[8..24].try_into().ok()?;
    (message[0] == ADVERTISE && message[1] == 0).then(|| Ipv6Addr::from(target))
}

/// An echo request; `number` says which gateway is asked, `nonce` is what only the two know.
pub fn echo_request(v4: bool, identifier: u16, number: u16, nonce: [u8; 8]) -> [u8; ECHO] {
    let mut echo = [0; ECHO];
    echo[0] = if v4 { ECHO_REQUEST } else { ECHO_REQUEST_V6 };
    echo[4..6].copy_from_slice(&identifier.to_be_bytes());
    echo[6..8].copy_from_slice(&number.to_be_bytes());
    echo[8..].copy_from_slice(&nonce);
    if v4 {
        let sum = checksum(&echo).to_be_bytes();
        echo[2..4].copy_from_slice(&sum);
    }
    echo
}

/// Which gateway answered an echo with this identifier and nonce. As a raw socket delivers
/// it: an IPv4 packet begins with its header, an ICMPv6 message with itself.
pub fn parse_echo(packet: &[u8], v4: bool, identifier: u16, nonce: [u8; 8]) -> Option<u16> {
    let header = if v4 { usize::from(packet.first()? & 0xf) * 4 } else { 0 };
    let echo: &[u8; ECHO] = packet.get(header..)?.first_chunk()?;
    let kind = if v4 { ECHO_REPLY } else { ECHO_REPLY_V6 };
    let ours = echo[0] == kind && echo[4..6] == identifier.to_be_bytes() && echo[8..] == nonce;
    ours.then(|| u16::from_be_bytes([echo[6], echo[7]]))
}

fn checksum(bytes: &[u8; ECHO]) -> u16 {
    let sum: u32 =
        bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [2, 0, 0, 0, 0, 9];

    /// What a gateway makes of a request.
    fn arp_answer(request: [u8; ARP_FRAME]) -> [u8; ARP_FRAME] {
        let mut frame = request;
        frame[21] = REPLY;
        frame[28..32].copy_from_slice(&request[38..42]);
        frame[32..38].copy_from_slice(&request[22..28]);
        frame
    }

    #[test]
    fn an_answer_to_us_is_taken_and_every_other_frame_is_none() {
        let target = Ipv4Addr::new(203, 0, 113, 1);
        let request = arp_request(MAC, Ipv4Addr::UNSPECIFIED, target);
        let answer = arp_answer(request);
        assert_eq!(parse_arp_reply(&answer, MAC), Some(target));
        assert_eq!(parse_arp_reply(&answer, [2, 0, 0, 0, 0, 8]), None, "to somebody else");
        assert_eq!(parse_arp_reply(&request, MAC), None, "a question");
        for end in 0..ARP_FRAME {
            assert_eq!(parse_arp_reply(&answer[..end], MAC), None, "cut at {end}");
        }
    }

    #[test]
    fn an_advertisement_names_its_target() {
        let target: Ipv6Addr = "fe80::1234:5678".parse().expect("an address");
        let mut message = solicitation(MAC, target);
        assert_eq!(parse_advertisement(&message), None, "a question");
        message[0] = ADVERTISE;
        assert_eq!(parse_advertisement(&message), Some(target));
        for end in 0..24 {
            assert_eq!(parse_advertisement(&message[..end]), None, "cut at {end}");
        }
        assert_eq!(solicited_node(target).to_string(), "ff02::1:ff34:5678");
    }

    #[test]
    fn an_echo_comes_back_with_its_number_and_a_strangers_does_not() {
        let nonce = [7; 8];
        let mut echo = echo_request(false, 9, 3, nonce);
        echo[0] = ECHO_REPLY_V6;
        assert_eq!(parse_echo(&echo, false, 9, nonce), Some(3));
        assert_eq!(parse_echo(&echo, false, 8, nonce), None);
        assert_eq!(parse_echo(&echo, false, 9, [6; 8]), None);
        let mut echo = echo_request(true, 9, 3, nonce);
        assert_eq!(checksum(&echo), 0, "RFC 1071: over a right message it is zero");
        echo[0] = ECHO_REPLY;
        let mut packet = vec![0u8; 20];
        packet[0] = 0x45;
        packet.extend(echo);
        assert_eq!(parse_echo(&packet, true, 9, nonce), Some(3));
        for end in 0..packet.len() {
            assert_eq!(parse_echo(&packet[..end], true, 9, nonce), None, "cut at {end}");
        }
    }
}
