//! What SNMP shows, as one value: the dashboard, what both machines say of themselves, what is
//! the matter. The process `twinwall snmp` makes objects of it; the state for people is beside
//! it. Decides nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::value::{Binding, Oid};
use crate::agent::conditions::{Notice, Standing};
use crate::agent::dashboard::Dashboard;

/// All of it, as this node knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SnmpView {
    /// Both nodes in a word each, the links, the sections.
    pub dashboard: Dashboard,
    /// What this machine says of itself.
    pub here: NodeFacts,
    /// What the other one said; none before it did.
    pub there: Option<PeerFacts>,
    /// Reports of moves of the active role that are kept.
    pub failovers: u32,
    /// What is the matter now, the worst first.
    pub conditions: Vec<Standing>,
}

/// What the process that speaks with snmpd has to know at all times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct News {
    /// This node's name.
    pub node: String,
    /// The contexts in which a node's own objects are served.
    pub contexts: Vec<Context>,
    /// Notices that the process has not heard of, the oldest first.
    pub notices: Vec<Notice>,
    /// The last one that it knows with these.
    pub heard: u64,
    /// Whether this node speaks for the pair.
    pub speaks: bool,
}

/// What a machine says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeFacts {
    /// Its node's name.
    pub name: String,
    /// Its model; none where the profile's source does not say.
    pub model: Option<String>,
    /// Its serial number; none where the profile's source does not say.
    pub serial: Option<String>,
    /// For how long its system has run, in hundredths of a second.
    pub up_ticks: u64,
    /// Its processors.
    pub processors: u32,
    /// How busy they are, in percent; none before there are two looks.
    pub load_percent: Option<u32>,
    /// Its memory in KiB.
    pub memory_kib: u64,
    /// What programs can still have of it in KiB.
    pub available_kib: u64,
    /// The file system with its state, in MiB.
    pub disk_mib: u64,
    /// How much of it is used, in MiB.
    pub disk_used_mib: u64,
    /// Connections that its kernel tracks; none where it tracks none.
    pub sessions: Option<u32>,
    /// For how many it has room.
    pub sessions_most: Option<u32>,
}

/// What the other machine said, and how long ago.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerFacts {
    /// What.
    pub facts: NodeFacts,
    /// Seconds since then.
    pub age_s: u64,
}

/// Which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SnmpNode")]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The one that answers.
    Here,
    /// The other one.
    There,
}

/// A context: a name under which a manager finds a node's own objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// Whose objects.
    pub node: Which,
}

/// How SNMP stands on this node, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SnmpState {
    /// Whether the settings want the data of both appliances.
    pub wanted: bool,
    /// The file that twinwall adds to snmpd's configuration, while it is there.
    pub file: Option<String>,
    /// Whether `twinwall snmp` answers for snmpd.
    pub connected: bool,
    /// The names under which each node's own objects are found.
    pub contexts: Vec<Context>,
    /// What is to be known or done, each in a sentence.
    pub notes: Vec<String>,
    /// What the process has done since it started.
    pub done: Done,
}

/// What `twinwall snmp` says of itself when it asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SnmpDone")]
#[serde(default, deny_unknown_fields)]
pub struct Done {
    /// Questions of snmpd that it answered.
    pub answered: u64,
    /// Those that came while too many were open; they were refused.
    pub refused: u64,
    /// Notifications that it handed to snmpd.
    pub notified: u64,
    /// Notifications that it did not hand over: the other node speaks, or snmpd did not take
    /// them.
    pub unsent: u64,
    /// The last notice that it knows; none before the first.
    pub heard: Option<u64>,
}

/// A question for a node's own SNMP agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The values of these names.
    #[serde(default)]
    pub get: Vec<Oid>,
    /// What comes after this name.
    #[serde(default)]
    pub after: Option<Oid>,
    /// So many of that.
    #[serde(default)]
    pub repetitions: u16,
}

/// Its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answered {
    /// The values, one for each name that was asked for.
    pub got: Vec<Binding>,
    /// What comes after, in order.
    pub following: Vec<Binding>,
}

impl NodeFacts {
    /// The same within the limits of what is shown: it came from the other node.
    pub fn bounded(mut self) -> NodeFacts {
        const LONGEST: usize = 200;
        let texts = [&mut self.name].into_iter().chain(&mut self.model).chain(&mut self.serial);
        for text in texts {
            if text.len() > LONGEST || text.chars().any(char::is_control) {
                *text = text.chars().filter(|one| !one.is_control()).take(LONGEST).collect();
            }
        }
        self
    }
}
