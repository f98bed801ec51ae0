//! The wall clock, for what people and histories are told. Nothing is ever decided by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 (UTC); 0 on a machine whose clock is before that.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Microseconds since 1970 (UTC); 0 on a machine whose clock is before that.
pub fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// How far another node's clock must be away that said `said_ms`: it was read between a
/// question, asked at `asked_ms` of this clock, and its answer.
pub fn difference(asked_ms: u64, took: Duration, said_ms: u64) -> Duration {
    let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let answered_ms = asked_ms.saturating_add(took);
    let before = asked_ms.saturating_sub(said_ms);
    Duration::from_millis(before.max(said_ms.saturating_sub(answered_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_differs_only_by_what_the_way_of_the_question_cannot_explain() {
        let took = Duration::from_millis(400);
        for (said, wanted) in [(1_000, 0), (1_400, 0), (1_401, 1), (999, 1), (0, 1_000)] {
            assert_eq!(difference(1_000, took, said), Duration::from_millis(wanted), "{said}");
        }
    }
}
