//! The world's time and the clocks of its machines, which start anywhere and
//! run a little fast or slow.

use std::time::Duration;

use twinwall_core::time::Moment;

/// The world's own time in nanoseconds since the run began. No core ever sees it.
pub(crate) type Time = u64;

/// Nanoseconds of `span`.
pub(crate) fn nanos(span: Duration) -> Time {
    span.as_nanos() as Time
}

/// Nanoseconds of `millis`.
pub(crate) const fn ms(millis: u64) -> Time {
    millis * 1_000_000
}

/// Nanoseconds of `micros`.
pub(crate) const fn us(micros: u64) -> Time {
    micros * 1_000
}

/// A machine's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Clock {
    /// What it shows when the world begins.
    pub(crate) offset: Time,
    /// How much too fast it runs, in millionths; negative when slow.
    pub(crate) drift_ppm: i64,
}

impl Clock {
    /// What the clock shows at `time`.
    pub(crate) fn read(&self, time: Time) -> Moment {
        let gained = i128::from(time) * i128::from(self.drift_ppm) / 1_000_000;
        Moment::from_nanos((i128::from(self.offset) + i128::from(time) + gained) as u64)
    }

    /// The first time at which the clock shows `moment` or more.
    pub(crate) fn when(&self, moment: Moment) -> Time {
        // `NEVER`, or a span before it.
        if moment.as_nanos() > 1 << 62 {
            return Time::MAX;
        }
        let shown = i128::from(moment.as_nanos()) - i128::from(self.offset);
        let mut time =
            (shown * 1_000_000 / (1_000_000 + i128::from(self.drift_ppm))).max(0) as Time;
        while self.read(time) < moment {
            time += 1;
        }
        time
    }

    /// How long `span` of this clock is in the world's time.
    pub(crate) fn stretch(&self, span: Duration) -> Time {
        (i128::from(nanos(span)) * 1_000_000 / (1_000_000 + i128::from(self.drift_ppm))) as Time
    }
}
