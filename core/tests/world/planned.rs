//! Connections that the other node has or lacks, and planned moves that wait for them: what
//! is drawn in some of the seeds, and the rule on how long a move may wait.

use twinwall_core::CONNECTIONS_LIMIT;
use twinwall_core::beat::RoleWord;
use twinwall_core::event::Order;
use twinwall_core::note::{Note, Reason, What};

use super::World;
use super::clock::{Time, ms, nanos};
use super::faults::Fault;
use super::network::Side;
use super::prng::Prng;

/// Sets the draws about connections apart from all others, so that the worlds of the seeds
/// without them are as they were.
const FLOWS: u64 = 0xf105;
/// A move that waited to its end is asked for within this: a handover that was given up
/// before is tried again after 5 s.
const ASKED_WITHIN: Time = ms(6_000);
/// A move that waits no more has come within this in a quiet world.
const MOVED_WITHIN: Time = ms(3_000);
/// What the agent said last is forgotten after this.
const FORGOTTEN: Time = ms(10_000);

/// A planned move that waits on one machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Awaited {
    /// When its limit is reached.
    until: Time,
    /// Since when it is due beyond that, and not asked for.
    overdue: Option<Time>,
}

/// Where chance comes from in a seed that draws connections.
pub(crate) fn drawn(seed: u64) -> Option<Prng> {
    Prng::new(seed ^ FLOWS).chance(300).then(|| Prng::new(!seed ^ FLOWS))
}

/// An agent says that all connections are there, that some are missing, or nothing any more;
/// or it is killed, or there again.
pub(crate) fn come_and_go(world: &mut World, prng: &mut Prng) {
    for side in 0..2 {
        let said = *prng.pick(&[None, Some(true), Some(false), Some(false)]);
        let wait = prng.below(ms(2_000));
        world.plan(wait, Fault::Flows(side, said));
        let here = !prng.chance(200);
        let wait = prng.below(ms(2_000));
        world.plan(wait, Fault::Agent(side, here));
    }
}

/// A switchover in a world at rest, to a node that lacks connections: it comes when they are
/// there, or when nobody says any more that they are not, or else at its limit.
pub(crate) fn switch_over(world: &mut World, prng: &mut Prng) {
    let Some(from) = (0..2).find(|side| world.machines[*side].role == RoleWord::Active) else {
        return;
    };
    let to: Side = 1 - from;
    world.apply(Fault::Flows(to, Some(false)));
    world.run_until(world.time + ms(2_500));
    let (begun, moves) = (world.time, world.judge.moves);
    world.apply(Fault::Order(from, Order::Switchover));
    let (news, limit) = match prng.below(3) {
        0 => (None, nanos(CONNECTIONS_LIMIT)),
        1 => (Some(Some(true)), prng.between(ms(1_000), ms(20_000))),
        _ => (Some(None), prng.between(ms(1_000), ms(15_000))),
    };
    world.run_until(begun + limit - ms(100));
    if world.judge.moves != moves {
        world.judge.object("planned: the role moved before the other node had all".to_owned());
    }
    let forgotten = if let Some(said) = news {
        world.apply(Fault::Flows(to, said));
        if said.is_none() { FORGOTTEN } else { 0 }
    } else {
        0
    };
    world.run_until(begun + limit + forgotten + MOVED_WITHIN);
    if world.judge.moves == moves {
        world.judge.object(format!("planned: the role did not move to {to} in the end"));
    }
}

impl World {
    /// A core tells something that concerns a planned move.
    pub(crate) fn note_planned(&mut self, side: Side, note: &Note) {
        let machine = &mut self.machines[side];
        match note.what {
            What::MoveWaits { limit } => {
                let until = self.time + machine.clock.stretch(limit);
                machine.awaited = Some(Awaited { until, overdue: None });
                let snapshot = machine.core.snapshot(note.at);
                let (election, peer) = (snapshot.election, snapshot.peer.role);
                // One that still lets go of the role takes none.
                let serves =
                    election.should_serve == "this node" && peer == Some(RoleWord::Passive);
                if serves && election.reason != Reason::AwaitsConnections {
                    let letter = machine.letter();
                    let what = format!("planned: {letter} waits and says '{}'", election.reason);
                    self.judge.object(what);
                }
            }
            What::HandoverAsked { .. } => {
                let waited = machine.awaited.take();
                if waited.is_some_and(|awaited| self.time >= awaited.until) {
                    self.coverage.count("a planned move waited to its limit");
                }
            }
            What::Role { .. } | What::HandoverGivenUp { .. } => machine.awaited = None,
            _ => {}
        }
    }

    /// A move whose time to wait is over is asked for, or not due any more.
    pub(crate) fn judge_planned(&mut self, side: Side) {
        let machine = &mut self.machines[side];
        let over = machine.awaited.filter(|awaited| self.time > awaited.until);
        let Some(mut awaited) = over.filter(|_| machine.runs()) else { return };
        let election = machine.core.snapshot(machine.now(self.time)).election;
        let planned =
            matches!(election.reason, Reason::Switchover | Reason::Failback | Reason::Maintenance);
        if !planned || election.should_serve != "the peer" || machine.role != RoleWord::Active {
            machine.awaited = None;
            return;
        }
        let since = (*awaited.overdue.get_or_insert(self.time)).max(machine.settled);
        machine.awaited = Some(awaited);
        if self.time > since + ASKED_WITHIN {
            let letter = machine.letter();
            self.judge.object(format!("planned: {letter} waited to the limit and never moved"));
        }
    }
}
