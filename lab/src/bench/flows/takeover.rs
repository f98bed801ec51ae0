//! A takeover with many flows beside one with none: it must not take longer. Called by the
//! benchmark about flows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use twinwall_core::time::Moment;

use super::rows::{Row, Target};
use super::{Benchmark, Contender, Wanted};
use crate::bench::figures::{Figures, Unit};
use crate::bench::rows::Play;
use crate::bench::run::set_aside;
use crate::clock::now;
use crate::error::{LabError, Result};
use crate::fault;
use crate::lab::Lab;
use crate::replica;
use crate::result::{Outcome, millis};
use crate::run::{form, play_once};
use crate::scenario::{self, Scenario};
use crate::worker::Worker;

/// The same fault, with flows and without.
const WITH: &str = "flows-100000";
const WITHOUT: &str = "flows-power-loss-nat";
/// The other products differ by so much that fewer trials tell it.
const THEIR_TRIALS: u32 = 5;
const WARM_UP: Duration = Duration::from_millis(1000);
/// Longer than a commit of so many TCP connections.
const OBSERVE: Duration = Duration::from_millis(4000);
/// Between two looks at the kernel of the node that takes over.
const LOOK_EVERY: Duration = Duration::from_millis(10);
const TOLD: &str = "The active loses power, HA link a direct cable, behind NAT. The *outage* is the \
    longest silence of datagrams to the server, the *pause* the longest one of the connections. \
    What twinwall must reach with 100,000 flows is its own median without them, and the floor of \
    the same run. *All in the kernel* is the time from the fault until the kernel of the node that \
    takes over holds all flows; with twinwall it does before the fault.";

struct Rows {
    outage: [Row; 2],
    pause: [Row; 2],
    lost: Row,
    in_kernel: Row,
    floor: Figures,
    /// What is not counted, and why.
    aside: Vec<String>,
}

/// Plays both with every contender, in turn.
pub(super) fn run(benchmark: &mut Benchmark, wanted: &Wanted) -> Result<()> {
    let two = |what: &str| {
        ["none present", "100,000 present"]
            .map(|with| Row::new(format!("{with}: {what}"), Unit::Millis, Target::Shown))
    };
    let mut rows = Rows {
        outage: two("outage, ms"),
        pause: two("longest pause, ms"),
        lost: Row::new("100,000 present: connections lost", Unit::Times, Target::AtMost(0.0)),
        in_kernel: Row::new(
            "100,000 present: all in the kernel after, ms",
            Unit::Millis,
            Target::Shown,
        ),
        floor: Figures::default(),
        aside: Vec::new(),
    };
    for who in wanted.contenders() {
        let ours = who == Contender::Twinwall;
        let trials = if ours { wanted.trials } else { wanted.trials.min(THEIR_TRIALS) };
        for (index, name) in [WITHOUT, WITH].into_iter().enumerate() {
            if let Err(cause) = play(&mut rows, wanted, who, (index, name), trials) {
                benchmark.failed(who, name, cause);
            }
        }
    }
    let floor = rows.floor.most().unwrap_or_default();
    for [without, with] in [&mut rows.outage, &mut rows.pause] {
        if let Some(none) = without.twinwall.median() {
            with.target = Target::AtMost(none + floor);
        }
    }
    benchmark.failures.append(&mut rows.aside);
    let ([a, b], [c, d]) = (rows.outage, rows.pause);
    let rows = vec![a, b, c, d, rows.lost, rows.in_kernel];
    benchmark.measured("A takeover with many flows", TOLD, wanted.trials, rows);
    Ok(())
}

fn play(
    rows: &mut Rows,
    wanted: &Wanted,
    who: Contender,
    (index, name): (usize, &str),
    trials: u32,
) -> Result<()> {
    let found = scenario::find(name)
        .ok_or_else(|| LabError::Usage(format!("{name} is no scenario; a bug in the lab")))?;
    let scenario = Scenario { flows: who.flows(), warm_up: WARM_UP, observe: OBSERVE, ..*found };
    let mut lab = Lab::build(form(&scenario, who.product(), &wanted.guard)?)?;
    for trial in 1..=trials {
        let active = lab.settle()?;
        let counting = Counting::begin(&lab.gateways[1 - active].machine.worker, scenario.present);
        let outcome = play_once(&mut lab, &scenario, trial, active)?;
        let reached = counting.end();
        eprintln!("  {}: {name}: {}", who.name(), crate::report::line(&outcome));
        fault::restore(&mut lab)?;
        if let Some(why) = set_aside(Play::Often, &outcome) {
            rows.aside.push(format!("{}, {name}, trial {trial}: set aside: {why}", who.name()));
            continue;
        }
        note(rows, who, index, &outcome);
        if let Some(at) = reached {
            let fault = Moment::from_nanos(outcome.fault_at_ns);
            rows.in_kernel.of(who).add(millis(at.since(fault)));
        }
    }
    Ok(())
}

fn note(rows: &mut Rows, who: Contender, index: usize, outcome: &Outcome) {
    if let Some(seen) = &outcome.traffic {
        rows.outage[index].of(who).add(millis(seen.outage));
        rows.floor.add(millis(seen.floor));
    }
    if let Some(seen) = &outcome.connections {
        rows.pause[index].of(who).add(millis(seen.longest_pause));
        if index == 1 {
            rows.lost.of(who).add(seen.lost as f64);
        }
    }
}

/// Looks at a kernel until it holds as many flows as are wanted, or until it is ended.
struct Counting {
    ending: Arc<AtomicBool>,
    thread: JoinHandle<Option<Moment>>,
}

impl Counting {
    fn begin(worker: &Worker, wanted: u64) -> Counting {
        let ending = Arc::new(AtomicBool::new(false));
        let (ends, worker) = (Arc::clone(&ending), worker.clone());
        let thread = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                if wanted > 0 && replica::count(&worker).is_ok_and(|count| count >= wanted) {
                    return Some(now());
                }
                thread::sleep(LOOK_EVERY);
            }
            None
        });
        Counting { ending, thread }
    }

    /// The moment when it held them; none when it never did.
    fn end(self) -> Option<Moment> {
        self.ending.store(true, Ordering::Relaxed);
        self.thread.join().ok().flatten()
    }
}
