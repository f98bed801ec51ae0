//! Which of the other node's reports this node should have, within its limits: pure.

use super::{Listed, MAX_REPORT, MAX_REPORTS};

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// To be fetched, the newest first.
    pub(super) fetch: Vec<Listed>,
    /// Copies to be taken away, by their paths.
    pub(super) remove: Vec<String>,
    /// Reports of the other node that are not kept.
    pub(super) left_out: usize,
}

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) bytes: u64,
    /// What was written before this is too old, in milliseconds since 1970 (UTC).
    pub(super) oldest_ms: u64,
}

/// The newest are kept, whether their origin still has them or not. The same lists lead to the
/// same plan, so that nothing is fetched only to be taken away again.
pub(super) fn plan(told: &[Listed], copies: &[Listed], limits: Limits) -> Plan {
    let has = |all: &[Listed], path: &str| all.iter().any(|it| it.path == path);
    // A newer state of a report takes the place of its copy.
    let gone = copies.iter().filter(|copy| !has(told, &copy.path));
    let mut all: Vec<(&Listed, bool)> = told.iter().map(|it| (it, true)).collect();
    all.extend(gone.map(|copy| (copy, false)));
    all.sort_by_key(|(it, _)| (std::cmp::Reverse(it.modified_ms), it.path.clone()));
    let mut plan = Plan::default();
    let (mut room, mut count) = (limits.bytes, 0);
    let mut kept: Vec<&str> = Vec::new();
    for (file, is_told) in all {
        let fits = file.modified_ms >= limits.oldest_ms
            && file.size <= MAX_REPORT.min(room)
            && count < MAX_REPORTS;
        if !fits {
            plan.left_out += usize::from(is_told);
            continue;
        }
        (room, count) = (room - file.size, count + 1);
        kept.push(&file.path);
        let same = |copy: &Listed| (copy.size, copy.modified_ms) == (file.size, file.modified_ms);
        if is_told && !copies.iter().any(|copy| copy.path == file.path && same(copy)) {
            plan.fetch.push(file.clone());
        }
    }
    let extra = copies.iter().filter(|copy| !kept.contains(&copy.path.as_str()));
    plan.remove = extra.map(|copy| copy.path.clone()).collect();
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(path: &str, modified_ms: u64, size: u64) -> Listed {
        Listed { path: path.to_owned(), version: "1".to_owned(), size, modified_ms }
    }

    fn paths(all: &[Listed]) -> Vec<&str> {
        all.iter().map(|it| it.path.as_str()).collect()
    }

    #[test]
    fn the_newest_are_kept_within_the_limits_whether_their_origin_has_them_or_not() {
        let told = [report("/new", 90, 40), report("/old", 20, 10), report("/mid", 60, 30)];
        let copies = [report("/gone", 70, 20), report("/mid", 60, 30), report("/ancient", 5, 1)];
        let limits = Limits { bytes: 100, oldest_ms: 10 };
        let first = plan(&told, &copies, limits);
        assert_eq!(paths(&first.fetch), ["/new", "/old"]);
        assert_eq!((first.remove.as_slice(), first.left_out), (&["/ancient".to_owned()][..], 0));
        let tight = plan(&told, &copies, Limits { bytes: 60, oldest_ms: 10 });
        // What is too large for the room that is left gives way to what fits.
        assert_eq!(paths(&tight.fetch), ["/new"]);
        assert_eq!((tight.remove.len(), tight.left_out), (2, 2));
        let done = [report("/new", 90, 40), report("/gone", 70, 20)];
        let again = plan(&told, &done, Limits { bytes: 60, oldest_ms: 10 });
        assert_eq!((again.fetch.len(), again.remove.len()), (0, 0), "nothing comes and goes");
    }

    #[test]
    fn a_report_that_was_written_anew_is_fetched_anew() {
        let limits = Limits { bytes: 1_000, oldest_ms: 0 };
        let told = [report("/a", 50, 10)];
        assert_eq!(plan(&told, &told, limits), Plan::default());
        let changed = plan(&told, &[report("/a", 40, 10)], limits);
        assert_eq!((paths(&changed.fetch), changed.remove.len()), (vec!["/a"], 0));
    }
}
