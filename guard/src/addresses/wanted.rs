//! The beat thread's end of the address thread: words and letters, never a wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender};

use twinwall_core::event::Desired;

use super::run::Lists;
use crate::syscall::Wake;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) wake: Wake,
    /// Generation and wanted presence in one word, so that nobody ever waits for a lock.
    pub(super) desired: AtomicU64,
    pub(super) look: AtomicBool,
    pub(super) keep_ended: AtomicBool,
    pub(super) stop: AtomicBool,
    pub(super) life: AtomicU64,
}

/// The beat thread's end: every method returns at once.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub(super) shared: Arc<Shared>,
    pub(super) letters: mpsc::Sender<Letter>,
}

/// What is too large for a word.
#[derive(Debug)]
pub(super) enum Letter {
    /// Other lists, and whom to tell when the kernel is as they say.
    Lists(Lists, Option<SyncSender<()>>),
    /// The VIPs that are there stay, as addresses of the node itself.
    GiveBack(SyncSender<()>),
}

impl Wanted {
    /// Hands over the newest wanted state; an older one not yet begun is forgotten.
    pub fn want(&self, desired: Desired) {
        let word = desired.generation.0 << 1 | u64::from(desired.addresses);
        self.shared.desired.store(word, Ordering::Release);
        self.shared.wake.wake();
    }

    /// Replaces the lists after a reload; dropped VIPs are removed. `done` is told when
    /// the kernel is as they say.
    pub fn replace(&self, lists: Lists, done: Option<SyncSender<()>>) {
        // A worker that has ended needs no list.
        let _ = self.letters.send(Letter::Lists(lists, done));
        self.shared.wake.wake();
    }

    /// VIPs that are kept from before (see [`Worker::keep_until`]) are kept no longer.
    pub fn end_keep(&self) {
        self.shared.keep_ended.store(true, Ordering::Release);
        self.shared.wake.wake();
    }

    /// Leaves the VIPs that are there to the node, for good and as its own addresses; from
    /// then on nothing is added or removed. `done` is told when it is so.
    pub fn give_back(&self, done: SyncSender<()>) {
        // A worker that has ended changes nothing either.
        let _ = self.letters.send(Letter::GiveBack(done));
        self.shared.wake.wake();
    }

    /// Asks for a look at the kernel now: an interface came back.
    pub fn look(&self) {
        self.shared.look.store(true, Ordering::Release);
        self.shared.wake.wake();
    }

    /// Says that the beat thread lives. With a backstop, addresses are renewed only
    /// while this is heard.
    pub fn alive(&self) {
        self.shared.life.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends the thread. Addresses stay as they are.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        self.shared.wake.wake();
    }
}
