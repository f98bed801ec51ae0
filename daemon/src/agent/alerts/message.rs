//! What a target is told: one value, from which the JSON document, the mail and the line of
//! syslog are made. It knows no network.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::clock::unix_ms;
use crate::agent::conditions::{ConditionId, Kind, Notice, Severity};

/// What happened to the condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// It is so from here on.
    Raised,
    /// It is not so any more.
    Cleared,
    /// It happened, and is over.
    Happened,
    /// Nothing happened: somebody tries the target.
    Test,
}

impl Word {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Word::Raised => "raised",
            Word::Cleared => "cleared",
            Word::Happened => "happened",
            Word::Test => "test",
        }
    }
}

impl From<Kind> for Word {
    fn from(kind: Kind) -> Word {
        match kind {
            Kind::Raised => Word::Raised,
            Kind::Cleared => Word::Cleared,
            Kind::Happened => Word::Happened,
        }
    }
}

/// One message. As JSON it is the body of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// Form of this document; it grows when a field changes its meaning.
    pub version: u8,
    /// Its name, the same at each try: whoever has it already may drop it.
    pub id: String,
    /// What happened to the condition.
    pub kind: Word,
    /// Its name in the list of conditions; `test` for a test.
    pub condition: String,
    /// How bad it is.
    pub severity: Severity,
    /// Which node it is about, or `pair`.
    pub node: String,
    /// Of which interface, service, gateway, … where the node can have several.
    pub subject: Option<String>,
    /// Number of the pair.
    pub pair_id: u16,
    /// The node that sends it.
    pub sent_by: String,
    /// When it was seen: milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// In a sentence.
    pub text: String,
    /// What to do.
    pub what_now: String,
    /// Messages before this one that were left out, because there were more than the target
    /// may get in an hour.
    pub left_out: u64,
}

/// Form of the document.
const VERSION: u8 = 1;

impl Message {
    /// What is told of a notice.
    pub fn of(notice: &Notice, pair_id: u16, sent_by: &str, left_out: u64) -> Message {
        Message {
            version: VERSION,
            id: format!("{sent_by}-{}-{}", notice.id, notice.at_ms),
            kind: notice.kind.into(),
            condition: notice.condition.name().to_owned(),
            severity: notice.severity,
            node: notice.node.clone(),
            subject: notice.subject.clone(),
            pair_id,
            sent_by: sent_by.to_owned(),
            at_ms: notice.at_ms,
            text: notice.text.clone(),
            what_now: notice.what_now.clone(),
            left_out,
        }
    }

    /// What is told when somebody tries a target.
    pub fn test(target: &str, pair_id: u16, sent_by: &str) -> Message {
        let at_ms = unix_ms();
        Message {
            version: VERSION,
            id: format!("{sent_by}-test-{at_ms}"),
            kind: Word::Test,
            condition: "test".to_owned(),
            severity: Severity::Info,
            node: sent_by.to_owned(),
            subject: None,
            pair_id,
            sent_by: sent_by.to_owned(),
            at_ms,
            text: format!("This is a test of the alert target {target}; nothing happened."),
            what_now: "nothing".to_owned(),
            left_out: 0,
        }
    }

    /// On one line, for a mail's subject and for whoever shows only that.
    pub fn headline(&self) -> String {
        let severity = self.severity.word();
        let what = match self.kind {
            Word::Raised | Word::Happened => self.condition.clone(),
            Word::Cleared => format!("over: {}", self.condition),
            Word::Test => "test of alerts".to_owned(),
        };
        let subject = self.subject.as_ref().map(|it| format!(" {it}")).unwrap_or_default();
        format!("[twinwall {}] {severity}: {what}{subject} ({})", self.pair_id, self.node)
    }

    /// What was left out before it, in words.
    pub fn left_out_words(&self) -> Option<String> {
        match self.left_out {
            0 => None,
            1 => Some("1 message before this one was left out by the limit per hour.".to_owned()),
            count => Some(format!(
                "{count} messages before this one were left out by the limit per hour."
            )),
        }
    }
}

/// Whether a name is one of a condition.
pub fn is_condition(name: &str) -> bool {
    ConditionId::named(name).is_some()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A message as another one, for tests of the ways.
    pub(in crate::agent::alerts) fn message() -> Message {
        let notice = Notice {
            id: 7,
            at_ms: 1_709_164_799_999,
            since_ms: None,
            node: "gw-a".to_owned(),
            condition: ConditionId::PeerSilent,
            subject: None,
            severity: Severity::Critical,
            kind: Kind::Raised,
            text: "gw-b is silent on every path.".to_owned(),
            what_now: "look at its power".to_owned(),
        };
        Message::of(&notice, 42, "gw-a", 0)
    }

    #[test]
    fn the_document_has_what_was_told_and_the_headline_says_it_in_short() {
        let message = message();
        let json = serde_json::to_value(&message).expect("JSON");
        assert_eq!((&json["condition"], &json["kind"]), (&"peer-silent".into(), &"raised".into()));
        assert_eq!(json["id"], "gw-a-7-1709164799999");
        assert_eq!(message.headline(), "[twinwall 42] critical: peer-silent (gw-a)");
        let over = Message { kind: Word::Cleared, subject: Some("lan".to_owned()), ..message };
        assert_eq!(over.headline(), "[twinwall 42] critical: over: peer-silent lan (gw-a)");
    }

    #[test]
    fn a_test_says_that_nothing_happened() {
        let test = Message::test("noc", 42, "gw-a");
        assert!(test.text.contains("noc") && test.text.contains("nothing happened"), "{test:?}");
        assert_eq!(test.headline(), "[twinwall 42] info: test of alerts (gw-a)");
    }
}
