//! A month of the calendar, in UTC.

use std::fmt;
use std::str::FromStr;

use crate::agent::clock::date;

/// Milliseconds of a day.
pub(super) const DAY_MS: u64 = 86_400_000;

/// A month, as `2026-11`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: u64,
    /// From 1.
    month: u64,
}

impl Month {
    /// The one that this moment is in (milliseconds since 1970).
    pub fn of(unix_ms: u64) -> Month {
        let (year, month, _) = date(unix_ms / DAY_MS);
        Month { year, month }
    }

    /// Its first moment, and the first one after it, in milliseconds since 1970.
    pub fn bounds(self) -> (u64, u64) {
        (self.begin_ms(), self.next().begin_ms())
    }

    /// The one after it.
    pub fn next(self) -> Month {
        match self.month {
            12 => Month { year: self.year + 1, month: 1 },
            month => Month { month: month + 1, ..self },
        }
    }

    /// Days since 1970 of its first day in the Gregorian calendar, counted from a first of March
    /// as [`date`] does.
    fn begin_ms(self) -> u64 {
        let year = if self.month > 2 { self.year } else { self.year - 1 };
        let march_month = (self.month + 9) % 12;
        let (era, in_era) = (year / 400, year % 400);
        let in_year = (153 * march_month + 2) / 5;
        let days = era * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year;
        (days - 719_468) * DAY_MS
    }
}

impl fmt::Display for Month {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Month, String> {
        let wrong = || format!("'{text}' is no month; write it as 2026-11");
        let (year, month) = text.split_once('-').ok_or_else(wrong)?;
        let plain = |text: &str, length| {
            text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !plain(year, 4) || !plain(month, 2) {
            return Err(wrong());
        }
        let (year, month) =
            (year.parse().map_err(|_| wrong())?, month.parse().map_err(|_| wrong())?);
        // Nothing was recorded before the epoch of all moments here.
        let good = (1970..=9998).contains(&year) && (1..=12).contains(&month);
        if good { Ok(Month { year, month }) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::moment::Moment;

    #[test]
    fn a_month_has_all_moments_from_its_first_to_the_next_one() {
        for (text, first) in [
            ("1970-01", "1970-01-01 00:00:00 UTC"),
            ("2000-02", "2000-02-01 00:00:00 UTC"),
            ("2024-03", "2024-03-01 00:00:00 UTC"),
            ("2026-12", "2026-12-01 00:00:00 UTC"),
            ("2100-03", "2100-03-01 00:00:00 UTC"),
        ] {
            let month: Month = text.parse().expect("a month");
            let (begin, end) = month.bounds();
            assert_eq!(
                (Moment::of(begin).text.as_str(), month.to_string().as_str()),
                (first, text)
            );
            assert_eq!(
                (Month::of(begin), Month::of(end - 1), Month::of(end)),
                (month, month, month.next())
            );
        }
    }

    #[test]
    fn what_is_no_month_is_refused() {
        for text in ["", "2026", "2026-13", "2026-00", "26-01", "2026-1", "+026-01", "1969-12"] {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }
}
