//! What dnsmasq says of DHCP: `DHCPACK(br0) 10.0.0.5 08:00:27:aa:bb:cc laptop`, with the number
//! of the transaction before it where `log-dhcp` is set. Used by the reader of lines alone.

use super::fields::{Event, Fields, own};
use super::token::{is_address, is_mac};
use super::{Format, token};

pub(super) fn read(message: &str) -> Option<Fields> {
    let mut words = message.split_whitespace();
    let first = words.next()?;
    let numbered = first.bytes().all(|it| it.is_ascii_digit());
    let verb = if numbered { words.next()? } else { first };
    let (name, interface) = verb.split_once('(')?;
    let interface = interface.strip_suffix(')')?;
    let rest: Vec<&str> = words.collect();
    let address = rest.first().filter(|it| is_address(it)).copied();
    let client = rest.iter().find(|it| is_mac(it)).copied();
    let behind = usize::from(address.is_some()) + usize::from(client.is_some());
    let said = rest.get(behind..).unwrap_or_default().join(" ");
    let event = event(name, address.is_some(), &said)?;
    let mut fields = Fields::of(Format::Dnsmasq, event);
    fields.interface = own(interface);
    fields.address = address.and_then(own);
    fields.mac = client.and_then(own);
    if is_reason(&said) {
        fields.reason = own(&said);
    } else {
        fields.hostname = said.split(' ').next().and_then(own);
    }
    Some(fields)
}

fn event(name: &str, has_address: bool, said: &str) -> Option<Event> {
    if said == "no address available" || said.contains("no addresses available") {
        return Some(Event::NoLease);
    }
    Some(match name {
        "DHCPDISCOVER" | "DHCPSOLICIT" => Event::LeaseWanted,
        "DHCPOFFER" | "DHCPADVERTISE" => Event::LeaseOffered,
        "DHCPREQUEST" | "DHCPRENEW" | "DHCPREBIND" | "DHCPCONFIRM" => Event::LeaseRequested,
        "DHCPACK" => Event::LeaseGranted,
        // Without an address it answers something else.
        "DHCPREPLY" if has_address => Event::LeaseGranted,
        "DHCPNAK" => Event::LeaseRefused,
        "DHCPDECLINE" => Event::LeaseDeclined,
        "DHCPRELEASE" => Event::LeaseReleased,
        "DHCPINFORM" | "DHCPINFORMATION-REQUEST" => Event::SettingsAsked,
        _other => return None,
    })
}

/// What stands at the end is a host's name, which is one word, or says why; one word that says why
/// is `ignored`.
fn is_reason(said: &str) -> bool {
    said.contains(' ') || said == "ignored" || token::plain(said).is_empty()
}
