//! The lab's clock: `CLOCK_MONOTONIC`, the same that every guard on this machine
//! stamps its events with, so that all moments of a run can be compared.

use twinwall_core::time::Moment;

/// Now.
pub fn now() -> Moment {
    let mut spec = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `spec` is valid for writing; the clock id is a constant every Linux knows.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut spec) };
    assert_eq!(failed, 0, "Linux always has CLOCK_MONOTONIC");
    let (seconds, nanos) = (spec.tv_sec.unsigned_abs(), spec.tv_nsec.unsigned_abs());
    Moment::from_nanos(seconds * 1_000_000_000 + nanos)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    #[test]
    fn the_clock_counts_real_time() {
        let before = super::now();
        std::thread::sleep(Duration::from_millis(20));
        let passed = super::now().since(before);
        assert!(passed >= Duration::from_millis(20), "{passed:?}");
        assert!(passed < Duration::from_secs(5), "{passed:?}");
    }
}
