//! How the pairing stands, as one value for page, command and API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::ids::Designation;

use crate::agent::finder::{Neighbour, nodes};
use crate::agent::identity::peer::Peer;
use crate::agent::node::Node;
use crate::agent::pairing::rotate::{self, Step};

/// How the pairing stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PairView {
    /// This node's name.
    pub node: String,
    /// Its part in the pair; none before pairing.
    pub designation: Option<Designation>,
    /// The pair's number.
    pub pair_id: Option<u16>,
    /// The HA link's interface.
    pub interface: Option<String>,
    /// The other node; none before pairing.
    pub peer: Option<PeerCard>,
    /// How far a change of keys is that is not done on this node.
    pub rotation: Option<Step>,
    /// Who is heard on the HA link now.
    pub heard: Vec<Heard>,
}

/// The other node of the pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerCard {
    /// Its name, once it said one.
    pub name: Option<String>,
    /// First digits of its certificate's digest.
    pub certificate: String,
    /// Whether the agents talk.
    pub connected: bool,
    /// Why not, and what to do.
    pub trouble: Option<String>,
}

/// A node that is heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Heard {
    /// Its name, as it says.
    pub node: String,
    /// The interface here.
    pub here: String,
    /// The interface there.
    pub there: String,
    /// Its pair's number.
    pub pair_id: Option<u16>,
    /// Whether it is the other node of this pair.
    pub is_peer: bool,
}

/// How it stands on this node.
pub fn view(node: &Node) -> PairView {
    let settings = node.settings();
    let pinned = settings.peer.as_ref().map(Peer::digests).unwrap_or_default();
    let link = node.link();
    let peer = pinned.first().map(|digest| PeerCard {
        name: link.as_ref().and_then(|link| link.peer.as_ref()).map(|it| it.node.clone()),
        certificate: digest.short(),
        connected: link.as_ref().is_some_and(|link| link.is_up()),
        trouble: trouble(node, link.as_ref()),
    });
    let heard = |it: Neighbour| Heard {
        is_peer: pinned.contains(&it.said.certificate),
        node: it.said.node,
        here: it.heard_on,
        there: it.said.interface,
        pair_id: it.said.pair_id,
    };
    PairView {
        node: settings.name.clone(),
        designation: settings.designation().filter(|_| settings.peer.is_some()),
        pair_id: settings.pair.as_ref().map(|pair| pair.pair_id),
        interface: settings.pair.as_ref().map(|pair| pair.ha_link.interface.clone()),
        peer,
        rotation: rotate::record(node.root()).ok().flatten().map(|record| record.step),
        heard: nodes(node.neighbours()).into_iter().map(heard).collect(),
    }
}

fn trouble(node: &Node, link: Option<&crate::agent::channel::LinkState>) -> Option<String> {
    match link {
        None if node.settings().pair.is_none() => Some(
            "there are no settings of the pair (etc/twinwall/pair.toml), so the HA link is not \
             known; restore them, or pair again"
                .to_owned(),
        ),
        None => Some("the agent is reading its settings".to_owned()),
        Some(link) if link.is_up() => None,
        Some(link) => {
            let why = link.trouble.as_ref().map(ToString::to_string);
            Some(why.unwrap_or_else(|| "it is being tried".to_owned()))
        }
    }
}
