//! What this machine says of itself by SNMP: read from the kernel as it shows itself, and from
//! the profile's sources, which may be commands and are asked rarely. Called on threads that may
//! wait. It changes nothing.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::view::NodeFacts;
use crate::agent::engine::assemble::STATE;
use crate::agent::machine::Machine;
use crate::agent::preflight::{self, Known};
use crate::agent::profile::Profile;

/// How long model and serial number stay good: they change with the hardware.
const GOOD: Duration = Duration::from_secs(300);
/// Where nobody can say, the next try is due sooner.
const UNKNOWN_GOOD: Duration = Duration::from_secs(20);
/// Between two looks at the processors at the least: less would count single ticks.
const LEAST: Duration = Duration::from_millis(900);

/// What was read before.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Before>);

#[derive(Debug, Default)]
struct Before {
    identity: Option<(Instant, Option<String>, Option<String>)>,
    /// When, ticks in which the processors worked, and all of them.
    processors: Option<(Instant, u64, u64)>,
    load_percent: Option<u32>,
}

impl Kept {
    /// What the machine is and does now. May wait for commands of the profile.
    pub(super) fn read(
        &self,
        name: &str,
        root: &Path,
        machine: &Machine,
        profile: &Profile,
    ) -> NodeFacts {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (model, serial) = before.identity(root, profile);
        let text = |file: &str| fs::read_to_string(machine.proc.join(file)).unwrap_or_default();
        let number = |file: &str| text(file).trim().parse::<u32>().ok();
        let (memory_kib, available_kib) = memory(&text("meminfo"));
        let stat = text("stat");
        before.weigh(&stat);
        let (disk_mib, disk_used_mib) = disk(&root.join(STATE)).unwrap_or_default();
        NodeFacts {
            name: name.to_owned(),
            model,
            serial,
            up_ticks: up_ticks(&text("uptime")),
            processors: processors(&stat),
            load_percent: before.load_percent,
            memory_kib,
            available_kib,
            disk_mib,
            disk_used_mib,
            sessions: number("sys/net/netfilter/nf_conntrack_count"),
            sessions_most: number("sys/net/netfilter/nf_conntrack_max"),
        }
    }
}

impl Before {
    fn identity(&mut self, root: &Path, profile: &Profile) -> (Option<String>, Option<String>) {
        let good = |(at, model, serial): &(Instant, Option<String>, Option<String>)| {
            let all = model.is_some() && serial.is_some();
            at.elapsed() < if all { GOOD } else { UNKNOWN_GOOD }
        };
        if let Some((_, model, serial)) = self.identity.as_ref().filter(|it| good(it)) {
            return (model.clone(), serial.clone());
        }
        let read = |source| match preflight::fact(root, source) {
            Known::Is(text) => Some(text),
            Known::Not(_) => None,
        };
        let (model, serial) = (read(&profile.appliance.model), read(&profile.appliance.serial));
        self.identity = Some((Instant::now(), model.clone(), serial.clone()));
        (model, serial)
    }

    /// How busy the processors were since the look before.
    fn weigh(&mut self, stat: &str) {
        let Some((busy, all)) = ticks(stat) else { return };
        let Some((at, busy_before, all_before)) = self.processors else {
            self.processors = Some((Instant::now(), busy, all));
            return;
        };
        if at.elapsed() < LEAST {
            return;
        }
        let (busy_since, all_since) =
            (busy.saturating_sub(busy_before), all.saturating_sub(all_before));
        let percent = (busy_since * 100).checked_div(all_since);
        self.load_percent = percent.and_then(|it| u32::try_from(it).ok()).or(self.load_percent);
        self.processors = Some((Instant::now(), busy, all));
    }
}

/// Ticks in which the processors worked, and all of them (proc_stat(5)).
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields: Vec<u64> =
        line.split_whitespace().take(8).map(|field| field.parse().ok()).collect::<Option<_>>()?;
    let all: u64 = fields.iter().sum();
    // Idle, and idle while it waits for a disk.
    let idle = fields.get(3)? + fields.get(4)?;
    Some((all - idle, all))
}

fn processors(stat: &str) -> u32 {
    let own = |line: &&str| {
        line.strip_prefix("cpu")
            .is_some_and(|rest| rest.starts_with(|one: char| one.is_ascii_digit()))
    };
    u32::try_from(stat.lines().filter(own).count()).unwrap_or(u32::MAX)
}

/// All of it, and what programs can still have, in KiB (proc_meminfo(5)).
fn memory(meminfo: &str) -> (u64, u64) {
    let value = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0)
    };
    (value("MemTotal"), value("MemAvailable"))
}

/// Hundredths of a second (proc_uptime(5)).
fn up_ticks(uptime: &str) -> u64 {
    let seconds = uptime.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    (seconds.unwrap_or(0.0) * 100.0).round() as u64
}

/// Size and used part of the file system below a directory, in MiB.
fn disk(path: &Path) -> Option<(u64, u64)> {
    const MIB: u64 = 1 << 20;
    let seen = rustix::fs::statvfs(path).ok()?;
    let mib = |blocks: u64| blocks.saturating_mul(seen.f_frsize) / MIB;
    Some((mib(seen.f_blocks), mib(seen.f_blocks.saturating_sub(seen.f_bfree))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_shows_is_read() {
        let stat = "cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 50 0 25 400 25 0 0 0 0 0\n\
                    cpu1 50 0 25 400 25 0 0 0 0 0\nintr 1\n";
        assert_eq!((ticks(stat), processors(stat)), (Some((150, 1000)), 2));
        assert_eq!(ticks("cpu  a b\n"), None);
        let meminfo = "MemTotal:        8000000 kB\nMemFree: 1 kB\nMemAvailable:    6000000 kB\n";
        assert_eq!(memory(meminfo), (8_000_000, 6_000_000));
        assert_eq!(memory(""), (0, 0));
        assert_eq!(up_ticks("12345.67 1.0\n"), 1_234_567);
    }

    #[test]
    fn a_load_is_that_since_the_look_before() {
        let mut before =
            Before { processors: Some((Instant::now() - LEAST, 200, 1000)), ..Before::default() };
        before.weigh("cpu  175 0 50 825 50 0 0 0\n");
        assert_eq!(before.load_percent, Some(25));
        // Right after it nothing is weighed anew.
        before.weigh("cpu  975 0 50 825 50 0 0 0\n");
        assert_eq!(before.load_percent, Some(25));
    }
}
