//! The kernel thread's side of the gate: the table as it must be, kept so.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use twinwall_core::config::GateMode;
use twinwall_netlink::nft::consts::{HOOK_EGRESS, NFPROTO_NETDEV, TABLE_F_OWNER, TABLE_F_PERSIST};
use twinwall_netlink::nft::{Batch, Nft, Refused};

use super::found::{Found, FoundTable, Hook};
use super::look::look;
use super::plan::{self, Plan};
use super::sys;
use super::wanted::{self, ANSWER, ANSWERING, FORWARD, FORWARDING, Wanted};
use super::{Audit, Capabilities, Ensured, GateError, GateSpec, TABLE};

/// How often a change is planned anew when the table changed under it.
const ENSURE_TRIES: u32 = 4;
/// Name of the table with which the kernel is asked what it can do; it never comes to be.
const TRIAL_TABLE: &str = "twinwall-trial";
/// An interface that nobody has, to ask whether a chain can wait for it.
const TRIAL_INTERFACE: &str = "tw-nobody0";

/// The gate's table in the network namespace of the thread that made this.
///
/// Dropping it leaves the table as it is: that a dead guard's lease runs out by
/// itself is the purpose. Each call may wait for other programs' transactions.
#[derive(Debug)]
pub struct GateTable {
    netlink: Nft,
    persist: bool,
    /// The kernel binds a chain to its interface once that appears (Linux 6.16).
    chains_wait: bool,
}

impl GateTable {
    /// Asks the kernel what it can do; changes nothing.
    ///
    /// # Errors
    /// [`GateError::Off`], or [`GateError::Unsupported`] when there can be no gate.
    pub fn new(mode: GateMode) -> Result<GateTable, GateError> {
        if mode == GateMode::Off {
            return Err(GateError::Off);
        }
        GateTable::with(mode, open()?)
    }

    /// The same with the descriptor of a predecessor that is its owner still: what
    /// a supervisor kept open (see [`AsFd`](#impl-AsFd-for-GateTable)) protects the
    /// table without a gap.
    ///
    /// # Errors
    /// As [`new`](Self::new); a descriptor of another kind is one of them.
    pub fn inherit(mode: GateMode, owner: OwnedFd) -> Result<GateTable, GateError> {
        let netlink = Nft::inherit(owner, NFPROTO_NETDEV).map_err(|error| {
            GateError::Unsupported { what: "use the inherited descriptor".to_owned(), error }
        })?;
        GateTable::with(mode, netlink)
    }

    fn with(mode: GateMode, mut netlink: Nft) -> Result<GateTable, GateError> {
        let protect = match mode {
            GateMode::Auto => true,
            GateMode::Plain => false,
            GateMode::Off => return Err(GateError::Off),
        };
        let unsupported =
            |refused: Refused| GateError::Unsupported { what: refused.what, error: refused.error };
        netlink.check(&trial(0, Some("lo"))).map_err(unsupported)?;
        let persist =
            protect && netlink.check(&trial(TABLE_F_OWNER | TABLE_F_PERSIST, None)).is_ok();
        let chains_wait = netlink.check(&trial(0, Some(TRIAL_INTERFACE))).is_ok();
        Ok(GateTable { netlink, persist, chains_wait })
    }

    /// What the gate can do here.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities { persist: self.persist, waits: self.chains_wait }
    }

    /// The netlink port under which this changes the table, for [`GateWatch`](super::GateWatch).
    pub fn port(&self) -> u32 {
        self.netlink.port()
    }

    /// Makes the kernel's table equal to `spec` in one transaction: takes over what
    /// a dead predecessor left, repairs what is not as wanted, and leaves a live
    /// lease alone. May be called at any time and any number of times.
    ///
    /// # Errors
    /// [`GateError::Owned`], or why nothing was changed.
    pub fn ensure(&mut self, spec: &GateSpec) -> Result<Ensured, GateError> {
        self.make(spec, None)
    }

    /// The same, and the gate is open for `lease` from the moment in which it is there: for
    /// a node that served before it had a gate.
    ///
    /// # Errors
    /// As [`ensure`](Self::ensure).
    pub fn ensure_open(&mut self, spec: &GateSpec, lease: Duration) -> Result<Ensured, GateError> {
        self.make(spec, Some(lease))
    }

    fn make(&mut self, spec: &GateSpec, open: Option<Duration>) -> Result<Ensured, GateError> {
        let mut tries = 1;
        loop {
            let (mut plan, absent) = self.plan(spec)?;
            if let Some(lease) = open {
                plan.open(lease);
            }
            match self.netlink.commit(&plan.batch) {
                Ok(()) => return Ok(ensured(plan, absent)),
                Err(refused) if changed_meanwhile(&refused) && tries < ENSURE_TRIES => tries += 1,
                Err(Refused { what, error }) => return Err(GateError::Refused { what, error }),
            }
        }
    }

    /// Compares without changing anything, and looks at the lease.
    ///
    /// # Errors
    /// [`GateError::Unreadable`].
    pub fn audit(&mut self, spec: &GateSpec) -> Result<Audit, GateError> {
        let found = look(&mut self.netlink, TABLE).map_err(GateError::Unreadable)?;
        let (wanted, _) = self.wanted(spec, &found);
        let plan = plan::plan(&found, &wanted, self.flags());
        let left = |set: &str| {
            found.sets.get(set).and_then(|set| set.elements.values().flatten().max().copied())
        };
        let dropped = |chain: &str| -> u64 {
            found
                .rules
                .get(chain)
                .map_or(0, |rules| rules.iter().filter_map(|rule| rule.packets).sum())
        };
        Ok(Audit {
            present: found.table.is_some(),
            protected: found.table.as_ref().is_some_and(|table| self.protects(table)),
            wrong: plan.repaired,
            answer_left: left(ANSWER).filter(|left| !left.is_zero()),
            forward_left: left(FORWARD).filter(|left| !left.is_zero()),
            answers_dropped: dropped(ANSWERING),
            forwards_dropped: dropped(FORWARDING),
        })
    }

    /// Removes the table. The addresses must be gone before: from here on nothing is gated.
    ///
    /// # Errors
    /// Why it is still there. A table that does not exist is removed.
    pub fn remove(&mut self) -> Result<(), GateError> {
        remove(&mut self.netlink)
    }

    /// Removes the table that a dead predecessor left, where this guard works
    /// without a gate: closed for ever, it would silence this node.
    ///
    /// # Errors
    /// As [`remove`](Self::remove); that there is no nf_tables is none.
    pub fn remove_leftover() -> Result<(), GateError> {
        open().map_or(Ok(()), |mut netlink| remove(&mut netlink))
    }

    fn plan(&mut self, spec: &GateSpec) -> Result<(Plan, Vec<String>), GateError> {
        let found = look(&mut self.netlink, TABLE).map_err(GateError::Unreadable)?;
        if let Some(port) =
            found.table.as_ref().and_then(|table| table.owner).filter(|port| *port != self.port())
        {
            return Err(GateError::Owned { port });
        }
        let (wanted, absent) = self.wanted(spec, &found);
        Ok((plan::plan(&found, &wanted, self.flags()), absent))
    }

    /// What is wanted, and the interfaces that are absent. A chain of an absent
    /// interface stays where it is: the kernel binds it anew when that returns.
    fn wanted(&self, spec: &GateSpec, found: &Found) -> (Wanted, Vec<String>) {
        let exists = |name: &str| sys::interface_index(name).is_ok();
        let absent = spec.interfaces.iter().filter(|name| !exists(name)).cloned().collect();
        let bound = |name: &str| found.chains.contains_key(&format!("in_{name}"));
        (wanted::table(spec, |name| self.chains_wait || exists(name) || bound(name)), absent)
    }

    fn flags(&self) -> u32 {
        if self.persist { TABLE_F_OWNER | TABLE_F_PERSIST } else { 0 }
    }

    fn protects(&self, table: &FoundTable) -> bool {
        self.persist && table.flags == self.flags() && table.owner == Some(self.port())
    }
}

/// The descriptor that owns the table. As long as a copy of it is open anywhere, the table is safe.
impl AsFd for GateTable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.netlink.as_fd()
    }
}

fn open() -> Result<Nft, GateError> {
    let what = "open a netfilter socket".to_owned();
    Nft::open(NFPROTO_NETDEV).map_err(|error| GateError::Unsupported { what, error })
}

fn remove(netlink: &mut Nft) -> Result<(), GateError> {
    let mut batch = Batch::new(NFPROTO_NETDEV);
    plan::del_table(&mut batch);
    match netlink.commit(&batch) {
        Err(refused) if !refused.is(libc::ENOENT) => {
            Err(GateError::Refused { what: refused.what, error: refused.error })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A table that is only checked, never made.
fn trial(flags: u32, interface: Option<&str>) -> Batch {
    let mut batch = Batch::new(NFPROTO_NETDEV);
    plan::new_table(&mut batch, TRIAL_TABLE, flags);
    if let Some(interface) = interface {
        let hook = Hook { number: HOOK_EGRESS, priority: 0, device: interface.to_owned() };
        plan::new_base_chain(&mut batch, TRIAL_TABLE, "trial", &hook);
    }
    batch
}

fn ensured(plan: Plan, absent: Vec<String>) -> Ensured {
    Ensured {
        repaired: plan.repaired,
        created: plan.created,
        adopted: plan.adopted,
        absent,
        loopback_up: sys::interface_up("lo").unwrap_or(false),
    }
}

/// Whether a refusal means that the table is not what it was when the change was planned.
fn changed_meanwhile(refused: &Refused) -> bool {
    [libc::ENOENT, libc::EEXIST, libc::EBUSY, libc::EINTR, libc::EAGAIN]
        .iter()
        .any(|errno| refused.is(*errno))
        || refused.error.kind() == io::ErrorKind::Interrupted
}
