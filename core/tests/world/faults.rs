//! Everything that can be done to the world, by a plan or by a transcript.

use std::fmt;
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
    /// Whether the agent has all connections of the other node; `None`: it says nothing any
    /// more, and what it said expires.
    Flows(Side, Option<bool>),
    /// The agent is killed, or is there again.
    Agent(Side, bool),
    /// Whether a gateway, by its place in the settings, answers; `None`: not known.
    Gateway(Side, usize, Option<bool>),
    /// Whether ping targets answer.
    Targets(Side, bool),
    /// Whether a node's own addresses can be used, or are still being checked.
    OwnAddresses(Side, bool),
    /// What the guard has seen of the HA cable.
    CableIsDirect(Side, bool),
    /// The machine's settings are replaced, and read again if its guard runs.
    Reload(Side, Lists),
}

/// What a reload may change: interfaces by medium with their watches, in this order;
/// whether there is a ping target; whether beats are half as many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lists {
    /// Medium and watch.
    pub(crate) interfaces: Vec<(usize, bool)>,
    /// Whether the pair pings its target.
    pub(crate) target: bool,
    /// Twice the interval.
    pub(crate) slow: bool,
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
            Fault::Flows(..) => "fault: flows",
            Fault::Agent(..) => "fault: agent",
            Fault::Gateway(..) => "fault: gateway",
            Fault::Targets(..) => "fault: targets",
            Fault::OwnAddresses(..) => "fault: own addresses",
            Fault::CableIsDirect(..) => "fault: cable is direct",
            Fault::Reload(..) => "fault: reload",
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

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |on: &bool, yes: &'static str, no: &'static str| if *on { yes } else { no };
        match self {
            Fault::PowerOff(side) => write!(f, "{} loses power", letter(*side)),
            Fault::PowerOn(side) => write!(f, "{} gets power", letter(*side)),
            Fault::Crash(side) => write!(f, "the guard of {} is killed", letter(*side)),
            Fault::Start(side) => write!(f, "the guard of {} starts", letter(*side)),
            Fault::Freeze(side) => write!(f, "the guard of {} is stopped", letter(*side)),
            Fault::FreezeAtGate(side) => {
                write!(f, "the guard of {} will stop before its next gate order", letter(*side))
            }
            Fault::Resume(side) => write!(f, "the guard of {} runs on", letter(*side)),
            Fault::Slow(side, most) => {
                write!(f, "{} wakes up to {} us late", letter(*side), most / 1_000)
            }
            Fault::Plug(side, medium, up) => {
                let how = on(up, "plugged in", "pulled");
                write!(f, "cable {medium} of {} is {how}", letter(*side))
            }
            Fault::SetUp(side, medium, up) => {
                write!(f, "interface {medium} of {} is set {}", letter(*side), on(up, "up", "down"))
            }
            Fault::Switch(medium, up) => {
                write!(f, "switch {medium} is {}", on(up, "on", "off"))
            }
            Fault::Lane(medium, from, lane) => {
                let (from, to) = (letter(*from), letter(1 - *from));
                write!(f, "cable {medium} from {from} to {to}: {lane}")
            }
            Fault::Applier(side, how, (_, most)) => {
                write!(f, "addresses on {}: {how:?}, up to {} us", letter(*side), most / 1_000)
            }
            Fault::Order(side, order) => write!(f, "order to {}: {order:?}", letter(*side)),
            Fault::Synchronised(side, good) => {
                write!(f, "the agent of {} on synchronised: {good:?}", letter(*side))
            }
            Fault::Check(side, good) => {
                write!(f, "the check of {} says {}", letter(*side), on(good, "yes", "no"))
            }
            Fault::Flows(side, complete) => flows(f, *side, *complete),
            Fault::Agent(side, here) => agent(f, *side, *here),
            Fault::Gateway(side, which, answers) => gateway(f, *side, *which, *answers),
            Fault::Targets(side, answer) => targets(f, *side, *answer),
            Fault::OwnAddresses(side, usable) => own_addresses(f, *side, *usable),
            Fault::CableIsDirect(side, direct) => {
                write!(f, "{} sees a direct cable: {direct}", letter(*side))
            }
            Fault::Reload(side, lists) => write!(f, "{} reads {lists}", letter(*side)),
        }
    }
}

fn flows(f: &mut fmt::Formatter<'_>, side: Side, complete: Option<bool>) -> fmt::Result {
    match complete {
        Some(true) => write!(f, "{} has all connections", letter(side)),
        Some(false) => write!(f, "{} lacks all connections", letter(side)),
        None => write!(f, "the agent of {} says nothing of connections any more", letter(side)),
    }
}

fn agent(f: &mut fmt::Formatter<'_>, side: Side, here: bool) -> fmt::Result {
    let how = if here { "there again" } else { "killed" };
    write!(f, "the agent of {} is {how}", letter(side))
}

fn gateway(
    f: &mut fmt::Formatter<'_>,
    side: Side,
    which: usize,
    answers: Option<bool>,
) -> fmt::Result {
    let (number, how) = (which + 1, answers.map(|answers| if answers { "" } else { " not" }));
    match how {
        Some(how) => write!(f, "gateway {number} does{how} answer {}", letter(side)),
        None => write!(f, "nothing is known of gateway {number} on {}", letter(side)),
    }
}

fn targets(f: &mut fmt::Formatter<'_>, side: Side, answer: bool) -> fmt::Result {
    let how = if answer { "answer" } else { "do not answer" };
    write!(f, "ping targets {how} {}", letter(side))
}

fn own_addresses(f: &mut fmt::Formatter<'_>, side: Side, usable: bool) -> fmt::Result {
    let how = if usable { "can be used" } else { "are being checked for duplicates" };
    write!(f, "the own addresses of {} {how}", letter(side))
}

impl fmt::Display for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interfaces")?;
        for (medium, watch) in &self.interfaces {
            write!(f, " {medium}{}", if *watch { "*" } else { "" })?;
        }
        if self.target {
            f.write_str(", a ping target")?;
        }
        if self.slow {
            f.write_str(", half as many beats")?;
        }
        Ok(())
    }
}

fn letter(side: Side) -> char {
    if side == 0 { 'a' } else { 'b' }
}
