//! A moment as SNMP writes it: DateAndTime (RFC 2579), always in UTC. Pure.

use crate::agent::snmp::value::Value;

/// Stands where a moment is not known.
const UNKNOWN: [u8; 8] = [0; 8];
const DAY_S: u64 = 86_400;

/// Milliseconds since 1970 (UTC) as DateAndTime; zeroes where there is none.
pub(super) fn date_and_time(unix_ms: Option<u64>) -> Value {
    let Some(unix_ms) = unix_ms else { return Value::Bytes(UNKNOWN.to_vec()) };
    let (seconds, deci) = (unix_ms / 1000, (unix_ms % 1000 / 100) as u8);
    let (year, month, day) = date(seconds / DAY_S);
    let within = seconds % DAY_S;
    let [high, low] = year.to_be_bytes();
    let clock = [(within / 3600) as u8, (within / 60 % 60) as u8, (within % 60) as u8];
    let [hour, minute, second] = clock;
    Value::Bytes(vec![high, low, month, day, hour, minute, second, deci, b'+', 0, 0])
}

/// Year, month and day of a day since 1970-01-01. Counts from a 1st of March, so that the day
/// that leap years add is the last of its year (days of the proleptic Gregorian calendar
/// repeat every 400 years: 146,097 of them).
fn date(day: u64) -> (u16, u8, u8) {
    /// Days from 0000-03-01 to 1970-01-01.
    const TO_1970: u64 = 719_468;
    const OF_400_YEARS: u64 = 146_097;
    let day = day + TO_1970;
    let era = day / OF_400_YEARS;
    let of_era = day % OF_400_YEARS;
    let year_of_era =
        (of_era - of_era / 1460 + of_era / 36_524 - of_era / (OF_400_YEARS - 1)) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (u16::try_from(year).unwrap_or(u16::MAX), month as u8, day as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (unix_ms, bytes) in [
            (0, [7, 178, 1, 1, 0, 0, 0, 0]),
            (951_782_400_000, [7, 208, 2, 29, 0, 0, 0, 0]),
            (1_709_251_199_900, [7, 232, 2, 29, 23, 59, 59, 9]),
            (4_102_444_800_000, [8, 52, 1, 1, 0, 0, 0, 0]),
        ] {
            let mut expected = bytes.to_vec();
            expected.extend([b'+', 0, 0]);
            assert_eq!(date_and_time(Some(unix_ms)), Value::Bytes(expected), "{unix_ms}");
        }
        assert_eq!(date_and_time(None), Value::Bytes(vec![0; 8]));
    }
}
