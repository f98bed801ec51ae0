//! What a node says of itself. It travels to the other node, so what came from there is cut
//! to its limits before anybody looks at it. No serial number, no proof of registration.

use serde::{Deserialize, Serialize};

use crate::agent::sysctls::SysctlView;

/// Interfaces of one node that are compared; more than any appliance has.
pub(super) const MAX_PORTS: usize = 256;
/// Kernel settings of one node: three kinds, one of them for each interface.
const MAX_SETTINGS: usize = 256;
/// Other nodes with the same pair id that are named.
pub(super) const MAX_STRANGERS: usize = 8;
/// Longest text in characters: it is shown on a line.
const MAX_TEXT: usize = 200;

/// A node, as it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its name.
    pub node: String,
    /// Its release of twinwall.
    pub release: String,
    /// What it is.
    pub identity: Identity,
    /// Interfaces with hardware behind them, and those that the pair names.
    pub ports: Vec<Port>,
    /// Its end of the HA link; none where the settings name none.
    pub ha_link: Option<HaPort>,
    /// Kernel settings that a failover needs.
    pub kernel: Vec<SysctlView>,
}

/// What a node is: does not change while it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The model of the hardware.
    pub model: Known,
    /// The version of the firmware.
    pub firmware: Known,
    /// That it is registered, or why nobody can say so; none where the profile does not ask.
    pub registration: Option<Known>,
    /// The processor and how many.
    pub cpu: Known,
    /// Memory in KiB.
    pub memory_kib: Option<u64>,
}

/// A fact, or why it is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// So it is.
    Is(String),
    /// It could not be found out.
    Not(String),
}

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Mb/s; none without carrier, or where the kernel does not say.
    pub speed: Option<u32>,
    /// Longest packet in bytes.
    pub mtu: Option<u32>,
}

/// One end of the HA link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaPort {
    /// The interface.
    pub name: String,
    /// The other node's interface from which it is heard there.
    pub reaches: Option<String>,
    /// Other nodes heard there that say they belong to a pair of this number.
    pub strangers: Vec<String>,
}

impl Facts {
    /// The same within the limits, with nothing in it that a terminal would obey.
    pub fn bounded(mut self) -> Facts {
        self.ports.truncate(MAX_PORTS);
        self.kernel.truncate(MAX_SETTINGS);
        let identity = &mut self.identity;
        for known in [&mut identity.model, &mut identity.firmware, &mut identity.cpu] {
            known.bound();
        }
        identity.registration.iter_mut().for_each(Known::bound);
        bound(&mut self.node);
        bound(&mut self.release);
        self.ports.iter_mut().for_each(|port| bound(&mut port.name));
        if let Some(link) = &mut self.ha_link {
            link.strangers.truncate(MAX_STRANGERS);
            bound(&mut link.name);
            link.reaches.iter_mut().chain(&mut link.strangers).for_each(bound);
        }
        for setting in &mut self.kernel {
            bound(&mut setting.name);
            setting.now.iter_mut().chain(&mut setting.before).for_each(bound);
        }
        self
    }
}

impl Known {
    fn bound(&mut self) {
        match self {
            Known::Is(text) | Known::Not(text) => bound(text),
        }
    }
}

fn bound(text: &mut String) {
    if text.len() > MAX_TEXT || text.chars().any(char::is_control) {
        *text = text.chars().filter(|one| !one.is_control()).take(MAX_TEXT).collect();
    }
}
