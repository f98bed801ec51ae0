//! Which gateways are asked, and how: from the settings alone, so that both nodes ask the same
//! in the same way and can be compared. Pure.

use std::net::{IpAddr, Ipv4Addr};

use twinwall_core::config::{Ask, Interface, Pair, Prefix};
use twinwall_core::ids::Designation;

use super::view::Way;

/// A gateway to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) interface: String,
    pub(super) address: IpAddr,
    pub(super) way: Way,
    /// This node's own IPv4 address beside it.
    pub(super) own: Option<Ipv4Addr>,
}

/// All gateways of the pair, in the order of the settings.
pub(super) fn plan(pair: &Pair, designation: Designation) -> Vec<Target> {
    let targets = pair.gateways.iter().filter_map(|gateway| {
        let interface = pair.interfaces.iter().find(|one| one.name == gateway.interface)?;
        Some(target(interface, gateway.address, designation, pair.reach.ask))
    });
    targets.collect()
}

fn target(interface: &Interface, address: IpAddr, who: Designation, ask: Ask) -> Target {
    let pings = ask == Ask::Ping
        && [Designation::Primary, Designation::Secondary]
            .iter()
            .all(|who| beside(interface.own(*who), address).is_some());
    let own = match beside(interface.own(who), address) {
        Some(IpAddr::V4(own)) => Some(own),
        Some(IpAddr::V6(_)) | None => None,
    };
    let way = match (pings, address.is_ipv4(), own) {
        (true, _, _) => Way::Ping,
        (false, true, Some(_)) => Way::Arp,
        (false, true, None) => Way::ArpProbe,
        (false, false, _) => Way::Solicitation,
    };
    Target { interface: interface.name.clone(), address, way, own }
}

/// The own address whose subnet holds the gateway. An IPv6 link-local gateway has one beside
/// it on every interface.
fn beside(own: &[Prefix], address: IpAddr) -> Option<IpAddr> {
    if matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
        return Some(address);
    }
    own.iter().find(|prefix| prefix.subnet().contains(address)).map(|prefix| prefix.address)
}

#[cfg(test)]
mod tests {
    use twinwall_core::config::parse_pair;

    use super::*;

    fn ways(ask: &str, designation: Designation) -> Vec<(Way, Option<Ipv4Addr>)> {
        let text = format!(
            "pair_id = 1\nreach.ask = \"{ask}\"\n[ha_link]\ninterface = \"ha0\"\n[[interface]]\n\
             name = \"lan\"\nprimary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\n\
             virtual = \"10.1.0.1/24\"\ngateways = [\"10.1.0.254\", \"fe80::1\"]\n[[interface]]\n\
             name = \"wan\"\nvirtual = \"203.0.113.5/29\"\ngateways = \"203.0.113.1\"\n"
        );
        let pair = parse_pair("pair.toml", &text).expect("right");
        plan(&pair, designation).into_iter().map(|target| (target.way, target.own)).collect()
    }

    #[test]
    fn both_nodes_ask_the_same_each_from_its_own_address() {
        let own = |host| Some(Ipv4Addr::new(10, 1, 0, host));
        for (designation, host) in [(Designation::Primary, 2), (Designation::Secondary, 3)] {
            assert_eq!(
                ways("neighbour", designation),
                [(Way::Arp, own(host)), (Way::Solicitation, None), (Way::ArpProbe, None)]
            );
            assert_eq!(
                ways("ping", designation),
                [(Way::Ping, own(host)), (Way::Ping, None), (Way::ArpProbe, None)],
                "where only the active has an address, nobody pings"
            );
        }
    }
}
