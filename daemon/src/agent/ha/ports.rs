//! The interfaces of both nodes with their link, speed and addresses, from which the HA link
//! and the interfaces of the pair are chosen. Each node says what it has; nothing is changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::config::Prefix;

use crate::agent::api::error::Refusal;
use crate::agent::calls::{Call, Reply};
use crate::agent::finder;
use crate::agent::identity::peer::Peer;
use crate::agent::netconf::{self, Files, Refused, live};
use crate::agent::node::Node;

/// How long the other node may take: it reads some files.
const PATIENCE: Duration = Duration::from_secs(3);
/// Interfaces of a node that are listed; more than any appliance has.
const MAX_PORTS: usize = 256;
/// Addresses of an interface that are listed.
const MAX_ADDRESSES: usize = 64;
/// Longest text in characters.
const MAX_TEXT: usize = 200;

/// The interfaces of both nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ports {
    /// This node's name.
    pub here: String,
    /// The other node's, while it can be asked.
    pub there: Option<String>,
    /// Why the other node could not be asked.
    pub away: Option<String>,
    /// By name.
    pub ports: Vec<PortPair>,
}

/// The interfaces of one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortPair {
    /// The name.
    pub name: String,
    /// This node's; none where it has no such interface.
    pub here: Option<Port>,
    /// The other node's; none too while it cannot be asked.
    pub there: Option<Port>,
    /// The other node's interface that is heard on this one, as far as anybody calls there.
    pub reaches: Option<String>,
}

/// An interface of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Whether it is set up.
    pub is_up: bool,
    /// Whether it has carrier.
    pub carrier: bool,
    /// Mb/s, where the kernel says.
    pub speed: Option<u32>,
    /// Its addresses with their lengths, without the kernel's link-local ones and without the
    /// virtual IPs of the pair.
    pub addresses: Vec<String>,
    /// It gets addresses from elsewhere, so that none of that family can be one of the pair.
    pub dynamic: Option<Elsewhere>,
}

impl Port {
    /// How its link stands, in a word.
    pub fn state(&self) -> &'static str {
        match (self.is_up, self.carrier) {
            (true, true) => "up",
            (true, false) => "no carrier",
            (false, _) => "set down",
        }
    }
}

/// From where an interface gets addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Elsewhere {
    /// Those of IPv4.
    pub v4: bool,
    /// Those of IPv6.
    pub v6: bool,
    /// Where that is said.
    pub by: String,
}

/// What a node says of its interfaces to the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePorts {
    node: String,
    ports: Vec<Port>,
}

/// Both nodes' interfaces.
///
/// # Errors
/// The kernel's.
pub async fn of(node: &Arc<Node>) -> Result<Ports, Refusal> {
    let (mine, theirs) = tokio::join!(here(node), ask(node));
    let mine = mine?;
    let (theirs, away) = match theirs {
        Ok(theirs) => (Some(theirs.bounded()), None),
        Err(refusal) => (None, Some(refusal.message)),
    };
    let there = theirs.as_ref().map(|theirs| theirs.node.clone());
    let mut pairs: BTreeMap<String, PortPair> = BTreeMap::new();
    let pair = |name: &str| PortPair {
        name: name.to_owned(),
        here: None,
        there: None,
        reaches: reaches(node, name),
    };
    for port in mine.ports {
        let name = port.name.clone();
        pairs.entry(name.clone()).or_insert_with(|| pair(&name)).here = Some(port);
    }
    for port in theirs.into_iter().flat_map(|theirs| theirs.ports) {
        let name = port.name.clone();
        pairs.entry(name.clone()).or_insert_with(|| pair(&name)).there = Some(port);
    }
    Ok(Ports { here: mine.node, there, away, ports: pairs.into_values().collect() })
}

/// The other node's interface that is heard on this one: by its agent on the HA link, by its
/// guard where heartbeats come, which name the interface that they left from.
fn reaches(node: &Node, name: &str) -> Option<String> {
    let settings = node.settings();
    let pair = settings.pair.as_ref()?;
    if pair.ha_link.interface == name {
        let peer = settings.peer.as_ref().map(Peer::digests).unwrap_or_default();
        let heard = finder::nodes(node.neighbours());
        let of_peer = heard.iter().find(|one| peer.contains(&one.said.certificate));
        return of_peer.map(|one| one.said.interface.clone());
    }
    let guard = node.guard().borrow().clone();
    let paths = guard.status().map(|status| status.snapshot.paths.as_slice()).unwrap_or_default();
    let alive = paths.iter().any(|path| path.interface == name && path.alive);
    alive.then(|| name.to_owned())
}

async fn ask(node: &Node) -> Result<NodePorts, Refusal> {
    node.settings().demand_pair()?;
    match node.look(Call::Interfaces {}, PATIENCE).await? {
        Reply::Interfaces(ports) => Ok(*ports),
        Reply::About(_)
        | Reply::Certificate { .. }
        | Reply::Clock { .. }
        | Reply::Done
        | Reply::Events { .. }
        | Reply::Facts(_)
        | Reply::Snmp(_)
        | Reply::SnmpFacts(_)
        | Reply::Measures(_)
        | Reply::SettingsDone { .. }
        | Reply::SettingsState(_)
        | Reply::SettingsText { .. } => Err(super::nonsense()),
    }
}

/// This node's.
pub(in crate::agent) async fn here(node: &Arc<Node>) -> Result<NodePorts, Refusal> {
    let this = Arc::clone(node);
    let read = tokio::task::spawn_blocking(move || read(&this)).await;
    read.map_err(|error| Refusal::machine(format!("asking for the interfaces: {error}")))?
}

fn read(node: &Node) -> Result<NodePorts, Refusal> {
    let refused = |error| Refusal::machine(format!("asking for the interfaces: {error}"));
    let links = live::links().map_err(refused)?;
    let addresses = live::addresses().map_err(refused)?;
    let settings = node.settings();
    let interfaces = settings.pair.iter().flat_map(|pair| &pair.interfaces);
    let virtual_ips: Vec<_> =
        interfaces.flat_map(|it| &it.virtual_ips).map(|prefix| prefix.address).collect();
    let serves = settings.is_enabled();
    let shown = |prefix: &Prefix| {
        !(is_link_local(prefix) || serves && virtual_ips.contains(&prefix.address))
    };
    let port = |link: live::Link| {
        let own = addresses.iter().filter(|(at, prefix)| *at == link.index && shown(prefix));
        Port {
            is_up: link.is_up,
            carrier: link.carrier,
            speed: speed(&node.machine().sys, &link.name),
            addresses: own.map(|(_, prefix)| prefix.to_string()).take(MAX_ADDRESSES).collect(),
            dynamic: elsewhere(node.root(), &link.name),
            name: link.name,
        }
    };
    let ports = links.into_iter().filter(|link| link.name != "lo").take(MAX_PORTS).map(port);
    Ok(NodePorts { node: settings.name.clone(), ports: ports.collect() })
}

fn is_link_local(prefix: &Prefix) -> bool {
    matches!(prefix.address, std::net::IpAddr::V6(six) if six.is_unicast_link_local())
}

fn speed(sys: &Path, name: &str) -> Option<u32> {
    let path = sys.join("class/net").join(name).join("speed");
    // A port without carrier says -1.
    fs::read_to_string(path).ok()?.trim().parse().ok().filter(|speed| *speed > 0)
}

/// What its configuration says; one that cannot be read is told when addresses are entered.
fn elsewhere(root: &Path, name: &str) -> Option<Elsewhere> {
    match netconf::look(&Files::new(root), name) {
        Ok(found) => {
            let dynamic = found?.dynamic?;
            Some(Elsewhere { v4: dynamic.v4, v6: dynamic.v6, by: dynamic.by })
        }
        Err(Refused::Dynamic { by, .. }) => Some(Elsewhere { v4: true, v6: true, by }),
        Err(
            Refused::Unreadable(_)
            | Refused::Both(..)
            | Refused::Unknown { .. }
            | Refused::ByHand { .. },
        ) => None,
    }
}

impl NodePorts {
    /// The same within the limits, with nothing in it that a terminal would obey.
    fn bounded(mut self) -> NodePorts {
        bound(&mut self.node);
        self.ports.truncate(MAX_PORTS);
        for port in &mut self.ports {
            bound(&mut port.name);
            port.addresses.truncate(MAX_ADDRESSES);
            port.addresses.iter_mut().for_each(bound);
            port.dynamic.iter_mut().for_each(|it| bound(&mut it.by));
        }
        self
    }
}

fn bound(text: &mut String) {
    if text.chars().nth(MAX_TEXT).is_some() || text.chars().any(char::is_control) {
        *text = text.chars().filter(|one| !one.is_control()).take(MAX_TEXT).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_node_says_is_cut_to_the_limits() {
        let port = Port {
            name: "x".repeat(MAX_TEXT + 1),
            is_up: true,
            carrier: true,
            speed: None,
            addresses: vec!["10.1.0.1/24\n".to_owned(); MAX_ADDRESSES + 1],
            dynamic: None,
        };
        let said = NodePorts { node: "gw-b".to_owned(), ports: vec![port; MAX_PORTS + 1] };
        let said = said.bounded();
        assert_eq!((said.ports.len(), said.ports[0].name.len()), (MAX_PORTS, MAX_TEXT));
        assert_eq!(said.ports[0].addresses.len(), MAX_ADDRESSES);
        assert_eq!(said.ports[0].addresses[0], "10.1.0.1/24");
    }

    #[test]
    fn a_dialled_interface_has_its_addresses_from_elsewhere() {
        let found = elsewhere(Path::new("/nonexistent"), "ppp0").expect("dialled");
        assert!(found.v4 && found.v6 && found.by.contains("dialled"));
        assert_eq!(elsewhere(Path::new("/nonexistent"), "lan"), None);
    }
}
