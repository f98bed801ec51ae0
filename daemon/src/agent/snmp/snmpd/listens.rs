//! Where snmpd listens, as its lines say (snmpd(8), 'listening addresses'), and where on this
//! node it can be asked. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::lines::Line;

const PORT: u16 = 161;

/// Where this node can ask its own snmpd; none where it listens on no UDP socket.
pub(super) fn local(lines: &[Line]) -> Option<SocketAddr> {
    let all = listens(lines);
    if all.is_empty() {
        return Some((Ipv4Addr::LOCALHOST, PORT).into());
    }
    all.into_iter().flatten().next().map(|at| {
        let ip = match at.ip() {
            IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            other => other,
        };
        SocketAddr::new(ip, at.port())
    })
}

/// Whether nobody but this node itself can ask it.
pub(super) fn is_loopback_only(lines: &[Line]) -> bool {
    let all = listens(lines);
    !all.is_empty() && all.iter().all(|at| at.is_some_and(|at| at.ip().is_loopback()))
}

/// Each address; none for what is no UDP socket of an address.
fn listens(lines: &[Line]) -> Vec<Option<SocketAddr>> {
    lines
        .iter()
        .filter(|line| line.first().is_some_and(|word| word.eq_ignore_ascii_case("agentaddress")))
        .flat_map(|line| &line[1..])
        .flat_map(|word| word.split(','))
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(address)
        .collect()
}

fn address(word: &str) -> Option<SocketAddr> {
    let lower = word.to_ascii_lowercase();
    let any4 = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    let any6 = IpAddr::from(Ipv6Addr::UNSPECIFIED);
    let (any, rest) = match lower.split_once(':') {
        Some(("udp", rest)) => (any4, rest),
        Some(("udp6" | "udpv6" | "udpipv6", rest)) => (any6, rest),
        _ => (any4, lower.as_str()),
    };
    if let Ok(port) = rest.parse::<u16>() {
        return Some(SocketAddr::new(any, port));
    }
    let bare = rest.trim_start_matches('[').trim_end_matches(']');
    // An interface beside the address is none of ours.
    let bare = bare.split('@').next().unwrap_or_default();
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, PORT));
    }
    rest.parse::<SocketAddr>().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snmpd_is_asked_where_it_listens() {
        for (words, expected) in [
            ("", Some("127.0.0.1:161")),
            ("127.0.0.1,[::1]", Some("127.0.0.1:161")),
            ("udp:161,udp6:161", Some("127.0.0.1:161")),
            ("1161", Some("127.0.0.1:1161")),
            ("udp:10.1.0.2:161", Some("10.1.0.2:161")),
            ("tcp:161,udp6:[::1]:1161", Some("[::1]:1161")),
            ("[2001:db8::2]", Some("[2001:db8::2]:161")),
            ("udp6:[::]:161", Some("[::1]:161")),
            ("unix:/run/snmpd.socket", None),
        ] {
            let line = match words {
                "" => Vec::new(),
                words => vec![vec!["agentAddress".to_owned(), words.to_owned()]],
            };
            assert_eq!(local(&line).map(|at| at.to_string()).as_deref(), expected, "{words}");
        }
    }

    #[test]
    fn an_snmpd_that_only_this_node_can_ask_is_noticed() {
        let line = |words: &str| vec![vec!["agentaddress".to_owned(), words.to_owned()]];
        assert!(is_loopback_only(&line("127.0.0.1,[::1]")));
        assert!(!is_loopback_only(&line("127.0.0.1,udp:10.1.0.2:161")));
        assert!(!is_loopback_only(&line("udp:161")) && !is_loopback_only(&[]));
    }
}
