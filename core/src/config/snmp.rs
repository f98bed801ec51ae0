//! `[snmp]` of `pair.toml`: who is told of what happens by SNMP. No guard heeds it.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeValue;

use super::document::Section;
use super::errors::{Place, Report};
use super::keys::{Absent, Key};
use super::kinds::{Kind, each, limit};

/// Managers of each kind: each notification is sent to all of them.
const MAX_MANAGERS: usize = 8;
/// Where a manager waits for notifications unless its port is named (RFC 3417).
const TRAP_PORT: u16 = 162;

/// Who is told by SNMP, beside those that the administrator's own snmpd.conf names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snmp {
    /// Managers that get traps: sent once, not confirmed.
    pub traps: Vec<SocketAddr>,
    /// Managers that get informs: sent again until they are confirmed.
    pub informs: Vec<SocketAddr>,
}

pub(super) static TRAPS: Key<Managers> = Key {
    section: "snmp",
    name: "traps",
    kind: Managers { max: MAX_MANAGERS },
    absent: Absent::Default("[]"),
    about: "SNMP managers that get a trap of each condition, as `192.0.2.9` or `[2001:db8::9]:1162`; those that snmpd.conf names get it in any case. The community is that of its trapcommunity line, else public.",
};
pub(super) static INFORMS: Key<Managers> = Key {
    section: "snmp",
    name: "informs",
    kind: Managers { max: MAX_MANAGERS },
    absent: Absent::Default("[]"),
    about: "The same with informs, which are sent again until the manager has confirmed them.",
};

/// Reads the section.
pub(super) fn read(section: &Section<'_>, report: &mut Report<'_>) -> Option<Snmp> {
    let traps = section.get(&TRAPS, report);
    let informs = section.get(&INFORMS, report);
    Some(Snmp { traps: traps?.value, informs: informs?.value })
}

/// Addresses of managers: one text or a list; the port may be left out.
pub(super) struct Managers {
    /// Longest list.
    max: usize,
}

impl Kind for Managers {
    type Value = Vec<SocketAddr>;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Vec<SocketAddr>> {
        let all = each(value, place, report, |text, place, report| {
            let found = manager(text);
            if found.is_none() {
                let remedy = "write an IP address, as 192.0.2.9, or one with a port, as \
                              192.0.2.9:1162 or [2001:db8::9]:1162";
                report.add(place, "not the address of a manager", remedy);
            }
            found
        })?;
        limit(&all, self.max, place, report);
        Some(all.into_iter().map(|found| found.value).collect())
    }

    fn describe(&self) -> String {
        format!("list of at most {} IP addresses, with or without a port", self.max)
    }
}

fn manager(text: &str) -> Option<SocketAddr> {
    let bare = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, TRAP_PORT));
    let found = bare.or_else(|_| text.parse::<SocketAddr>()).ok()?;
    let ip = found.ip();
    (found.port() != 0 && !ip.is_unspecified() && !ip.is_multicast()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_pair;

    const REST: &str = "pair_id = 1\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n";

    #[test]
    fn managers_have_the_usual_port_unless_another_is_named() {
        let plain = parse_pair("pair.toml", REST).expect("right");
        assert_eq!(plain.snmp, Snmp::default());
        let text = format!(
            "{REST}[snmp]\ntraps = [\"192.0.2.9\", \"2001:db8::9\"]\ninforms = \"192.0.2.9:1162\"\n"
        );
        let pair = parse_pair("pair.toml", &text).expect("right");
        let shown = |all: &[SocketAddr]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(&pair.snmp.traps), ["192.0.2.9:162", "[2001:db8::9]:162"]);
        assert_eq!(shown(&pair.snmp.informs), ["192.0.2.9:1162"]);
        assert_eq!(pair.digest(), plain.digest(), "no guard heeds them");
    }

    #[test]
    fn what_is_no_address_of_one_machine_is_refused_at_its_place() {
        for (line, wrong) in [
            ("traps = [\"noc.example.org\"]", "snmp.traps[1] = \"noc.example.org\": not the addr"),
            ("traps = \"0.0.0.0\"", "snmp.traps = \"0.0.0.0\": not the address of a manager"),
            ("informs = \"192.0.2.9:0\"", "snmp.informs = \"192.0.2.9:0\": not the address"),
            ("sinks = \"192.0.2.9\"", "snmp.sinks"),
        ] {
            let errors = parse_pair("pair.toml", &format!("{REST}[snmp]\n{line}\n"));
            let text = errors.expect_err(line).to_string();
            assert!(text.contains(wrong), "{line}: {text}");
        }
    }
}
