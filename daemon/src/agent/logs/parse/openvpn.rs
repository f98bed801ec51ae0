//! What OpenVPN says: `alice/198.51.100.7:50123 MULTI: Learn: 10.8.0.2 -> alice/...`, as a server
//! of its clients and as a client of itself. Used by the reader of lines alone.

use super::Format;
use super::fields::{Event, Fields, own};
use super::token::{between, is_address, is_socket, plain, word_after};

pub(super) fn read(message: &str) -> Option<Fields> {
    let message = message.trim();
    let (user, peer, text) = client(message);
    let mut fields = Fields::of(Format::Openvpn, event(text)?);
    fields.peer = peer.and_then(own);
    fields.user = user.and_then(own);
    match fields.event {
        Event::TunnelUp => {
            fields.user = between(text, "[", "] Peer Connection").and_then(own).or(fields.user);
            fields.peer =
                word_after(text, "Initiated with ").map(bare).and_then(own).or(fields.peer);
        }
        Event::TunnelBegun => {
            let from = word_after(text, "Initial packet from ").map(bare);
            fields.peer = from.and_then(own).or(fields.peer);
        }
        Event::AddressGiven => {
            fields.address = given(text).and_then(own);
            fields.user = word_after(text, " for ")
                .and_then(|it| it.split_once('/'))
                .and_then(|(name, _)| own(name))
                .or(fields.user);
        }
        Event::TunnelDown | Event::TunnelFailed | Event::SignInRefused => {
            fields.reason = own(text);
            fields.user = between(text, "CN=", ",").and_then(own).or(fields.user);
        }
        Event::TunnelRekeyed
        | Event::LeaseWanted
        | Event::LeaseOffered
        | Event::LeaseRequested
        | Event::LeaseGranted
        | Event::LeaseRefused
        | Event::LeaseDeclined
        | Event::LeaseReleased
        | Event::LeaseExpired
        | Event::NoLease
        | Event::SettingsAsked => {}
    }
    Some(fields)
}

/// Who is spoken of: `alice/198.51.100.7:50123` or `198.51.100.7:50123`, in newer releases with the
/// protocol before it, and the rest.
fn client(message: &str) -> (Option<&str>, Option<&str>, &str) {
    let (first, rest) = message.split_once(' ').unwrap_or((message, ""));
    let (user, peer) = match first.rsplit_once('/') {
        Some((user, peer)) => (Some(user), peer),
        None => (None, first),
    };
    let peer = bare(peer);
    if !is_socket(peer) {
        return (None, None, message);
    }
    (user, Some(peer), rest)
}

/// Without `[AF_INET]`, `udp4:` and what ends a sentence.
fn bare(peer: &str) -> &str {
    let behind =
        peer.strip_prefix('[').and_then(|it| it.split_once(']')).map_or(peer, |(_, it)| it);
    // An address of IPv6 is in brackets of its own there.
    let peer = if is_socket(peer) { peer } else { behind };
    let prefixed = ["udp4:", "udp6:", "tcp4:", "tcp6:", "tcp4-server:", "tcp6-server:"];
    let peer = prefixed.iter().find_map(|it| peer.strip_prefix(it)).unwrap_or(peer);
    plain(peer)
}

fn event(text: &str) -> Option<Event> {
    if REFUSED.iter().any(|it| text.contains(it)) {
        return Some(Event::SignInRefused);
    }
    Some(match text {
        text if text.contains("Peer Connection Initiated with ") => Event::TunnelUp,
        text if text.starts_with("Initialization Sequence Completed") => Event::TunnelUp,
        text if text.contains("TLS: Initial packet from ") => Event::TunnelBegun,
        text if text.contains("TLS: soft reset ") => Event::TunnelRekeyed,
        text if text.contains("MULTI: primary virtual IP") => Event::AddressGiven,
        text if text.contains("TLS Error: ") => Event::TunnelFailed,
        text if text.contains("client-instance exiting") => Event::TunnelDown,
        text if text.contains("client-instance restarting") => Event::TunnelDown,
        text if text.contains("Inactivity timeout (") => Event::TunnelDown,
        text if text.contains("Connection reset, restarting") => Event::TunnelDown,
        _other => return None,
    })
}

/// Somebody could not prove who he is.
const REFUSED: [&str; 4] = [
    "AUTH_FAILED",
    "TLS Auth Error: ",
    "VERIFY ERROR: ",
    "Auth Username/Password was not provided",
];

/// The last word of `MULTI: primary virtual IP for alice/198.51.100.7:50123: 10.8.0.2`.
fn given(text: &str) -> Option<&str> {
    text.rsplit(' ').next().map(plain).filter(|it| is_address(it))
}
