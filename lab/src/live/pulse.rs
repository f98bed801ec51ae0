//! The traffic behind the live view: probes that are renewed before their logs are
//! full, read in cells of a tenth of a second.

use std::time::Duration;

use twinwall_core::time::Moment;

use crate::clock;
use crate::error::{Doing, Result};
use crate::netns::Namespaces;
use crate::plan;
use crate::topology::{Port, mac};
use crate::traffic::connections::{ConnectionPlan, Connections, ConnectionsSeen};
use crate::traffic::{Measured, ProbePlan, Probes, Side, Window};

/// One cell of the strip.
pub(super) const CELL: Duration = Duration::from_millis(100);
/// An answer that takes longer is drawn as lost.
const PATIENCE: Duration = Duration::from_millis(100);
/// What a fault is read against.
const QUIET: Duration = Duration::from_secs(2);
/// Probes are renewed after this; their logs hold a bit more.
const RENEW: Duration = Duration::from_secs(600);
const LONGEST: Duration = Duration::from_secs(660);
/// Routed probes a second of each family: one each two milliseconds shows an outage well enough.
const RATE_PER_S: u32 = 500;

/// What the client saw in one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) sent: u32,
    pub(super) lost: u32,
    pub(super) two_answer: bool,
}

/// Running probes and how far they were read.
pub(super) struct Pulse {
    hosts: Namespaces,
    /// None only while they are renewed.
    probes: Option<Probes>,
    /// Renewed with them, so that one that was lost comes back some day.
    connections: Option<Connections>,
    started: Moment,
    read_to: Moment,
}

impl Pulse {
    pub(super) fn start(hosts: Namespaces) -> Result<Pulse> {
        let probes = Some(start(&hosts)?);
        let connections = Some(connect(&hosts)?);
        let now = clock::now();
        Ok(Pulse { hosts, probes, connections, started: now, read_to: now })
    }

    /// The cells that are complete by now, and who answered for the LAN's VIP last.
    pub(super) fn read(&mut self) -> Result<(Vec<Cell>, Option<usize>)> {
        let mut cells = Vec::new();
        let mut owner = None;
        while self.read_to + CELL + PATIENCE <= clock::now() {
            let until = self.read_to + CELL;
            let seen = self.measure(self.read_to, self.read_to, until)?;
            self.read_to = until;
            owner = answering(&seen).or(owner);
            cells.push(Cell {
                sent: seen.sent,
                lost: seen.lost,
                two_answer: !seen.two_answer.is_zero(),
            });
        }
        Ok((cells, owner))
    }

    /// New probes once the old ones have run long; not while a fault is being watched.
    pub(super) fn renew_if_old(&mut self) -> Result<()> {
        if clock::now().since(self.started) < RENEW {
            return Ok(());
        }
        // The old ones end first: the server has one port.
        self.probes = None;
        self.probes = Some(start(&self.hosts)?);
        self.connections = None;
        self.connections = Some(connect(&self.hosts)?);
        self.started = clock::now();
        self.read_to = self.started;
        Ok(())
    }

    /// What the client saw of a fault, read against the time before it.
    pub(super) fn of_fault(&self, fault: Moment, until: Moment) -> Result<Measured> {
        let quiet_from = fault.before(QUIET).max(self.started);
        self.measure(quiet_from, fault, until)
    }

    /// What became of the connections by a fault, read against the time before it.
    pub(super) fn connections(&self, fault: Moment, until: Moment) -> ConnectionsSeen {
        let connections = self.connections.as_ref().expect("they are renewed in one step");
        let started = connections.started();
        let quiet_from = fault.before(QUIET).max(started);
        connections.glance(&Window { quiet_from, fault: fault.max(started), until })
    }

    /// The same now: since the fault that is being watched, else over the last seconds.
    pub(super) fn connections_now(&self, fault: Option<Moment>) -> ConnectionsSeen {
        let until = clock::now().before(PATIENCE);
        self.connections(fault.unwrap_or_else(|| until.before(QUIET)).min(until), until)
    }

    fn measure(&self, quiet_from: Moment, fault: Moment, until: Moment) -> Result<Measured> {
        let window = Window { quiet_from, fault, until };
        let probes = self.probes.as_ref().expect("they are renewed in one step");
        probes.measure(&window).doing("read the probes")
    }
}

fn start(hosts: &Namespaces) -> Result<Probes> {
    let probes = ProbePlan {
        rate_per_s: RATE_PER_S,
        ping_every: Duration::from_millis(5),
        resolve_every: Duration::from_millis(10),
        resolve: vec![(Side::Client, plan::LAN_VIP), (Side::Server, plan::WAN_VIP)],
        tcp: None,
        longest: LONGEST,
        ..ProbePlan::default()
    };
    Probes::start(&probes, hosts).doing("start the probes")
}

fn connect(hosts: &Namespaces) -> Result<Connections> {
    Connections::start(&ConnectionPlan::few(LONGEST), hosts).doing("open the connections")
}

fn answering(seen: &Measured) -> Option<usize> {
    let (_, _, last) = seen.answered_by.iter().rev().find(|(vip, ..)| *vip == plan::LAN_VIP)?;
    let last = last.to_string();
    (0..2).find(|node| mac(*node, Port::Lan) == last)
}
