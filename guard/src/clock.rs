//! The clock that the core is fed from: `CLOCK_MONOTONIC`, and wall time for people.

use std::time::{SystemTime, UNIX_EPOCH};

use twinwall_core::time::Moment;

/// Now on this node's monotonic clock. A system call without a lock (vDSO).
pub fn now() -> Moment {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    Moment::from_nanos(time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs())
}

/// Milliseconds since 1970; 0 when the wall clock is set before that.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
