//! How late changes reach the mirror: spans in classes, of which two lists take turns so
//! that what is shown is recent.

use std::time::{Duration, Instant};

use crate::view::LagMs;

/// How long one list is filled.
const TURN: Duration = Duration::from_secs(10);
/// Classes within each doubling: a value is known to an eighth.
const STEPS: usize = 8;
/// Doublings from one microsecond on: up to an hour.
const DOUBLINGS: usize = 32;

/// The spans of the last ten to twenty seconds.
#[derive(Debug)]
pub struct Lag {
    now: Classes,
    before: Classes,
    turned: Instant,
}

#[derive(Clone, Debug)]
struct Classes {
    counts: Box<[u64]>,
    most: Duration,
}

impl Classes {
    fn new() -> Classes {
        Classes { counts: vec![0; STEPS * DOUBLINGS].into_boxed_slice(), most: Duration::ZERO }
    }
}

impl Lag {
    /// None yet.
    pub fn new(now: Instant) -> Lag {
        Lag { now: Classes::new(), before: Classes::new(), turned: now }
    }

    /// `count` changes were so late.
    pub fn add(&mut self, now: Instant, late: Duration, count: u64) {
        self.turn(now);
        self.now.counts[class(late)] += count;
        self.now.most = self.now.most.max(late);
    }

    /// What is shown; `None` when there was nothing lately.
    pub fn view(&self, now: Instant) -> Option<LagMs> {
        let age = now.saturating_duration_since(self.turned);
        let lists: &[&Classes] = match age {
            age if age < TURN => &[&self.now, &self.before],
            age if age < 2 * TURN => &[&self.now],
            _ => &[],
        };
        let count = |class: usize| lists.iter().map(|list| list.counts[class]).sum::<u64>();
        let all: u64 = (0..STEPS * DOUBLINGS).map(count).sum();
        let most = lists.iter().map(|list| list.most).max().unwrap_or_default();
        let at = |share: u64| {
            let mut seen = 0;
            let place = (all * share).div_ceil(100);
            let class = (0..STEPS * DOUBLINGS).find(|class| {
                seen += count(*class);
                seen >= place
            });
            ms(class.map_or(most, upper).min(most))
        };
        (all > 0).then(|| LagMs { p50: at(50), p99: at(99), max: ms(most) })
    }

    fn turn(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.turned);
        if age >= TURN {
            self.before = std::mem::replace(&mut self.now, Classes::new());
            self.turned = now;
        }
        if age >= 2 * TURN {
            self.before = Classes::new();
        }
    }
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

/// The class of a span: its highest bit, and the three bits that follow it.
fn class(span: Duration) -> usize {
    let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX).clamp(1, (1 << DOUBLINGS) - 1);
    let doubling = micros.ilog2() as usize;
    let rest = micros - (1 << doubling);
    let step = (rest * STEPS as u64) >> doubling;
    (doubling * STEPS + step as usize).min(STEPS * DOUBLINGS - 1)
}

/// The end of a class.
fn upper(class: usize) -> Duration {
    let (doubling, step) = (class / STEPS, class % STEPS);
    let start = 1u64 << doubling;
    Duration::from_micros(start + (start * (step as u64 + 1)).div_ceil(STEPS as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_right_to_an_eighth_and_old_ones_go() {
        let start = Instant::now();
        let mut lag = Lag::new(start);
        assert_eq!(lag.view(start), None);
        for n in 1..=100 {
            lag.add(start, Duration::from_millis(n), 10);
        }
        let view = lag.view(start).expect("there were some");
        assert!((50.0..=57.0).contains(&view.p50), "{view:?}");
        assert!((99.0..=100.0).contains(&view.p99), "{view:?}");
        assert_eq!(view.max, 100.0);
        let later = start + Duration::from_secs(12);
        lag.add(later, Duration::from_micros(400), 1);
        assert_eq!(lag.view(later).map(|view| view.max), Some(100.0), "not ten seconds old");
        let later = later + Duration::from_secs(12);
        lag.add(later, Duration::from_micros(300), 1);
        assert_eq!(lag.view(later).map(|view| view.max), Some(0.4));
        assert_eq!(lag.view(later + Duration::from_secs(40)), None);
    }

    #[test]
    fn every_span_lies_below_the_end_of_its_class() {
        for micros in [0, 1, 2, 3, 7, 8, 9, 1000, 12_345, 1 << 31, u64::MAX] {
            let span = Duration::from_micros(micros);
            let class = class(span);
            assert!(class < STEPS * DOUBLINGS);
            assert!(micros > 1 << 31 || span <= upper(class), "{micros}");
        }
    }
}
