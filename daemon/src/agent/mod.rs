//! The agent keeps the two nodes alike: pairing, configuration, and the local API.
//! It may fail and start again at any moment; the role does not move.

pub mod accounts;
pub mod api;
pub mod apply;
pub mod callers;
pub mod calls;
pub mod channel;
pub mod clock;
pub mod dashboard;
pub mod digest;
pub mod engine;
pub mod failovers;
pub mod finder;
pub mod guard;
pub mod ha;
pub mod identity;
pub mod interfaces;
pub mod jobs;
pub mod machine;
pub mod manifest;
pub mod netconf;
pub mod node;
pub mod pairing;
pub mod preflight;
pub mod profile;
pub mod readiness;
pub mod section;
pub mod serve;
pub mod services;
pub mod settings;
pub mod step;
pub mod store;
pub mod sysctls;
pub mod translate;
pub mod tree;
pub mod watch;
