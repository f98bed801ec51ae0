//! SIGTERM and SIGINT, taken by a thread of their own.

use std::io;

use twinwall_core::beat::Leaving;

use crate::start::leaving;

fn ending() -> libc::sigset_t {
    // SAFETY: `set` is filled by sigemptyset before it is read.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        libc::sigaddset(&raw mut set, libc::SIGINT);
        set
    }
}

/// Blocks the signals in the calling thread and all that it starts.
///
/// # Errors
/// The system's.
pub(crate) fn block() -> io::Result<()> {
    let set = ending();
    // SAFETY: `set` is a valid set; the old one is not asked for.
    let result =
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

/// Waits for one of the signals; says why the guard is to leave.
pub(crate) fn wait() -> Leaving {
    let set = ending();
    let mut signal = 0;
    // SAFETY: both point to valid places.
    while unsafe { libc::sigwait(&raw const set, &raw mut signal) } != 0 {}
    leaving()
}
