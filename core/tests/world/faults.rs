//! Everything that can be done to the world, by a plan or by a transcript.

use std::time::Duration;

use twinwall_core::beat::Leaving;
use twinwall_core::event::Order;

use super::clock::Time;
use super::machine::Applier;
use super::network::{Lane, Side};

/// One change of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The machine loses power, and with it carrier, gate and addresses.
    PowerOff(Side),
    /// The machine gets power; its guard does not start by itself.
    PowerOn(Side),
    /// The guard is killed; kernel lease and addresses stay.
    Crash(Side),
    /// The guard starts anew, under a new boot id.
    Start(Side),
    /// The guard is stopped; its kernel lives.
    Freeze(Side),
    /// As `Freeze`, between reading the clock and the next gate order.
    FreezeAtGate(Side),
    /// The guard runs on.
    Resume(Side),
    /// The guard gets the processor late, by this much at the most.
    Slow(Side, Time),
    /// A cable is pulled or plugged in.
    Plug(Side, usize, bool),
    /// An interface is set down or up.
    SetUp(Side, usize, bool),
    /// A switch loses or gets power.
    Switch(usize, bool),
    /// How one direction of a medium treats frames.
    Lane(usize, Side, Lane),
    /// How addresses are taken.
    Applier(Side, Applier, (Time, Time)),
    /// An order of the operator.
    Order(Side, Order),
    /// What the agent says about synchronisation; `None`: it says nothing any more.
    Synchronised(Side, Option<bool>),
    /// What a check says.
    Check(Side, bool),
    /// Whether ping targets answer.
    Targets(Side, bool),
    /// What the guard has seen of the HA cable.
    CableIsDirect(Side, bool),
}

impl Fault {
    /// Its name in the coverage.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Fault::PowerOff(_) => "fault: power off",
            Fault::PowerOn(_) => "fault: power on",
            Fault::Crash(_) => "fault: guard killed",
            Fault::Start(_) => "fault: guard started",
            Fault::Freeze(_) => "fault: guard stopped",
            Fault::FreezeAtGate(_) => "fault: guard stopped before a gate order",
            Fault::Resume(_) => "fault: guard resumed",
            Fault::Slow(..) => "fault: guard slow",
            Fault::Plug(..) => "fault: cable",
            Fault::SetUp(..) => "fault: interface set",
            Fault::Switch(..) => "fault: switch",
            Fault::Lane(..) => "fault: lane",
            Fault::Applier(..) => "fault: applier",
            Fault::Order(..) => "fault: order",
            Fault::Synchronised(..) => "fault: synchronised",
            Fault::Check(..) => "fault: check",
            Fault::Targets(..) => "fault: targets",
            Fault::CableIsDirect(..) => "fault: cable is direct",
        }
    }

    /// The goodbye of a service stop or a shutdown.
    pub(crate) fn leave(side: Side, why: Leaving) -> Fault {
        Fault::Order(side, Order::Leave(why))
    }

    /// Maintenance for `lasts`.
    pub(crate) fn maintenance(side: Side, lasts: Duration) -> Fault {
        Fault::Order(side, Order::MaintenanceOn { lasts })
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}
