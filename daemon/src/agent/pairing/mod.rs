//! Pairing: two nodes that were given one code leave each other's certificate pinned and
//! share a heartbeat key, without a password that could be used a second time. Long
//! operations of the agent start it; the conversation itself is a state machine without I/O
//! (`exchange`), `wire` carries it, `files` is what lies on the disk afterwards.
//!
//! Nothing listens unless an invitation is open.

pub mod code;
pub mod exchange;
pub mod files;
pub mod invitation;
pub mod invite;
pub mod join;
mod keys;
pub mod message;
pub mod rotate;
pub mod unpair;
pub mod view;
mod wire;

use rustix::rand::{GetRandomFlags, getrandom};

use crate::agent::api::error::Refusal;

/// TCP port of an open invitation, on the HA link only.
pub const PORT: u16 = 8857;

/// Said wherever an order needs the other node and there is none.
pub const NOT_PAIRED: &str = "this node is not paired; 'twinwall pair invite' on the node that \
    serves today and 'twinwall pair join' on the other one make them a pair";

fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut bytes = [0; N];
    getrandom(&mut bytes, GetRandomFlags::empty())
        .map_err(|error| Refusal::machine(format!("no random numbers: {error}")))?;
    Ok(bytes)
}
