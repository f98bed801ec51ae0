//! Many flows end while the mirror looks at its kernel, and others begin in their place: as long as
//! no event is lost and nothing refused, no range ever differs.

use std::collections::HashMap;
use std::time::Duration;

use super::SECOND;
use super::pair::{Chance, Pair};
use crate::flow::Flow;
use crate::mirror::MOST_REMOVED;
use crate::testing::{flow, numbered};
use crate::tuple::Key;

/// The same flow begun by the other end.
fn back(flow: &Flow) -> Flow {
    Flow { original: flow.reply, reply: flow.original, ..flow.clone() }
}

impl Pair {
    /// How often ranges differed so far, at either node.
    fn differed(&self) -> u64 {
        let told = self.source.view(self.now).last_resync;
        let swept = told.is_some_and(|resync| resync.reason == "ranges differed");
        self.mirror.view(self.now).resyncs + u64::from(swept)
    }

    /// Once nothing happens any more both kernels hold the same, and no range ever differed.
    fn ends_alike(&mut self, told: &str) {
        self.run(30 * SECOND);
        assert!(self.is_equal(), "{told}");
        assert_eq!(self.differed(), 0, "{told}");
    }

    /// The mirror begins to look at its kernel; what the kernel says is on its way.
    fn look_there(&mut self) -> Vec<Flow> {
        assert!(self.mirror.wants_dump(self.now), "it is time");
        self.mirror.dump_began(self.now);
        self.there.values().cloned().collect()
    }

    /// It hears what the kernel said.
    fn looked_there(&mut self, said: &[Flow]) {
        said.iter().for_each(|flow| self.mirror.dumped(flow));
        self.mirror.dump_ended(self.now);
    }
}

#[test]
fn a_flow_that_the_other_end_begins_is_not_removed_with_the_one_before() {
    let mut pair = Pair::connected();
    let there = flow("10.0.0.9", "192.0.2.1", 17);
    pair.begin(&there);
    pair.run(SECOND);
    pair.end(&there);
    pair.begin(&back(&there));
    assert!(pair.there.contains_key(&back(&there).key()), "it stays");
    pair.ends_alike("");
}

#[test]
fn a_kernel_that_still_shows_what_was_removed_is_not_believed_however_much_that_is() {
    let mut pair = Pair::connected();
    let many = u32::try_from(MOST_REMOVED).unwrap() + 5_000;
    for number in 0..many {
        pair.begin_unseen(&numbered(number));
        if number % 4_000 == 0 {
            pair.turn();
        }
    }
    pair.run(SECOND);
    assert_eq!(pair.there.len(), many as usize);
    pair.pass(25 * SECOND);
    let said = pair.look_there();
    for number in 280..many {
        pair.end(&numbered(number));
        if number % 4_000 == 0 {
            pair.turn();
        }
    }
    pair.turn();
    assert_eq!(pair.there.len(), 280);
    pair.looked_there(&said);
    pair.ends_alike("");
}

#[test]
fn a_check_takes_nothing_back_that_was_written_since_it_began() {
    let mut pair = Pair::connected();
    pair.begin(&numbered(1));
    pair.run(SECOND);
    // More than half of its life is over, so that it is to be prolonged.
    pair.pass(400 * SECOND);
    let said = pair.look_there();
    pair.begin(&Flow { mark: 7, ..numbered(1) });
    pair.looked_there(&said);
    pair.turn();
    assert_eq!(pair.there[&numbered(1).key()].mark, 7);
    pair.ends_alike("");
}

/// A dump as kernels make it: page by page, each made when the one before is taken in.
struct Pages {
    keys: Vec<Key>,
    made: Vec<Flow>,
}

impl Pages {
    fn of(kernel: &HashMap<Key, Flow>) -> Pages {
        let mut keys: Vec<Key> = kernel.keys().copied().collect();
        keys.sort();
        let mut pages = Pages { keys, made: Vec::new() };
        pages.next(kernel);
        pages
    }

    /// The page that was made before.
    fn next(&mut self, kernel: &HashMap<Key, Flow>) -> Vec<Flow> {
        let rest = self.keys.split_off(self.keys.len().min(8));
        let page = std::mem::replace(&mut self.keys, rest);
        let made = page.iter().filter_map(|key| kernel.get(key)).cloned().collect();
        std::mem::replace(&mut self.made, made)
    }

    fn is_over(&self) -> bool {
        self.keys.is_empty() && self.made.is_empty()
    }
}

/// A pair whose kernels are read while they change.
struct Busy {
    pair: Pair,
    here: Option<Pages>,
    there: Option<Pages>,
}

impl Busy {
    fn something(&mut self, chance: &mut Chance) {
        let mut flow = numbered(chance.below(60));
        flow.mark = chance.below(3);
        match chance.below(16) {
            0..=3 => self.begin(&flow),
            4 => self.begin(&back(&flow)),
            5 | 6 => self.end(&flow),
            7 if chance.below(4) == 0 => self.end_all(),
            8 => self.pair.pass(Duration::from_millis(chance.below(3_000).into())),
            9..=11 => self.read(),
            _ => self.turn(),
        }
    }

    /// In place of the one that the other end began, which has ended then.
    fn begin(&mut self, flow: &Flow) {
        self.end(&back(flow));
        self.pair.begin_unseen(flow);
    }

    fn end(&mut self, flow: &Flow) {
        if let Some(flow) = self.pair.here.get(&flow.key()).cloned() {
            self.pair.end(&flow);
        }
    }

    fn end_all(&mut self) {
        let mut all: Vec<Flow> = self.pair.here.values().cloned().collect();
        all.sort_by_key(Flow::key);
        all.iter().for_each(|flow| self.pair.end(flow));
    }

    /// Begins dumps that are due, then everything else.
    fn turn(&mut self) {
        let pair = &mut self.pair;
        if pair.source.wants_dump(pair.now) {
            pair.source.dump_began(pair.now);
            self.here = Some(Pages::of(&pair.here));
        }
        if pair.mirror.wants_dump(pair.now) {
            pair.mirror.dump_began(pair.now);
            self.there = Some(Pages::of(&pair.there));
        }
        pair.turn_once();
    }

    /// Reads on in the dumps under way.
    fn read(&mut self) {
        let pair = &mut self.pair;
        if let Some(mut pages) = self.here.take() {
            pages.next(&pair.here).iter().for_each(|flow| pair.source.dumped(pair.now, flow));
            match pages.is_over() {
                true => pair.source.dump_ended(pair.now, Vec::new()),
                false => self.here = Some(pages),
            }
        }
        if let Some(mut pages) = self.there.take().filter(|_| pair.mirror.needs_dump()) {
            pages.next(&pair.there).iter().for_each(|flow| pair.mirror.dumped(flow));
            match pages.is_over() {
                true => pair.mirror.dump_ended(pair.now),
                false => self.there = Some(pages),
            }
        }
    }
}

#[test]
fn no_range_differs_while_both_kernels_are_read_and_flows_come_and_go_in_bursts() {
    for seed in 1..25 {
        let mut busy = Busy { pair: Pair::connected(), here: None, there: None };
        let mut chance = Chance::new(seed);
        for step in 0..2_000 {
            busy.something(&mut chance);
            assert_eq!(busy.pair.differed(), 0, "seed {seed}, step {step}");
        }
        while busy.here.is_some() || busy.there.is_some() {
            busy.read();
        }
        busy.pair.ends_alike(&format!("seed {seed}"));
    }
}
