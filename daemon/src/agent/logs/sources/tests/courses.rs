//! Long courses of random events, each told by its seed. `TWINWALL_LOG_COURSES=5000` asks for more
//! of them than run with all tests, `TWINWALL_LOG_SEED=226` for one.

use std::ops::Range;

use super::scene::{Scene, WAYS, Way};

/// Courses that run with all tests.
const COURSES: u64 = 150;
/// Events of one.
const EVENTS: u32 = 60;
/// Rotations without a look: fewer than files are kept.
const UNSEEN: u32 = 6;

/// Random numbers, the same for the same seed (Knuth's multiplicative congruential generator).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }
}

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Event {
    Say(u64),
    Turn,
    /// In this way, with lines that are said to the file that was renamed.
    Rotate(Way, u64),
    /// So many lines are said and read between the copy and the cut.
    CopyReadCut(u64),
    CutUnseen,
    Restore,
    /// With something read that was not written.
    Crash(bool),
    /// So long without a change that files are given back to the system.
    Rest,
}

fn event(random: &mut Random) -> Event {
    let way = WAYS[random.below(4) as usize];
    match random.below(21) {
        0..=6 => Event::Say(1 + random.below(40)),
        7 | 8 => {
            let late = if way == Way::Rename { random.below(3) } else { 0 };
            Event::Rotate(way, late)
        }
        9 => Event::CopyReadCut(random.below(4)),
        10 => Event::CutUnseen,
        11 | 12 => Event::Crash(random.below(2) == 0),
        13 | 14 => Event::Rest,
        15 => Event::Restore,
        _turn => Event::Turn,
    }
}

impl Scene {
    fn happen(&mut self, event: Event) {
        match event {
            Event::Say(count) => self.say(count),
            Event::Turn => self.turn(),
            Event::Rotate(way, late) => self.rotate(way, late),
            Event::CopyReadCut(count) => {
                self.copy();
                if count > 0 {
                    self.say(count);
                    self.turn();
                }
                self.cut();
            }
            Event::CutUnseen => self.cut_unseen(),
            Event::Restore => self.restore(),
            Event::Crash(unwritten) => self.crash(unwritten),
            Event::Rest => self.rest(),
        }
    }
}

fn wanted() -> Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("TWINWALL_LOG_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TWINWALL_LOG_COURSES").unwrap_or(COURSES),
    }
}

#[test]
fn whatever_happens_in_whatever_order_each_line_is_kept_once() {
    for seed in wanted() {
        let mut random = Random(seed.wrapping_mul(7919) + 1);
        let files = ["\"/var/log/app.log\"", "\"/var/log/app*\""][(seed % 2) as usize];
        let mut scene = Scene::new(&format!("any-{seed}"), files);
        // A log of which something was read.
        scene.say(1);
        scene.turn();
        let (mut course, mut unseen) = (Vec::new(), 0);
        for _ in 0..EVENTS {
            let event = event(&mut random);
            unseen = match event {
                Event::Rotate(..) | Event::CopyReadCut(_) if unseen >= UNSEEN => continue,
                Event::Rotate(..) | Event::CopyReadCut(_) => unseen + 1,
                Event::Turn => 0,
                Event::Say(_)
                | Event::CutUnseen
                | Event::Restore
                | Event::Crash(_)
                | Event::Rest => unseen,
            };
            scene.happen(event);
            course.push(event);
        }
        scene.assert_all_once(&format!("seed {seed}: {course:?}"));
        let kept: usize = scene.source.logs.values().map(|log| log.generations.len()).sum();
        assert!(kept <= super::super::log::MAX_GENERATIONS, "seed {seed}: {kept} remembered");
    }
}
