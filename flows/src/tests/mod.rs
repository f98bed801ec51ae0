//! A source and a mirror with a made-up kernel each, on a clock of their own: whatever
//! happens, in the end the mirror's kernel holds what the source's does.

mod ends;
mod pair;
mod restarts;

use std::time::Duration;

use pair::Pair;

use crate::flow::{Flow, SequenceAdjustment, Status, tcp_state};
use crate::kernel::{Event, Natural};
use crate::message::Message;
use crate::mirror::HOLD;
use crate::neighbour::{Interface, Neighbour};
use crate::testing::{flow, numbered, tcp};
use crate::work::Write;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn flows_of_before_and_of_now_reach_the_mirror_and_both_say_complete() {
    let mut pair = Pair::new();
    (0..100).for_each(|n| pair.here(&numbered(n)));
    pair.connect();
    pair.run(SECOND);
    assert!(pair.is_equal());
    pair.begin(&numbered(500));
    pair.end(&numbered(3));
    pair.run(Duration::from_millis(20));
    assert!(pair.is_equal());
    assert!(pair.source.complete() && pair.mirror.complete());
    let view = pair.source.view(pair.now);
    assert_eq!((view.flows, view.peer_flows, view.complete_percent), (100, Some(100), Some(100.0)));
    assert_eq!(view.trouble, None);
}

#[test]
fn what_the_mirror_has_already_is_not_told_again() {
    let mut pair = Pair::new();
    for number in 0..5000 {
        pair.here(&numbered(number));
        pair.there(&numbered(number));
    }
    pair.there(&numbered(9000));
    pair.here(&numbered(9001));
    pair.connect();
    pair.run(2 * SECOND);
    assert!(pair.is_equal() && pair.source.complete());
    assert!(pair.written < 10, "{} written", pair.written);
    assert!(pair.bytes < 200_000, "{} bytes", pair.bytes);
}

#[test]
fn a_closed_connection_is_gone_at_once_and_a_half_open_one_never_comes() {
    let mut pair = Pair::connected();
    let mut one = numbered(1);
    one.protocol = tcp(2);
    one.status = Status(Status::CONFIRMED);
    pair.begin(&one);
    pair.run(SECOND);
    assert!(pair.there.is_empty());
    pair.begin(&numbered(1));
    pair.run(SECOND);
    assert_eq!(pair.there.len(), 1);
    pair.begin(&Flow { protocol: tcp(tcp_state::TIME_WAIT), ..numbered(1) });
    pair.run(SECOND);
    assert!(pair.there.is_empty());
}

#[test]
fn a_new_flow_does_not_wait_for_the_ends_of_many_and_one_that_came_back_stays() {
    let mut pair = Pair::connected();
    (0..5000).for_each(|n| pair.begin_unseen(&numbered(n)));
    pair.run(SECOND);
    assert_eq!(pair.there.len(), 5000);
    (0..5000).for_each(|n| pair.end(&numbered(n)));
    pair.begin_unseen(&numbered(9000));
    let back = Flow { mark: 7, ..numbered(4999) };
    pair.begin_unseen(&back);
    pair.turn_once();
    assert!(pair.there.contains_key(&numbered(9000).key()), "it is there at once");
    assert!(pair.there.len() > 4000, "the others end by and by: {}", pair.there.len());
    assert!(pair.source.complete() && pair.mirror.complete(), "nothing is missing");
    pair.run(SECOND);
    assert!(pair.is_equal());
    assert_eq!(pair.there.len(), 2);
    assert_eq!(pair.there[&back.key()].mark, 7);
}

#[test]
fn ends_that_a_killed_mirror_had_not_come_to_are_told_to_the_next_one() {
    let mut pair = Pair::connected();
    (0..5000).for_each(|n| pair.begin_unseen(&numbered(n)));
    pair.run(12 * SECOND);
    (0..5000).for_each(|n| pair.end(&numbered(n)));
    pair.turn_once();
    assert!(pair.there.len() > 4000);
    pair.restart_mirror();
    pair.turn();
    assert!(pair.source.complete() && pair.mirror.complete() && pair.there.is_empty());
}

#[test]
fn the_mirror_writes_long_lives_and_judges_no_windows() {
    let mut pair = Pair::connected();
    pair.begin(&Flow { timeout: Some(30), ..flow("10.0.0.9", "192.0.2.1", 17) });
    pair.begin(&Flow { timeout: Some(432_000), ..numbered(1) });
    pair.run(SECOND);
    let udp = &pair.there[&flow("10.0.0.9", "192.0.2.1", 17).key()];
    assert!(udp.timeout.is_some_and(|left| (HOLD - 5..=HOLD).contains(&left)));
    let long = &pair.there[&numbered(1).key()];
    assert!(long.timeout.is_some_and(|left| left > 431_000));
    let crate::flow::Protocol::Tcp(tcp) = long.protocol else { panic!("{long:?}") };
    assert_eq!(tcp.flags_original & tcp.flags_reply & 8, 8);
    // Five minutes later both are there still, with at least as much left.
    pair.run(400 * SECOND);
    assert!(pair.there.values().all(|flow| flow.timeout.is_some_and(|left| left >= 200)));
    assert!(pair.is_equal());
}

#[test]
fn changed_nat_is_made_anew_and_a_changed_mark_is_not() {
    let mut pair = Pair::connected();
    let mut flow = flow("10.0.0.9", "192.0.2.1", 17);
    flow.status.0 |= Status::SRC_NAT;
    flow.reply.destination = "203.0.113.1".parse().unwrap();
    pair.begin(&flow);
    flow.mark = 7;
    pair.begin(&flow);
    pair.run(SECOND);
    assert!(matches!(pair.last_write, Some(Write::Update(_))), "{:?}", pair.last_write);
    flow.reply.destination = "203.0.113.2".parse().unwrap();
    pair.begin(&flow);
    pair.run(SECOND);
    assert!(matches!(pair.last_write, Some(Write::Replace(_))), "{:?}", pair.last_write);
    assert!(pair.is_equal());
}

#[test]
fn a_mirror_whose_kernel_was_emptied_heals_by_itself() {
    let mut pair = Pair::connected();
    (0..300).for_each(|n| pair.begin(&numbered(n)));
    pair.run(SECOND);
    pair.there.clear();
    pair.run(5 * SECOND);
    assert!(pair.is_equal() && pair.source.complete(), "the number of entries says so");
    // One that is replaced does not show there: the check finds it.
    let key = numbered(7).key();
    pair.there.remove(&key);
    pair.there.insert(numbered(9000).key(), numbered(9000));
    pair.run(75 * SECOND);
    assert!(pair.is_equal() && pair.source.complete());
}

#[test]
fn adjusted_sequence_numbers_are_told_whenever_a_helper_spoke() {
    let mut pair = Pair::connected();
    let mut control = flow("10.0.0.9", "192.0.2.1", 6);
    pair.begin(&control);
    pair.run(SECOND);
    // The kernel changes the flow without an event; of the expectation there is one.
    let moved = SequenceAdjustment { position: 7, before: 0, after: 4 };
    control.adjustments = Some([moved, SequenceAdjustment::default()]);
    pair.here(&control);
    pair.expect_from(&control);
    pair.run(SECOND);
    let there = |pair: &Pair| pair.there[&control.key()].adjustments;
    assert_eq!(there(&pair), control.adjustments);
    // Another mirror has it too, although the ledgers are equal.
    pair.there.get_mut(&control.key()).unwrap().adjustments = None;
    pair.disconnect();
    pair.connect();
    pair.run(SECOND);
    assert_eq!(there(&pair), control.adjustments);
}

#[test]
fn lost_events_are_found_by_a_dump() {
    let mut pair = Pair::connected();
    (0..300).for_each(|n| pair.begin(&numbered(n)));
    pair.run(SECOND);
    (0..100).for_each(|n| pair.forget(&numbered(n)));
    (1000..1100).for_each(|n| pair.here(&numbered(n)));
    pair.source.overrun(pair.now);
    pair.run(SECOND);
    assert!(pair.is_equal() && pair.source.complete());
    assert_eq!(pair.source.view(pair.now).overruns, 1);
}

#[test]
fn a_lost_connection_costs_only_what_changed_meanwhile() {
    let mut pair = Pair::connected();
    (0..20_000).for_each(|n| pair.begin(&numbered(n)));
    pair.run(SECOND);
    pair.disconnect();
    (0..50).for_each(|n| pair.end(&numbered(n)));
    (30_000..30_050).for_each(|n| pair.begin(&numbered(n)));
    pair.run(SECOND);
    assert!(!pair.source.complete() && !pair.mirror.complete());
    (pair.written, pair.bytes) = (0, 0);
    pair.connect();
    pair.run(2 * SECOND);
    assert!(pair.is_equal() && pair.source.complete());
    assert!(pair.written <= 100, "{} written", pair.written);
    assert!(pair.bytes < 200_000, "{} bytes", pair.bytes);
}

#[test]
fn more_changes_than_there_is_room_for_are_marked_and_told_later() {
    let mut pair = Pair::connected();
    // Nobody reads for a while: the window and what waits fill up.
    for number in 0..300_000 {
        pair.begin_unseen(&numbered(number));
    }
    assert!(pair.source.view(pair.now).behind_buckets > 0);
    pair.run(4 * SECOND);
    assert!(pair.is_equal() && pair.source.complete());
    assert_eq!(pair.source.view(pair.now).behind_buckets, 0);
}

#[test]
fn beyond_the_bound_new_flows_stay_out_and_that_is_said() {
    let mut pair = Pair::bounded(100, 80);
    pair.connect();
    pair.run(SECOND);
    (0..90).for_each(|n| pair.begin(&numbered(n)));
    pair.run(SECOND);
    assert_eq!(pair.there.len(), 80, "the smaller bound holds for both");
    let view = pair.source.view(pair.now);
    assert_eq!((view.bound, view.dropped), (80, 10));
    assert!(view.trouble.is_some_and(|trouble| trouble.contains("80 flows")));
    assert!(pair.there.contains_key(&numbered(0).key()), "established ones stay");
}

#[test]
fn a_kernel_that_refuses_a_flow_is_not_asked_all_the_time() {
    let mut pair = Pair::connected();
    pair.refuse = Some(numbered(7).key());
    (0..10).for_each(|n| pair.begin(&numbered(n)));
    pair.run(SECOND);
    assert_eq!(pair.there.len(), 9);
    pair.run(120 * SECOND);
    assert!(!pair.source.complete());
    let view = pair.mirror.view(pair.now);
    assert!((2..20).contains(&view.refused_by_kernel), "{view:?}");
    assert!(view.trouble.is_some());
    pair.refuse = None;
    pair.run(300 * SECOND);
    assert!(pair.source.complete() && pair.is_equal());
    assert_eq!(pair.mirror.view(pair.now).trouble, None);
}

#[test]
fn after_a_change_of_roles_the_other_way_works_and_lives_are_set_back() {
    let mut pair = Pair::connected();
    pair.begin(&Flow { timeout: Some(25), ..flow("10.0.0.9", "192.0.2.1", 17) });
    (0..50).for_each(|n| pair.begin(&numbered(n)));
    pair.run(SECOND);
    let natural = Natural { udp_stream: Some(120), ..Natural::default() };
    pair.swap(natural);
    pair.begin(&numbered(77));
    pair.end(&numbered(7));
    pair.run(2 * SECOND);
    assert!(pair.is_equal() && pair.source.complete());
    let udp = &pair.here[&flow("10.0.0.9", "192.0.2.1", 17).key()];
    assert!(udp.timeout.is_some_and(|left| left <= 120), "{udp:?}");
}

#[test]
fn labels_are_asked_for_where_they_are_in_use() {
    let mut pair = Pair::connected();
    let plain = Event::Seen(numbered(1));
    assert_eq!(pair.source.wants_whole(&plain), None);
    pair.begin(&Flow { labels: Some([1; 16]), ..numbered(2) });
    assert_eq!(pair.source.wants_whole(&plain), Some(numbered(1).key()));
    let own = Event::Seen(flow("127.0.0.1", "127.0.0.1", 6));
    assert_eq!(pair.source.wants_whole(&own), None);
}

#[test]
fn neighbours_are_told_on_change_and_as_a_whole() {
    let mut pair = Pair::connected();
    let interface = Interface::new(b"lan0").unwrap();
    let entry = |last: u8, mac: Option<[u8; 6]>| Neighbour {
        interface,
        address: [10, 1, 0, last].into(),
        mac,
    };
    pair.source.neighbours(&[entry(1, Some([2; 6])), entry(2, Some([2; 6]))], true);
    pair.run(SECOND);
    pair.source.neighbours(&[entry(1, None), entry(3, Some([3; 6]))], false);
    pair.run(SECOND);
    let view = pair.mirror.view(pair.now);
    assert_eq!(view.neighbours, 2);
    assert!(pair.neighbours.contains(&entry(3, Some([3; 6]))));
    pair.neighbours.clear();
    pair.run(60 * SECOND);
    assert_eq!(pair.neighbours.len(), 2, "kept there");
}

#[test]
fn two_of_one_part_do_not_talk_and_say_so() {
    let mut pair = Pair::connected();
    let hello =
        Message::Hello { part: crate::view::Part::Source, answer: false, most: 10, position: None };
    pair.source.receive(pair.now, &hello.encode()).unwrap();
    let trouble = pair.source.view(pair.now).trouble;
    assert!(trouble.is_some_and(|trouble| trouble.contains("source")));
    assert!(!pair.source.complete());
}

#[test]
fn whatever_happens_in_the_end_both_hold_the_same() {
    for seed in 1..40 {
        let mut pair = Pair::connected();
        let mut chance = pair::Chance::new(seed);
        for _ in 0..400 {
            pair.something(&mut chance);
        }
        if !pair.is_connected() {
            pair.connect();
        }
        // The longest wait is for a check of the mirror's kernel after the source's dump.
        pair.run(150 * SECOND);
        assert!(pair.is_equal(), "seed {seed}");
        assert!(pair.source.complete() && pair.mirror.complete(), "seed {seed}");
    }
}
