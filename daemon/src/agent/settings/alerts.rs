//! `[alerts.NAME]` of the settings as values: whom the pair tells. Secrets are no settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::config::{AlertChannel, AlertTarget, facility_name};

use super::change::{Change, Value};

/// A target. Which fields it has depends on its kind; the others stay out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertSetting {
    /// Its name.
    pub name: String,
    /// `webhook`, `email` or `syslog`.
    pub kind: String,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Where a webhook's document is posted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The server of mail or syslog, with its port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// `starttls`, `tls` or `tcp` for mail; `udp`, `tcp` or `tls` for syslog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<String>,
    /// The account at the mail server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The sender of mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The recipients of mail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// The facility of syslog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facility: Option<String>,
    /// Only what is at least so severe.
    pub severity: String,
    /// Only of these conditions; empty: of all.
    #[serde(default)]
    pub conditions: Vec<String>,
    /// No more messages than this in an hour.
    pub per_hour: u32,
    /// File with the certificates that are trusted instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
}

impl From<&AlertTarget> for AlertSetting {
    fn from(target: &AlertTarget) -> AlertSetting {
        let common = AlertSetting {
            name: target.name.clone(),
            kind: target.channel.kind().to_owned(),
            enabled: target.enabled,
            severity: target.severity.name().to_owned(),
            conditions: target.conditions.clone(),
            per_hour: target.per_hour,
            ca_file: target.ca_file.clone(),
            ..AlertSetting::default()
        };
        match &target.channel {
            AlertChannel::Webhook { url } => AlertSetting { url: Some(url.to_string()), ..common },
            AlertChannel::Email { server, transport, user, from, to } => AlertSetting {
                server: Some(server.to_string()),
                transport: Some(transport.name().to_owned()),
                user: user.clone(),
                from: Some(from.clone()),
                to: to.clone(),
                ..common
            },
            AlertChannel::Syslog { server, transport, facility } => AlertSetting {
                server: Some(server.to_string()),
                transport: Some(transport.name().to_owned()),
                facility: Some(facility_name(*facility).to_owned()),
                ..common
            },
        }
    }
}

/// A value of one key, where it has one.
type Field = (&'static str, Option<Value>);

impl AlertSetting {
    /// Each key with its value; a list that is empty is none.
    fn fields(&self) -> [Field; 13] {
        let text = |value: &Option<String>| value.clone().map(Value::Text);
        let list = |all: &Vec<String>| (!all.is_empty()).then(|| Value::List(all.clone()));
        [
            ("kind", Some(Value::Text(self.kind.clone()))),
            ("enabled", Some(Value::Flag(self.enabled))),
            ("url", text(&self.url)),
            ("server", text(&self.server)),
            ("transport", text(&self.transport)),
            ("user", text(&self.user)),
            ("from", text(&self.from)),
            ("to", list(&self.to)),
            ("facility", text(&self.facility)),
            ("severity", Some(Value::Text(self.severity.clone()))),
            ("conditions", list(&self.conditions)),
            ("per_hour", Some(Value::Number(self.per_hour.into()))),
            ("ca_file", text(&self.ca_file)),
        ]
    }

    /// Each key that has a value, as people read it.
    pub(super) fn values(&self) -> Vec<(String, String)> {
        let shown = |value: Value| match value {
            Value::Flag(flag) => if flag { "yes" } else { "no" }.to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Text(text) => text,
            Value::List(all) => all.join(", "),
        };
        let fields = self.fields().into_iter();
        fields
            .filter_map(|(key, value)| Some((format!("alerts.{}.{key}", self.name), shown(value?))))
            .collect()
    }

    /// What makes this target of `old`. A key that goes away goes with the whole target, which
    /// is then written anew.
    pub fn changes_from(&self, old: Option<&AlertSetting>) -> Vec<Change> {
        let before = old.map(AlertSetting::fields);
        let value_before = |index: usize| before.as_ref().and_then(|all| all[index].1.clone());
        let fields = self.fields();
        let loses = fields
            .iter()
            .enumerate()
            .any(|(index, (_, value))| value.is_none() && value_before(index).is_some());
        let mut changes = Vec::new();
        if loses {
            changes.push(Change::RemoveAlert { name: self.name.clone() });
        }
        for (index, (key, value)) in fields.into_iter().enumerate() {
            let Some(value) = value else { continue };
            if loses || value_before(index).as_ref() != Some(&value) {
                let key = format!("alerts.{}.{key}", self.name);
                changes.push(Change::Set { key, value });
            }
        }
        changes
    }
}

/// What makes these targets of `old`.
pub(super) fn changes_from(new: &[AlertSetting], old: &[AlertSetting]) -> Vec<Change> {
    let of = |all: &[AlertSetting], name: &str| all.iter().find(|one| one.name == name).cloned();
    let gone = old.iter().filter(|one| of(new, &one.name).is_none());
    let mut changes: Vec<Change> =
        gone.map(|one| Change::RemoveAlert { name: one.name.clone() }).collect();
    changes.extend(new.iter().flat_map(|one| one.changes_from(of(old, &one.name).as_ref())));
    changes
}

#[cfg(test)]
mod tests {
    use twinwall_core::config::parse_pair;

    use super::super::edit::edit;
    use super::*;

    const TEXT: &str = "pair_id = 7\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n\
        [alerts.noc] # the night shift\nkind = \"webhook\"\nurl = \"https://a.example/x\"\n\
        [alerts.mail]\nkind = \"email\"\nserver = \"m.example\"\nfrom = \"gw@e.org\" # us\n\
        to = [\"a@e.org\", \"b@e.org\"]\nuser = \"gw\"\n";

    fn view(text: &str) -> Vec<AlertSetting> {
        let pair =
            parse_pair("pair.toml", text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        let mut all: Vec<AlertSetting> = pair.alerts.iter().map(AlertSetting::from).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    #[test]
    fn what_is_sent_back_unchanged_changes_nothing() {
        assert_eq!(changes_from(&view(TEXT), &view(TEXT)), []);
    }

    #[test]
    fn targets_are_changed_made_and_removed_and_comments_of_the_rest_stay() {
        let old = view(TEXT);
        let mut new = old.clone();
        assert_eq!(new[0].name, "mail");
        new[0].to.push("c@e.org".to_owned());
        new[0].per_hour = 5;
        new[1] = AlertSetting {
            name: "noc".to_owned(),
            kind: "syslog".to_owned(),
            url: None,
            server: Some("10.0.0.9:514".to_owned()),
            transport: Some("tcp".to_owned()),
            facility: Some("local1".to_owned()),
            ..old[1].clone()
        };
        new.push(AlertSetting { name: "two".to_owned(), ..old[1].clone() });
        let text = edit(TEXT, &changes_from(&new, &old)).expect("edited");
        assert_eq!(view(&text), new, "{text}");
        assert!(text.contains("# us"), "{text}");
        let none = edit(&text, &changes_from(&[], &new)).expect("edited");
        assert_eq!(view(&none), [], "{none}");
    }
}
