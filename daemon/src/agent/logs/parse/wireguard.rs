//! What is said of WireGuard: by the kernel, where its debugging is on (`wireguard: wg0: Keypair 3
//! created for peer 4`), and by wg-quick (`[#] ip link add wg0 type wireguard`). Used by the reader
//! of lines alone. The kernel names peers by numbers of its own.

use super::Format;
use super::fields::{Event, Fields, own};
use super::token::{between, is_socket, plain, word_after};

pub(super) fn read(message: &str) -> Option<Fields> {
    match message.split_once("wireguard: ") {
        Some((_, text)) => kernel(text),
        None => quick(message),
    }
}

fn of(event: Event, interface: &str) -> Fields {
    let mut fields = Fields::of(Format::Wireguard, event);
    fields.interface = own(interface);
    fields
}

fn kernel(text: &str) -> Option<Fields> {
    let (interface, text) = text.split_once(": ")?;
    let event = match text {
        text if text.starts_with("Receiving handshake initiation from peer ") => Event::TunnelBegun,
        text if text.starts_with("Sending handshake initiation to peer ") => Event::TunnelBegun,
        text if text.starts_with("Keypair ") && text.contains(" created for peer ") => {
            Event::TunnelUp
        }
        text if text.starts_with("Zeroing out all keys for peer ") => Event::TunnelDown,
        text if text.starts_with("Retrying handshake with peer ") => Event::TunnelFailed,
        text if text.starts_with("Handshake for peer ") && text.contains("did not complete") => {
            Event::TunnelFailed
        }
        text if text.starts_with("Invalid handshake ") => Event::SignInRefused,
        text if text.starts_with("Invalid MAC of handshake") => Event::SignInRefused,
        _other => return None,
    };
    let mut fields = of(event, interface);
    let number = word_after(text, "peer ").map(plain);
    let is_number = |it: &&str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    fields.connection = number.filter(is_number).map(|number| format!("peer {number}"));
    let from = between(text, "(", ")").or_else(|| word_after(text, " from ")).map(plain);
    fields.peer = from.filter(|it| is_socket(it)).and_then(own);
    if matches!(event, Event::TunnelFailed | Event::SignInRefused | Event::TunnelDown) {
        fields.reason = own(text);
    }
    Some(fields)
}

/// The commands that wg-quick runs, which it writes down.
fn quick(message: &str) -> Option<Fields> {
    let (_, command) = message.split_once("[#] ")?;
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        ["ip", "link", "add", "dev", interface, "type", "wireguard", ..]
        | ["ip", "link", "add", interface, "type", "wireguard", ..] => {
            Some(of(Event::TunnelUp, interface))
        }
        ["ip", "link", "delete", "dev", interface, ..] => Some(of(Event::TunnelDown, interface)),
        ["ip", "-4" | "-6", "address", "add", address, "dev", interface, ..] => {
            let mut fields = of(Event::AddressGiven, interface);
            fields.address = own(address);
            Some(fields)
        }
        _other => None,
    }
}
