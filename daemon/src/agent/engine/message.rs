//! What the two engines say to each other on the control stream, in JSON. Everything is
//! a statement of how things are, sent again whole after each change, so that a lost
//! line costs nothing; only [`Message::Take`] and [`Message::Cancel`] ask for something to be
//! done.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::agent::digest::Digest;
use crate::agent::section::Section;
use crate::agent::store::Lineage;

/// Longest message in bytes: thirteen sections with long reasons.
pub const MAX_MESSAGE: usize = 256 << 10;
/// Longest text that comes from the peer and is shown, in bytes.
pub const MAX_TEXT: usize = 4096;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case", deny_unknown_fields)]
pub enum Message {
    /// How this node is.
    Report(Report),
    /// The other node is asked to take over sections of this one.
    Take(Take),
    /// How the taking goes; the last one has every section done or failed.
    Taking(Taking),
    /// An operator of the other node ends the job that runs here.
    Cancel {
        /// Its number.
        job: u64,
        /// Who ordered that.
        who: String,
    },
}

/// What one node has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Its name.
    pub node: String,
    /// The history its configuration belongs to; none on a blank node.
    pub lineage: Option<Lineage>,
    /// What is on its disk. A section that could not be read yet is absent.
    pub sections: BTreeMap<Section, Digest>,
    /// What keeps a section from being read or applied there.
    pub problems: BTreeMap<Section, String>,
    /// Sections of the history that it has not taken yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub missing: BTreeSet<Section>,
    /// High availability is off there: it takes nothing that nobody ordered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub off: bool,
}

/// Sections to take over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Take {
    /// Number that the asking node gave.
    pub job: u64,
    /// The history that the sections belong to.
    pub lineage: Lineage,
    /// Whether what was changed on the taking node may be replaced.
    pub forced: bool,
    /// Who asked.
    pub who: String,
    /// What to take: the manifest of each section.
    pub sections: BTreeMap<Section, Digest>,
}

/// How a section of a job goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SectionPhase")]
#[serde(tag = "phase", rename_all = "snake_case", deny_unknown_fields)]
pub enum Phase {
    /// Not begun.
    Waiting,
    /// Contents are coming.
    Fetching {
        /// Of its bytes, 0 to 100.
        percent: u8,
    },
    /// Written beside the old ones, not yet in use.
    Staging,
    /// Its validator looks at it.
    Validating,
    /// Switched in; its apply commands run.
    Applying,
    /// What is really there is compared.
    Comparing,
    /// In use, and the same as on the other node.
    Done,
    /// Not taken, or rolled back; the old configuration is in use.
    Failed {
        /// Why, and what to do.
        why: String,
    },
}

impl Phase {
    /// Whether nothing more will happen to it.
    pub fn is_final(&self) -> bool {
        match self {
            Phase::Done | Phase::Failed { .. } => true,
            Phase::Waiting
            | Phase::Fetching { .. }
            | Phase::Staging
            | Phase::Validating
            | Phase::Applying
            | Phase::Comparing => false,
        }
    }
}

/// Progress of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Taking {
    /// Number that the asking node gave.
    pub job: u64,
    /// Whether it was forced.
    pub forced: bool,
    /// Who asked for it.
    pub who: String,
    /// Each section.
    pub sections: BTreeMap<Section, Phase>,
}

impl Taking {
    /// Whether every section is done or failed.
    pub fn is_over(&self) -> bool {
        self.sections.values().all(Phase::is_final)
    }
}

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// Longer than [`MAX_MESSAGE`].
    TooLong,
    /// No JSON of a known form.
    Unknown(String),
    /// A text in it is longer than [`MAX_TEXT`].
    Text,
}

impl fmt::Display for MessageError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageError::TooLong => write!(out, "a message of more than {MAX_MESSAGE} bytes"),
            MessageError::Unknown(why) => write!(out, "a message that is not understood: {why}"),
            MessageError::Text => write!(out, "a text of more than {MAX_TEXT} bytes"),
        }
    }
}

impl std::error::Error for MessageError {}

impl Message {
    /// Its bytes; texts that are too long are cut.
    pub fn encode(&self) -> Vec<u8> {
        let mut message = self.clone();
        message.texts(&mut |text| {
            if text.len() > MAX_TEXT {
                let end = (0..=MAX_TEXT - 3).rev().find(|at| text.is_char_boundary(*at));
                text.truncate(end.unwrap_or(0));
                text.push('…');
            }
        });
        // Keys are strings and numbers are finite: this JSON cannot fail.
        serde_json::to_vec(&message).unwrap_or_default()
    }

    /// Reads what the peer sent.
    ///
    /// # Errors
    /// When it is too long or not understood.
    pub fn decode(bytes: &[u8]) -> Result<Message, MessageError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(MessageError::TooLong);
        }
        let mut message: Message = serde_json::from_slice(bytes)
            .map_err(|error| MessageError::Unknown(error.to_string()))?;
        let mut fits = true;
        message.texts(&mut |text| fits &= text.len() <= MAX_TEXT);
        if fits { Ok(message) } else { Err(MessageError::Text) }
    }

    fn texts(&mut self, each: &mut dyn FnMut(&mut String)) {
        match self {
            Message::Report(report) => {
                each(&mut report.node);
                report.problems.values_mut().for_each(each);
            }
            Message::Take(Take { who, .. }) | Message::Cancel { who, .. } => each(who),
            Message::Taking(taking) => {
                each(&mut taking.who);
                for step in taking.sections.values_mut() {
                    if let Phase::Failed { why } = step {
                        each(why);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(why: String) -> Message {
        Message::Taking(Taking {
            job: 3,
            forced: true,
            who: "admin".to_owned(),
            sections: [(Section::Ips, Phase::Failed { why }), (Section::Vpn, Phase::Done)].into(),
        })
    }

    #[test]
    fn what_is_sent_is_what_is_read() {
        let messages = [
            Message::Report(Report {
                node: "gw-a".to_owned(),
                lineage: Some(Lineage(1)),
                sections: [(Section::Mail, Digest::of(b""))].into(),
                problems: [(Section::Users, "no".to_owned())].into(),
                missing: [Section::Ips].into(),
                off: true,
            }),
            Message::Take(Take {
                job: 1,
                lineage: Lineage(1),
                forced: false,
                who: "automatic".to_owned(),
                sections: [(Section::Mail, Digest::of(b""))].into(),
            }),
            failed("nft said no".to_owned()),
            Message::Cancel { job: 3, who: "anna".to_owned() },
        ];
        for message in messages {
            assert_eq!(Message::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn a_long_reason_is_cut_by_its_sender_and_refused_otherwise() {
        let long = failed("ü".repeat(MAX_TEXT));
        assert!(Message::decode(&long.encode()).is_ok());
        let uncut = serde_json::to_vec(&long).expect("JSON");
        assert_eq!(Message::decode(&uncut), Err(MessageError::Text));
        assert_eq!(Message::decode(&vec![b' '; MAX_MESSAGE + 1]), Err(MessageError::TooLong));
        assert!(matches!(Message::decode(b"{\"message\":\"x\"}"), Err(MessageError::Unknown(_))));
        let more = b"{\"message\":\"report\",\"node\":\"\",\"lineage\":null,\"sections\":{},\"problems\":{},\"more\":1}";
        assert!(matches!(Message::decode(more), Err(MessageError::Unknown(_))));
    }

    #[test]
    fn a_job_is_over_when_no_section_can_change() {
        let Message::Taking(mut taking) = failed(String::new()) else { return };
        assert!(taking.is_over());
        taking.sections.insert(Section::System, Phase::Applying);
        assert!(!taking.is_over());
    }
}
