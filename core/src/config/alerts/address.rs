//! Where alerts go: a web address, a server with its port, a mailbox. Parsed once, so that
//! whoever connects need not look again.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::DeValue;

use super::MAX_RECIPIENTS;
use crate::config::errors::{Found, Place, Report};
use crate::config::kinds::{Kind, each, limit, text_of};

/// Longest host name (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 253;
/// Longest web address that is taken.
const MAX_URL: usize = 2048;
/// Longest mailbox (RFC 5321, section 4.5.3.1.3, less its brackets).
const MAX_MAILBOX: usize = 254;

/// A web address, `https://HOST[:PORT][/PATH]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Url {
    /// Whether the connection is protected by TLS.
    pub secure: bool,
    /// The host and the port.
    pub server: Server,
    /// Path and query, from its first slash on.
    pub path: String,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// A name or an address, an IPv6 one without brackets.
    pub host: String,
    /// 0 only until the default of the kind is known.
    pub port: u16,
}

impl Server {
    /// With this port where none was written.
    #[must_use]
    pub(super) fn with_default_port(self, port: u16) -> Server {
        Server { port: if self.port == 0 { port } else { self.port }, ..self }
    }

    fn parse(text: &str) -> Option<Server> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']')?;
                host.parse::<Ipv6Addr>().ok()?;
                match after {
                    "" => (host, None),
                    after => (host, Some(after.strip_prefix(':')?)),
                }
            }
            // An IPv6 address without brackets has no port.
            None if text.parse::<Ipv6Addr>().is_ok() => (text, None),
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            None => 0,
            Some(digits) => digits.parse().ok().filter(|port| *port != 0)?,
        };
        is_host(host).then(|| Server { host: host.to_owned(), port })
    }
}

fn is_host(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    let is_address = host.parse::<IpAddr>().is_ok();
    (1..=MAX_HOST).contains(&host.len())
        && host.bytes().all(allowed)
        && (is_address || !host.contains(':'))
}

impl fmt::Display for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(out, "[{}]:{}", self.host, self.port),
            false => write!(out, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = if self.secure { ("https", 443) } else { ("http", 80) };
        let whole = self.server.to_string();
        let server = match self.server.port == usual {
            true => whole.strip_suffix(&format!(":{usual}")).unwrap_or(&whole),
            false => &whole,
        };
        write!(out, "{scheme}://{server}{}", self.path)
    }
}

impl Url {
    fn parse(text: &str) -> Option<Url> {
        let good = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`#".contains(&byte);
        if text.len() > MAX_URL || !text.bytes().all(good) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let (secure, usual) = match scheme {
            "https" => (true, 443),
            "http" => (false, 80),
            _ => return None,
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (server, path) = rest.split_at(end);
        let server = Server::parse(server)?.with_default_port(usual);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Some(Url { secure, server, path })
    }
}

/// A web address in a file.
pub(in crate::config) struct WebAddress;

impl Kind for WebAddress {
    type Value = Url;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Url> {
        let url = Url::parse(text_of(value.get_ref(), place, report)?);
        if url.is_none() {
            let remedy = "write one as https://alerts.example.org/twinwall, without a user's name, \
                          blanks as %20";
            report.add(place, "not a web address", remedy);
        }
        url
    }

    fn describe(&self) -> String {
        "`https://HOST[:PORT]/PATH`, or `http://` inside a network that you trust".to_owned()
    }
}

/// A host with or without a port, in a file.
pub(in crate::config) struct HostAndPort;

impl Kind for HostAndPort {
    type Value = Server;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Server> {
        let server = Server::parse(text_of(value.get_ref(), place, report)?);
        if server.is_none() {
            let remedy = "write a name or an address, and a port where it is not the usual one, as \
                          mail.example.org:587 or [2001:db8::5]:6514";
            report.add(place, "not a server", remedy);
        }
        server
    }

    fn describe(&self) -> String {
        "`HOST` or `HOST:PORT`, an IPv6 address in brackets".to_owned()
    }
}

/// One mailbox, in a file.
pub(in crate::config) struct Mailbox;

impl Kind for Mailbox {
    type Value = String;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<String> {
        mailbox(text_of(value.get_ref(), place, report)?, place, report)
    }

    fn describe(&self) -> String {
        "mail address, as \"noc@example.org\"".to_owned()
    }
}

/// One mailbox or several, in a file.
pub(in crate::config) struct Mailboxes;

impl Kind for Mailboxes {
    type Value = Vec<String>;

    fn read(
        &self,
        value: &Spanned<DeValue<'_>>,
        place: &Place,
        report: &mut Report<'_>,
    ) -> Option<Vec<String>> {
        let all = each(value, place, report, mailbox)?;
        limit(&all, MAX_RECIPIENTS, place, report);
        if all.is_empty() {
            report.add(place, "nobody would get it", "name at least one mail address");
        }
        let all: Vec<String> = all.into_iter().map(|found: Found<String>| found.value).collect();
        (!all.is_empty()).then_some(all)
    }

    fn describe(&self) -> String {
        format!("mail address, or a list of at most {MAX_RECIPIENTS}")
    }
}

/// Only what needs no quoting on its way (RFC 5321, section 4.1.2): nobody has another one,
/// and none can end a command early.
fn mailbox(text: &str, place: &Place, report: &mut Report<'_>) -> Option<String> {
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    let parts = text.split_once('@');
    let good = parts.is_some_and(|(local, domain)| {
        !local.is_empty() && local.bytes().all(atom) && is_host(domain) && !domain.contains(':')
    });
    if !good || text.len() > MAX_MAILBOX {
        let remedy = "write one as noc@example.org, without a name and without brackets";
        report.add(place, "not a mail address", remedy);
        return None;
    }
    Some(text.to_owned())
}
