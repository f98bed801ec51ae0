//! The time at the beginning of a line: RFC 3339 and its relatives, the syslog of RFC 3164 and
//! RFC 5424, the C library's way, and seconds since 1970. Used by the reader of lines. A time
//! without a zone is the local time of the node that wrote it.

/// Microseconds of a second.
const SECOND_US: u64 = 1_000_000;
const DAY_S: i64 = 86_400;
/// A line without a year was written at the latest so long after it was read: clocks differ, and
/// a zone may have been changed.
const AHEAD_S: i64 = DAY_S;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A time on the calendar, without a zone.
#[derive(Clone, Copy, Debug)]
struct Calendar {
    year: i64,
    month: u32,
    day: u32,
    of_day: OfDay,
}

#[derive(Clone, Copy, Debug)]
struct OfDay {
    second: i64,
    us: u64,
}

/// The time, in microseconds since 1970 (UTC), and what stands behind it; all of the line where
/// it begins with none.
pub(super) fn split(line: &str, read_us: u64, zone_s: i32) -> (Option<u64>, &str) {
    let text = without_priority(line.trim_ascii_start());
    let found = iso(text, zone_s)
        .or_else(|| syslog(text, read_us, zone_s))
        .or_else(|| since_1970(text))
        .or_else(|| c_library(text, zone_s));
    match found {
        Some((at_us, rest)) => (Some(at_us), rest),
        None => (None, text),
    }
}

/// Without `<30>` of RFC 3164, and `<30>1 ` of RFC 5424.
fn without_priority(text: &str) -> &str {
    let Some((number, rest)) = text.strip_prefix('<').and_then(|it| it.split_once('>')) else {
        return text;
    };
    let good = (1..=3).contains(&number.len()) && number.bytes().all(|it| it.is_ascii_digit());
    if good { rest.strip_prefix("1 ").unwrap_or(rest) } else { text }
}

/// `2026-11-30T10:00:00.123456+01:00`, with a blank in place of the T, with or without fraction
/// and zone.
fn iso(text: &str, zone_s: i32) -> Option<(u64, &str)> {
    let bracketed = text.strip_prefix('[');
    let (date, rest) = bracketed.unwrap_or(text).split_at_checked(10)?;
    let mut parts = date.split('-');
    let year = digits(parts.next()?, 4)?.into();
    let (month, day) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() {
        return None;
    }
    let (of_day, rest) = of_day(rest.strip_prefix(['T', ' '])?)?;
    let (zone, rest) = zone(rest).unwrap_or((zone_s.into(), rest));
    let at = Calendar { year, month, day, of_day };
    let rest = if bracketed.is_some() { rest.strip_prefix(']')? } else { rest };
    Some((at.unix_us(zone)?, rest))
}

/// `Nov 30 10:00:00`: the year is the one in which the line was read, or the one before.
fn syslog(text: &str, read_us: u64, zone_s: i32) -> Option<(u64, &str)> {
    let (month, rest) = month(text)?;
    let (day, of_day, rest) = day_and_time(rest)?;
    let read_s = i64::try_from(read_us / SECOND_US).ok()?;
    let year = year_of(read_s.checked_add(zone_s.into())?);
    let written = |year| Calendar { year, month, day, of_day }.unix_us(zone_s.into());
    let ahead = |at: &u64| i64::try_from(*at / SECOND_US).is_ok_and(|it| it > read_s + AHEAD_S);
    let this_year = written(year).filter(|at| !ahead(at));
    // A leap day is in one of them only.
    Some((this_year.or_else(|| written(year - 1))?, rest))
}

/// `Mon Nov 30 10:00:00 2026`.
fn c_library(text: &str, zone_s: i32) -> Option<(u64, &str)> {
    let (weekday, rest) = text.split_at_checked(3)?;
    let (month, rest) = month(rest.strip_prefix(' ').filter(|_| WEEKDAYS.contains(&weekday))?)?;
    let (day, of_day, rest) = day_and_time(rest)?;
    let (year, rest) = rest.strip_prefix(' ')?.split_at_checked(4)?;
    let at = Calendar { year: digits(year, 4)?.into(), month, day, of_day };
    Some((at.unix_us(zone_s.into())?, rest))
}

/// `1796003549.123`, as proxies write it.
fn since_1970(text: &str) -> Option<(u64, &str)> {
    let bracketed = text.strip_prefix('[');
    let (seconds, rest) = bracketed.unwrap_or(text).split_at_checked(10)?;
    let seconds = digits(seconds, 10)?;
    let (us, rest) = fraction(rest);
    let rest = if bracketed.is_some() { rest.strip_prefix(']')? } else { rest };
    let ends = rest.is_empty() || rest.starts_with([' ', '\t', ':']);
    ends.then_some((u64::from(seconds) * SECOND_US + us, rest))
}

fn month(text: &str) -> Option<(u32, &str)> {
    let (name, rest) = text.split_at_checked(3)?;
    let at = MONTHS.iter().position(|it| *it == name)?;
    Some((u32::try_from(at).ok()? + 1, rest.strip_prefix(' ')?))
}

/// `30 10:00:00`, and ` 3 10:00:00`.
fn day_and_time(text: &str) -> Option<(u32, OfDay, &str)> {
    let (day, rest) = text.trim_ascii_start().split_once(' ')?;
    let day = digits(day, day.len()).filter(|_| day.len() <= 2)?;
    let (of_day, rest) = of_day(rest)?;
    Some((day, of_day, rest))
}

/// `10:00:00`, with or without a fraction.
fn of_day(text: &str) -> Option<(OfDay, &str)> {
    let (time, rest) = text.split_at_checked(8)?;
    let mut parts = time.split(':');
    let mut part = |most: u32| digits(parts.next()?, 2).filter(|it| *it <= most);
    let (hour, minute, second) = (part(23)?, part(59)?, part(60)?);
    let (us, rest) = fraction(rest);
    let second = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    Some((OfDay { second, us }, rest))
}

/// `.123456` or `,123`; what is finer than a microsecond is dropped.
fn fraction(text: &str) -> (u64, &str) {
    let Some(behind) = text.strip_prefix(['.', ',']) else { return (0, text) };
    let end = behind.find(|it: char| !it.is_ascii_digit()).unwrap_or(behind.len());
    if end == 0 {
        return (0, text);
    }
    let us = behind.bytes().take(end).chain(std::iter::repeat(b'0')).take(6);
    let us = us.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    (us, &behind[end..])
}

/// `Z`, `+01:00` or `+0100`, in seconds.
fn zone(text: &str) -> Option<(i64, &str)> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some((0, rest));
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = text[1..].split_at_checked(2)?;
    let (minutes, rest) = rest.strip_prefix(':').unwrap_or(rest).split_at_checked(2)?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    Some((sign * (i64::from(hours) * 3_600 + i64::from(minutes) * 60), rest))
}

fn digits(text: &str, count: usize) -> Option<u32> {
    let good = text.len() == count && text.bytes().all(|it| it.is_ascii_digit());
    good.then(|| text.parse().ok())?
}

impl Calendar {
    fn unix_us(&self, zone_s: i64) -> Option<u64> {
        let days = days_since_1970(self.year, self.month, self.day)?;
        let seconds = days * DAY_S + self.of_day.second - zone_s;
        u64::try_from(seconds).ok()?.checked_mul(SECOND_US)?.checked_add(self.of_day.us)
    }
}

/// The days from 1970 to a date of the Gregorian calendar, counted in eras of 400 years from a
/// first of March; none for a day that is not in it.
pub fn days_since_1970(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) || !(0..=9_999).contains(&year) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let march_month = i64::from((month + 9) % 12);
    let in_year = (153 * march_month + 2) / 5 + i64::from(day) - 1;
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + in_year - 719_468)
}

/// The year in which a second since 1970 lies.
fn year_of(unix_s: i64) -> i64 {
    let days = unix_s.div_euclid(DAY_S);
    let guess = 1970 + days.div_euclid(366);
    let begins = |year: &i64| days_since_1970(*year, 1, 1).is_some_and(|first| first <= days);
    // The guess is too low by a day for each year that has none.
    (guess..guess + 30).take_while(begins).last().unwrap_or(guess)
}
