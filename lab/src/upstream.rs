//! The router behind the WAN, whose part the server plays: it falls silent for one gateway, as
//! behind a switch that forwards wrongly, or for both, while every cable is well. Called by the
//! fault of that name, and before it: both gateways must reach it first.

use std::time::Duration;

use serde_json::Value;

use crate::error::Result;
use crate::gateway::Gateway;
use crate::lab::Lab;
use crate::wait;

/// Both gateways reach it again within this: it must answer for a while, and for longer each time
/// that it was lost within an hour.
const REACHED_WITHIN: Duration = Duration::from_secs(90);

/// For whom it is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silent {
    /// The gateway that serves.
    Active,
    /// Both.
    Both,
}

/// Makes it silent; `active` is the gateway that serves.
pub fn silence(lab: &Lab, silent: Silent, active: usize) -> Result<()> {
    match silent {
        Silent::Active => lab.topology.part_from_server(Some(active)),
        Silent::Both => lab.topology.server_cable(false),
    }
}

/// Lets it be heard again; harmless where it is.
pub fn mend(lab: &Lab) -> Result<()> {
    lab.topology.part_from_server(None)?;
    lab.topology.server_cable(true)
}

/// Waits until each gateway reaches it, and knows that the other one does.
pub fn await_reached(lab: &Lab) -> Result<()> {
    wait::until("a router that answers both gateways", REACHED_WITHIN, || {
        lab.gateways.iter().try_for_each(reaches)
    })
}

fn reaches(gateway: &Gateway) -> std::result::Result<(), String> {
    let said = gateway.ask_beside(&["reach", "--json"], "").map_err(|cause| cause.to_string())?;
    let view: Value = serde_json::from_str(&said).map_err(|cause| cause.to_string())?;
    let all = view["gateways"].as_array().cloned().unwrap_or_default();
    let good = |it: &Value| it["here"] == true && it["there"] == true;
    if !all.is_empty() && all.iter().all(good) { Ok(()) } else { Err(said) }
}
