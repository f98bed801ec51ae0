//! What Kea says: `DHCP4_LEASE_ALLOC [hwtype=1 08:00:27:aa:bb:cc], cid=[...], tid=0x1f: lease
//! 10.0.0.5 has been allocated for 3600 seconds`, told apart by the identifier of the message.
//! Used by the reader of lines alone.

use super::Format;
use super::fields::{Event, Fields, own};
use super::token::{between, is_address, number, plain, word_after};

pub(super) fn read(message: &str) -> Option<Fields> {
    let is_id = |word: &&str| word.starts_with("DHCP") || word.starts_with("ALLOC_ENGINE_V");
    let id = message.split_whitespace().find(is_id)?;
    let (_, text) = message.split_once(id)?;
    let event = event(id)?;
    let mut fields = Fields::of(Format::Kea, event);
    fields.address = address(text).and_then(own);
    fields.mac = client(text).and_then(own);
    fields.lease_s = word_after(text, "allocated for ")
        .or_else(|| word_after(text, "reused for "))
        .and_then(number);
    if matches!(event, Event::NoLease | Event::LeaseRefused) {
        fields.reason = text.rsplit_once(": ").and_then(|(_, why)| own(why));
    }
    Some(fields)
}

fn event(id: &str) -> Option<Event> {
    Some(match id {
        "DHCP4_LEASE_ADVERT"
        | "DHCP4_LEASE_OFFER"
        | "DHCP6_LEASE_ADVERT"
        | "DHCP6_PD_LEASE_ADVERT" => Event::LeaseOffered,
        "DHCP4_LEASE_ALLOC"
        | "DHCP4_LEASE_REUSE"
        | "DHCP6_LEASE_ALLOC"
        | "DHCP6_LEASE_REUSE"
        | "DHCP6_LEASE_RENEW"
        | "DHCP6_PD_LEASE_ALLOC"
        | "DHCP6_PD_LEASE_REUSE"
        | "DHCP6_PD_LEASE_RENEW" => Event::LeaseGranted,
        "DHCP4_RELEASE"
        | "DHCP6_RELEASE_NA"
        | "DHCP6_RELEASE_PD"
        | "DHCP4_RELEASE_EXPIRED"
        | "DHCP6_RELEASE_NA_EXPIRED"
        | "DHCP6_RELEASE_PD_EXPIRED"
        | "DHCP4_RELEASE_DELETED"
        | "DHCP6_RELEASE_NA_DELETED"
        | "DHCP6_RELEASE_PD_DELETED" => Event::LeaseReleased,
        "DHCP4_DECLINE_LEASE" | "DHCP6_DECLINE_LEASE" => Event::LeaseDeclined,
        "DHCP4_PACKET_NAK_0001"
        | "DHCP4_PACKET_NAK_0002"
        | "DHCP4_PACKET_NAK_0003"
        | "DHCP4_PACKET_NAK_0004"
        | "DHCP4_NO_LEASE_INIT_REBOOT" => Event::LeaseRefused,
        "ALLOC_ENGINE_V4_LEASE_RECLAIM" | "ALLOC_ENGINE_V6_LEASE_RECLAIM" => Event::LeaseExpired,
        id if id.starts_with("ALLOC_ENGINE_V4_ALLOC_FAIL")
            || id.starts_with("ALLOC_ENGINE_V6_ALLOC_FAIL") =>
        {
            Event::NoLease
        }
        _other => return None,
    })
}

/// The address, or the prefix, that is spoken of.
fn address(text: &str) -> Option<&str> {
    let marks = ["address ", "prefix ", "lease ", "addr ", "binding for "];
    let words = marks.into_iter().filter_map(|mark| word_after(text, mark)).map(plain);
    let is_one = |word: &&str| {
        let (address, length) = word.split_once('/').unwrap_or((word, ""));
        is_address(address) && length.bytes().all(|it| it.is_ascii_digit())
    };
    words.into_iter().find(is_one)
}

/// The hardware address, or of a client of IPv6 its DUID.
fn client(text: &str) -> Option<&str> {
    let by_mac = between(text, "[hwtype=", "]").and_then(|it| it.split_once(' '));
    by_mac.map(|(_, mac)| mac).or_else(|| between(text, "duid=[", "]"))
}
