//! What the agent is made of. The `twinwall` command starts it; tests, benchmarks
//! and fuzz targets reach its pieces from here. Nothing in it decides a role.

pub mod agent;
