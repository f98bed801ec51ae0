//! `[probe]` of `pair.toml`: what the agents ping to measure an outage as the network sees it.
//! No guard heeds it.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::document::Section;
use super::errors::{Found, Report};
use super::interfaces::{self, Draft};
use super::keys::{Absent, Key};
use super::kinds::{Addresses, Seconds};

/// Virtual IPs, and targets, that may be pinged: one for each network that matters.
const MAX_PROBED: usize = 4;

pub(super) static VIRTUAL_IPS: Key<Addresses> = Key {
    section: "probe",
    name: "virtual_ips",
    kind: Addresses { max: MAX_PROBED },
    absent: Absent::Default("[]"),
    about: "Virtual IPs that the passive pings from its own address in the same network, to measure outages as the network sees them. With none named there is no probe.",
};
pub(super) static TARGETS: Key<Addresses> = Key {
    section: "probe",
    name: "targets",
    kind: Addresses { max: MAX_PROBED },
    absent: Absent::Default("[]"),
    about: "Machines in the networks of these virtual IPs that answer a ping. The active pings them from the virtual IP: the first answer says that the network has found the new active. Without one an outage is measured only by a passive that lives on.",
};
pub(super) static INTERVAL: Key<Seconds> = Key {
    section: "probe",
    name: "interval",
    kind: Seconds { min: Duration::from_millis(10), max: Duration::from_secs(60) },
    absent: Absent::Default("0.1"),
    about: "Seconds between two pings of the probe: what is shorter is not seen.",
};

/// What is pinged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Between two pings.
    pub interval: Duration,
    /// The virtual IPs that the passive pings; none: no probe.
    pub virtual_ips: Vec<IpAddr>,
    /// Machines that the active pings, from a virtual IP of their network.
    pub targets: Vec<IpAddr>,
}

impl Default for Probe {
    fn default() -> Probe {
        Probe { interval: Duration::from_millis(100), virtual_ips: Vec::new(), targets: Vec::new() }
    }
}

impl Probe {
    /// Whether there is anything to ping.
    pub fn is_on(&self) -> bool {
        !self.virtual_ips.is_empty()
    }
}

/// Reads the section; `drafts` are the interfaces of the pair.
pub(super) fn read(
    section: &Section<'_>,
    drafts: &[Draft],
    report: &mut Report<'_>,
) -> Option<Probe> {
    let interval = section.get(&INTERVAL, report);
    let virtual_ips = section.get(&VIRTUAL_IPS, report);
    let targets = section.get(&TARGETS, report);
    let (virtual_ips, targets) = (virtual_ips?.value, targets?.value);
    for one in &virtual_ips {
        let mut all = drafts.iter().flat_map(|draft| &draft.virtual_ips);
        if !all.any(|other| other.value.address == one.value) {
            report.add(&one.place, "no virtual IP of the pair", "name one of an [[interface]]");
        }
    }
    targets.iter().for_each(|target| check_target(target, drafts, report));
    let values = |all: Vec<Found<IpAddr>>| all.into_iter().map(|found| found.value).collect();
    Some(Probe {
        interval: interval?.value,
        virtual_ips: values(virtual_ips),
        targets: values(targets),
    })
}

/// A target is another machine; the pair's own addresses answer themselves.
fn check_target(target: &Found<IpAddr>, drafts: &[Draft], report: &mut Report<'_>) {
    let address = target.value;
    let own = drafts.iter().flat_map(Draft::all).any(|other| other.value.address == address);
    let nobody = address.is_unspecified() || address.is_multicast() || address.is_loopback();
    if own || nobody || interfaces::is_link_local(address) {
        let remedy = "name a machine outside the pair that answers pings";
        report.add(&target.place, "not the address of one other machine", remedy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_pair;

    const REST: &str = "pair_id = 1\n[ha_link]\ninterface = \"ha0\"\n[[interface]]\nname = \"lan\"\n\
        primary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n";

    #[test]
    fn without_the_section_nothing_is_pinged() {
        let plain = parse_pair("pair.toml", REST).expect("right");
        assert_eq!(plain.probe, Probe::default());
        assert!(!plain.probe.is_on());
        let text = format!(
            "{REST}[probe]\ninterval = 0.02\nvirtual_ips = \"10.1.0.1\"\ntargets = [\"10.1.0.9\"]\n"
        );
        let pair = parse_pair("pair.toml", &text).expect("right");
        let addresses = |text: &str| vec![text.parse::<IpAddr>().expect("an address")];
        let expected = Probe {
            interval: Duration::from_millis(20),
            virtual_ips: addresses("10.1.0.1"),
            targets: addresses("10.1.0.9"),
        };
        assert_eq!(pair.probe, expected);
        assert_eq!(pair.digest(), plain.digest(), "no guard heeds it");
    }

    #[test]
    fn each_wrong_value_is_told_at_its_place() {
        for (line, wrong) in [
            ("virtual_ips = \"10.1.0.7\"", "probe.virtual_ips = \"10.1.0.7\": no virtual IP"),
            ("targets = \"10.1.0.2\"", "not the address of one other machine"),
            ("targets = \"fe80::1\"", "not the address of one other machine"),
            ("interval = 0.001", "probe.interval = 0.001: out of range"),
            (
                "targets = [\"10.1.0.11\",\"10.1.0.12\",\"10.1.0.13\",\"10.1.0.14\",\"10.1.0.15\"]",
                "probe.targets",
            ),
        ] {
            let errors = parse_pair("pair.toml", &format!("{REST}[probe]\n{line}\n"));
            let text = errors.expect_err(line).to_string();
            assert!(text.contains(wrong), "{line}: {text}");
        }
    }
}
