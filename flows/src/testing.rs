//! Flows for the tests of this crate.

use std::net::{IpAddr, Ipv4Addr};

use crate::flow::{Flow, Protocol, Status, Tcp, tcp_state};
use crate::tuple::{Ends, Tuple, Zone, protocol};

/// A flow without NAT that packets went through both ways.
pub(crate) fn flow(source: &str, destination: &str, protocol: u8) -> Flow {
    let address = |text: &str| -> IpAddr { text.parse().unwrap() };
    let ends = match protocol {
        protocol::ICMP => Ends::Echo { id: 77, kind: 8, code: 0 },
        protocol::ICMPV6 => Ends::Echo { id: 77, kind: 128, code: 0 },
        _ => Ends::Ports { source: 40_000, destination: 4433 },
    };
    let original =
        Tuple { source: address(source), destination: address(destination), protocol, ends };
    Flow {
        original,
        reply: original.inverse(),
        zone: Zone::default(),
        status: Status(Status::SEEN_REPLY | Status::ASSURED | Status::CONFIRMED),
        timeout: Some(100),
        mark: 0,
        protocol: match protocol {
            protocol::TCP => tcp(tcp_state::ESTABLISHED),
            _ => Protocol::None,
        },
        labels: None,
        helper: None,
        adjustments: None,
    }
}

/// TCP in this state.
pub(crate) fn tcp(state: u8) -> Protocol {
    let scale = 7;
    Protocol::Tcp(Tcp {
        state,
        scale_original: scale,
        scale_reply: scale,
        flags_original: 3,
        flags_reply: 3,
    })
}

/// One of many TCP connections, each with another number.
pub(crate) fn numbered(number: u32) -> Flow {
    let mut flow = flow("10.0.0.9", "192.0.2.1", protocol::TCP);
    flow.original.source = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | number >> 8));
    flow.original.ends = Ends::Ports { source: 1024 + (number & 0xff) as u16, destination: 443 };
    flow.reply = flow.original.inverse();
    flow
}
