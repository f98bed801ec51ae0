//! Which flows are replicated: those of clients, never those of the nodes themselves. Both
//! nodes must decide alike, so all of it comes from the pair's settings.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::expectation::Expectation;
use crate::flow::{Flow, Status, tcp_state};
use crate::tuple::{Ends, Tuple, protocol};

/// A network: an address with the length of its prefix, 0 to 32 or 0 to 128.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Any address of it.
    pub address: IpAddr,
    /// Length of its prefix; a longer one than the family has counts as that.
    pub length: u8,
}

/// What the settings leave out (pair.toml, `[flows]`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Protocol numbers that are replicated; empty for all.
    pub only_protocols: Vec<u8>,
    /// Flows from or to these networks are left out.
    pub without_networks: Vec<Network>,
    /// Flows to these ports are left out (destination port of the first packet).
    pub without_ports: Vec<RangeInclusive<u16>>,
    /// A flow is replicated once it is so old.
    pub minimum_age: Duration,
}

/// Decides for each flow.
#[derive(Clone, Debug, Default)]
pub struct Eligible {
    own: HashSet<IpAddr>,
    filter: Filter,
}

/// What a flow is to the replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Replicated.
    In,
    /// A flow that is replicated, but not in this state: it is over, or not yet begun.
    Over,
    /// None of our business.
    Out,
}

impl Eligible {
    /// `own`: every address that is *not* a VIP of either node on any interface, the HA
    /// link's and the broadcast addresses of their subnets among them. Loopback,
    /// link-local and multicast are known without.
    pub fn new(own: impl IntoIterator<Item = IpAddr>, filter: Filter) -> Eligible {
        Eligible { own: own.into_iter().collect(), filter }
    }

    /// What the settings leave out.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// How a flow stands. Of TCP only what is past the handshake and not yet over counts:
    /// a half-open connection is repeated by its SYN. One whose state the kernel did not
    /// tell counts once it is ASSURED.
    pub fn standing(&self, flow: &Flow) -> Standing {
        if !self.concerns(&flow.original, &flow.reply) {
            return Standing::Out;
        }
        if flow.original.protocol != protocol::TCP {
            return Standing::In;
        }
        let alive = match flow.tcp_state() {
            Some(state) => (tcp_state::ESTABLISHED..=tcp_state::LAST_ACK).contains(&state),
            None => flow.status.any(Status::ASSURED),
        };
        if alive { Standing::In } else { Standing::Over }
    }

    /// Whether flows with these tuples are replicated at all.
    pub fn concerns(&self, original: &Tuple, reply: &Tuple) -> bool {
        let ends = [original.source, original.destination, reply.source, reply.destination];
        !ends.iter().any(|address| self.is_local(*address)) && !self.is_filtered(original, &ends)
    }

    /// Whether an expectation is replicated: of it only the receiver is always known.
    pub fn concerns_expectation(&self, expectation: &Expectation) -> bool {
        let Expectation { master, tuple, .. } = expectation;
        let ends = [master.source, master.destination, tuple.destination];
        !ends.iter().any(|address| self.is_local(*address))
    }

    fn is_filtered(&self, original: &Tuple, ends: &[IpAddr; 4]) -> bool {
        let filter = &self.filter;
        if !filter.only_protocols.is_empty() && !filter.only_protocols.contains(&original.protocol)
        {
            return true;
        }
        if let Ends::Ports { destination, .. } = original.ends
            && original.protocol != protocol::GRE
            && filter.without_ports.iter().any(|range| range.contains(&destination))
        {
            return true;
        }
        filter.without_networks.iter().any(|network| ends.iter().any(|end| network.contains(*end)))
    }

    fn is_local(&self, address: IpAddr) -> bool {
        let special = match address {
            IpAddr::V4(four) => {
                four.is_loopback()
                    || four.is_multicast()
                    || four.is_link_local()
                    || four.is_unspecified()
                    || four == Ipv4Addr::BROADCAST
            }
            IpAddr::V6(six) => {
                six.is_loopback()
                    || six.is_multicast()
                    || six.is_unicast_link_local()
                    || six.is_unspecified()
            }
        };
        special || self.own.contains(&address)
    }
}

impl Network {
    /// Whether `address` lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(four)) => {
                let rest = 32 - u32::from(self.length.min(32));
                (net.to_bits() ^ four.to_bits()).checked_shr(rest).unwrap_or(0) == 0
            }
            (IpAddr::V6(net), IpAddr::V6(six)) => {
                let rest = 128 - u32::from(self.length.min(128));
                (net.to_bits() ^ six.to_bits()).checked_shr(rest).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Protocol, Tcp};
    use crate::testing::flow;

    fn own() -> Eligible {
        let own = ["10.1.0.2", "10.1.0.3", "10.1.0.255", "fd01::2"];
        Eligible::new(own.map(|text| text.parse().unwrap()), Filter::default())
    }

    #[test]
    fn flows_of_the_nodes_themselves_stay_out_and_those_of_vips_are_in() {
        let eligible = own();
        assert_eq!(eligible.standing(&flow("10.0.0.9", "192.0.2.1", 17)), Standing::In);
        assert_eq!(eligible.standing(&flow("10.0.0.9", "10.1.0.1", 17)), Standing::In, "a VIP");
        for (source, destination) in [
            ("10.0.0.9", "10.1.0.2"),
            ("10.1.0.3", "192.0.2.1"),
            ("10.0.0.9", "10.1.0.255"),
            ("127.0.0.1", "127.0.0.1"),
            ("10.0.0.9", "224.0.0.251"),
            ("169.254.1.1", "10.0.0.9"),
            ("fd09::9", "fd01::2"),
            ("fe80::1", "fd09::9"),
        ] {
            let flow = flow(source, destination, 17);
            assert_eq!(eligible.standing(&flow), Standing::Out, "{source} > {destination}");
        }
        let mut masqueraded = flow("10.0.0.9", "192.0.2.1", 17);
        masqueraded.reply.destination = "10.1.0.2".parse().unwrap();
        assert_eq!(eligible.standing(&masqueraded), Standing::Out, "behind a node's own address");
    }

    #[test]
    fn tcp_counts_between_handshake_and_end() {
        let eligible = own();
        let mut tcp = flow("10.0.0.9", "192.0.2.1", protocol::TCP);
        for (state, standing) in [
            (1, Standing::Over),
            (2, Standing::Over),
            (3, Standing::In),
            (6, Standing::In),
            (7, Standing::Over),
            (8, Standing::Over),
        ] {
            tcp.protocol = Protocol::Tcp(Tcp { state, ..Tcp::default() });
            assert_eq!(eligible.standing(&tcp), standing, "state {state}");
        }
        tcp.protocol = Protocol::None;
        tcp.status = Status(Status::SEEN_REPLY);
        assert_eq!(eligible.standing(&tcp), Standing::Over);
        tcp.status = Status(Status::SEEN_REPLY | Status::ASSURED);
        assert_eq!(eligible.standing(&tcp), Standing::In);
    }

    #[test]
    fn filters_leave_out_what_they_name() {
        let filter = Filter {
            only_protocols: vec![6, 17],
            without_networks: vec![Network { address: "10.7.0.0".parse().unwrap(), length: 16 }],
            without_ports: vec![53..=53],
            minimum_age: Duration::ZERO,
        };
        let eligible = Eligible::new([], filter);
        let standing = |flow: &Flow| eligible.standing(flow);
        assert_eq!(standing(&flow("10.0.0.9", "192.0.2.1", 17)), Standing::In);
        assert_eq!(standing(&flow("10.0.0.9", "192.0.2.1", 1)), Standing::Out);
        assert_eq!(standing(&flow("10.7.3.9", "192.0.2.1", 17)), Standing::Out);
        assert_eq!(standing(&flow("10.0.0.9", "10.7.255.255", 17)), Standing::Out);
        assert_eq!(standing(&flow("10.0.0.9", "10.8.0.0", 17)), Standing::In);
        let mut dns = flow("10.0.0.9", "192.0.2.1", 17);
        dns.original.ends = Ends::Ports { source: 4000, destination: 53 };
        assert_eq!(standing(&dns), Standing::Out);
    }

    #[test]
    fn a_network_of_length_zero_holds_its_whole_family() {
        let all = Network { address: "10.0.0.0".parse().unwrap(), length: 0 };
        assert!(all.contains("192.0.2.1".parse().unwrap()));
        assert!(!all.contains("::1".parse().unwrap()));
    }
}
