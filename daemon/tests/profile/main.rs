//! The reference profile against the programs it is about: for each, a change that is right
//! and one that is wrong go through the two-phase apply, with the program itself as the
//! validator. Needs root and the programs that `cargo xtask setup` brings. Each test works
//! in a mount namespace of its own, on a copy of /etc: the machine's own is never touched.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may end where it stands"
)]

mod changes;
mod machine;
