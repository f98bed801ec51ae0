//! What replication costs, how far the passive is behind, and how many new flows a second it keeps
//! up with. No probes run here: the flows alone are the load.

use std::thread;
use std::time::Duration;

use super::lag::{self, Lag};
use super::rows::{Row, Target};
use super::{Benchmark, Contender, Wanted};
use crate::bench::figures::{Figures, Unit};
use crate::clock;
use crate::error::{Doing, LabError, Result};
use crate::lab::Lab;
use crate::product::{Flows, Product};
use crate::replica;
use crate::run::form;
use crate::scenario::{self, Scenario};
use crate::traffic::generator::{FlowKind, Generator};
use crate::traffic::usage::{Idle, Snapshot};

/// New flows a second while CPU time is measured.
const RATE: u32 = 2000;
/// Share of the machine that others, or the kernel's own threads, may take while it is measured.
const OTHERS: f64 = 0.1;
/// New flows a second under which the lag is measured.
const LAG_RATE: u32 = 5000;
/// Steps of the rate that may be kept up with.
const STEPS: [u32; 5] = [5000, 10_000, 15_000, 20_000, 30_000];
/// How long each step lasts.
const STEP_S: u32 = 3;
/// After a step the passive must have everything within this.
const CATCH_UP: Duration = Duration::from_secs(1);
/// Of so many flows one may be missing: a packet may be lost on the way.
const ONE_IN: u64 = 1000;
/// Flows end this soon, so that their ends are part of what is measured.
const SHORT_LIFE: &[(&str, &str)] = &[
    ("netfilter/nf_conntrack_udp_timeout", "5"),
    ("netfilter/nf_conntrack_tcp_timeout_time_wait", "5"),
];
/// Flows do not end while they are counted.
const LONG_LIFE: &[(&str, &str)] = &[("netfilter/nf_conntrack_udp_timeout", "600")];
const KINDS: [(FlowKind, &str); 2] =
    [(FlowKind::Udp, "UDP"), (FlowKind::TcpShort, "TCP, opened and closed")];

const COST_TOLD: &str = "2,000 new flows a second; each ends after some seconds, which is part of \
    what is counted. *Both nodes, kernel included* is what the whole machine was busy (/proc/stat) \
    from the first flow until the last one had ended, less the same with nothing that replicates: \
    the kernel makes its notices of flows in whatever program the packet came by, so no process's \
    own time shows them. The processes' own time is /proc/PID/task/*/schedstat of conntrackd or of \
    the agent.";
const LAG_TOLD: &str = "5,000 new UDP flows a second. The lag is from the sending of a flow's first \
    packet by the client to the passive kernel's own notice of that flow, flow by flow. conntrackd \
    with an external cache leaves the kernel alone: there it is the age of the oldest flow that the \
    cache does not have, asked 20 times a second. A rate is *kept up with* when the passive has all \
    flows of 3 s within 1 s after them.";

/// What is measured of one contender.
struct Rows {
    machine: [Row; 2],
    both: [Row; 2],
    active: [Row; 2],
    passive: [Row; 2],
    lag: [Row; 3],
    dropped: Row,
    late: Row,
    roles: Row,
    rate: Row,
}

impl Rows {
    fn new() -> Rows {
        let cost = |what: &str, target: Target| {
            KINDS.map(|(_, kind)| {
                let what = format!("{kind}: CPU ms per 1,000 flows, {what}");
                Row::new(what, Unit::Millis, target)
            })
        };
        let lag = |what: &str, target| Row::new(format!("lag, {what}, ms"), Unit::Millis, target);
        Rows {
            machine: cost("both nodes, kernel included", Target::ShareOfTheirs(0.5)),
            both: cost("both processes", Target::ShareOfTheirs(0.5)),
            active: cost("process on the active", Target::Shown),
            passive: cost("process on the passive", Target::Shown),
            lag: [
                lag("median", Target::Shown),
                lag("99 in 100", Target::AtMost(25.0)),
                lag("longest", Target::Shown),
            ],
            dropped: Row::new("flows that never came", Unit::Times, Target::AtMost(0.0)),
            late: Row::new("latest heartbeat, ms", Unit::Millis, Target::AtMost(25.0)),
            roles: Row::new("role changes", Unit::Times, Target::AtMost(0.0)),
            rate: Row::new(
                "new flows a second kept up with",
                Unit::FlowsPerSecond,
                Target::AtLeast(f64::from(LAG_RATE)),
            ),
        }
    }

    fn note(&mut self, who: Contender, lag: &Lag) {
        for (row, share) in self.lag.iter_mut().zip([0.5, 0.99, 1.0]) {
            row.of(who).add(lag.quantile(share));
        }
        self.dropped.of(who).add(lag.dropped as f64);
        self.roles.of(who).add(f64::from(lag.role_changes));
        lag.latest_beat_ms.into_iter().for_each(|late| self.late.of(who).add(late));
    }
}

/// Measures all contenders.
pub(super) fn run(benchmark: &mut Benchmark, wanted: &Wanted) -> Result<()> {
    let mut rows = Rows::new();
    for who in wanted.contenders() {
        match cost(&mut rows, wanted, who) {
            Ok(others) if others > OTHERS => {
                let why = format!("other programs took {:.0} % of the machine", others * 1e2);
                benchmark.failed(who, "CPU time, kernel included", why);
            }
            Ok(_) => {}
            Err(cause) => benchmark.failed(who, "CPU time", cause),
        }
        if let Err(cause) = behind(&mut rows, wanted, who) {
            benchmark.failed(who, "lag", cause);
        }
        if let Err(cause) = kept_up(&mut rows, wanted, who) {
            benchmark.failed(who, "the rate that is kept up with", cause);
        }
    }
    let Rows { machine, both, active, passive, lag, dropped, late, roles, rate } = rows;
    let cost = machine.into_iter().chain(both).chain(active).chain(passive).collect();
    let behind = lag.into_iter().chain([dropped, late, roles, rate]).collect();
    benchmark.measured("What it costs", COST_TOLD, wanted.reps, cost);
    benchmark.measured("How far behind", LAG_TOLD, wanted.reps, behind);
    Ok(())
}

/// A lab without probes, and what makes flows in it.
pub(super) struct Site {
    pub(super) lab: Lab,
    pub(super) generator: Generator,
    pub(super) active: usize,
}

impl Site {
    /// Built, with one gateway serving, and beats or adverts every 100 ms.
    pub(super) fn build(wanted: &Wanted, product: Product, flows: Flows) -> Result<Site> {
        Site::build_with(wanted, product, flows, Duration::from_millis(100))
    }

    /// The same with this interval of beats or adverts.
    pub(super) fn build_with(
        wanted: &Wanted,
        product: Product,
        flows: Flows,
        interval: Duration,
    ) -> Result<Site> {
        let name = "flows-power-loss";
        let found = scenario::find(name)
            .ok_or_else(|| LabError::Usage(format!("{name} is no scenario; a bug in the lab")))?;
        let scenario = Scenario { flows, interval, ..*found };
        let mut lab = Lab::build(form(&scenario, product, &wanted.guard)?)?;
        let active = lab.settle()?;
        let generator = Generator::open(&lab.hosts()).doing("open the generator of flows")?;
        Ok(Site { lab, generator, active })
    }

    pub(super) fn set(&self, values: &'static [(&'static str, &'static str)]) -> Result<()> {
        self.lab.gateways.iter().try_for_each(|gateway| gateway.machine.worker.sysctl(values))
    }
}

/// Milliseconds of CPU time per 1,000 flows.
struct Spent {
    machine: f64,
    /// Of the active, of the passive.
    processes: [f64; 2],
    /// Share of the machine that was neither idle nor spent by a program of the lab.
    others: f64,
}

/// Measures it; the largest share of the machine that others took meanwhile.
fn cost(rows: &mut Rows, wanted: &Wanted, who: Contender) -> Result<f64> {
    let mut others: f64 = 0.0;
    let mut alone = [Figures::default(), Figures::default()];
    let mut site = Site::build(wanted, who.product(), Flows::Alone)?;
    site.set(SHORT_LIFE)?;
    for (kind, figures) in KINDS.iter().zip(&mut alone) {
        for _ in 0..wanted.reps {
            let spent = spend(&mut site, kind.0, wanted.quick)?;
            figures.add(spent.machine);
            others = others.max(spent.others);
        }
    }
    drop(site);
    let mut site = Site::build(wanted, who.product(), who.flows())?;
    site.set(SHORT_LIFE)?;
    for (index, (kind, name)) in KINDS.into_iter().enumerate() {
        let nothing = alone[index].median().unwrap_or_default();
        for _ in 0..wanted.reps {
            let spent = spend(&mut site, kind, wanted.quick)?;
            let [active, passive] = spent.processes;
            others = others.max(spent.others);
            eprintln!(
                "  {}: {name}: {:.1} ms of the machine per 1,000 flows ({nothing:.1} without), \
                 {active:.1} and {passive:.1} of the processes",
                who.name(),
                spent.machine
            );
            // A machine that others use says nothing of what we cost it.
            if others <= OTHERS {
                rows.machine[index].of(who).add(spent.machine - nothing);
            }
            rows.both[index].of(who).add(active + passive);
            rows.active[index].of(who).add(active);
            rows.passive[index].of(who).add(passive);
        }
    }
    Ok(others)
}

/// From the first flow until the last one has ended on both nodes.
fn spend(site: &mut Site, kind: FlowKind, quick: bool) -> Result<Spent> {
    let (begun, ended) = if quick { (5, 10) } else { (20, 20) };
    let nodes = [site.active, 1 - site.active];
    let pids = nodes.map(|node| replica::process(&site.lab.gateways[node]));
    let processes = || pids.map(|pid| pid.and_then(|pid| Snapshot::take(pid).ok()));
    let idle = || Idle::read().doing("read what the machine does");
    let whole = || Snapshot::take(std::process::id()).doing("read what the lab spends");
    let (before, lab_before, idle_before) = (processes(), whole()?, idle()?);
    let started = clock::now();
    let made = site.generator.make(kind, RATE * begun, RATE);
    thread::sleep(Duration::from_secs(ended));
    let (after, lab_after, idle_after) = (processes(), whole()?, idle()?);
    let lasted = clock::now().since(started);
    let thousands = made.sent.len() as f64 / 1e3;
    let per_thousand = |span: Duration| span.as_secs_f64() * 1e3 / thousands;
    let mut own = [0.0; 2];
    for (own, (before, after)) in own.iter_mut().zip(before.iter().zip(&after)) {
        if let (Some(before), Some(after)) = (before, after) {
            *own = per_thousand(after.since(before));
        }
    }
    let busy = idle_after.busy_since(&idle_before);
    let others = busy.saturating_sub(lab_after.since(&lab_before));
    let all = lasted.as_secs_f64() * f64::from(idle_after.cores());
    let others = others.as_secs_f64() / all;
    Ok(Spent { machine: per_thousand(busy), processes: own, others })
}

fn behind(rows: &mut Rows, wanted: &Wanted, who: Contender) -> Result<()> {
    let mut site = Site::build(wanted, who.product(), who.flows())?;
    site.set(SHORT_LIFE)?;
    for _ in 0..wanted.reps {
        let seconds = if wanted.quick { 4 } else { 20 };
        let lag = lag::measure(&mut site, LAG_RATE, seconds)?;
        eprintln!(
            "  {}: lag of 99 in 100 {:.1} ms, {} never came, latest beat {:?} ms, {} role changes",
            who.name(),
            lag.quantile(0.99),
            lag.dropped,
            lag.latest_beat_ms,
            lag.role_changes
        );
        rows.note(who, &lag);
    }
    Ok(())
}

fn kept_up(rows: &mut Rows, wanted: &Wanted, who: Contender) -> Result<()> {
    let mut site = Site::build(wanted, who.product(), who.flows())?;
    site.set(LONG_LIFE)?;
    let passive = 1 - site.active;
    let mut best = 0.0;
    for rate in STEPS {
        let before = replica::held(&site.lab, passive)?;
        let made = site.generator.make(FlowKind::Udp, rate * STEP_S, rate);
        thread::sleep(CATCH_UP);
        let came = replica::held(&site.lab, passive)?.saturating_sub(before);
        let sent = made.sent.len() as u64;
        eprintln!("  {}: {:.0} flows/s: {came} of {sent} came", who.name(), made.rate());
        if came + sent / ONE_IN < sent {
            break;
        }
        best = made.rate();
    }
    rows.rate.of(who).add(best);
    Ok(())
}
