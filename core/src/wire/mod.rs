//! Heartbeat frames: what follows the Ethernet header, and the session that
//! seals and opens them. The guard calls it for every frame; the layout is in
//! `docs/reference/wire.md`, the reasons in `docs/adr/0005-heartbeat-frames-and-sessions.md`.
//!
//! It owns neither a socket nor a clock nor a random number: boot ids and the
//! time are handed in, bytes go out. Nothing that a frame contains can make it panic.

pub mod content;
mod frame;
mod key;
mod refused;
mod run;
mod session;
#[cfg(test)]
mod tests;
mod window;

pub use frame::{ETHERTYPE, HELLO_LENGTH, MAX_FRAME, VERSION};
pub use key::{PairKey, PairKeys};
pub use refused::Refused;
pub use session::{ANSWER_GAP, Received, RekeyRefused, Session};
