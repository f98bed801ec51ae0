//! What a node tells of its machine and its SNMP, for its own metrics and the other node's: asked
//! when somebody scrapes. A node that cannot be asked is left out, since what it had left minutes
//! ago says nothing.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::calls::{Call, Reply};
use crate::agent::node::Node;
use crate::agent::resources::view::{Resources, Sensor};
use crate::agent::snmp::view::Done;

/// How long the other node may take: it answers from memory.
const PATIENCE: Duration = Duration::from_secs(1);
/// File systems and sensors that are taken from the other node: its own bounds, with room.
const MAX_DISKS: usize = 16;
const MAX_SENSORS: usize = 64;
/// Longest name of them that is taken, in letters.
const MAX_NAME: usize = 100;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// What it has left; none before the first look.
    pub resources: Option<Resources>,
    /// Its SNMP; none while that is off.
    pub snmp: Option<SnmpMeasures>,
}

/// How SNMP goes on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnmpMeasures {
    /// Whether snmpd asks twinwall there.
    pub connected: bool,
    /// What was done since the process started.
    pub done: Done,
}

/// This node's.
pub fn here(node: &Node) -> Measures {
    let resources = node.resources().view(&node.settings());
    let state = node.snmp().state();
    Measures {
        resources: resources.at_ms.map(|_| resources.now),
        snmp: state.wanted.then_some(SnmpMeasures { connected: state.connected, done: state.done }),
    }
}

/// The other node's; none where there is none, or it does not say.
pub(super) async fn there(node: &Arc<Node>) -> Option<Measures> {
    node.settings().peer.as_ref()?;
    match node.look(Call::Measures {}, PATIENCE).await {
        Ok(Reply::Measures(measures)) => Some(measures.bounded()),
        Ok(_) | Err(_) => None,
    }
}

impl Measures {
    /// The same within the limits of what is shown: it came from the other node.
    fn bounded(mut self) -> Measures {
        let name = |text: &mut String| {
            *text = text.chars().filter(|one| !one.is_control()).take(MAX_NAME).collect();
        };
        if let Some(resources) = &mut self.resources {
            resources.disks.truncate(MAX_DISKS);
            resources.temperatures.truncate(MAX_SENSORS);
            resources.disks.iter_mut().for_each(|disk| name(&mut disk.mounted_for));
            let sensors = resources.temperatures.iter_mut();
            sensors.for_each(|Sensor { name: own, .. }| name(own));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::resources::view::Disk;

    #[test]
    fn what_the_other_node_tells_is_no_longer_than_what_this_one_would_tell() {
        let disk =
            Disk { mounted_for: format!("/a\n{}", "x".repeat(500)), total_bytes: 1, free_bytes: 1 };
        let sensor = Sensor { name: "a\u{1b}[2J".to_owned(), celsius: 1.0, critical_celsius: None };
        let resources = Resources {
            disks: vec![disk; 500],
            temperatures: vec![sensor; 500],
            ..Resources::default()
        };
        let told = Measures { resources: Some(resources), snmp: None }.bounded();
        let told = told.resources.expect("kept");
        assert_eq!((told.disks.len(), told.temperatures.len()), (MAX_DISKS, MAX_SENSORS));
        assert!(told.disks[0].mounted_for.starts_with("/ax"));
        assert_eq!(told.disks[0].mounted_for.len(), MAX_NAME);
        assert_eq!(told.temperatures[0].name, "a[2J");
    }
}
