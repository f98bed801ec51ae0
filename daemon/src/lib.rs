//! What agent and console are made of, and what it has in common with the commands: where files
//! lie, the guard's socket, how a failure is told. The `twinwall` command starts it; tests,
//! benchmarks and fuzz targets reach its pieces from here. Nothing in it decides a role.

pub mod agent;
pub mod client;
pub mod failure;
pub mod files;
pub mod percent;
mod rights;
pub mod snmp;
pub mod web;
