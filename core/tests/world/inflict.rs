//! What each fault does to the world.

use twinwall_core::event::{Event, Order};

use super::clock::{ms, us};
use super::faults::{Fault, Lists};
use super::machine::{Guard, Waiting};
use super::network::Side;
use super::{Item, World};

impl World {
    /// Lets a fault happen now.
    pub(crate) fn apply(&mut self, fault: Fault) {
        self.trace.world(self.time, &format!("{fault}"));
        self.judge.disturbed(self.time);
        self.coverage.count(fault.name());
        match fault {
            Fault::PowerOff(side) => self.power_off(side),
            Fault::PowerOn(side) => self.machines[side].powered = true,
            Fault::Crash(side) => self.machines[side].crash(),
            Fault::Start(side) => {
                if self.machines[side].powered && self.machines[side].guard == Guard::Down {
                    self.start(side);
                }
            }
            Fault::Freeze(side) => self.machines[side].freeze(),
            Fault::FreezeAtGate(side) => self.machines[side].stall_next = true,
            Fault::Resume(side) => {
                self.machines[side].stall_next = false;
                if self.machines[side].powered && self.machines[side].guard == Guard::Frozen {
                    self.resume(side);
                }
            }
            Fault::Slow(side, most) => self.machines[side].slow(self.time, most),
            Fault::Plug(side, medium, on) => self.network.media[medium].plugged[side] = on,
            Fault::SetUp(side, medium, on) => self.network.media[medium].set_up[side] = on,
            Fault::Switch(medium, on) => self.network.media[medium].switch_on = on,
            Fault::Lane(medium, from, lane) => self.network.media[medium].lanes[from] = lane,
            Fault::Applier(side, applier, time) => {
                self.machines[side].applier = applier;
                self.machines[side].apply_time = time;
            }
            Fault::Order(side, order) => self.order_given(side, order),
            Fault::Synchronised(side, good) => {
                self.machines[side].synchronised = good;
                self.state_once(side);
            }
            Fault::Check(side, good) => {
                self.machines[side].check = good;
                self.state_once(side);
            }
            Fault::Flows(side, complete) => self.flows(side, complete),
            Fault::Agent(side, here) => self.agent(side, here),
            Fault::Gateway(side, which, answers) => self.gateway(side, which, answers),
            Fault::Targets(side, answer) => self.machines[side].targets = answer,
            Fault::OwnAddresses(side, usable) => self.own_addresses(side, usable),
            Fault::CableIsDirect(side, direct) => self.event(side, Event::CableIsDirect { direct }),
            Fault::Reload(side, lists) => self.settings_written(side, &lists),
        }
        self.carriers_change();
    }

    fn flows(&mut self, side: Side, complete: Option<bool>) {
        self.machines[side].flows = complete;
        self.state_once(side);
    }

    /// Its guard sees the connection end.
    fn agent(&mut self, side: Side, here: bool) {
        self.machines[side].agent = here;
        if here {
            self.state_once(side);
        } else {
            self.event(side, Event::AgentLeft);
        }
    }

    fn gateway(&mut self, side: Side, which: usize, answers: Option<bool>) {
        if let Some(gateway) = self.machines[side].gateways.get_mut(which) {
            *gateway = answers;
            self.state_once(side);
        }
    }

    fn own_addresses(&mut self, side: Side, usable: bool) {
        self.machines[side].own_usable = usable;
        self.event(side, self.machines[side].own_addresses());
    }

    fn power_off(&mut self, side: Side) {
        let machine = &mut self.machines[side];
        machine.powered = false;
        machine.guard = Guard::Down;
        machine.gate.close();
        machine.addresses = false;
        machine.waiting.clear();
        machine.stalled = None;
    }

    fn settings_written(&mut self, side: Side, lists: &Lists) {
        let pair = lists.pair(&self.pair);
        self.judge.widen(&pair);
        self.machines[side].setup.pair = pair;
        self.machines[side].queue(Waiting::Reload);
        self.wake(side);
    }

    fn order_given(&mut self, side: Side, order: Order) {
        if let Order::Leave(why) = &order {
            self.machines[side].leaving = Some(*why);
        }
        self.event(side, Event::Order(order));
    }

    /// Gives the guard an event soon.
    pub(crate) fn event(&mut self, side: Side, event: Event) {
        let run = self.machines[side].runs;
        self.push(self.time + us(1), Item::Tell(side, run, Waiting::Event(event)));
    }

    /// Tells guards of carriers that may have changed: mostly at once, now and then
    /// as late as the kernel's rate limit and the slow poll together make it.
    fn carriers_change(&mut self) {
        let powered = self.powered();
        for side in 0..2 {
            for medium in 0..self.network.media.len() {
                let up = self.network.media[medium].carrier(side, powered);
                let seen = std::mem::replace(&mut self.carriers[side][medium], up);
                if seen == up {
                    continue;
                }
                let most = if self.prompt_carriers { 98 } else { 100 };
                let delay = match self.prng.below(most) {
                    0..70 => self.prng.between(us(200), us(500)),
                    70..98 => self.prng.between(us(500), ms(5)),
                    _ => self.prng.between(ms(5), ms(1_000)),
                };
                let run = self.machines[side].runs;
                self.push(self.time + delay, Item::Tell(side, run, Waiting::Carrier(medium)));
            }
        }
    }
}
