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
pub mod unpair;
pub mod view;
mod wire;

/// TCP port of an open invitation, on the HA link only.
pub const PORT: u16 = 8857;
