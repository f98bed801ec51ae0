//! What comes: each look gives the lines that were kept since the last one, of both nodes. Who
//! cannot keep up is told how much was left out, rather than to fall ever further behind.

use std::io;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cursor::{Cursor, Place};
use super::filter::Filter;
use super::missing::{self, Behind, MissingLines};
use super::pace::Pace;
use super::show::{Hints, LogLine, Names, show};
use super::when::{Placed, Placing};
use super::{FollowAsk, Wanted};
use crate::agent::api::error::Refusal;
use crate::agent::logs::store::{Origin, Reader};

/// Lines of one look: at four looks a second more than any eye can follow.
const MAX_NEWS: usize = 500;
/// Bytes of them, and one line more: as JSON they may be six times as long, and the console takes
/// an event of 4 MiB.
const MAX_BYTES: usize = 256 << 10;
/// Lines read at a time.
const CHUNK: usize = 256;
/// A tail that is further behind leaves out what is between.
const MAX_BEHIND: u64 = 20_000;
/// It goes on so many lines before the end.
const CATCH_UP: u64 = 200;
/// How long one look may take at the log of one node: that of the other one has its time, too.
const LOOK: Duration = Duration::from_millis(250);

/// What came since the last look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogNews {
    /// The lines, the oldest first.
    pub lines: Vec<LogLine>,
    /// So many lines were not looked at, because more came than can be sent.
    #[serde(default)]
    pub left_out: u64,
    /// Lines that are missing for ever behind the last line of their node here, or where there is
    /// none of that node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingLines>,
    /// Where the next look goes on; also for `after`.
    pub after: String,
}

/// See the module.
#[derive(Debug)]
pub struct Follow {
    reader: Reader,
    filter: Filter,
    names: Names,
    hints: Hints,
    placing: Placing,
    at: Cursor,
    /// The last look left something for the next one.
    more: bool,
}

impl Follow {
    /// Begins behind the newest line, or where the question says.
    ///
    /// # Errors
    /// What is wrong with the question.
    pub fn of(
        reader: Reader,
        names: Names,
        hints: Hints,
        ask: &FollowAsk,
    ) -> Result<Follow, Refusal> {
        let filter = Filter::of(&Wanted::from(ask), &names, &reader)?;
        let at = match super::given(ask.after.as_deref()) {
            Some(text) => super::cursor("after", text)?,
            None => Cursor::newest(&reader),
        };
        let placing = Placing::default();
        Ok(Follow { reader, filter, names, hints, placing, at, more: false })
    }

    /// Whether the next look need not wait for anything.
    pub fn has_more(&self) -> bool {
        self.more
    }

    /// Looks. Reads files, for threads that may wait.
    ///
    /// # Errors
    /// The disk's.
    pub fn look(&mut self) -> io::Result<LogNews> {
        self.look_until(|| {
            let until = Instant::now() + LOOK;
            move || Instant::now() >= until
        })
    }

    /// The same; `over` begins what says when the look at one of the logs is over.
    pub(super) fn look_until<T: Fn() -> bool>(
        &mut self,
        over: impl Fn() -> T,
    ) -> io::Result<LogNews> {
        let (mut news, mut behind) = (LogNews::default(), Behind::default());
        self.more = false;
        for origin in self.filter.origins.clone() {
            let floor = self.at.of(origin).before;
            let (mut lines, left_out) = self.new_of(origin, Pace::of(&over()))?;
            news.left_out += left_out;
            let end = self.at.of(origin).before;
            let mut gaps = self.reader.gaps_from(origin, floor)?;
            // The others were told, or are to be.
            gaps.retain(|gap| (floor..end).contains(&gap.first));
            let after = missing::note(&mut lines, &gaps);
            *behind.of(origin) = after.into_iter().map(missing::length).sum();
            let shown = lines
                .into_iter()
                .map(|placed| show(placed, &self.names, &self.hints, &mut self.placing));
            news.lines.extend(shown);
        }
        news.lines.sort_by_key(|line| line.at_us);
        news.after = self.at.to_string();
        news.missing = behind.told(&self.names);
        Ok(news)
    }

    /// The new lines of one log that are wanted, and how many were left out before them.
    fn new_of(&mut self, origin: Origin, mut pace: Pace<'_>) -> io::Result<(Vec<Placed>, u64)> {
        let Some(last) = self.reader.last(origin) else { return Ok((Vec::new(), 0)) };
        let end = last.saturating_add(1);
        let (mut from, mut left_out) = (self.at.of(origin).before, 0);
        if end.saturating_sub(from) > MAX_BEHIND {
            left_out = end - CATCH_UP - from;
            from = end - CATCH_UP;
        }
        let (mut taken, mut bytes) = (Vec::new(), 0);
        'all: while from < end {
            if pace.is_over() {
                self.more = true;
                break;
            }
            let lines = self.reader.forward(origin, from, CHUNK, &self.filter.sources)?;
            let whole = lines.len() < CHUNK;
            for line in lines {
                if taken.len() >= MAX_NEWS || bytes >= MAX_BYTES || pace.ends() {
                    self.more = true;
                    break 'all;
                }
                from = from.max(line.number.saturating_add(1));
                pace.pass(line.text.len());
                let placed = self.placing.place(line);
                if self.filter.takes(&placed) {
                    bytes += placed.line.text.len();
                    taken.push(placed);
                }
            }
            // What is left are lines of other sources.
            from = if whole { from.max(end) } else { from };
        }
        self.at.set(origin, Place { before: from, taken: 0 });
        Ok((taken, left_out))
    }
}
