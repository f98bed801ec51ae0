//! Notices read many at a time: one call of the kernel for each would cost more than what
//! is in them.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use crate::socket::Socket;
use crate::syscall::check_size;

/// Datagrams in one call.
const AT_ONCE: usize = 32;
/// Bytes of one: notices are some hundred long, and the kernel fills no page with one.
const ROOM: usize = 8 << 10;

/// Room for the notices of one call, used again for the next.
#[derive(Debug)]
pub struct Notices {
    room: Box<[u8]>,
}

impl Default for Notices {
    fn default() -> Notices {
        Notices { room: vec![0; AT_ONCE * ROOM].into_boxed_slice() }
    }
}

impl Notices {
    /// Hands over the datagrams that wait at the socket, some at the most; how many there
    /// were. Never waits.
    ///
    /// # Errors
    /// `WouldBlock` when there are none, ENOBUFS when the kernel dropped some, EMSGSIZE
    /// when one is longer than any notice: it is gone like a dropped one.
    pub fn receive(&mut self, socket: &Socket, each: &mut dyn FnMut(&[u8])) -> io::Result<usize> {
        let mut parts: [libc::iovec; AT_ONCE] = std::array::from_fn(|n| libc::iovec {
            iov_base: self.room[n * ROOM..].as_mut_ptr().cast(),
            iov_len: ROOM,
        });
        // SAFETY: all zeros is a valid mmsghdr.
        let mut heads: [libc::mmsghdr; AT_ONCE] = unsafe { std::mem::zeroed() };
        for (head, part) in heads.iter_mut().zip(&mut parts) {
            head.msg_hdr.msg_iov = part;
            head.msg_hdr.msg_iovlen = 1;
        }
        let (fd, flags) = (socket.as_fd().as_raw_fd(), libc::MSG_DONTWAIT);
        // SAFETY: each head points at its part and each part at its own share of `room`, all
        // of which live across the call.
        let count = check_size(unsafe {
            let heads = heads.as_mut_ptr();
            libc::recvmmsg(fd, heads, AT_ONCE as u32, flags, std::ptr::null_mut()) as isize
        })?;
        for (n, head) in heads[..count].iter().enumerate() {
            if head.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
                return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
            }
            each(&self.room[n * ROOM..][..head.msg_len as usize]);
        }
        Ok(count)
    }
}
