//! Which packets belong together: a tuple per direction, and the key of a flow.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Protocol numbers of IANA.
pub mod protocol {
    /// ICMP for IPv4.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// DCCP.
    pub const DCCP: u8 = 33;
    /// GRE.
    pub const GRE: u8 = 47;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;
    /// UDP-Lite.
    pub const UDPLITE: u8 = 136;
}

/// What tells flows between the same two addresses apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ends {
    /// TCP, UDP, UDP-Lite, DCCP, SCTP: ports. GRE: the keys of both directions.
    Ports {
        /// Of the sender.
        source: u16,
        /// Of the receiver.
        destination: u16,
    },
    /// ICMP and ICMPv6.
    Echo {
        /// Identifier.
        id: u16,
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
    /// Every other protocol: the addresses are all there is.
    None,
}

/// One direction of a flow as its packets carry it. Both addresses are of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Sender.
    pub source: IpAddr,
    /// Receiver.
    pub destination: IpAddr,
    /// Number of the protocol above IP.
    pub protocol: u8,
    /// Ports or the like.
    pub ends: Ends,
}

impl Tuple {
    /// Whether it is IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.source.is_ipv4()
    }

    /// The tuple of an answer to it, were there no NAT.
    #[must_use]
    pub fn inverse(&self) -> Tuple {
        let ends = match self.ends {
            Ends::Ports { source, destination } => {
                Ends::Ports { source: destination, destination: source }
            }
            Ends::Echo { id, kind, code } => {
                Ends::Echo { id, kind: answer(self.protocol, kind), code }
            }
            Ends::None => Ends::None,
        };
        Tuple { source: self.destination, destination: self.source, protocol: self.protocol, ends }
    }
}

/// The ICMP type that answers `kind`, which is `kind` itself for those without one.
fn answer(protocol: u8, kind: u8) -> u8 {
    match (protocol, kind) {
        (protocol::ICMP, 8) => 0,
        (protocol::ICMP, 0) => 8,
        (protocol::ICMP, 13) => 14,
        (protocol::ICMP, 14) => 13,
        (protocol::ICMP, 15) => 16,
        (protocol::ICMP, 16) => 15,
        (protocol::ICMP, 17) => 18,
        (protocol::ICMP, 18) => 17,
        (protocol::ICMPV6, 128) => 129,
        (protocol::ICMPV6, 129) => 128,
        (protocol::ICMPV6, 139) => 140,
        (protocol::ICMPV6, 140) => 139,
        (_, other) => other,
    }
}

impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tuple { source, destination, protocol, .. } = self;
        match self.ends {
            Ends::Ports { source: from, destination: to } => {
                write!(f, "protocol {protocol} [{source}]:{from} > [{destination}]:{to}")
            }
            Ends::Echo { id, kind, code } => {
                write!(f, "protocol {protocol} {source} > {destination} {kind}/{code} id {id}")
            }
            Ends::None => write!(f, "protocol {protocol} {source} > {destination}"),
        }
    }
}

/// Where a conntrack zone holds (CTA_ZONE, CTA_TUPLE_ZONE).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ZoneSide {
    /// For both directions.
    #[default]
    Both,
    /// For the original direction only.
    Original,
    /// For the reply direction only.
    Reply,
}

/// A conntrack zone; 0 for both directions is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Zone {
    /// Its number.
    pub id: u16,
    /// Where it holds.
    pub side: ZoneSide,
}

/// A flow's name: its original tuple and its zone, 40 bytes without a pointer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    bytes: [u8; Key::LENGTH],
}

const V4: u8 = 1;
const PORTS: u8 = 2;
const ECHO: u8 = 4;
const ZONE_ORIGINAL: u8 = 8;
const ZONE_REPLY: u8 = 16;

impl Key {
    /// Bytes of a key.
    pub const LENGTH: usize = 40;

    /// The key of this tuple in this zone.
    pub fn new(tuple: &Tuple, zone: Zone) -> Key {
        let mut bytes = [0; Key::LENGTH];
        let mut shape = 0;
        for (at, address) in [(0, tuple.source), (16, tuple.destination)] {
            match address {
                IpAddr::V4(four) => {
                    shape |= V4;
                    bytes[at..at + 4].copy_from_slice(&four.octets());
                }
                IpAddr::V6(six) => bytes[at..at + 16].copy_from_slice(&six.octets()),
            }
        }
        let [a, b, c, d] = match tuple.ends {
            Ends::Ports { source, destination } => {
                shape |= PORTS;
                let ([a, b], [c, d]) = (source.to_be_bytes(), destination.to_be_bytes());
                [a, b, c, d]
            }
            Ends::Echo { id, kind, code } => {
                shape |= ECHO;
                let [a, b] = id.to_be_bytes();
                [a, b, kind, code]
            }
            Ends::None => [0; 4],
        };
        shape |= match zone.side {
            ZoneSide::Both => 0,
            ZoneSide::Original => ZONE_ORIGINAL,
            ZoneSide::Reply => ZONE_REPLY,
        };
        let [y, z] = zone.id.to_be_bytes();
        bytes[32..].copy_from_slice(&[shape, tuple.protocol, a, b, c, d, y, z]);
        Key { bytes }
    }

    /// The tuple that it was made of.
    pub fn tuple(&self) -> Tuple {
        let [shape, protocol, a, b, c, d, ..] = self.tail();
        let ends = if shape & PORTS != 0 {
            let source = u16::from_be_bytes([a, b]);
            Ends::Ports { source, destination: u16::from_be_bytes([c, d]) }
        } else if shape & ECHO != 0 {
            Ends::Echo { id: u16::from_be_bytes([a, b]), kind: c, code: d }
        } else {
            Ends::None
        };
        Tuple { source: self.address(0), destination: self.address(16), protocol, ends }
    }

    /// The zone that it was made of.
    pub fn zone(&self) -> Zone {
        let [shape, .., y, z] = self.tail();
        let side = if shape & ZONE_ORIGINAL != 0 {
            ZoneSide::Original
        } else if shape & ZONE_REPLY != 0 {
            ZoneSide::Reply
        } else {
            ZoneSide::Both
        };
        Zone { id: u16::from_be_bytes([y, z]), side }
    }

    /// Its bytes: equal keys have equal ones, on every machine.
    pub fn bytes(&self) -> &[u8; Key::LENGTH] {
        &self.bytes
    }

    fn tail(&self) -> [u8; 8] {
        let mut tail = [0; 8];
        tail.copy_from_slice(&self.bytes[32..]);
        tail
    }

    fn address(&self, at: usize) -> IpAddr {
        let mut six = [0; 16];
        six.copy_from_slice(&self.bytes[at..at + 16]);
        if self.bytes[32] & V4 == 0 {
            return IpAddr::V6(Ipv6Addr::from(six));
        }
        IpAddr::V4(Ipv4Addr::new(six[0], six[1], six[2], six[3]))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} zone {:?})", self.tuple(), self.zone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(source: &str, destination: &str, protocol: u8, ends: Ends) -> Tuple {
        let address = |text: &str| text.parse().unwrap();
        Tuple { source: address(source), destination: address(destination), protocol, ends }
    }

    #[test]
    fn a_key_gives_back_what_it_was_made_of() {
        let ports = Ends::Ports { source: 40_000, destination: 443 };
        let tuples = [
            tuple("10.0.0.1", "192.0.2.9", protocol::TCP, ports),
            tuple("2001:db8::1", "2001:db8::2", protocol::UDP, ports),
            tuple("10.0.0.1", "192.0.2.9", protocol::ICMP, Ends::Echo { id: 7, kind: 8, code: 0 }),
            tuple("10.0.0.1", "192.0.2.9", 50, Ends::None),
        ];
        let zones = [
            Zone::default(),
            Zone { id: 9, side: ZoneSide::Both },
            Zone { id: 9, side: ZoneSide::Original },
            Zone { id: 9, side: ZoneSide::Reply },
        ];
        let mut all = std::collections::HashSet::new();
        for (tuple, zone) in tuples.iter().flat_map(|tuple| zones.map(|zone| (tuple, zone))) {
            let key = Key::new(tuple, zone);
            assert_eq!((key.tuple(), key.zone()), (*tuple, zone));
            assert!(all.insert(key), "two flows with one key");
        }
    }

    #[test]
    fn an_answer_is_answered_by_the_question() {
        for (protocol, kind, back) in [(1, 8, 0), (1, 13, 14), (58, 128, 129), (1, 3, 3)] {
            let sent = tuple("10.0.0.1", "10.0.0.2", protocol, Ends::Echo { id: 1, kind, code: 0 });
            assert_eq!(sent.inverse().ends, Ends::Echo { id: 1, kind: back, code: 0 });
            assert_eq!(sent.inverse().inverse(), sent);
        }
    }
}
