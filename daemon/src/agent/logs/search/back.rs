//! From the newest to the oldest: the logs of both nodes become one, by time. Each is read in parts
//! of some thousand lines, which are put in order; of the two lines that are next the later one
//! comes first. What was looked at without being wanted is not looked at again: the cursor is
//! behind it.

use std::collections::VecDeque;
use std::io;

use super::cursor::{Cursor, Place};
use super::filter::Filter;
use super::missing::{self, Behind};
use super::pace::Pace;
use super::when::{AHEAD_US, Placed, Placing};
use crate::agent::logs::store::{Chunk, Origin, Reader};

/// How much work one search may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work<'c> {
    /// Lines that are found.
    pub(super) found: usize,
    /// Bytes of these, at about.
    pub(super) bytes: usize,
    /// Lines that are looked at.
    pub(super) looked: usize,
    /// When it ends at the latest.
    pub(super) pace: Pace<'c>,
}

/// What a search found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The newest first.
    pub(super) lines: Vec<Placed>,
    /// Where the next page begins.
    pub(super) rest: Cursor,
    /// Whether there may be more.
    pub(super) more: bool,
    /// The time of the oldest line that was looked at.
    pub(super) looked_to_us: Option<u64>,
    /// What is missing behind the newest line of each log.
    pub(super) behind: Behind,
}

impl Found {
    /// Lines are missing before a place of this log, and after all older ones: they are told at
    /// the line behind that place.
    fn miss(&mut self, filter: &Filter, origin: Origin, (lines, at_us): (u64, u64)) {
        if filter.until_us.is_some_and(|until| at_us > until) {
            // Of these the last one reaches into the time that is asked for.
            *self.behind.of(origin) = lines;
        } else if filter.since_us.is_none_or(|since| at_us >= since) {
            let shown = self.lines.iter_mut().rev().find(|placed| placed.line.origin == origin);
            let told = match shown {
                Some(placed) => &mut placed.missing,
                None => self.behind.of(origin),
            };
            *told = told.saturating_add(lines);
        }
    }
}

/// One of the two logs, read part by part; within a part the lines are put in the order of time.
struct Side<'r> {
    reader: &'r Reader,
    sources: &'r [String],
    origin: Origin,
    /// The part that is being taken from, and how many lines of it were.
    place: Place,
    /// Where the part before it ends.
    next: u64,
    /// What is left of the part, the latest first.
    ready: VecDeque<Placed>,
    /// When the oldest line of the part was read.
    oldest_us: u64,
    ended: bool,
    /// Lines that are missing behind all that is left of the part, and the time there.
    ahead: Option<(u64, u64)>,
    /// The same, of parts that were passed.
    passed: Vec<(u64, u64)>,
}

impl<'r> Side<'r> {
    fn new(reader: &'r Reader, filter: &'r Filter, origin: Origin, from: Place) -> Side<'r> {
        Side {
            reader,
            sources: &filter.sources,
            origin,
            place: from,
            next: from.before,
            ready: VecDeque::new(),
            oldest_us: u64::MAX,
            ended: false,
            ahead: None,
            passed: Vec::new(),
        }
    }

    /// Reads on until there is a line, the log ends, or the time is over.
    fn fill(&mut self, pace: &Pace<'_>, placing: &mut Placing) -> io::Result<()> {
        while self.ready.is_empty() && !self.ended && !pace.is_over() {
            let chunk = self.reader.chunk_before(self.origin, self.next, self.sources)?;
            let Some(chunk) = chunk else {
                self.ended = true;
                break;
            };
            let Chunk { lines, first, gaps } = chunk;
            let mut lines: Vec<Placed> =
                lines.into_iter().map(|line| placing.place(line)).collect();
            let behind = missing::note(&mut lines, &gaps);
            if let Some(oldest) = behind.first() {
                let line = self.reader.forward(self.origin, oldest.next, 1, &[])?.pop();
                let at_us = line.map_or(self.oldest_us, |line| placing.place(line).at_us);
                self.ahead = Some((behind.iter().map(|gap| missing::length(gap)).sum(), at_us));
            }
            self.oldest_us = lines.last().map_or(self.oldest_us, |placed| placed.line.read_us);
            lines.sort_by_key(|placed| std::cmp::Reverse(placed.at_us));
            let taken = if self.next == self.place.before { self.place.taken } else { 0 };
            if taken > 0 {
                // An earlier page told it.
                self.ahead = None;
            }
            if lines.is_empty() {
                self.passed.extend(self.ahead.take());
            }
            self.place = Place { before: self.next, taken };
            self.next = first;
            self.ready.extend(lines.into_iter().skip(taken));
        }
        Ok(())
    }

    fn take(&mut self) -> Option<Placed> {
        let placed = self.ready.pop_front()?;
        self.place.taken += 1;
        self.passed.extend(self.ahead.take());
        Some(placed)
    }

    /// The next line would have to be waited for.
    fn is_dry(&self) -> bool {
        self.ready.is_empty() && !self.ended
    }

    /// What is left of this part is too old for `since_us`; what was read before it may be, too.
    fn pass(&mut self, since_us: u64) {
        self.ready.clear();
        self.ended = self.oldest_us.saturating_add(AHEAD_US) < since_us;
    }

    /// Where to go on.
    fn rest(&self) -> Place {
        match self.ready.is_empty() {
            true => Place { before: self.next, taken: 0 },
            false => self.place,
        }
    }
}

/// What is wanted of the lines before `from`.
pub(super) fn search(
    reader: &Reader,
    filter: &Filter,
    (from, behind): (Cursor, Behind),
    mut work: Work<'_>,
    placing: &mut Placing,
) -> io::Result<Found> {
    let side = |origin: &Origin| Side::new(reader, filter, *origin, from.of(*origin));
    let mut sides: Vec<Side<'_>> = filter.origins.iter().map(side).collect();
    let mut found = Found { rest: from, more: true, behind, ..Found::default() };
    let (mut looked, mut bytes) = (0, 0);
    while found.lines.len() < work.found && bytes < work.bytes && looked < work.looked {
        if work.pace.ends() {
            break;
        }
        sides.iter_mut().try_for_each(|side| side.fill(&work.pace, placing))?;
        if sides.iter().any(Side::is_dry) {
            break;
        }
        let lines = sides.iter_mut().filter(|side| !side.ready.is_empty());
        let next = lines.max_by_key(|side| side.ready.front().map(|placed| placed.at_us));
        let Some((side, placed)) = next.and_then(|side| side.take().map(|it| (side, it))) else {
            found.more = false;
            break;
        };
        looked += 1;
        work.pace.pass(placed.line.text.len());
        side.passed.drain(..).for_each(|missing| found.miss(filter, side.origin, missing));
        if let Some(since_us) = filter.since_us.filter(|since| placed.at_us < *since) {
            side.pass(since_us);
            continue;
        }
        found.looked_to_us = Some(placed.at_us);
        if filter.takes(&placed) {
            bytes += placed.line.text.len();
            found.lines.push(placed);
        } else {
            found.miss(filter, side.origin, (placed.missing, placed.at_us));
        }
    }
    for side in &mut sides {
        side.passed.drain(..).for_each(|missing| found.miss(filter, side.origin, missing));
    }
    sides.iter().for_each(|side| found.rest.set(side.origin, side.rest()));
    // Of two parts the older one may hold a later time.
    found.lines.sort_by_key(|placed| std::cmp::Reverse(placed.at_us));
    Ok(found)
}
