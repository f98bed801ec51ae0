//! The beat thread's hand on the gate. Where there is no gate, addresses are the
//! only one, and every order counts as taken.

use std::time::Duration;

use twinwall_core::event::GateOrder;
use twinwall_core::time::Moment;

use crate::clock;
use crate::gate::GateSwitch;

/// How often the first opening is tried.
const BEGINNINGS: u32 = 4;

/// The gate, or its absence.
pub struct Gatekeeper {
    switch: Option<GateSwitch>,
    works: bool,
}

impl Gatekeeper {
    /// With the switch of a table that was ensured, or none.
    pub fn new(switch: Option<GateSwitch>) -> Gatekeeper {
        Gatekeeper { works: switch.is_some(), switch }
    }

    /// The table was lost for good, or came back.
    pub fn works(&mut self, works: bool) {
        self.works = works && self.switch.is_some();
    }

    /// The table's rules are for another length of lease now.
    pub fn set_lease(&mut self, lease: Duration) {
        if let Some(switch) = &mut self.switch {
            switch.set_lease(lease);
        }
    }

    /// Closes everything, whatever was open.
    pub fn close(&mut self) {
        if let Some(switch) = &mut self.switch {
            switch.close();
        }
    }

    /// A right to serve from before there was a guard: open for this long from now.
    pub fn begin_open(&mut self, left: Duration) -> bool {
        let Some(switch) = self.active() else { return true };
        // An arming ends with the kernel's tick, which may come at any moment.
        (0..BEGINNINGS).any(|_| {
            switch.arm();
            switch.open_gate(left)
        })
    }

    /// First half of opening.
    pub fn arm(&mut self) {
        if let Some(switch) = self.active() {
            switch.arm();
        }
    }

    /// Second half, after everything was read again.
    pub fn open(&mut self, until: Moment) -> bool {
        self.active().is_none_or(|switch| switch.open_gate(until.since(clock::now())))
    }

    /// Every order but opening.
    pub fn obey(&mut self, order: GateOrder) -> bool {
        let Some(switch) = self.active() else { return true };
        match order {
            GateOrder::Open { until } => switch.open_gate(until.since(clock::now())),
            GateOrder::Renew { until } => switch.renew(|| until.since(clock::now())),
            GateOrder::CloseAnswer { .. } => switch.close_answer(),
            GateOrder::Close => switch.close(),
        }
    }

    /// The table was made anew: opens again until the end that the lease had.
    pub fn restore(&mut self) {
        if let Some(switch) = self.active() {
            switch.restore();
        }
    }

    /// Whether there should be a gate and its table is gone.
    pub fn is_lost(&mut self) -> bool {
        self.active().is_some_and(|switch| !switch.present())
    }

    fn active(&mut self) -> Option<&mut GateSwitch> {
        self.switch.as_mut().filter(|_| self.works)
    }
}
