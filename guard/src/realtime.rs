//! Asks the system for what the beat thread needs: to run when it must, and never
//! to wait for memory. What cannot be had is told, and the guard goes on without.

use std::ffi::c_int;

use twinwall_core::api::Missing;

use crate::syscall::check;

/// Priority of the beat thread among realtime threads: above everything ordinary,
/// below the kernel's own watchdogs.
pub const BEAT_PRIORITY: i32 = 50;
/// Priority of the threads that the beat thread waits for: links, addresses, announcements.
pub const HELPER_PRIORITY: i32 = 40;
/// Stack of every thread but the first, in bytes. Locked memory makes all of it resident.
pub const STACK: usize = 192 * 1024;
/// Heaps of the allocator: one for each thread, so that the beat thread never waits
/// for a lock that another thread holds while it is kept from running.
const HEAPS: c_int = 8;

/// Puts the calling thread under realtime scheduling at this priority. Threads and
/// processes that it starts later are ordinary ones.
pub fn schedule(priority: i32) -> Option<Missing> {
    let parameter = libc::sched_param { sched_priority: priority };
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: the kernel reads `parameter`, which outlives the call.
    let error =
        check(unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) }).err()?;
    Some(Missing {
        name: "realtime".to_owned(),
        remedy: format!(
            "realtime scheduling was refused ({error}): under heavy load the guard may be late. \
             It needs CAP_SYS_NICE, and where the kernel groups realtime tasks, a group with a realtime share"
        ),
    })
}

/// Keeps the whole process in memory, now and later. Call it before other threads
/// are started: their stacks should be small ([`STACK`]).
pub fn lock_memory() -> Option<Missing> {
    // SAFETY: no pointer is passed.
    unsafe {
        // Three settings of the allocator; refused ones only cost memory or time.
        libc::mallopt(libc::M_ARENA_MAX, HEAPS);
        // Memory given back would have to be asked for again, under the kernel's lock.
        libc::mallopt(libc::M_TRIM_THRESHOLD, 16 << 20);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
    }
    if !may_lock() {
        return Some(unlocked("its limit on locked memory is too low"));
    }
    // SAFETY: no pointer is passed.
    let error = check(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) }).err()?;
    Some(unlocked(&error.to_string()))
}

fn unlocked(why: &str) -> Missing {
    Missing {
        name: "locked_memory".to_owned(),
        remedy: format!(
            "memory could not be locked ({why}): when memory runs short the guard may be late. \
             It needs CAP_IPC_LOCK, or LimitMEMLOCK=infinity in its unit"
        ),
    }
}

/// Whether locking would last. Under a small limit it succeeds at first, and then
/// every later allocation beyond the limit fails: worse than no lock.
fn may_lock() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes to `limit`, which outlives the call.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } == 0;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    known && limit.rlim_cur == libc::RLIM_INFINITY || has_lock_capability(&status)
}

/// Reads the effective capabilities in the text of `/proc/self/status`.
fn has_lock_capability(status: &str) -> bool {
    const CAP_IPC_LOCK: u64 = 1 << 14;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .is_some_and(|set| set & CAP_IPC_LOCK != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_impossible_priority_is_told_with_its_remedy() {
        let missing = schedule(1000).unwrap();
        assert_eq!(missing.name, "realtime");
        assert!(missing.remedy.contains("CAP_SYS_NICE"), "{}", missing.remedy);
    }

    #[test]
    fn a_realtime_thread_starts_ordinary_ones() {
        let child = std::thread::spawn(|| {
            assert_eq!(schedule(HELPER_PRIORITY), None);
            // SAFETY: no pointer is passed.
            let own = unsafe { libc::sched_getscheduler(0) };
            // SAFETY: as above.
            let child = std::thread::spawn(|| unsafe { libc::sched_getscheduler(0) });
            (own, child.join().unwrap())
        });
        let (own, child) = child.join().unwrap();
        assert_eq!(own & !libc::SCHED_RESET_ON_FORK, libc::SCHED_RR);
        assert_eq!(child, libc::SCHED_OTHER);
    }

    #[test]
    fn the_capability_to_lock_is_read_from_the_effective_set() {
        assert!(has_lock_capability("Name:\tx\nCapPrm:\t0\nCapEff:\t0000000000004000\n"));
        assert!(!has_lock_capability("CapPrm:\t0000000000004000\nCapEff:\t0000000000003fff\n"));
        assert!(!has_lock_capability("CapEff:\tall\n") && !has_lock_capability(""));
    }
}
