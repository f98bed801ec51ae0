//! What a program costs: CPU time and resident memory of a process with all
//! its threads and children, over a span of time.
//!
//! Called by the benchmarks; also what the whole machine spends. Reads `/proc` only; run it where
//! the processes are visible (the lab's own PID namespace).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use twinwall_core::time::Moment;

use crate::clock::now;

/// What a family of processes has used up to one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Reading {
    /// CPU time of each living thread, by its id.
    threads: BTreeMap<u32, Duration>,
    resident_bytes: u64,
}

/// What a family of processes cost over a span.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Usage {
    /// CPU seconds per minute.
    pub cpu_s_per_min: f64,
    /// Most resident memory seen, all processes added, in bytes.
    pub resident_bytes: u64,
}

/// What a family of processes has used up to one moment, to be compared with a later one.
#[derive(Clone, Debug)]
pub struct Snapshot(Reading);

impl Snapshot {
    /// Of `pid` and its descendants now.
    ///
    /// # Errors
    /// When it has ended.
    pub fn take(pid: u32) -> io::Result<Snapshot> {
        read_family(pid).map(Snapshot)
    }

    /// CPU time from `earlier` to this one, of the threads that live now.
    pub fn since(&self, earlier: &Snapshot) -> Duration {
        let before = |thread| earlier.0.threads.get(thread).copied().unwrap_or_default();
        let threads = self.0.threads.iter();
        threads.map(|(thread, total)| total.saturating_sub(before(thread))).sum()
    }

    /// Resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.0.resident_bytes
    }
}

/// How long the processors of the machine have been idle up to one moment.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    at: Moment,
    cores: u32,
    idle: Duration,
}

impl Idle {
    /// Reads `/proc/stat`, which counts hundredths of a second: for spans of many seconds.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read() -> io::Result<Idle> {
        let text = fs::read_to_string("/proc/stat")?;
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "/proc/stat is not as known");
        idle_ticks(&text)
            .map(|(cores, ticks)| Idle {
                at: now(),
                cores,
                idle: Duration::from_millis(ticks * 10),
            })
            .ok_or_else(wrong)
    }

    /// Processors of the machine.
    pub fn cores(&self) -> u32 {
        self.cores
    }

    /// What all processors together did since `earlier`: every program, and the kernel's work
    /// that is charged to none.
    pub fn busy_since(&self, earlier: &Idle) -> Duration {
        let whole = self.at.since(earlier.at) * self.cores;
        whole.saturating_sub(self.idle.saturating_sub(earlier.idle))
    }
}

/// Processors, and the ticks in which they had nothing to do, waited for a disk, or were taken
/// away by a hypervisor.
fn idle_ticks(stat: &str) -> Option<(u32, u64)> {
    let is_core = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
    let cores = u32::try_from(stat.lines().filter(is_core).count()).ok()?;
    let all = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Option<Vec<u64>> = all.map(|field| field.parse().ok()).collect();
    let ticks = ticks?;
    Some((cores, ticks.get(3)? + ticks.get(4)? + ticks.get(7)?))
}

/// Watches the process `pid` and its descendants for `span`. An error when it
/// has ended by then.
pub fn usage(pid: u32, span: Duration) -> io::Result<Usage> {
    let started = now();
    let first = read_family(pid)?;
    thread::sleep(span);
    let last = read_family(pid)?;
    let passed = now().since(started);
    let used: Duration = last
        .threads
        .iter()
        .map(|(thread, total)| {
            total.saturating_sub(first.threads.get(thread).copied().unwrap_or_default())
        })
        .sum();
    Ok(Usage {
        cpu_s_per_min: used.as_secs_f64() * 60.0 / passed.as_secs_f64(),
        resident_bytes: first.resident_bytes.max(last.resident_bytes),
    })
}

/// A thread that ended between two readings is not counted; the products' threads live on.
fn read_family(pid: u32) -> io::Result<Reading> {
    let mut reading = Reading::default();
    for member in family(pid)? {
        // A child may end at any time; only the process asked for must live.
        match read_process(member, &mut reading) {
            Err(error) if member == pid => return Err(error),
            Err(_) | Ok(()) => {}
        }
    }
    Ok(reading)
}

fn read_process(pid: u32, reading: &mut Reading) -> io::Result<()> {
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let entry = entry?;
        let Ok(thread) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let text = fs::read_to_string(entry.path().join("schedstat"))?;
        reading.threads.insert(thread, running_time(&text)?);
    }
    reading.resident_bytes += resident(&fs::read_to_string(format!("/proc/{pid}/status"))?);
    Ok(())
}

/// First field of `schedstat`: nanoseconds on a processor.
fn running_time(schedstat: &str) -> io::Result<Duration> {
    let nanos = schedstat.split_whitespace().next().and_then(|field| field.parse().ok());
    nanos.map(Duration::from_nanos).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("schedstat says {schedstat:?}"))
    })
}

/// `VmRSS` of a `status` file, in bytes; 0 when there is none (a process that is ending).
fn resident(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// `pid` and its descendants.
fn family(pid: u32) -> io::Result<Vec<u32>> {
    let mut parents: Vec<(u32, u32)> = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(member) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = fs::read_to_string(format!("/proc/{member}/stat")) else { continue };
        parents.extend(parent(&stat).map(|parent| (member, parent)));
    }
    let mut members = vec![pid];
    let mut next = 0;
    while let Some(&one) = members.get(next) {
        members
            .extend(parents.iter().filter(|(_, parent)| *parent == one).map(|(child, _)| *child));
        next += 1;
    }
    Ok(members)
}

/// Fourth field of `stat`; the name before it is in brackets and may hold anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_found_behind_a_name_with_brackets() {
        assert_eq!(parent("12 (a) b) S 7 12 12 0"), Some(7));
        assert_eq!(parent("garbage"), None);
    }

    #[test]
    fn resident_memory_is_in_bytes() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t    12 kB\nThreads:\t1\n"), 12_288);
        assert_eq!(resident("Name:\tx\n"), 0);
    }

    #[test]
    fn what_a_hypervisor_took_is_not_our_work() {
        let stat = "cpu  9 9 9 100 20 9 9 3 0 0\ncpu0 1\ncpu1 1\nintr 5\n";
        assert_eq!(idle_ticks(stat), Some((2, 123)));
        assert_eq!(idle_ticks("cpu  1 2\n"), None);
    }

    #[test]
    fn schedstat_is_nanoseconds_and_garbage_is_an_error() {
        assert_eq!(running_time("1500 2 3\n").unwrap(), Duration::from_nanos(1500));
        assert!(running_time("").is_err());
    }

    #[test]
    fn a_busy_child_is_counted_and_an_idle_one_is_not() {
        let run = |script: &str| {
            let mut child = std::process::Command::new("sh").args(["-c", script]).spawn().unwrap();
            thread::sleep(Duration::from_millis(50));
            let used = usage(child.id(), Duration::from_millis(400)).unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            used
        };
        let idle = run("exec sleep 5");
        assert!(idle.cpu_s_per_min < 1.0, "{idle:?}");
        assert!(idle.resident_bytes > 0);
        // No children, whose time would not count; the limit ends it should this test fail.
        let busy = run("ulimit -t 5; while :; do :; done");
        assert!(busy.cpu_s_per_min > 3.0, "{busy:?}");
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(usage(child.id(), Duration::ZERO).is_err());
    }
}
