//! Looks through the kept logs of both nodes: a page of them, back in time, and what comes. Called
//! by the API for page and command. It reads files, on threads that may wait; each question has
//! bounds on its work and its answer, and says where to go on.

mod back;
mod cursor;
mod filter;
mod follow;
mod missing;
mod pace;
mod seek;
mod show;
#[cfg(test)]
mod tests;
mod when;

use std::io;
use std::sync::Weak;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::store::Reader;
use crate::agent::api::error::Refusal;
use back::Work;
pub use cursor::Cursor;
use cursor::Place;
use filter::{Filter, wrong};
pub use filter::{MAX_PATTERN, MAX_SOURCES};
pub use follow::{Follow, LogNews};
use missing::Behind;
pub use missing::MissingLines;
use pace::Pace;
pub use show::{Hints, LogLine, Names};
use when::{LATE_US, Placing};

/// Lines of a page, where nothing else is asked for.
pub const PAGE: usize = 100;
/// Lines of a page at the most.
pub const MAX_PAGE: usize = 1_000;
/// Bytes of a page's lines at the most, and one line more: as JSON they may be six times as long,
/// and the console reads 8 MiB.
const MAX_BYTES: usize = 768 << 10;
/// Lines that one search looks at: what is wanted seldom is looked for page by page.
const MAX_LOOKED: usize = 500_000;
/// How long it may take.
const MAX_TIME: Duration = Duration::from_secs(2);

/// Which lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogsAsk {
    /// Only of this node: `here`, `there`, or its name.
    pub node: Option<String>,
    /// Only of these sources, separated by commas; at most 64.
    pub source: Option<String>,
    /// Only with this text in them, in large or small letters; at most 256 bytes.
    pub text: Option<String>,
    /// Only those that this regular expression finds something in; at most 256 bytes.
    pub regex: Option<String>,
    /// Only from this moment on: milliseconds since 1970 (UTC).
    pub since_ms: Option<u64>,
    /// Only up to this moment.
    pub until_ms: Option<u64>,
    /// Only before this place, which an earlier answer gave as `older`: to page back.
    pub before: Option<String>,
    /// At most so many, the newest of them; 100 where nothing is said, at most 1000.
    pub last: Option<usize>,
}

/// Which of the lines that come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FollowAsk {
    /// Only of this node: `here`, `there`, or its name.
    pub node: Option<String>,
    /// Only of these sources, separated by commas; at most 64.
    pub source: Option<String>,
    /// Only with this text in them, in large or small letters; at most 256 bytes.
    pub text: Option<String>,
    /// Only those that this regular expression finds something in; at most 256 bytes.
    pub regex: Option<String>,
    /// From this place on, which an earlier answer gave as `newest` or `after`; from now on where
    /// nothing is said.
    pub after: Option<String>,
}

/// Lines of both nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogsPage {
    /// This node's name.
    pub here: String,
    /// The other node's name; none before it said one.
    pub there: Option<String>,
    /// The lines, the newest first.
    pub lines: Vec<LogLine>,
    /// Where to go on with older lines; none where there are none.
    pub older: Option<String>,
    /// Behind the newest line when this was answered: where following goes on.
    pub newest: String,
    /// The search ended early, having looked back to this moment (microseconds since 1970, UTC);
    /// `older` goes on with it.
    pub looked_to_us: Option<u64>,
    /// Lines that are missing for ever behind the newest line of their node on this page, or
    /// where it has none of that node; all others are told at the line behind them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingLines>,
}

/// What both kinds of question have in common.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted<'a> {
    node: Option<&'a str>,
    source: Option<&'a str>,
    text: Option<&'a str>,
    regex: Option<&'a str>,
    since_ms: Option<u64>,
    until_ms: Option<u64>,
}

/// A field that is empty asks for nothing: forms send it so.
fn given(field: Option<&str>) -> Option<&str> {
    field.filter(|text| !text.is_empty())
}

impl<'a> From<&'a LogsAsk> for Wanted<'a> {
    fn from(ask: &'a LogsAsk) -> Wanted<'a> {
        Wanted {
            node: given(ask.node.as_deref()),
            source: given(ask.source.as_deref()),
            text: given(ask.text.as_deref()),
            regex: given(ask.regex.as_deref()),
            since_ms: ask.since_ms,
            until_ms: ask.until_ms,
        }
    }
}

impl<'a> From<&'a FollowAsk> for Wanted<'a> {
    fn from(ask: &'a FollowAsk) -> Wanted<'a> {
        Wanted {
            node: given(ask.node.as_deref()),
            source: given(ask.source.as_deref()),
            text: given(ask.text.as_deref()),
            regex: given(ask.regex.as_deref()),
            ..Wanted::default()
        }
    }
}

fn cursor(place: &str, text: &str) -> Result<Cursor, Refusal> {
    text.parse().map_err(|why: &str| wrong(place, why))
}

/// A page of lines. Reads files, for threads that may wait. Ends soon after `asker` is gone, when
/// nobody waits for it any more.
///
/// # Errors
/// What is wrong with the question, or the disk's.
pub fn search(
    reader: &Reader,
    names: &Names,
    hints: &Hints,
    ask: &LogsAsk,
    asker: &Weak<()>,
) -> Result<LogsPage, Refusal> {
    let until = Instant::now() + MAX_TIME;
    let is_over = || Instant::now() >= until || asker.strong_count() == 0;
    let found = ask.last.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let work = Work { found, bytes: MAX_BYTES, looked: MAX_LOOKED, pace: Pace::of(&is_over) };
    search_within(reader, names, hints, ask, work)
}

fn search_within(
    reader: &Reader,
    names: &Names,
    hints: &Hints,
    ask: &LogsAsk,
    work: Work<'_>,
) -> Result<LogsPage, Refusal> {
    let filter = Filter::of(&Wanted::from(ask), names, reader)?;
    let newest = Cursor::newest(reader);
    let from = match given(ask.before.as_deref()) {
        Some(text) => cursor("before", text)?,
        None => newest,
    };
    let read = || -> io::Result<LogsPage> {
        let (from, behind) = not_after(reader, &filter, from)?;
        let mut placing = Placing::default();
        let found = back::search(reader, &filter, (from, behind), work, &mut placing)?;
        let is_cut = found.more && found.lines.len() < work.found;
        Ok(LogsPage {
            here: names.here.clone(),
            there: names.there.clone(),
            older: found.more.then(|| found.rest.to_string()),
            newest: newest.to_string(),
            looked_to_us: found.looked_to_us.filter(|_| is_cut),
            missing: found.behind.told(names),
            lines: found
                .lines
                .into_iter()
                .map(|placed| show::show(placed, names, hints, &mut placing))
                .collect(),
        })
    };
    read().map_err(|error| Refusal::machine(format!("reading the kept logs: {error}")))
}

/// Where to begin so that nothing is passed over that was written up to the end of the time that
/// is asked for; and what is missing from there on.
fn not_after(reader: &Reader, filter: &Filter, mut from: Cursor) -> io::Result<(Cursor, Behind)> {
    let mut behind = Behind::default();
    let Some(until_us) = filter.until_us else { return Ok((from, behind)) };
    for origin in &filter.origins {
        let after = seek::first_after(reader, *origin, until_us.saturating_add(LATE_US))?;
        if after < from.of(*origin).before {
            from.set(*origin, Place { before: after, taken: 0 });
            let gaps = reader.gaps_from(*origin, after)?;
            let begun = gaps.iter().filter(|gap| gap.first <= after && after < gap.next);
            *behind.of(*origin) = begun.map(missing::length).sum();
        }
    }
    Ok((from, behind))
}
