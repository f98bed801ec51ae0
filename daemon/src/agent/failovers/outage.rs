//! How long nobody served: from the last moment at which the former active surely did to
//! the moment at which the new one had its gate open, its addresses applied and the first
//! announcement sent, which is when its role becomes active. Where neither node recorded the
//! first moment, the outage is not known, and that is said.

use twinwall_core::note::{Reason, What};

use super::build::{Move, Scene};
use super::timeline::Placed;
use super::words::span_ms;
use super::{Bound, Outage};

/// How far before a handover its cause may lie, in microseconds.
const CAUSE: i64 = 15_000_000;

/// The moment from which the outage counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) us: i64,
    /// Whether this node recorded it.
    pub(super) here: bool,
    bound: Bound,
    /// What it is, after 'from'.
    pub(super) what: String,
}

/// Finds it; in words why not.
pub(super) fn start(scene: &Scene<'_>, one: &Move<'_>) -> Result<Start, String> {
    let Some(from) = one.from else {
        return Err("no node is known to have served before".to_owned());
    };
    let name = scene.name(from);
    let heard = (from != one.to).then(|| last_heard(scene, one)).flatten();
    let comparable = |at: &Placed<'_>| at.here == one.to || scene.clock.is_some();
    let stopped = one.stopped.filter(|(at, _)| comparable(at));
    match (stopped, heard) {
        // A node that hung says so when it wakes; its kernel had closed the gate before.
        (Some((at, why)), heard) if heard.is_none_or(|heard| at.us <= heard) => {
            Ok(recorded(scene, from, at, why))
        }
        (_, Some(heard)) => Ok(Start {
            us: heard,
            here: one.to,
            bound: Bound::AtMost,
            what: format!("the last heartbeat that {} heard of {name}", scene.name(one.to)),
        }),
        (_, None) => without_either(scene, one, from),
    }
}

/// The former active said when it stopped.
fn recorded(scene: &Scene<'_>, from: bool, at: Placed<'_>, why: Reason) -> Start {
    let name = scene.name(from);
    let cause = |it: &&Placed<'_>| {
        let what = it.entry.what.as_ref();
        let is_link = matches!(what, Some(What::Link { up: false, .. }));
        let is_check = matches!(what, Some(What::Check { good: false, .. }));
        let by_check = matches!(why, Reason::CheckFailed | Reason::PeerReachesMore);
        (is_link && why == Reason::PeerHasMoreLinks) || (is_check && by_check)
    };
    let cause = scene.of(from, at.us - CAUSE, at.us).rev().find(cause);
    let (us, what) = match cause {
        Some(cause) => (cause.us, format!("what {name} noted as '{}'", cause.entry.text)),
        None => (at.us, format!("the moment at which {name} stopped answering")),
    };
    Start { us, here: from, bound: Bound::Measured, what }
}

fn without_either(scene: &Scene<'_>, one: &Move<'_>, from: bool) -> Result<Start, String> {
    let (name, new) = (scene.name(from), scene.name(one.to));
    if from == one.to {
        return Err(format!(
            "the guard of {name} was started again; whether its kernel went on serving meanwhile \
             was not recorded"
        ));
    }
    if let (Reason::PeerHandsOver, Some(claimed)) = (one.reason, one.claimed) {
        return Ok(Start {
            us: claimed.us,
            here: one.to,
            bound: Bound::AtMost,
            what: format!("the moment at which {new} began to take over, asked by {name}"),
        });
    }
    let left = |it: &&Placed<'_>| matches!(it.entry.what, Some(What::PeerLeft { .. }));
    if let Some(left) = scene.of(one.to, one.since.saturating_add(1), one.taken.us).rev().find(left)
    {
        return Ok(Start {
            us: left.us,
            here: one.to,
            bound: Bound::AtLeast,
            what: format!("the goodbye of {name}, which it says after it stopped serving"),
        });
    }
    Err(format!("neither node recorded when {name} stopped serving"))
}

/// When the new active last heard the former one, as far as it noted that: a doubt, or a
/// silence, that lasted until it claimed.
fn last_heard(scene: &Scene<'_>, one: &Move<'_>) -> Option<i64> {
    let claimed = one.claimed.map_or(one.taken.us, |it| it.us);
    if one.reason == Reason::PeerRestarted {
        return before_restart(scene, one, claimed);
    }
    let mut heard = None;
    let later = one.until.saturating_sub(1);
    for it in scene.of(one.to, one.since.saturating_add(1), later) {
        let what = it.entry.what.as_ref();
        if matches!(what, Some(What::DoubtEnded | What::PeerUp { .. })) {
            if it.us > claimed {
                break;
            }
            heard = None;
        }
        let Some(What::PeerDoubted { silence } | What::PeerSilent { silence }) = what else {
            continue;
        };
        let moment = it.us - i64::try_from(silence.as_micros()).unwrap_or(i64::MAX);
        // One that was noted after the claim tells of the same silence.
        if moment <= claimed {
            heard = heard.or(Some(moment));
        }
    }
    heard
}

/// The last heartbeat of the run that served: the one after it, which closes the gate before it
/// speaks, said how long ago that was. One that died again before the claim has served nobody.
fn before_restart(scene: &Scene<'_>, one: &Move<'_>, claimed: i64) -> Option<i64> {
    let from = one.since.saturating_add(1).max(claimed.saturating_sub(CAUSE));
    scene.of(one.to, from, claimed).find_map(|it| {
        let Some(What::PeerUp { silence: Some(silence), .. }) = it.entry.what else { return None };
        Some(it.us - i64::try_from(silence.as_micros()).unwrap_or(i64::MAX))
    })
}

pub(super) fn outage(scene: &Scene<'_>, one: &Move<'_>, start: &Result<Start, String>) -> Outage {
    let new = scene.name(one.to);
    let start = match start {
        Ok(start) => start,
        Err(why) => {
            return Outage {
                ms: None,
                bound: Bound::Unknown,
                uncertainty_ms: 0.0,
                how: format!("Not known: {why}."),
                meaning: format!("From its end on {new} served."),
            };
        }
    };
    let compared = start.here != one.to;
    let error = scene.clock.filter(|_| compared).map_or(0, |clock| clock.error_us);
    let uncertainty_ms = error as f64 / 1000.0;
    let mut how = format!(
        "From {} to the moment at which {new} had its gate open, its addresses applied and its \
         first announcement sent.",
        start.what
    );
    if compared {
        how += &format!(
            " The two clocks were compared, which may be wrong by {}.",
            span_ms(uncertainty_ms)
        );
    }
    Outage {
        ms: Some((one.taken.us - start.us).max(0) as f64 / 1000.0),
        bound: start.bound,
        uncertainty_ms,
        how,
        meaning: meaning(scene, one, start.bound),
    }
}

/// What it means for clients.
fn meaning(scene: &Scene<'_>, one: &Move<'_>, bound: Bound) -> String {
    let name = one.from.map_or("the former active", |from| scene.name(from));
    match bound {
        Bound::Measured if one.released => format!(
            "For so long neither node answered for the virtual IPs. What was on its way was still \
             forwarded by {name}."
        ),
        Bound::Measured => "For so long neither node answered for the virtual IPs.".to_owned(),
        Bound::AtMost => format!(
            "Neither node answered for the virtual IPs for so long at most: {name} may have \
             served beyond the first moment."
        ),
        Bound::AtLeast => format!(
            "Neither node answered for the virtual IPs for so long at least: {name} had stopped \
             before the first moment."
        ),
        Bound::Unknown => String::new(),
    }
}
