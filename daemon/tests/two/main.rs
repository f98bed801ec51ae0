//! Two real agents, each in a network namespace and on a directory of its own, with a cable
//! between them: what an administrator types, and what lies on the disks afterwards. All of it
//! is inside namespaces of the program's own, see `isolated`.

mod alerts;
mod api;
mod attack;
mod big;
mod board;
mod console;
mod failing;
mod failovers;
mod flows;
mod health;
mod isolated;
mod journal;
#[path = "../shared/json_schema.rs"]
mod json_schema;
mod lan;
mod leases;
mod logs;
mod logview;
mod owners;
mod pairing;
mod preflight;
mod random;
mod reach;
mod reports;
mod rotate;
mod settings;
mod snmp;
mod support;
mod sync;
mod torment;
