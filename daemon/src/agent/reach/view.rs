//! What is shown of the gateways: one value for the API, the command and the console.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a gateway is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By ARP.
    Arp,
    /// By an ARP probe: this node has no address of its own there.
    ArpProbe,
    /// By neighbour solicitation.
    Solicitation,
    /// By a ping.
    Ping,
}

impl Way {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Way::Arp => "ARP",
            Way::ArpProbe => "ARP probe",
            Way::Solicitation => "neighbour solicitation",
            Way::Ping => "ping",
        }
    }
}

/// One gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ReachedGateway")]
pub struct GatewayView {
    /// The interface on which it is.
    pub interface: String,
    /// Its address.
    pub address: String,
    /// How it is asked.
    pub way: Way,
    /// Whether it counts as reached by this node; none while nobody can say.
    pub here: Option<bool>,
    /// Why it does not, or why nobody can say; empty where it does.
    pub why: String,
    /// Seconds since it is so.
    pub since_s: f64,
    /// Milliseconds that its last answer took.
    pub round_trip_ms: Option<f64>,
    /// Whether the other node reaches it, as its guard last said.
    pub there: Option<bool>,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReachView {
    /// This node's name.
    pub node: String,
    /// Each, in the order of the settings.
    pub gateways: Vec<GatewayView>,
}
