//! Moments as people read them: exact and in UTC. Pages mark them, so that the script puts them
//! into the viewer's own time zone; reports that leave the machine show them as they are. Called
//! by whoever shows a moment; it never reads a clock.

/// A moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// For programs: 2026-11-29T16:12:29.250Z.
    pub iso: String,
    /// For people: 2026-11-29 16:12:29 UTC.
    pub text: String,
}

impl Moment {
    /// From milliseconds since 1970 (UTC).
    pub fn of(unix_ms: u64) -> Moment {
        let (days, ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
        let (year, month, day) = date(days);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        let date = format!("{year:04}-{month:02}-{day:02}");
        let time = format!("{hour:02}:{minute:02}:{second:02}");
        let iso = format!("{date}T{time}.{:03}Z", ms % 1000);
        Moment { iso, text: format!("{date} {time} UTC") }
    }
}

/// The date of a day since 1970 in the Gregorian calendar, counted in eras of 400 years from
/// a first of March.
pub(in crate::agent) fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let in_year = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (ms, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00:00 UTC"),
            (1_709_164_799_999, "2024-02-28 23:59:59 UTC"),
            (1_709_164_800_000, "2024-02-29 00:00:00 UTC"),
            (1_796_003_549_250, "2026-11-30 01:52:29 UTC"),
            (4_102_444_800_000, "2100-01-01 00:00:00 UTC"),
            (4_107_542_400_000, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(Moment::of(ms).text, text, "{ms}");
        }
        assert_eq!(Moment::of(1_709_164_799_999).iso, "2024-02-28T23:59:59.999Z");
    }
}
