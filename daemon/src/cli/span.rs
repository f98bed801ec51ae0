//! Spans of time as people write them on a command line. Used by the definition of the
//! command line alone.

use std::time::Duration;

/// The longest time that an order or a fact may hold.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Reads `2h`, `1h30m`, `45s`, `500ms`, `1.5h`; a bare number means seconds.
pub(crate) fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a time; write it as 2h, 30m, 45s or 1h30m");
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let seconds = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            // A bare number stands alone.
            "" if rest.len() == text.len() => 1.0,
            "m" | "min" => 60.0,
            "h" => 3_600.0,
            "d" => 86_400.0,
            _ => return Err(wrong()),
        };
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = tail;
    }
    if total.is_zero() || total > LONGEST {
        return Err(format!(
            "'{text}' is out of range; more than 0 and at most {} days",
            LONGEST.as_secs() / 86_400
        ));
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let cases = [
            ("2h", 7_200_000),
            ("1h30m", 5_400_000),
            ("45s", 45_000),
            ("500ms", 500),
            ("1.5h", 5_400_000),
            ("7", 7_000),
            ("30min", 1_800_000),
        ];
        for (text, millis) in cases {
            assert_eq!(parse_span(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["", "h", "2x", "-1s", "0s", "31d", "1h30", "1..5s", "2 h", "9999999999999999999999h"]
        {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }
}
