//! Tells the neighbours where the VIPs are now: gratuitous ARP and unsolicited
//! neighbour advertisements, one burst at once and then paced repeats.
//!
//! [`Announcer::run`] is the body of a thread of its own, so that a full card can
//! hold up neither a beat nor an address. It announces whatever it is told to; that
//! the addresses are held and the gate is open is the core's business.

mod burst;

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::addresses::Vip;
use crate::syscall::{Wake, readable, wait};
pub use burst::{Burst, Sent};

/// When the rounds begin, counted from the start. The first goes out as fast as the
/// card takes it: each address that is late is late for its clients. The others are
/// for stations that missed it.
pub const ROUNDS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
];
/// Addresses a second in the rounds after the first: below what switches allow before
/// they take it for a broadcast storm (some thousand frames; an address is two).
pub const REPEAT_RATE: u32 = 1000;
/// Addresses between two pauses of a repeat.
const STEP: usize = 10;

#[derive(Debug)]
struct Shared {
    wake: Wake,
    /// Number of the order; its lowest two bits say what is ordered.
    order: AtomicU64,
}

const SILENT: u64 = 0;
const RUNNING: u64 = 1;
const ENDED: u64 = 2;
const KIND: u64 = 3;

/// The beat thread's end: every method returns at once.
#[derive(Clone, Debug)]
pub struct Announce {
    shared: Arc<Shared>,
    vips: mpsc::Sender<Arc<[Vip]>>,
}

impl Announce {
    /// Starts the train of rounds anew.
    pub fn start(&self) {
        self.order(RUNNING);
    }

    /// Stops at once: at most one system call's worth of frames still goes out.
    pub fn stop(&self) {
        self.order(SILENT);
    }

    /// Replaces the list of VIPs after a reload; counts from the next start.
    pub fn replace_vips(&self, vips: Arc<[Vip]>) {
        // An announcer that has ended needs no list.
        let _ = self.vips.send(vips);
    }

    /// Ends the thread.
    pub fn end(&self) {
        self.order(ENDED);
    }

    fn order(&self, kind: u64) {
        let next = |order: u64| Some(((order >> 2) + 1) << 2 | kind);
        let _ = self.shared.order.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        self.shared.wake.wake();
    }
}

/// One round of a train, sent in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// Index into [`ROUNDS`].
    pub number: usize,
    /// How it went.
    pub sent: Sent,
}

/// The thread's own end; made in the thread whose network namespace counts.
#[derive(Debug)]
pub struct Announcer {
    shared: Arc<Shared>,
    new_vips: mpsc::Receiver<Arc<[Vip]>>,
    vips: Arc<[Vip]>,
    burst: Burst,
}

/// Both ends.
///
/// # Errors
/// When the kernel gives no sockets.
pub fn announcer(vips: Arc<[Vip]>) -> io::Result<(Announce, Announcer)> {
    let shared = Arc::new(Shared { wake: Wake::new()?, order: AtomicU64::new(0) });
    let (sender, new_vips) = mpsc::channel();
    let announcer =
        Announcer { shared: Arc::clone(&shared), new_vips, vips, burst: Burst::open()? };
    Ok((Announce { shared, vips: sender }, announcer))
}

impl Announcer {
    /// Works until [`Announce::end`]; `report` is called after each round.
    ///
    /// # Errors
    /// When waiting itself fails; refused frames are counted, not returned.
    pub fn run(mut self, report: &mut dyn FnMut(Round)) -> io::Result<()> {
        let mut seen = SILENT;
        loop {
            let order = self.shared.order.load(Ordering::Acquire);
            if order == seen {
                self.pause(None)?;
                continue;
            }
            seen = order;
            match order & KIND {
                RUNNING => self.train(order, report)?,
                ENDED => return Ok(()),
                _ => {}
            }
        }
    }

    /// Sends the rounds until a newer order comes.
    fn train(&mut self, order: u64, report: &mut dyn FnMut(Round)) -> io::Result<()> {
        let start = Instant::now();
        if let Some(vips) = self.new_vips.try_iter().last() {
            self.vips = vips;
        }
        self.burst.forget();
        let shared = Arc::clone(&self.shared);
        let stopped = || shared.order.load(Ordering::Acquire) != order;
        for (number, after) in ROUNDS.into_iter().enumerate() {
            while !stopped() && start.elapsed() < after {
                self.pause(Some(after.saturating_sub(start.elapsed())))?;
            }
            if stopped() {
                return Ok(());
            }
            let vips = Arc::clone(&self.vips);
            let sent = match number {
                0 => self.burst.send(&vips, &stopped),
                _ => self.paced(&vips, &stopped)?,
            };
            if !stopped() {
                report(Round { number, sent });
            }
        }
        Ok(())
    }

    fn paced(&mut self, vips: &[Vip], stopped: &dyn Fn() -> bool) -> io::Result<Sent> {
        let start = Instant::now();
        let mut sent = Sent::default();
        for (number, step) in vips.chunks(STEP).enumerate() {
            let due = Duration::from_secs(1) * (number * STEP) as u32 / REPEAT_RATE;
            while !stopped() && start.elapsed() < due {
                self.pause(Some(due.saturating_sub(start.elapsed())))?;
            }
            if stopped() {
                break;
            }
            sent += self.burst.send(step, stopped);
        }
        Ok(sent)
    }

    /// Waits for an order, at most this long.
    fn pause(&self, span: Option<Duration>) -> io::Result<()> {
        let mut fds = [readable(self.shared.wake.as_fd())];
        wait(&mut fds, span)?;
        self.shared.wake.clear();
        Ok(())
    }
}
