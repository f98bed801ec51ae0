//! How often something is told one by one; what happens more often is counted.

use std::time::{Duration, Instant};

/// So many at once, then one each some seconds.
#[derive(Debug)]
pub(super) struct Limit {
    burst: f64,
    each_s: f64,
    left: f64,
    at: Instant,
    missed: u64,
}

impl Limit {
    /// `burst` at once, then one each `each_s` seconds.
    pub(super) fn new(burst: u32, each_s: u32, now: Instant) -> Limit {
        let (burst, each_s) = (f64::from(burst), f64::from(each_s));
        Limit { burst, each_s, left: burst, at: now, missed: 0 }
    }

    /// Whether one more may be told.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let since: Duration = now.saturating_duration_since(self.at);
        self.left = (self.left + since.as_secs_f64() / self.each_s).min(self.burst);
        self.at = self.at.max(now);
        let may = self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }

    /// So many were not told.
    pub(super) fn missed(&mut self, count: u32) {
        self.missed = self.missed.saturating_add(u64::from(count));
    }

    /// How many were not told since this was asked last.
    pub(super) fn take_missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }
}
