//! The thread that owns the addresses: takes the newest wanted state, reports
//! what became of it, and restores what somebody else changed.
//!
//! Levels, not edges: an event from the kernel only says 'look again'; what is
//! wrong is found by comparing in full. So a lost event costs time, nothing else.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use twinwall_core::event::OwnTrouble;
use twinwall_core::ids::Generation;

use super::wanted::{Letter, Shared, Wanted};
use super::{Addresses, Audit, Expected, Outcome, Vip};
use crate::rtnetlink::{Drained, EventSocket};
use crate::syscall::{Wake, readable, wait};

/// Changes of addresses come in groups; look once for all of them.
const SETTLE: Duration = Duration::from_millis(10);
/// Against somebody who removes what we restore: no more than five fights a second.
const RESTORE_GAP: Duration = Duration::from_millis(200);
/// A full look without any event, in case one was lost.
const SLOW_LOOK: Duration = Duration::from_secs(30);
/// A failed look is repeated after this long.
const RETRY: Duration = Duration::from_secs(1);
/// No state was wanted yet.
const NOTHING_WANTED: u64 = u64::MAX;

/// What the thread tells.
#[derive(Debug)]
pub enum Report<'a> {
    /// These addresses are in the kernel now; more may follow.
    Chunk(&'a [Vip]),
    /// A wanted state was applied as well as it could be.
    Applied {
        /// Which.
        generation: Generation,
        /// How it went.
        outcome: &'a Outcome,
    },
    /// Somebody else had changed our addresses; that was undone.
    Restored {
        /// What was found.
        found: &'a Audit,
        /// What was done.
        outcome: &'a Outcome,
    },
    /// The addresses of this node other than VIPs, complete, at the start and after each change.
    Own(&'a [IpAddr]),
    /// What keeps this node's own addresses from being used, complete, at the start and
    /// after each change.
    Usable(&'a [OwnTrouble]),
    /// The kernel could not be spoken to; it is tried again.
    Trouble(&'a io::Error),
}

/// What the settings say about addresses.
#[derive(Clone, Debug)]
pub struct Lists {
    /// The VIPs.
    pub vips: Arc<[Vip]>,
    /// What this node must have itself.
    pub own: Arc<[Expected]>,
    /// VIPs end by themselves after this time unless renewed.
    pub backstop: Option<Duration>,
}

/// The thread's own end; made in the thread whose network namespace counts.
#[derive(Debug)]
pub struct Worker {
    shared: Arc<Shared>,
    letters: mpsc::Receiver<Letter>,
    /// Until then VIPs that are there are not taken off.
    keep_until: Option<Instant>,
    /// The addresses are the node's: nothing is changed any more.
    given_back: bool,
    lists: Lists,
    addresses: Addresses,
    monitor: EventSocket,
    /// The word of the state worked on last.
    taken: u64,
    look_at: Instant,
    /// No restoring before this moment.
    calm_until: Instant,
    renew_at: Option<Instant>,
    life_seen: u64,
    own: Vec<IpAddr>,
    own_told: Option<Vec<IpAddr>>,
    troubles_told: Option<Vec<OwnTrouble>>,
}

/// Both ends.
///
/// # Errors
/// When the kernel gives no sockets.
pub fn worker(lists: Lists) -> io::Result<(Wanted, Worker)> {
    let shared = Arc::new(Shared {
        wake: Wake::new()?,
        desired: AtomicU64::new(NOTHING_WANTED),
        look: AtomicBool::new(false),
        keep_ended: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        life: AtomicU64::new(0),
    });
    let (sender, letters) = mpsc::channel();
    let now = Instant::now();
    let worker = Worker {
        shared: Arc::clone(&shared),
        letters,
        keep_until: None,
        given_back: false,
        addresses: Addresses::open(lists.vips.len(), lists.backstop)?,
        lists,
        monitor: EventSocket::open(libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR)?,
        taken: NOTHING_WANTED,
        look_at: now,
        calm_until: now,
        renew_at: None,
        life_seen: 0,
        own: Vec::new(),
        own_told: None,
        troubles_told: None,
    };
    Ok((Wanted { shared, letters: sender }, worker))
}

impl Worker {
    /// Takes no VIP off before this moment, unless told otherwise: the node served them
    /// before there was a guard.
    pub fn keep_until(&mut self, until: Option<Instant>) {
        self.keep_until = until;
    }

    /// Works until [`Wanted::stop`].
    ///
    /// # Errors
    /// When waiting itself fails; the kernel's refusals are reported, not returned.
    pub fn run(mut self, report: &mut dyn FnMut(Report<'_>)) -> io::Result<()> {
        while !self.shared.stop.load(Ordering::Acquire) {
            self.take_orders(report);
            self.notice_events(report);
            let now = Instant::now();
            if now >= self.look_at {
                self.look(now, report);
            }
            if self.renew_at.is_some_and(|at| now >= at) {
                self.renew(now, report);
            }
            self.wait_for_work()?;
        }
        Ok(())
    }

    fn wait_for_work(&self) -> io::Result<()> {
        let next = self.renew_at.map_or(self.look_at, |renew| renew.min(self.look_at));
        let mut fds = [readable(self.shared.wake.as_fd()), readable(self.monitor.as_fd())];
        wait(&mut fds, Some(next.saturating_duration_since(Instant::now())))?;
        self.shared.wake.clear();
        Ok(())
    }

    fn take_orders(&mut self, report: &mut dyn FnMut(Report<'_>)) {
        for letter in self.letters.try_iter().collect::<Vec<_>>() {
            self.open(letter, report);
        }
        if self.shared.look.swap(false, Ordering::AcqRel) {
            self.look_at = Instant::now();
            self.calm_until = self.look_at;
        }
        let word = self.shared.desired.load(Ordering::Acquire);
        if word == self.taken || self.keeps(word) {
            return;
        }
        self.taken = word;
        let outcome = self.apply(report);
        let next = self.next_renewal(Instant::now()).filter(|_| self.present());
        // Those that stayed where they were go on with the life that they have.
        self.renew_at = next.map(|next| self.renew_at.map_or(next, |due| due.min(next)));
        report(Report::Applied { generation: Generation(word >> 1), outcome: &outcome });
        self.tell_own(report);
    }

    /// Whether the order to take the VIPs off has to wait.
    fn keeps(&mut self, word: u64) -> bool {
        let ended = self.shared.keep_ended.load(Ordering::Acquire) || word & 1 == 1;
        self.keep_until = self.keep_until.filter(|until| !ended && Instant::now() < *until);
        if let Some(until) = self.keep_until {
            self.look_at = self.look_at.min(until);
        }
        self.keep_until.is_some()
    }

    fn open(&mut self, letter: Letter, report: &mut dyn FnMut(Report<'_>)) {
        // Who asked may have given up.
        match letter {
            Letter::Lists(lists, done) => {
                self.take_lists(lists, report);
                let _ = done.map(|done| done.try_send(()));
            }
            Letter::GiveBack(done) => {
                if self.taken != NOTHING_WANTED && self.present() {
                    let given = self.addresses.give_back(&self.lists.vips);
                    self.given_back = given.is_ok();
                    given.err().iter().for_each(|error| report(Report::Trouble(error)));
                }
                let _ = done.try_send(());
            }
        }
    }

    /// Our own change: it is made, not restored.
    fn take_lists(&mut self, lists: Lists, report: &mut dyn FnMut(Report<'_>)) {
        self.addresses.set_backstop(lists.backstop);
        self.lists = lists;
        self.look_at = Instant::now();
        self.renew_at = self.renew_at.map(|_| self.look_at);
        // The numbers of interfaces may be others now.
        self.troubles_told = None;
        if self.taken != NOTHING_WANTED {
            self.apply(report);
            self.tell_own(report);
        }
    }

    fn present(&self) -> bool {
        self.taken & 1 == 1
    }

    /// Applies, on a new socket once more when the first fails.
    fn apply(&mut self, report: &mut dyn FnMut(Report<'_>)) -> Outcome {
        if self.given_back {
            return Outcome::default();
        }
        let present = self.present();
        for _ in 0..2 {
            match self
                .addresses
                .apply(&self.lists.vips, present, &mut |chunk| report(Report::Chunk(chunk)))
            {
                Ok(outcome) => return outcome,
                Err(error) => self.reopen(&error, report),
            }
        }
        self.look_at = Instant::now() + RETRY;
        Outcome { failed: self.lists.vips.len().max(1), ..Outcome::default() }
    }

    fn reopen(&mut self, error: &io::Error, report: &mut dyn FnMut(Report<'_>)) {
        report(Report::Trouble(error));
        match Addresses::open(self.lists.vips.len(), self.lists.backstop) {
            Ok(addresses) => self.addresses = addresses,
            Err(error) => report(Report::Trouble(&error)),
        }
    }

    fn notice_events(&mut self, report: &mut dyn FnMut(Report<'_>)) {
        let drained = self.monitor.drain(&mut |_| {}).unwrap_or_else(|error| {
            report(Report::Trouble(&error));
            Drained { events: 0, overrun: true }
        });
        if drained.events > 0 || drained.overrun {
            self.look_at = self.look_at.min((Instant::now() + SETTLE).max(self.calm_until));
        }
    }

    fn look(&mut self, now: Instant, report: &mut dyn FnMut(Report<'_>)) {
        self.look_at = now + SLOW_LOOK;
        if self.taken == NOTHING_WANTED || self.given_back {
            // Nothing to restore yet; but the node's own addresses are asked for.
            if let Err(error) = self.addresses.audit(&self.lists.vips, true) {
                return self.retry(now, &error, report);
            }
            return self.tell_own(report);
        }
        let found = match self.addresses.audit(&self.lists.vips, self.present()) {
            Ok(found) => found,
            Err(error) => return self.retry(now, &error, report),
        };
        self.tell_own(report);
        if found.missing > 0 || found.extra > 0 {
            self.calm_until = now + RESTORE_GAP;
            let outcome = self.apply(report);
            if outcome.added > 0 || outcome.removed > 0 {
                report(Report::Restored { found: &found, outcome: &outcome });
            }
        }
    }

    fn retry(&mut self, now: Instant, error: &io::Error, report: &mut dyn FnMut(Report<'_>)) {
        self.reopen(error, report);
        self.look_at = now + RETRY;
    }

    fn next_renewal(&self, now: Instant) -> Option<Instant> {
        self.lists.backstop.map(|life| now + life / 3)
    }

    /// Gives the VIPs their full life again, while the beat thread lives.
    fn renew(&mut self, now: Instant, report: &mut dyn FnMut(Report<'_>)) {
        self.renew_at = self.next_renewal(now);
        let life = self.shared.life.load(Ordering::Relaxed);
        if !self.present() || self.given_back || life == self.life_seen {
            return;
        }
        self.life_seen = life;
        match self.addresses.refresh(&self.lists.vips) {
            // The kernel tells of each renewal; that is no reason to look again. What
            // somebody else did in the same moment is mended by the next one.
            Ok(outcome) => {
                if outcome.added == 0 {
                    self.pass_over_events(report);
                }
            }
            Err(error) => {
                self.reopen(&error, report);
                self.renew_at = Some(now + RETRY);
            }
        }
    }

    fn pass_over_events(&mut self, report: &mut dyn FnMut(Report<'_>)) {
        let drained = self.monitor.drain(&mut |_| {});
        if let Err(error) = drained {
            report(Report::Trouble(&error));
        }
    }

    fn tell_own(&mut self, report: &mut dyn FnMut(Report<'_>)) {
        self.addresses.own_addresses(&mut self.own);
        if self.own_told.as_deref() != Some(self.own.as_slice()) {
            report(Report::Own(&self.own));
            let told = self.own_told.get_or_insert_default();
            std::mem::swap(told, &mut self.own);
        }
        let troubles = self.addresses.own_troubles(&self.lists.own);
        if self.troubles_told.as_ref() != Some(&troubles) {
            report(Report::Usable(&troubles));
            self.troubles_told = Some(troubles);
        }
    }
}
