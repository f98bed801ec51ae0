//! Puts reports together from the events of both nodes: pure, so that every case has a row
//! in a table of tests. A move is whatever ends with a node that becomes active.

use std::cmp::Reverse;

use twinwall_core::beat::RoleWord;
use twinwall_core::ids::Epoch;
use twinwall_core::note::{Reason, What};

use super::outage::{self, Start};
use super::steps::{evidence, steps};
use super::timeline::{EventKind, Placed};
use super::{Clock, Kind, MAX_SEEN, Report, Seen, Summary, words};
use crate::agent::probe::Silence;

/// What belongs to a report before it began, and after it ended, in microseconds.
const BEFORE: i64 = 2_000_000;
const AFTER: i64 = 5_000_000;
/// After this long nothing more is told of a move, in microseconds.
const SETTLED: i64 = AFTER + 1_000_000;
/// A silence of a probe that goes on is waited for so long, in microseconds.
const PROBES: i64 = 60_000_000;
/// Silences of probes in one report, the longest: one or two of each node, and some that flicker.
const MAX_PROBED: usize = 6;
/// How much later a former active may say that it stopped: it was hung, and woke.
const WAKES: i64 = 60_000_000;
/// Two clocks that were compared may still put what came first behind by this much.
const SLACK: i64 = 50_000;

/// What is known.
pub(super) struct Scene<'a> {
    pub(super) here: &'a str,
    pub(super) there: &'a str,
    /// Events of both in the order of time.
    pub(super) placed: &'a [Placed<'a>],
    pub(super) clock: Option<Clock>,
    /// Until when the other node's events are known.
    pub(super) asked_us: Option<i64>,
    pub(super) now_us: i64,
    /// What the probes of both nodes found silent, by this node's clock.
    pub(super) probed: &'a [Silence],
}

/// A move of the active role.
pub(super) struct Move<'a> {
    /// Whether this node is the one that served then.
    pub(super) to: bool,
    /// Whether this node is the one that served before.
    pub(super) from: Option<bool>,
    pub(super) taken: Placed<'a>,
    pub(super) claimed: Option<Placed<'a>>,
    pub(super) reason: Reason,
    /// When the former active gave the role up, and why.
    pub(super) stopped: Option<(Placed<'a>, Reason)>,
    /// Whether it went on forwarding then.
    pub(super) released: bool,
    /// Why the former active offered the role.
    pub(super) offered: Option<Reason>,
    /// The moves before and after it.
    pub(super) since: i64,
    pub(super) until: i64,
}

impl<'a> Scene<'a> {
    pub(super) fn name(&self, here: bool) -> &'a str {
        if here { self.here } else { self.there }
    }

    /// Events of one node between two moments, both included.
    pub(super) fn of(
        &self,
        here: bool,
        from: i64,
        to: i64,
    ) -> impl DoubleEndedIterator<Item = &Placed<'a>> {
        self.placed.iter().filter(move |it| it.here == here && (from..=to).contains(&it.us))
    }

    /// Whether what this node saw between two moments is known.
    fn covers(&self, here: bool, from: i64, to: i64) -> bool {
        let known = here || self.asked_us.is_some_and(|asked| asked >= to);
        if !known {
            return false;
        }
        let mut of = self.placed.iter().filter(|it| it.here == here);
        let before = of.clone().rev().find(|it| it.us <= from);
        let after = of.find(|it| it.us >= to);
        match (before, after) {
            (Some(before), Some(after)) => before.entry.run == after.entry.run,
            (Some(_), None) => true,
            (None, _) => self.of(here, from, to).next().is_some(),
        }
    }
}

/// A change of role.
pub(super) fn role(placed: &Placed<'_>) -> Option<(RoleWord, RoleWord, Reason)> {
    let What::Role { from, to, reason, .. } = placed.entry.what.as_ref()? else { return None };
    Some((*from, *to, *reason))
}

/// Reports of all moves but those that are `told` already, the oldest first. `served_before`:
/// who served before the first event, this node or the other, where an older report says so.
pub(super) fn reports(
    scene: &Scene<'_>,
    served_before: Option<bool>,
    told: &dyn Fn(&str) -> bool,
) -> Vec<Report> {
    let moves = moves(scene, served_before);
    moves.iter().filter(|one| !told(&one.id())).map(|one| report(scene, one)).collect()
}

fn moves<'a>(scene: &Scene<'a>, served_before: Option<bool>) -> Vec<Move<'a>> {
    let takes = |it: &&Placed<'_>| role(it).is_some_and(|(_, to, _)| to == RoleWord::Active);
    let takings: Vec<Placed<'a>> = scene.placed.iter().filter(takes).copied().collect();
    let mut moves = Vec::new();
    for (at, taken) in takings.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| takings[before]);
        let since = before.map_or(i64::MIN, |it| it.us);
        let until = takings.get(at + 1).map_or(i64::MAX, |it| it.us);
        let Some((_, _, reason)) = role(taken) else { continue };
        let from = former(scene, *taken, before.map(|it| it.here).or(served_before), reason, since);
        moves.push(a_move(scene, *taken, from, reason, (since, until)));
    }
    moves
}

/// Who served before.
fn former(
    scene: &Scene<'_>,
    taken: Placed<'_>,
    last: Option<bool>,
    reason: Reason,
    since: i64,
) -> Option<bool> {
    if matches!(reason, Reason::PeerHandsOver | Reason::PeerPoweredOff) {
        return Some(!taken.here);
    }
    // A node releases only to one that is about to serve, whether that said so or not.
    let stops = |it: &&Placed<'_>| role(it).is_some_and(|(from, _, _)| from == RoleWord::Active);
    let stopped =
        scene.placed.iter().rev().find(|it| it.us < taken.us && it.us >= since && stops(it));
    match stopped.and_then(|it| role(it).map(|(_, to, _)| (it.here, to))) {
        Some((here, RoleWord::Releasing)) if here == taken.here => Some(!here),
        Some((here, _)) => Some(here),
        None => last,
    }
}

fn a_move<'a>(
    scene: &Scene<'a>,
    taken: Placed<'a>,
    from: Option<bool>,
    reason: Reason,
    (since, until): (i64, i64),
) -> Move<'a> {
    let claims = |it: &&Placed<'_>| role(it).is_some_and(|(_, to, _)| to == RoleWord::Claiming);
    let claimed = scene.of(taken.here, since, taken.us).rev().find(claims).copied();
    let latest = if from == Some(taken.here) { taken.us } else { taken.us.saturating_add(WAKES) };
    let stop = |it: &Placed<'a>| {
        let (before, after, why) = role(it)?;
        (before == RoleWord::Active).then_some((*it, after, why))
    };
    let begun = since.saturating_add(1);
    let stopped = from.and_then(|here| scene.of(here, begun, latest.min(until)).find_map(stop));
    let offer = |it: &Placed<'_>| {
        let Some(What::HandoverAsked { reason, .. }) = it.entry.what else { return None };
        Some(reason)
    };
    let offered = from.and_then(|here| {
        scene.of(here, begun, taken.us.saturating_add(SLACK)).rev().find_map(offer)
    });
    Move {
        to: taken.here,
        from,
        taken,
        claimed,
        reason,
        released: stopped.is_some_and(|(_, to, _)| to == RoleWord::Releasing),
        stopped: stopped.map(|(at, _, why)| (at, why)),
        offered,
        since,
        until,
    }
}

impl Move<'_> {
    /// Why, as the node that knows best says it.
    pub(super) fn cause(&self) -> Reason {
        match self.reason {
            Reason::PeerHandsOver => {
                self.offered.or(self.stopped.map(|(_, why)| why)).unwrap_or(self.reason)
            }
            other => other,
        }
    }

    fn kind(&self) -> Kind {
        match (self.from, self.cause()) {
            (None, _) => Kind::Start,
            (Some(from), _) if from == self.to => Kind::Interruption,
            (Some(_), Reason::Switchover | Reason::Maintenance) => Kind::Switchover,
            (Some(_), Reason::Failback) => Kind::Failback,
            (Some(_), Reason::PeerHandsOver) => Kind::Handover,
            (Some(_), _) => Kind::Failover,
        }
    }

    fn epoch(&self) -> Epoch {
        let Some(What::Role { epoch, .. }) = self.taken.entry.what else { return Epoch(0) };
        epoch
    }

    /// The same on both nodes: the run of the guard that took the role, and the epoch.
    fn id(&self) -> String {
        let run: String = self.taken.entry.run.chars().take(8).collect();
        format!("{run}-{}", self.epoch())
    }
}

fn report(scene: &Scene<'_>, one: &Move<'_>) -> Report {
    let start = outage::start(scene, one);
    let outage = outage::outage(scene, one, &start);
    let began = began(one, start.as_ref().ok());
    let missing = missing(scene, one, began);
    let settled = one.taken.us + SETTLED;
    let ms = |us: i64| u64::try_from(us / 1000).unwrap_or_default();
    let summary = Summary {
        id: one.id(),
        kind: one.kind(),
        from: one.from.map(|here| scene.name(here).to_owned()),
        to: scene.name(one.to).to_owned(),
        reason: words::reason(scene, one),
        began_ms: ms(began),
        ended_ms: ms(one.taken.us),
        outage,
    };
    let is_told = scene.now_us > settled && scene.asked_us.is_some_and(|asked| asked > settled);
    let mut explained = words::explained(scene, one, &summary);
    let probed = probed(scene, one, began);
    let goes_on = probed.iter().any(|silence| silence.to_us.is_none());
    explained.extend(probed.iter().map(Silence::sentence));
    Report {
        summary,
        steps: steps(scene, one, start.as_ref().ok()),
        evidence: evidence(scene, one),
        probed,
        timeline: timeline(scene, one, began),
        explained,
        missing,
        complete: is_told && !(goes_on && scene.now_us < settled + PROBES),
        clock: scene.clock,
    }
}

/// What the probes of both nodes found silent while the role moved. A busy machine flickers; that
/// must not leave the silence out which it is about.
fn probed(scene: &Scene<'_>, one: &Move<'_>, began: i64) -> Vec<Silence> {
    let from = (began - BEFORE).max(one.since.saturating_add(1));
    let to = (one.taken.us + AFTER).min(one.until);
    let us = |us: u64| i64::try_from(us).unwrap_or(i64::MAX);
    let touches =
        |it: &&Silence| us(it.from_us) <= to && it.to_us.is_none_or(|end| us(end) >= from);
    let mut found: Vec<(usize, &Silence)> =
        scene.probed.iter().filter(touches).enumerate().collect();
    // One that goes on is longer than any that has ended.
    let length = |it: &Silence| it.to_us.map_or(u64::MAX, |end| end.saturating_sub(it.from_us));
    found.sort_by_key(|(_, silence)| Reverse(length(silence)));
    found.truncate(MAX_PROBED);
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, silence)| silence.clone()).collect()
}

/// The first sign of it.
fn began(one: &Move<'_>, start: Option<&Start>) -> i64 {
    let claimed = one.claimed.map_or(one.taken.us, |it| it.us);
    let start = start.map_or(claimed, |start| start.us);
    start.min(claimed).min(one.taken.us)
}

/// What is not in the report.
fn missing(scene: &Scene<'_>, one: &Move<'_>, began: i64) -> Vec<String> {
    let mut missing = Vec::new();
    for here in [true, false] {
        let name = scene.name(here);
        let needed = one.from.is_some() || here == one.to;
        if !needed || scene.covers(here, began, one.taken.us) {
            continue;
        }
        let asked = here || scene.asked_us.is_some_and(|asked| asked >= one.taken.us);
        missing.push(if asked {
            format!(
                "What {name} saw is lost: its guard ended before its agent had kept the events."
            )
        } else {
            format!(
                "What {name} saw is not here yet: it was not reached since. This report is \
                 completed when it is back."
            )
        });
    }
    if scene.clock.is_none() && scene.placed.iter().any(|it| !it.here) {
        missing.push(
            "The clocks of the two nodes were not compared yet: what the other node saw may stand \
             at a wrong moment."
                .to_owned(),
        );
    }
    missing
}

fn timeline(scene: &Scene<'_>, one: &Move<'_>, began: i64) -> Vec<Seen> {
    let from = (began - BEFORE).max(one.since.saturating_add(1));
    let to = (one.taken.us + AFTER).min(one.until.saturating_sub(1));
    let all: Vec<&Placed<'_>> =
        scene.placed.iter().filter(|it| (from..=to).contains(&it.us)).collect();
    let middle = all.iter().position(|it| it.us >= one.taken.us).unwrap_or_default();
    let last = (middle + MAX_SEEN / 3).max(MAX_SEEN).min(all.len());
    let first = last.saturating_sub(MAX_SEEN);
    let seen = |it: &&Placed<'_>| Seen {
        node: scene.name(it.here).to_owned(),
        unix_us: u64::try_from(it.us).unwrap_or_default(),
        kind: EventKind::of(it.entry.what.as_ref()),
        text: it.entry.text.clone(),
        role: role(it).map(|(_, to, _)| to),
    };
    all[first..last].iter().map(seen).collect()
}
