//! Packet sockets: whole Ethernet frames in and out of one interface, past every
//! rule of the administrator's packet filter and without an address.

use std::io;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use libc::sock_filter;

use super::closer;
use crate::rtnetlink::Mac;
use crate::syscall::{bind, check_size, nothing_yet, open_socket, set_option};

/// `TC_PRIO_CONTROL`: beats overtake the traffic that waits in the interface's queue.
const PRIORITY_CONTROL: i32 = 7;
const PACKET_IGNORE_OUTGOING: i32 = 23;
/// All protocols.
pub(crate) const EVERY_PROTOCOL: u16 = libc::ETH_P_ALL as u16;

/// A nonblocking packet socket on one interface. Sending, receiving and dropping never
/// wait; opening does, for the kernel's link lock.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    /// Always there until it is dropped.
    fd: ManuallyDrop<OwnedFd>,
}

impl Drop for PacketSocket {
    fn drop(&mut self) {
        // SAFETY: a value is dropped once, and nothing uses `fd` after that.
        closer::close(unsafe { ManuallyDrop::take(&mut self.fd) });
    }
}

impl PacketSocket {
    /// Opens for frames of `protocol` that pass `filter` (empty: all of them).
    pub(crate) fn open(
        index: u32,
        protocol: u16,
        filter: &[sock_filter],
    ) -> io::Result<PacketSocket> {
        closer::prepare();
        // Protocol 0 first: nothing arrives before the filter is in its place.
        let fd = open_socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_NONBLOCK, 0)?;
        let raw = fd.as_raw_fd();
        if !filter.is_empty() {
            attach(raw, filter)?;
        }
        // Before Linux 4.20 unknown; `receive` drops own copies as well.
        let _ = set_option(raw, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &1i32);
        set_option(raw, libc::SOL_SOCKET, libc::SO_PRIORITY, &PRIORITY_CONTROL)?;
        bind(raw, &link_address(index, protocol))?;
        Ok(PacketSocket { fd: ManuallyDrop::new(fd) })
    }

    /// Lets frames for the multicast address in. Waits for the kernel's link lock.
    pub(crate) fn join(&self, index: u32, group: Mac) -> io::Result<()> {
        self.member(index, libc::PACKET_MR_MULTICAST, group)
    }

    /// Lets frames for every multicast address in. Waits for the kernel's link lock.
    pub(crate) fn join_all(&self, index: u32) -> io::Result<()> {
        self.member(index, libc::PACKET_MR_ALLMULTI, Mac::default())
    }

    fn member(&self, index: u32, kind: i32, group: Mac) -> io::Result<()> {
        let mut address = [0; 8];
        address[..6].copy_from_slice(&group.0);
        let request = libc::packet_mreq {
            mr_ifindex: index.cast_signed(),
            mr_type: kind as u16,
            mr_alen: 6,
            mr_address: address,
        };
        set_option(self.fd.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request)
    }

    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        let flags = libc::MSG_DONTWAIT;
        // SAFETY: pointer and length describe `frame`, which outlives the call.
        check_size(unsafe {
            libc::send(self.fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), flags)
        })
        .map(drop)
    }

    /// The next frame, `None` when none waits. Returns its full length, which may
    /// exceed the buffer, and whether it is one that we sent.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut from = MaybeUninit::<libc::sockaddr_ll>::zeroed();
        let mut from_length = crate::syscall::socket_length::<libc::sockaddr_ll>();
        // SAFETY: both pointers and lengths describe memory that outlives the call;
        // an all-zero `sockaddr_ll` is a value of it, whatever the kernel filled in.
        let (length, from) = unsafe {
            let length = libc::recvfrom(
                self.fd.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                libc::MSG_TRUNC | libc::MSG_DONTWAIT,
                from.as_mut_ptr().cast(),
                &raw mut from_length,
            );
            (length, from.assume_init())
        };
        let Some(length) = nothing_yet(check_size(length))? else { return Ok(None) };
        let [a, b, c, d, e, f, _, _] = from.sll_addr;
        let outgoing = from.sll_pkttype == libc::PACKET_OUTGOING;
        Ok(Some(Received { length, source: Mac([a, b, c, d, e, f]), outgoing }))
    }
}

/// What [`PacketSocket::receive`] tells about a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    pub(crate) length: usize,
    pub(crate) source: Mac,
    pub(crate) outgoing: bool,
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The address of a packet socket, for binding and for sending.
pub(crate) fn link_address(index: u32, protocol: u16) -> libc::sockaddr_ll {
    // SAFETY: `sockaddr_ll` is plain C data; all zeros is a value of it.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = index.cast_signed();
    address
}

/// Attaches a classic BPF program: the kernel drops what it refuses before it wakes us.
pub(crate) fn attach(fd: i32, filter: &[sock_filter]) -> io::Result<()> {
    let length =
        u16::try_from(filter.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let program = libc::sock_fprog { len: length, filter: filter.as_ptr().cast_mut() };
    set_option(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

/// Small words for BPF programs; offsets count from the Ethernet header.
pub(crate) mod filter {
    use libc::sock_filter;

    /// Take the frame, whole.
    pub(crate) const ACCEPT: sock_filter = sock_filter { code: 0x06, jt: 0, jf: 0, k: 0xffff };
    /// Do not take it.
    pub(crate) const REFUSE: sock_filter = sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 };

    /// Load one byte.
    pub(crate) const fn byte(at: u32) -> sock_filter {
        sock_filter { code: 0x30, jt: 0, jf: 0, k: at }
    }

    /// Load two bytes.
    pub(crate) const fn half(at: u32) -> sock_filter {
        sock_filter { code: 0x28, jt: 0, jf: 0, k: at }
    }

    /// Load four bytes.
    pub(crate) const fn word(at: u32) -> sock_filter {
        sock_filter { code: 0x20, jt: 0, jf: 0, k: at }
    }

    /// Load two bytes `at` beyond the IPv4 header that begins at 0 (raw IPv4 sockets).
    pub(crate) const fn half_after_ipv4(at: u32) -> [sock_filter; 2] {
        [
            sock_filter { code: 0xb1, jt: 0, jf: 0, k: 0 },
            sock_filter { code: 0x48, jt: 0, jf: 0, k: at },
        ]
    }

    /// Go on if equal, else skip `skip` instructions.
    pub(crate) const fn equal_or_skip(value: u32, skip: u8) -> sock_filter {
        sock_filter { code: 0x15, jt: 0, jf: skip, k: value }
    }
}
