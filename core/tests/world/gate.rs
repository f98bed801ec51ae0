//! A machine's kernel as far as the gate goes: two elements with a timeout,
//! answer and forward, and the armed element that a gate order needs.
//!
//! It lives on when the guard hangs or dies, and ends with the machine's power.

use std::time::Duration;

use super::clock::{Clock, Time, ms};
use super::prng::Prng;

/// One tick of a kernel at 250 Hz. The kernel notes the end of an element in whole
/// ticks from the present one: it ends up to a tick early.
const TICK: Time = ms(4);
/// And this much late at the most, for a tick that is itself late: twice what a
/// loaded virtual machine showed in one of some thousand leases (docs/simulation.md).
const LATE: Time = ms(5);
/// Life of the armed element: it ends with the tick, so that an order which the
/// kernel gets this long after the shell read the clock, or later, does nothing.
pub(crate) const ARMED: Time = TICK;

/// Shortest lease that the kernel can be asked for.
const SHORTEST: Duration = Duration::from_millis(8);

/// The gate of one machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    answer_until: Time,
    forward_until: Time,
    armed_until: Time,
}

impl Gate {
    /// Whether the kernel answers for the VIPs.
    pub(crate) fn answers(&self, time: Time) -> bool {
        time < self.answer_until
    }

    /// Whether the kernel forwards transit.
    pub(crate) fn forwards(&self, time: Time) -> bool {
        time < self.forward_until
    }

    /// When the answering gate closes by itself.
    pub(crate) fn closes(&self) -> Time {
        self.answer_until
    }

    /// The shell is about to read its sockets and the clock.
    pub(crate) fn arm(&mut self, time: Time, prng: &mut Prng) {
        self.armed_until = time + ARMED - prng.below(ARMED);
    }

    /// Opens both gates for `life` from now, if still armed.
    pub(crate) fn open(
        &mut self,
        time: Time,
        life: Duration,
        clock: &Clock,
        prng: &mut Prng,
    ) -> bool {
        if time >= self.armed_until || life < SHORTEST {
            return false;
        }
        self.extend(time, life, clock, prng);
        true
    }

    /// Keeps both gates open for `life` from now, if armed and they still are.
    pub(crate) fn renew(
        &mut self,
        time: Time,
        life: Duration,
        clock: &Clock,
        prng: &mut Prng,
    ) -> bool {
        if !self.answers(time) {
            return false;
        }
        // What cannot be renewed ends when it would have.
        let longer = time + clock.stretch(life) > self.answer_until;
        if time < self.armed_until && life >= SHORTEST && longer {
            self.extend(time, life, clock, prng);
        }
        true
    }

    /// Closes the answering gate; forwards for `life` more.
    pub(crate) fn close_answer(&mut self, time: Time, life: Duration, clock: &Clock) {
        self.answer_until = 0;
        if self.forwards(time) {
            self.forward_until = time + clock.stretch(life);
        }
    }

    /// Closes both.
    pub(crate) fn close(&mut self) {
        self.answer_until = 0;
        self.forward_until = 0;
    }

    fn extend(&mut self, time: Time, life: Duration, clock: &Clock, prng: &mut Prng) {
        let early = prng.below(TICK + LATE);
        let until = (time + clock.stretch(life) + LATE).saturating_sub(early);
        self.answer_until = until;
        self.forward_until = until;
    }
}
