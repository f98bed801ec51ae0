//! `[flows]` of `pair.toml`: which connections the passive is told of. No guard heeds it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeValue;

use super::document::Section;
use super::errors::{Found, Place, Report};
use super::keys::{Absent, Key};
use super::kinds::{Kind, Prefixes, Seconds, Toggle, Whole, each, limit};
use super::prefix::Prefix;

/// Networks that `[flows] ignore_addresses` may name: each is compared with every connection.
const MAX_IGNORED: usize = 64;
/// Connections that may be replicated at the most: some 300 MiB on each node.
const MAX_FLOWS: u32 = 4_194_304;

pub(super) static REPLICATE: Key<Toggle> = Key {
    section: "flows",
    name: "replicate",
    kind: Toggle,
    absent: Absent::Default("true"),
    about: "Whether the passive's kernel holds the active's connections at all times, so that they go on after a failover.",
};
pub(super) static PROTOCOLS: Key<Protocols> = Key {
    section: "flows",
    name: "protocols",
    kind: Protocols,
    absent: Absent::Default("[]"),
    about: "Only connections of these protocols; with none named, of all that the kernel tracks.",
};
pub(super) static IGNORE_ADDRESSES: Key<Prefixes> = Key {
    section: "flows",
    name: "ignore_addresses",
    kind: Prefixes,
    absent: Absent::Default("[]"),
    about: "No connections with an end in one of these networks, at most 64. Those of the nodes' own addresses are never replicated.",
};
pub(super) static IGNORE_PORTS: Key<Ports> = Key {
    section: "flows",
    name: "ignore_ports",
    kind: Ports { max: MAX_IGNORED },
    absent: Absent::Default("[]"),
    about: "No connections to one of these ports (TCP, UDP, SCTP), as \"53\": short questions are asked again, and need no copy.",
};
pub(super) static LEAST_AGE: Key<Seconds> = Key {
    section: "flows",
    name: "least_age",
    kind: Seconds { min: Duration::ZERO, max: Duration::from_secs(3600) },
    absent: Absent::Default("0"),
    about: "Only connections that have lived this long. More saves work where most are short.",
};
pub(super) static MOST: Key<Whole<u32>> = Key {
    section: "flows",
    name: "most",
    kind: Whole { min: 1, max: MAX_FLOWS },
    absent: Absent::Default("1048576"),
    about: "No more connections than this; those beyond it are not replicated, and counted. Each takes some 100 bytes of memory on each node.",
};

/// Which connections are replicated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flows {
    /// Whether any are.
    pub replicate: bool,
    /// Only those of these protocols; empty: of all.
    pub protocols: Vec<FlowProtocol>,
    /// None with an end in one of these networks.
    pub ignore_addresses: Vec<Prefix>,
    /// None to one of these ports (TCP, UDP, SCTP).
    pub ignore_ports: Vec<u16>,
    /// Only those that have lived this long.
    pub least_age: Duration,
    /// No more than so many at a time.
    pub most: u32,
}

impl Default for Flows {
    fn default() -> Flows {
        Flows {
            replicate: true,
            protocols: Vec::new(),
            ignore_addresses: Vec::new(),
            ignore_ports: Vec::new(),
            least_age: Duration::ZERO,
            most: 1_048_576,
        }
    }
}

/// A protocol whose connections the kernel tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlowProtocol {
    /// TCP.
    Tcp,
    /// UDP and UDP-Lite.
    Udp,
    /// ICMP and ICMPv6: questions that are answered, as ping.
    Icmp,
    /// SCTP.
    Sctp,
    /// GRE.
    Gre,
}

impl FlowProtocol {
    /// All of them.
    pub const ALL: [FlowProtocol; 5] = [
        FlowProtocol::Tcp,
        FlowProtocol::Udp,
        FlowProtocol::Icmp,
        FlowProtocol::Sctp,
        FlowProtocol::Gre,
    ];

    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            FlowProtocol::Tcp => "tcp",
            FlowProtocol::Udp => "udp",
            FlowProtocol::Icmp => "icmp",
            FlowProtocol::Sctp => "sctp",
            FlowProtocol::Gre => "gre",
        }
    }

    /// Its numbers in an IP header, IPv4's and IPv6's (IANA protocol numbers).
    pub const fn numbers(self) -> &'static [u8] {
        match self {
            FlowProtocol::Tcp => &[6],
            FlowProtocol::Udp => &[17, 136],
            FlowProtocol::Icmp => &[1, 58],
            FlowProtocol::Sctp => &[132],
            FlowProtocol::Gre => &[47],
        }
    }
}

/// Reads the section.
pub(super) fn read(section: &Section<'_>, report: &mut Report<'_>) -> Option<Flows> {
    let replicate = section.get(&REPLICATE, report);
    let protocols = section.get(&PROTOCOLS, report);
    let addresses = section.get(&IGNORE_ADDRESSES, report);
    let ports = section.get(&IGNORE_PORTS, report);
    let least_age = section.get(&LEAST_AGE, report);
    let most = section.get(&MOST, report);
    let addresses = addresses?;
    limit(&addresses.value, MAX_IGNORED, &addresses.place, report);
    let networks = addresses.value.into_iter().map(|found| found.value);
    Some(Flows {
        replicate: replicate?.value,
        protocols: protocols?.value,
        ignore_addresses: sorted(networks.map(|prefix| prefix.subnet()).collect()),
        ignore_ports: ports?.value,
        least_age: least_age?.value,
        most: most?.value,
    })
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all.dedup();
    all
}

/// Names of protocols: one text or a list.
pub(super) struct Protocols;

impl Kind for Protocols {
    type Value = Vec<FlowProtocol>;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Vec<FlowProtocol>> {
        let all = each(value, place, report, |text, place, report| {
            let found = FlowProtocol::ALL.into_iter().find(|one| one.name() == text);
            if found.is_none() {
                report.add(place, "not a protocol that is tracked", format!("use {}", names()));
            }
            found
        })?;
        Some(sorted(all.into_iter().map(|found| found.value).collect()))
    }

    fn describe(&self) -> String {
        format!("list of {}", names())
    }
}

fn names() -> String {
    let all = FlowProtocol::ALL.map(|one| format!("\"{}\"", one.name()));
    let (last, others) = all.split_last().expect("there are some");
    format!("{} or {last}", others.join(", "))
}

/// Ports as texts: one or a list, as "53" or ["53", "123"]. Texts, because every list of
/// these files is one of texts, and is changed as such.
pub(super) struct Ports {
    /// Longest list.
    pub max: usize,
}

impl Kind for Ports {
    type Value = Vec<u16>;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Vec<u16>> {
        let all = each(value, place, report, |text, place, report| {
            let port = text.parse::<u16>().ok().filter(|port| *port != 0);
            if port.is_none() {
                report.add(place, "not a port", "write a number from 1 to 65535, as \"53\"");
            }
            port
        })?;
        limit(&all, self.max, place, report);
        Some(sorted(all.into_iter().map(|found: Found<u16>| found.value).collect()))
    }

    fn describe(&self) -> String {
        format!("list of at most {} ports as texts", self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_pair;

    const REST: &str = "pair_id = 1\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n";

    #[test]
    fn without_the_section_everything_is_replicated_and_its_keys_say_what_is_not() {
        let plain = parse_pair("pair.toml", REST).expect("right");
        assert_eq!(plain.flows, Flows::default());
        let text = format!(
            "{REST}[flows]\nreplicate = true\nprotocols = [\"udp\", \"tcp\", \"tcp\"]\n\
             ignore_addresses = \"10.9.0.7/16\"\nignore_ports = [\"53\", \"123\"]\n\
             least_age = 2\nmost = 5000\n"
        );
        let pair = parse_pair("pair.toml", &text).expect("right");
        let expected = Flows {
            replicate: true,
            protocols: vec![FlowProtocol::Tcp, FlowProtocol::Udp],
            ignore_addresses: vec!["10.9.0.0/16".parse().expect("a network")],
            ignore_ports: vec![53, 123],
            least_age: Duration::from_secs(2),
            most: 5000,
        };
        assert_eq!(pair.flows, expected);
        assert_eq!(pair.digest(), plain.digest(), "no guard heeds them");
    }

    #[test]
    fn each_wrong_value_is_told_at_its_place() {
        for (line, wrong) in [
            ("protocols = \"esp\"", "flows.protocols = \"esp\": not a protocol that is tracked"),
            ("ignore_ports = [\"0\"]", "flows.ignore_ports[1] = \"0\": not a port"),
            ("ignore_addresses = \"10.0.0.0\"", "flows.ignore_addresses"),
            ("most = 0", "flows.most = 0: out of range"),
            ("least_age = 90000", "flows.least_age = 90000: out of range"),
            ("mst = 1", "flows.mst"),
        ] {
            let errors = parse_pair("pair.toml", &format!("{REST}[flows]\n{line}\n"));
            let text = errors.expect_err(line).to_string();
            assert!(text.contains(wrong), "{line}: {text}");
        }
    }
}
