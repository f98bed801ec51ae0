//! The few system calls that several parts of the guard share, with `io::Result`
//! for -1. Callers: rtnetlink, frames, ask, ping, links, announce, notify, beats.
//! Decides nothing and keeps no state but a file descriptor.

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

fn timespec(span: Duration) -> libc::timespec {
    libc::timespec { tv_sec: span.as_secs().cast_signed(), tv_nsec: i64::from(span.subsec_nanos()) }
}

/// A list of descriptors to read from that the kernel keeps: waiting costs the same
/// however long it is.
#[derive(Debug)]
pub(crate) struct Epoll {
    fd: OwnedFd,
    /// The kernel can wait for a fraction of a millisecond (Linux 5.11).
    precise: bool,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Epoll> {
        // SAFETY: no pointer is passed; the descriptor returned is owned by nobody else.
        unsafe {
            let fd = check(libc::epoll_create1(libc::EPOLL_CLOEXEC))?;
            Ok(Epoll { fd: OwnedFd::from_raw_fd(fd), precise: true })
        }
    }

    /// Wakes when `fd` can be read, and says `tag` then.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, tag: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: tag };
        // SAFETY: the kernel reads `event` during the call.
        check(unsafe {
            libc::epoll_ctl(
                self.fd.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                fd.as_raw_fd(),
                &raw mut event,
            )
        })
        .map(drop)
    }

    /// Waits until something can be read or `timeout` is over; how many of `events`
    /// were filled in. An interrupted wait returns early with nothing.
    pub(crate) fn wait(
        &mut self,
        events: &mut [libc::epoll_event],
        timeout: Duration,
    ) -> io::Result<usize> {
        if self.precise {
            match self.wait_precisely(events, timeout) {
                Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => self.precise = false,
                result => return Ok(nothing_yet(result)?.unwrap_or(0)),
            }
        }
        // The list is itself a descriptor that `ppoll` can wait on.
        wait(&mut [readable(self.fd.as_fd())], Some(timeout))?;
        let most = c_int::try_from(events.len()).unwrap_or(c_int::MAX);
        // SAFETY: the slice outlives the call and has room for `most` events.
        let found = unsafe { libc::epoll_wait(self.fd.as_raw_fd(), events.as_mut_ptr(), most, 0) };
        Ok(nothing_yet(check_size(found as isize))?.unwrap_or(0))
    }

    fn wait_precisely(
        &self,
        events: &mut [libc::epoll_event],
        timeout: Duration,
    ) -> io::Result<usize> {
        let span = timespec(timeout);
        // The C library has a function for it only since 2.35.
        // SAFETY: the slice and the time outlive the call; no signal mask is given.
        let found = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.fd.as_raw_fd(),
                events.as_mut_ptr(),
                events.len(),
                &raw const span,
                std::ptr::null::<libc::sigset_t>(),
                0usize,
            )
        };
        check_size(found as isize)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_tells_what_can_be_read_with_and_without_the_newer_call() {
        for precise in [true, false] {
            let mut list = Epoll::new().expect("a list");
            list.precise = precise;
            let (first, second) = (Wake::new().expect("one"), Wake::new().expect("another"));
            list.add(first.as_fd(), 7).expect("added");
            list.add(second.as_fd(), 9).expect("added");
            let mut events = [libc::epoll_event { events: 0, u64: 0 }; 4];
            let soon = Duration::from_micros(300);
            assert_eq!(list.wait(&mut events, soon).expect("waited"), 0);
            second.wake();
            assert_eq!(list.wait(&mut events, soon).expect("waited"), 1);
            assert_eq!({ events[0].u64 }, 9);
            second.clear();
            assert_eq!(list.wait(&mut events, soon).expect("waited"), 0);
        }
    }
}
