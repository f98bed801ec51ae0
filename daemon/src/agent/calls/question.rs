//! The questions that one agent may ask the other, and their answers. A new one is a new
//! variant here and a new arm where questions are answered.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::ids::Designation;

use crate::agent::conditions::Told;
use crate::agent::failovers::{Entry, Place};
use crate::agent::ha::ports::NodePorts;
use crate::agent::ha::{Draft, NodePreview, Said};
use crate::agent::metrics::Measures;
use crate::agent::pairing::rotate;
use crate::agent::preflight::Facts;
use crate::agent::probe::Silence;
use crate::agent::settings::Version;
use crate::agent::snmp::view::{Answered, Ask, NodeFacts};

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// Who are you, and how do you stand?
    About {},
    /// What does your clock show?
    Clock {},
    /// What has your guard told since?
    Events {
        /// The last event that is known; none for all that are kept.
        after: Option<Place>,
    },
    /// Which HA settings do you have?
    SettingsState {},
    /// Could you take these?
    SettingsCheck {
        /// What would be taken.
        draft: Draft,
    },
    /// Take these.
    SettingsTake {
        /// What is taken.
        draft: Draft,
    },
    /// What is the text of your HA settings?
    SettingsText {},
    /// What are you, for the comparison before high availability turns on?
    Facts {},
    /// Move the active role to this node.
    Switchover {},
    /// Which interfaces do you have, and how do they stand?
    Interfaces {},
    /// What does your machine say of itself, for SNMP?
    SnmpFacts {},
    /// What does your own SNMP agent say?
    Snmp {
        /// Of what.
        ask: Ask,
    },
    /// What have you left, and how does your SNMP go, for metrics?
    Measures {},
    /// Forget this node and the common key.
    Unpair {},
    /// A step of changing the pair's keys.
    Rotate {
        /// Which.
        question: rotate::Question,
    },
}

impl Call {
    /// Whether it may be asked again when nobody knows whether it was heard: a second time
    /// it changes nothing.
    pub fn may_be_repeated(&self) -> bool {
        match self {
            Call::About {}
            | Call::Clock {}
            | Call::Events { .. }
            | Call::SettingsState {}
            | Call::SettingsCheck { .. }
            | Call::SettingsText {}
            | Call::Facts {}
            | Call::Interfaces {}
            | Call::SnmpFacts {}
            | Call::Measures {}
            | Call::Snmp { .. }
            // Who has forgotten this node takes no further connection of it.
            | Call::Unpair {}
            | Call::Rotate { .. } => true,
            // What came of it is asked first.
            Call::SettingsTake { .. } | Call::Switchover {} => false,
        }
    }
}

/// An answer; each question has its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// To [`Call::About`].
    About(About),
    /// To [`Call::Clock`].
    Clock {
        /// Microseconds since 1970 (UTC).
        unix_us: u64,
    },
    /// To [`Call::Events`].
    Events {
        /// The name of the node that answers.
        name: String,
        /// The events, the newest last.
        entries: Vec<Entry>,
        /// What its probe found silent, the newest last.
        #[serde(default)]
        silences: Vec<Silence>,
    },
    /// To [`Call::SettingsState`].
    SettingsState(Said),
    /// To [`Call::SettingsCheck`] and [`Call::SettingsTake`]: it is so.
    SettingsDone {
        /// What did not go as it should, for people.
        notes: Vec<String>,
        /// What taking them would come to there, where that was the question.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<Box<NodePreview>>,
    },
    /// To [`Call::SettingsText`].
    SettingsText {
        /// Which they are.
        version: Version,
        /// pair.toml.
        text: String,
    },
    /// To [`Call::Facts`].
    Facts(Box<Facts>),
    /// To [`Call::Interfaces`].
    Interfaces(Box<NodePorts>),
    /// To [`Call::SnmpFacts`].
    SnmpFacts(Box<NodeFacts>),
    /// To [`Call::Snmp`].
    Snmp(Box<Answered>),
    /// To [`Call::Measures`].
    Measures(Box<Measures>),
    /// To a change of keys: this node's next certificate (PEM).
    Certificate {
        /// The text.
        pem: String,
    },
    /// It was done.
    Done,
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct About {
    /// Its name.
    pub name: String,
    /// Its fixed part in the pair; none before pairing.
    pub designation: Option<Designation>,
    /// Version of its agent.
    pub release: String,
    /// Its role in one word, as its guard says; none while no guard runs there.
    pub role: Option<String>,
    /// The role that it holds, which its status may put otherwise.
    #[serde(default)]
    pub role_held: Option<String>,
    /// For how many milliseconds it has held it.
    #[serde(default)]
    pub held_ms: Option<u64>,
    /// Why it has it.
    #[serde(default)]
    pub why: Option<String>,
    /// Its firmware, where the appliance profile says what that is.
    #[serde(default)]
    pub firmware: Option<String>,
    /// Milliseconds since 1970 (UTC) on its clock.
    pub unix_ms: u64,
    /// What is the matter with it.
    #[serde(default)]
    pub conditions: Vec<Told>,
}
