//! Pieces of lines: what is between two marks, and what looks like an address. Used by the readers
//! of the single services.

use std::net::{IpAddr, SocketAddr};

/// What stands between the first `open` and the next `close` behind it.
pub(super) fn between<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inside, _)| inside)
}

/// The word behind `mark`.
pub(super) fn word_after<'t>(text: &'t str, mark: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(mark)?;
    rest.split_whitespace().next()
}

/// Whether it is a hardware address or a DUID: pairs of hexadecimal digits with colons, and not
/// an address of IPv6.
pub(super) fn is_mac(text: &str) -> bool {
    let pairs = text.split(':').count();
    let is_pair = |part: &str| part.len() == 2 && part.bytes().all(|it| it.is_ascii_hexdigit());
    (6..=MAX_PAIRS).contains(&pairs) && text.split(':').all(is_pair)
}

/// A DUID has at most 130 octets (RFC 8415, section 11.1).
const MAX_PAIRS: usize = 130;

/// Whether it is an address of IPv4 or IPv6.
pub(super) fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// Whether it is an address with a port.
pub(super) fn is_socket(text: &str) -> bool {
    text.parse::<SocketAddr>().is_ok()
}

/// The number at the beginning of a text, as `3600 seconds`.
pub(super) fn number(text: &str) -> Option<u64> {
    let end = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// Without the marks that end a sentence.
pub(super) fn plain(word: &str) -> &str {
    word.trim_end_matches([',', '.', ';', ':'])
}
