//! What to do next with the health checks of the profile: no clock, no process, as in
//! [`super::plan`]. One failure says nothing: a check that failed several times in a row counts
//! as failed, and makes its node unfit until it went well as often. Each time that happens
//! again within an hour it must go well twice as often, so that one which comes and goes
//! cannot keep the role moving.

use std::time::Duration;

use twinwall_core::time::Moment;

use super::plan::{Ended, Plan, Wanted};
use super::view::{Health, HealthView, Phase};
use super::{Service, UNABLE};
use crate::agent::section::Section;

/// Between two runs of a check.
pub(super) const EVERY: Duration = Duration::from_secs(10);
/// The next run while it is not clear yet how it is.
pub(super) const AGAIN: Duration = Duration::from_secs(5);
/// Failures in a row after which it counts as failed, and successes after which it does not.
pub(super) const IN_A_ROW: u32 = 3;
/// Most successes that are asked for.
const MOST: u32 = 48;
/// Without a fall for this long the next one is the first again.
const CALM: Duration = Duration::from_secs(3600);
/// Most that run at the same time: they are not what the machine is for.
pub(super) const AT_ONCE: usize = 4;

/// One check.
#[derive(Clone, Debug)]
struct One {
    section: Section,
    command: String,
    health: Health,
    since: Moment,
    /// Failures in a row, or successes where it counts as failed.
    in_a_row: u32,
    /// Since when it counts as failed, and why.
    down: Option<(Moment, String)>,
    /// How often it came to that, and when the last time.
    falls: u32,
    fell: Moment,
    /// Under which role the one that runs began.
    busy: Option<u64>,
    not_before: Moment,
}

/// All checks.
#[derive(Clone, Debug, Default)]
pub(super) struct Checks {
    all: Vec<One>,
    /// Goes up with each change of the role.
    role: u64,
}

/// Whether a check is run now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is.
    Run,
    /// Its section has services that run only on the active, and here they do not.
    Rest,
}

/// Whether the checks of a section are run: where services of it are bound to the role, only
/// while those run here; others on both nodes.
pub(super) fn turn(section: Section, plan: &Plan, services: &[(Section, Service)]) -> Turn {
    let phases = plan.seen().zip(services).filter(|(_, (of, _))| *of == section);
    let mut phases = phases.map(|(seen, _)| seen.phase);
    let rests = |phase: &Phase| match phase {
        Phase::LeftAlone { .. } => false,
        Phase::Running => plan.wanted() != Some(Wanted::Running),
        Phase::Unknown | Phase::Stopped | Phase::Failed { .. } => true,
    };
    if plan.wanted().is_none() || phases.any(rests) { Turn::Rest } else { Turn::Run }
}

impl Checks {
    /// These checks, by section and command; nothing is known of them yet.
    pub(super) fn new(now: Moment, checks: impl Iterator<Item = (Section, String)>) -> Checks {
        let one = |(section, command)| One {
            section,
            command,
            health: Health::Unknown,
            since: now,
            in_a_row: 0,
            down: None,
            falls: 0,
            fell: now,
            busy: None,
            not_before: now,
        };
        Checks { all: checks.map(one).collect(), role: 0 }
    }

    /// The role moved: what runs says nothing of the services any more.
    pub(super) fn role_moved(&mut self) {
        self.role += 1;
    }

    /// What to begin now, longest due first; each must come back by [`Checks::ended`].
    pub(super) fn begin(&mut self, now: Moment, turn: impl Fn(Section) -> Turn) -> Vec<usize> {
        for one in &mut self.all {
            match turn(one.section) {
                Turn::Rest => one.rest(now),
                Turn::Run if one.health == Health::Resting => one.is(now, Health::Unknown),
                Turn::Run => {}
            }
        }
        let busy = self.all.iter().filter(|one| one.busy.is_some()).count();
        let due = |(_, one): &(usize, &One)| {
            one.busy.is_none() && one.health != Health::Resting && one.not_before <= now
        };
        let mut due: Vec<(usize, &One)> = self.all.iter().enumerate().filter(due).collect();
        due.sort_by_key(|(_, one)| one.not_before);
        due.truncate(AT_ONCE.saturating_sub(busy));
        let due: Vec<usize> = due.into_iter().map(|(place, _)| place).collect();
        for place in &due {
            self.all[*place].busy = Some(self.role);
        }
        due
    }

    /// A check has ended. What to tell, where it is another story than before.
    pub(super) fn ended(&mut self, now: Moment, place: usize, ended: Ended) -> Option<String> {
        let role = self.role;
        let one = self.all.get_mut(place)?;
        let began = one.busy.take()?;
        if began != role || one.health == Health::Resting {
            return None;
        }
        match ended {
            Ended::BrokenOff => None,
            Ended::LeftAlone(why) => {
                one.not_before = now + EVERY;
                one.in_a_row = 0;
                let again = one.down.take().is_some();
                one.is(now, Health::LeftOut { why });
                again.then(|| one.story("is left out"))
            }
            Ended::Well => one.passed(now),
            Ended::No(why) | Ended::Failed(why) => one.failed(now, why),
        }
    }

    /// When [`Checks::begin`] has something to do if nothing ends before.
    pub(super) fn deadline(&self, now: Moment) -> Option<Moment> {
        let waits = |one: &&One| {
            one.busy.is_none() && one.health != Health::Resting && one.not_before > now
        };
        self.all.iter().filter(waits).map(|one| one.not_before).min()
    }

    /// Why the node cannot bear the role, if it is so.
    pub(super) fn objection(&self) -> Option<String> {
        let down = |one: &One| {
            let (_, why) = one.down.as_ref()?;
            Some(format!("a health check of {} {why}", one.section))
        };
        self.all.iter().find_map(down)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Each as it is.
    pub(super) fn view(&self, now: Moment) -> Vec<HealthView> {
        let view = |one: &One| HealthView {
            section: one.section,
            command: one.command.clone(),
            health: one.health.clone(),
            unfit: one.down.as_ref().map(|(_, why)| why.clone()),
            in_a_row: one.in_a_row,
            since_s: now.since(one.since).as_secs_f64(),
        };
        self.all.iter().map(view).collect()
    }
}

impl One {
    fn is(&mut self, now: Moment, health: Health) {
        if self.health.words() != health.words() {
            self.since = now;
        }
        self.health = health;
    }

    /// It is not run. What it said last is kept for as long as the role must not come back,
    /// since nobody can see here whether it would go well.
    fn rest(&mut self, now: Moment) {
        self.down.take_if(|(since, _)| now.since(*since) >= UNABLE);
        self.in_a_row = 0;
        self.not_before = now;
        self.is(now, Health::Resting);
    }

    fn passed(&mut self, now: Moment) -> Option<String> {
        let Some((_, why)) = &self.down else {
            (self.in_a_row, self.not_before) = (0, now + EVERY);
            self.is(now, Health::Good);
            return None;
        };
        if matches!(self.health, Health::Failed { .. } | Health::Unknown) {
            self.in_a_row = 0;
        }
        self.in_a_row += 1;
        self.not_before = now + AGAIN;
        if self.in_a_row < self.asked_for() {
            let why = why.clone();
            self.is(now, Health::Recovering { why });
            return None;
        }
        (self.in_a_row, self.down) = (0, None);
        self.is(now, Health::Good);
        Some(self.story("goes well again"))
    }

    fn failed(&mut self, now: Moment, why: String) -> Option<String> {
        if matches!(self.health, Health::Recovering { .. }) {
            self.in_a_row = 0;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.not_before = now + AGAIN;
        if self.in_a_row < IN_A_ROW && self.down.is_none() {
            self.is(now, Health::Doubtful { why });
            return None;
        }
        let news = self.down.is_none();
        if news {
            self.falls = if now.since(self.fell) < CALM { self.falls.saturating_add(1) } else { 1 };
            self.fell = now;
        } else {
            // Nobody waits for its next word.
            self.not_before = now + EVERY;
        }
        let since = self.down.as_ref().map_or(now, |(since, _)| *since);
        self.down = Some((since, why.clone()));
        let text = format!("failed {IN_A_ROW} times in a row, {why}");
        self.is(now, Health::Failed { why });
        news.then(|| self.story(&text))
    }

    /// Successes in a row that end a failure.
    fn asked_for(&self) -> u32 {
        IN_A_ROW.saturating_mul(1 << self.falls.saturating_sub(1).min(8)).min(MOST)
    }

    fn story(&self, what: &str) -> String {
        format!("a health check of {} {what} (`{}`)", self.section, self.command)
    }
}
