//! `bench console`: what the console costs a node while people look at it, and whether a
//! failover notices them. Two nodes with guard, agent and console each; fifty viewers hear every
//! change while one more asks for page after page. Called by the lab's program.

pub mod command;
mod page;

use serde::{Deserialize, Serialize};

use super::figures::Figures;
use crate::console::visitors::Visitors;
use crate::console::{process, resident};
use crate::error::{LabError, Result};
use crate::fault;
use crate::lab::{Form, Lab};
use crate::product::Product;
use crate::result::{Outcome, millis};
use crate::run::{beside, form, play_once};
use crate::scenario::{self, Scenario};

/// The failover that is played with and without viewers.
const FAILOVER: &str = "power-loss-direct-100ms";
/// Most bytes of a page with all that belongs to it.
pub(super) const MAX_BYTES: u64 = 60_000;
/// Longest time of a page, of 99 in 100, in milliseconds.
pub(super) const MAX_MS: f64 = 50.0;
/// Most resident memory of the console's process, in bytes.
pub(super) const MAX_RESIDENT: u64 = 30 << 20;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Viewers.
    pub viewers: u32,
    /// Requests of each page.
    pub requests: u32,
    /// Failovers of each kind.
    pub reps: u32,
    /// The guard's program; `twinwall` stands beside it.
    pub guard: std::path::PathBuf,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Each page that the head of the console leads to.
    pub pages: Vec<Page>,
    /// Resident memory of the console in bytes: before the first visitor, with all viewers, and
    /// the most ever, a sign-in included.
    pub resident: [u64; 3],
    /// Events that the viewers heard meanwhile, all together.
    pub events: u64,
    /// Outages of failovers in milliseconds, over the floor: without viewers, and with them on
    /// the node that takes over.
    pub outages: [Figures; 2],
    /// Repetitions that did not go as they must, and why.
    pub failures: Vec<String>,
}

/// A page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page {
    /// Where.
    pub path: String,
    /// Bytes on the wire for a browser that was never there, TLS and heads included.
    pub bytes: u64,
    /// Bytes of its HTML.
    pub html: u64,
    /// How long each request took, in milliseconds, as the client saw it.
    pub times: Vec<f64>,
}

impl Page {
    /// The time that this share of the requests did not exceed.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.times.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted.get((share * last as f64).ceil() as usize).copied().unwrap_or(f64::NAN)
    }
}

/// Measures everything; says on standard error how far it is.
///
/// # Errors
/// When the lab cannot be built, or nobody is served.
pub fn run(wanted: &Wanted) -> Result<Measured> {
    let failover = scenario::find(FAILOVER)
        .ok_or_else(|| LabError::Usage(format!("{FAILOVER} is no scenario; a bug in the lab")))?;
    let form = form(failover, Product::Twinwall, &wanted.guard)?;
    let mut lab = Lab::build(Form { consoles: Some(beside(&wanted.guard)?), ..form })?;
    let mut measured = pages(&mut lab, wanted)?;
    let scenario = Scenario { consoles: false, ..*failover };
    for rep in 1..=wanted.reps {
        for with_viewers in [false, true] {
            let active = lab.settle()?;
            let viewers = match with_viewers {
                true => Some(Visitors::watch(&lab, 1 - active, wanted.viewers)?),
                false => None,
            };
            let outcome = play_once(&mut lab, &scenario, rep, active)?;
            drop(viewers);
            eprintln!("viewers: {with_viewers}  {}", crate::report::line(&outcome));
            note(&mut measured, &outcome, with_viewers);
            fault::restore(&mut lab)?;
        }
    }
    Ok(measured)
}

fn note(measured: &mut Measured, outcome: &Outcome, with_viewers: bool) {
    let with = if with_viewers { "with viewers" } else { "without viewers" };
    let mut failed = |why: String| {
        measured.failures.push(format!("failover {} {with}: {why}", outcome.rep));
    };
    for missed in &outcome.missed {
        failed(missed.clone());
    }
    match &outcome.traffic {
        Some(seen) => {
            let net = millis(seen.outage.saturating_sub(seen.floor));
            measured.outages[usize::from(with_viewers)].add(net);
        }
        None => failed("no figure".to_owned()),
    }
}

/// What pages cost on the active while everybody looks.
fn pages(lab: &mut Lab, wanted: &Wanted) -> Result<Measured> {
    let active = lab.settle()?;
    let gone = || LabError::Usage("the console has ended; see the guard's log".to_owned());
    let pid = process(&lab.gateways[active]).ok_or_else(gone)?;
    let memory = || resident(pid).ok_or_else(gone);
    let [before, _] = memory()?;
    let viewers = Visitors::watch(lab, active, wanted.viewers)?;
    eprintln!("{} viewers look", wanted.viewers);
    let said = Visitors::measure(lab, active, wanted.requests)?.said()?;
    let [now, most] = memory()?;
    let heard = viewers.end()?;
    let wrong = |cause: serde_json::Error| {
        LabError::Usage(format!("the visitors said what cannot be read: {cause}"))
    };
    let pages: Vec<Page> = serde_json::from_value(said["pages"].clone()).map_err(wrong)?;
    let mut failures = Vec::new();
    if heard["ended"] != 0 {
        failures.push(format!("{} viewers were cut off", heard["ended"]));
    }
    Ok(Measured {
        pages,
        resident: [before, now, most],
        events: heard["events"].as_u64().unwrap_or_default(),
        outages: [Figures::default(), Figures::default()],
        failures,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hundred_requests_the_slowest_one_may_be_slower() {
        let page = |times: Vec<f64>| Page { path: "/".to_owned(), bytes: 0, html: 0, times };
        let mut times: Vec<f64> = (0..200).map(f64::from).collect();
        times.reverse();
        let many = page(times);
        assert_eq!((many.quantile(0.5), many.quantile(0.99)), (100.0, 198.0));
        assert!(page(Vec::new()).quantile(0.99).is_nan());
    }
}
