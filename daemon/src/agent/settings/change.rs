//! Changes of single settings, as the command and the API give them. Only their form is
//! read here; what a key may hold is the parser's to say, once for file, command and page.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Changes in one order: every key of the largest pair, some times over.
pub const MAX_CHANGES: usize = 1024;

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// A key gets a value. An interface that is not listed yet is added.
    Set {
        /// `heartbeat.interval`, `interface.lan.virtual`, `enabled`: as in pair.toml, an
        /// interface by its name.
        key: String,
        /// The value.
        value: Value,
    },
    /// A list gets another entry at its end; one that it has already stays where it is.
    Add {
        /// As in `set`.
        key: String,
        /// The entry.
        value: String,
    },
    /// An entry leaves a list.
    Remove {
        /// As in `set`.
        key: String,
        /// The entry.
        value: String,
    },
    /// An interface leaves the pair.
    RemoveInterface {
        /// Its name.
        name: String,
    },
    /// A target of alerts is told nothing any more.
    RemoveAlert {
        /// Its name.
        name: String,
    },
}

/// What a key can hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SettingValue")]
#[serde(untagged)]
pub enum Value {
    /// True or false.
    Flag(bool),
    /// A number; of seconds where the key is a span of time.
    Number(f64),
    /// A text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}

/// Where a key stands in pair.toml.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At<'k> {
    /// At the top.
    Top(&'k str),
    /// In a section.
    Section(&'k str, &'k str),
    /// In the section of the interface of this name.
    Interface(&'k str, &'k str),
    /// In the section of the alert target of this name.
    Alert(&'k str, &'k str),
}

/// Keys whose value is a list, written with commas on the command line.
const LISTS: [&str; 15] = [
    "primary",
    "secondary",
    "virtual",
    "gateways",
    "targets",
    "require",
    "override",
    "protocols",
    "ignore_addresses",
    "ignore_ports",
    "virtual_ips",
    "traps",
    "informs",
    "to",
    "conditions",
];
/// Keys whose value is a text whatever it looks like.
const TEXTS: [&str; 13] = [
    "interface",
    "cable",
    "policy",
    "kind",
    "url",
    "server",
    "transport",
    "user",
    "from",
    "facility",
    "severity",
    "ca_file",
    "ask",
];

/// A change that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAChange {
    text: String,
    wrong: &'static str,
}

impl fmt::Display for NotAChange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "'{}' {}; write KEY=VALUE, or KEY+=ENTRY and KEY-=ENTRY for a list, as \
             heartbeat.interval=0.5 or interface.lan.virtual+=10.1.0.1/24; KEY=none empties a list",
            self.text.escape_debug(),
            self.wrong
        )
    }
}

impl std::error::Error for NotAChange {}

impl std::str::FromStr for Change {
    type Err = NotAChange;

    fn from_str(text: &str) -> Result<Change, NotAChange> {
        let wrong = |wrong| NotAChange { text: text.to_owned(), wrong };
        if text.contains(char::is_control) {
            return Err(wrong("has a line break or another control character"));
        }
        let no_change = || wrong("is no change");
        let (key, value) = text.split_once('=').ok_or_else(no_change)?;
        let (key, sign) = match key.strip_suffix('+') {
            Some(key) => (key, '+'),
            None => key.strip_suffix('-').map_or((key, '='), |key| (key, '-')),
        };
        let (key, value) = (key.trim().to_owned(), value.trim());
        let place = at(&key).ok_or_else(no_change)?;
        if value.is_empty() {
            // A shell's variable that was never set must not take addresses away.
            return Err(wrong("has no value"));
        }
        if matches!(place, At::Alert(_, name) if value == "none" && !LISTS.contains(&name)) {
            return Err(wrong("has no value: 'twinwall alerts remove NAME' removes a target"));
        }
        match sign {
            '+' => Ok(Change::Add { key, value: value.to_owned() }),
            '-' => Ok(Change::Remove { key, value: value.to_owned() }),
            _ => {
                let value = typed(place.name(), value);
                Ok(Change::Set { key, value })
            }
        }
    }
}

/// As the command takes it.
impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Set { key, value } => write!(out, "{key}={value}"),
            Change::Add { key, value } => write!(out, "{key}+={value}"),
            Change::Remove { key, value } => write!(out, "{key}-={value}"),
            Change::RemoveInterface { name } => write!(out, "without interface {name}"),
            Change::RemoveAlert { name } => write!(out, "without alert target {name}"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(flag) => write!(out, "{flag}"),
            Value::Number(number) => write!(out, "{number}"),
            Value::Text(text) => out.write_str(text),
            Value::List(entries) if entries.is_empty() => out.write_str("none"),
            Value::List(entries) => out.write_str(&entries.join(",")),
        }
    }
}

impl<'k> At<'k> {
    pub(super) fn name(self) -> &'k str {
        match self {
            At::Top(name) | At::Section(_, name) | At::Interface(_, name) | At::Alert(_, name) => {
                name
            }
        }
    }
}

/// Reads a key. An interface's name may have dots.
pub(super) fn at(key: &str) -> Option<At<'_>> {
    let whole = |part: &str| !part.is_empty();
    if let Some(rest) = key.strip_prefix("interface.") {
        let (name, field) = rest.rsplit_once('.')?;
        return (whole(name) && whole(field)).then_some(At::Interface(name, field));
    }
    if let Some(rest) = key.strip_prefix("alerts.") {
        let (name, field) = rest.split_once('.')?;
        let good = whole(name) && whole(field) && !field.contains('.');
        return good.then_some(At::Alert(name, field));
    }
    match key.split_once('.') {
        None => whole(key).then_some(At::Top(key)),
        Some((section, name)) => (whole(section) && whole(name) && !name.contains('.'))
            .then_some(At::Section(section, name)),
    }
}

fn typed(name: &str, text: &str) -> Value {
    if LISTS.contains(&name) && text == "none" {
        return Value::List(Vec::new());
    }
    if LISTS.contains(&name) {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        return Value::List(entries.map(str::to_owned).collect());
    }
    if TEXTS.contains(&name) {
        return Value::Text(text.to_owned());
    }
    match (text.parse::<bool>(), text.parse::<f64>()) {
        (Ok(flag), _) => Value::Flag(flag),
        (Err(_), Ok(number)) if number.is_finite() => Value::Number(number),
        (Err(_), Ok(_) | Err(_)) => Value::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_as_it_is_written() {
        let set = |key: &str, value| Change::Set { key: key.to_owned(), value };
        let cases = [
            ("heartbeat.interval=0.5", set("heartbeat.interval", Value::Number(0.5))),
            ("interface.lan.watch=true", set("interface.lan.watch", Value::Flag(true))),
            ("ha_link.interface=7", set("ha_link.interface", Value::Text("7".to_owned()))),
            (
                "interface.eth0.10.virtual=10.1.0.1/24, fd00::1/64",
                set(
                    "interface.eth0.10.virtual",
                    Value::List(vec!["10.1.0.1/24".to_owned(), "fd00::1/64".to_owned()]),
                ),
            ),
            ("ping.targets=none", set("ping.targets", Value::List(Vec::new()))),
            (
                "ping.targets+=10.0.0.9",
                Change::Add { key: "ping.targets".to_owned(), value: "10.0.0.9".to_owned() },
            ),
            (
                "ping.targets-=10.0.0.9",
                Change::Remove { key: "ping.targets".to_owned(), value: "10.0.0.9".to_owned() },
            ),
        ];
        for (text, wanted) in cases {
            assert_eq!(text.parse(), Ok(wanted), "{text}");
        }
        for text in [
            "heartbeat.interval",
            "interface.lan.virtual=",
            "=1",
            "a.b.c=1",
            "interface.lan=1",
            "heartbeat.=1",
            "heartbeat.interval=1\n",
            "ha_link.interface=ha0\nx",
        ] {
            let error = text.parse::<Change>().expect_err(text).to_string();
            assert!(!error.contains('\n') && error.contains("KEY=VALUE"), "{error}");
        }
        let gone = "alerts.noc.url=none".parse::<Change>().expect_err("no value").to_string();
        assert!(gone.contains("'twinwall alerts remove NAME'"), "{gone}");
        let empty = "heartbeat.interval=".parse::<Change>().expect_err("no value").to_string();
        assert!(empty.starts_with("'heartbeat.interval=' has no value"), "{empty}");
    }

    #[test]
    fn an_interface_may_have_dots_in_its_name() {
        assert_eq!(at("interface.eth0.10.watch"), Some(At::Interface("eth0.10", "watch")));
        assert_eq!(at("enabled"), Some(At::Top("enabled")));
        assert_eq!(at("alerts.noc.url"), Some(At::Alert("noc", "url")));
        assert_eq!((at("alerts.noc"), at("alerts.a.b.c")), (None, None));
        assert_eq!(at("boot.hold"), Some(At::Section("boot", "hold")));
    }
}
