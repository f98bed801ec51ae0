//! From the sending of a flow's first packet until the passive has it; and whether the load
//! disturbed the pair. Called by the benchmark about flows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use twinwall_core::time::Moment;

use super::load::Site;
use crate::clock::now;
use crate::error::{LabError, Result};
use crate::product::{Flows, Product, conntrackd};
use crate::replica::events::Arrivals;
use crate::result::millis;
use crate::timeline::role_changes;
use crate::traffic::generator::{FlowKind, Made};

/// What has not come this long after the last flow never came.
const LAST_CALL: Duration = Duration::from_secs(1);
/// Between two questions to conntrackd.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What was seen.
pub(super) struct Lag {
    /// Milliseconds, of each flow or at each question.
    millis: Vec<f64>,
    /// Flows that never came.
    pub(super) dropped: u64,
    /// How late the latest heartbeat of the active was; twinwall alone says so.
    pub(super) latest_beat_ms: Option<f64>,
    /// Moves of the role meanwhile.
    pub(super) role_changes: u32,
}

impl Lag {
    /// What this share of all did not exceed.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.millis.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted.get((share * last as f64).ceil() as usize).copied().unwrap_or(f64::NAN)
    }
}

/// Begins flows at this rate for so long.
pub(super) fn measure(site: &mut Site, rate: u32, seconds: u32) -> Result<Lag> {
    let from = now();
    let late_before = latest_beat(site)?;
    let cached =
        site.lab.form.product == Product::Keepalived && site.lab.form.flows == Flows::Replicated;
    let (millis, dropped) = match cached {
        true => by_questions(site, rate, seconds)?,
        false => by_notices(site, rate, seconds)?,
    };
    let latest = latest_beat(site)?;
    let entries = site.lab.timeline.between(from, now());
    Ok(Lag {
        millis,
        dropped,
        latest_beat_ms: latest.zip(late_before).map(|(latest, before)| {
            // It is the latest one ever: none of this time was later when it has not grown.
            if latest > before { latest } else { 0.0 }
        }),
        role_changes: role_changes(&entries),
    })
}

/// Of the active's guard, in milliseconds.
fn latest_beat(site: &Site) -> Result<Option<f64>> {
    if site.lab.form.product != Product::Twinwall {
        return Ok(None);
    }
    let status = site.lab.gateways[site.active].guard().status()?;
    Ok(Some(status.guard.worst_late_us as f64 / 1e3))
}

/// Each flow by the passive kernel's own notice of it.
fn by_notices(site: &mut Site, rate: u32, seconds: u32) -> Result<(Vec<f64>, u64)> {
    let arrivals = Arrivals::begin(&site.lab.gateways[1 - site.active].machine.worker)?;
    let made = site.generator.make(FlowKind::Udp, rate * seconds, rate);
    thread::sleep(LAST_CALL);
    let heard = arrivals.end()?;
    if heard.overruns > 0 {
        let text = format!("{} notices of the kernel were lost to the measure", heard.overruns);
        return Err(LabError::Usage(text));
    }
    let flows = (made.first..).zip(&made.sent);
    let came: Vec<f64> = flows
        .filter_map(|(number, sent)| Some(millis(heard.at.get(&number)?.since(*sent))))
        .collect();
    let dropped = made.sent.len().saturating_sub(came.len());
    Ok((came, dropped as u64))
}

/// The age of the oldest flow that conntrackd's external cache was not told of.
fn by_questions(site: &mut Site, rate: u32, seconds: u32) -> Result<(Vec<f64>, u64)> {
    let passive = &site.lab.gateways[1 - site.active];
    let (worker, tree) = (passive.machine.worker.clone(), passive.tree().to_owned());
    let first = conntrackd::told(&worker, &tree)?;
    let ends = AtomicBool::new(false);
    let (made, asked) = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut asked: Vec<(Moment, u64)> = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                let before = now();
                // One that does not answer in time is seen by the next question.
                let told = conntrackd::told(&worker, &tree).ok();
                // The count is of some moment between question and answer.
                let at = before + now().since(before) / 2;
                asked.extend(told.map(|told| (at, told)));
                thread::sleep(ASK_EVERY);
            }
            asked
        });
        let made = site.generator.make(FlowKind::Udp, rate * seconds, rate);
        ends.store(true, Ordering::Relaxed);
        (made, asking.join().unwrap_or_default())
    });
    thread::sleep(LAST_CALL);
    let told = conntrackd::told(&worker, &tree)?.saturating_sub(first);
    let ages = asked.iter().map(|(at, told)| age(&made, *at, told.saturating_sub(first)));
    Ok((ages.collect(), (made.sent.len() as u64).saturating_sub(told)))
}

fn age(made: &Made, at: Moment, told: u64) -> f64 {
    let next = usize::try_from(told).ok().and_then(|told| made.sent.get(told));
    next.map_or(0.0, |sent| millis(at.since(*sent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_is_that_of_the_first_flow_that_is_not_there() {
        let sent = [10, 20, 30].map(Moment::from_millis).to_vec();
        let made = Made { first: 5, sent };
        let at = Moment::from_millis(35);
        assert_eq!(age(&made, at, 1), 15.0);
        assert_eq!(age(&made, at, 3), 0.0);
        assert_eq!(age(&made, Moment::from_millis(12), 1), 0.0);
    }

    #[test]
    fn of_a_hundred_the_longest_may_be_longer() {
        let lag = Lag {
            millis: (0..200).map(f64::from).collect(),
            dropped: 0,
            latest_beat_ms: None,
            role_changes: 0,
        };
        assert_eq!(
            (lag.quantile(0.5), lag.quantile(0.99), lag.quantile(1.0)),
            (100.0, 198.0, 199.0)
        );
    }
}
