//! Traffic through the pair, and what a client sees of a failover.
//!
//! Called by the scenarios and the benchmark: start the probes, let a quiet
//! time pass, inject the fault, ask for the measure. Knows nothing of the
//! products under test, and never asks them: every figure here comes from
//! packets that were answered or not.
//!
//! # What the figures mean
//! - **Outage**: the longest silence of the routed probes, as the client sees
//!   it. A *silence* begins when the first probe that is not answered in its
//!   turn is sent (or when the previous answer arrives, if that is later) and
//!   ends when the next answer arrives. So it covers lost probes and probes that
//!   were held up, and it does not cover time in which the client sent nothing:
//!   a late sender is no outage. It is exact to one probe's spacing. A machine that
//!   stands still holds up packets as well: the client's own longest pause, beside
//!   the outage, tells that from a fault.
//! - **Floor**: the same figure over a quiet time before the fault in the same
//!   run: what probe and machine cost by themselves. Read outages against it.
//! - **VIP silence**: the longest silence of the pings to the VIPs, by family.
//! - **Two answer**: the time in which one ARP request or neighbour solicitation
//!   got replies from two hardware addresses.
//! - **Lost**: probes that were never answered, however late one looks.
//!
//! Sending times are noted just before the system call, receiving times are the
//! kernel's, so that neither thread's lateness counts. The server's echo is
//! part of the path and of the floor.

pub mod clock;
pub mod connections;
mod echo;
mod frames;
pub mod generator;
mod log;
pub mod measure;
mod plan;
mod report;
mod run;
mod socket;
mod stream;
mod sweep;
mod tcp;
pub mod usage;

pub use log::{Mac, Probe};
pub use measure::Silence;
pub use plan::{ProbePlan, Side, StreamKind, TcpPlan};
pub use report::{Measured, StreamMeasured, Window};
pub use run::Probes;
use run::inside;
pub use sweep::SweepResult;

/// UDP and TCP port of the echoing server.
pub const ECHO_PORT: u16 = 7;
/// Fastest routed stream: ten a tick of the sender at the most are sent in a row.
pub const MAX_RATE_PER_S: u32 = 10_000;
/// Connections of one run; the server serves them all from one thread.
pub const MAX_CONNECTIONS: usize = 256;
/// Streams of one run: the tag that tells them apart in frames is one byte.
pub const MAX_STREAMS: usize = 64;
