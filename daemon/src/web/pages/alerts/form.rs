//! The form of a target: which fields each kind has, what they are called, and what becomes of
//! what was typed. What a field may hold is the agent's to say.

use serde::Deserialize;

use crate::agent::api::error::{Detail, Refusal};
use crate::agent::settings::alerts::AlertSetting;
use crate::web::pages::wrong::Wrong;

/// Every kind, with what it is for people.
pub(super) const KINDS: [(&str, &str); 3] =
    [("webhook", "webhook"), ("email", "e-mail"), ("syslog", "syslog")];

/// What people call a kind.
pub(super) fn kind_words(kind: &str) -> &'static str {
    KINDS.iter().find(|(id, _)| *id == kind).map_or("target", |(_, words)| words)
}

/// What was typed; what a kind does not have stays empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    pub(super) name: String,
    pub(super) kind: String,
    /// Not empty for a target that is new.
    pub(super) fresh: String,
    enabled: String,
    url: String,
    server: String,
    transport: String,
    user: String,
    from: String,
    to: String,
    facility: String,
    severity: String,
    conditions: String,
    per_hour: String,
    ca_file: String,
}

/// A field as the page draws it.
pub(super) struct Field {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) value: String,
    /// What can be chosen, for a field that is a choice.
    pub(super) choices: Vec<&'static str>,
    pub(super) wrong: Option<String>,
    pub(super) needed: bool,
}

/// A field that is typed: its key, what it is called, a hint, whether it is needed.
type Row = (&'static str, &'static str, &'static str, bool);

const URL: Row = (
    "url",
    "Address",
    "https://…, to which the message is posted as JSON. {secret} in it stands for the secret.",
    true,
);
const SERVER: Row =
    ("server", "Server", "Name or address, with a port where it is not the usual one.", true);
const FROM: Row = ("from", "Sender", "The mail address from which it comes.", true);
const TO: Row = ("to", "Recipients", "One mail address or several, with commas between.", true);
const USER: Row = (
    "user",
    "Account",
    "At the mail server; empty where it asks for none. Its password is the secret.",
    false,
);
const CONDITIONS: Row = (
    "conditions",
    "Only these conditions",
    "Their names with commas between; empty for all.",
    false,
);
const PER_HOUR: Row = (
    "per_hour",
    "Messages an hour, at most",
    "What is over it is counted and told with the next one.",
    true,
);
const CA_FILE: Row = (
    "ca_file",
    "File of trusted certificates",
    "On each node, below its root, as etc/twinwall/alerts/ca.pem; empty for those that the system trusts.",
    false,
);

const MAIL_WAYS: [&str; 3] = ["starttls", "tls", "tcp"];
const SYSLOG_WAYS: [&str; 3] = ["udp", "tcp", "tls"];
const FACILITIES: [&str; 11] = [
    "daemon", "user", "auth", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];
const SEVERITIES: [&str; 4] = ["info", "warning", "major", "critical"];

impl Typed {
    /// The form of a new target.
    pub(super) fn fresh(kind: &str) -> Option<Typed> {
        let (kind, _) = KINDS.iter().find(|(id, _)| *id == kind)?;
        let transport = match *kind {
            "email" => "starttls",
            "syslog" => "udp",
            _ => "",
        };
        Some(Typed {
            kind: (*kind).to_owned(),
            fresh: "yes".to_owned(),
            enabled: "on".to_owned(),
            transport: transport.to_owned(),
            severity: "warning".to_owned(),
            per_hour: "60".to_owned(),
            ..Typed::default()
        })
    }

    /// The form of a target as it is.
    pub(super) fn of(settings: &AlertSetting) -> Typed {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Typed {
            name: settings.name.clone(),
            kind: settings.kind.clone(),
            fresh: String::new(),
            enabled: if settings.enabled { "on" } else { "" }.to_owned(),
            url: text(&settings.url),
            server: text(&settings.server),
            transport: text(&settings.transport),
            user: text(&settings.user),
            from: text(&settings.from),
            to: settings.to.join(", "),
            facility: text(&settings.facility),
            severity: settings.severity.clone(),
            conditions: settings.conditions.join(", "),
            per_hour: settings.per_hour.to_string(),
            ca_file: text(&settings.ca_file),
        }
    }

    pub(super) fn is_enabled(&self) -> bool {
        !self.enabled.is_empty()
    }

    /// The settings that were typed.
    ///
    /// # Errors
    /// A number that is none.
    pub(super) fn settings(&self) -> Result<AlertSetting, Refusal> {
        let has = |kinds: &[&str]| kinds.contains(&self.kind.as_str());
        let text = |value: &str, kinds: &[&str]| {
            let value = value.trim();
            (has(kinds) && !value.is_empty()).then(|| value.to_owned())
        };
        let per_hour = self.per_hour.trim().parse().map_err(|_| {
            super::super::wrong::at("per_hour", "not a whole number; write one from 1 to 3600")
        })?;
        Ok(AlertSetting {
            name: self.name.trim().to_owned(),
            kind: self.kind.clone(),
            enabled: self.is_enabled(),
            url: text(&self.url, &["webhook"]),
            server: text(&self.server, &["email", "syslog"]),
            transport: text(&self.transport, &["email", "syslog"]),
            user: text(&self.user, &["email"]),
            from: text(&self.from, &["email"]),
            to: if has(&["email"]) { list(&self.to) } else { Vec::new() },
            facility: text(&self.facility, &["syslog"]),
            severity: self.severity.clone(),
            conditions: list(&self.conditions),
            per_hour,
            ca_file: text(&self.ca_file, &["webhook", "email", "syslog"]),
        })
    }

    /// The fields of its kind, each with what is wrong there.
    pub(super) fn fields(&self, wrong: &Wrong) -> Vec<Field> {
        let typed = |row: Row, value: &str| {
            let (id, label, hint, needed) = row;
            let wrong = wrong.at(id).map(str::to_owned);
            Field { id, label, hint, value: value.to_owned(), choices: Vec::new(), wrong, needed }
        };
        let chosen = |id, label, choices: &[&'static str], value: &str| {
            let wrong = wrong.at(id).map(str::to_owned);
            let (value, choices) = (value.to_owned(), choices.to_vec());
            Field { id, label, hint: "", value, choices, wrong, needed: true }
        };
        let mut fields = match self.kind.as_str() {
            "webhook" => vec![typed(URL, &self.url)],
            "email" => vec![
                typed(SERVER, &self.server),
                chosen("transport", "Protection", &MAIL_WAYS, &self.transport),
                typed(USER, &self.user),
                typed(FROM, &self.from),
                typed(TO, &self.to),
            ],
            _ => vec![
                typed(SERVER, &self.server),
                chosen("transport", "Transport", &SYSLOG_WAYS, &self.transport),
                chosen("facility", "Facility", &FACILITIES, &self.facility),
            ],
        };
        fields.extend([
            chosen("severity", "From this severity on", &SEVERITIES, &self.severity),
            typed(CONDITIONS, &self.conditions),
            typed(PER_HOUR, &self.per_hour),
            typed(CA_FILE, &self.ca_file),
        ]);
        fields
    }
}

fn list(text: &str) -> Vec<String> {
    let entries = text.split([',', '\n', ' ']).map(str::trim);
    entries.filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

/// A refusal with its places named as the fields are: `alerts.noc.to[2]` lies in `to`.
pub(super) fn at_fields(refusal: Refusal, name: &str) -> Refusal {
    let above = format!("alerts.{name}.");
    let details = refusal.details.into_iter().map(|detail| {
        let Some(field) = detail.place.strip_prefix(&above) else {
            // The name itself makes the place: `alerts.NAME`.
            let is_name = detail.place.starts_with("alerts.");
            let place = if is_name { "name".to_owned() } else { detail.place };
            return Detail { place, ..detail };
        };
        let place = field.split('[').next().unwrap_or(field).to_owned();
        Detail { place, ..detail }
    });
    Refusal { details: details.collect(), ..refusal }
}
