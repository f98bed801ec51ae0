//! How fast logs may go, so that a day's worth of them that waited never fills the HA link:
//! flows, configuration and heartbeats have it first. A bucket of bytes; `now` is an argument.

use std::time::{Duration, Instant};

/// The bucket holds what comes in so long a time: short, so that what goes at once is little.
const BURST: Duration = Duration::from_millis(50);

/// See the module.
#[derive(Debug)]
pub(super) struct Rate {
    bytes_per_second: f64,
    /// Bytes that may go now; below zero after a message that was larger.
    room: f64,
    at: Instant,
}

impl Rate {
    pub(super) fn new(bytes_per_second: u64, now: Instant) -> Rate {
        Rate { bytes_per_second: bytes_per_second as f64, room: 0.0, at: now }
    }

    /// Takes room for a message that goes now.
    pub(super) fn take(&mut self, bytes: usize, now: Instant) {
        self.fill(now);
        self.room -= bytes as f64;
    }

    /// How long until the next may go; zero for now.
    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        self.fill(now);
        Duration::try_from_secs_f64(-self.room / self.bytes_per_second).unwrap_or(Duration::ZERO)
    }

    fn fill(&mut self, now: Instant) {
        let more = now.saturating_duration_since(self.at).as_secs_f64() * self.bytes_per_second;
        let most = BURST.as_secs_f64() * self.bytes_per_second;
        (self.room, self.at) = ((self.room + more).min(most), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_rate_goes_and_no_less() {
        let start = Instant::now();
        let mut rate = Rate::new(1_000_000, start);
        let (mut now, mut sent) = (start, 0);
        while now < start + Duration::from_secs(10) {
            let wait = rate.wait(now);
            if wait.is_zero() {
                rate.take(30_000, now);
                sent += 30_000;
            }
            now += wait.max(Duration::from_micros(10));
        }
        assert!((9_900_000..=10_100_000).contains(&sent), "{sent}");
        // What did not go earlier does not go at once later.
        now += Duration::from_secs(100);
        assert!(rate.wait(now).is_zero());
        rate.take(60_000, now);
        assert!(!rate.wait(now).is_zero());
    }
}
