//! Time for the probe threads, beyond [`crate::clock`]: absolute sleeps, realtime
//! priority, kernel receive times turned into moments.
//!
//! Called by every thread of [`super`]. Never used by the products under test.

use std::time::Duration;

use twinwall_core::time::Moment;

use crate::clock::now;

/// Realtime priority of senders and receivers: above ordinary load, so that CPU
/// hogs do not look like an outage, and below a guard (50) or keepalived, which
/// must never wait for a probe.
pub const PROBE_PRIORITY: i32 = 10;
/// The echoing server: above the senders, so that an answer never waits for
/// the next question.
pub const ECHO_PRIORITY: i32 = 11;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

fn wall_time() -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec that outlives the call; the clock
    // exists on every Linux, so the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut time) };
    time
}

fn nanos_of(time: &libc::timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds * NANOS_PER_SECOND + nanos
}

/// Sleeps until `wake`; returns at once when it has passed.
pub fn sleep_until(wake: Moment) {
    let nanos = wake.as_nanos();
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(nanos / NANOS_PER_SECOND).unwrap_or(libc::time_t::MAX),
        tv_nsec: (nanos % NANOS_PER_SECOND) as libc::c_long,
    };
    // SAFETY: `time` is valid and the remainder pointer may be null for absolute sleeps.
    while unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &time,
            std::ptr::null_mut(),
        )
    } == libc::EINTR
    {}
}

/// Gives the calling thread round-robin realtime priority. `false` when the
/// system refuses; the probes then run at ordinary priority and their floor is higher.
pub fn go_realtime(priority: i32) -> bool {
    let parameter = libc::sched_param { sched_priority: priority };
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: 0 is the calling thread, `parameter` outlives the call.
    unsafe { libc::sched_setscheduler(0, policy, &parameter) == 0 }
}

/// Turns the kernel's receive times (`CLOCK_REALTIME`) into moments. Made anew
/// for each batch, so that a stepped wall clock spoils one batch at the most.
#[derive(Clone, Copy, Debug)]
pub(super) struct WallClock {
    ahead_nanos: u64,
}

impl WallClock {
    /// Reads both clocks.
    pub(super) fn sample() -> WallClock {
        let wall = nanos_of(&wall_time());
        WallClock { ahead_nanos: wall.saturating_sub(now().as_nanos()) }
    }

    /// The moment of a wall-clock time.
    pub(super) fn moment(self, time: &libc::timespec) -> Moment {
        Moment::from_nanos(nanos_of(time).saturating_sub(self.ahead_nanos))
    }
}

/// The span from one probe to the next at `rate` probes a second.
pub(super) fn spacing(rate: u32) -> Duration {
    Duration::from_nanos(NANOS_PER_SECOND / u64::from(rate.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_never_ends_early() {
        let wake = now() + Duration::from_millis(3);
        sleep_until(wake);
        assert!(now() >= wake);
    }

    #[test]
    fn wall_time_of_now_is_now() {
        let clock = WallClock::sample();
        let before = now();
        let moment = clock.moment(&wall_time());
        assert!(moment + Duration::from_millis(1) >= before);
        assert!(moment.since(now()) < Duration::from_millis(1));
    }
}
