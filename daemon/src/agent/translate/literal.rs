//! Finds the IP addresses in a text, as an administrator would see them: with borders
//! around them, IPv6 in any spelling. Used by the translation only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::str::FromStr;

/// Every known address in the order of the text, none inside another. A part of a longer
/// word or number is no address; `10.0.0.1/24`, `10.0.0.1:80`, `[::1]:80`, `fe80::1%lan`,
/// `inet:10.0.0.1` and `10.0.0.1-10.0.0.9` hold addresses.
pub(super) fn addresses(
    text: &[u8],
    known: impl Fn(&IpAddr) -> bool,
) -> Vec<(Range<usize>, IpAddr)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if !in_run(text[at]) {
            at += 1;
            continue;
        }
        let length = text[at..].iter().position(|byte| !in_run(*byte));
        let end = length.map_or(text.len(), |length| at + length);
        match whole_six(text, at..end) {
            Some((range, address)) if known(&address) => found.push((range, address)),
            // An unknown IPv6 address may still end in a known IPv4 one.
            _ => found.extend(fours(text, at..end).into_iter().filter(|(_, it)| known(it))),
        }
        at = end;
    }
    found
}

/// What both kinds of addresses are written with.
fn in_run(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == b':' || byte == b'.'
}

fn in_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The run as one IPv6 address, less the `:` of `word:` before it and a full stop or
/// colon after it.
fn whole_six(text: &[u8], run: Range<usize>) -> Option<(Range<usize>, IpAddr)> {
    if in_word(text.get(run.end)) {
        return None;
    }
    let mut start = run.start;
    if start > 0 && in_word(text.get(start - 1)) {
        if text[start] != b':' {
            return None;
        }
        start += 1;
    }
    let ends = [run.end, run.end - 1];
    let inside = ends
        .into_iter()
        .filter(|end| *end > start && (*end == run.end || matches!(text[*end], b':' | b'.')));
    inside.filter_map(|end| Some((start..end, parse::<Ipv6Addr>(text, start..end)?.into()))).next()
}

/// The IPv4 addresses in a run: between its borders and colons.
fn fours(text: &[u8], run: Range<usize>) -> Vec<(Range<usize>, IpAddr)> {
    let mut found = Vec::new();
    let mut at = run.start;
    while at < run.end {
        let part = text[at..run.end].iter().position(|byte| !is_four(*byte));
        let end = part.map_or(run.end, |length| at + length);
        let border = at == 0 || !in_word(text.get(at - 1));
        if end > at && border && !in_word(text.get(end)) {
            let end = if text[end - 1] == b'.' { end - 1 } else { end };
            found.extend(parse::<Ipv4Addr>(text, at..end).map(|address| (at..end, address.into())));
        }
        at = end + 1;
    }
    found
}

fn is_four(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'.'
}

fn parse<T: FromStr>(text: &[u8], range: Range<usize>) -> Option<T> {
    std::str::from_utf8(text.get(range)?).ok()?.parse().ok()
}
