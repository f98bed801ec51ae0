//! `gateways` of each interface in `pair.toml`, and `[reach]`: neighbours that lead further,
//! by which the two nodes are compared. The agents ask them; the guard only weighs how many
//! each node reaches.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::document::Section;
use super::errors::{Found, Report};
use super::interfaces::Draft;
use super::keys::{Absent, Key, REPEATED};
use super::kinds::{Addresses, Choice, Seconds, Whole};
use super::prefix::{Family, Prefix};

/// Gateways of one pair: a bit each in a beat, and each is asked all the time.
pub const MAX_GATEWAYS: usize = 16;

/// A neighbour that leads further.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// The interface on which it is.
    pub interface: String,
    /// Its address there.
    pub address: IpAddr,
}

/// How gateways are asked. Nothing of it concerns a guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Between two questions to one.
    pub interval: Duration,
    /// Unanswered ones in a row after which it counts as unreachable.
    pub misses: u8,
    /// How long it must answer without a break before it counts as reachable again.
    pub hold: Duration,
    /// What it is asked.
    pub ask: Ask,
}

/// What a gateway is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// Who has its address (ARP, neighbour solicitation): needs no address of one's own.
    Neighbour,
    /// An echo, where both nodes have own addresses; else as a neighbour.
    Ping,
}

impl Ask {
    /// Its word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Ask::Neighbour => "neighbour",
            Ask::Ping => "ping",
        }
    }
}

impl Default for Reach {
    fn default() -> Reach {
        Reach {
            interval: Duration::from_secs(1),
            misses: 5,
            hold: Duration::from_secs(30),
            ask: Ask::Neighbour,
        }
    }
}

pub(super) static GATEWAYS: Key<Addresses> = Key {
    section: REPEATED,
    name: "gateways",
    kind: Addresses { max: MAX_GATEWAYS },
    absent: Absent::Default("[]"),
    about: "Routers that are neighbours on this interface, as the provider's. Both nodes ask them all the time; the role moves when the other node reaches more of them, and is otherwise as well. At most 16 over all interfaces.",
};
pub(super) static REACH_INTERVAL: Key<Seconds> = Key {
    section: "reach",
    name: "interval",
    kind: Seconds { min: Duration::from_millis(200), max: Duration::from_secs(60) },
    absent: Absent::Default("1.0"),
    about: "Time between two questions to a gateway.",
};
pub(super) static REACH_ASK: Key<Choice<Ask>> = Key {
    section: "reach",
    name: "ask",
    kind: Choice(&[("neighbour", Ask::Neighbour), ("ping", Ask::Ping)]),
    absent: Absent::Default("\"neighbour\""),
    about: "What gateways are asked. `neighbour`: who has the address (ARP, neighbour solicitation), which works without an address of one's own and which every gateway answers. `ping`: an echo, on interfaces where both nodes have own addresses.",
};
pub(super) static REACH_MISSES: Key<Whole<u8>> = Key {
    section: "reach",
    name: "misses",
    kind: Whole { min: 2, max: 100 },
    absent: Absent::Default("5"),
    about: "Unanswered questions in a row after which a gateway counts as unreachable.",
};
pub(super) static REACH_HOLD: Key<Seconds> = Key {
    section: "reach",
    name: "hold",
    kind: Seconds { min: Duration::ZERO, max: Duration::from_secs(3600) },
    absent: Absent::Default("30"),
    about: "A gateway that was unreachable must answer this long without a break before it counts again; twice as long each time it was lost again within an hour.",
};

/// Reads the section.
pub(super) fn read(section: &Section<'_>, report: &mut Report<'_>) -> Option<Reach> {
    let interval = section.get(&REACH_INTERVAL, report);
    let misses = section.get(&REACH_MISSES, report);
    let hold = section.get(&REACH_HOLD, report);
    let ask = section.get(&REACH_ASK, report);
    let (interval, misses) = (interval?.value, misses?.value);
    Some(Reach { interval, misses, hold: hold?.value, ask: ask?.value })
}

/// The gateways of all interfaces, in their order.
pub(super) fn all(drafts: &[Draft]) -> Vec<Gateway> {
    let of = |draft: &Draft| {
        let interface = draft.name.as_ref().map(|name| name.value.clone()).unwrap_or_default();
        let gateway = move |found: &Found<IpAddr>| Gateway {
            interface: interface.clone(),
            address: found.value,
        };
        draft.gateways.iter().map(gateway).collect::<Vec<_>>()
    };
    drafts.iter().flat_map(of).collect()
}

/// A gateway is one other machine on the interface's own subnet.
pub(super) fn check(drafts: &[Draft], report: &mut Report<'_>) {
    let count = drafts.iter().flat_map(|draft| &draft.gateways);
    if let Some(first_too_many) = count.clone().nth(MAX_GATEWAYS) {
        let remedy = format!("at most {MAX_GATEWAYS} are possible over all interfaces");
        report.add(&first_too_many.place, "too many gateways in the pair", remedy);
    }
    for draft in drafts {
        for (index, gateway) in draft.gateways.iter().enumerate() {
            check_one(draft, index, gateway, report);
        }
    }
}

fn check_one(draft: &Draft, index: usize, gateway: &Found<IpAddr>, report: &mut Report<'_>) {
    let address = gateway.value;
    let remedy = "name a router that is a neighbour on this interface";
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
        report.add(&gateway.place, "not the address of one other machine", remedy);
    } else if draft.all().any(|own| own.value.address == address) {
        report.add(&gateway.place, "the pair's own address", remedy);
    } else if draft.gateways[..index].iter().any(|earlier| earlier.value == address) {
        report.add(&gateway.place, "named twice", "remove one");
    } else if draft.whole && !is_neighbour(draft, address) {
        report.add(&gateway.place, "in no subnet of this interface", remedy);
    }
}

/// Link-local addresses are on every interface; others must be in a subnet of it.
fn is_neighbour(draft: &Draft, address: IpAddr) -> bool {
    let contains = |prefix: &Prefix| prefix.contains(address);
    Family::of(address) == Family::V6LinkLocal
        || draft.all().any(|own| !own.value.is_host() && contains(&own.value.subnet()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_pair;

    fn text(gateways: &str, rest: &str) -> String {
        format!(
            "pair_id = 1\n{rest}[ha_link]\ninterface = \"ha0\"\n[[interface]]\nname = \"wan\"\n\
             primary = \"203.0.113.2/29\"\nsecondary = \"203.0.113.3/29\"\n\
             virtual = [\"203.0.113.5/29\", \"2001:db8::5/64\"]\ngateways = {gateways}\n\
             [[interface]]\nname = \"lan\"\nvirtual = \"10.1.0.1/24\"\ngateways = \"10.1.0.254\"\n"
        )
    }

    #[test]
    fn gateways_are_read_in_their_order_and_count_among_the_settings_of_a_guard() {
        let both = text("[\"203.0.113.1\", \"fe80::1\"]", "reach.misses = 3\n");
        let pair = parse_pair("pair.toml", &both).expect("right");
        let gateway = |interface: &str, address: &str| Gateway {
            interface: interface.to_owned(),
            address: address.parse().expect("an address"),
        };
        let wanted = [
            gateway("wan", "203.0.113.1"),
            gateway("wan", "fe80::1"),
            gateway("lan", "10.1.0.254"),
        ];
        assert_eq!(pair.gateways, wanted);
        assert_eq!(pair.reach, Reach { misses: 3, ..Reach::default() });
        let other = parse_pair("pair.toml", &text("\"203.0.113.1\"", "")).expect("right");
        assert_ne!(pair.digest(), other.digest(), "the bits of a beat have another meaning");
        let same = parse_pair("pair.toml", &text("[\"203.0.113.1\", \"fe80::1\"]", ""));
        assert_eq!(pair.digest(), same.expect("right").digest(), "how they are asked is no matter");
    }

    #[test]
    fn each_wrong_gateway_is_told_at_its_place() {
        let many: Vec<String> = (10..27).map(|host| format!("\"10.1.0.{host}\"")).collect();
        for (gateways, wrong) in [
            ("\"203.0.113.2\"", "the pair's own address"),
            ("\"203.0.113.5\"", "the pair's own address"),
            ("\"224.0.0.1\"", "not the address of one other machine"),
            ("\"10.1.0.254\"", "in no subnet of this interface"),
            ("\"2001:db9::1\"", "in no subnet of this interface"),
            ("[\"203.0.113.1\", \"203.0.113.1\"]", "named twice"),
            ("\"gw.example\"", "interface[1].gateways"),
            (&format!("[{}]", many.join(", ")), "gateways"),
        ] {
            let errors = parse_pair("pair.toml", &text(gateways, "")).expect_err(gateways);
            assert!(errors.to_string().contains(wrong), "{gateways}: {errors}");
        }
    }
}
