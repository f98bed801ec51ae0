//! How long the kernel keeps a flow without packets, by its own settings.

use crate::flow::{Flow, Status};
use crate::tuple::protocol;

/// Seconds, from `net.netfilter.nf_conntrack_*`; `None` where the kernel has no such setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Natural {
    /// UDP, before it is ASSURED.
    pub udp: Option<u32>,
    /// UDP, ASSURED.
    pub udp_stream: Option<u32>,
    /// ICMP.
    pub icmp: Option<u32>,
    /// ICMP for IPv6.
    pub icmpv6: Option<u32>,
    /// GRE, before it is ASSURED.
    pub gre: Option<u32>,
    /// GRE, ASSURED.
    pub gre_stream: Option<u32>,
    /// SCTP, established.
    pub sctp: Option<u32>,
    /// Every other protocol.
    pub generic: Option<u32>,
}

impl Natural {
    /// Those of the calling thread's network namespace.
    pub fn read() -> Natural {
        let setting = |name: &str| {
            let path = format!("/proc/sys/net/netfilter/nf_conntrack_{name}");
            std::fs::read_to_string(path).ok()?.trim().parse().ok()
        };
        Natural {
            udp: setting("udp_timeout"),
            udp_stream: setting("udp_timeout_stream"),
            icmp: setting("icmp_timeout"),
            icmpv6: setting("icmpv6_timeout"),
            gre: setting("gre_timeout"),
            gre_stream: setting("gre_timeout_stream"),
            sctp: setting("sctp_timeout_established"),
            generic: setting("generic_timeout"),
        }
    }

    /// The life of `flow`; `None` for TCP, whose next packet sets it anyway and which lives
    /// longer than anything that a mirror writes.
    pub fn of(&self, flow: &Flow) -> Option<u32> {
        let stream = flow.status.any(Status::ASSURED);
        match flow.original.protocol {
            protocol::TCP => None,
            protocol::UDP | protocol::UDPLITE if stream => self.udp_stream,
            protocol::UDP | protocol::UDPLITE => self.udp,
            protocol::ICMP => self.icmp,
            protocol::ICMPV6 => self.icmpv6,
            protocol::GRE if stream => self.gre_stream,
            protocol::GRE => self.gre,
            protocol::SCTP => self.sctp,
            _ => self.generic,
        }
    }
}
