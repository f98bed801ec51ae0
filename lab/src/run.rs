//! Plays a scenario: builds its lab once, then for each repetition makes the
//! wanted gateway active, sends traffic, fires the fault, watches, restores.

use std::io;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use twinwall_core::time::Moment;

use crate::clock;
use crate::console::beside::{Beside, Watching};
use crate::console::visitors::Visitors;
use crate::error::{Doing, LabError, Result};
use crate::evidence::evidence;
use crate::fault::{self, Fault};
use crate::lab::{Form, Lab};
use crate::monitoring::manager::Manager;
use crate::monitoring::{self, Monitored};
use crate::plan;
use crate::process::Running;
use crate::product::{Duties, Flows, Product};
use crate::replica;
use crate::result::{Gathered, Outcome};
use crate::scenario::{Load, Scenario};
use crate::traffic::connections::{ConnectionPlan, Connections};
use crate::traffic::generator::Generator;
use crate::traffic::usage::{Usage, usage};
use crate::traffic::{Measured, ProbePlan, Probes, Side, TcpPlan, Window};
use crate::upstream;

/// A neighbour that did not answer at first is asked again after a second.
const NEIGHBOURS_LEARNT: Duration = Duration::from_millis(1200);

/// What the command line may change of a scenario.
#[derive(Clone, Debug)]
pub struct Order {
    /// What runs on the gateways.
    pub product: Product,
    /// The guard's binary.
    pub program: PathBuf,
    /// How often.
    pub reps: u32,
    /// How long to watch, instead of the scenario's own time.
    pub observe: Option<Duration>,
}

/// Plays `scenario`; each finished repetition is handed to `tell`.
pub fn play(
    scenario: &Scenario,
    order: &Order,
    mut tell: impl FnMut(&Outcome),
) -> Result<Vec<Outcome>> {
    if scenario.only.is_some_and(|only| only != order.product) {
        return Err(LabError::Usage(format!(
            "{} is not for {}",
            scenario.name,
            order.product.name()
        )));
    }
    let scenario = Scenario { observe: order.observe.unwrap_or(scenario.observe), ..*scenario };
    let mut lab = Lab::build(form(&scenario, order.product, &order.program)?)?;
    let mut outcomes = Vec::new();
    for rep in 1..=order.reps {
        match scenario.duties {
            Duties::None => {}
            Duties::AskGateway => upstream::await_reached(&lab)?,
            Duties::LogsAndSnmp => monitoring::await_ready(&lab)?,
        }
        // The first repetition moves nothing that need not be moved.
        let first = lab.settle()?;
        let active = if rep == 1 { first } else { (rep as usize - 1) % 2 };
        lab.make_active(active)?;
        let outcome = play_once(&mut lab, &scenario, rep, active)?;
        tell(&outcome);
        outcomes.push(outcome);
        fault::restore(&mut lab)?;
    }
    Ok(outcomes)
}

/// The lab that a scenario is played in.
///
/// # Errors
/// When it needs the command beside the guard's program and that is not there.
pub fn form(scenario: &Scenario, product: Product, guard: &Path) -> Result<Form> {
    Ok(Form {
        product,
        program: guard.to_owned(),
        twinwall: None,
        consoles: needs_agents(scenario, product).then(|| beside(guard)).transpose()?,
        interval: scenario.interval,
        ha: scenario.ha,
        further_vips: scenario.further_vips,
        nat: scenario.nat,
        flows: scenario.flows,
        duties: scenario.duties,
    })
}

/// Where an agent has to run beside each guard.
fn needs_agents(scenario: &Scenario, product: Product) -> bool {
    let beside = scenario.flows != Flows::Ignored || scenario.duties != Duties::None;
    scenario.consoles || (beside && product == Product::Twinwall)
}

/// The command beside the guard's program.
pub fn beside(guard: &Path) -> Result<PathBuf> {
    let path = guard.with_file_name("twinwall");
    if path.exists() {
        return Ok(path);
    }
    Err(LabError::Usage(format!("{}: not there; build it beside the guard", path.display())))
}

/// One repetition on a lab that stands, with `active` serving.
pub fn play_once(lab: &mut Lab, scenario: &Scenario, rep: u32, active: usize) -> Result<Outcome> {
    let probes = start_probes(lab, scenario).inspect_err(|_| eprintln!("{}", evidence(lab)))?;
    let connections = start_connections(lab, scenario, active)?;
    // After a move both hosts and the new active learn their neighbours; that is no floor.
    thread::sleep(NEIGHBOURS_LEARNT);
    let quiet_from = clock::now();
    thread::sleep(scenario.warm_up);
    let beside = match scenario.consoles {
        true => Some(Watching::begin(&lab.gateways[active])?),
        false => None,
    };
    let polls = scenario.duties == Duties::LogsAndSnmp;
    let manager = polls.then(|| Manager::begin(&lab.topology.client));
    let fired = fault::fire(lab, scenario.fault, active)?;
    lab.timeline.say(fired.at, scenario.fault.words(active));
    let watched = watch_cost(lab, scenario, active);
    watch(lab, scenario, fired.at, active);
    let until = clock::now();
    let beside = beside.map(|watching| end(lab, watching, active)).transpose()?;
    let cost = match watched {
        Some([first, second]) => Some([cost(first)?, cost(second)?]),
        None => None,
    };
    let monitored = manager.map(|manager| monitored(lab, manager, active)).transpose()?;
    let window = Window { quiet_from, fault: fired.at, until };
    let measure = |probes: Probes| -> Result<Measured> {
        probes.measure(&window).doing("measure the traffic")
    };
    let gathered = Gathered {
        rep,
        product: lab.form.product,
        active,
        fired,
        traffic: probes.map(measure).transpose()?,
        connections: connections
            .map(|mut all| all.measure(&window).doing("measure the connections"))
            .transpose()?,
        entries: lab.timeline.between(fired.at, until),
        cost,
        beside,
        monitored,
    };
    Ok(Outcome::new(scenario, gathered))
}

/// Opens the connections; once the passive knows them and the flows that are to be present, the
/// fault may come.
fn start_connections(lab: &Lab, scenario: &Scenario, active: usize) -> Result<Option<Connections>> {
    if scenario.load != Load::Connections {
        return Ok(None);
    }
    if scenario.present > 0 {
        let mut generator = Generator::open(&lab.hosts()).doing("open the generator of flows")?;
        // Those of the run before are known to the gateway that serves now.
        let there = replica::in_kernel(&lab.gateways[active])?;
        generator.skip(u32::try_from(there).unwrap_or(u32::MAX));
        replica::fill(lab, &mut generator, active, scenario.present)?;
    }
    let longest = scenario.warm_up + scenario.observe + MARGIN_OF_LOGS + FLOWS_WITHIN;
    let plan = ConnectionPlan::usual(scenario.nat, longest);
    let connections = Connections::start(&plan, &lab.hosts()).doing("open the connections")?;
    if scenario.flows.are_told() {
        replica::await_complete(lab, active, scenario.present, FLOWS_WITHIN)?;
    }
    Ok(Some(connections))
}

/// The passive knows all flows within this, after a start with many.
const FLOWS_WITHIN: Duration = Duration::from_secs(60);

/// What the rest of the active noticed of its console's trouble, and what the visitors did.
fn end(lab: &mut Lab, watching: Watching, active: usize) -> Result<Beside> {
    let mut seen = watching.end(&lab.gateways[active])?;
    seen.visitors = lab.flood.take().map(Visitors::end).transpose()?;
    Ok(seen)
}

/// What the manager saw, and what became of the lines of the gateway that had served.
fn monitored(lab: &Lab, manager: Manager, active: usize) -> Result<Monitored> {
    let seen = manager.end()?;
    let (lines, lines_there) = monitoring::lines(lab, active)?;
    Ok(Monitored { lines, lines_there, ..seen })
}

/// Waits for the end of the observation; a hung guard is resumed halfway.
fn watch(lab: &mut Lab, scenario: &Scenario, from: Moment, active: usize) {
    let sleep_until = |moment: Moment| thread::sleep(moment.since(clock::now()));
    if scenario.fault == Fault::GuardHung {
        sleep_until(from + scenario.observe / 2);
        let at = fault::resume(lab, active);
        let name = [plan::GATEWAY_A, plan::GATEWAY_B][active];
        lab.timeline.say(at, format!("the service on {name} runs on"));
    }
    sleep_until(from + scenario.observe);
}

fn start_probes(lab: &Lab, scenario: &Scenario) -> Result<Option<Probes>> {
    let mut probes = ProbePlan {
        longest: scenario.warm_up + scenario.observe + MARGIN_OF_LOGS + FLOWS_WITHIN,
        ..ProbePlan::default()
    };
    probes.resolve.extend([(Side::Server, plan::WAN_VIP), (Side::Server, plan::WAN_VIP6)]);
    match scenario.load {
        Load::Silence => return Ok(None),
        Load::Usual => {}
        Load::Connections => probes.tcp = None,
        Load::Fast => probes.rate_per_s = 5_000,
        Load::EveryVip => {
            let first = std::iter::once(plan::LAN_VIP);
            let all = first.chain((0..scenario.further_vips).map(plan::further_vip));
            probes.all_vips = all
                .filter_map(
                    |vip| if let std::net::IpAddr::V4(vip) = vip { Some(vip) } else { None },
                )
                .collect();
        }
    }
    if scenario.observe > LONGEST_WITH_CONNECTIONS {
        probes.tcp = probes.tcp.map(|tcp| TcpPlan { connections: 2, ..tcp });
    }
    Probes::start(&probes, &lab.hosts()).map(Some).doing("start the probes")
}

/// Starting, measuring and stopping the probes takes less than this.
const MARGIN_OF_LOGS: Duration = Duration::from_secs(30);
/// Logs of many connections over a long time would need much memory.
const LONGEST_WITH_CONNECTIONS: Duration = Duration::from_secs(120);

/// Starts watching what both services cost, where nothing else is measured.
fn watch_cost(
    lab: &Lab,
    scenario: &Scenario,
    active: usize,
) -> Option<[JoinHandle<io::Result<Usage>>; 2]> {
    let span = scenario.observe;
    let start = |node: usize| {
        let pid = lab.gateways[node].running().map_or(0, Running::pid);
        thread::spawn(move || usage(pid, span))
    };
    (scenario.load == Load::Silence).then(|| [start(active), start(1 - active)])
}

fn cost(watched: JoinHandle<io::Result<Usage>>) -> Result<Usage> {
    let watched = watched
        .join()
        .map_err(|_| LabError::Usage("the thread that watches a service died".into()))?;
    watched.doing("read what a service costs")
}
