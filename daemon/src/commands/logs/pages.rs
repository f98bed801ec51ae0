//! The kept lines from the oldest to the newest, while the agent gives pages from the newest to
//! the oldest: as many of the newest as there is room for are held, and of the others only where
//! their pages are; these are asked for again when it is their turn. Used by `twinwall logs`.

use twinwall::agent::logs::search::{LogLine, LogsPage, MAX_PAGE, MissingLines};
use twinwall::failure::Failure;

/// Lines that are held at the most: a few hundred megabytes of long ones.
pub(super) const MAX_HELD: usize = 200_000;

/// Asks for a page: so many lines at the most, before this place.
pub(super) type Ask<'a> = dyn FnMut(usize, Option<&str>) -> Result<LogsPage, Failure> + 'a;

/// A page.
struct Page {
    lines: Lines,
    /// What is missing behind its newest line of a node.
    missing: Vec<MissingLines>,
}

/// The lines of a page.
enum Lines {
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
        let lines = if held + count <= room {
            held += count;
            Lines::Held(page.lines)
        } else {
            // All older ones, too: those that are held are the newest.
            held = room;
            Lines::Again(place, count)
        };
        found.pages.push(Page { lines, missing: page.missing });
        before = page.older;
        if before.is_none() || found.count >= most {
            return Ok(found);
        }
    }
}

impl Pages {
    /// Shows each line, the oldest first. What is missing behind the last one of a node is given
    /// back.
    pub(super) fn show(
        self,
        ask: &mut Ask<'_>,
        mut show: impl FnMut(&LogLine) -> Result<(), Failure>,
    ) -> Result<Vec<MissingLines>, Failure> {
        let mut behind: Vec<MissingLines> = Vec::new();
        for page in self.pages.into_iter().rev() {
            let lines = match page.lines {
                Lines::Held(lines) => lines,
                Lines::Again(before, count) => again(before, count, ask)?,
            };
            for mut line in lines.into_iter().rev() {
                let missing = behind.extract_if(.., |it| it.origin == line.origin);
                line.missing += missing.map(|it| it.lines).sum::<u64>();
                show(&line)?;
            }
            for missing in page.missing {
                match behind.iter_mut().find(|it| it.origin == missing.origin) {
                    Some(known) => known.lines += missing.lines,
                    None => behind.push(missing),
                }
            }
        }
        Ok(behind)
    }
}

/// These lines once more; the agent may need several answers for them. What was removed meanwhile
/// is not among them.
fn again(before: String, count: usize, ask: &mut Ask<'_>) -> Result<Vec<LogLine>, Failure> {
    let (mut lines, mut before) = (Vec::<LogLine>::new(), Some(before));
    while let Some(place) = before.filter(|_| lines.len() < count) {
        let page = ask((count - lines.len()).min(MAX_PAGE), Some(&place))?;
        // What is missing behind the first of these pages is known.
        for missing in page.missing {
            let mut known = lines.iter_mut().rev();
            if let Some(line) = known.find(|line| line.origin == missing.origin) {
                line.missing += missing.lines;
            }
        }
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
            missing: Vec::new(),
            lines,
        }
    }

    #[test]
    fn all_lines_are_told_in_their_order_however_few_of_them_can_be_held() {
        for (most, room, first) in [
            (usize::MAX, 1_000, 1),
            (usize::MAX, 20, 1),
            (usize::MAX, 0, 1),
            (30, 10, 71),
            (0, 10, 101),
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
                .map(|page| match &page.lines {
                    Lines::Held(lines) => lines.len(),
                    Lines::Again(..) => 0,
                })
                .sum();
            assert!(held <= room, "{held} of {room}");
            let mut told = Vec::new();
            let show = |line: &LogLine| {
                told.push(line.number);
                Ok(())
            };
            found.show(&mut ask, show).expect("shown");
            assert_eq!(told, (first..101).collect::<Vec<u64>>(), "{most} {room}");
        }
    }

    #[test]
    fn what_is_missing_between_two_pages_is_told_at_the_next_line_of_its_node() {
        let missing = |lines| {
            let (origin, node) = (Origin::Here, "gw-a".to_owned());
            vec![MissingLines { origin, node, lines }]
        };
        for room in [0, 1_000] {
            let mut ask = |last: usize, before: Option<&str>| {
                let page = answer(14, last, before);
                let lines = if before.is_some() { missing(5) } else { missing(3) };
                Ok(LogsPage { missing: lines, ..page })
            };
            let found = find(usize::MAX, room, &mut ask).expect("found");
            let mut told = Vec::new();
            let show = |line: &LogLine| {
                told.extend((line.missing > 0).then_some((line.number, line.missing)));
                Ok(())
            };
            assert_eq!(found.show(&mut ask, show).expect("shown"), missing(3));
            assert_eq!(told, [(8, 5)], "{room}");
        }
    }
}
