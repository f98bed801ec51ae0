//! The active loses power once with nothing but the guards running, and once with everything:
//! agents and consoles, logs of both nodes at the sustained rate, both nodes asked for their
//! metrics each second. Clients must see no difference. Called by the run of the benchmark.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::load::{Copy, keep_writing};
use super::{Contender, Wanted};
use crate::bench::figures::Figures;
use crate::bench::rows::Play;
use crate::bench::run::set_aside;
use crate::console::account;
use crate::error::{Doing, LabError, Result};
use crate::gateway::Gateway;
use crate::lab::{Form, Lab};
use crate::product::Product;
use crate::result::{Outcome, millis};
use crate::run::{beside, form, play_once};
use crate::scenario::{self, Scenario};
use crate::wait;

/// The failover that is played.
const FAILOVER: &str = "power-loss-direct-100ms";
/// Lines a second on each node, the sustained rate.
const RATE: u32 = 20_000;
/// Between two questions for the metrics of a node, half of what Prometheus usually waits.
const ASK: Duration = Duration::from_secs(1);
/// Quiet time before the fault with all of it running.
const WARM_UP: Duration = Duration::from_secs(3);
/// Lines of both nodes are on both within this.
const WITHIN: Duration = Duration::from_secs(60);
/// Where the log lies, and what it became.
const LOG: [&str; 2] = ["var/log/bench.log", "var/log/bench.log.1"];

/// What is added to the settings of the pair and to the profile.
const MORE: [(&str, &str); 2] = [
    ("etc/twinwall/pair.toml", "\n[sync]\nlogs = true\n\n[logs]\nkeep_size = 64\n"),
    (
        "etc/twinwall/profile.toml",
        "\n[[logs.source]]\nname = \"bench\"\nfiles = [\"/var/log/bench.log\"]\n",
    ),
];

/// What was seen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Failovers {
    /// Outages in milliseconds over the probe's floor: with the guards alone, and with all of it.
    pub outages: [Figures; 2],
    /// Lines a second that the node which took over read and kept meanwhile.
    pub lines_per_s: Figures,
    /// Metrics that were answered.
    pub answered: u64,
    /// What is not counted, and why.
    pub failures: Vec<String>,
}

/// Plays both, in turn, each in a lab of its own.
pub(super) fn run(wanted: &Wanted) -> Result<Failovers> {
    let found = scenario::find(FAILOVER)
        .ok_or_else(|| LabError::Usage(format!("{FAILOVER} is no scenario; a bug in the lab")))?;
    let scenario = Scenario { consoles: false, warm_up: WARM_UP, ..*found };
    let mut seen = Failovers::default();
    for rep in 1..=wanted.failovers {
        for with_all in [false, true] {
            let outcome = match with_all {
                true => with_everything(&scenario, wanted, rep, &mut seen)?,
                false => alone(&scenario, wanted, rep)?,
            };
            eprintln!("all of it: {with_all}  {}", crate::report::line(&outcome));
            note(&mut seen, &outcome, with_all);
        }
    }
    Ok(seen)
}

fn note(seen: &mut Failovers, outcome: &Outcome, with_all: bool) {
    let with = if with_all { "with all of it" } else { "alone" };
    let mut failed = |why: &str| seen.failures.push(format!("{with}, {}: {why}", outcome.rep));
    if let Some(why) = set_aside(Play::Often, outcome) {
        return failed(&format!("set aside: {why}"));
    }
    match &outcome.traffic {
        Some(traffic) => {
            let net = millis(traffic.outage.saturating_sub(traffic.floor));
            seen.outages[usize::from(with_all)].add(net);
        }
        None => failed("no figure"),
    }
}

fn alone(scenario: &Scenario, wanted: &Wanted, rep: u32) -> Result<Outcome> {
    let mut lab = Lab::build(form(scenario, Product::Twinwall, &wanted.guard)?)?;
    let active = lab.settle()?;
    play_once(&mut lab, scenario, rep, active)
}

fn with_everything(
    scenario: &Scenario,
    wanted: &Wanted,
    rep: u32,
    seen: &mut Failovers,
) -> Result<Outcome> {
    let twinwall = beside(&wanted.guard)?;
    let form = form(scenario, Product::Twinwall, &wanted.guard)?;
    let mut lab = Lab::assemble(Form { consoles: Some(twinwall.clone()), ..form })?;
    for gateway in &lab.gateways {
        let done = furnish(gateway, &MORE).and_then(|()| make_log(gateway));
        done.doing("write what the gateways are to do")?;
    }
    for gateway in &mut lab.gateways {
        gateway.boot()?;
    }
    account::introduce(&lab.gateways)?;
    let active = lab.settle()?;
    let load = Load::begin(&lab.gateways, &twinwall);
    for gateway in &lab.gateways {
        let mut there = Copy::new(Contender::Twinwall, logs(gateway, "there"));
        wait::until("the other node's lines on both nodes", WITHIN, || match there.count() {
            0 => Err("none yet".to_owned()),
            _ => Ok(()),
        })?;
    }
    let mut kept = Copy::new(Contender::Twinwall, logs(&lab.gateways[1 - active], "here"));
    let (before, began) = (kept.count(), Instant::now());
    let outcome = play_once(&mut lab, scenario, rep, active)?;
    let lines = kept.count().saturating_sub(before);
    seen.lines_per_s.add(lines as f64 / began.elapsed().as_secs_f64());
    seen.answered += load.end()?;
    Ok(outcome)
}

/// Adds to files of a gateway that has no power yet.
pub(super) fn furnish(gateway: &Gateway, more: &[(&str, &str)]) -> io::Result<()> {
    for (path, text) in more {
        OpenOptions::new()
            .append(true)
            .open(gateway.tree().join(path))?
            .write_all(text.as_bytes())?;
    }
    Ok(())
}

fn make_log(gateway: &Gateway) -> io::Result<()> {
    fs::create_dir_all(gateway.tree().join("var/log"))?;
    fs::write(gateway.tree().join(LOG[0]), "")
}

fn logs(gateway: &Gateway, origin: &str) -> PathBuf {
    gateway.tree().join("var/lib/twinwall/logs").join(origin)
}

/// Programs that write on both nodes, and whoever asks both for their metrics.
struct Load {
    end: Arc<AtomicBool>,
    writers: Vec<JoinHandle<io::Result<()>>>,
    askers: Vec<JoinHandle<u64>>,
}

impl Load {
    fn begin(gateways: &[Gateway; 2], twinwall: &Path) -> Load {
        let end = Arc::new(AtomicBool::new(false));
        let (mut writers, mut askers) = (Vec::new(), Vec::new());
        for gateway in gateways {
            let (tree, ends) = (gateway.tree().to_owned(), Arc::clone(&end));
            let [log, old] = LOG.map(|path| tree.join(path));
            writers.push(thread::spawn(move || keep_writing(&log, &old, RATE, &ends)));
            let (twinwall, ends) = (twinwall.to_owned(), Arc::clone(&end));
            askers.push(thread::spawn(move || ask(&twinwall, &tree, &ends)));
        }
        Load { end, writers, askers }
    }

    /// How many of the questions were answered.
    fn end(self) -> Result<u64> {
        self.end.store(true, Ordering::Release);
        let died = |_| LabError::Usage("a thread of the load died".to_owned());
        for writer in self.writers {
            writer.join().map_err(died)?.doing("write a log")?;
        }
        self.askers.into_iter().map(|asker| asker.join().map_err(died)).sum()
    }
}

/// A node without power answers nothing.
fn ask(twinwall: &Path, tree: &Path, end: &AtomicBool) -> u64 {
    let mut answered = 0;
    while !end.load(Ordering::Acquire) {
        let mut command = Command::new(twinwall);
        command.arg("--root").arg(tree).arg("metrics").stdin(Stdio::null());
        let said = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        answered += u64::from(said.is_ok_and(|status| status.success()));
        thread::sleep(ASK);
    }
    answered
}
