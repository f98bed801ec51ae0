//! The kept lines from the oldest to the newest, while the agent gives pages from the newest to
//! the oldest: as many of the newest as there is room for are held, and of the others only where
//! their pages are; these are asked for again when it is their turn. Used by `twinwall logs`.

use twinwall::agent::logs::search::{LogLine, LogsPage, MAX_PAGE};
use twinwall::failure::Failure;

/// Lines that are held at the most: a few hundred megabytes of long ones.
pub(super) const MAX_HELD: usize = 200_000;

/// Asks for a page: so many lines at the most, before this place.
pub(super) type Ask<'a> = dyn FnMut(usize, Option<&str>) -> Result<LogsPage, Failure> + 'a;

/// A page.
enum Page {
    /// Its lines, the newest first.
    Held(Vec<LogLine>),
    /// So many lines before this place.
    Again(String, usize),
}

/// What was asked for, the newest page first.
pub(super) struct Pages {
    pages: Vec<Page>,
    /// Lines of all pages.
    pub(super) count: usize,
    /// Where following goes on.
    pub(super) newest: String,
}

/// Finds the newest `most` lines, of which `room` are held.
pub(super) fn find(most: usize, room: usize, ask: &mut Ask<'_>) -> Result<Pages, Failure> {
    let (mut before, mut held) = (None::<String>, 0);
    let mut found = Pages { pages: Vec::new(), count: 0, newest: String::new() };
    loop {
        // Following begins where the kept lines end, also when none of them is shown.
        let missing = most.saturating_sub(found.count);
        let mut page = ask(missing.clamp(1, MAX_PAGE), before.as_deref())?;
        page.lines.truncate(missing);
        if before.is_none() {
            found.newest.clone_from(&page.newest);
        }
        let count = page.lines.len();
        found.count += count;
        let place = before.unwrap_or(page.newest);
        if held + count <= room {
            held += count;
            found.pages.push(Page::Held(page.lines));
        } else {
            // All older ones, too: those that are held are the newest.
            held = room;
            found.pages.push(Page::Again(place, count));
        }
        before = page.older;
        if before.is_none() || found.count >= most {
            return Ok(found);
        }
    }
}

impl Pages {
    /// Shows each line, the oldest first.
    pub(super) fn show(
        self,
        ask: &mut Ask<'_>,
        mut show: impl FnMut(&LogLine) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        for page in self.pages.into_iter().rev() {
            let lines = match page {
                Page::Held(lines) => lines,
                Page::Again(before, count) => again(before, count, ask)?,
            };
            lines.iter().rev().try_for_each(&mut show)?;
        }
        Ok(())
    }
}

/// These lines once more; the agent may need several answers for them. What was removed meanwhile
/// is not among them.
fn again(before: String, count: usize, ask: &mut Ask<'_>) -> Result<Vec<LogLine>, Failure> {
    let (mut lines, mut before) = (Vec::new(), Some(before));
    while let Some(place) = before.filter(|_| lines.len() < count) {
        let page = ask((count - lines.len()).min(MAX_PAGE), Some(&place))?;
        lines.extend(page.lines);
        before = page.older;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use twinwall::agent::logs::store::Origin;

    fn line(number: u64) -> LogLine {
        LogLine {
            origin: Origin::Here,
            node: "gw-a".to_owned(),
            number,
            at_us: number,
            read_us: number,
            source: "app".to_owned(),
            text: String::new(),
            stamp_bytes: 0,
            fields: None,
            missing: 0,
        }
    }

    /// A log of so many lines, of which an answer has at most seven.
    fn answer(all: u64, last: usize, before: Option<&str>) -> LogsPage {
        let before = before.map_or(all + 1, |place| place.parse().expect("a place"));
        let lines: Vec<LogLine> = (1..before).rev().take(last.min(7)).map(line).collect();
        let oldest = lines.last().map_or(1, |line| line.number);
        LogsPage {
            here: "gw-a".to_owned(),
            there: None,
            older: (oldest > 1).then(|| oldest.to_string()),
            newest: (all + 1).to_string(),
            looked_to_us: None,
            lines,
        }
    }

    #[test]
    fn all_lines_are_told_in_their_order_however_few_of_them_can_be_held() {
        for (most, room, wanted) in [
            (usize::MAX, 1_000, 1..=100),
            (usize::MAX, 20, 1..=100),
            (usize::MAX, 0, 1..=100),
            (30, 10, 71..=100),
            (0, 10, 101..=100),
        ] {
            let mut asked = 0;
            let mut ask = |last: usize, before: Option<&str>| {
                asked += 1;
                Ok(answer(100, last, before))
            };
            let found = find(most, room, &mut ask).expect("found");
            assert_eq!(found.newest, "101");
            let held: usize = found
                .pages
                .iter()
                .map(|page| match page {
                    Page::Held(lines) => lines.len(),
                    Page::Again(..) => 0,
                })
                .sum();
            assert!(held <= room, "{held} of {room}");
            let mut told = Vec::new();
            let show = |line: &LogLine| {
                told.push(line.number);
                Ok(())
            };
            found.show(&mut ask, show).expect("shown");
            assert_eq!(told, wanted.collect::<Vec<u64>>(), "{most} {room}");
        }
    }
}
