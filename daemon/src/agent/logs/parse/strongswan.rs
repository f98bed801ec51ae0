//! What strongSwan says of IKE: `IKE_SA work[3] established between 203.0.113.1[gw]...198.51.100.7
//! [alice]`. Used by the reader of lines alone. Sets of keys below a tunnel (CHILD_SA) count as the
//! tunnel where they begin and end: these carry the traffic.

use super::Format;
use super::fields::{Event, Fields, own};
use super::token::{between, is_address, plain, word_after};

pub(super) fn read(message: &str) -> Option<Fields> {
    let text = message.trim();
    let mut fields = sa(text).or_else(|| address_given(text)).or_else(|| other(text))?;
    if fields.connection.is_none() {
        // The thread's mark: `06[IKE] <work|3>`.
        fields.connection = between(text, "<", "|").and_then(own);
    }
    Some(fields)
}

fn of(event: Event) -> Fields {
    Fields::of(Format::Strongswan, event)
}

/// The state of a tunnel.
fn sa(text: &str) -> Option<Fields> {
    let ike = |mark: &str| word_after(text, mark).and_then(|word| name(word, '['));
    let child = |mark: &str| word_after(text, mark).and_then(|word| name(word, '{'));
    if let Some(connection) = ike("deleting IKE_SA ") {
        return Some(ends(of(Event::TunnelDown), connection, text));
    }
    if let Some(connection) = ike("received DELETE for IKE_SA ") {
        return Some(ends(of(Event::TunnelDown), connection, text));
    }
    if let Some(connection) = ike("initiating IKE_SA ") {
        let mut fields = of(Event::TunnelBegun);
        fields.connection = own(connection);
        fields.peer = word_after(text, "] to ").and_then(own);
        return Some(fields);
    }
    if let Some(connection) =
        child("closing CHILD_SA ").or_else(|| child("closing expired CHILD_SA "))
    {
        return Some(ends(of(Event::TunnelDown), connection, text));
    }
    let connection = ike("IKE_SA ").or_else(|| child("CHILD_SA "))?;
    let event = match text {
        text if text.contains(" rekeyed") => Event::TunnelRekeyed,
        text if text.contains(" established ") => Event::TunnelUp,
        _other => return None,
    };
    // What one direction does is told again for both.
    let is_half = text.contains("outbound CHILD_SA") || text.contains("inbound CHILD_SA");
    (!is_half).then(|| ends(of(event), connection, text))
}

/// The part of `work[3]` or `net{4}` that is a name.
fn name(word: &str, open: char) -> Option<&str> {
    word.split_once(open).map(|(name, _)| name).filter(|name| !name.is_empty())
}

/// The other end in `between OWN[NAME]...OTHER[NAME]`.
fn ends(mut fields: Fields, connection: &str, text: &str) -> Fields {
    fields.connection = own(connection);
    if let Some((_, other)) = text.split_once(" between ").and_then(|(_, it)| it.split_once("..."))
    {
        fields.peer = other.split('[').next().and_then(own);
        fields.user = between(other, "[", "]").and_then(own);
    }
    fields
}

/// Addresses within the tunnel.
fn address_given(text: &str) -> Option<Fields> {
    let (address, event) = match word_after(text, "assigning virtual IP ") {
        Some(address) => (address, Event::AddressGiven),
        None if text.ends_with(" went offline") => {
            (word_after(text, "lease ")?, Event::LeaseReleased)
        }
        None => return None,
    };
    let mut fields = of(event);
    fields.address = own(address);
    fields.user = between(text, "'", "'").and_then(own);
    Some(fields)
}

fn other(text: &str) -> Option<Fields> {
    let mut fields = if let Some((before, _)) = text.split_once(" is initiating ") {
        let mut fields = of(Event::TunnelBegun);
        fields.peer =
            before.rsplit(' ').next().map(plain).filter(|it| is_address(it)).and_then(own);
        return Some(fields);
    } else if REFUSED.iter().any(|it| text.contains(it)) {
        of(Event::SignInRefused)
    } else if FAILED.iter().any(|it| text.contains(it)) {
        of(Event::TunnelFailed)
    } else {
        return None;
    };
    fields.user =
        word_after(text, "failed for peer ").or_else(|| between(text, "for '", "'")).and_then(own);
    fields.reason = own(without_thread(text));
    Some(fields)
}

/// Somebody could not prove who he is.
const REFUSED: [&str; 6] = [
    "failed for peer ",
    "but MAC mismatched",
    "received AUTHENTICATION_FAILED",
    "no trusted ",
    "no shared key found for",
    "no matching peer config found",
];
/// No tunnel came of it.
const FAILED: [&str; 6] = [
    "giving up after ",
    "peer not responding",
    "NO_PROPOSAL_CHOSEN",
    "no acceptable proposal found",
    "no matching proposal found",
    "failed to establish CHILD_SA",
];

/// Without `06[IKE] <work|3> `.
fn without_thread(text: &str) -> &str {
    let behind = match text.split_once("] ") {
        Some((thread, rest)) if thread.len() < 12 && thread.contains('[') => rest,
        Some(_) | None => text,
    };
    match behind.strip_prefix('<').and_then(|it| it.split_once("> ")) {
        Some((_, rest)) => rest,
        None => behind,
    }
}
