//! The sockets of the probes: opened inside a namespace, then used from any
//! thread. Never blocks, except in the echoing server's receive.

use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use twinwall_core::time::Moment;

use super::clock::WallClock;
use super::frames::{ICMP6_ADVERT, ICMP6_ECHO_REPLY};
use super::log::Mac;

/// Room for the answers of half a second at 10,000 probes a second.
const RECEIVE_BUFFER_BYTES: libc::c_int = 4 << 20;
/// Messages taken by one system call.
const BATCH: usize = 32;
/// Longest answer read; longer ones are cut and still match.
const MESSAGE_BYTES: usize = 128;
const CONTROL_WORDS: usize = 8;
/// Linux' `ICMP_FILTER` of raw sockets; libc does not name it.
const ICMP_FILTER: libc::c_int = 1;
const ICMP6_FILTER: libc::c_int = 1;

/// A destination as the kernel wants it.
pub(super) struct Address {
    storage: libc::sockaddr_storage,
    length: libc::socklen_t,
}

impl Address {
    /// The kernel's form of `address`.
    pub(super) fn new(address: SocketAddr) -> Address {
        // SAFETY: all-zero bytes are a valid sockaddr_storage.
        let mut storage: libc::sockaddr_storage = unsafe { mem::zeroed() };
        let length = match address {
            SocketAddr::V4(v4) => {
                let raw = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                    sin_zero: [0; 8],
                };
                // SAFETY: sockaddr_storage is made to hold and align every sockaddr.
                unsafe { (&raw mut storage).cast::<libc::sockaddr_in>().write(raw) };
                mem::size_of_val(&raw)
            }
            SocketAddr::V6(v6) => {
                let raw = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: 0,
                    sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                    sin6_scope_id: v6.scope_id(),
                };
                // SAFETY: as above.
                unsafe { (&raw mut storage).cast::<libc::sockaddr_in6>().write(raw) };
                mem::size_of_val(&raw)
            }
        };
        Address { storage, length: length as libc::socklen_t }
    }
}

/// What a packet socket lets through, so that it is not woken by routed traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PacketKind {
    /// ARP replies.
    Arp,
    /// Neighbour advertisements.
    Advert,
    /// TCP to IPv4 addresses that begin with these two octets.
    TcpTo([u8; 2]),
}

/// A non-blocking socket with kernel receive times.
pub(super) struct Socket(OwnedFd);

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Socket {
    /// A UDP socket for destinations of the family of `to`.
    pub(super) fn udp(to: IpAddr) -> io::Result<Socket> {
        let socket = Socket::open(family(to), libc::SOCK_DGRAM, 0)?;
        socket.timestamps()?;
        Ok(socket)
    }

    /// A raw ICMP socket that receives echo replies only.
    pub(super) fn icmp(to: IpAddr) -> io::Result<Socket> {
        match to {
            IpAddr::V4(_) => {
                let socket = Socket::open(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)?;
                // A set bit blocks a type; echo reply is type 0.
                socket.set(libc::SOL_RAW, ICMP_FILTER, &!1_u32)?;
                socket.timestamps()?;
                Ok(socket)
            }
            IpAddr::V6(_) => {
                let socket = Socket::open(libc::AF_INET6, libc::SOCK_RAW, libc::IPPROTO_ICMPV6)?;
                let mut blocked = [u32::MAX; 8];
                blocked[usize::from(ICMP6_ECHO_REPLY) / 32] &= !(1 << (ICMP6_ECHO_REPLY % 32));
                socket.set(libc::IPPROTO_ICMPV6, ICMP6_FILTER, &blocked)?;
                socket.timestamps()?;
                Ok(socket)
            }
        }
    }

    /// A raw socket for whole IPv4 packets, whatever their source. Receives nothing.
    pub(super) fn packets() -> io::Result<Socket> {
        Socket::open(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)
    }

    /// A packet socket on interface `index` that receives `kind` only.
    pub(super) fn packet(index: u32, kind: PacketKind) -> io::Result<Socket> {
        let socket = Socket::open(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        socket.filter(kind)?;
        socket.timestamps()?;
        let ethertype = match kind {
            PacketKind::Arp => libc::ETH_P_ARP,
            PacketKind::Advert => libc::ETH_P_IPV6,
            PacketKind::TcpTo(_) => libc::ETH_P_IP,
        };
        // SAFETY: all-zero bytes are a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (ethertype as u16).to_be();
        address.sll_ifindex = i32::try_from(index).map_err(io::Error::other)?;
        // SAFETY: the address is valid for its length and outlives the call.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const address).cast(),
                mem::size_of_val(&address) as libc::socklen_t,
            )
        };
        if bound == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
    }

    fn open(family: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> io::Result<Socket> {
        let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: socket(2) takes no pointers.
        let fd = unsafe { libc::socket(family, kind | flags, protocol) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let socket = Socket(unsafe { OwnedFd::from_raw_fd(fd) });
        socket.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &RECEIVE_BUFFER_BYTES)?;
        Ok(socket)
    }

    fn timestamps(&self) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1_i32)
    }

    fn set<T>(&self, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
        let length = mem::size_of::<T>() as libc::socklen_t;
        // SAFETY: `value` is valid for `length` bytes and outlives the call.
        let done = unsafe {
            libc::setsockopt(self.as_raw_fd(), level, name, (&raw const *value).cast(), length)
        };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Accepts a frame when the byte (ARP: the operation's low byte; IPv6: next
    /// header and ICMP type) says so.
    fn filter(&self, kind: PacketKind) -> io::Result<()> {
        const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
        const LOAD_HALF: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
        const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
        const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
        let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
        let mut program = match kind {
            PacketKind::Arp => vec![
                step(LOAD_BYTE, 0, 0, 21),
                step(JUMP_EQUAL, 0, 1, 2),
                step(RETURN, 0, 0, u32::MAX),
                step(RETURN, 0, 0, 0),
            ],
            PacketKind::Advert => vec![
                step(LOAD_BYTE, 0, 0, 20),
                step(JUMP_EQUAL, 0, 3, libc::IPPROTO_ICMPV6 as u32),
                step(LOAD_BYTE, 0, 0, 54),
                step(JUMP_EQUAL, 0, 1, u32::from(ICMP6_ADVERT)),
                step(RETURN, 0, 0, u32::MAX),
                step(RETURN, 0, 0, 0),
            ],
            PacketKind::TcpTo(network) => vec![
                step(LOAD_BYTE, 0, 0, 23),
                step(JUMP_EQUAL, 0, 3, libc::IPPROTO_TCP as u32),
                step(LOAD_HALF, 0, 0, 30),
                step(JUMP_EQUAL, 0, 1, u32::from(u16::from_be_bytes(network))),
                step(RETURN, 0, 0, u32::MAX),
                step(RETURN, 0, 0, 0),
            ],
        };
        let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
        // The kernel copies the program during the call.
        self.set(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter)
    }

    /// Sends one message; `to` is `None` on packet sockets, which are bound.
    /// A failed send is a probe that nobody answers, so its reason is not needed.
    pub(super) fn send(&self, bytes: &[u8], to: Option<&Address>) {
        let (address, length) = match to {
            Some(address) => ((&raw const address.storage).cast(), address.length),
            None => (std::ptr::null(), 0),
        };
        // SAFETY: buffer and address are valid for their lengths.
        unsafe {
            libc::sendto(
                self.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
                address,
                length,
            )
        };
    }

    /// Hands every waiting message and the moment the kernel received it to `each`.
    pub(super) fn drain(&self, batch: &mut Batch, mut each: impl FnMut(&[u8], Moment)) {
        loop {
            let clock = WallClock::sample();
            let count = batch.receive(self.as_raw_fd());
            for index in 0..count {
                let (bytes, time) = batch.message(index);
                let at = time.map_or_else(crate::clock::now, |time| clock.moment(&time));
                each(bytes, at);
            }
            if count < BATCH {
                return;
            }
        }
    }
}

fn family(address: IpAddr) -> libc::c_int {
    match address {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    }
}

/// Buffers for one thread's receiving, allocated once.
pub(super) struct Batch {
    bytes: Vec<[u8; MESSAGE_BYTES]>,
    /// Words, so that the control headers are aligned.
    control: Vec<[u64; CONTROL_WORDS]>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

impl Batch {
    /// Empty buffers.
    pub(super) fn new() -> Batch {
        // SAFETY: all-zero bytes are valid for these plain C structures.
        let (vector, header): (libc::iovec, libc::mmsghdr) = unsafe { mem::zeroed() };
        Batch {
            bytes: vec![[0; MESSAGE_BYTES]; BATCH],
            control: vec![[0; CONTROL_WORDS]; BATCH],
            vectors: vec![vector; BATCH],
            headers: vec![header; BATCH],
        }
    }

    fn receive(&mut self, fd: RawFd) -> usize {
        for index in 0..BATCH {
            self.vectors[index].iov_base = self.bytes[index].as_mut_ptr().cast();
            self.vectors[index].iov_len = MESSAGE_BYTES;
            let header = &mut self.headers[index].msg_hdr;
            header.msg_iov = &raw mut self.vectors[index];
            header.msg_iovlen = 1;
            header.msg_control = self.control[index].as_mut_ptr().cast();
            header.msg_controllen = mem::size_of_val(&self.control[index]);
        }
        // SAFETY: every header points at buffers of this struct, which live
        // through the call and are of the stated lengths.
        let count = unsafe {
            libc::recvmmsg(
                fd,
                self.headers.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        // An error (nothing waits, or one of an earlier send) is no message.
        usize::try_from(count).unwrap_or(0)
    }

    fn message(&self, index: usize) -> (&[u8], Option<libc::timespec>) {
        let header = &self.headers[index];
        let length = (header.msg_len as usize).min(MESSAGE_BYTES);
        // SAFETY: the header was filled by recvmmsg and its control buffer lives in `self`.
        let time = unsafe { receive_time(&header.msg_hdr) };
        (&self.bytes[index][..length], time)
    }
}

/// # Safety
/// `header` must have been filled by the kernel and its control buffer still be valid.
unsafe fn receive_time(header: &libc::msghdr) -> Option<libc::timespec> {
    // SAFETY: by the caller's promise; CMSG_* stay within msg_controllen.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while !control.is_null() {
            let head = &*control;
            if head.cmsg_level == libc::SOL_SOCKET && head.cmsg_type == libc::SCM_TIMESTAMPNS {
                return Some(libc::CMSG_DATA(control).cast::<libc::timespec>().read_unaligned());
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    None
}

/// Index of an interface of the calling thread's namespace.
pub(super) fn interface_index(name: &str) -> io::Result<u32> {
    let text = std::ffi::CString::new(name).map_err(io::Error::other)?;
    // SAFETY: the name is a valid C string.
    match unsafe { libc::if_nametoindex(text.as_ptr()) } {
        0 => Err(io::Error::new(io::ErrorKind::NotFound, format!("no interface {name}"))),
        index => Ok(index),
    }
}

/// Hardware address of an interface of the calling thread's namespace.
pub(super) fn interface_mac(name: &str) -> io::Result<Mac> {
    let socket = Socket::open(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    // SAFETY: all-zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    // The last byte stays 0, it ends the name.
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from as libc::c_char;
    }
    // SAFETY: the request is valid and outlives the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: SIOCGIFHWADDR filled this member.
    let bytes = unsafe { request.ifr_ifru.ifru_hwaddr.sa_data };
    let mut mac = [0; 6];
    for (to, from) in mac.iter_mut().zip(bytes) {
        *to = from as u8;
    }
    Ok(Mac(mac))
}

/// Waits until one of `descriptors` can be read, `timeout` at the most.
pub(super) fn wait_readable(descriptors: &mut [libc::pollfd], timeout: Duration) {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    let count = descriptors.len() as libc::nfds_t;
    // SAFETY: the slice is valid for `count` entries; no signal mask is given.
    unsafe { libc::ppoll(descriptors.as_mut_ptr(), count, &time, std::ptr::null()) };
}
