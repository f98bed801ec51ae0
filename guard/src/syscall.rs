//! The few system calls that several parts of the guard share, with `io::Result`
//! for -1. Callers: rtnetlink, frames, ask, ping, links, announce, notify.
//! Decides nothing and keeps no state but an event's file descriptor.

use std::ffi::c_int;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Turns -1 into the calling thread's last error.
pub(crate) fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The same for calls that return a size.
pub(crate) fn check_size(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// A nonblocking result: nothing there is `None`, an interrupted call too.
pub(crate) fn nothing_yet<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A socket that is closed on exec.
pub(crate) fn open_socket(domain: c_int, kind: c_int, protocol: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointer is passed; the descriptor returned is owned by nobody else.
    unsafe {
        let fd = check(libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Sets a socket option whose value is the plain C structure `T`.
pub(crate) fn set_option<T>(fd: RawFd, level: c_int, name: c_int, value: &T) -> io::Result<()> {
    let length = socket_length::<T>();
    // SAFETY: the pointer and the length describe `value`, which outlives the call.
    check(unsafe { libc::setsockopt(fd, level, name, std::ptr::from_ref(value).cast(), length) })
        .map(drop)
}

/// Binds a socket to the address structure `T` of its family.
pub(crate) fn bind<T>(fd: RawFd, address: &T) -> io::Result<()> {
    // SAFETY: the pointer and the length describe `address`, which outlives the call.
    check(unsafe { libc::bind(fd, std::ptr::from_ref(address).cast(), socket_length::<T>()) })
        .map(drop)
}

/// `size_of::<T>()` as the kernel's socket calls want it.
pub(crate) const fn socket_length<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}

/// A receive timeout (`SO_RCVTIMEO`) or send timeout (`SO_SNDTIMEO`).
pub(crate) fn set_timeout(fd: RawFd, name: c_int, timeout: Duration) -> io::Result<()> {
    let value = libc::timeval {
        tv_sec: timeout.as_secs().cast_signed(),
        tv_usec: i64::from(timeout.subsec_micros()),
    };
    set_option(fd, libc::SOL_SOCKET, name, &value)
}

/// Waits until one of `fds` is ready or `timeout` is over (`None`: for ever).
/// An interrupted wait returns early with nothing ready.
pub(crate) fn wait(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<()> {
    let span = timeout.map(|span| libc::timespec {
        tv_sec: span.as_secs().cast_signed(),
        tv_nsec: i64::from(span.subsec_nanos()),
    });
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

/// An entry for [`wait`]: wake when `fd` can be read.
pub(crate) fn readable(fd: BorrowedFd<'_>) -> libc::pollfd {
    libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 }
}

/// Wakes a thread that waits in `poll`; never blocks the one who wakes.
#[derive(Debug)]
pub(crate) struct Wake(OwnedFd);

impl Wake {
    pub(crate) fn new() -> io::Result<Wake> {
        // SAFETY: no pointer is passed; the descriptor returned is owned by nobody else.
        unsafe {
            let fd = check(libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC))?;
            Ok(Wake(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Makes the descriptor readable. A full counter is already readable.
    pub(crate) fn wake(&self) {
        let one: u64 = 1;
        // SAFETY: eight bytes are read from `one`.
        unsafe {
            libc::write(self.0.as_raw_fd(), std::ptr::from_ref(&one).cast(), size_of::<u64>())
        };
    }

    /// Forgets all wakes so far.
    pub(crate) fn clear(&self) {
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
