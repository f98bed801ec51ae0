//! The few system calls that several parts of the guard share, with `io::Result`
//! for -1. Callers: rtnetlink, frames, ask, ping, links, announce, notify, beats.
//! Decides nothing and keeps no state but a file descriptor.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

pub(crate) use twinwall_netlink::syscall::{
    bind, check, check_size, nothing_yet, open_socket, set_option, set_timeout, socket_length,
};
pub(crate) use twinwall_netlink::wait::{Wake, readable, timespec, wait};

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
