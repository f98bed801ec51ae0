//! Plans of faults drawn from a seed: first a hostile phase, then a healed world
//! that must come to rest with one active and stay so.

use std::time::Duration;

use twinwall_core::beat::{Leaving, RoleWord};
use twinwall_core::event::Order;

use super::World;
use super::clock::{Time, ms, nanos, us};
use super::faults::{Fault, Lists};
use super::judge::UNFIT;
use super::machine::{APPLY, Applier, Guard};
use super::network::{Lane, Side};
use super::planned;
use super::prng::Prng;
use super::settings::{GATEWAYS, Settings};
use super::trace::Trace;

/// Time of quiet at the end in which nothing may move any more.
const REST: Time = ms(3_000);
/// Time that a machine needs to boot at the least.
const BOOTING: Time = ms(300);

/// Runs one seed to its end; the world then holds verdict, counts and trace.
pub(crate) fn run(seed: u64, trace: Trace) -> World {
    let mut world = World::new(Settings::drawn(seed), trace);
    let mut prng = Prng::new(seed ^ 0xfa17);
    let mut reach = Prng::new(!seed ^ GATEWAYS);
    let mut flows = planned::drawn(seed);
    for side in 0..2 {
        world.plan(0, Fault::PowerOn(side));
        world.plan(prng.between(ms(1), ms(1_500)), Fault::Start(side));
    }
    world.run_until(ms(1_500));
    hostile(&mut world, &mut prng, &mut reach, flows.as_mut());
    healed(&mut world, &mut reach, flows.as_mut());
    world
}

/// Phase 1: safety. Episodes of one to three faults, each healed after a while or not.
fn hostile(world: &mut World, prng: &mut Prng, reach: &mut Prng, mut flows: Option<&mut Prng>) {
    let detection = nanos(world.pair.detection());
    let episodes = prng.between(6, 16);
    for _ in 0..episodes {
        for _ in 0..prng.between(1, 3) {
            let wait =
                prng.below(*prng.clone().pick(&[1, ms(5), ms(30), detection, detection * 2]));
            strike(world, prng, wait);
        }
        gateways_come_and_go(world, reach);
        if let Some(flows) = &mut flows {
            planned::come_and_go(world, flows);
        }
        let rest = match prng.below(4) {
            0 => prng.below(detection),
            1 => prng.below(4 * detection),
            _ => detection + prng.below(4 * detection) + ms(prng.below(2_000)),
        };
        let until = world.time + rest;
        world.run_until(until);
    }
}

/// Phase 2: liveness. Everything is mended; the pair must find one active and rest.
fn healed(world: &mut World, reach: &mut Prng, flows: Option<&mut Prng>) {
    if world.judge.verdict.is_some() {
        return;
    }
    world.forget_plans();
    for side in 0..2 {
        mend(world, side);
        if flows.is_some() {
            world.apply(Fault::Agent(side, true));
            world.apply(Fault::Flows(side, Some(true)));
        }
    }
    let cut_off = one_stays_unreached(world, reach);
    // Where they hear each other on a path that goes, nodes refuse a first time.
    world.run_until(world.time + 3 * world.judge.bound() / 2);
    for side in 0..2 {
        if *world.machines[side].pair() != world.pair {
            world.apply(Fault::Reload(side, Lists::of(&world.pair)));
        }
    }
    let bound = world.judge.bound();
    // A node that could not apply its addresses counts as unfit for a while, and may
    // get the role back after that.
    world.run_until(world.time + bound + UNFIT);
    world.judge_rest("after all is mended");
    let moves = world.judge.moves;
    world.run_until(world.time + REST);
    world.judge_rest("at the end");
    if let Some(side) = cut_off.filter(|side| world.machines[*side].role == RoleWord::Active) {
        let letter = world.machines[side].letter();
        let what = format!("R7: {letter} is active and reaches fewer gateways than its peer");
        world.judge.object(what);
    }
    if world.judge.moves != moves {
        world.judge.object("rest: a role moved in a quiet network".to_owned());
    }
    // To a node that reaches fewer gateways none is taken.
    if let Some(flows) = flows.filter(|_| cut_off.is_none()) {
        planned::switch_over(world, flows);
    }
}

fn mend(world: &mut World, side: Side) {
    let started = world.machines[side].powered && world.machines[side].guard != Guard::Down;
    let leaving = world.machines[side].leaving.is_some();
    for medium in 0..world.network.media.len() {
        world.apply(Fault::Plug(side, medium, true));
        world.apply(Fault::SetUp(side, medium, true));
        world.apply(Fault::Switch(medium, true));
        world.apply(Fault::Lane(medium, side, Lane::SOUND));
    }
    world.apply(Fault::Slow(side, 0));
    world.apply(Fault::Applier(side, Applier::Works, APPLY));
    world.apply(Fault::Synchronised(side, Some(true)));
    world.apply(Fault::Check(side, true));
    world.apply(Fault::OwnAddresses(side, true));
    for which in 0..world.pair.gateways.len() {
        world.apply(Fault::Gateway(side, which, Some(true)));
    }
    world.apply(Fault::Targets(side, true));
    world.apply(Fault::Reload(side, Lists::of(&world.pair)));
    world.apply(Fault::Resume(side));
    world.apply(Fault::Order(side, Order::MaintenanceOff));
    if !started || leaving {
        world.apply(Fault::PowerOn(side));
        // A shutdown that was under way takes the power once more.
        world.plan(ms(2_900), Fault::PowerOn(side));
        world.plan(ms(3_000), Fault::Start(side));
    }
}

/// Gateways answer one node and not the other, both, none, or nothing is known of them.
fn gateways_come_and_go(world: &mut World, reach: &mut Prng) {
    for which in 0..world.pair.gateways.len() {
        for side in 0..2 {
            let states = [None, Some(true), Some(true), Some(false)];
            let wait = reach.below(ms(2_000));
            world.plan(wait, Fault::Gateway(side, which, *reach.pick(&states)));
        }
    }
}

/// After all else is mended a gateway answers one node only, half of the time: which node
/// does not reach it.
fn one_stays_unreached(world: &mut World, reach: &mut Prng) -> Option<Side> {
    let count = world.pair.gateways.len() as u64;
    if count == 0 || reach.chance(500) {
        return None;
    }
    let side = reach.below(2) as Side;
    world.apply(Fault::Gateway(side, reach.below(count) as usize, Some(false)));
    Some(side)
}

/// One random fault after `wait`, and mostly its end some time later.
fn strike(world: &mut World, prng: &mut Prng, wait: Time) {
    let active = (0..2).find(|side| world.machines[*side].role == RoleWord::Active);
    let side = match active {
        Some(side) if prng.chance(600) => side,
        _ => prng.below(2) as Side,
    };
    let detection = nanos(world.pair.detection());
    let lasts = match prng.below(5) {
        0 => prng.between(us(100), ms(20)),
        1 => prng.between(detection / 2, detection),
        2 => prng.between(detection * 9 / 10, detection * 11 / 10),
        3 => prng.between(detection, detection * 3),
        _ => prng.between(ms(1), ms(3_000)),
    };
    match prng.below(32) {
        0..=1 => power_cycle(world, prng, side, wait, lasts),
        2..=3 => {
            world.plan(wait, Fault::Crash(side));
            world.plan(wait + lasts, Fault::Start(side));
        }
        4..=6 => freeze(world, prng, side, wait, lasts),
        7 => {
            world.plan(wait, Fault::Slow(side, prng.between(us(200), ms(20))));
            world.plan(wait + lasts, Fault::Slow(side, 0));
        }
        8..=11 => unplug(world, prng, side, wait, lasts),
        12..=18 => disturb_lanes(world, prng, wait, lasts),
        19 => applier(world, prng, side, wait, lasts),
        20..=22 => order(world, prng, side, wait, lasts),
        23 => {
            world.plan(wait, Fault::Synchronised(side, *prng.pick(&[Some(false), None])));
            world.plan(wait + lasts, Fault::Synchronised(side, Some(true)));
        }
        24 => {
            world.plan(wait, Fault::Check(side, false));
            world.plan(wait + lasts, Fault::Check(side, true));
        }
        25..=26 => {
            world.plan(wait, Fault::OwnAddresses(side, false));
            world.plan(wait + lasts, Fault::OwnAddresses(side, true));
        }
        27 => {
            world.plan(wait, Fault::Targets(side, false));
            world.plan(wait + lasts, Fault::Targets(side, true));
        }
        _ => reload(world, prng, side, wait),
    }
}

/// Other settings, which reach the two nodes one after the other; now and then one only.
fn reload(world: &mut World, prng: &mut Prng, side: Side, wait: Time) {
    let lists = Lists::drawn(&world.pair, prng);
    world.plan(wait, Fault::Reload(side, lists.clone()));
    let gap = prng.below(*prng.clone().pick(&[ms(1), ms(50), ms(3_000)]));
    if prng.chance(900) {
        world.plan(wait + gap, Fault::Reload(1 - side, lists));
    }
}

fn power_cycle(world: &mut World, prng: &mut Prng, side: Side, wait: Time, lasts: Time) {
    world.plan(wait, Fault::PowerOff(side));
    let back = wait + lasts;
    world.plan(back, Fault::PowerOn(side));
    world.plan(back + BOOTING + prng.below(ms(500)), Fault::Start(side));
}

fn freeze(world: &mut World, prng: &mut Prng, side: Side, wait: Time, lasts: Time) {
    let fault = if prng.chance(400) { Fault::FreezeAtGate(side) } else { Fault::Freeze(side) };
    world.plan(wait, fault);
    world.plan(wait + lasts, Fault::Resume(side));
    if prng.chance(200) {
        // Hung, and then the HA cable is pulled.
        world.plan(wait + prng.below(lasts), Fault::Plug(side, 0, false));
        world.plan(wait + lasts + prng.below(lasts), Fault::Plug(side, 0, true));
    }
}

fn unplug(world: &mut World, prng: &mut Prng, side: Side, wait: Time, lasts: Time) {
    let medium = prng.below(world.network.media.len() as u64) as usize;
    match prng.below(4) {
        0 => {
            world.plan(wait, Fault::Switch(medium, false));
            world.plan(wait + lasts, Fault::Switch(medium, true));
        }
        1 => {
            world.plan(wait, Fault::SetUp(side, medium, false));
            world.plan(wait + lasts, Fault::SetUp(side, medium, true));
        }
        2 => {
            // It flaps.
            for flap in 0..prng.between(2, 6) {
                world.plan(wait + flap * ms(60), Fault::Plug(side, medium, false));
                world.plan(wait + flap * ms(60) + ms(30), Fault::Plug(side, medium, true));
            }
        }
        _ => {
            world.plan(wait, Fault::Plug(side, medium, false));
            world.plan(wait + lasts, Fault::Plug(side, medium, true));
        }
    }
}

/// Loss, delay, doubling, or a cut, on one medium or all, one way or both.
fn disturb_lanes(world: &mut World, prng: &mut Prng, wait: Time, lasts: Time) {
    let kind = prng.below(5);
    let slow = *prng.pick(&[ms(1), ms(3), ms(20), ms(100)]);
    let lane = match kind {
        0 => Lane { loss: prng.between(50, 500), ..Lane::SOUND },
        1 => Lane { doubled: 300, slow, ..Lane::SOUND },
        2 => Lane { loss: prng.between(0, 300), doubled: 100, slow, ..Lane::SOUND },
        _ => Lane { cut: true, ..Lane::SOUND },
    };
    let one = prng.below(world.network.media.len() as u64) as usize;
    let all = prng.chance(500);
    let direction = prng.below(3) as Side;
    for medium in 0..world.network.media.len() {
        if !all && medium != one {
            continue;
        }
        for from in (0..2).filter(|from| direction == 2 || direction == *from) {
            world.plan(wait, Fault::Lane(medium, from, lane));
            // Paths come back one after the other.
            world.plan(wait + lasts + prng.below(ms(30)), Fault::Lane(medium, from, Lane::SOUND));
        }
    }
}

fn applier(world: &mut World, prng: &mut Prng, side: Side, wait: Time, lasts: Time) {
    let how = *prng.pick(&[Applier::Works, Applier::Partly, Applier::Refuses]);
    let slow = *prng.pick(&[ms(3), ms(20), ms(60)]);
    world.plan(wait, Fault::Applier(side, how, (us(300), slow)));
    world.plan(wait + lasts, Fault::Applier(side, Applier::Works, APPLY));
}

fn order(world: &mut World, prng: &mut Prng, side: Side, wait: Time, lasts: Time) {
    match prng.below(6) {
        0..=2 => world.plan(wait, Fault::Order(side, Order::Switchover)),
        3 => world.plan(wait, Fault::maintenance(side, Duration::from_nanos(lasts))),
        4 => world.plan(wait, Fault::Order(side, Order::ClearDamping)),
        _ => {
            let why = *prng.pick(&[Leaving::ServiceStop, Leaving::Shutdown]);
            world.plan(wait, Fault::leave(side, why));
            let back = wait + lasts + ms(500);
            world.plan(back, Fault::PowerOn(side));
            world.plan(back + BOOTING, Fault::Start(side));
        }
    }
}
