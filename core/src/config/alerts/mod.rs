//! `[alerts.NAME]` of `pair.toml`: whom the pair tells when something happens, and how. Read
//! by the agents; no guard heeds it. Secrets never stand here: each node keeps its own.

mod address;
pub(super) mod keys;
mod names;

use serde::{Deserialize, Serialize};

use super::document::Section;
use super::errors::{Found, Place, Report};
use super::kinds::limit;
pub use address::{Server, Url};
use keys::{Transport, Word};

/// Targets of a pair: each is a task with a connection, and a form on a page.
pub const MAX_ALERT_TARGETS: usize = 16;
/// Recipients of one message.
const MAX_RECIPIENTS: usize = 16;
/// Conditions that a target may name.
const MAX_CONDITIONS: usize = 128;
/// Longest name of a target: it is part of the name of a file.
const MAX_NAME: usize = 32;
/// Section of the table of keys in which a target's keys stand.
const SECTION: &str = "alerts.NAME";

/// Whom the pair tells, and of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertTarget {
    /// Its name, of small letters, digits, `_` and `-`.
    pub name: String,
    /// Whether it is told anything at all.
    pub enabled: bool,
    /// How it is told.
    pub channel: AlertChannel,
    /// Only what is at least so severe.
    pub severity: AlertSeverity,
    /// Only of these conditions; empty: of all.
    pub conditions: Vec<String>,
    /// No more messages than this in an hour.
    pub per_hour: u32,
    /// File with the certificates that are trusted instead of the system's, below the root.
    pub ca_file: Option<String>,
}

/// A way to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum AlertChannel {
    /// A JSON document by HTTP POST.
    Webhook {
        /// Where to.
        url: Url,
    },
    /// A message by SMTP.
    Email {
        /// The server that takes it.
        server: Server,
        /// How the connection is protected.
        transport: MailTransport,
        /// The account at that server; none where it asks for none.
        user: Option<String>,
        /// The sender's address.
        from: String,
        /// The recipients' addresses.
        to: Vec<String>,
    },
    /// A line of syslog (RFC 5424).
    Syslog {
        /// The server that takes it.
        server: Server,
        /// How it gets there.
        transport: SyslogTransport,
        /// Its facility's number (RFC 5424, section 6.2.1).
        facility: u8,
    },
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTransport {
    /// It begins plain, and nothing is said before TLS is agreed (RFC 3207).
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// Not at all.
    Tcp,
}

/// How a line of syslog travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyslogTransport {
    /// A datagram for each line (RFC 5426).
    Udp,
    /// A connection, each line with its length before it (RFC 6587).
    Tcp,
    /// The same in TLS (RFC 5425).
    Tls,
}

/// How bad something is, at the least, to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertSeverity {
    /// Good to know.
    Info,
    /// Nothing fails yet.
    Warning,
    /// A failover would not work, or not well.
    Major,
    /// Traffic is at risk, or gone.
    Critical,
}

impl AlertSeverity {
    /// All of them, the mildest first.
    pub const ALL: [AlertSeverity; 4] = [
        AlertSeverity::Info,
        AlertSeverity::Warning,
        AlertSeverity::Major,
        AlertSeverity::Critical,
    ];

    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            AlertSeverity::Info => "info",
            AlertSeverity::Warning => "warning",
            AlertSeverity::Major => "major",
            AlertSeverity::Critical => "critical",
        }
    }
}

impl AlertChannel {
    /// Its kind in the file.
    pub const fn kind(&self) -> &'static str {
        match self {
            AlertChannel::Webhook { .. } => "webhook",
            AlertChannel::Email { .. } => "email",
            AlertChannel::Syslog { .. } => "syslog",
        }
    }
}

impl MailTransport {
    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            MailTransport::Starttls => "starttls",
            MailTransport::Tls => "tls",
            MailTransport::Tcp => "tcp",
        }
    }
}

impl SyslogTransport {
    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            SyslogTransport::Udp => "udp",
            SyslogTransport::Tcp => "tcp",
            SyslogTransport::Tls => "tls",
        }
    }
}

/// The name of a syslog facility, as in the file.
pub fn facility_name(number: u8) -> &'static str {
    let found = keys::FACILITIES.iter().find(|(_, other)| *other == number);
    found.map_or("daemon", |(name, _)| name)
}

/// Reads all targets.
pub(super) fn read(top: &Section<'_>, report: &mut Report<'_>) -> Vec<AlertTarget> {
    let sections = top.named("alerts", report);
    limit(&sections, MAX_ALERT_TARGETS, &top.place("alerts"), report);
    let read = |(name, section): (Found<String>, Section<'_>)| {
        let section = section.with_keys_of(SECTION);
        section.refuse_unknown(super::keys::PAIR, report);
        read_target(&name, &section, report)
    };
    sections.into_iter().filter_map(read).collect()
}

fn read_target(
    name: &Found<String>,
    section: &Section<'_>,
    report: &mut Report<'_>,
) -> Option<AlertTarget> {
    let good =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    let fits = (1..=MAX_NAME).contains(&name.value.len()) && name.value.bytes().all(good);
    if !fits {
        let remedy = format!("1 to {MAX_NAME} of a-z, 0-9, '_' and '-'");
        report.add(&name.place, "not a name of a target", remedy);
    }
    let enabled = section.get(&keys::ENABLED, report);
    let channel = read_channel(section, report);
    let severity = section.get(&keys::SEVERITY, report);
    let conditions = section.get(&keys::CONDITIONS, report);
    let per_hour = section.get(&keys::PER_HOUR, report);
    let ca_file = section.get(&keys::CA_FILE, report);
    Some(AlertTarget {
        name: name.value.clone(),
        enabled: enabled?.value,
        channel: channel?,
        severity: severity?.value,
        conditions: conditions?.value,
        per_hour: per_hour?.value,
        ca_file: ca_file.map(|found| found.value),
    })
}

/// What may stand in a section for the sake of one kind or another.
struct Parts {
    url: Option<Found<Url>>,
    server: Option<Found<Server>>,
    transport: Option<Found<Transport>>,
    user: Option<Found<String>>,
    from: Option<Found<String>>,
    to: Option<Found<Vec<String>>>,
    facility: Option<Found<u8>>,
}

impl Parts {
    fn read(section: &Section<'_>, report: &mut Report<'_>) -> Parts {
        Parts {
            url: section.get(&keys::URL, report),
            server: section.get(&keys::SERVER, report),
            transport: section.get(&keys::TRANSPORT, report),
            user: section.get(&keys::USER, report),
            from: section.get(&keys::FROM, report),
            to: section.get(&keys::TO, report),
            facility: section.get(&keys::FACILITY, report),
        }
    }

    /// Refuses what means nothing to this kind.
    fn refuse_strange(&self, kind: Word, report: &mut Report<'_>) {
        let url = self.url.as_ref().map(|it| &it.place);
        let facility = self.facility.as_ref().map(|it| &it.place);
        let of_mail = [
            self.user.as_ref().map(|it| &it.place),
            self.from.as_ref().map(|it| &it.place),
            self.to.as_ref().map(|it| &it.place),
        ];
        let server = self.server.as_ref().map(|it| &it.place);
        let transport = self.transport.as_ref().map(|it| &it.place);
        let strange: Vec<Option<&Place>> = match kind {
            Word::Webhook => [server, transport, facility].into_iter().chain(of_mail).collect(),
            Word::Email => vec![url, facility],
            Word::Syslog => [url].into_iter().chain(of_mail).collect(),
        };
        for place in strange.into_iter().flatten() {
            let wrong = format!("means nothing for a target of the kind {}", kind.name());
            report.add(place, wrong, "remove it");
        }
    }
}

fn read_channel(section: &Section<'_>, report: &mut Report<'_>) -> Option<AlertChannel> {
    let kind = section.get(&keys::KIND, report)?.value;
    let parts = Parts::read(section, report);
    parts.refuse_strange(kind, report);
    match kind {
        Word::Webhook => {
            let example = "\"https://alerts.example.org/twinwall\"";
            let url = needed(parts.url, section, "url", example, report)?;
            Some(AlertChannel::Webhook { url })
        }
        Word::Email => {
            let transport = mail_transport(parts.transport, report);
            let server = needed(parts.server, section, "server", "\"mail.example.org\"", report);
            let from = needed(parts.from, section, "from", "\"twinwall@example.org\"", report);
            let to = needed(parts.to, section, "to", "\"noc@example.org\"", report);
            let (transport, user) = (transport?, parts.user.map(|found| found.value));
            let server = server?.with_default_port(mail_port(transport));
            Some(AlertChannel::Email { server, transport, user, from: from?, to: to? })
        }
        Word::Syslog => {
            let transport = syslog_transport(parts.transport, report);
            let server = needed(parts.server, section, "server", "\"logs.example.org\"", report);
            let transport = transport?;
            let server = server?.with_default_port(syslog_port(transport));
            let facility = parts.facility.map_or(keys::DAEMON, |found| found.value);
            Some(AlertChannel::Syslog { server, transport, facility })
        }
    }
}

/// What this kind cannot do without.
fn needed<T>(
    found: Option<Found<T>>,
    section: &Section<'_>,
    name: &str,
    example: &str,
    report: &mut Report<'_>,
) -> Option<T> {
    // One that is there and wrong was told already.
    if found.is_none() && !section.has(name) {
        report.add(&section.place(name), "missing", format!("add '{name} = {example}'"));
    }
    found.map(|found| found.value)
}

fn mail_transport(
    found: Option<Found<Transport>>,
    report: &mut Report<'_>,
) -> Option<MailTransport> {
    let Some(Found { value, place }) = found else { return Some(MailTransport::Starttls) };
    match value {
        Transport::Starttls => Some(MailTransport::Starttls),
        Transport::Tls => Some(MailTransport::Tls),
        Transport::Tcp => Some(MailTransport::Tcp),
        Transport::Udp => {
            report.add(&place, "no way for e-mail", "write \"starttls\", \"tls\" or \"tcp\"");
            None
        }
    }
}

fn syslog_transport(
    found: Option<Found<Transport>>,
    report: &mut Report<'_>,
) -> Option<SyslogTransport> {
    let Some(Found { value, place }) = found else { return Some(SyslogTransport::Udp) };
    match value {
        Transport::Udp => Some(SyslogTransport::Udp),
        Transport::Tcp => Some(SyslogTransport::Tcp),
        Transport::Tls => Some(SyslogTransport::Tls),
        Transport::Starttls => {
            report.add(&place, "no way for syslog", "write \"udp\", \"tcp\" or \"tls\"");
            None
        }
    }
}

/// RFC 6409, RFC 8314, RFC 5321.
const fn mail_port(transport: MailTransport) -> u16 {
    match transport {
        MailTransport::Starttls => 587,
        MailTransport::Tls => 465,
        MailTransport::Tcp => 25,
    }
}

/// RFC 5426, RFC 6587, RFC 5425.
const fn syslog_port(transport: SyslogTransport) -> u16 {
    match transport {
        SyslogTransport::Udp | SyslogTransport::Tcp => 514,
        SyslogTransport::Tls => 6514,
    }
}

#[cfg(test)]
mod tests;
