//! Plays the rows with both products and gathers the figures. Called by the
//! lab's program; prints what it does as it goes, because it goes for long.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::figures::Figures;
use super::machine::Machine;
use super::rows::{Metric, Play, ROWS, Row, STEADY, STEADY_QUICK, Target};
use crate::clock;
use crate::error::{LabError, Result};
use crate::product::Product;
use crate::result::Outcome;
use crate::run::{Order, play};
use crate::scenario::{self, Scenario};

/// Repetitions of a quick run.
const QUICK_REPS: u32 = 3;
/// Quiet time before a fault; the floor is measured in it.
const WARM_UP: Duration = Duration::from_secs(1);

/// Either product has moved within this, at intervals below the long one.
const WATCHED: Duration = Duration::from_secs(2);
/// From this interval on a scenario's own time is needed.
const LONG_INTERVAL: Duration = Duration::from_secs(1);
/// A client that sent nothing for so long stood still with the whole machine; so
/// did the products, and the repetition says nothing of them.
const STOOD_STILL: Duration = Duration::from_millis(20);
/// What a repetition takes beside the quiet time and the watching: neighbours are
/// learnt, the wanted gateway becomes active, what was broken comes back. About.
const AROUND: Duration = Duration::from_millis(2500);

/// What the command line wants.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Repetitions of a row.
    pub reps: u32,
    /// Fewer repetitions and shorter steady states, to see that all works.
    pub quick: bool,
    /// Only these scenarios; all when empty.
    pub only: Vec<String>,
    /// twinwall's guard.
    pub guard: PathBuf,
}

/// One figure of one row, of both products.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// What it is.
    pub metric: &'static str,
    #[serde(skip)]
    pub(super) read: Metric,
    #[serde(skip)]
    pub(super) target: Target,
    /// twinwall's.
    pub twinwall: Figures,
    /// twinwall's over the probe's own floor of the same repetition; the target is read on these.
    pub twinwall_over_floor: Figures,
    /// keepalived's.
    pub keepalived: Figures,
}

/// One row, played.
#[derive(Clone, Debug, Serialize)]
pub struct Played {
    /// The scenario.
    pub scenario: &'static str,
    /// The fault in words.
    pub title: &'static str,
    #[serde(skip)]
    pub(super) play: Play,
    /// Heartbeat or advert interval in milliseconds.
    pub interval_ms: u128,
    /// How long the effects were watched.
    pub watched_s: f64,
    /// The figures.
    pub lines: Vec<Line>,
    /// What could not be measured or counted, and why.
    pub failures: Vec<String>,
}

/// The whole benchmark.
#[derive(Clone, Debug, Serialize)]
pub struct Benchmark {
    /// Where it ran.
    pub machine: Machine,
    /// How long it took, in minutes.
    pub took_min: f64,
    /// Rows ordered; fewer are there when the run was interrupted.
    pub rows_wanted: usize,
    /// Repetitions ordered.
    pub reps: u32,
    /// Longest silences of routed packets before the faults, in milliseconds.
    pub floor: Figures,
    /// The same of the pings to the VIPs.
    pub vip_floor: Figures,
    /// The rows.
    pub rows: Vec<Played>,
}

/// Plays everything that is wanted; `save` is handed what there is after each row,
/// so that a run that is interrupted was not for nothing.
pub fn run(wanted: &Wanted, save: impl Fn(&Benchmark) -> Result<()>) -> Result<Benchmark> {
    let rows = chosen(&wanted.only)?;
    let reps = if wanted.quick { wanted.reps.min(QUICK_REPS) } else { wanted.reps };
    let started = clock::now();
    let mut benchmark = Benchmark {
        machine: Machine::look(&wanted.guard),
        took_min: 0.0,
        rows_wanted: rows.len(),
        reps,
        floor: Figures::default(),
        vip_floor: Figures::default(),
        rows: Vec::new(),
    };
    for (number, row) in rows.iter().enumerate() {
        let passed = clock::now().since(started);
        let whole = (passed + expected(&rows[number..], wanted.quick, reps)).as_secs().div_ceil(60);
        let minutes = passed.as_secs() / 60;
        let rows = rows.len();
        eprintln!("[{}/{rows}, {minutes} of about {whole} min] {}", number + 1, row.scenario);
        let played = play_row(&mut benchmark, wanted, row, number % 2 == 0)?;
        benchmark.rows.push(played);
        benchmark.took_min = clock::now().since(started).as_secs_f64() / 60.0;
        save(&benchmark)?;
    }
    Ok(benchmark)
}

/// About how long these rows take, with both products.
fn expected(rows: &[&Row], quick: bool, reps: u32) -> Duration {
    let one = |row: &&Row| {
        let span = AROUND + WARM_UP + watched(row, scenario::find(row.scenario)?, quick);
        Some(span * 2 * plays(row.play, reps))
    };
    rows.iter().filter_map(one).sum()
}

/// How often a row is played with each product.
fn plays(play: Play, reps: u32) -> u32 {
    match play {
        Play::Often => reps,
        Play::Once => 1,
    }
}

/// How long the effects are watched.
fn watched(row: &Row, found: &Scenario, quick: bool) -> Duration {
    match row.play {
        Play::Often if found.interval < LONG_INTERVAL => found.observe.min(WATCHED),
        Play::Often => found.observe,
        Play::Once if quick => STEADY_QUICK,
        Play::Once => STEADY,
    }
}

fn chosen(only: &[String]) -> Result<Vec<&'static Row>> {
    for name in only {
        if !ROWS.iter().any(|row| row.scenario == name) {
            let names: Vec<&str> = ROWS.iter().map(|row| row.scenario).collect();
            let known = names.join(", ");
            return Err(LabError::Usage(format!(
                "the benchmark has no row {name}; it has {known}"
            )));
        }
    }
    let wanted = |row: &&Row| only.is_empty() || only.iter().any(|name| name == row.scenario);
    Ok(ROWS.iter().filter(wanted).collect())
}

fn play_row(
    benchmark: &mut Benchmark,
    wanted: &Wanted,
    row: &Row,
    ours_first: bool,
) -> Result<Played> {
    let Some(found) = scenario::find(row.scenario) else {
        return Err(LabError::Usage(format!("{} is no scenario; a bug in the lab", row.scenario)));
    };
    let observe = watched(row, found, wanted.quick);
    let scenario = Scenario { warm_up: WARM_UP, observe, ..*found };
    let line = |(metric, target): &(Metric, Target)| Line {
        metric: metric.words(),
        read: *metric,
        target: *target,
        twinwall: Figures::default(),
        twinwall_over_floor: Figures::default(),
        keepalived: Figures::default(),
    };
    let mut played = Played {
        scenario: row.scenario,
        title: row.title,
        play: row.play,
        interval_ms: scenario.interval.as_millis(),
        watched_s: observe.as_secs_f64(),
        lines: row.metrics.iter().map(line).collect(),
        failures: Vec::new(),
    };
    let mut order = [Product::Twinwall, Product::Keepalived];
    if !ours_first {
        order.reverse();
    }
    for product in order {
        let reps = plays(row.play, benchmark.reps);
        let order = Order { product, program: wanted.guard.clone(), reps, observe: None };
        let told = play(&scenario, &order, |outcome| {
            note(benchmark, &mut played, outcome);
            eprintln!("  {}: {}", product.name(), crate::report::line(outcome));
        });
        if let Err(cause) = told {
            eprintln!("  {}: FAILED: {cause}", product.name());
            played.failures.push(format!("{}: {cause}", product.name()));
        }
    }
    Ok(played)
}

fn note(benchmark: &mut Benchmark, played: &mut Played, outcome: &Outcome) {
    if let Some(why) = set_aside(played.play, outcome) {
        let (product, rep) = (outcome.product.name(), outcome.rep);
        played.failures.push(format!("{product}, repetition {rep}: set aside: {why}"));
        return;
    }
    if let Some(seen) = &outcome.traffic {
        benchmark.floor.add(seen.floor.as_secs_f64() * 1e3);
        benchmark.vip_floor.add(seen.vip_floor.as_secs_f64() * 1e3);
    }
    for line in &mut played.lines {
        if !line.read.is_known_of(outcome.product) {
            continue;
        }
        let Some(value) = line.read.read(outcome) else {
            let (product, what) = (outcome.product.name(), line.metric);
            played
                .failures
                .push(format!("{product}, repetition {}: no figure for {what}", outcome.rep));
            continue;
        };
        match outcome.product {
            Product::Twinwall => {
                line.twinwall.add(value);
                line.twinwall_over_floor.add((value - line.read.floor(outcome)).max(0.0));
            }
            Product::Keepalived => line.keepalived.add(value),
        }
    }
}

/// Why a repetition cannot be counted, whatever it shows. A steady state is never
/// set aside: what happened in its minute is what it is about.
pub(super) fn set_aside(play: Play, outcome: &Outcome) -> Option<String> {
    let seen = outcome.traffic.as_ref().filter(|_| play == Play::Often)?;
    let before: u32 = seen.streams.iter().map(|stream| stream.lost_before).sum();
    if before > 0 {
        return Some(format!("{before} probes were lost before the fault"));
    }
    let pause = seen.client_pause;
    (pause > STOOD_STILL).then(|| format!("the machine stood still for {} ms", pause.as_millis()))
}

impl Line {
    /// Whether twinwall's median reaches the target; `None` where there is nothing to reach.
    pub fn reached(&self) -> Option<bool> {
        match self.target {
            Target::AtMost(limit) => {
                Some(self.twinwall_over_floor.median().is_some_and(|median| median <= limit))
            }
            Target::NotAboveTheirs => {
                let ours = self.twinwall.median();
                Some(ours.is_some_and(|ours| {
                    self.keepalived.median().is_some_and(|theirs| ours <= theirs)
                }))
            }
            Target::Shown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_repetitions_take_longer_but_a_steady_state_is_played_once() {
        let row = |name: &str| ROWS.iter().find(|row| row.scenario == name).unwrap();
        let span = |name, quick, reps| expected(&[row(name)], quick, reps);
        assert_eq!(span("lan-down", false, 5), span("lan-down", false, 1) * 5);
        assert_eq!(span("idle", false, 5), span("idle", false, 1));
        assert_eq!(span("idle", false, 5), (AROUND + WARM_UP + STEADY) * 2);
        assert!(span("idle", true, 5) < span("idle", false, 5));
        let both = expected(&[row("idle"), row("lan-down")], false, 3);
        assert_eq!(both, span("idle", false, 3) + span("lan-down", false, 3));
    }
}
