//! Waiting for descriptors, and waking a thread that waits.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use crate::syscall::check;

/// Waits until one of `fds` is ready or `timeout` is over (`None`: for ever).
/// An interrupted wait returns early with nothing ready.
///
/// # Errors
/// What the kernel says.
pub fn wait(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<()> {
    let span = timeout.map(timespec);
    let span = span.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the slice and the optional time outlive the call; no signal mask is given.
    let result = check(unsafe {
        libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, span, std::ptr::null())
    });
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            fds.iter_mut().for_each(|fd| fd.revents = 0);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// As the kernel's calls want it.
pub const fn timespec(span: Duration) -> libc::timespec {
    libc::timespec { tv_sec: span.as_secs().cast_signed(), tv_nsec: span.subsec_nanos() as i64 }
}

/// An entry for [`wait`]: wake when `fd` can be read.
pub fn readable(fd: BorrowedFd<'_>) -> libc::pollfd {
    libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }
}

/// Wakes a thread that waits in `poll`; never blocks the one who wakes.
#[derive(Debug)]
pub struct Wake(OwnedFd);

impl Wake {
    /// One that nobody has woken.
    ///
    /// # Errors
    /// When the kernel gives no eventfd.
    pub fn new() -> io::Result<Wake> {
        // SAFETY: no pointer is passed; the descriptor returned is owned by nobody else.
        unsafe {
            let fd = check(libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC))?;
            Ok(Wake(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Makes the descriptor readable. A full counter is already readable.
    pub fn wake(&self) {
        let one: u64 = 1;
        // SAFETY: eight bytes are read from `one`.
        unsafe {
            libc::write(self.0.as_raw_fd(), std::ptr::from_ref(&one).cast(), size_of::<u64>())
        };
    }

    /// Forgets all wakes so far.
    pub fn clear(&self) {
        let mut count: u64 = 0;
        // SAFETY: eight bytes are written to `count`.
        unsafe {
            libc::read(self.0.as_raw_fd(), std::ptr::from_mut(&mut count).cast(), size_of::<u64>())
        };
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
