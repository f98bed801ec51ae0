//! The system calls of the gate, each in a safe coat. Called by `switch`,
//! `netlink` and `table`; nothing here knows what a gate is.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::rtnetlink::InterfaceName;
use crate::syscall::{
    bind, check, check_size, open_socket, set_option, set_timeout, socket_length,
};

/// Longest wait for an answer of the kernel: another program's transaction may
/// hold nf_tables for most of a second.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Buffer for one whole transaction, and for a burst of notices: 4096 addresses of each family need 0.2 MB.
const BUFFER: libc::c_int = 2 << 20;

/// A packet socket that only sends: protocol 0 receives nothing.
pub(super) fn packet_socket() -> io::Result<OwnedFd> {
    open_socket(libc::AF_PACKET, libc::SOCK_RAW, 0)
}

/// A netfilter netlink socket with its port; the given multicast group joined (0: none).
pub(super) fn netlink_socket(group: libc::c_int) -> io::Result<(OwnedFd, u32)> {
    let fd = open_socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)?;
    let raw = fd.as_raw_fd();
    // SAFETY: all zeros is a valid sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    bind(raw, &address)?;
    set_option(raw, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &BUFFER)?;
    set_option(raw, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &BUFFER)?;
    // Without it an error repeats the whole message that it is about, which is only longer.
    let _ = set_option(raw, libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, &1);
    set_timeout(raw, libc::SO_RCVTIMEO, ANSWER_TIMEOUT)?;
    if group != 0 {
        set_option(raw, libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, &group)?;
    }
    let port = netfilter_port(&fd)?;
    Ok((fd, port))
}

/// The port of a netfilter netlink socket; an error for any other descriptor.
pub(super) fn netfilter_port(fd: &OwnedFd) -> io::Result<u32> {
    let mut protocol: libc::c_int = 0;
    let mut size = socket_length::<libc::c_int>();
    // SAFETY: all zeros is a valid sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { mem::zeroed() };
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
    if address.nl_family != libc::AF_NETLINK as libc::sa_family_t
        || protocol != libc::NETLINK_NETFILTER
    {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a netfilter netlink socket"));
    }
    Ok(address.nl_pid)
}

/// Sends all of `bytes` to the kernel.
pub(super) fn send(fd: RawFd, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: `bytes` is valid for its length.
    check_size(unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), 0) }).map(drop)
}

/// Receives one datagram; its true length, which may exceed the buffer's. `flags` as for recv(2).
pub(super) fn receive(fd: RawFd, buffer: &mut [u8], flags: libc::c_int) -> io::Result<usize> {
    // SAFETY: `buffer` is valid and writable for its length.
    let got = unsafe {
        libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), flags | libc::MSG_TRUNC)
    };
    check_size(got)
}

/// Index of an interface in the calling thread's network namespace.
pub(super) fn interface_index(name: &str) -> io::Result<u32> {
    interface(name)?.index()
}

/// Whether an interface is set up (IFF_UP).
pub(super) fn interface_up(name: &str) -> io::Result<bool> {
    let fd = open_socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    let mut request = interface(name)?.request();
    // SAFETY: `request` is an ifreq with a name that ends with NUL, as SIOCGIFFLAGS wants.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) })?;
    // SAFETY: SIOCGIFFLAGS filled in the flags.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok(libc::c_int::from(flags) & libc::IFF_UP != 0)
}

fn interface(name: &str) -> io::Result<InterfaceName> {
    name.parse().map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))
}

/// Where a raw frame goes.
pub(super) fn link_address(index: u32, ethertype: u16) -> libc::sockaddr_ll {
    // SAFETY: all zeros is a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as libc::c_ushort;
    address.sll_protocol = ethertype.to_be();
    address.sll_ifindex = index.cast_signed();
    address.sll_halen = 6;
    address
}

/// Room for one control message of four bytes, aligned as cmsghdr must be.
#[repr(C)]
struct MarkControl {
    header: libc::cmsghdr,
    mark: u32,
    padding: u32,
}

/// Sends one frame with a packet mark in a single call.
pub(super) fn send_marked(
    fd: RawFd,
    frame: &[u8],
    to: &libc::sockaddr_ll,
    mark: u32,
) -> io::Result<()> {
    let mut parts =
        libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
    // SAFETY: all zeros is a valid cmsghdr.
    let mut control = MarkControl { header: unsafe { mem::zeroed() }, mark, padding: 0 };
    control.header.cmsg_level = libc::SOL_SOCKET;
    control.header.cmsg_type = libc::SO_MARK;
    control.header.cmsg_len = (mem::size_of::<libc::cmsghdr>() + mem::size_of::<u32>()) as _;
    // SAFETY: all zeros is a valid msghdr.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_name = std::ptr::from_ref(to).cast_mut().cast();
    message.msg_namelen = socket_length::<libc::sockaddr_ll>();
    message.msg_iov = &raw mut parts;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = mem::size_of::<MarkControl>() as _;
    // SAFETY: every pointer in `message` is to something that lives across the call;
    // sendmsg writes through none of them.
    check_size(unsafe { libc::sendmsg(fd, &raw const message, libc::MSG_DONTWAIT) }).map(drop)
}
