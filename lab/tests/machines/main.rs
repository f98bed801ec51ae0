//! The Debian package on two machines that run Debian's own systemd: installed with
//! dpkg, configured and ordered about as an administrator would, watched from a client
//! and a server outside.
//!
//! Needs root, an image and the package: `cargo xtask machines` and `cargo xtask test`
//! make both and name them. Every test is process 1 of namespaces of its own, so that
//! nothing outlives it.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod install;
mod keys;
mod reboot;
mod remove;
mod services;
mod snmp;
mod support;
mod sync;
mod upgrade;
