//! The virtual addresses of the configuration, as they go into the kernel.

use std::net::IpAddr;

use twinwall_core::config::{Interface, Pair, Prefix};
use twinwall_core::ids::Designation;

use super::plan::same_subnet;
use crate::rtnetlink::{BadName, InterfaceName};

/// One virtual address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vip {
    /// Where it belongs.
    pub interface: InterfaceName,
    /// The address with its subnet's length.
    pub prefix: Prefix,
    /// Whether it brings the route to its subnet: only where the node has no own
    /// address there, and then only the first VIP. All others are bare host
    /// addresses (/32, /128): they never come before the administrator's address,
    /// and neither removes the other.
    pub carries_subnet: bool,
}

impl Vip {
    /// All VIPs of the pair as this node must hold them, in the order of `pair.toml`.
    ///
    /// # Errors
    /// When an interface's name is impossible.
    pub fn of_pair(pair: &Pair, designation: Designation) -> Result<Vec<Vip>, BadName> {
        let mut all = Vec::new();
        for interface in &pair.interfaces {
            let name = interface.name.parse()?;
            all.extend(of_interface(interface, name, interface.own(designation)));
        }
        Ok(all)
    }

    /// The prefix length in the kernel.
    pub fn kernel_length(&self) -> u8 {
        match self.prefix.address {
            _ if self.carries_subnet => self.prefix.length,
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        }
    }
}

fn of_interface<'a>(
    interface: &'a Interface,
    name: InterfaceName,
    own: &'a [Prefix],
) -> impl Iterator<Item = Vip> + 'a {
    interface.virtual_ips.iter().enumerate().map(move |(at, prefix)| {
        let own_there = own.iter().any(|own| same_subnet(own.address, prefix.address, own.length));
        let first = !interface.virtual_ips[..at].iter().any(|other| {
            other.length == prefix.length
                && same_subnet(other.address, prefix.address, prefix.length)
        });
        Vip { interface: name, prefix: *prefix, carries_subnet: first && !own_there }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        let (address, length) = text.split_once('/').unwrap();
        Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
    }

    fn lengths(own: &[&str], virtual_ips: &[&str]) -> Vec<u8> {
        let list = |texts: &[&str]| texts.iter().map(|text| prefix(text)).collect::<Vec<_>>();
        let interface = Interface {
            name: "lan0".to_owned(),
            watch: true,
            primary: list(own),
            secondary: Vec::new(),
            virtual_ips: list(virtual_ips),
        };
        let name = interface.name.parse().unwrap();
        of_interface(&interface, name, &interface.primary).map(|vip| vip.kernel_length()).collect()
    }

    #[test]
    fn beside_an_own_address_a_vip_is_a_bare_host_address() {
        assert_eq!(
            lengths(&["10.0.0.2/24", "fd00::2/64"], &["10.0.0.1/24", "fd00::1/64"]),
            [32, 128]
        );
    }

    #[test]
    fn alone_the_first_vip_of_each_subnet_brings_the_route() {
        assert_eq!(lengths(&[], &["10.0.0.1/24", "10.0.0.3/24", "10.0.1.1/24"]), [24, 32, 24]);
        assert_eq!(lengths(&["fd00::2/64"], &["10.0.0.1/24", "fe80::1/64"]), [24, 64]);
    }
}
