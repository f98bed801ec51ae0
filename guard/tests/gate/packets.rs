//! Questions that a client asks: ARP, neighbour solicitation, UDP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::net::{Space, ms};

/// How long an answer may take; on virtual cables it takes microseconds.
const PATIENCE: Duration = ms(40);
/// How often a question is asked: on a busy machine even microseconds can take long.
const TRIES: u32 = 4;

/// Whether anybody on `interface` answers ARP for `target`.
pub fn arp(space: &Space, interface: &str, from: Ipv4Addr, target: Ipv4Addr) -> bool {
    space.inside(|| {
        let socket = raw(libc::AF_PACKET, 0x0806u16.to_be().into());
        let mut frame = vec![0xff; 6];
        frame.extend([2, 0, 0, 0, 1, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 1, 9]);
        frame.extend(from.octets());
        frame.extend([0; 6]);
        frame.extend(target.octets());
        frame.resize(60, 0);
        (0..TRIES).any(|_| {
            send_frame(&socket, interface, &frame);
            answered(&socket, |answer| {
                answer.get(20..22) == Some(&[0, 2]) && answer.get(28..32) == Some(&target.octets())
            })
        })
    })
}

/// Whether anybody on `interface` answers a neighbour solicitation for `target`, sent to all who could.
pub fn solicit(space: &Space, interface: &str, target: Ipv6Addr) -> bool {
    let last = target.octets();
    let all: Ipv6Addr =
        [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, last[13], last[14], last[15]].into();
    space.inside(|| {
        let socket = raw(libc::AF_INET6, libc::IPPROTO_ICMPV6);
        let hops: libc::c_int = 255;
        set(&socket, libc::IPPROTO_IPV6, libc::IPV6_MULTICAST_HOPS, &hops);
        let mut packet = vec![135, 0, 0, 0, 0, 0, 0, 0];
        packet.extend(target.octets());
        packet.extend([1, 1, 2, 0, 0, 0, 1, 9]);
        // SAFETY: all zeros is a valid sockaddr_in6.
        let mut to: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
        to.sin6_family = libc::AF_INET6 as u16;
        to.sin6_addr.s6_addr = all.octets();
        to.sin6_scope_id = index(interface);
        (0..TRIES).any(|_| {
            send_to(&socket, &packet, &to);
            answered(&socket, |answer| {
                answer.first() == Some(&136) && answer.get(8..24) == Some(&target.octets())
            })
        })
    })
}

/// Whether a datagram from `source` in one namespace reaches `target` in another; the source seen there.
pub fn datagram(
    from: &Space,
    source: IpAddr,
    to: &Space,
    target: SocketAddr,
) -> Option<SocketAddr> {
    let receiver =
        to.inside(|| UdpSocket::bind(SocketAddr::new(target.ip(), target.port())).unwrap());
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let to = receiver.local_addr().unwrap();
    let sender = from.inside(|| UdpSocket::bind((source, 0)).unwrap());
    let mut buffer = [0; 64];
    (0..TRIES).find_map(|_| {
        // What the node's own egress gate drops comes back as an error of send; that is an answer too.
        let _ = sender.send_to(b"question", to);
        receiver.recv_from(&mut buffer).ok().map(|(_, seen)| seen)
    })
}

fn raw(domain: i32, protocol: i32) -> OwnedFd {
    // SAFETY: no pointers; the descriptor is ours.
    let fd = unsafe { libc::socket(domain, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    let limit = libc::timeval { tv_sec: 0, tv_usec: PATIENCE.subsec_micros().into() };
    // SAFETY: as above.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    set(&socket, libc::SOL_SOCKET, libc::SO_RCVTIMEO, &limit);
    socket
}

fn set<T>(socket: &OwnedFd, level: i32, name: i32, value: &T) {
    let size = size_of::<T>() as u32;
    // SAFETY: `value` is valid for `size` bytes.
    let done = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const *value).cast(), size)
    };
    assert_eq!(done, 0);
}

fn index(interface: &str) -> u32 {
    let name = std::ffi::CString::new(interface).unwrap();
    // SAFETY: a string that ends with NUL.
    unsafe { libc::if_nametoindex(name.as_ptr()) }
}

/// Sends a whole Ethernet frame; whether the kernel let it go.
pub fn send_frame(socket: &OwnedFd, interface: &str, frame: &[u8]) -> bool {
    // SAFETY: all zeros is a valid sockaddr_ll.
    let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    to.sll_family = libc::AF_PACKET as u16;
    to.sll_protocol = u16::from_ne_bytes([frame[12], frame[13]]);
    to.sll_ifindex = index(interface).cast_signed();
    to.sll_halen = 6;
    send_to(socket, frame, &to)
}

/// A socket for [`send_frame`], in the thread's namespace.
pub fn frame_socket() -> OwnedFd {
    raw(libc::AF_PACKET, 0)
}

fn send_to<T>(socket: &OwnedFd, bytes: &[u8], to: &T) -> bool {
    let size = size_of::<T>() as u32;
    // SAFETY: both pointers are valid for the lengths given.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            0,
            (&raw const *to).cast(),
            size,
        )
    };
    sent >= 0
}

fn answered(socket: &OwnedFd, is: impl Fn(&[u8]) -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    let mut buffer = [0; 2048];
    while Instant::now() < end {
        // SAFETY: the buffer is writable for its length.
        let got =
            unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        let Ok(length) = usize::try_from(got) else { return false };
        if is(&buffer[..length]) {
            return true;
        }
    }
    false
}
