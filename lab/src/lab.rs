//! The whole lab as one value: topology, both gateways, time line. Scenarios and
//! the live view work on it.

use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use twinwall_core::config::Cable;
use twinwall_core::event::Order;

use crate::appliance::set_up::{Told, set_up};
use crate::console::account;
use crate::console::visitors::Visitors;
use crate::error::{LabError, Result};
use crate::gateway::{Blueprint, Gateway};
use crate::netns::Namespaces;
use crate::plan;
use crate::product::{Duties, Flows, Product, Seen, Settings, guard};
use crate::timeline::Timeline;
use crate::topology::{HaWiring, Topology};
use crate::wait;

/// Both gateways agree on who serves within this after a start; a start holds back 5 s.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);
/// A planned move is done within this.
const MOVE_WITHIN: Duration = Duration::from_secs(10);

/// The form of a lab.
#[derive(Clone, Debug)]
pub struct Form {
    /// What runs on the gateways.
    pub product: Product,
    /// The guard's binary.
    pub program: PathBuf,
    /// The `twinwall` command, where the gateways are appliances that nobody has set up yet;
    /// none where the guards run alone, set up from files.
    pub twinwall: Option<PathBuf>,
    /// The `twinwall` command, where agent and console run beside each guard, set up from files.
    pub consoles: Option<PathBuf>,
    /// Heartbeat or advert interval.
    pub interval: Duration,
    /// What is between the HA ports, and what the pair is told of it.
    pub ha: HaForm,
    /// LAN VIPs beyond the first.
    pub further_vips: u16,
    /// Whether the LAN is hidden behind the WAN VIP.
    pub nat: bool,
    /// Whether flows are known, and told.
    pub flows: Flows,
    /// What the pair does beside serving.
    pub duties: Duties,
}

impl Form {
    /// How the pair is configured at first.
    pub fn settings(&self) -> Settings {
        Settings {
            interval: self.interval,
            cable: self.ha.cable(),
            further_vips: self.further_vips,
            nat: self.nat,
            flows: self.flows,
            spare_vip: false,
            wan_watched: true,
            duties: self.duties,
        }
    }
}

/// What is between the HA ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HaForm {
    /// One cable, and the pair knows it.
    Direct,
    /// One cable that can be cut in the middle: both ends lose carrier at once.
    DirectToCut,
    /// A switch: a dead peer leaves the carrier up.
    Switched,
}

impl HaForm {
    fn wiring(self) -> HaWiring {
        match self {
            HaForm::Direct => HaWiring::Direct,
            HaForm::DirectToCut | HaForm::Switched => HaWiring::Box,
        }
    }

    fn cable(self) -> Cable {
        match self {
            HaForm::Direct | HaForm::DirectToCut => Cable::Direct,
            HaForm::Switched => Cable::Switched,
        }
    }
}

/// A running lab.
pub struct Lab {
    /// What it was built from.
    pub form: Form,
    /// Machines and cables.
    pub topology: Topology,
    /// Primary and secondary.
    pub gateways: [Gateway; 2],
    /// What happened.
    pub timeline: Timeline,
    /// Programs that burn CPU time; a fault.
    pub hogs: Vec<Child>,
    /// Visitors that flood a console; a fault.
    pub flood: Option<Visitors>,
}

impl Lab {
    /// Builds everything and boots both gateways. One lab at a time in a process.
    pub fn build(form: Form) -> Result<Lab> {
        let mut lab = Lab::assemble(form)?;
        for gateway in &mut lab.gateways {
            gateway.boot()?;
        }
        if lab.form.consoles.is_some() {
            account::introduce(&lab.gateways)?;
        }
        Ok(lab)
    }

    /// Builds everything; the gateways have their files and no power yet.
    pub fn assemble(form: Form) -> Result<Lab> {
        let wiring = form.ha.wiring();
        let topology = Topology::build(wiring, plan::lan_prefix(form.further_vips))?;
        let settings = form.settings();
        let timeline = Timeline::default();
        let blueprint = Blueprint {
            product: form.product,
            program: form.program.clone(),
            twinwall: form.twinwall.clone(),
            consoles: form.consoles.clone(),
            settings,
            timeline: timeline.clone(),
        };
        let [a, b] = topology.gateways.clone();
        let gateways = [Gateway::new(0, a, &blueprint)?, Gateway::new(1, b, &blueprint)?];
        Ok(Lab { form, topology, gateways, timeline, hogs: Vec::new(), flood: None })
    }

    /// Makes a pair of appliances that nobody has set up, by an administrator's commands; `more`
    /// changes of settings than the form says.
    /// Does nothing where the pair was set up from files.
    pub fn set_up(&mut self, more: &[String], tell: &mut dyn FnMut(Told<'_>)) -> Result<()> {
        if self.form.twinwall.is_none() {
            return Ok(());
        }
        // The first gateway has today what clients use.
        let present = |change: String| match change.split_once(".virtual=") {
            Some((interface, _)) => format!("{interface}.virtual=present"),
            None => change,
        };
        let changes = guard::changes(&self.form.settings()).into_iter();
        let mut changes: Vec<String> = changes.map(present).collect();
        changes.extend_from_slice(more);
        set_up(&mut self.gateways, &changes, tell)
    }

    /// Where the probes run.
    pub fn hosts(&self) -> Namespaces {
        Namespaces {
            client: self.topology.client.namespace().clone(),
            server: self.topology.server.namespace().clone(),
        }
    }

    /// Waits until one gateway serves and the other would take over; which one serves.
    pub fn settle(&mut self) -> Result<usize> {
        let gateways = &mut self.gateways;
        wait::until("one active and one ready gateway", SETTLE_WITHIN, || {
            let [a, b] = gateways;
            match (a.seen(), b.seen()) {
                (Seen::Active, Seen::Ready) => Ok(0),
                (Seen::Ready, Seen::Active) => Ok(1),
                (a, b) => Err(format!("{}: {a:?}, {}: {b:?}", plan::GATEWAY_A, plan::GATEWAY_B)),
            }
        })
    }

    /// Makes `wanted` the active gateway, by a planned move if need be.
    pub fn make_active(&mut self, wanted: usize) -> Result<()> {
        let active = self.settle()?;
        if active == wanted {
            return Ok(());
        }
        match self.form.product {
            Product::Twinwall => self.switchover_to(wanted)?,
            Product::Keepalived => self.bounce(active)?,
        }
        match self.settle()? {
            active if active == wanted => Ok(()),
            _ => Err(LabError::Guard {
                node: [plan::GATEWAY_A, plan::GATEWAY_B][wanted].to_owned(),
                said: "it did not stay active after a planned move".into(),
            }),
        }
    }

    fn switchover_to(&mut self, wanted: usize) -> Result<()> {
        let active = self.gateways[1 - wanted].guard();
        let target = &mut self.gateways[wanted];
        wait::until("a planned move of the active role", MOVE_WITHIN, || {
            if target.seen() == Seen::Active {
                return Ok(());
            }
            // Refused while the peer is not ready: asked again until the bound.
            active.order(Order::Switchover).map_err(|cause| cause.to_string())?;
            Err("the order was taken, nothing moved yet".to_owned())
        })
    }

    /// keepalived with `nopreempt` moves when the active's service stops.
    fn bounce(&mut self, active: usize) -> Result<()> {
        let [a, b] = &mut self.gateways;
        let (from, to) = if active == 0 { (a, b) } else { (b, a) };
        if let Some(running) = from.running() {
            running.signal_main(libc::SIGTERM);
        }
        from.await_stopped()?;
        wait::until("keepalived's move to the other node", MOVE_WITHIN, || match to.seen() {
            Seen::Active => Ok(()),
            other => Err(format!("{other:?}")),
        })?;
        from.start()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for hog in &mut self.hogs {
            // One that is gone already needs no kill; the rest go with the PID namespace.
            let _ = hog.kill().and_then(|()| hog.wait());
        }
    }
}
