//! The command of the logs, and moments as people write them. Used by the definition of the command
//! line alone.

use std::time::Duration;

use clap::Args;
use twinwall::agent::clock::{date, local_offset_s, unix_ms};
use twinwall::agent::logs::parse;

use super::span::parse_span;

#[derive(Args)]
pub(crate) struct LogsArgs {
    /// Only of this node: here, there, or its name
    #[arg(long, value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// Only of this source; more than once for several
    #[arg(long, value_name = "NAME")]
    pub(crate) source: Vec<String>,
    /// Only from then on: a time as 2h for so long ago, or a moment as '2026-11-30 10:00'
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    pub(crate) since: Option<u64>,
    /// Only up to then, as --since
    #[arg(long, value_name = "TIME", value_parser = parse_moment, conflicts_with = "follow")]
    pub(crate) until: Option<u64>,
    /// Only lines with this text, in large or small letters
    #[arg(long, value_name = "TEXT")]
    pub(crate) text: Option<String>,
    /// Only lines in which this regular expression finds something; (?i) before it ignores case
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) grep: Option<String>,
    /// Show only the last N lines; without this the last 100, or with --since all of them
    #[arg(long, short = 'n', value_name = "N", value_parser = super::parse_count)]
    pub(crate) last: Option<usize>,
    /// Go on and show each line as it comes
    #[arg(long)]
    pub(crate) follow: bool,
    /// Show which sources there are, and how far the other node's logs are here
    #[arg(long, conflicts_with = "follow")]
    pub(crate) sources: bool,
    /// Print JSON, one line of a log a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Milliseconds since 1970 (UTC) of a moment, or of one so long ago.
fn parse_moment(text: &str) -> Result<u64, String> {
    moment(text, unix_ms(), local_offset_s)
}

fn moment(text: &str, now_ms: u64, offset_s: impl Fn(u64) -> i32) -> Result<u64, String> {
    if let Ok(ago) = parse_span(text) {
        return Ok(before(now_ms, ago));
    }
    let text = text.trim();
    let wrong = || {
        format!(
            "'{text}' is no time; write it as 2h, as 10:00, or as '2026-11-30 10:00' in local time"
        )
    };
    let offset_ms = i64::from(offset_s(now_ms / 1_000)) * 1_000;
    let (year, month, day) = date(now_ms.saturating_add_signed(offset_ms) / 86_400_000);
    let whole = match (text.len(), text.as_bytes().get(2)) {
        (5 | 8, Some(b':')) => format!("{year:04}-{month:02}-{day:02} {text}"),
        _ => text.to_owned(),
    };
    let whole = match whole.len() {
        10 => format!("{whole} 00:00:00"),
        16 => format!("{whole}:00"),
        _ => whole,
    };
    if !whole.starts_with(|it: char| it.is_ascii_digit()) || !whole.contains(':') {
        return Err(wrong());
    }
    let written = |zone_s| {
        let found = parse::written(&whole, now_ms.saturating_mul(1_000), zone_s);
        found.filter(|(_, length)| *length == whole.len()).map(|(at_us, _)| at_us / 1_000)
    };
    // The zone of that moment may be another than that of today.
    let near = written(offset_s(now_ms / 1_000)).ok_or_else(wrong)?;
    written(offset_s(near / 1_000)).ok_or_else(wrong)
}

fn before(now_ms: u64, ago: Duration) -> u64 {
    now_ms.saturating_sub(u64::try_from(ago.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-30 10:00:05 UTC.
    const NOW_MS: u64 = 1_796_032_805_000;

    /// An hour ahead in winter, two in summer.
    fn offset_s(unix_s: u64) -> i32 {
        // 2026-10-25 01:00 UTC.
        if unix_s < 1_792_890_000 { 7_200 } else { 3_600 }
    }

    #[test]
    fn moments_are_read_as_people_write_them() {
        let ten = NOW_MS - 5_000;
        for (text, wanted) in [
            ("2h", NOW_MS - 7_200_000),
            ("90s", NOW_MS - 90_000),
            ("11:00", ten),
            ("11:00:05", NOW_MS),
            ("2026-11-30 11:00", ten),
            ("2026-11-30 11:00:05", NOW_MS),
            ("2026-11-30T11:00:05.250", NOW_MS + 250),
            ("2026-11-30T10:00:05Z", NOW_MS),
            ("2026-11-30", ten - 11 * 3_600_000),
            ("2026-10-25 00:00", 1_792_879_200_000),
        ] {
            assert_eq!(moment(text, NOW_MS, offset_s), Ok(wanted), "{text}");
        }
        for text in
            ["", "yesterday", "25:00", "2026-13-01", "2026-11-30 11:00 x", "Nov 30 11:00:00"]
        {
            assert!(moment(text, NOW_MS, offset_s).is_err(), "{text}");
        }
    }
}
