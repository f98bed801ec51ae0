//! The system calls of the gate, each in a safe coat. Called by `switch` and `table`;
//! nothing here knows what a gate is.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use crate::rtnetlink::InterfaceName;
use crate::syscall::{check, check_size, open_socket, socket_length};

/// A packet socket that only sends: protocol 0 receives nothing.
pub(super) fn packet_socket() -> io::Result<OwnedFd> {
    open_socket(libc::AF_PACKET, libc::SOCK_RAW, 0)
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
