//! One netlink socket with a buffer of its own. Requests and events need a socket each:
//! answers and notices in one queue push each other out.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use crate::syscall::{
    bind, check_size, number_option, open_socket, set_option, set_timeout, socket_length,
};

/// Longest wait for an answer of the kernel: another program's transaction may hold
/// nf_tables for most of a second.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes that the kernel keeps for each direction of a socket for requests: one whole
/// transaction of nf_tables, of which 4,096 addresses of each family need 0.2 MB.
pub const REQUEST_ROOM: c_int = 2 << 20;
/// The kernel fills at most 32 kB of a dump into one datagram.
const DATAGRAM: usize = 64 << 10;

/// A netlink socket in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    port: u32,
    buffer: Box<[u8]>,
}

impl Socket {
    /// A socket of this netlink family (`NETLINK_*`) with `room` bytes in the kernel for
    /// each direction, beyond the system's limit.
    ///
    /// # Errors
    /// What the kernel says; without CAP_NET_ADMIN that the room is not to be had.
    pub fn open(family: c_int, room: c_int) -> io::Result<Socket> {
        let fd = open_socket(libc::AF_NETLINK, libc::SOCK_RAW, family)?;
        let raw = fd.as_raw_fd();
        // SAFETY: all zeros is a valid sockaddr_nl.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
        bind(raw, &address)?;
        set_option(raw, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &room)?;
        set_option(raw, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &room)?;
        // Without it an error repeats the whole message that it is about, which is only longer.
        let _ = set_option(raw, libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, &1);
        set_timeout(raw, libc::SO_RCVTIMEO, ANSWER_TIMEOUT)?;
        Socket::adopt(fd, family)
    }

    /// One that somebody else opened, of this netlink family.
    ///
    /// # Errors
    /// When it is a descriptor of another kind.
    pub fn adopt(fd: OwnedFd, family: c_int) -> io::Result<Socket> {
        let port = port(&fd, family)?;
        Ok(Socket { fd, port, buffer: vec![0; DATAGRAM].into_boxed_slice() })
    }

    /// The port under which the kernel knows it.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// The kernel's number of the network namespace, which it gives to no other one before
    /// the machine starts again (Linux 5.14).
    ///
    /// # Errors
    /// What the kernel says; older ones do not know the question.
    pub fn namespace(&self) -> io::Result<u64> {
        number_option(self.fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_NETNS_COOKIE)
    }

    /// Hears what is told to a multicast group from now on.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn join(&self, group: c_int) -> io::Result<()> {
        self.set(libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, &group)
    }

    /// Sets a socket option.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set<T: Copy>(&self, level: c_int, name: c_int, value: &T) -> io::Result<()> {
        set_option(self.fd.as_raw_fd(), level, name, value)
    }

    /// Sends all of `bytes`. The kernel works requests off before this returns.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        // SAFETY: `bytes` is valid for its length.
        check_size(unsafe {
            libc::send(self.fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0)
        })
        .map(drop)
    }

    /// The next datagram, waiting [`ANSWER_TIMEOUT`] at the most.
    ///
    /// # Errors
    /// `WouldBlock` when nothing came, ENOBUFS when some were lost, EMSGSIZE when one was
    /// longer than any the kernel makes.
    pub fn receive(&mut self) -> io::Result<&[u8]> {
        self.receive_with(0)
    }

    /// The next datagram without waiting.
    ///
    /// # Errors
    /// As [`Socket::receive`].
    pub fn receive_now(&mut self) -> io::Result<&[u8]> {
        self.receive_with(libc::MSG_DONTWAIT)
    }

    fn receive_with(&mut self, flags: c_int) -> io::Result<&[u8]> {
        let buffer = &mut self.buffer;
        // SAFETY: `buffer` is valid and writable for its length.
        let length = check_size(unsafe {
            libc::recv(
                self.fd.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                flags | libc::MSG_TRUNC,
            )
        })?;
        // With MSG_TRUNC the kernel says the true length.
        buffer.get(..length).ok_or_else(|| io::Error::from_raw_os_error(libc::EMSGSIZE))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The port of a netlink socket of this family; an error for any other descriptor.
fn port(fd: &OwnedFd, family: c_int) -> io::Result<u32> {
    let mut protocol: c_int = 0;
    let mut size = socket_length::<c_int>();
    // SAFETY: all zeros is a valid sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    let mut length = socket_length::<libc::sockaddr_nl>();
    // SAFETY: each pointer is to something that lives across the calls, with its size beside it.
    let failed = unsafe {
        let raw = fd.as_raw_fd();
        let protocol = (&raw mut protocol).cast();
        libc::getsockopt(raw, libc::SOL_SOCKET, libc::SO_PROTOCOL, protocol, &raw mut size)
            | libc::getsockname(raw, (&raw mut address).cast(), &raw mut length)
    };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    if address.nl_family != libc::AF_NETLINK as libc::sa_family_t || protocol != family {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a netlink socket of its kind",
        ));
    }
    Ok(address.nl_pid)
}
