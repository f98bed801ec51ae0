//! Two real gateways on one machine: namespaces and cables, faults, traffic,
//! measurement. Called by the `twinwall-lab` binary and by tests; it decides
//! nothing about roles, it only watches what the product does.

pub mod clock;
pub mod mount;
pub mod netns;
pub mod plan;
pub mod traffic;
