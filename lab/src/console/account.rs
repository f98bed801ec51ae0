//! The agents of two gateways become a pair by files, and somebody gets an account.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::error::{Doing, Result};
use crate::gateway::Gateway;
use crate::wait;

/// Whoever visits the consoles of the lab.
pub const NAME: &str = "admin";
/// The password; worth nothing outside.
pub const PASSWORD: &str = "twin gateways lab";
/// Agents find each other and take the accounts over within this.
const WITHIN: Duration = Duration::from_secs(60);

/// Pairs the agents and makes the account, which the configuration takes to the other node.
/// Does nothing where that was done.
pub fn introduce(gateways: &[Gateway; 2]) -> Result<()> {
    let accounts = |gateway: &Gateway| gateway.tree().join("etc/twinwall-accounts/accounts.toml");
    if accounts(&gateways[0]).exists() {
        return Ok(());
    }
    for gateway in gateways {
        let socket = gateway.tree().join("run/twinwall/agent.sock");
        wait::until("the start of both agents", WITHIN, || {
            UnixStream::connect(&socket).map(drop).map_err(|cause| cause.to_string())
        })?;
    }
    // Before they know each other: in a pair it is the active's alone, and none is active yet.
    let add = ["account", "add", NAME, "--role", "administrator"];
    gateways[0].ask_beside(&add, &format!("{PASSWORD}\n"))?;
    for (from, to) in [(0, 1), (1, 0)] {
        let card = gateways[from].ask_beside(&["pair", "export"], "")?;
        let path = gateways[to].tree().join("card.json");
        fs::write(&path, card).doing(format!("write {}", path.display()))?;
        gateways[to].ask_beside(&["pair", "import", &path.to_string_lossy()], "")?;
    }
    let there = accounts(&gateways[1]);
    wait::until("the accounts on both gateways", WITHIN, || match fs::read_to_string(&there) {
        Ok(text) if text.contains(NAME) => Ok(()),
        Ok(_) => Err("another file".to_owned()),
        Err(cause) if cause.kind() == ErrorKind::NotFound => Err("none yet".to_owned()),
        Err(cause) => Err(cause.to_string()),
    })
}
