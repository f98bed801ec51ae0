//! Puts the virtual addresses on the interfaces and takes them off again.
//!
//! [`run`] is the body of the thread that owns this; nobody else changes an
//! address. It never touches an address that is neither a VIP of the
//! configuration nor marked as ours, and it never decides whether VIPs belong
//! here: the core does.

mod failure;
mod life;
mod own;
mod plan;
mod run;
mod vip;
mod wanted;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use twinwall_core::event::Applied;

use crate::rtnetlink::*;
pub use failure::Failure;
use life::whole_seconds;
pub use own::Expected;
pub(crate) use plan::same_subnet;
use plan::{Need, Plan, endangered};
pub use run::{Lists, Report, Worker, worker};
pub use vip::Vip;
pub use wanted::Wanted;

/// `IFA_PROTO` of our addresses, by which leftovers of a dead guard are known
/// (kernel 5.18 or newer). Any number from 4 on is free for programs.
pub const TAG: u8 = 0x77;
/// Addresses in one batch: their acknowledgement comes about 1 ms after the send,
/// so that announcements of the first need not wait for the last.
const CHUNK: usize = 64;
/// Bytes of the largest request for one address, generously.
const REQUEST: usize = 112;

/// What became of a wanted state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Wanted addresses that are as they should be.
    pub done: usize,
    /// Addresses that were added for it.
    pub added: usize,
    /// Addresses that were removed for it.
    pub removed: usize,
    /// Addresses that the kernel refused.
    pub failed: usize,
    /// The first of them.
    pub first_failure: Option<Failure>,
}

impl Outcome {
    /// As the core wants to hear it.
    pub fn applied(&self) -> Applied {
        match (self.failed, self.done) {
            (0, _) if self.added == 0 && self.removed == 0 => Applied::Unchanged,
            (0, _) => Applied::Done,
            (_, 0) => Applied::Failed,
            (failed, _) => Applied::Partly { failed: u16::try_from(failed).unwrap_or(u16::MAX) },
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.failed += 1;
        self.first_failure.get_or_insert(failure);
    }
}

/// What a look at the kernel found wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Wanted addresses that are not there as they should be.
    pub missing: usize,
    /// Addresses that should not be there.
    pub extra: usize,
    /// The first of either.
    pub example: Option<IpAddr>,
}

/// The virtual addresses of this node, in the network namespace of the thread
/// that opened it.
#[derive(Debug)]
pub struct Addresses {
    socket: RouteSocket,
    batch: Batch,
    found: Vec<AddressRecord>,
    plan: Plan,
    interfaces: Vec<(InterfaceName, Option<u32>)>,
    /// Number of the request and position of the address it is about.
    sent: Vec<(u32, usize)>,
    chunk: Vec<Vip>,
    life_s: Option<u32>,
    /// What is added or adopted is the node's own, not ours.
    as_own: bool,
}

impl Addresses {
    /// Opens with buffers for `expected` addresses. With `backstop` every VIP ends
    /// by itself after that time unless [`Addresses::refresh`] is called: on a node
    /// whose guard died and stays dead nobody else would take them off.
    ///
    /// # Errors
    /// The kernel's, when it gives no netlink socket.
    pub fn open(expected: usize, backstop: Option<Duration>) -> io::Result<Addresses> {
        Ok(Addresses {
            socket: RouteSocket::open()?,
            batch: Batch::with_capacity(CHUNK * REQUEST),
            found: Vec::with_capacity(expected + CHUNK),
            plan: Plan::with_capacity(expected),
            interfaces: Vec::with_capacity(twinwall_core::ids::MAX_INTERFACES),
            sent: Vec::with_capacity(CHUNK),
            chunk: Vec::with_capacity(CHUNK),
            life_s: backstop.map(whole_seconds),
            as_own: false,
        })
    }

    /// Makes the kernel look as wanted: every address of `wanted` there and no other
    /// of ours (`present`), or none at all. `on_chunk` is called with every group of
    /// addresses as soon as the kernel confirmed them. May be called as often as one likes.
    ///
    /// # Errors
    /// When the kernel cannot be spoken to; single addresses are told in [`Outcome`].
    pub fn apply(
        &mut self,
        wanted: &[Vip],
        present: bool,
        on_chunk: &mut dyn FnMut(&[Vip]),
    ) -> io::Result<Outcome> {
        let mut outcome = Outcome::default();
        self.compare(wanted, present)?;
        let removed = self.remove(&mut outcome)?;
        if present {
            self.add(wanted, &mut outcome, on_chunk)?;
        }
        let removed = removed + self.remove_replaced(&mut outcome)?;
        if present && removed > 0 {
            // Removing a primary address may have taken others of ours with it.
            self.compare(wanted, present)?;
            outcome = Outcome { added: outcome.added, removed, ..Outcome::default() };
            self.remove(&mut outcome)?;
            self.add(wanted, &mut outcome, on_chunk)?;
            self.remove_replaced(&mut outcome)?;
        }
        Ok(outcome)
    }

    /// Looks without changing anything.
    ///
    /// # Errors
    /// When the kernel cannot be spoken to.
    pub fn audit(&mut self, wanted: &[Vip], present: bool) -> io::Result<Audit> {
        self.compare(wanted, present)?;
        let extra = self.plan.remove.len() + self.plan.replaced.len();
        let mut audit = Audit { extra, ..Audit::default() };
        if present {
            let missing = |need: &&Need| !matches!(need, Need::Nothing | Need::Adopt);
            audit.missing = self.plan.needs.iter().filter(missing).count();
            let at = self.plan.needs.iter().position(|need| missing(&need));
            audit.example = at.map(|at| wanted[at].prefix.address);
        }
        let extra = self.plan.remove.first().map(|at| self.found[*at].address);
        audit.example = audit.example.or(extra);
        Ok(audit)
    }

    /// All addresses on all interfaces but the VIPs, as they were at the last call
    /// of another method; sorted, each once.
    pub fn own_addresses(&self, own: &mut Vec<IpAddr>) {
        own.clear();
        own.extend(
            self.found
                .iter()
                .filter(|record| !self.plan.is_virtual(record))
                .map(|record| record.address),
        );
        own.sort_unstable();
        own.dedup();
    }

    fn compare(&mut self, wanted: &[Vip], present: bool) -> io::Result<()> {
        self.interfaces.clear();
        for vip in wanted {
            if !self.interfaces.iter().any(|(name, _)| *name == vip.interface) {
                self.interfaces.push((vip.interface, vip.interface.index().ok()));
            }
        }
        self.socket.dump_addresses(&mut self.batch, &mut self.found)?;
        let interfaces = &self.interfaces;
        let index = |vip: &Vip| {
            interfaces.iter().find(|(name, _)| *name == vip.interface).and_then(|(_, at)| *at)
        };
        self.plan.compare(wanted, &index, present, self.life_s.is_some(), &self.found);
        Ok(())
    }

    /// Removes what the plan says; returns how many were.
    fn remove(&mut self, outcome: &mut Outcome) -> io::Result<usize> {
        if self.plan.remove.is_empty() {
            return Ok(0);
        }
        let endangered = endangered(&self.found, &self.plan.remove);
        let before: Vec<_> =
            endangered.iter().filter_map(|index| self.keep_secondaries(*index)).collect();
        let remove = std::mem::take(&mut self.plan.remove);
        let result = remove.chunks(CHUNK).try_for_each(|chunk| self.remove_chunk(chunk, outcome));
        for (path, value) in before {
            // What cannot be put back stays on the safer setting.
            let _ = std::fs::write(path, value);
        }
        let removed = remove.len();
        self.plan.remove = remove;
        result.map(|()| removed)
    }

    /// What has a successor by now; removed as well, and counted as that.
    fn remove_replaced(&mut self, outcome: &mut Outcome) -> io::Result<usize> {
        std::mem::swap(&mut self.plan.remove, &mut self.plan.replaced);
        let removed = self.remove(outcome);
        std::mem::swap(&mut self.plan.remove, &mut self.plan.replaced);
        removed
    }

    fn remove_chunk(&mut self, chunk: &[usize], outcome: &mut Outcome) -> io::Result<()> {
        self.batch.clear();
        self.sent.clear();
        for at in chunk {
            let record = self.found[*at];
            let sequence = self.request(RTM_DELADDR, 0, *at == chunk[chunk.len() - 1]);
            self.batch.address_header(family(record.address), record.length, record.index);
            self.batch.ip(IFA_LOCAL, record.address);
            self.batch.ip(IFA_ADDRESS, record.address);
            self.batch.finish();
            self.sent.push((sequence, *at));
        }
        let (sent, found, interfaces) = (&self.sent, &self.found, &self.interfaces);
        self.socket.send(&self.batch)?;
        let last = sent.last().map_or(0, |(sequence, _)| *sequence);
        outcome.removed += chunk.len();
        self.socket.acknowledged(last, &mut |sequence, errno| {
            outcome.removed -= 1;
            // Gone already, by itself or with the primary address of its subnet or its interface.
            if matches!(errno, libc::EADDRNOTAVAIL | libc::ENODEV) {
                return;
            }
            let Some((_, at)) = sent.iter().find(|(number, _)| *number == sequence) else { return };
            let named = interfaces.iter().find(|(_, index)| *index == Some(found[*at].index));
            let interface = named.map(|(name, _)| *name);
            outcome.fail(Failure { adding: false, address: found[*at].address, interface, errno });
        })
    }

    fn add(
        &mut self,
        wanted: &[Vip],
        outcome: &mut Outcome,
        on_chunk: &mut dyn FnMut(&[Vip]),
    ) -> io::Result<()> {
        for (number, chunk) in wanted.chunks(CHUNK).enumerate() {
            let first = number * CHUNK;
            self.add_chunk(wanted, first..first + chunk.len(), outcome)?;
            self.chunk.clear();
            for (vip, need) in chunk.iter().zip(&self.plan.needs[first..]) {
                match need {
                    Need::Nothing | Need::Adopt | Need::Add => self.chunk.push(*vip),
                    Need::Failed(errno) => outcome.fail(Failure {
                        adding: true,
                        address: vip.prefix.address,
                        interface: Some(vip.interface),
                        errno: *errno,
                    }),
                }
            }
            outcome.done += self.chunk.len();
            on_chunk(&self.chunk);
        }
        Ok(())
    }

    fn add_chunk(
        &mut self,
        wanted: &[Vip],
        range: std::ops::Range<usize>,
        outcome: &mut Outcome,
    ) -> io::Result<()> {
        self.batch.clear();
        self.sent.clear();
        let due = |need: Need| matches!(need, Need::Add | Need::Adopt);
        let Some(last) = range.clone().rev().find(|at| due(self.plan.needs[*at])) else {
            return Ok(());
        };
        for at in range.filter(|at| *at <= last) {
            if due(self.plan.needs[at]) {
                outcome.added += usize::from(self.plan.needs[at] == Need::Add);
                let sequence = self.put_address(&wanted[at], at == last);
                self.sent.push((sequence, at));
            }
        }
        self.socket.send(&self.batch)?;
        let (sent, needs) = (&self.sent, &mut self.plan.needs);
        let last = sent.last().map_or(0, |(sequence, _)| *sequence);
        self.socket.acknowledged(last, &mut |sequence, errno| {
            if let Some((_, at)) = sent.iter().find(|(number, _)| *number == sequence) {
                outcome.added -= usize::from(needs[*at] == Need::Add);
                needs[*at] = Need::Failed(errno);
            }
        })
    }

    /// Writes the request that adds one address, or makes one that is there ours.
    fn put_address(&mut self, vip: &Vip, acknowledge: bool) -> u32 {
        let index =
            self.interfaces.iter().find(|(name, _)| *name == vip.interface).and_then(|(_, at)| *at);
        let sequence = self.request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, acknowledge);
        let address = vip.prefix.address;
        self.batch.address_header(family(address), vip.kernel_length(), index.unwrap_or(0));
        self.batch.ip(IFA_LOCAL, address);
        self.batch.ip(IFA_ADDRESS, address);
        let valid = self.life_s.unwrap_or(u32::MAX);
        // IPv6: deprecated from birth, so that the node never chooses it as its source.
        let (preferred, no_dad) = match address.is_ipv6() {
            true if self.as_own => (valid, IFA_F_NODAD),
            true => (0, IFA_F_NODAD),
            false => (valid, 0),
        };
        let no_route = if vip.carries_subnet { 0 } else { IFA_F_NOPREFIXROUTE };
        self.batch.attribute(IFA_FLAGS, &(no_dad | no_route).to_ne_bytes());
        if !self.as_own {
            self.batch.attribute(IFA_PROTO, &[TAG]);
        }
        let mut lifetimes = [0; 16];
        lifetimes[..4].copy_from_slice(&preferred.to_ne_bytes());
        lifetimes[4..8].copy_from_slice(&valid.to_ne_bytes());
        self.batch.attribute(IFA_CACHEINFO, &lifetimes);
        self.batch.finish();
        sequence
    }

    /// Begins a request; only the last of a batch asks for a confirmation, errors always come.
    fn request(&mut self, kind: u16, flags: u16, acknowledge: bool) -> u32 {
        let sequence = self.socket.next_sequence();
        self.batch.begin(kind, flags | if acknowledge { NLM_F_ACK } else { 0 }, sequence);
        sequence
    }

    /// Tells the kernel to keep the secondary addresses of the interface when the
    /// primary one goes. Returns the setting to put back.
    fn keep_secondaries(&mut self, index: u32) -> Option<(String, String)> {
        let name = self.socket.link(&mut self.batch, None, index).ok().flatten()?.name;
        let path = format!("/proc/sys/net/ipv4/conf/{name}/promote_secondaries");
        let before = std::fs::read_to_string(&path).ok()?;
        std::fs::write(&path, "1").ok()?;
        Some((path, before))
    }
}

fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => libc::AF_INET as u8,
        IpAddr::V6(_) => libc::AF_INET6 as u8,
    }
}
