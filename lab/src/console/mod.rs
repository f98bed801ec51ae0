//! Consoles beside the guards: who visits them, what they cost, and whether the rest of the
//! node notices. Called by the faults that befall a console and by its benchmark.

pub mod account;
pub mod beside;
pub mod files;
pub mod visitors;

use std::fs;
use std::path::Path;

use crate::gateway::Gateway;

/// Where every console listens.
pub const PORT: u16 = 8443;

/// The process of the console on this gateway; none while it does not run.
pub fn process(gateway: &Gateway) -> Option<i32> {
    let is_console = |pid: &i32| {
        let line = fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline"));
        line.is_ok_and(|line| line.ends_with(b"\0web\0"))
    };
    gateway.pids().into_iter().find(is_console)
}

/// Resident memory of a process in bytes, now and at the most so far; none when it has ended.
pub fn resident(pid: i32) -> Option<[u64; 2]> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kibibytes * 1024)
    };
    Some([field("VmRSS:")?, field("VmHWM:")?])
}
