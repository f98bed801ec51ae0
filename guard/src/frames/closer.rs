//! Closes packet sockets on a thread of its own.
//!
//! Closing one waits until no processor can still be delivering to it, and for the
//! kernel's link lock: 8 to 15 ms here. The beat thread drops sockets just when an
//! interface changed, which is when it must not be late.

use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

/// Sockets that wait to be closed: three for each of sixteen paths, and some to spare.
const WAITING: usize = 64;
/// Bytes of the thread's stack: it calls nothing but `close`.
const STACK: usize = 64 * 1024;

static CLOSER: OnceLock<Option<SyncSender<OwnedFd>>> = OnceLock::new();

/// Starts the thread if it is not there yet; called when a socket is opened, so that
/// no closing has to.
pub(super) fn prepare() {
    CLOSER.get_or_init(|| {
        let (give, take) = sync_channel::<OwnedFd>(WAITING);
        let work = move || take.into_iter().for_each(drop);
        let started =
            std::thread::Builder::new().name("closer".to_owned()).stack_size(STACK).spawn(work);
        started.ok().map(|_| give)
    });
}

/// Closes the socket soon. Without the thread, or when too many wait, at once.
pub(super) fn close(fd: OwnedFd) {
    let Some(give) = CLOSER.get().and_then(Option::as_ref) else { return };
    match give.try_send(fd) {
        Ok(()) => {}
        Err(TrySendError::Full(fd) | TrySendError::Disconnected(fd)) => drop(fd),
    }
}
