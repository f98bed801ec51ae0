//! Whether this node's own addresses can be used, read from a dump of all addresses.
//! Pure: the address thread calls it after each look and tells the core.

use std::net::IpAddr;

use twinwall_core::config::{Interface, Pair, Prefix};
use twinwall_core::event::{AddressTrouble, MAX_OWN_TROUBLES, OwnTrouble};
use twinwall_core::ids::{Designation, InterfaceId};

use super::Addresses;
use crate::rtnetlink::{
    AddressRecord, BadName, IFA_F_DADFAILED, IFA_F_OPTIMISTIC, IFA_F_TENTATIVE, InterfaceName,
};

/// What this node must have on one interface of `pair.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its place in `pair.toml`.
    pub id: InterfaceId,
    /// Its name.
    pub name: InterfaceName,
    /// The node's own addresses there.
    pub addresses: Vec<IpAddr>,
    /// Whether its kernel must ask for IPv6 neighbours there, and none of the VIPs is
    /// a link-local address to ask from.
    pub needs_link_local: bool,
}

impl Expected {
    /// For every interface, in the order of `pair.toml`.
    ///
    /// # Errors
    /// When an interface's name is impossible.
    pub fn of_pair(pair: &Pair, designation: Designation) -> Result<Vec<Expected>, BadName> {
        let numbered = pair.interfaces.iter().enumerate();
        numbered.map(|(at, interface)| of_interface(at, interface, designation)).collect()
    }
}

impl Addresses {
    /// What keeps this node's own addresses from being used, as it was at the last call
    /// of another method.
    pub fn own_troubles(&self, expected: &[Expected]) -> Vec<OwnTrouble> {
        let own = self.found.iter().filter(|record| !self.plan.is_virtual(record));
        troubles(expected, &|name| name.index().ok(), own)
    }
}

fn of_interface(
    at: usize,
    interface: &Interface,
    designation: Designation,
) -> Result<Expected, BadName> {
    let own = interface.own(designation);
    let v6 = |prefixes: &[Prefix]| prefixes.iter().any(|prefix| prefix.address.is_ipv6());
    let vips = &interface.virtual_ips;
    Ok(Expected {
        id: InterfaceId(u8::try_from(at).unwrap_or(u8::MAX)),
        name: interface.name.parse()?,
        addresses: own.iter().map(|prefix| prefix.address).collect(),
        needs_link_local: (v6(own) || v6(vips))
            && !vips.iter().any(|prefix| link_local(prefix.address)),
    })
}

/// What keeps own addresses from being used. `index` gives an interface's index, `None`
/// when it does not exist: the link thread tells of that.
fn troubles<'a>(
    expected: &[Expected],
    index: &dyn Fn(&InterfaceName) -> Option<u32>,
    found: impl Iterator<Item = &'a AddressRecord> + Clone,
) -> Vec<OwnTrouble> {
    let mut all = Vec::new();
    for wanted in expected {
        let Some(index) = index(&wanted.name) else { continue };
        let here = found.clone().filter(|record| record.index == index);
        let tell = |what| OwnTrouble { interface: wanted.id, what };
        let own = wanted.addresses.iter().filter_map(|address| {
            let record = here.clone().find(|record| record.address == *address);
            record.map_or(Some(AddressTrouble::Missing { address: *address }), unusable)
        });
        all.extend(own.map(tell));
        if wanted.needs_link_local {
            all.extend(no_link_local(here).map(tell));
        }
    }
    all.truncate(MAX_OWN_TROUBLES);
    all
}

/// One usable link-local address is enough, whatever became of others.
fn no_link_local<'a>(here: impl Iterator<Item = &'a AddressRecord>) -> Option<AddressTrouble> {
    let mut trouble = Some(AddressTrouble::NoLinkLocal);
    for record in here.filter(|record| link_local(record.address)) {
        trouble = Some(unusable(record)?);
    }
    trouble
}

fn unusable(record: &AddressRecord) -> Option<AddressTrouble> {
    let address = record.address;
    if record.flags & IFA_F_DADFAILED != 0 {
        return Some(AddressTrouble::Duplicate { address });
    }
    let checking = record.flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC) != 0;
    checking.then_some(AddressTrouble::Checking { address })
}

fn link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V6(address) => address.is_unicast_link_local(),
        IpAddr::V4(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn record(text: &str, flags: u32) -> AddressRecord {
        AddressRecord { index: 4, address: ip(text), length: 64, flags, tag: 0, valid_s: u32::MAX }
    }

    fn seen(found: &[AddressRecord]) -> Vec<AddressTrouble> {
        let expected = [Expected {
            id: InterfaceId(0),
            name: "lan0".parse().unwrap(),
            addresses: vec![ip("10.0.0.2"), ip("fd00::2")],
            needs_link_local: true,
        }];
        let all = troubles(&expected, &|_| Some(4), found.iter());
        all.into_iter().map(|trouble| trouble.what).collect()
    }

    #[test]
    fn all_there_and_usable_is_no_trouble() {
        let found = [record("10.0.0.2", 0), record("fd00::2", 0), record("fe80::2", 0)];
        assert_eq!(seen(&found), []);
    }

    #[test]
    fn every_trouble_has_its_name() {
        let found = [
            record("fd00::2", IFA_F_TENTATIVE | IFA_F_DADFAILED),
            record("fe80::2", IFA_F_TENTATIVE),
        ];
        let expected = [
            AddressTrouble::Missing { address: ip("10.0.0.2") },
            AddressTrouble::Duplicate { address: ip("fd00::2") },
            AddressTrouble::Checking { address: ip("fe80::2") },
        ];
        assert_eq!(seen(&found), expected);
        let found = [record("10.0.0.2", 0), record("fd00::2", 0)];
        assert_eq!(seen(&found), [AddressTrouble::NoLinkLocal]);
    }

    #[test]
    fn an_optimistic_address_asks_for_no_neighbour_and_another_interface_is_not_ours() {
        let other = AddressRecord { index: 5, ..record("fd00::2", 0) };
        let found = [record("10.0.0.2", 0), other, record("fe80::2", IFA_F_OPTIMISTIC)];
        let expected = [
            AddressTrouble::Missing { address: ip("fd00::2") },
            AddressTrouble::Checking { address: ip("fe80::2") },
        ];
        assert_eq!(seen(&found), expected);
    }

    #[test]
    fn one_usable_link_local_address_is_enough_and_others_addresses_are_not_ours() {
        let found = [
            record("10.0.0.2", 0),
            record("fd00::2", 0),
            record("fd00::77", IFA_F_TENTATIVE),
            record("fe80::1", IFA_F_DADFAILED),
            record("fe80::2", 0),
        ];
        assert_eq!(seen(&found), []);
    }

    #[test]
    fn what_is_told_has_a_bound() {
        let addresses = (0..40).map(|at| ip(&format!("10.0.0.{at}"))).collect();
        let expected = [Expected {
            id: InterfaceId(0),
            name: "lan0".parse().unwrap(),
            addresses,
            needs_link_local: false,
        }];
        assert_eq!(troubles(&expected, &|_| Some(4), [].iter()).len(), MAX_OWN_TROUBLES);
    }
}
