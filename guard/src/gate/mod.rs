//! The kernel's gate: an nf_tables `netdev` table that lets this node answer and
//! forward for the pair only while a lease lives in the kernel, so that a guard
//! that hangs or dies is closed by its own kernel. docs/adr/0003 says why.
//!
//! [`GateSwitch`] is the beat thread's: opens, renews and closes, one frame to
//! `lo` each, without netlink. [`GateTable`] is the kernel thread's: builds,
//! compares, repairs and removes the table. Neither decides anything.

mod found;
mod ladder;
mod look;
mod plan;
mod switch;
mod sys;
mod table;
mod wanted;
mod watch;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use twinwall_core::api::Missing;

pub use switch::GateSwitch;
pub use table::GateTable;
pub use watch::GateWatch;

/// Name of the table.
pub const TABLE: &str = "twinwall";

/// What the gate is for. Two equal specs make equal tables, whatever the order of their lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateSpec {
    /// Longest lease that [`GateSwitch`] may ask for: L.
    pub lease: Duration,
    /// While L changes: the L that the switch still uses. First ensure a spec with
    /// both, then tell the switch, then ensure one without this.
    pub old_lease: Option<Duration>,
    /// Interfaces on which clients are served; those that do not exist are skipped.
    pub interfaces: Vec<String>,
    /// The pair's VIPs.
    pub virtual_ips: Vec<IpAddr>,
    /// Every address that this node holds for itself, on any interface; never a VIP.
    /// What comes in for another address is transit.
    pub own: Vec<IpAddr>,
}

/// What the gate can do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The table survives `nft flush ruleset` and the guard's death (owner and
    /// persist; Linux 6.9). Else it must be watched and made anew.
    pub persist: bool,
    /// An interface that returns has its gate at once (Linux 6.16). Else
    /// [`GateTable::ensure`] must be called when one appears.
    pub waits: bool,
}

impl Capabilities {
    /// The protections that are missing, for `status`.
    pub fn missing(&self) -> Vec<Missing> {
        let persist = Missing {
            name: "persist".to_owned(),
            remedy: "`nft flush ruleset` removes the gate until the guard puts it back, some milliseconds \
                     later; a dead guard cannot: needs Linux 6.9 and gate = \"auto\""
                .to_owned(),
        };
        if self.persist { Vec::new() } else { vec![persist] }
    }
}

/// What [`GateTable::ensure`] found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ensured {
    /// What was not as wanted and now is, for people; empty when all was well.
    pub repaired: Vec<String>,
    /// The table did not exist. A lease that lived in it, if it was there before, is gone.
    pub created: bool,
    /// The table of a predecessor that died was taken over, with the lease in it.
    pub adopted: bool,
    /// Service interfaces that do not exist now, and have no gate.
    pub absent: Vec<String>,
    /// Whether `lo` is up. While it is down no order reaches the table: set it up.
    pub loopback_up: bool,
}

/// A look at the table without touching it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// The table exists.
    pub present: bool,
    /// It is protected by owner and persist, and this process is its owner.
    pub protected: bool,
    /// What is not as wanted, for people.
    pub wrong: Vec<String>,
    /// Time for which the answering gate is open still.
    pub answer_left: Option<Duration>,
    /// Time for which the forwarding gate is open still.
    pub forward_left: Option<Duration>,
    /// Frames that the closed answering gate dropped since the rule was made.
    pub answers_dropped: u64,
    /// Packets that the closed forwarding gate dropped since the rule was made.
    pub forwards_dropped: u64,
}

/// Why there is no gate, or no change to it.
#[derive(Debug)]
pub enum GateError {
    /// The settings say `gate = "off"`.
    Off,
    /// The kernel cannot do it.
    Unsupported {
        /// What it refused.
        what: String,
        /// Its answer.
        error: io::Error,
    },
    /// The table belongs to a process that still runs.
    Owned {
        /// The netlink port of that process, usually its process id.
        port: u32,
    },
    /// The kernel refused a change; the table is as it was.
    Refused {
        /// Which change.
        what: String,
        /// Its answer.
        error: io::Error,
    },
    /// The table could not be read.
    Unreadable(io::Error),
}

impl fmt::Display for GateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GateError::Off => f.write_str("gate: off by the settings (node.toml: gate)"),
            GateError::Unsupported { what, error } => write!(
                f,
                "gate: the kernel cannot {what}: {error}; it needs nf_tables with netdev egress (Linux 5.16 or newer) and CAP_NET_ADMIN"
            ),
            GateError::Owned { port } => write!(
                f,
                "gate: table netdev {TABLE} belongs to a running process (netlink port {port}); stop the other guard first"
            ),
            GateError::Refused { what, error } => {
                write!(
                    f,
                    "gate: the kernel refused to {what}: {error}; nothing was changed, will be tried again"
                )
            }
            GateError::Unreadable(error) => {
                write!(
                    f,
                    "gate: table netdev {TABLE} could not be read: {error}; will be tried again"
                )
            }
        }
    }
}

impl std::error::Error for GateError {}

impl GateError {
    /// The protection that is missing while this lasts, for `status`.
    pub fn missing(&self) -> Missing {
        Missing {
            name: "gate".to_owned(),
            remedy: format!("a guard that hangs or dies is not silenced by its kernel: {self}"),
        }
    }
}
