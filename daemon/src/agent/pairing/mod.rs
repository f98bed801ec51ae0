//! Pairing: two nodes that were given one code leave each other's certificate pinned and
//! share a heartbeat key, without a password that could be used a second time. The API's
//! jobs start it; the conversation itself is a state machine without I/O (`exchange`).

pub mod code;
pub mod exchange;
pub mod invitation;
mod keys;
pub mod message;
