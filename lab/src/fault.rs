//! The faults: each is fired at one exact moment and undone by [`restore`], which
//! needs no memory of what was fired.

use std::process::{Command, Stdio};
use std::time::Duration;

use twinwall_core::event::Order;
use twinwall_core::time::Moment;

use crate::clock;
use crate::console;
use crate::console::visitors::Visitors;
use crate::error::{Doing, LabError, Result};
use crate::lab::Lab;
use crate::plan;
use crate::process;
use crate::product::Product;
use crate::reload;
use crate::ruleset::{self, LOSS_TABLE, Lossy};
use crate::topology::{POWER_GROUP, Port, isolate_gateways};
use crate::upstream::{self, Silent};
use crate::wait;

/// CPU hogs at a time.
const HOGS: usize = 8;
/// Share of frames that a lossy fault loses.
const LOSS_PERCENT: u8 = 30;
/// How long maintenance lasts in the lab.
const MAINTENANCE: Duration = Duration::from_secs(3600);
/// A console that was killed is back within this.
const CONSOLE_WITHIN: Duration = Duration::from_secs(10);
/// A flood that nobody ends ends after this.
const FLOOD: Duration = Duration::from_secs(600);

/// Which gateway is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The one that serves.
    Active,
    /// The one that waits.
    Passive,
}

/// Where a cable is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// At the switch: the gateway loses carrier.
    Switch,
    /// At the gateway: the interface is set down.
    Node,
}

/// What befalls the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: what the lab and the product cost and lose by themselves.
    Nothing,
    /// All processes die, then all cables lose carrier.
    PowerLoss(Who),
    /// The guard is killed and stays dead; the machine runs on.
    GuardKilled,
    /// The guard is killed and started again at once by its supervisor.
    GuardRestarted,
    /// The guard stops running; resumed halfway through the observation.
    GuardHung,
    /// The active's service is told to stop.
    Shutdown,
    /// The operator orders the move.
    Switchover,
    /// A watched interface of the active loses its link.
    LinkDown(Port, At),
    /// The HA cable is cut in the middle.
    HaCut,
    /// The HA interface of one gateway is set down.
    HaInterfaceDown(Who),
    /// Gateways cannot hear each other over LAN and HA; WAN works.
    LanAndHaCut,
    /// 30 % of what the gateways say to each other is lost.
    Loss(Lossy),
    /// Eight programs that burn CPU time.
    CpuHogs,
    /// The router behind the WAN is silent.
    GatewaySilent(Silent),
    /// The active is put into maintenance.
    Maintenance,
    /// Settings are changed on both gateways while they run, step by step and back again.
    Reload,
    /// The active's console is killed; it is started again.
    ConsoleKilled,
    /// The active's console stops running.
    ConsoleHung,
    /// Visitors give the active's console all that this machine gives them.
    ConsoleFlooded,
}

/// A fault that has happened.
#[derive(Clone, Copy, Debug)]
pub struct Fired {
    /// The moment just before its first effect.
    pub at: Moment,
    /// How long the lab took to bring it about.
    pub took: Duration,
}

/// Fires `fault`; `active` is the gateway that serves.
pub fn fire(lab: &mut Lab, fault: Fault, active: usize) -> Result<Fired> {
    let node = |who| match who {
        Who::Active => active,
        Who::Passive => 1 - active,
    };
    match fault {
        Fault::Nothing => Ok(Fired { at: clock::now(), took: Duration::ZERO }),
        Fault::PowerLoss(who) => power_loss(lab, node(who)),
        Fault::GuardKilled => kill(lab, active),
        Fault::GuardRestarted => {
            let fired = kill(lab, active)?;
            lab.gateways[active].start()?;
            Ok(fired)
        }
        Fault::GuardHung => signal(lab, active, libc::SIGSTOP),
        Fault::Shutdown => shutdown(lab, active),
        Fault::Switchover => match lab.form.product {
            Product::Twinwall => order(lab, active, Order::Switchover),
            Product::Keepalived => shutdown(lab, active),
        },
        Fault::LinkDown(port, at) => link_down(lab, active, port, at),
        Fault::HaCut => ha_cut(lab),
        Fault::HaInterfaceDown(who) => link_down(lab, node(who), Port::Ha, At::Node),
        Fault::LanAndHaCut => {
            let fired = ha_cut(lab)?;
            isolate_gateways(&lab.topology.lan.machine, true)?;
            Ok(Fired { took: clock::now().since(fired.at), ..fired })
        }
        Fault::Loss(lossy) => lose(lab, lossy),
        Fault::CpuHogs => start_hogs(lab),
        Fault::GatewaySilent(silent) => {
            let at = clock::now();
            upstream::silence(lab, silent, active)?;
            Ok(Fired { at, took: clock::now().since(at) })
        }
        Fault::Maintenance => order(lab, active, Order::MaintenanceOn { lasts: MAINTENANCE }),
        Fault::Reload => reload::change_and_change_back(lab, active),
        Fault::ConsoleKilled => signal_console(lab, active, libc::SIGKILL),
        Fault::ConsoleHung => signal_console(lab, active, libc::SIGSTOP),
        Fault::ConsoleFlooded => {
            let at = clock::now();
            lab.flood = Some(Visitors::flood(lab, active, FLOOD)?);
            Ok(Fired { at, took: clock::now().since(at) })
        }
    }
}

/// Makes everything whole again: cables, losses, hogs, power, services, maintenance.
/// Harmless on a lab that is whole.
pub fn restore(lab: &mut Lab) -> Result<()> {
    for mut hog in lab.hogs.drain(..) {
        hog.kill().doing("stop a CPU hog")?;
        hog.wait().doing("wait for a CPU hog")?;
    }
    lab.flood = None;
    lab.topology.mend_cables()?;
    upstream::mend(lab)?;
    for gateway in &mut lab.gateways {
        let worker = &gateway.machine.worker;
        let tables = worker.command("nft", &["list", "tables"], String::new())?;
        if tables.contains(LOSS_TABLE) {
            worker.command("nft", &["delete", "table", "netdev", LOSS_TABLE], String::new())?;
        }
        gateway.revive()?;
        if lab.form.product == Product::Twinwall {
            gateway.guard().order(Order::MaintenanceOff)?;
        }
    }
    Ok(())
}

/// Lets a hung guard run on.
pub fn resume(lab: &mut Lab, node: usize) -> Moment {
    let at = clock::now();
    process::signal_all(&lab.gateways[node].pids(), libc::SIGCONT);
    at
}

/// Done on the machine's own thread, which is not kept waiting by CPU hogs.
fn power_loss(lab: &mut Lab, node: usize) -> Result<Fired> {
    let gateway = &mut lab.gateways[node];
    let pids = gateway.pids();
    let links = gateway.machine.links.clone();
    let victims = gateway.all_pids();
    let (at, result, took) = gateway.machine.worker.run(move || {
        let at = clock::now();
        process::signal_all(&victims, libc::SIGKILL);
        let result = links.set_group(POWER_GROUP, false);
        (at, result, clock::now().since(at))
    })?;
    result.doing("take all links down")?;
    gateway.bury(&pids)?;
    gateway.mark_off();
    Ok(Fired { at, took })
}

fn kill(lab: &mut Lab, node: usize) -> Result<Fired> {
    let pids = lab.gateways[node].pids();
    let fired = signal(lab, node, libc::SIGKILL)?;
    lab.gateways[node].bury(&pids)?;
    Ok(fired)
}

fn signal(lab: &mut Lab, node: usize, signal: libc::c_int) -> Result<Fired> {
    let pids = lab.gateways[node].pids();
    lab.gateways[node].machine.worker.run(move || {
        let at = clock::now();
        process::signal_all(&pids, signal);
        Fired { at, took: clock::now().since(at) }
    })
}

fn signal_console(lab: &mut Lab, node: usize, signal: libc::c_int) -> Result<Fired> {
    let pid = wait::until("the console's process", CONSOLE_WITHIN, || {
        console::process(&lab.gateways[node]).ok_or_else(|| "no console runs".to_owned())
    })?;
    let at = clock::now();
    process::signal_all(&[pid], signal);
    Ok(Fired { at, took: clock::now().since(at) })
}

fn shutdown(lab: &mut Lab, node: usize) -> Result<Fired> {
    let at = clock::now();
    if let Some(running) = lab.gateways[node].running() {
        running.signal_main(libc::SIGTERM);
    }
    Ok(Fired { at, took: clock::now().since(at) })
}

fn order(lab: &mut Lab, node: usize, order: Order) -> Result<Fired> {
    if lab.form.product != Product::Twinwall {
        return Err(LabError::Usage(format!("{} takes no such order", lab.form.product.name())));
    }
    let at = clock::now();
    lab.gateways[node].guard().order(order)?;
    Ok(Fired { at, took: clock::now().since(at) })
}

fn link_down(lab: &mut Lab, node: usize, port: Port, end: At) -> Result<Fired> {
    let near = (&lab.gateways[node].machine.links, port.index(node, lab.topology.wiring));
    let at = clock::now();
    let result = match (end, lab.topology.far_end(node, port)) {
        (At::Switch, Some((switch, index))) => switch.ports.set(&[(index, false)]),
        (At::Node, _) | (At::Switch, None) => near.0.set(&[(near.1, false)]),
    };
    result.doing("take a link down")?;
    Ok(Fired { at, took: clock::now().since(at) })
}

/// In the middle, where it can be cut there; else it is pulled at the second gateway.
fn ha_cut(lab: &mut Lab) -> Result<Fired> {
    let own_end = Port::Ha.index(1, lab.topology.wiring);
    let at = clock::now();
    let result = match &lab.topology.ha {
        Some(between) => between.ports.set_group(POWER_GROUP, false),
        None => lab.gateways[1].machine.links.set(&[(own_end, false)]),
    };
    result.doing("cut the HA link")?;
    Ok(Fired { at, took: clock::now().since(at) })
}

fn lose(lab: &mut Lab, lossy: Lossy) -> Result<Fired> {
    let at = clock::now();
    for gateway in &lab.gateways {
        let text = ruleset::losses(gateway.node, lossy, LOSS_PERCENT);
        gateway.machine.worker.command("nft", &["-f", "-"], text)?;
    }
    Ok(Fired { at, took: clock::now().since(at) })
}

fn start_hogs(lab: &mut Lab) -> Result<Fired> {
    let at = clock::now();
    for _ in 0..HOGS {
        let mut hog = Command::new("sh");
        hog.args(["-c", "while :; do :; done"]).stdin(Stdio::null());
        lab.hogs.push(hog.spawn().doing("start a CPU hog")?);
    }
    Ok(Fired { at, took: clock::now().since(at) })
}

impl Fault {
    /// In words, for time lines; `active` is the gateway that serves.
    pub fn words(self, active: usize) -> String {
        let node = |who| {
            [plan::GATEWAY_A, plan::GATEWAY_B][if who == Who::Active { active } else { 1 - active }]
        };
        let active = node(Who::Active);
        match self {
            Fault::Nothing => "nothing".into(),
            Fault::PowerLoss(who) => format!("{} loses power", node(who)),
            Fault::GuardKilled => format!("the service on {active} is killed"),
            Fault::GuardRestarted => format!("the service on {active} is killed and started again"),
            Fault::GuardHung => format!("the service on {active} hangs"),
            Fault::Shutdown => format!("the service on {active} is told to stop"),
            Fault::Switchover => format!("switchover ordered on {active}"),
            Fault::LinkDown(port, At::Switch) => {
                format!("{} of {active} loses its link at the switch", port.interface())
            }
            Fault::LinkDown(port, At::Node) => {
                format!("{} of {active} is set down", port.interface())
            }
            Fault::HaCut => "the HA link is cut".into(),
            Fault::HaInterfaceDown(who) => format!("ha0 of {} is set down", node(who)),
            Fault::LanAndHaCut => "LAN between the gateways and the HA link are cut".into(),
            Fault::Loss(Lossy::Ha) => format!("{LOSS_PERCENT} % loss on the HA link"),
            Fault::Loss(Lossy::AllPaths) => {
                format!("{LOSS_PERCENT} % loss between the gateways on every path")
            }
            Fault::CpuHogs => format!("{HOGS} CPU hogs"),
            Fault::GatewaySilent(Silent::Active) => {
                format!("the router behind the WAN is silent for {active}")
            }
            Fault::GatewaySilent(Silent::Both) => "the router behind the WAN is silent".into(),
            Fault::Maintenance => format!("maintenance ordered on {active}"),
            Fault::Reload => "settings are changed on both gateways".into(),
            Fault::ConsoleKilled => format!("the console on {active} is killed"),
            Fault::ConsoleHung => format!("the console on {active} hangs"),
            Fault::ConsoleFlooded => format!("the console on {active} is flooded"),
        }
    }
}
