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

/// A moment as logs write it (RFC 3339): 2026-11-29T16:12:29.250000Z.
pub fn utc(unix_us: u64) -> String {
    let (year, month, day) = date(unix_us / 86_400_000_000);
    let (seconds, us) = (unix_us / 1_000_000, unix_us % 1_000_000);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{us:06}Z")
}

/// Year, month and day of a day since 1970 in the Gregorian calendar, counted in eras of 400 years from
/// a first of March.
pub fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let in_year = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// How far another node's clock must be away that said `said_ms`: it was read between a
/// question, asked at `asked_ms` of this clock, and its answer.
pub fn difference(asked_ms: u64, took: Duration, said_ms: u64) -> Duration {
    let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let answered_ms = asked_ms.saturating_add(took);
    let before = asked_ms.saturating_sub(said_ms);
    Duration::from_millis(before.max(said_ms.saturating_sub(answered_ms)))
}

/// By how many seconds this machine's local time was, or will be, ahead of UTC at a second since
/// 1970; 0 where nobody knows.
pub fn local_offset_s(unix_s: u64) -> i32 {
    let seconds = libc::time_t::try_from(unix_s).unwrap_or_default();
    // SAFETY: both pointers are to locals; a failed call leaves the zeroed value.
    let offset = unsafe {
        let mut time: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const seconds, &raw mut time);
        time.tm_gmtoff
    };
    i32::try_from(offset).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_within_a_day_and_in_full_minutes() {
        let offset = local_offset_s(1_796_032_800);
        assert!(offset.abs() <= 14 * 3_600 && offset % 60 == 0, "{offset}");
    }

    #[test]
    fn a_clock_differs_only_by_what_the_way_of_the_question_cannot_explain() {
        let took = Duration::from_millis(400);
        for (said, wanted) in [(1_000, 0), (1_400, 0), (1_401, 1), (999, 1), (0, 1_000)] {
            assert_eq!(difference(1_000, took, said), Duration::from_millis(wanted), "{said}");
        }
    }
}
