//! High availability as an administrator orders it: its settings changed on one node and
//! taken over by both, turned on and off. Asks the other node's agent and both guards; what
//! settings are, and where they are kept, is the settings' own business.

mod answer;
mod apart;
mod keep;
mod order;
pub mod ports;
mod present;
pub mod preview;
mod take;
#[cfg(test)]
mod tests;
pub mod turn;
pub mod versions;

use std::io;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::ids::Designation;

use super::api::error::{Code, Refusal};
use super::calls::{Call, Reply};
use super::clock::unix_ms;
use super::node::Node;
use super::settings::history::Current;
use super::settings::revision::Standing;
use super::settings::{HaSettings, History, HistoryError, Version, check};
use super::sysctls::SysctlView;
pub(super) use answer::{Question, answer};
pub(super) use keep::keep;
pub use order::{Basis, Done, change, look};
pub(super) use present::{is_named, resolve};
pub use preview::{NodePreview, Preview};
pub use take::Draft;

/// How long the other node may take for what is only shown; it answers from memory.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a node keeps for all this.
#[derive(Debug)]
pub struct Ha {
    /// Its settings, as they are and were.
    pub history: History,
    /// Changes come one after another.
    turn: tokio::sync::Mutex<()>,
}

impl Ha {
    /// Opens the history below `root`, and carries a change out that was cut off.
    ///
    /// # Errors
    /// The disk's.
    pub fn open(root: &Path, node: &str) -> Result<Ha, HistoryError> {
        let history = History::open(root, node)?;
        Ok(Ha { history, turn: tokio::sync::Mutex::default() })
    }
}

/// The settings of both nodes, for `GET`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HaView {
    /// This node's name.
    pub node: String,
    /// Its fixed part in the pair.
    pub designation: Option<Designation>,
    /// The settings here.
    pub settings: HaSettings,
    /// Their version. Send its revision back with changes that were made from it.
    pub version: Version,
    /// Seconds after which a silent peer counts as dead.
    pub detection_s: f64,
    /// Kernel settings of this node that a failover needs: set while high availability is
    /// on, the administrator's put back when it is turned off.
    pub kernel: Vec<SysctlView>,
    /// The other node.
    pub peer: PeerView,
}

/// The other node's settings, in brief.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PeerSettings")]
pub struct PeerView {
    /// Its version, while it can be asked.
    pub version: Option<Version>,
    /// How this node's settings stand to it.
    pub standing: Option<Standing>,
    /// Whether high availability is on there.
    pub enabled: Option<bool>,
    /// Why it could not be asked.
    pub away: Option<String>,
}

/// What a node says of its settings to the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// Their version.
    pub version: Version,
    /// Whether they turn high availability on.
    pub enabled: bool,
    /// Whether this node is active; none while nobody says so.
    pub active: Option<bool>,
}

/// Both nodes' settings as they are now.
///
/// # Errors
/// When this node has none, or they cannot be read.
pub async fn view(node: &Node) -> Result<HaView, Refusal> {
    let current = current(node)?;
    let pair = check::read(&current.text)?;
    let settings = HaSettings::from(&pair);
    let peer = match look_at_state(node, PATIENCE).await {
        Ok(said) => PeerView {
            standing: Some(current.version.revision.stands_to(&said.version.revision)),
            enabled: Some(said.enabled),
            version: Some(said.version),
            away: None,
        },
        Err(refusal) => PeerView { away: Some(refusal.message), ..PeerView::default() },
    };
    Ok(HaView {
        node: node.settings().name.clone(),
        designation: node.settings().designation(),
        detection_s: settings.detection().as_secs_f64(),
        kernel: node.sysctls().look(&pair),
        settings,
        version: current.version,
        peer,
    })
}

fn current(node: &Node) -> Result<Current, Refusal> {
    node.ha().history.current(unix_ms()).map_err(refuse)
}

/// What the other node says of its settings.
async fn ask_state(node: &Node) -> Result<Said, Refusal> {
    node.settings().demand_pair()?;
    state(node.calls().call(Call::SettingsState {}, take::PATIENCE).await?)
}

/// The same where a person waits: a node that is silent is away, and gets changes when it is
/// back.
async fn look_at_state(node: &Node, limit: Duration) -> Result<Said, Refusal> {
    node.settings().demand_pair()?;
    state(node.look(Call::SettingsState {}, limit).await?)
}

fn state(reply: Reply) -> Result<Said, Refusal> {
    match reply {
        Reply::SettingsState(said) => Ok(said),
        Reply::About(_)
        | Reply::Facts(_)
        | Reply::Interfaces(_)
        | Reply::Snmp(_)
        | Reply::SnmpFacts(_)
        | Reply::Measures(_)
        | Reply::Certificate { .. }
        | Reply::Clock { .. }
        | Reply::Events { .. }
        | Reply::Done
        | Reply::SettingsDone { .. }
        | Reply::SettingsText { .. } => Err(nonsense()),
    }
}

fn nonsense() -> Refusal {
    Refusal::unreachable("the other node answered something else; bring both to one release")
}

/// As the API says it.
pub(super) fn refuse(error: HistoryError) -> Refusal {
    let code = match &error {
        HistoryError::Disk(_, error) if error.kind() == io::ErrorKind::NotFound => Code::NotFound,
        HistoryError::Disk(..) => Code::Machine,
        HistoryError::NoVersion(_) => Code::NotFound,
        HistoryError::NotPaired | HistoryError::Changed(_) | HistoryError::NotNewer(_) => {
            Code::Conflict
        }
    };
    Refusal::new(code, error.to_string())
}
