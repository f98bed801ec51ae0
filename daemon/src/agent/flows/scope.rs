//! What is replicated, as the settings say: both nodes must come to the same.

use std::net::{IpAddr, Ipv4Addr};

use twinwall_core::beat::RoleWord;
use twinwall_core::config::{FlowProtocol, Flows, Pair, Prefix};
use twinwall_core::ids::Designation;
use twinwall_flows::eligible::{Eligible, Filter, Network};
use twinwall_flows::source;
use twinwall_flows::view::Part;

use crate::agent::guard::GuardState;

/// Everything that the threads are made from. Settings that leave it as it is need no new ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    own: Vec<IpAddr>,
    filter: Filter,
    most: u32,
    /// Whose neighbours are told: the interfaces with addresses of the pair.
    pub(super) interfaces: Vec<String>,
}

impl Scope {
    /// None where nothing is replicated. `ha_link` are this node's addresses on the HA link:
    /// what goes over it has one of them at one end.
    pub(super) fn of(pair: &Pair, ha_link: &[IpAddr]) -> Option<Scope> {
        if !pair.flows.replicate {
            return None;
        }
        let mut own = ha_link.to_vec();
        for interface in &pair.interfaces {
            let both = [Designation::Primary, Designation::Secondary];
            let nodes = both.into_iter().flat_map(|node| interface.own(node));
            own.extend(nodes.clone().map(|prefix| prefix.address));
            own.extend(nodes.chain(&interface.virtual_ips).filter_map(broadcast));
        }
        own.sort_unstable();
        own.dedup();
        let interfaces = pair.interfaces.iter().map(|interface| interface.name.clone());
        let (filter, most) = (filter(&pair.flows), pair.flows.most);
        Some(Scope { own, filter, most, interfaces: interfaces.collect() })
    }

    pub(super) fn settings(&self) -> source::Settings {
        source::Settings {
            most: usize::try_from(self.most).unwrap_or(usize::MAX),
            eligible: Eligible::new(self.own.iter().copied(), self.filter.clone()),
        }
    }
}

/// The broadcast address of an IPv4 subnet that has one.
fn broadcast(prefix: &Prefix) -> Option<IpAddr> {
    match prefix.address {
        IpAddr::V4(four) if prefix.length <= 30 => {
            let host = u32::MAX.checked_shr(prefix.length.into()).unwrap_or(0);
            Some(IpAddr::V4(Ipv4Addr::from_bits(four.to_bits() | host)))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

fn filter(flows: &Flows) -> Filter {
    let networks = flows.ignore_addresses.iter();
    Filter {
        only_protocols: flows
            .protocols
            .iter()
            .flat_map(|one: &FlowProtocol| one.numbers())
            .copied()
            .collect(),
        without_networks: networks
            .map(|prefix| Network { address: prefix.address, length: prefix.length })
            .collect(),
        without_ports: flows.ignore_ports.iter().map(|port| *port..=*port).collect(),
        minimum_age: flows.least_age,
    }
}

/// The part that follows from the role. A node that claims carries the traffic in a moment,
/// and one that releases still forwards. Nothing while the guard does not say.
pub(super) fn part(guard: &GuardState) -> Option<Part> {
    let role = guard.status()?.snapshot.role.role;
    Some(match role {
        RoleWord::Active | RoleWord::Claiming | RoleWord::Releasing => Part::Source,
        RoleWord::Passive | RoleWord::Starting => Part::Mirror,
    })
}

#[cfg(test)]
mod tests {
    use twinwall_core::config::parse_pair;

    use super::*;

    const PAIR: &str = "pair_id = 7\n[ha_link]\ninterface = \"ha0\"\n[[interface]]\nname = \"lan\"\n\
        primary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = [\"10.1.0.1/24\", \"fd01::1/64\"]\n\
        [[interface]]\nname = \"wan\"\nvirtual = \"192.0.2.5/31\"\n";

    #[test]
    fn the_nodes_own_addresses_are_none_of_it_and_virtual_ones_are() {
        let pair = parse_pair("pair.toml", PAIR).expect("right");
        let ha = ["10.9.0.1".parse().expect("an address")];
        let scope = Scope::of(&pair, &ha).expect("it is on");
        let own = ["10.1.0.2", "10.1.0.3", "10.1.0.255", "10.9.0.1"];
        assert_eq!(scope.own, own.map(|text| text.parse::<IpAddr>().expect("an address")));
        assert_eq!(scope.interfaces, ["lan", "wan"]);
    }

    #[test]
    fn the_setting_turns_it_off_and_the_others_say_what_is_left_out() {
        let off = format!("{PAIR}[flows]\nreplicate = false\n");
        assert_eq!(Scope::of(&parse_pair("pair.toml", &off).expect("right"), &[]), None);
        let text = format!(
            "{PAIR}[flows]\nprotocols = [\"tcp\", \"icmp\"]\nignore_addresses = \"10.8.0.0/16\"\n\
             ignore_ports = \"53\"\nmost = 100\n"
        );
        let scope = Scope::of(&parse_pair("pair.toml", &text).expect("right"), &[]).expect("on");
        assert_eq!(scope.filter.only_protocols, [6, 1, 58]);
        assert_eq!(scope.filter.without_ports, [53..=53]);
        assert_eq!(scope.filter.without_networks.len(), 1);
        assert_eq!(scope.settings().most, 100);
    }
}
