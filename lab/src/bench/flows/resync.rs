//! Everything anew: how long until the passive has all flows again after its agent or conntrackd
//! was killed, and after it lost its table as well; and what so many flows take in memory.

use std::thread;
use std::time::{Duration, Instant};

use super::load::Site;
use super::rows::{Row, Target};
use super::{Benchmark, Contender, Wanted};
use crate::bench::figures::Unit;
use crate::error::{Doing, LabError, Result};
use crate::product::{Flows, Product};
use crate::replica;
use crate::traffic::usage::Snapshot;
use crate::wait;

/// How many flows are there.
const SIZES: [u64; 2] = [100_000, 1_000_000];
/// They are begun at this rate; a million of them must not take an hour.
const FILL_RATE: u32 = 15_000;
/// All of them get there within this, or it is said that they do not.
const WITHIN: Duration = Duration::from_secs(120);
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// An agent that ran this long is started again at once by `twinwall run`.
const STEADY: Duration = Duration::from_secs(11);
/// Of beats or adverts: while the kernel flushes a million flows one of the machine's processors
/// does nothing else for a quarter of a second, and both gateways share it.
const INTERVAL: Duration = Duration::from_secs(1);
const TOLD: &str = "TCP connections that stand, beats or adverts once a second. Time runs from the kill of the process on the \
    passive, which is started again at once, until the passive has every flow again: conntrackd by \
    its cache's count, twinwall by both agents' word and its kernel's count. twinwall's kernel keeps \
    what it has meanwhile, so that its agent is told what it missed, and has everything when that is \
    done; that nobody else changed the kernel it finds by comparing all flows of both nodes, which \
    goes on in the background: *all compared after*. conntrackd compares nothing. *Missing \
    meanwhile* is the most flows that a takeover in that time would have lost. *From nothing*: \
    the passive's kernel table is flushed as well, and time runs until its kernel (conntrackd: its \
    external cache) holds all. Memory is what is resident of conntrackd or of the agent.";

struct Rows {
    resync: Row,
    compared: Row,
    missing: Row,
    nothing: Row,
    active: Row,
    passive: Row,
}

/// Measures all contenders with each number of flows.
pub(super) fn run(benchmark: &mut Benchmark, wanted: &Wanted) -> Result<()> {
    let mut all = Vec::new();
    let sizes = if wanted.quick { &SIZES[..1] } else { &SIZES };
    for size in sizes {
        let words = if *size == SIZES[0] { "100,000 flows" } else { "1,000,000 flows" };
        let half = Target::ShareOfTheirs(0.5);
        let row = |what: &str, unit, target| Row::new(format!("{words}: {what}"), unit, target);
        let mut rows = Rows {
            resync: row("restart, ms", Unit::Millis, half),
            compared: row("all compared after, ms", Unit::Millis, Target::Shown),
            missing: row("flows missing meanwhile", Unit::Times, Target::Shown),
            nothing: row("restart from nothing, ms", Unit::Millis, Target::Shown),
            active: row("memory on the active, MiB", Unit::Mebibytes, Target::Shown),
            passive: row("memory on the passive, MiB", Unit::Mebibytes, Target::Shown),
        };
        for who in wanted.contenders() {
            if let Err(cause) = measure(&mut rows, wanted, who, *size) {
                benchmark.failed(who, words, cause);
            }
        }
        let Rows { resync, compared, missing, nothing, active, passive } = rows;
        all.extend([resync, compared, missing, nothing, active, passive]);
    }
    benchmark.measured("After a restart", TOLD, wanted.reps, all);
    Ok(())
}

fn measure(rows: &mut Rows, wanted: &Wanted, who: Contender, size: u64) -> Result<()> {
    let mut site = Site::build_with(wanted, who.product(), who.flows(), INTERVAL)?;
    let Site { lab, generator, active } = &mut site;
    replica::fill_at(lab, generator, *active, size, FILL_RATE)?;
    replica::await_complete(lab, *active, size, WITHIN)?;
    // What the filling took is given back.
    thread::sleep(Duration::from_secs(2));
    for (node, row) in [(*active, &mut rows.active), (1 - *active, &mut rows.passive)] {
        let pid = replica::process(&lab.gateways[node]);
        let gone = || LabError::Usage("nothing replicates flows there".to_owned());
        let taken = Snapshot::take(pid.ok_or_else(gone)?).doing("read what a process takes")?;
        row.of(who).add(taken.resident_bytes() as f64 / f64::from(1 << 20));
    }
    for _ in 0..wanted.reps {
        // What conntrackd injects stays in the kernel: nothing shows when it has caught up.
        if who != Contender::Injecting {
            let Again { took, missing, compared } = again(&mut site, size, false)?;
            eprintln!("  {}: {size} flows again after {took:.0?}, {missing} missing", who.name());
            rows.missing.of(who).add(missing as f64);
            rows.resync.of(who).add(took.as_secs_f64() * 1e3);
            if let Some(compared) = compared {
                rows.compared.of(who).add(compared.as_secs_f64() * 1e3);
            }
        }
        let took = again(&mut site, size, true)?.took;
        eprintln!("  {}: {size} flows from nothing after {took:.0?}", who.name());
        rows.nothing.of(who).add(took.as_secs_f64() * 1e3);
    }
    Ok(())
}

/// What came of a kill.
struct Again {
    /// Until the passive has everything again.
    took: Duration,
    /// Flows that a takeover would have lost meanwhile.
    missing: u64,
    /// Until all flows of both nodes were compared and found equal, where that is done at all.
    compared: Option<Duration>,
}

/// Kills what replicates on the passive, and waits until it has everything again.
fn again(site: &mut Site, size: u64, flushed: bool) -> Result<Again> {
    let passive = 1 - site.active;
    let ours = site.lab.form.product == Product::Twinwall;
    if ours {
        thread::sleep(STEADY);
    }
    if flushed {
        let worker = &site.lab.gateways[passive].machine.worker;
        worker.command("conntrack", &["--flush"], String::new())?;
    }
    let begun = Instant::now();
    replica::restart(&mut site.lab.gateways[passive])?;
    // A cache dies with its process.
    let cached = !ours && site.lab.form.flows == Flows::Replicated;
    let mut least = if cached { 0 } else { size };
    loop {
        let passed = begun.elapsed();
        // While a process starts again it does not answer, and nothing is complete.
        least = least.min(replica::held(&site.lab, passive).unwrap_or(least));
        if (!ours || is_anew(site, passed)) && replica::is_complete(&site.lab, site.active, size) {
            let (took, missing) = (begun.elapsed(), size - least);
            let compared = ours.then(|| compared(site, begun)).transpose()?;
            return Ok(Again { took, missing, compared });
        }
        if passed > WITHIN {
            return Err(late(site, size));
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// What is there instead, in words.
fn late(site: &Site, size: u64) -> LabError {
    let passive = 1 - site.active;
    let held = match replica::held(&site.lab, passive) {
        Ok(held) => format!("{held} of {size}"),
        Err(why) => format!("how many it has cannot be asked ({why})"),
    };
    let said = (site.lab.form.product == Product::Twinwall).then(|| {
        replica::view(&site.lab.gateways[passive]).map_or_else(
            |why| format!("; its agent cannot be asked ({why})"),
            |seen| format!("; its agent says {seen}"),
        )
    });
    LabError::Late {
        waiting_for: "all flows on the passive again".to_owned(),
        bound: WITHIN,
        seen: held + &said.unwrap_or_default(),
    }
}

/// When both agents say that they have compared all flows, and that they are equal.
fn compared(site: &Site, begun: Instant) -> Result<Duration> {
    let gateways = &site.lab.gateways;
    wait::until("all flows compared", WITHIN, || {
        for gateway in gateways {
            let seen = replica::view(gateway).map_err(|why| why.to_string())?;
            let equal = seen["complete_percent"].as_f64().is_some_and(|percent| percent >= 100.0);
            if !equal || seen["compared"] != true {
                return Err(format!("an agent says {seen}"));
            }
        }
        Ok(())
    })?;
    Ok(begun.elapsed())
}

/// Whether the agent that was started after the kill says that it has everything.
fn is_anew(site: &Site, passed: Duration) -> bool {
    let Ok(seen) = replica::view(&site.lab.gateways[1 - site.active]) else { return false };
    let since = seen["since_s"].as_f64();
    let percent = seen["complete_percent"].as_f64();
    seen["part"] == "mirror"
        && since.is_some_and(|since| since <= passed.as_secs_f64())
        && percent.is_some_and(|percent| percent >= 100.0)
}
