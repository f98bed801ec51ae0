//! The gate against the real kernel, in network namespaces of its own. Needs root.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(unreachable_pub, reason = "a test's modules have no users outside")]

mod figures;
mod lease;
mod net;
mod packets;
mod table;
mod traffic;
