//! Watches whether the pair's interfaces exist and have carrier.
//!
//! [`LinkWatch::run`] is the body of a thread of its own. It tells changes only,
//! decides nothing, and changes no interface.
//!
//! The kernel tells a loss of carrier at once when it was quiet for a second, and
//! up to a second late when not (its limiter is one for all interfaces). So after
//! any notice the carriers are read every 5 ms until the limiter is free again; in
//! between a slow look suffices. What a notice *says* is not used: by the time it
//! is read it may be old.

mod carrier;

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::rtnetlink::*;
use crate::syscall::{Wake, readable, wait};
use carrier::CarrierReader;

/// Carriers are read this often while notices may be late.
pub const FAST: Duration = Duration::from_millis(5);
/// How long notices may be late after one: the limiter's second and a margin.
pub const FAST_FOR: Duration = Duration::from_millis(1200);
/// Carriers are read this often otherwise: notices may be late without one of ours
/// before, for the kernel counts those of other network namespaces as well. The
/// core asks for a look at once when beats are missing on one path.
pub const SLOW: Duration = Duration::from_secs(1);
/// Devices below one interface: a macvlan on a VLAN in a VLAN, and one to spare.
const MAX_LOWER: usize = 4;

/// One interface as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// Its name.
    pub name: InterfaceName,
    /// Set up by the administrator and with carrier, down to the lowest device that
    /// its carrier depends on.
    pub up: bool,
    /// Its index; `None` while there is no such interface.
    pub index: Option<u32>,
    /// Its Ethernet address, if it is of that kind.
    pub mac: Option<Mac>,
}

/// What the thread tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkReport {
    /// The state of one interface: once at the start, then after each change.
    Changed(LinkState),
    /// The carrier just told as changed was read here before the kernel told it.
    ReadFirst(InterfaceName),
    /// All carriers were read after [`CheckLinks::check`]; what had changed was told before.
    Checked,
}

#[derive(Debug)]
struct Shared {
    wake: Wake,
    asked: AtomicU64,
}

const STOP: u64 = u64::MAX;

/// The beat thread's end: every method returns at once.
#[derive(Clone, Debug)]
pub struct CheckLinks {
    shared: Arc<Shared>,
    names: mpsc::Sender<Vec<InterfaceName>>,
}

impl CheckLinks {
    /// Asks for a reading of all carriers now.
    pub fn check(&self) {
        // After a stop the number must not change any more.
        let next = |asked| if asked == STOP { None } else { Some(asked + 1) };
        let _ = self.shared.asked.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        self.shared.wake.wake();
    }

    /// Watches these from now on, and tells the state of each anew. Those that were
    /// watched before are not left out of sight for a moment.
    pub fn watch(&self, names: Vec<InterfaceName>) {
        // A thread that has ended needs no list.
        let _ = self.names.send(names);
        self.shared.wake.wake();
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.shared.asked.store(STOP, Ordering::Release);
        self.shared.wake.wake();
    }
}

#[derive(Debug)]
struct Watched {
    state: LinkState,
    /// Names of the devices below, nearest first.
    lower: Vec<InterfaceName>,
    /// A notice was about it since it was last read in full.
    stale: bool,
    told: Option<LinkState>,
    /// The last change of carrier was read, no notice led to it.
    read_first: bool,
}

impl Watched {
    /// Of which nothing is known yet.
    fn new(name: InterfaceName) -> Watched {
        let state = LinkState { name, up: false, index: None, mac: None };
        Watched {
            state,
            lower: Vec::with_capacity(MAX_LOWER),
            stale: true,
            told: None,
            read_first: false,
        }
    }
}

/// The thread's own end; made in the thread whose network namespace counts.
#[derive(Debug)]
pub struct LinkWatch {
    shared: Arc<Shared>,
    new_names: mpsc::Receiver<Vec<InterfaceName>>,
    answered: u64,
    events: EventSocket,
    socket: RouteSocket,
    batch: Batch,
    carrier: CarrierReader,
    watched: Vec<Watched>,
    fast_until: Instant,
}

impl LinkWatch {
    /// Both ends.
    ///
    /// # Errors
    /// When the kernel gives no sockets.
    pub fn open(names: &[InterfaceName]) -> io::Result<(CheckLinks, LinkWatch)> {
        let shared = Arc::new(Shared { wake: Wake::new()?, asked: AtomicU64::new(0) });
        let (sender, new_names) = mpsc::channel();
        let watch = LinkWatch {
            shared: Arc::clone(&shared),
            new_names,
            answered: 0,
            events: EventSocket::open(libc::RTMGRP_LINK)?,
            socket: RouteSocket::open()?,
            batch: Batch::with_capacity(256),
            carrier: CarrierReader::open()?,
            watched: names.iter().copied().map(Watched::new).collect(),
            fast_until: Instant::now() + FAST_FOR,
        };
        Ok((CheckLinks { shared, names: sender }, watch))
    }

    /// Works until [`CheckLinks::stop`].
    ///
    /// # Errors
    /// When the kernel can no longer be asked; start the thread anew.
    pub fn run(mut self, report: &mut dyn FnMut(LinkReport)) -> io::Result<()> {
        for at in 0..self.watched.len() {
            self.read_fully(at)?;
        }
        loop {
            let asked = self.shared.asked.load(Ordering::Acquire);
            if asked == STOP {
                return Ok(());
            }
            self.take_names()?;
            self.read_carriers()?;
            self.tell(report);
            if asked != self.answered {
                self.answered = asked;
                report(LinkReport::Checked);
            }
            let pause = if Instant::now() < self.fast_until { FAST } else { SLOW };
            let mut fds = [readable(self.events.as_fd()), readable(self.shared.wake.as_fd())];
            wait(&mut fds, Some(pause))?;
            if fds[0].revents != 0 {
                self.notice()?;
            }
            if fds[1].revents != 0 {
                self.shared.wake.clear();
            }
        }
    }

    /// Takes up a new list.
    fn take_names(&mut self) -> io::Result<()> {
        let Some(names) = self.new_names.try_iter().last() else { return Ok(()) };
        let mut before = std::mem::take(&mut self.watched);
        for name in names {
            let kept = before.iter().position(|watched| watched.state.name == name);
            let watched =
                kept.map(|at| before.swap_remove(at)).map(|kept| Watched { told: None, ..kept });
            self.watched.push(watched.unwrap_or_else(|| Watched::new(name)));
        }
        for at in 0..self.watched.len() {
            if self.watched[at].stale {
                self.read_fully(at)?;
            }
        }
        Ok(())
    }

    /// Takes the notices that wait, and reads again in full what they are about.
    fn notice(&mut self) -> io::Result<()> {
        let watched = &mut self.watched;
        let drained = self.events.drain(&mut |message| {
            if !matches!(message.kind, RTM_NEWLINK | RTM_DELLINK) {
                return;
            }
            let Some(link) = parse_link(message.body) else { return };
            for one in watched.iter_mut() {
                let same = one.state.index == Some(link.index) || one.state.name == link.name;
                one.stale |= same || one.lower.contains(&link.name);
            }
        })?;
        if drained.events > 0 || drained.overrun {
            self.fast_until = Instant::now() + FAST_FOR;
        }
        for at in 0..self.watched.len() {
            if drained.overrun || self.watched[at].stale {
                self.read_fully(at)?;
            }
        }
        Ok(())
    }

    /// Reads index, Ethernet address and the devices below by netlink.
    fn read_fully(&mut self, at: usize) -> io::Result<()> {
        let watched = &mut self.watched[at];
        watched.lower.clear();
        watched.stale = false;
        let Some(link) = self.socket.link(&mut self.batch, Some(&watched.state.name), 0)? else {
            watched.state = LinkState { up: false, index: None, mac: None, ..watched.state };
            return Ok(());
        };
        let (mut up, mut below) = (link.up, link.lower);
        while let Some(index) = below.filter(|_| watched.lower.len() < MAX_LOWER) {
            let Some(lower) = self.socket.link(&mut self.batch, None, index)? else { break };
            up &= lower.up;
            below = lower.lower;
            watched.lower.push(lower.name);
        }
        watched.state = LinkState { up, index: Some(link.index), mac: link.mac, ..watched.state };
        Ok(())
    }

    /// Reads all carriers the cheap way; what came, went or cannot be read so is read in full.
    fn read_carriers(&mut self) -> io::Result<()> {
        for at in 0..self.watched.len() {
            let watched = &mut self.watched[at];
            let all = std::iter::once(&watched.state.name).chain(&watched.lower);
            let up = all
                .map(|name| self.carrier.read(name))
                .try_fold(true, |all, one| Some(one? && all));
            match up {
                Some(up) if watched.state.index.is_some() => {
                    watched.read_first |= up != watched.state.up;
                    watched.state.up = up;
                }
                Some(_) | None => self.read_fully(at)?,
            }
        }
        Ok(())
    }

    fn tell(&mut self, report: &mut dyn FnMut(LinkReport)) {
        for watched in &mut self.watched {
            let read_first = std::mem::take(&mut watched.read_first);
            if watched.told != Some(watched.state) {
                let known = watched.told.replace(watched.state).is_some();
                // A change that we saw first may have used up the kernel's prompt notice.
                self.fast_until = self.fast_until.max(Instant::now() + FAST_FOR);
                report(LinkReport::Changed(watched.state));
                if known && read_first {
                    report(LinkReport::ReadFirst(watched.state.name));
                }
            }
        }
    }
}
