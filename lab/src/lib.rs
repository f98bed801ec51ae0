//! Two real gateways on one machine: namespaces and cables, faults, traffic,
//! measurement. Called by the `twinwall-lab` binary and by tests; it decides
//! nothing about roles, it only watches what the product does.

pub mod appliance;
pub mod bench;
pub mod clock;
pub mod console;
pub mod container;
pub mod error;
mod evidence;
pub mod fault;
pub mod gateway;
pub mod isolate;
pub mod lab;
pub mod link;
pub mod live;
pub mod monitoring;
pub mod mount;
pub mod netns;
pub mod plan;
pub mod process;
pub mod product;
pub mod reload;
pub mod replica;
pub mod report;
pub mod result;
pub mod ruleset;
pub mod run;
pub mod scenario;
pub mod terminal;
pub mod timeline;
pub mod topology;
pub mod traffic;
pub mod upstream;
pub mod wait;
pub mod worker;
