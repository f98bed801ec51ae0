//! Answers of gateways, as anybody on their network may send them.

use std::net::Ipv4Addr;

use twinwall::agent::reach::packet::{
    ARP_FRAME, ECHO, parse_advertisement, parse_arp_reply, parse_echo,
};

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
const NONCE: [u8; 8] = [7; 8];
const IDENTIFIER: u16 = 9;

/// Any frame, message or packet to the readers of answers.
pub fn packet(data: &[u8]) {
    if let Some(sender) = parse_arp_reply(data, MAC) {
        assert!(data.len() >= ARP_FRAME && data[32..38] == MAC, "an answer to somebody else");
        assert_eq!(sender, Ipv4Addr::new(data[28], data[29], data[30], data[31]));
    }
    if let Some(target) = parse_advertisement(data) {
        assert_eq!((data[0], data[1]), (136, 0), "no advertisement");
        assert_eq!(target.octets(), data[8..24], "not what stands there");
    }
    for v4 in [true, false] {
        let Some(number) = parse_echo(data, v4, IDENTIFIER, NONCE) else { continue };
        let header = if v4 { usize::from(data[0] & 0xf) * 4 } else { 0 };
        let echo = &data[header..header + ECHO];
        assert_eq!((&echo[4..6], &echo[8..]), (&IDENTIFIER.to_be_bytes()[..], &NONCE[..]));
        assert_eq!(number.to_be_bytes(), echo[6..8]);
    }
}
