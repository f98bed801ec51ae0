//! The orders that the beat thread gives to the table, as packet marks, and the
//! ladder of lease lengths. Used by both sides of the gate; it touches no socket.
//!
//! A rule of nf_tables knows one constant timeout, so that every length of lease
//! needs a rule of its own. The mark names the length itself, never its place in
//! a list: a guard whose settings are newer or older than the table's rules is
//! refused instead of being given another length than it asked for.

use std::time::Duration;

/// EtherType of an order's frame (IEEE 802 local experimental 1). The rules look
/// at it before the mark, so that an administrator's marks are never an order.
pub(crate) const ORDER_ETHERTYPE: u16 = 0x88b5;
/// How long an arming lasts: one tick of a 250 Hz kernel, so that it ends with the
/// present one, 4 ms later at the most. It bounds how old the beliefs may be on which
/// a lease is opened or renewed; a longer one would eat more of T − L. An order that
/// comes just after the tick is refused, and given again.
pub(crate) const ARMED: Duration = Duration::from_millis(4);
/// How long a node that closed its answering gate goes on forwarding.
pub(crate) const FORWARD_AFTER_CLOSE: Duration = Duration::from_millis(300);
/// How much longer than asked a lease may be: the microseconds that pass between
/// hearing a confirmation and renewing must not cost a whole tick.
const ROUND_UP: Duration = Duration::from_micros(500);
/// Shortest lease worth asking for: two ticks of a 250 Hz kernel.
const SHORTEST_MS: u32 = 8;
/// Even steps from the longest lease down to nothing, so that a lease on old
/// evidence loses at most this part of its length to rounding.
const EVEN_STEPS: u32 = 32;
/// The even steps need not be finer than a tick of a 250 Hz kernel.
const FINEST_STEP_MS: u32 = 4;
/// Rungs at the most: the even ones, and two for each power of two up to their step.
const MAX_RUNGS: usize = 80;
/// Longest lease in milliseconds: what fits beside the order in a mark (4.6 hours;
/// the longest that the settings allow is 4.25).
const LONGEST_MS: u32 = 0x00ff_ffff;

/// One order. Its mark has the order in the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Make the next order valid for [`ARMED`].
    Arm,
    /// Open both gates for so many milliseconds, if armed.
    Open(u32),
    /// Keep both gates open for so many milliseconds, if armed and both are open.
    Renew(u32),
    /// Close the answering gate; forward for [`FORWARD_AFTER_CLOSE`] if open.
    CloseAnswer,
    /// Close both gates.
    Close,
    /// Taken while the answering gate is open; changes nothing.
    AskAnswer,
    /// Taken whenever the table is there; changes nothing.
    AskTable,
}

impl Order {
    /// The mark that carries the order.
    pub(crate) const fn mark(self) -> u32 {
        match self {
            Order::Open(ms) => 0x7400_0000 | ms,
            Order::Renew(ms) => 0x7500_0000 | ms,
            Order::Arm => 0x761c_5ea1,
            Order::CloseAnswer => 0x771c_5ea1,
            Order::Close => 0x781c_5ea1,
            Order::AskAnswer => 0x791c_5ea1,
            Order::AskTable => 0x7a1c_5ea1,
        }
    }
}

/// The lengths of lease that the table has rules for, in milliseconds, longest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ladder {
    rungs: [u32; MAX_RUNGS],
    count: usize,
}

impl Ladder {
    /// The ladder of a pair whose lease lasts `lease` at the most: fine just under
    /// it, where nearly all renewals are, and coarser further down.
    pub(crate) fn new(lease: Duration) -> Ladder {
        let top = u32::try_from(lease.as_millis()).unwrap_or(LONGEST_MS).min(LONGEST_MS);
        let even = (top / EVEN_STEPS).max(FINEST_STEP_MS);
        let mut ladder = Ladder { rungs: [0; MAX_RUNGS], count: 0 };
        let mut step = 0u32;
        while let Some(rung) = top.checked_sub(step).filter(|ms| *ms >= SHORTEST_MS) {
            ladder.push(rung);
            step = step.saturating_add(even).min(next_fine(step));
        }
        if top > SHORTEST_MS {
            ladder.push(SHORTEST_MS);
        }
        ladder
    }

    fn push(&mut self, rung: u32) {
        let last = self.count.checked_sub(1).map(|at| self.rungs[at]);
        if self.count < MAX_RUNGS && last != Some(rung) {
            self.rungs[self.count] = rung;
            self.count += 1;
        }
    }

    /// The lengths in milliseconds, longest first; empty when the lease is too short for any.
    pub(crate) fn rungs(&self) -> &[u32] {
        &self.rungs[..self.count]
    }

    /// The longest length in milliseconds that ends within `left`, or [`ROUND_UP`] later.
    pub(crate) fn fit(&self, left: Duration) -> Option<u32> {
        let left = u32::try_from((left + ROUND_UP).as_millis()).unwrap_or(u32::MAX);
        self.rungs().iter().copied().find(|rung| *rung <= left)
    }
}

/// The next of 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, …
fn next_fine(step: u32) -> u32 {
    match step {
        0..=3 => step + 1,
        power if power.is_power_of_two() => power + power / 2,
        _ => step.checked_next_power_of_two().unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rung_never_outlasts_what_is_left() {
        for lease in [0, 7, 8, 9, 20, 90, 290, 2997, 15_284_700, 99_999_999] {
            let ladder = Ladder::new(Duration::from_millis(lease));
            for left in (0..4000).chain([1_000_000, 20_000_000]) {
                match ladder.fit(Duration::from_millis(left)) {
                    Some(rung) => {
                        assert!(u64::from(rung) <= left && u64::from(rung) <= lease.max(8))
                    }
                    None => assert!(left < 8 || lease < 8, "lease {lease}, left {left}"),
                }
            }
        }
    }

    #[test]
    fn the_ladder_descends_and_fits_the_longest_setting() {
        let longest = Duration::from_secs(60 * 255);
        let ladder = Ladder::new(longest);
        assert!(ladder.rungs().is_sorted_by(|a, b| a > b));
        assert_eq!(ladder.rungs()[0], 15_300_000);
        assert_eq!(ladder.rungs().last(), Some(&8));
        assert!(ladder.count < MAX_RUNGS, "{} rungs: the last ones were cut off", ladder.count);
    }

    #[test]
    fn little_is_lost_just_under_the_lease() {
        let ladder = Ladder::new(Duration::from_millis(290));
        for micros in [1, 400, 1_000, 2_500, 7_000] {
            let left = Duration::from_micros(290_000 - micros);
            let rung = Duration::from_millis(u64::from(ladder.fit(left).expect("long enough")));
            let lost = left.saturating_sub(rung);
            assert!(lost <= Duration::from_micros(1_000 + micros / 2), "{micros}: {lost:?}");
        }
    }

    #[test]
    fn a_renewal_on_old_evidence_loses_a_thirtysecond_at_most() {
        for lease in [90u64, 290, 2_990, 15_284_700] {
            let ladder = Ladder::new(Duration::from_millis(lease));
            let rungs = ladder.rungs();
            let widest = rungs.windows(2).map(|pair| pair[0] - pair[1]).max().expect("many");
            assert!(u64::from(widest) <= (lease / 32).max(4), "{lease}: {widest} in {rungs:?}");
        }
    }

    #[test]
    fn marks_of_orders_differ() {
        let marks = [
            Order::Arm,
            Order::Open(8),
            Order::Open(9),
            Order::Renew(8),
            Order::CloseAnswer,
            Order::Close,
            Order::AskAnswer,
            Order::AskTable,
            Order::Renew(LONGEST_MS),
        ]
        .map(Order::mark);
        let unique: std::collections::BTreeSet<_> = marks.iter().collect();
        assert_eq!(unique.len(), marks.len());
    }
}
