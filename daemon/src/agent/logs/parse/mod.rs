//! What a line of a log says: when it was written, and for DHCP and VPN services what happened to
//! whom. Called by the search for what it shows, by the fuzzer for any bytes. Pure: it reads no
//! clock and no file, and a line that it does not know is just a line.

mod dnsmasq;
mod fields;
mod head;
mod isc_dhcp;
mod kea;
mod openvpn;
mod stamp;
mod strongswan;
#[cfg(test)]
mod tests;
mod token;
mod wireguard;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use fields::{Event, Fields, MAX_FIELD};
use head::Head;
pub use stamp::days_since_1970;

/// Longest part of a line in bytes that is looked at: every service that is known says what it
/// has to say in less.
pub const LOOKED_AT: usize = 4 << 10;

/// Whose lines have fields.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[schemars(rename = "LogFormat")]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// dnsmasq, its DHCP part.
    Dnsmasq,
    /// Kea, for IPv4 and IPv6.
    Kea,
    /// ISC DHCP.
    IscDhcp,
    /// strongSwan.
    Strongswan,
    /// OpenVPN.
    Openvpn,
    /// WireGuard: the kernel's lines and wg-quick's.
    Wireguard,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 6] = [
        Format::Dnsmasq,
        Format::Kea,
        Format::IscDhcp,
        Format::Strongswan,
        Format::Openvpn,
        Format::Wireguard,
    ];

    /// As settings and the API call it.
    pub const fn id(self) -> &'static str {
        match self {
            Format::Dnsmasq => "dnsmasq",
            Format::Kea => "kea",
            Format::IscDhcp => "isc-dhcp",
            Format::Strongswan => "strongswan",
            Format::Openvpn => "openvpn",
            Format::Wireguard => "wireguard",
        }
    }

    /// The one of this name; none for a word that stands for plain lines.
    pub fn named(id: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.id() == id)
    }
}

/// A line, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// When it says that it was written: microseconds since 1970 (UTC), of its node's clock.
    pub at_us: Option<u64>,
    /// What happened to whom, where that is known.
    pub fields: Option<Fields>,
}

/// Reads a line that its node read at `read_us` (microseconds since 1970, UTC), whose local time
/// is `zone_s` seconds ahead of UTC. `hint` is what its source says that its lines are.
pub fn parse_line(text: &str, hint: Option<Format>, read_us: u64, zone_s: i32) -> Parsed {
    let (at_us, head) = parted(text, read_us, zone_s);
    Parsed { at_us, fields: fields_of(&head, hint) }
}

/// When a line says that it was written, and how many bytes at its beginning say so; see
/// [`parse_line`].
pub fn written(text: &str, read_us: u64, zone_s: i32) -> Option<(u64, usize)> {
    let text = looked_at(text);
    let (at_us, rest) = stamp::split(text, read_us, zone_s);
    at_us.map(|at_us| (at_us, text.len() - rest.len()))
}

fn parted(text: &str, read_us: u64, zone_s: i32) -> (Option<u64>, Head<'_>) {
    let (at_us, rest) = stamp::split(looked_at(text), read_us, zone_s);
    (at_us, head::split(rest))
}

/// The beginning of a line, cut between two characters.
fn looked_at(text: &str) -> &str {
    let end = (0..=LOOKED_AT.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

/// A program that is known speaks for itself; else the source's word counts.
fn fields_of(head: &Head<'_>, hint: Option<Format>) -> Option<Fields> {
    let by_program = head.program.and_then(|program| format_of(program, head.message));
    let (format, message) = match (by_program, hint) {
        (Some(format), _) => (format, head.message),
        (None, Some(format)) => (format, head.whole),
        (None, None) => return None,
    };
    let read = match format {
        Format::Dnsmasq => dnsmasq::read(message),
        Format::Kea => kea::read(message),
        Format::IscDhcp => isc_dhcp::read(message),
        Format::Strongswan => strongswan::read(message),
        Format::Openvpn => openvpn::read(message),
        Format::Wireguard => wireguard::read(message),
    };
    read.map(Fields::bounded)
}

/// Whose program this is. Instances are called `openvpn@work` or `ovpn-work`.
fn format_of(program: &str, message: &str) -> Option<Format> {
    let name = program.rsplit('/').next().unwrap_or(program);
    match name.split('@').next().unwrap_or(name) {
        "dnsmasq-dhcp" | "dnsmasq" => Some(Format::Dnsmasq),
        "kea-dhcp4" | "kea-dhcp6" => Some(Format::Kea),
        "dhcpd" | "dhcpd6" => Some(Format::IscDhcp),
        "charon" | "charon-systemd" | "charon-nm" | "ipsec" => Some(Format::Strongswan),
        "wg-quick" => Some(Format::Wireguard),
        "kernel" if message.contains("wireguard: ") => Some(Format::Wireguard),
        name if name == "openvpn" || name.starts_with("ovpn-") => Some(Format::Openvpn),
        _unknown => None,
    }
}
