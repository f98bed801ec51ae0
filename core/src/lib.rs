//! Decides the role of a twinwall node.
//!
//! The core is a value: events and the time go in by [`Core::handle`], what must
//! be done comes out by [`Core::poll_output`]. It reads no clock, opens no
//! socket, starts no thread and draws no random number, so that a test can put
//! it through anything.

#![forbid(unsafe_code)]
#![deny(clippy::disallowed_macros, clippy::disallowed_methods, clippy::disallowed_types)]
#![deny(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

pub mod api;
pub mod beat;
pub mod config;
mod early;
mod election;
pub mod event;
pub mod explain;
mod health;
pub mod ids;
mod lease;
pub mod node;
pub mod note;
mod objection;
mod own;
mod paths;
mod peer;
pub mod role;
mod shared;
pub mod snapshot;
pub mod tell;
pub mod time;
mod tuning;
pub mod wire;

pub use node::{Core, MAX_OUTPUTS, Setup, Timer};
pub use tuning::CONNECTIONS_LIMIT;
