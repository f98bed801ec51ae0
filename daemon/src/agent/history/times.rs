//! Sets of times: what is covered, what two have in common, what is left. In microseconds, so
//! that an outage of a millisecond counts as that.

/// Times that do not touch each other, the earliest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Times(Vec<(u64, u64)>);

impl Times {
    /// Of these, in any order, overlapping or not; empty ones are none.
    pub(super) fn of(spans: impl IntoIterator<Item = (u64, u64)>) -> Times {
        let mut all: Vec<(u64, u64)> = spans.into_iter().filter(|(from, to)| from < to).collect();
        all.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (from, to) in all {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                Some(_) | None => joined.push((from, to)),
            }
        }
        Times(joined)
    }

    /// What both have.
    pub(super) fn and(&self, other: &Times) -> Times {
        let common = |one: &(u64, u64), two: &(u64, u64)| (one.0.max(two.0), one.1.min(two.1));
        let mut all = Vec::new();
        let (mut here, mut there) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(one), Some(two)) = (here.peek(), there.peek()) {
            all.push(common(one, two));
            if one.1 <= two.1 {
                here.next()
            } else {
                there.next()
            };
        }
        Times::of(all)
    }

    /// What either has.
    pub(super) fn or(&self, other: &Times) -> Times {
        Times::of(self.0.iter().chain(&other.0).copied())
    }

    /// What the other has not.
    pub(super) fn without(&self, other: &Times) -> Times {
        let mut from = 0;
        let between = |(begin, end): &(u64, u64)| (std::mem::replace(&mut from, *end), *begin);
        let mut rest: Vec<(u64, u64)> = other.0.iter().map(between).collect();
        rest.push((from, u64::MAX));
        self.and(&Times::of(rest))
    }

    /// How long they are together, in microseconds.
    pub(super) fn length(&self) -> u64 {
        self.0.iter().map(|(from, to)| to - from).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overlaps_counts_once() {
        let times = Times::of([(30, 40), (10, 20), (15, 25), (25, 26), (50, 50)]);
        assert_eq!(times, Times(vec![(10, 26), (30, 40)]));
        assert_eq!(times.length(), 26);
        let other = Times::of([(0, 12), (20, 35), (39, 100)]);
        assert_eq!(times.and(&other), Times(vec![(10, 12), (20, 26), (30, 35), (39, 40)]));
        assert_eq!(times.and(&Times::default()).length(), 0);
        assert_eq!(times.or(&other), Times(vec![(0, 100)]));
        assert_eq!(times.without(&other), Times(vec![(12, 20), (35, 39)]));
        assert_eq!(other.without(&times), Times(vec![(0, 10), (26, 30), (40, 100)]));
        assert_eq!((times.without(&times).length(), times.without(&Times::default())), (0, times));
    }
}
