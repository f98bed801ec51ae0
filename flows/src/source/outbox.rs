//! What waits to be sent and what waits for the mirror's word: batches that fill up while
//! others are under way, and between them, in order, everything else. Batches are made and
//! remembered also while nobody listens: whoever comes back is told what he missed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::WINDOW_BYTES;
use super::history::{History, Told};
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
    /// Number of the batch that fills up, or else of the last one, or of one left out.
    sequence: u64,
    /// The last change was not told, and its number left out.
    left_out: bool,
    history: History,
    /// There is a mirror that hears this.
    heard: bool,
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
            left_out: false,
            history: History::default(),
            heard: false,
        }
    }

    /// Nobody listens any more: nothing waits, but for whoever comes back.
    pub(super) fn hang_up(&mut self) {
        self.heard = false;
        self.seal();
        self.waiting.clear();
        self.flight.clear();
        (self.waiting_bytes, self.flight_bytes) = (0, 0);
    }

    /// A mirror listens from now on. What it missed after this number, if it says one, is told
    /// first; how many changes that is. None when that is not known any more.
    pub(super) fn listen(&mut self, after: Option<u64>) -> Option<u64> {
        self.heard = true;
        let after = after.filter(|after| *after <= self.sequence)?;
        let missed: Vec<Piece> = self.history.after(after)?.map(Piece::again).collect();
        let mut records = 0;
        for piece in missed {
            records += piece.batch.map_or(0, |flight| flight.records);
            self.waiting_bytes += piece.bytes.len();
            self.waiting.push_back(piece);
        }
        Some(records)
    }

    /// Number of the last batch so far.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Appends a record by `put`; `false` when there is no room for it.
    pub(super) fn add(&mut self, now: Instant, put: impl FnOnce(&mut Vec<u8>)) -> bool {
        if self.is_full() {
            self.leave_out();
            return false;
        }
        self.left_out = false;
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
        self.waiting_bytes + self.open.capacity() + self.history.memory_bytes()
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
        let told = Told { sequence: self.sequence, since, records, bytes: bytes.as_slice().into() };
        if self.heard {
            self.waiting_bytes += bytes.len();
            self.waiting.push_back(Piece { batch: Some(Flight::of(&told)), bytes });
        }
        self.history.add(told);
    }

    /// A change is not told. Its number never comes: the mirror sees that something is missing
    /// there, and nobody is led on from before it.
    fn leave_out(&mut self) {
        self.seal();
        if !std::mem::replace(&mut self.left_out, true) {
            self.sequence += 1;
            self.history.break_at(self.sequence);
        }
    }
}

impl Piece {
    fn again(told: &Told) -> Piece {
        Piece { bytes: told.bytes.to_vec(), batch: Some(Flight::of(told)) }
    }
}

impl Flight {
    fn of(told: &Told) -> Flight {
        let Told { sequence, since, records, bytes } = told;
        Flight { sequence: *sequence, since: *since, records: *records, bytes: bytes.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::MOST_BYTES;
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

    /// One that a mirror hears.
    fn heard() -> Outbox {
        let mut outbox = Outbox::new();
        assert_eq!(outbox.listen(None), None);
        outbox
    }

    fn sequence(message: &[u8]) -> u64 {
        match decode_message(message) {
            Ok(Message::Batch { sequence, .. }) => sequence,
            other => panic!("not a batch: {other:?}"),
        }
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
        let (mut outbox, mut lag) = (heard(), Lag::new(now));
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
        let mut outbox = heard();
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
        let (mut outbox, mut lag) = (heard(), Lag::new(now));
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
        assert!(outbox.memory_bytes() < MOST_WAITING + MOST_BYTES + 4 * BATCH_BYTES);
        outbox.confirmed(now, 40, &mut lag);
        assert!(outbox.poll(now).is_some());
    }
    #[test]
    fn whoever_comes_back_is_told_what_he_missed_and_then_what_is_new() {
        let now = Instant::now();
        let mut outbox = heard();
        fill(&mut outbox, now, 0..1);
        assert_eq!(outbox.poll(now).map(|message| sequence(&message)), Some(1));
        outbox.hang_up();
        // Nobody listens, and a batch is still open when he comes.
        fill(&mut outbox, now, 1..4);
        outbox.hang_up();
        fill(&mut outbox, now, 4..5);
        outbox.hang_up();
        assert_eq!(outbox.poll(now), None);
        assert_eq!(outbox.listen(Some(1)), Some(4));
        fill(&mut outbox, now, 5..6);
        let later = now + COLLECT;
        let told: Vec<u64> =
            std::iter::from_fn(|| outbox.poll(later)).map(|m| sequence(&m)).collect();
        assert_eq!(told, [2, 3, 4]);
        outbox.hang_up();
        assert_eq!(outbox.listen(Some(4)), Some(0), "nothing was missed");
        assert_eq!(outbox.listen(Some(5)), None, "nobody was told that");
    }

    #[test]
    fn a_change_that_is_left_out_leaves_out_a_number_and_nobody_is_led_over_it() {
        let now = Instant::now();
        let mut outbox = heard();
        assert!(!fill(&mut outbox, now, 0..1_000_000));
        let mut before = 0;
        while let Some(message) = outbox.poll(now) {
            assert_eq!(sequence(&message), before + 1, "all so far was told");
            before += 1;
            outbox.confirmed(now, before, &mut Lag::new(now));
        }
        fill(&mut outbox, now, 0..1);
        let next = outbox.poll(now).map(|message| sequence(&message));
        assert_eq!(next, Some(before + 2));
        outbox.hang_up();
        assert_eq!(outbox.listen(Some(before)), None);
        assert_eq!(outbox.listen(Some(before + 1)), Some(1));
    }
}
