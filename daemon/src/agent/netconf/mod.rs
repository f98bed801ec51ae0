//! This node's own addresses in its own persistent network configuration: systemd-networkd
//! or ifupdown, whichever configures the interface. Finds the file, says what is in it, and
//! plans the edit that changes an address and nothing else. It writes nothing itself: the
//! settings' journal does, together with pair.toml. [`live`] does the same to the kernel.

mod files;
mod ifupdown;
pub mod live;
mod networkd;
#[cfg(test)]
mod tests;
pub mod verify;

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use twinwall_core::config::Prefix;

use super::settings::FileChange;
pub use files::Files;

/// What an interface must have of its own, and must not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The interface.
    pub interface: String,
    /// Addresses that must be there.
    pub own: Vec<Prefix>,
    /// Addresses that must not: the pair's virtual ones, and what an own one replaces.
    pub gone: Vec<IpAddr>,
}

/// Which program configures interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// systemd-networkd.
    Networkd,
    /// ifupdown.
    Ifupdown,
}

/// How an interface is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// By which program.
    pub system: System,
    /// In which file, relative to the root.
    pub file: String,
    /// The addresses in it.
    pub addresses: Vec<Prefix>,
    /// It gets addresses from elsewhere: in words.
    pub dynamic: Option<Dynamic>,
}

/// Why an interface has no address of its own choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dynamic {
    /// DHCP for IPv4.
    pub v4: bool,
    /// DHCP for IPv6.
    pub v6: bool,
    /// Where that is said.
    pub by: String,
}

/// Why nothing can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A file cannot be read.
    Unreadable(String),
    /// The address comes from DHCP or a provider's dial-up.
    Dynamic {
        /// The interface.
        interface: String,
        /// Where that is said.
        by: String,
    },
    /// Two programs configure it.
    Both(String, String, String),
    /// No program that is known configures it.
    Unknown {
        /// The interface.
        interface: String,
        /// What must be written by hand.
        own: Vec<Prefix>,
        /// Who else may configure it.
        hint: &'static str,
    },
    /// The file says something that only a person can change.
    ByHand {
        /// Where.
        place: String,
        /// What is there and what to do.
        why: String,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Unreadable(why) => out.write_str(why),
            Refused::Dynamic { interface, by } => write!(
                out,
                "{interface} gets its address from elsewhere ({by}), and an address of the pair \
                 must be fixed; give it a fixed one, or leave the interface out"
            ),
            Refused::Both(interface, one, other) => write!(
                out,
                "{interface} is configured twice, in {one} and in {other}; remove one of the two"
            ),
            Refused::Unknown { interface, own, hint } => {
                let own: Vec<String> = own.iter().map(ToString::to_string).collect();
                let own = if own.is_empty() { "no address".to_owned() } else { own.join(" and ") };
                write!(
                    out,
                    "neither systemd-networkd nor ifupdown configures {interface}{hint}: write \
                     into this machine's own network configuration that it has {own}, and no \
                     virtual IP, then give the order again with --addresses-by-hand"
                )
            }
            Refused::ByHand { place, why } => write!(out, "{place}: {why}"),
        }
    }
}

impl std::error::Error for Refused {}

/// How an interface is configured below `root`; none where no known program does.
///
/// # Errors
/// When that cannot be said.
pub fn look(files: &Files<'_>, interface: &str) -> Result<Option<Found>, Refused> {
    if interface.starts_with("ppp") {
        let by = "a ppp interface, dialled".to_owned();
        return Err(Refused::Dynamic { interface: interface.to_owned(), by });
    }
    let networkd = networkd::look(files, interface)?;
    let ifupdown = ifupdown::look(files, interface)?;
    match (networkd, ifupdown) {
        (Some(one), Some(other)) => Err(Refused::Both(interface.to_owned(), one.file, other.file)),
        (one, other) => Ok(one.or(other)),
    }
}

/// The file changes that give every interface what it must have. None where all is so.
///
/// # Errors
/// The first interface for which that cannot be done.
pub fn plan(root: &Path, wanted: &[Wanted]) -> Result<Vec<FileChange>, Refused> {
    let mut files = Files::new(root);
    for one in wanted {
        plan_one(&mut files, one)?;
    }
    files.changes()
}

/// Whether these addresses of an interface are the administrator's to choose: it gets none
/// of their families from DHCP or dial-up.
///
/// # Errors
/// Where it does, and that the configuration cannot be read.
pub fn fixed(root: &Path, interface: &str, addresses: &[IpAddr]) -> Result<(), Refused> {
    let found = look(&Files::new(root), interface)?;
    let dynamic = found.and_then(|found| found.dynamic);
    dynamic.map_or(Ok(()), |dynamic| dynamic.leaves(interface, addresses.iter().copied()))
}

impl Dynamic {
    fn leaves(
        &self,
        interface: &str,
        mut addresses: impl Iterator<Item = IpAddr>,
    ) -> Result<(), Refused> {
        if addresses.any(|address| if address.is_ipv4() { self.v4 } else { self.v6 }) {
            let (interface, by) = (interface.to_owned(), self.by.clone());
            return Err(Refused::Dynamic { interface, by });
        }
        Ok(())
    }
}

fn plan_one(files: &mut Files<'_>, wanted: &Wanted) -> Result<(), Refused> {
    let Some(found) = look(files, &wanted.interface)? else {
        return fresh(files, wanted);
    };
    if let Some(dynamic) = &found.dynamic {
        let own = wanted.own.iter().map(|prefix| prefix.address);
        dynamic.leaves(&wanted.interface, own.chain(wanted.gone.iter().copied()))?;
    }
    let steps = steps(&found.addresses, wanted);
    match found.system {
        System::Networkd => networkd::edit(files, &wanted.interface, &steps),
        System::Ifupdown => ifupdown::edit(files, &wanted.interface, &steps),
    }
}

/// A file of our own, where networkd runs and nothing else configures the interface.
fn fresh(files: &mut Files<'_>, wanted: &Wanted) -> Result<(), Refused> {
    let (interface, own) = (wanted.interface.clone(), wanted.own.clone());
    if own.is_empty() {
        return Ok(());
    }
    if files.exists("run/NetworkManager") {
        let hint = " (NetworkManager seems to)";
        return Err(Refused::Unknown { interface, own, hint });
    }
    if !files.exists("run/systemd/netif") {
        return Err(Refused::Unknown { interface, own, hint: "" });
    }
    let addresses: String = own.iter().map(|own| format!("Address={own}\n")).collect();
    let text = format!(
        "# Written by twinwall: this node's own addresses. The virtual ones never stand here.\n\
         [Match]\nName={interface}\n\n[Network]\n{addresses}"
    );
    files.put(&format!("etc/systemd/network/60-twinwall-{interface}.network"), text);
    Ok(())
}

/// One edit of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// This one becomes that one, in its place.
    Replace(IpAddr, Prefix),
    /// One more.
    Add(Prefix),
    /// One less.
    Remove(IpAddr),
}

/// What differs. What comes takes the place of what goes where both are of one family, so
/// that its gateway and its other options stay.
fn steps(have: &[Prefix], wanted: &Wanted) -> Vec<Step> {
    let mut goes: Vec<IpAddr> = have
        .iter()
        .filter(|prefix| wanted.gone.contains(&prefix.address) && !wanted.own.contains(prefix))
        .map(|prefix| prefix.address)
        .collect();
    let mut steps = Vec::new();
    for own in wanted.own.iter().filter(|own| !have.contains(own)) {
        let same = have.iter().find(|prefix| prefix.address == own.address);
        let old = same.map(|prefix| prefix.address).or_else(|| {
            let of_family = |address: &IpAddr| address.is_ipv4() == own.address.is_ipv4();
            goes.iter().position(of_family).map(|index| goes.remove(index))
        });
        goes.retain(|address| Some(*address) != old);
        steps.push(old.map_or(Step::Add(*own), |old| Step::Replace(old, *own)));
    }
    steps.extend(goes.into_iter().map(Step::Remove));
    steps
}
