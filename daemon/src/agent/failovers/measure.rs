//! How far the clocks of the two nodes are apart: a short question over the control stream,
//! several times; the quickest answer tells most exactly.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::time::Moment;

use crate::agent::calls::{Call, Reply};
use crate::agent::clock::unix_us;
use crate::agent::node::Node;

/// Questions for one measurement.
const QUESTIONS: usize = 12;
/// How long an answer may take to be of use.
const PATIENCE: Duration = Duration::from_millis(500);

/// The other node's clock against this one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Clock {
    /// Microseconds by which it is ahead.
    pub ahead_us: i64,
    /// By how many microseconds that may be wrong: half of the way there and back.
    pub error_us: u64,
    /// When it was measured, in microseconds since 1970 (UTC) on this node's clock.
    pub at_us: u64,
}

impl Clock {
    /// From a question asked at `asked` and answered at `answered`, when the other clock
    /// showed `said`, all in microseconds since 1970.
    fn of(asked: u64, said: u64, answered: u64) -> Clock {
        let way = answered.saturating_sub(asked);
        let middle = asked + way / 2;
        let ahead_us = i64::try_from(said).unwrap_or(i64::MAX).saturating_sub_unsigned(middle);
        Clock { ahead_us, error_us: way.div_ceil(2), at_us: answered }
    }

    /// A moment of the other node's clock on this one's.
    pub(super) fn here(self, there_us: u64) -> i64 {
        i64::try_from(there_us).unwrap_or(i64::MAX).saturating_sub(self.ahead_us)
    }
}

/// Asks the other node; none when it does not answer.
pub(super) async fn measure(node: &Node) -> Option<Clock> {
    let mut best: Option<Clock> = None;
    for _ in 0..QUESTIONS {
        let asked = unix_us();
        let Ok(Reply::Clock { unix_us: said }) = node.calls().call(Call::Clock {}, PATIENCE).await
        else {
            continue;
        };
        let clock = Clock::of(asked, said, unix_us());
        if best.is_none_or(|best| clock.error_us < best.error_us) {
            best = Some(clock);
        }
    }
    best
}

/// Now on the clock that the guard's moments are of (`CLOCK_MONOTONIC`).
pub(in crate::agent) fn monotonic() -> Moment {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(now.tv_nsec).unwrap_or_default();
    Moment::from_nanos(seconds * 1_000_000_000 + nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_the_way_is_what_the_other_clock_is_compared_with() {
        let clock = Clock::of(1_000, 5_200, 1_400);
        assert_eq!((clock.ahead_us, clock.error_us), (4_000, 200));
        assert_eq!(clock.here(5_200), 1_200);
        assert_eq!(Clock::of(9_000, 5_000, 9_001).ahead_us, -4_000);
    }
}
