//! What waits to be sent and what waits for the mirror's word: batches that fill up while
//! others are under way, and between them, in order, everything else.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::WINDOW_BYTES;
use crate::lag::Lag;
use crate::message::{BATCH_BYTES, Message, begin_batch};

/// Bytes that wait for room in the window: more is not kept, its buckets are told as a
/// whole later.
const MOST_WAITING: usize = 4 << 20;
/// How long changes are collected while others are under way.
const COLLECT: Duration = Duration::from_millis(5);

/// The outbox of one connection.
#[derive(Debug)]
pub(super) struct Outbox {
    /// The batch that fills up; empty when there is none.
    open: Vec<u8>,
    open_records: u64,
    /// When the first change of the open batch was read.
    since: Option<Instant>,
    waiting: VecDeque<Piece>,
    waiting_bytes: usize,
    flight: VecDeque<Flight>,
    flight_bytes: usize,
    sequence: u64,
}

#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    /// For a batch, what is remembered until the mirror has confirmed it.
    batch: Option<Flight>,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    sequence: u64,
    since: Instant,
    records: u64,
    bytes: usize,
}

impl Outbox {
    /// An empty one.
    pub(super) fn new() -> Outbox {
        Outbox {
            open: Vec::new(),
            open_records: 0,
            since: None,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            flight: VecDeque::new(),
            flight_bytes: 0,
            sequence: 0,
        }
    }

    /// Forgets everything: the connection is another one.
    pub(super) fn clear(&mut self) {
        let sequence = self.sequence;
        *self = Outbox { sequence, ..Outbox::new() };
    }

    /// Appends a record by `put`; `false` when there is no room for it.
    pub(super) fn add(&mut self, now: Instant, put: impl FnOnce(&mut Vec<u8>)) -> bool {
        if self.is_full() {
            return false;
        }
        if self.open.is_empty() {
            self.sequence += 1;
            begin_batch(&mut self.open, self.sequence);
        }
        put(&mut self.open);
        self.open_records += 1;
        self.since.get_or_insert(now);
        if self.open.len() >= BATCH_BYTES {
            self.seal();
        }
        true
    }

    /// Appends anything else, after all changes so far.
    pub(super) fn add_message(&mut self, message: &Message) {
        self.add_bytes(message.encode());
    }

    /// The same as bytes.
    pub(super) fn add_bytes(&mut self, bytes: Vec<u8>) {
        self.seal();
        self.waiting_bytes += bytes.len();
        self.waiting.push_back(Piece { bytes, batch: None });
    }

    /// Whether no change fits in any more.
    pub(super) fn is_full(&self) -> bool {
        self.waiting_bytes + self.open.len() >= MOST_WAITING
    }

    /// Whether half of it is free: then a dump may go on.
    pub(super) fn is_half_empty(&self) -> bool {
        self.waiting_bytes < MOST_WAITING / 2
    }

    /// Whether nothing waits for room in the window.
    pub(super) fn is_drained(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Changes that the mirror has not confirmed.
    pub(super) fn backlog(&self) -> u64 {
        let waiting = self.waiting.iter().filter_map(|piece| piece.batch);
        let records = |flight: Flight| flight.records;
        self.open_records
            + waiting.map(records).sum::<u64>()
            + self.flight.iter().map(|flight| flight.records).sum::<u64>()
    }

    /// Bytes that it needs.
    pub(super) fn memory_bytes(&self) -> usize {
        self.waiting_bytes + self.open.capacity()
    }

    /// The next message to send, if one is due.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        let idle = self.flight.is_empty() && self.waiting.is_empty();
        if idle || self.since.is_some_and(|since| now >= since + COLLECT) {
            self.seal();
        }
        let fits = self.flight_bytes < WINDOW_BYTES;
        self.waiting.front().filter(|piece| piece.batch.is_none() || fits)?;
        let piece = self.waiting.pop_front()?;
        self.waiting_bytes -= piece.bytes.len();
        if let Some(flight) = piece.batch {
            self.flight_bytes += flight.bytes;
            self.flight.push_back(flight);
        }
        Some(piece.bytes)
    }

    /// When [`Outbox::poll`] has something that it does not have now.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + COLLECT)
    }

    /// The mirror's word on all batches up to this one.
    pub(super) fn confirmed(&mut self, now: Instant, sequence: u64, lag: &mut Lag) {
        while let Some(flight) = self.flight.front().filter(|flight| flight.sequence <= sequence) {
            lag.add(now, now.saturating_duration_since(flight.since), flight.records);
            self.flight_bytes -= flight.bytes;
            self.flight.pop_front();
        }
    }

    /// Closes the batch that fills up.
    fn seal(&mut self) {
        let Some(since) = self.since.take() else { return };
        let bytes = std::mem::take(&mut self.open);
        let records = std::mem::take(&mut self.open_records);
        self.waiting_bytes += bytes.len();
        let flight = Flight { sequence: self.sequence, since, records, bytes: bytes.len() };
        self.waiting.push_back(Piece { bytes, batch: Some(flight) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{decode_message, put_remove};
    use crate::testing::numbered;

    fn fill(outbox: &mut Outbox, now: Instant, numbers: std::ops::Range<u32>) -> bool {
        let mut all = true;
        for number in numbers {
            all &= outbox.add(now, |out| put_remove(out, &numbered(number).key()));
        }
        all
    }

    fn records(message: &[u8]) -> usize {
        match decode_message(message) {
            Ok(Message::Batch { records, .. }) => records.len(),
            other => panic!("not a batch: {other:?}"),
        }
    }

    #[test]
    fn the_first_change_leaves_at_once_and_the_next_ones_together() {
        let now = Instant::now();
        let (mut outbox, mut lag) = (Outbox::new(), Lag::new(now));
        fill(&mut outbox, now, 0..1);
        assert_eq!(outbox.poll(now).map(|message| records(&message)), Some(1));
        fill(&mut outbox, now, 1..4);
        assert_eq!(outbox.poll(now), None, "one is under way");
        assert_eq!(outbox.deadline(), Some(now + COLLECT));
        let later = now + COLLECT;
        assert_eq!(outbox.poll(later).map(|message| records(&message)), Some(3));
        assert_eq!(outbox.backlog(), 4);
        outbox.confirmed(later, 2, &mut lag);
        assert_eq!(outbox.backlog(), 0);
        assert_eq!(lag.view(later).map(|lag| lag.max), Some(5.0));
        fill(&mut outbox, later, 4..5);
        assert_eq!(outbox.poll(later).map(|message| records(&message)), Some(1), "idle again");
    }

    #[test]
    fn what_is_said_between_changes_stays_between_them() {
        let now = Instant::now();
        let mut outbox = Outbox::new();
        fill(&mut outbox, now, 0..2);
        outbox.add_message(&Message::SweepEnd { round: 7 });
        fill(&mut outbox, now, 2..3);
        assert_eq!(records(&outbox.poll(now).unwrap()), 2);
        let said = outbox.poll(now).unwrap();
        assert_eq!(decode_message(&said), Ok(Message::SweepEnd { round: 7 }));
        assert_eq!(outbox.poll(now), None);
        assert_eq!(records(&outbox.poll(now + COLLECT).unwrap()), 1);
    }

    #[test]
    fn neither_the_window_nor_what_waits_grows_without_end() {
        let now = Instant::now();
        let (mut outbox, mut lag) = (Outbox::new(), Lag::new(now));
        assert!(!fill(&mut outbox, now, 0..1_000_000), "full in the end");
        assert!(outbox.is_full() && !outbox.is_half_empty());
        let mut sent = 0;
        while let Some(message) = outbox.poll(now) {
            sent += message.len();
        }
        assert!(sent <= WINDOW_BYTES + BATCH_BYTES + 64, "{sent}");
        fill(&mut outbox, now, 0..1_000_000);
        while let Some(message) = outbox.poll(now) {
            sent += message.len();
        }
        assert!(sent <= WINDOW_BYTES + BATCH_BYTES + 64, "the window is full: {sent}");
        assert!(outbox.memory_bytes() < MOST_WAITING + 4 * BATCH_BYTES);
        outbox.confirmed(now, 40, &mut lag);
        assert!(outbox.poll(now).is_some());
    }
}
