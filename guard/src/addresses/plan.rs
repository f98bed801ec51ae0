//! The difference between the wanted and the present addresses, as a value.
//! Pure: [`super::Addresses`] reads the kernel before and acts on it after.

use std::net::IpAddr;

use crate::rtnetlink::{
    AddressRecord, IFA_F_DADFAILED, IFA_F_NOPREFIXROUTE, IFA_F_SECONDARY, IFA_F_TENTATIVE,
};

use super::{TAG, Vip};

/// What one wanted address needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: it is there.
    Nothing,
    /// It is there, but not marked as ours or with another lifetime.
    Adopt,
    /// It is not there.
    Add,
    /// It cannot be had; the kernel's error number.
    Failed(i32),
}

/// What must be done, in buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// One entry for each wanted address, in the caller's order.
    pub(super) needs: Vec<Need>,
    /// Positions in the dump of what must go.
    pub(super) remove: Vec<usize>,
    /// Positions in the dump of wanted IPv4 addresses with another length. They go once
    /// those with the right one are there: so the node never is without the address, and
    /// routes and connections that name it do not notice.
    pub(super) replaced: Vec<usize>,
    keys: Vec<Key>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    index: u32,
    address: IpAddr,
    at: usize,
}

impl Plan {
    pub(super) fn with_capacity(addresses: usize) -> Plan {
        Plan {
            needs: Vec::with_capacity(addresses),
            remove: Vec::with_capacity(addresses),
            replaced: Vec::with_capacity(addresses),
            keys: Vec::with_capacity(addresses),
        }
    }

    /// Compares. `indexes` names the interface of each wanted address, `None` when
    /// it does not exist. `finite` says whether our addresses have an end of life.
    pub(super) fn compare(
        &mut self,
        wanted: &[Vip],
        indexes: &dyn Fn(&Vip) -> Option<u32>,
        present: bool,
        finite: bool,
        found: &[AddressRecord],
    ) {
        self.needs.clear();
        self.remove.clear();
        self.replaced.clear();
        self.keys.clear();
        for (at, vip) in wanted.iter().enumerate() {
            let index = indexes(vip);
            self.needs.push(if index.is_some() { Need::Add } else { Need::Failed(libc::ENODEV) });
            if let Some(index) = index {
                self.keys.push(Key { index, address: vip.prefix.address, at });
            }
        }
        self.keys.sort_unstable();
        for (at, record) in found.iter().enumerate() {
            match self.wanted_at(record) {
                Some(position) if present => {
                    self.keep_or_remove(&wanted[position], position, at, record, finite)
                }
                Some(_) => self.remove.push(at),
                None if record.tag == TAG => self.remove.push(at),
                None => {}
            }
        }
    }

    /// Whether the record is one of the wanted addresses or a leftover of ours.
    pub(super) fn is_virtual(&self, record: &AddressRecord) -> bool {
        record.tag == TAG || self.wanted_at(record).is_some()
    }

    fn wanted_at(&self, record: &AddressRecord) -> Option<usize> {
        let sought = (record.index, record.address);
        let at = self.keys.binary_search_by(|key| (key.index, key.address).cmp(&sought)).ok()?;
        Some(self.keys[at].at)
    }

    fn keep_or_remove(
        &mut self,
        vip: &Vip,
        position: usize,
        at: usize,
        record: &AddressRecord,
        finite: bool,
    ) {
        let unusable = record.flags & (IFA_F_DADFAILED | IFA_F_TENTATIVE) != 0;
        let other_length = record.length != vip.kernel_length();
        if unusable || (other_length && !is_enough(vip, record)) {
            self.remove.push(at);
        } else if other_length && record.address.is_ipv4() {
            self.replaced.push(at);
        } else if record.tag != TAG
            || (record.valid_s != u32::MAX) != finite
            || (other_length && record.flags & IFA_F_NOPREFIXROUTE == 0)
        {
            self.needs[position] = Need::Adopt;
        } else {
            self.needs[position] = Need::Nothing;
        }
    }
}

/// Whether an address of another length need not be taken away first. The kernel has an
/// IPv4 address twice, if need be; an IPv6 address only once, but the length of one that
/// brings no route means nothing.
fn is_enough(vip: &Vip, record: &AddressRecord) -> bool {
    record.address.is_ipv4() || (!vip.carries_subnet && record.length < vip.kernel_length())
}

/// Interfaces on which removing the addresses `remove` would take addresses of the
/// administrator with it: the kernel removes the secondary addresses of a subnet
/// together with its primary one.
pub(super) fn endangered(found: &[AddressRecord], remove: &[usize]) -> Vec<u32> {
    let mut interfaces: Vec<u32> = remove
        .iter()
        .map(|at| &found[*at])
        .filter(|gone| {
            gone.address.is_ipv4() && gone.length < 32 && gone.flags & IFA_F_SECONDARY == 0
        })
        .filter(|gone| {
            found.iter().enumerate().any(|(at, other)| {
                other.index == gone.index
                    && other.flags & IFA_F_SECONDARY != 0
                    && other.length == gone.length
                    && same_subnet(gone.address, other.address, gone.length)
                    && !remove.contains(&at)
            })
        })
        .map(|gone| gone.index)
        .collect();
    interfaces.sort_unstable();
    interfaces.dedup();
    interfaces
}

/// Whether two addresses share their first `length` bits.
pub(crate) fn same_subnet(one: IpAddr, other: IpAddr, length: u8) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            let shift = 32u32.saturating_sub(u32::from(length));
            (u32::from(one) ^ u32::from(other)).checked_shr(shift).unwrap_or(0) == 0
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            let shift = 128u32.saturating_sub(u32::from(length));
            (u128::from(one) ^ u128::from(other)).checked_shr(shift).unwrap_or(0) == 0
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use twinwall_core::config::Prefix;

    use super::*;

    fn vip(text: &str, length: u8) -> Vip {
        let prefix = Prefix { address: text.parse().unwrap(), length };
        Vip { interface: "lan0".parse().unwrap(), prefix, carries_subnet: true }
    }

    fn record(text: &str, length: u8, tag: u8) -> AddressRecord {
        AddressRecord {
            index: 4,
            address: text.parse().unwrap(),
            length,
            flags: 0,
            tag,
            valid_s: u32::MAX,
        }
    }

    fn plan(wanted: &[Vip], present: bool, found: &[AddressRecord]) -> Plan {
        let mut plan = Plan::default();
        plan.compare(wanted, &|_| Some(4), present, false, found);
        plan
    }

    #[test]
    fn only_our_leftovers_are_removed_while_present() {
        let found =
            [record("10.0.0.2", 24, 0), record("10.0.0.1", 24, TAG), record("10.0.0.9", 24, TAG)];
        let plan = plan(&[vip("10.0.0.1", 24), vip("10.0.0.3", 24)], true, &found);
        assert_eq!(plan.needs, [Need::Nothing, Need::Add]);
        assert_eq!(plan.remove, [2]);
    }

    #[test]
    fn absent_removes_wanted_and_tagged_and_nothing_else() {
        let found =
            [record("10.0.0.2", 24, 0), record("10.0.0.1", 24, 0), record("10.0.0.9", 32, TAG)];
        let plan = plan(&[vip("10.0.0.1", 24)], false, &found);
        assert_eq!(plan.remove, [1, 2]);
    }

    #[test]
    fn another_length_is_replaced_and_another_owner_adopted() {
        let found = [record("10.0.0.1", 16, TAG), record("10.0.0.3", 24, 0)];
        let plan = plan(&[vip("10.0.0.1", 24), vip("10.0.0.3", 24)], true, &found);
        assert_eq!(plan.needs, [Need::Add, Need::Adopt]);
        assert_eq!((plan.remove, plan.replaced), (vec![], vec![0]), "after the right one is there");
    }

    #[test]
    fn an_ipv6_address_with_a_route_becomes_ours_as_it_is_and_one_without_is_made_anew() {
        let bare = |vip: Vip| Vip { carries_subnet: false, ..vip };
        let found = [record("fd00::1", 64, 0), record("fd00::3", 128, 0)];
        let wanted = [bare(vip("fd00::1", 64)), vip("fd00::3", 64)];
        let first = plan(&wanted, true, &found);
        assert_eq!((first.needs, first.remove), (vec![Need::Adopt, Need::Add], vec![1]));
        let ours = AddressRecord { flags: IFA_F_NOPREFIXROUTE, ..record("fd00::1", 64, TAG) };
        assert_eq!(plan(&wanted[..1], true, &[ours]).needs, [Need::Nothing]);
    }

    #[test]
    fn a_missing_interface_fails_its_addresses_only() {
        let mut plan = Plan::default();
        let wanted = [vip("10.0.0.1", 24), vip("10.0.0.3", 24)];
        let first = wanted[0].prefix.address;
        plan.compare(&wanted, &|vip| (vip.prefix.address == first).then_some(4), true, false, &[]);
        assert_eq!(plan.needs, [Need::Add, Need::Failed(libc::ENODEV)]);
    }

    #[test]
    fn a_primary_address_with_foreign_secondaries_is_seen() {
        let secondary =
            |text, tag| AddressRecord { flags: IFA_F_SECONDARY, ..record(text, 24, tag) };
        let found = [record("10.0.0.1", 24, TAG), secondary("10.0.0.2", 0)];
        assert_eq!(endangered(&found, &[0]), [4]);
        assert_eq!(endangered(&found, &[0, 1]), Vec::<u32>::new());
        let apart = [record("10.0.0.1", 24, TAG), secondary("10.0.1.2", 0)];
        assert_eq!(endangered(&apart, &[0]), Vec::<u32>::new());
    }

    #[test]
    fn subnets_of_every_length_are_told_apart() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(same_subnet(ip("1.2.3.4"), ip("200.1.1.1"), 0));
        assert!(!same_subnet(ip("1.2.3.4"), ip("1.2.3.5"), 32));
        assert!(same_subnet(ip("fd00::1"), ip("fd00::2"), 64));
        assert!(!same_subnet(ip("fd00::1"), ip("1.2.3.4"), 0));
    }
}
