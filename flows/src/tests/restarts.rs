//! A mirror's agent ends and comes back, while its kernel lives on: it is told what it missed
//! and nothing else, and is never called complete while its kernel lacks anything.

use std::time::Duration;

use super::SECOND;
use super::pair::{Chance, Pair, apply};
use crate::eligible::{Eligible, Filter};
use crate::message::{Message, Record, decode_message};
use crate::mirror::Mirror;
use crate::source::{Settings, Source};
use crate::testing::numbered;
use crate::work::Work;

/// One change more than the source remembers.
const OUTRUN: u32 = 85_000;

fn settings() -> Settings {
    Settings { most: 1 << 20, eligible: Eligible::new([], Filter::default()) }
}

impl Pair {
    /// The mirror's agent is killed.
    fn kill_mirror(&mut self) {
        if self.connected {
            self.disconnect();
        }
        (self.alive, self.dump_there) = (false, None);
        self.mirror = Mirror::new(settings(), self.now);
    }

    /// It is there again and reads what the one before kept.
    fn start_mirror(&mut self) {
        self.mirror = Mirror::new(settings(), self.now);
        if let Some(kept) = self.kept {
            self.mirror.resume(self.now, kept, self.there.len());
        }
        (self.alive, self.kept) = (true, self.mirror.holding());
        self.connect();
    }

    pub(super) fn restart_mirror(&mut self) {
        self.kill_mirror();
        self.start_mirror();
    }

    /// It is killed after it told its kernel a part of a message and before it kept anything.
    pub(super) fn crash_of_mirror(&mut self) {
        self.pass(Duration::from_millis(5));
        if let Some(message) = self.source.poll(self.now).filter(|_| self.connected) {
            let work = self.mirror.receive(self.now, &message).expect("an honest source");
            let half = work.writes.len().div_ceil(2);
            let writes = work.writes.into_iter().take(half).collect();
            apply(&mut self.there, &Work { writes, ..Work::default() }, self.refuse);
        }
        self.restart_mirror();
    }

    /// The source's agent is killed and knows nothing any more.
    pub(super) fn restart_source(&mut self) {
        if self.connected {
            self.disconnect();
        }
        self.end_source();
        self.connect();
    }

    fn end_source(&mut self) {
        self.dump_here = None;
        self.source = Source::new(settings(), None, self.now);
    }

    /// Everything that is on its way arrives; nobody may be wrong about it.
    fn arrive(&mut self) {
        self.pass(Duration::from_millis(5));
        self.turn();
        let arrived = self.source.view(self.now).backlog == 0;
        let (here, there) = (self.source.complete(), self.mirror.complete());
        if arrived && self.connected && (here || there) {
            assert!(self.is_equal(), "complete by the source {here}, by the mirror {there}");
        }
    }

    /// Until both say complete.
    fn until_complete(&mut self, limit: Duration) {
        let end = self.now + limit;
        while !(self.source.complete() && self.mirror.complete()) {
            assert!(self.now < end, "{:?}", self.source.view(self.now));
            self.arrive();
        }
    }
}

#[test]
fn a_mirror_that_comes_back_is_told_what_it_missed_and_has_it_at_once() {
    let mut pair = Pair::connected();
    (0..20_000).for_each(|n| pair.begin(&numbered(n)));
    pair.run(12 * SECOND);
    pair.kill_mirror();
    (0..50).for_each(|n| pair.end(&numbered(n)));
    (30_000..30_050).for_each(|n| pair.begin(&numbered(n)));
    pair.pass(SECOND / 4);
    let dumps = pair.dumps_there;
    (pair.written, pair.bytes) = (0, 0);
    pair.start_mirror();
    pair.turn();
    assert!(pair.source.complete() && pair.mirror.complete() && pair.is_equal());
    assert_eq!(pair.dumps_there, dumps, "its kernel was not looked at yet");
    assert_eq!(pair.written, 100);
    assert!(pair.bytes < 10_000, "{} bytes", pair.bytes);
    for view in [pair.source.view(pair.now), pair.mirror.view(pair.now)] {
        assert_eq!((view.flows, view.peer_flows), (20_000, Some(20_000)));
        assert_eq!((view.complete_percent, view.compared), (Some(100.0), false));
    }
    pair.run(SECOND);
    assert!(pair.dumps_there > dumps, "now it was");
    assert!(pair.source.view(pair.now).compared && pair.mirror.view(pair.now).compared);
    assert!(pair.source.complete() && pair.mirror.complete() && pair.is_equal());
    assert_eq!(pair.written, 100, "and nothing was wrong");
}

#[test]
fn a_place_that_the_source_does_not_remember_is_not_believed() {
    let mut pair = Pair::connected();
    (0..100).for_each(|n| pair.begin(&numbered(n)));
    pair.run(12 * SECOND);
    pair.kill_mirror();
    pair.end(&numbered(7));
    for number in 0..OUTRUN {
        pair.begin_unseen(&numbered(1000 + number % 5000));
        pair.end(&numbered(1000 + number % 5000));
    }
    pair.begin(&numbered(9000));
    pair.start_mirror();
    pair.until_complete(5 * SECOND);
    assert!(pair.is_equal());
}

#[test]
fn what_was_left_out_for_want_of_room_is_never_skipped_by_a_place() {
    let mut pair = Pair::connected();
    (0..100).for_each(|n| pair.begin(&numbered(n)));
    pair.run(12 * SECOND);
    let place = pair.kept;
    for number in 0..150_000 {
        pair.begin_unseen(&numbered(1000 + number));
    }
    assert!(pair.source.view(pair.now).behind_buckets > 0);
    pair.kill_mirror();
    pair.kept = place;
    pair.start_mirror();
    pair.until_complete(20 * SECOND);
    assert!(pair.is_equal());
}

#[test]
fn a_kernel_that_was_emptied_meanwhile_is_not_taken_for_complete() {
    let mut pair = Pair::connected();
    (0..300).for_each(|n| pair.begin(&numbered(n)));
    pair.run(12 * SECOND);
    pair.kill_mirror();
    pair.there.clear();
    pair.start_mirror();
    pair.arrive();
    assert!(!pair.mirror.complete() || pair.is_equal());
    pair.until_complete(5 * SECOND);
    assert!(pair.is_equal());
}

#[test]
fn a_change_that_the_number_of_entries_hides_is_found_by_the_look_that_follows() {
    let mut pair = Pair::connected();
    (0..300).for_each(|n| pair.begin(&numbered(n)));
    pair.run(12 * SECOND);
    pair.kill_mirror();
    pair.there.remove(&numbered(7).key());
    pair.there(&numbered(9000));
    pair.start_mirror();
    pair.run(2 * SECOND);
    assert!(pair.source.complete() && pair.mirror.complete() && pair.is_equal());
}

#[test]
fn a_place_in_the_stream_of_a_source_that_ended_is_worth_nothing() {
    let mut pair = Pair::connected();
    (0..100).for_each(|n| pair.begin(&numbered(n)));
    pair.run(12 * SECOND);
    assert!(pair.kept.is_some());
    pair.kill_mirror();
    pair.end_source();
    pair.end(&numbered(3));
    pair.here(&numbered(500));
    pair.start_mirror();
    pair.until_complete(5 * SECOND);
    assert!(pair.is_equal());
}

#[test]
fn what_the_kernel_refused_is_no_place_to_go_on_from() {
    let mut pair = Pair::connected();
    (0..10).for_each(|n| pair.begin(&numbered(n)));
    pair.run(12 * SECOND);
    assert!(pair.kept.is_some());
    pair.refuse = Some(numbered(77).key());
    pair.begin(&numbered(77));
    pair.pass(Duration::from_millis(5));
    pair.turn();
    assert_eq!(pair.kept, None);
    // A kernel that refuses what a mirror missed.
    let mut pair = Pair::connected();
    pair.run(12 * SECOND);
    pair.kill_mirror();
    pair.begin(&numbered(77));
    pair.refuse = Some(numbered(77).key());
    pair.start_mirror();
    pair.run(3 * SECOND);
    assert!(!pair.source.complete() && !pair.mirror.complete());
}

#[test]
fn a_mirror_that_was_told_with_a_gap_is_not_complete_whatever_the_source_says() {
    let mut pair = Pair::connected();
    (0..10).for_each(|n| pair.begin(&numbered(n)));
    pair.run(12 * SECOND);
    let kept = pair.kept.expect("a place");
    pair.kill_mirror();
    pair.start_mirror();
    let hello = Message::Hello {
        part: crate::view::Part::Source,
        answer: false,
        most: 100,
        position: Some(kept.position),
    };
    let sequence = kept.position.sequence + 2;
    let records = vec![Record::Upsert(numbered(500))];
    for message in
        [hello, Message::Batch { sequence, records }, Message::CaughtUp { sequence, flows: 11 }]
    {
        let work = pair.mirror.receive(pair.now, &message.encode()).expect("well formed");
        let outcomes = apply(&mut pair.there, &work, None);
        pair.mirror.finished(pair.now, &work, &outcomes);
    }
    assert!(!pair.mirror.complete());
    assert_eq!(pair.mirror.holding(), None);
}

#[test]
fn an_end_that_came_meanwhile_is_not_brought_back_by_the_look_that_follows() {
    let mut pair = Pair::connected();
    (0..100).for_each(|n| pair.begin(&numbered(n)));
    pair.run(12 * SECOND);
    pair.kill_mirror();
    pair.end(&numbered(3));
    pair.start_mirror();
    pair.turn();
    // The dump of its kernel was begun before, and shows the flow still.
    let ended = numbered(3);
    pair.mirror.dump_began(pair.now);
    pair.end(&numbered(4));
    pair.arrive();
    pair.mirror.dumped(&numbered(4));
    for number in (0..100).filter(|n| ![3, 4].contains(n)) {
        pair.mirror.dumped(&pair.there[&numbered(number).key()].clone());
    }
    pair.mirror.dump_ended(pair.now);
    pair.run(SECOND);
    assert!(!pair.there.contains_key(&ended.key()) && pair.is_equal());
    assert_eq!(pair.mirror.view(pair.now).flows, 98);
    assert!(pair.source.complete());
}

#[test]
fn a_lost_connection_is_made_up_for_without_a_dump_of_either_kernel() {
    let mut pair = Pair::connected();
    (0..5000).for_each(|n| pair.begin(&numbered(n)));
    pair.run(12 * SECOND);
    pair.disconnect();
    (0..50).for_each(|n| pair.end(&numbered(n)));
    let resyncs = pair.source.view(pair.now).resyncs;
    pair.connect();
    pair.turn();
    assert!(pair.source.complete() && pair.mirror.complete() && pair.is_equal());
    let view = pair.source.view(pair.now);
    assert_eq!(view.resyncs, resyncs + 1);
    assert_eq!(view.last_resync.map(|resync| resync.flows), Some(50));
}

#[test]
fn a_source_says_nothing_of_a_place_to_a_mirror_without_one() {
    let mut pair = Pair::new();
    (0..10).for_each(|n| pair.here(&numbered(n)));
    pair.connect();
    pair.turn();
    pair.source.disconnected(pair.now);
    pair.source.connected(pair.now);
    let hello = Message::Hello {
        part: crate::view::Part::Mirror,
        answer: false,
        most: 100,
        position: None,
    };
    pair.source.receive(pair.now, &hello.encode()).expect("an honest mirror");
    let told = std::iter::from_fn(|| pair.source.poll(pair.now));
    for message in told.map(|bytes| decode_message(&bytes)) {
        let said = matches!(message, Ok(Message::CaughtUp { .. } | Message::Anew));
        assert!(!said, "{message:?}");
    }
}

#[test]
fn complete_is_true_through_restarts_crashes_and_losses_of_the_connection() {
    for seed in 1..60 {
        let mut pair = Pair::connected();
        let mut chance = Chance::new(seed);
        for _ in 0..300 {
            let mut flow = numbered(chance.below(60));
            flow.mark = chance.below(3);
            match chance.below(16) {
                0..=5 => pair.begin_unseen(&flow),
                6..=8 => pair.end(&flow),
                9 => pair.restart_mirror(),
                10 => pair.crash_of_mirror(),
                11 if pair.connected => pair.disconnect(),
                11 => pair.connect(),
                12 => pair.restart_source(),
                13 => pair.pass(Duration::from_millis(chance.below(3000).into())),
                _ => pair.arrive(),
            }
        }
        pair.restart_mirror();
        pair.until_complete(30 * SECOND);
        assert!(pair.is_equal(), "seed {seed}");
    }
}
