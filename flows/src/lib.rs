//! Connections survive a failover because the passive node's kernel holds those of the
//! active one at all times: a takeover commits nothing.
//!
//! The active node is the [`source`]: it reads its kernel's events and dumps and makes
//! messages of them. The passive one is the [`mirror`]: it takes the messages and says
//! what its kernel must be told. Both are values without a clock, sockets or threads;
//! [`kernel`] and [`table`] act. Who carries the messages, and which node is which, is
//! decided elsewhere (the agent).
//!
//! ```text
//!   kernel::Events ─► Source::event      messages      Mirror::receive ─► Work
//!   kernel::Dump  ──► Source::dumped ──────────────►                       │
//!                     Source::poll         acks        Mirror::finished ◄──┤
//!                     Source::receive ◄──────────────  Mirror::poll        ▼
//!                                                              kernel::Conntrack::write
//! ```

pub mod digest;
pub mod eligible;
pub mod expectation;
pub mod flow;
pub mod kernel;
pub mod lag;
pub mod ledger;
pub mod message;
pub mod mirror;
pub mod neighbour;
pub mod position;
pub mod source;
pub mod table;
pub mod tuple;
pub mod view;
pub mod work;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
