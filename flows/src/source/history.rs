//! What the source told last, whoever heard it: batches in order, so that a mirror which knows
//! where it stands is told the rest and nothing else. Bounded; a mirror that stands before it
//! is compared with as a whole.

use std::collections::VecDeque;
use std::time::Instant;

/// Bytes that are kept: 60,000 changes of connections of TCP, which is a restart of the
/// mirror's agent at twenty times the changes of a busy gateway. Less than what may wait in
/// the outbox, so that all of it fits in there at once.
pub(super) const MOST_BYTES: usize = 3 << 20;
/// What a batch costs besides its own bytes: a small one must not be free.
const EACH: usize = size_of::<Told>() + 16;

/// The batches.
#[derive(Debug, Default)]
pub(super) struct History {
    told: VecDeque<Told>,
    bytes: usize,
    /// Everything after this number is here.
    base: u64,
}

/// A batch that was told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) sequence: u64,
    /// When its first change was read.
    pub(super) since: Instant,
    pub(super) records: u64,
    /// The message.
    pub(super) bytes: Box<[u8]>,
}

impl History {
    /// A batch is told, with the number after the last one.
    pub(super) fn add(&mut self, told: Told) {
        self.bytes += told.bytes.len() + EACH;
        self.told.push_back(told);
        while self.bytes > MOST_BYTES {
            let Some(oldest) = self.told.pop_front() else { return };
            self.bytes -= oldest.bytes.len() + EACH;
            self.base = oldest.sequence;
        }
    }

    /// Something was not told, at this number: nobody who stands before it can be led on.
    pub(super) fn break_at(&mut self, sequence: u64) {
        self.told.clear();
        (self.bytes, self.base) = (0, sequence);
    }

    /// What was told after this number; `None` when some of it is not here any more.
    pub(super) fn after(&self, sequence: u64) -> Option<impl Iterator<Item = &Told>> {
        let from = self.told.partition_point(|told| told.sequence <= sequence);
        (sequence >= self.base).then(|| self.told.range(from..))
    }

    /// Bytes that it needs.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sequence: u64, length: usize) -> Told {
        let bytes = vec![0; length].into_boxed_slice();
        Told { sequence, since: Instant::now(), records: 1, bytes }
    }

    fn numbers(history: &History, after: u64) -> Option<Vec<u64>> {
        history.after(after).map(|told| told.map(|it| it.sequence).collect())
    }

    #[test]
    fn what_came_after_a_number_is_told_in_order() {
        let mut history = History::default();
        (1..=5).for_each(|number| history.add(told(number, 100)));
        assert_eq!(numbers(&history, 0), Some(vec![1, 2, 3, 4, 5]));
        assert_eq!(numbers(&history, 3), Some(vec![4, 5]));
        assert_eq!(numbers(&history, 5), Some(Vec::new()));
    }

    #[test]
    fn it_is_bounded_and_knows_what_it_has_not_any_more() {
        let mut history = History::default();
        let each = MOST_BYTES / 10;
        (1..=100).for_each(|number| history.add(told(number, each)));
        assert!(history.memory_bytes() <= MOST_BYTES);
        assert_eq!(numbers(&history, 50), None, "outrun");
        let first = history.told.front().map(|it| it.sequence).expect("some are there");
        assert_eq!(numbers(&history, first - 2), None);
        assert_eq!(numbers(&history, first - 1).map(|all| all.len()), Some(history.told.len()));
        // Batches without contents are bounded too.
        (101..200_000).for_each(|number| history.add(told(number, 0)));
        assert!(history.told.len() <= MOST_BYTES / EACH);
    }

    #[test]
    fn nobody_is_led_over_a_gap() {
        let mut history = History::default();
        (1..=3).for_each(|number| history.add(told(number, 100)));
        history.break_at(4);
        history.add(told(5, 100));
        assert_eq!(numbers(&history, 3), None);
        assert_eq!(numbers(&history, 4), Some(vec![5]));
    }
}
