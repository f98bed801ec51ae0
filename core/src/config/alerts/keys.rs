//! The keys of `[alerts.NAME]`: type, range, default and meaning, each said once.

use super::address::{HostAndPort, Mailbox, Mailboxes, WebAddress};
use super::names::ConditionNames;
use super::{AlertSeverity, SECTION};
use crate::config::keys::{Absent, Key};
use crate::config::kinds::{Choice, PathBelowRoot, Text, Toggle, Whole};

/// What the operator wrote for `kind`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Word {
    Webhook,
    Email,
    Syslog,
}

impl Word {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Word::Webhook => "webhook",
            Word::Email => "email",
            Word::Syslog => "syslog",
        }
    }
}

/// What the operator wrote for `transport`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Transport {
    Udp,
    Tcp,
    Tls,
    Starttls,
}

/// Facilities that suit a daemon (RFC 5424, table 1).
pub(super) static FACILITIES: &[(&str, u8)] = &[
    ("user", 1),
    ("daemon", DAEMON),
    ("auth", 4),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];
pub(super) const DAEMON: u8 = 3;

pub(in crate::config) static KIND: Key<Choice<Word>> = Key {
    section: SECTION,
    name: "kind",
    kind: Choice(&[("webhook", Word::Webhook), ("email", Word::Email), ("syslog", Word::Syslog)]),
    absent: Absent::Required("\"webhook\""),
    about: "How it is told.",
};
pub(in crate::config) static ENABLED: Key<Toggle> = Key {
    section: SECTION,
    name: "enabled",
    kind: Toggle,
    absent: Absent::Default("true"),
    about: "Whether it is told anything.",
};
pub(in crate::config) static URL: Key<WebAddress> = Key {
    section: SECTION,
    name: "url",
    kind: WebAddress,
    absent: Absent::Nothing("needed for webhook"),
    about: "Where the JSON document is posted to. `{secret}` in it stands for the target's secret, for services whose address is the secret.",
};
pub(in crate::config) static SERVER: Key<HostAndPort> = Key {
    section: SECTION,
    name: "server",
    kind: HostAndPort,
    absent: Absent::Nothing("needed for email and syslog"),
    about: "The server that takes mail or log lines. The usual port depends on the transport: 587, 465 and 25 for mail, 514 and 6514 for syslog.",
};
pub(in crate::config) static TRANSPORT: Key<Choice<Transport>> = Key {
    section: SECTION,
    name: "transport",
    kind: Choice(&[
        ("udp", Transport::Udp),
        ("tcp", Transport::Tcp),
        ("tls", Transport::Tls),
        ("starttls", Transport::Starttls),
    ]),
    absent: Absent::Nothing("`starttls` for email, `udp` for syslog"),
    about: "How the connection to the server is made and protected. Mail goes by `starttls`, `tls` or, unprotected, `tcp`; syslog by `udp`, `tcp` or `tls`.",
};
pub(in crate::config) static USER: Key<Text> = Key {
    section: SECTION,
    name: "user",
    kind: Text { max_bytes: 128 },
    absent: Absent::Nothing("no sign-in"),
    about: "The account at the mail server; its password is the target's secret. Only sent in TLS.",
};
pub(in crate::config) static FROM: Key<Mailbox> = Key {
    section: SECTION,
    name: "from",
    kind: Mailbox,
    absent: Absent::Nothing("needed for email"),
    about: "The sender's address.",
};
pub(in crate::config) static TO: Key<Mailboxes> = Key {
    section: SECTION,
    name: "to",
    kind: Mailboxes,
    absent: Absent::Nothing("needed for email"),
    about: "The recipients' addresses.",
};
pub(in crate::config) static FACILITY: Key<Choice<u8>> = Key {
    section: SECTION,
    name: "facility",
    kind: Choice(FACILITIES),
    absent: Absent::Nothing("`daemon`"),
    about: "The facility of the syslog lines.",
};
pub(in crate::config) static SEVERITY: Key<Choice<AlertSeverity>> = Key {
    section: SECTION,
    name: "severity",
    kind: Choice(&[
        ("info", AlertSeverity::Info),
        ("warning", AlertSeverity::Warning),
        ("major", AlertSeverity::Major),
        ("critical", AlertSeverity::Critical),
    ]),
    absent: Absent::Default("\"warning\""),
    about: "Only what is at least so severe is told.",
};
pub(in crate::config) static CONDITIONS: Key<ConditionNames> = Key {
    section: SECTION,
    name: "conditions",
    kind: ConditionNames,
    absent: Absent::Default("[]"),
    about: "Only these conditions are told, by name; with none named, all.",
};
pub(in crate::config) static PER_HOUR: Key<Whole<u32>> = Key {
    section: SECTION,
    name: "per_hour",
    kind: Whole { min: 1, max: 3600 },
    absent: Absent::Default("60"),
    about: "No more messages than this in an hour. What is over it is counted, and the next message says how many were left out. A quarter of it is kept for what is critical.",
};
pub(in crate::config) static CA_FILE: Key<PathBelowRoot> = Key {
    section: SECTION,
    name: "ca_file",
    kind: PathBelowRoot,
    absent: Absent::Nothing("the certificates that the system trusts"),
    about: "File on each node with the certificates (PEM) that are trusted instead, as `etc/twinwall/alerts/ca.pem`.",
};
