//! What to do next with the services that are bound to the active role: a graph, what is
//! wanted of all of them, and what is known of each. No clock, no process: what happens comes
//! in, what to do comes out. One thing at a time is done with a service, and what began for
//! an older wish is broken off and looked at anew, so that it can never overtake a newer one.

use std::time::Duration;

use twinwall_core::time::Moment;

use super::view::Phase;
use crate::agent::profile::Service;

/// A service that should not have changed by itself is looked at again after this.
pub(super) const LOOK: Duration = Duration::from_secs(20);
/// One that was just started, after this: some die as soon as they read their files.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// After the first failure, doubled up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Failures in a row after which the node counts as unable to bear the role.
pub(super) const TRIES: u32 = 3;

/// What is wanted of all services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The node is active.
    Running,
    /// It is not.
    Stopped,
}

/// What is done with one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// Look how it is.
    Check,
    /// Start it.
    Start,
    /// Stop it.
    Stop,
}

/// How that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It did what was asked; of a check: the service works.
    Well,
    /// Of a check: the service does not run, or does not work; in words.
    No(String),
    /// There is nothing to start or stop here; why.
    LeftAlone(String),
    /// It failed; in words.
    Failed(String),
    /// It was broken off: what it left is not known.
    BrokenOff,
}

/// Number of a wish; an action belongs to the one that it began under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Generation(u64);

/// An action that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Busy {
    verb: Verb,
    generation: Generation,
}

#[derive(Clone, Debug)]
struct One {
    name: String,
    /// Places of the services that are started before it.
    after: Vec<usize>,
    phase: Phase,
    since: Moment,
    busy: Option<Busy>,
    failures: u32,
    /// Not touched before.
    not_before: Moment,
}

/// All of them.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    all: Vec<One>,
    wanted: Option<Wanted>,
    generation: Generation,
}

/// One service as it is.
pub(super) struct Seen<'p> {
    pub(super) name: &'p str,
    pub(super) phase: &'p Phase,
    pub(super) verb: Option<Verb>,
    pub(super) since: Moment,
    pub(super) failures: u32,
}

impl Plan {
    /// Of these services, which stand in an order in which each comes after those that it
    /// waits for. Nothing is known of them yet, and nothing wanted.
    pub(super) fn new(now: Moment, services: &[&Service]) -> Plan {
        let place = |name: &String| services.iter().position(|service| service.name == *name);
        let one = |service: &&Service| One {
            name: service.name.clone(),
            after: service.after.iter().filter_map(place).collect(),
            phase: Phase::Unknown,
            since: now,
            busy: None,
            failures: 0,
            not_before: now,
        };
        let all = services.iter().map(one).collect();
        Plan { all, wanted: None, generation: Generation(0) }
    }

    /// What is wanted now.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        self.wanted
    }

    /// Another wish; the same again changes nothing. Whether actions that run are to be
    /// broken off.
    pub(super) fn want(&mut self, now: Moment, wanted: Option<Wanted>) -> bool {
        if self.wanted == wanted {
            return false;
        }
        self.wanted = wanted;
        self.generation.0 += 1;
        for one in &mut self.all {
            one.failures = 0;
            one.not_before = now;
        }
        true
    }

    /// What to begin now: each is begun, and must come back by [`Plan::ended`].
    pub(super) fn begin(&mut self, now: Moment) -> Vec<(usize, Verb, Generation)> {
        let due: Vec<(usize, Verb)> =
            (0..self.all.len()).filter_map(|place| Some((place, self.due(now, place)?))).collect();
        let generation = self.generation;
        for (place, verb) in &due {
            self.all[*place].busy = Some(Busy { verb: *verb, generation });
        }
        due.into_iter().map(|(place, verb)| (place, verb, generation)).collect()
    }

    fn due(&self, now: Moment, place: usize) -> Option<Verb> {
        let one = &self.all[place];
        if one.busy.is_some() || now < one.not_before {
            return None;
        }
        let runs = |place: &usize| self.all[*place].phase.is_out_of_the_way(true);
        let stopped =
            |other: &One| !other.after.contains(&place) || other.phase.is_out_of_the_way(false);
        match (self.wanted?, &one.phase) {
            (_, Phase::LeftAlone { .. }) | (Wanted::Running, Phase::Unknown) => Some(Verb::Check),
            (Wanted::Running, Phase::Running) | (Wanted::Stopped, Phase::Stopped) => {
                Some(Verb::Check)
            }
            (Wanted::Running, Phase::Stopped | Phase::Failed { .. }) => {
                one.after.iter().all(runs).then_some(Verb::Start)
            }
            // What is not known may just be starting: a check would say that it does not run.
            (Wanted::Stopped, Phase::Unknown | Phase::Running | Phase::Failed { .. }) => {
                self.all.iter().all(stopped).then_some(Verb::Stop)
            }
        }
    }

    /// An action has ended. Whether the service is in another phase than before.
    pub(super) fn ended(
        &mut self,
        now: Moment,
        place: usize,
        generation: Generation,
        ended: Ended,
    ) -> bool {
        let (wanted, newest) = (self.wanted, self.generation);
        let Some(one) = self.all.get_mut(place) else { return false };
        let Some(busy) = one.busy.take_if(|busy| busy.generation == generation) else {
            return false;
        };
        // Of an older wish: what it left is looked at before anything is done.
        let ended = if generation == newest { ended } else { Ended::BrokenOff };
        let phase = match (busy.verb, ended) {
            (_, Ended::BrokenOff) => Phase::Unknown,
            (_, Ended::LeftAlone(why)) => Phase::LeftAlone { why },
            (Verb::Check | Verb::Start, Ended::Well) => Phase::Running,
            (Verb::Stop, Ended::Well) => Phase::Stopped,
            (Verb::Check, Ended::No(why)) => {
                let ran = one.phase == Phase::Running && wanted == Some(Wanted::Running);
                if ran { Phase::Failed { why } } else { Phase::Stopped }
            }
            (_, Ended::No(why) | Ended::Failed(why)) => Phase::Failed { why },
        };
        one.not_before = match &phase {
            Phase::Unknown => now,
            Phase::Failed { .. } => {
                one.failures = one.failures.saturating_add(1);
                now + pause(one.failures)
            }
            Phase::Running if busy.verb == Verb::Start => now + FIRST_LOOK,
            Phase::Running if busy.verb == Verb::Check && wanted == Some(Wanted::Running) => {
                one.failures = 0;
                now + LOOK
            }
            Phase::Stopped if busy.verb == Verb::Check && wanted == Some(Wanted::Running) => now,
            Phase::Running => now,
            Phase::Stopped | Phase::LeftAlone { .. } => now + LOOK,
        };
        let other = one.phase != phase;
        if other {
            one.since = now;
            one.phase = phase;
        }
        other
    }

    /// When [`Plan::begin`] has something to do if nothing ends before; none when it is now
    /// or never.
    pub(super) fn deadline(&self, now: Moment) -> Option<Moment> {
        self.wanted?;
        let waits = self.all.iter().filter(|one| one.busy.is_none() && one.not_before > now);
        waits.map(|one| one.not_before).min()
    }

    /// Each as it is.
    pub(super) fn seen(&self) -> impl Iterator<Item = Seen<'_>> {
        self.all.iter().map(|one| Seen {
            name: &one.name,
            phase: &one.phase,
            verb: one.busy.map(|busy| busy.verb),
            since: one.since,
            failures: one.failures,
        })
    }
}

impl Phase {
    /// Whether whoever waits for it need not: it runs, or (`start` false) does not, or there
    /// is nothing to start or stop.
    fn is_out_of_the_way(&self, start: bool) -> bool {
        match self {
            Phase::Running => start,
            Phase::Stopped => !start,
            Phase::LeftAlone { .. } => true,
            Phase::Unknown | Phase::Failed { .. } => false,
        }
    }
}

fn pause(failures: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16));
    doubled.min(LONGEST_PAUSE)
}
