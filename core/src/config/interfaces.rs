//! What the interfaces of `pair.toml` must be in themselves and to each other:
//! usable addresses, one subnet for each family, nothing twice, a purpose.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::ids::{MAX_INTERFACES, MAX_VIRTUAL};

use super::Interface;
use super::errors::{Found, Place, Report};
use super::prefix::{Family, Prefix};

/// Own addresses of one node on one interface.
const MAX_OWN: usize = 32;
/// Shortest prefix of an IPv4 subnet; a shorter one is a slip of the finger.
const SHORTEST_V4: u8 = 8;
/// The same for IPv6.
const SHORTEST_V6: u8 = 16;

/// An interface as read, with the place of each value.
pub(super) struct Draft {
    /// Place of the section.
    pub(super) place: Place,
    pub(super) name: Option<Found<String>>,
    pub(super) watch: Option<Found<bool>>,
    pub(super) primary: Vec<Found<Prefix>>,
    pub(super) secondary: Vec<Found<Prefix>>,
    pub(super) virtual_ips: Vec<Found<Prefix>>,
    pub(super) gateways: Vec<Found<IpAddr>>,
    /// Every address could be read: what is absent is absent on purpose.
    pub(super) whole: bool,
}

impl Draft {
    /// All addresses: own ones first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Found<Prefix>> {
        self.primary.iter().chain(&self.secondary).chain(&self.virtual_ips)
    }

    fn own(&self) -> impl Iterator<Item = &Found<Prefix>> {
        self.primary.iter().chain(&self.secondary)
    }

    pub(super) fn finish(self) -> Option<Interface> {
        let values = |all: Vec<Found<Prefix>>| all.into_iter().map(|found| found.value).collect();
        Some(Interface {
            name: self.name?.value,
            watch: self.watch?.value,
            primary: values(self.primary),
            secondary: values(self.secondary),
            virtual_ips: values(self.virtual_ips),
        })
    }
}

/// Whether an address is unique on its own link only.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    Family::of(address) == Family::V6LinkLocal
}

/// All checks of the interfaces. `ha_link` is the HA link's name when it is known.
pub(super) fn check(drafts: &[Draft], ha_link: Option<&str>, report: &mut Report<'_>) {
    check_counts(drafts, report);
    check_names(drafts, ha_link, report);
    for draft in drafts {
        check_purpose(draft, report);
        check_both_nodes(draft, report);
        for family in Family::ALL {
            check_family(draft, family, report);
        }
    }
    check_unique(drafts, report);
}

fn check_counts(drafts: &[Draft], report: &mut Report<'_>) {
    if let Some(first_too_many) = drafts.get(MAX_INTERFACES) {
        let wrong = format!("{} interfaces", drafts.len());
        report.add(&first_too_many.place, wrong, format!("at most {MAX_INTERFACES} are possible"));
    }
    if let Some(first_too_many) =
        drafts.iter().flat_map(|draft| &draft.virtual_ips).nth(MAX_VIRTUAL)
    {
        let wrong = "too many virtual IPs in the pair";
        report.add(
            &first_too_many.place,
            wrong,
            format!("at most {MAX_VIRTUAL} are possible over all interfaces"),
        );
    }
    for own in drafts.iter().flat_map(|draft| [&draft.primary, &draft.secondary]) {
        if let Some(first_too_many) = own.get(MAX_OWN) {
            let remedy = format!("at most {MAX_OWN} are possible on an interface");
            report.add(&first_too_many.place, "too many own addresses", remedy);
        }
    }
}

fn check_names(drafts: &[Draft], ha_link: Option<&str>, report: &mut Report<'_>) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for draft in drafts {
        let Some(name) = &draft.name else { continue };
        if ha_link == Some(name.value.as_str()) {
            let watched = draft.watch.as_ref().filter(|watch| watch.value);
            match watched {
                Some(watch) => report.add(
                    &watch.place,
                    format!("{} is the HA link, which cannot be watched", name.value),
                    "remove this [[interface]] section; a lost HA link is an alarm, never a failover",
                ),
                None => report.add(
                    &name.place,
                    "this is the HA link, which carries no addresses of the pair",
                    "remove this [[interface]] section or choose another [ha_link] interface",
                ),
            }
        }
        match seen.get(name.value.as_str()) {
            Some(line) => report.add(
                &name.place,
                format!("listed already in line {line}"),
                "merge the two sections",
            ),
            None => {
                seen.insert(&name.value, name.place.line);
            }
        }
    }
}

fn check_purpose(draft: &Draft, report: &mut Report<'_>) {
    let watched = draft.watch.as_ref().is_none_or(|watch| watch.value);
    if draft.whole && !watched && draft.virtual_ips.is_empty() {
        let place = draft.name.as_ref().map_or(&draft.place, |name| &name.place);
        let remedy = "add virtual = \"...\", or watch = true, or remove this section";
        report.add(
            place,
            "neither watched nor with a virtual IP, so that it means nothing to the pair",
            remedy,
        );
    }
}

/// Own addresses come in pairs: with one node's alone, the other node could not be reached there.
fn check_both_nodes(draft: &Draft, report: &mut Report<'_>) {
    if !draft.whole {
        return;
    }
    let sides = [
        ("secondary", &draft.primary, &draft.secondary),
        ("primary", &draft.secondary, &draft.primary),
    ];
    for family in Family::ALL {
        for (lacking, have, other) in sides {
            let of_family = |found: &&Found<Prefix>| Family::of(found.value.address) == family;
            let first = have.iter().find(of_family);
            if let (Some(first), None) = (first, other.iter().find(of_family)) {
                let wrong = format!("the {lacking} node has no {} address here", family.word());
                let remedy = format!(
                    "add one to {lacking}, or remove this one (virtual IPs alone are possible)"
                );
                report.add(&first.place, wrong, remedy);
            }
        }
    }
}

/// Checks the addresses of one family: each in itself, then all in one subnet.
fn check_family(draft: &Draft, family: Family, report: &mut Report<'_>) {
    let of_family = |found: &&Found<Prefix>| Family::of(found.value.address) == family;
    let own_count = draft.own().filter(of_family).count();
    let mut usable: Vec<&Found<Prefix>> = Vec::new();
    for (index, found) in draft.all().filter(of_family).enumerate() {
        match unusable(found.value, index < own_count) {
            Some((wrong, remedy)) => report.add(&found.place, wrong, remedy),
            None => usable.push(found),
        }
    }
    let Some(subnet) = common_subnet(&usable) else { return };
    for found in usable {
        let prefix = found.value;
        let inside = Prefix { length: subnet.length, ..prefix };
        if prefix.is_host() && subnet.contains(prefix.address) {
            if inside.is_broadcast() || inside.is_subnet_address() {
                report.add(
                    &found.place,
                    format!("the first or last address of {subnet}"),
                    "choose one between them",
                );
            }
        } else if prefix.subnet() != subnet {
            let (wrong, remedy) = outside(prefix, subnet);
            report.add(&found.place, wrong, remedy);
        }
    }
}

fn outside(prefix: Prefix, subnet: Prefix) -> (String, String) {
    if subnet.contains(prefix.address) {
        let wrong =
            format!("a prefix length of {}, the others here have {}", prefix.length, subnet.length);
        return (wrong, format!("write \"{}/{}\"", prefix.address, subnet.length));
    }
    let wrong = format!("not in the subnet {subnet} of this interface");
    (wrong, "give it an address of that subnet".to_owned())
}

/// The subnet of most of the addresses, so that the odd one is named and not its
/// neighbours; at a tie the first one's. Addresses of host length have no say.
fn common_subnet(all: &[&Found<Prefix>]) -> Option<Prefix> {
    let mut votes: Vec<(Prefix, usize)> = Vec::new();
    for found in all.iter().filter(|found| !found.value.is_host()) {
        let subnet = found.value.subnet();
        match votes.iter_mut().find(|(voted, _)| *voted == subnet) {
            Some((_, count)) => *count += 1,
            None => votes.push((subnet, 1)),
        }
    }
    let most = votes.iter().map(|(_, count)| *count).max()?;
    votes.iter().find(|(_, count)| *count == most).map(|(subnet, _)| *subnet)
}

/// Why no node could use this address, whatever stands beside it.
fn unusable(prefix: Prefix, own: bool) -> Option<(String, String)> {
    let choose = "choose an address of one machine".to_owned();
    let address = prefix.address;
    if address.is_unspecified() {
        return Some(("the unspecified address".to_owned(), choose));
    }
    if address.is_loopback() {
        return Some(("a loopback address, which never leaves the machine".to_owned(), choose));
    }
    if address.is_multicast() {
        return Some(("a multicast address".to_owned(), choose));
    }
    if let IpAddr::V6(v6) = address
        && let Some(v4) = v6.to_ipv4_mapped()
    {
        return Some(("an IPv4 address in the clothes of IPv6".to_owned(), format!("write {v4}")));
    }
    let shortest = if address.is_ipv4() { SHORTEST_V4 } else { SHORTEST_V6 };
    if prefix.length < shortest {
        let wrong = format!("a prefix length of {} is shorter than any subnet", prefix.length);
        return Some((wrong, format!("write one of {shortest} or more")));
    }
    if own && prefix.is_host() {
        let wrong = "an own address needs the prefix length of its subnet".to_owned();
        return Some((wrong, format!("write \"{address}/LENGTH\" as the interface has it")));
    }
    if prefix.is_broadcast() {
        return Some((format!("the broadcast address of {}", prefix.subnet()), choose));
    }
    if prefix.is_subnet_address() {
        return Some((format!("the address of the subnet {prefix} itself"), choose));
    }
    None
}

/// No address twice in the pair. A link-local address may return on another interface.
fn check_unique(drafts: &[Draft], report: &mut Report<'_>) {
    let mut seen: BTreeMap<(IpAddr, Option<usize>), &Place> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate() {
        for found in draft.all() {
            let address = found.value.address;
            let scope = is_link_local(address).then_some(index);
            match seen.get(&(address, scope)) {
                Some(first) => {
                    let wrong = format!("the same address as {} in line {}", first.key, first.line);
                    report.add(&found.place, wrong, "each address of the pair must be another one");
                }
                None => {
                    seen.insert((address, scope), &found.place);
                }
            }
        }
    }
}
