//! What ISC DHCP says: `DHCPACK on 10.0.0.5 to 08:00:27:aa:bb:cc (laptop) via eth1`, and for IPv6
//! `Reply NA: address 2001:db8::5 to client with duid ...`. Used by the reader of lines alone.

use super::Format;
use super::fields::{Event, Fields, own};
use super::token::{between, is_address, is_mac, number, plain, word_after};

pub(super) fn read(message: &str) -> Option<Fields> {
    let message = message.trim_start();
    if let Some(fields) = six(message) {
        return Some(fields);
    }
    let (name, rest) = message.split_once(' ')?;
    let mut fields = Fields::of(Format::IscDhcp, event(name, rest)?);
    fields.address = ["on ", "for ", "of ", "from ", "to "]
        .into_iter()
        .filter_map(|mark| word_after(rest, mark))
        .map(plain)
        .find(|word| is_address(word))
        .and_then(own);
    fields.mac = rest.split_whitespace().find(|word| is_mac(word)).and_then(own);
    fields.hostname = fields.mac.as_deref().and_then(|mac| host(rest, mac)).and_then(own);
    fields.interface = word_after(rest, " via ").map(plain).and_then(own);
    let behind = rest.split_once(" via ").and_then(|(_, behind)| behind.split_once(": "));
    fields.reason = behind.and_then(|(_, why)| own(why));
    Some(fields)
}

fn event(name: &str, rest: &str) -> Option<Event> {
    if rest.contains("no free leases") {
        return Some(Event::NoLease);
    }
    Some(match name {
        "DHCPDISCOVER" => Event::LeaseWanted,
        "DHCPOFFER" => Event::LeaseOffered,
        "DHCPREQUEST" => Event::LeaseRequested,
        "DHCPACK" => Event::LeaseGranted,
        "DHCPNAK" => Event::LeaseRefused,
        "DHCPDECLINE" => Event::LeaseDeclined,
        "DHCPRELEASE" => Event::LeaseReleased,
        "DHCPEXPIRE" => Event::LeaseExpired,
        "DHCPINFORM" => Event::SettingsAsked,
        _other => return None,
    })
}

/// The name in brackets behind the hardware address.
fn host<'t>(rest: &'t str, mac: &str) -> Option<&'t str> {
    let (_, behind) = rest.split_once(mac)?;
    behind.strip_prefix(" (")?.split_once(')').map(|(name, _)| name)
}

/// Messages about IPv6.
fn six(message: &str) -> Option<Fields> {
    let event = match message.split_once(": address ")?.0 {
        "Advertise NA" | "Advertise TA" => Event::LeaseOffered,
        "Reply NA" | "Reply TA" => Event::LeaseGranted,
        _other => return None,
    };
    let mut fields = Fields::of(Format::IscDhcp, event);
    fields.address = word_after(message, ": address ").and_then(own);
    fields.mac = between(message, " duid ", " iaid").and_then(own);
    fields.lease_s = word_after(message, " valid for ").and_then(number);
    Some(fields)
}
