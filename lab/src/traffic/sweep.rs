//! Asks for each of many VIPs in turn, to find when the last one is answered by
//! its new owner.
//!
//! A thousand questions each few milliseconds would slow down the takeover they
//! measure. So a few scouts, spread over the list, are asked all the time; when
//! one of them is answered by somebody new, all VIPs that he does not answer yet
//! are asked until he does. A VIP's moment is his first answer for it, so it is
//! never too early, and late by one round at the most.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use twinwall_core::time::Moment;

use crate::clock::now;

use super::clock::{PROBE_PRIORITY, go_realtime, sleep_until};
use super::frames;
use super::log::Mac;
use super::socket::{Batch, PacketKind, Socket, interface_index, interface_mac};

/// VIPs asked all the time.
const SCOUTS: usize = 16;
/// How often the scouts are asked.
const SCOUT_EVERY: Duration = Duration::from_millis(5);
/// Round of a chase.
const CHASE_EVERY: Duration = Duration::from_millis(1);
/// Questions of one round: about a third of one core here.
const CHASE_BURST: usize = 64;
/// A chase that has not ended by then goes on at the scouts' pace, so that two
/// nodes that both answer do not keep it at full speed.
const CHASE_LONGEST: Duration = Duration::from_secs(3);

/// Who answers for one VIP, and since when.
#[derive(Default)]
struct Owner {
    mac: AtomicU64,
    since: AtomicU64,
}

/// What became of the VIPs after a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepResult {
    /// VIPs asked for.
    pub total: usize,
    /// VIPs that a new owner has answered for since the fault.
    pub moved: usize,
    /// From the fault to the last such first answer.
    pub last: Option<Duration>,
}

/// The many VIPs and their owners.
pub(super) struct Sweep {
    targets: Vec<Ipv4Addr>,
    index: BTreeMap<Ipv4Addr, usize>,
    owners: Vec<Owner>,
    socket: Socket,
    source: Mac,
    tag: u8,
}

impl Sweep {
    /// Opens the socket in the calling thread's namespace.
    pub(super) fn open(targets: &[Ipv4Addr], interface: &str, tag: u8) -> io::Result<Sweep> {
        Ok(Sweep {
            targets: targets.to_vec(),
            index: targets.iter().copied().zip(0..).collect(),
            owners: targets.iter().map(|_| Owner::default()).collect(),
            socket: Socket::packet(interface_index(interface)?, PacketKind::Arp)?,
            source: interface_mac(interface)?,
            tag,
        })
    }

    /// Whether somebody has answered for every VIP.
    pub(super) fn is_complete(&self) -> bool {
        self.owners.iter().all(|owner| owner.mac.load(Ordering::Relaxed) != 0)
    }

    /// Which VIPs changed their owner since `fault`.
    pub(super) fn result(&self, fault: Moment) -> SweepResult {
        let moments = self.owners.iter().map(|owner| owner.since.load(Ordering::Relaxed));
        let moved: Vec<Moment> =
            moments.map(Moment::from_nanos).filter(|since| *since >= fault).collect();
        SweepResult {
            total: self.targets.len(),
            moved: moved.len(),
            last: moved.iter().max().map(|last| last.since(fault)),
        }
    }

    /// Notes an answer; gives the answering address when it is new for this VIP.
    fn note(&self, bytes: &[u8], at: Moment) -> Option<u64> {
        let (_, by, about) = frames::arp_reply(self.tag, bytes)?;
        let owner = &self.owners[*self.index.get(&about)?];
        let mac = packed(by);
        if owner.mac.load(Ordering::Relaxed) == mac {
            return None;
        }
        // Order does not matter: results are read long after the move.
        owner.mac.store(mac, Ordering::Relaxed);
        owner.since.store(at.as_nanos(), Ordering::Relaxed);
        Some(mac)
    }

    fn ask(&self, index: usize) {
        let frame = frames::arp(self.source, self.tag, index as u32, self.targets[index]);
        self.socket.send(frame.bytes(), None);
    }
}

/// Never 0, which means 'nobody yet'.
fn packed(mac: Mac) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_be_bytes([0, 1, a, b, c, d, e, f])
}

/// Body of the sweep's thread.
pub(super) fn sweep_loop(sweep: &Sweep, stop: &AtomicBool) {
    go_realtime(PROBE_PRIORITY);
    let count = sweep.targets.len();
    let step = count.div_ceil(SCOUTS).max(1);
    let mut batch = Batch::new();
    let mut newest = 0;
    let mut chase_until = now() + CHASE_LONGEST;
    let mut cursor = 0;
    let mut scouts_due = now();
    while !stop.load(Ordering::Relaxed) {
        sweep.socket.drain(&mut batch, |bytes, at| {
            if let Some(mac) = sweep.note(bytes, at).filter(|mac| *mac != newest) {
                newest = mac;
                chase_until = at + CHASE_LONGEST;
            }
        });
        let present = now();
        let (chased, next) = next_pending(sweep, newest, cursor);
        cursor = next;
        chased.iter().for_each(|index| sweep.ask(*index));
        if present >= scouts_due {
            (0..count).step_by(step).for_each(|index| sweep.ask(index));
            scouts_due = present + SCOUT_EVERY;
        }
        let chasing = !chased.is_empty() && present < chase_until;
        sleep_until(if chasing { present + CHASE_EVERY } else { scouts_due });
    }
}

/// The next VIPs that `newest` does not answer yet, from `cursor` on, and where
/// to go on after them.
fn next_pending(sweep: &Sweep, newest: u64, cursor: usize) -> (Vec<usize>, usize) {
    let count = sweep.targets.len();
    let mut pending = Vec::with_capacity(CHASE_BURST);
    for offset in 0..count {
        let index = (cursor + offset) % count;
        if sweep.owners[index].mac.load(Ordering::Relaxed) != newest {
            pending.push(index);
            if pending.len() == CHASE_BURST {
                return (pending, (index + 1) % count);
            }
        }
    }
    (pending, cursor)
}
