//! Sends announcements for many addresses with few system calls.

use std::io;
use std::mem::size_of;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::addresses::Vip;
use crate::frames::neighbour::{
    ARP, ARP_FRAME, Gratuitous, IPV6, ND_FRAME, gratuitous_arp, unsolicited_advertisement,
};
use crate::frames::packet::link_address;
use crate::rtnetlink::{InterfaceName, Mac};
use crate::syscall::{check, open_socket, set_option, set_timeout};

/// Frames in one system call; between two calls a stop is noticed.
pub(super) const FRAMES: usize = 128;
/// Frames that one address can need.
const FRAMES_A_VIP: usize = 2;
/// Room in the kernel for frames on their way, so that a burst need not wait for the card.
const SEND_ROOM: i32 = 4 << 20;
/// A card that takes nothing for this long is not waited for.
const PATIENCE: Duration = Duration::from_millis(50);

/// How a round of announcements went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Frames sent.
    pub frames: usize,
    /// Frames that the kernel refused: an interface down, or its queue full.
    pub refused: usize,
}

impl std::ops::AddAssign for Sent {
    fn add_assign(&mut self, other: Sent) {
        self.frames += other.frames;
        self.refused += other.refused;
    }
}

/// What was read of an interface is believed for so long: a burst is over by then, and
/// a card that was swapped meanwhile is read anew.
const FRESH: Duration = Duration::from_millis(500);

/// An interface as it was when last read.
#[derive(Clone, Copy, Debug)]
struct Station {
    name: InterfaceName,
    /// `None` while it is missing or not an Ethernet: there is nothing to announce.
    seat: Option<(u32, Mac)>,
    router: bool,
    read: Instant,
}

#[derive(Clone, Copy)]
struct Frame {
    bytes: [u8; ND_FRAME],
    length: usize,
    to: libc::sockaddr_ll,
}

/// One socket for all interfaces, and buffers for one system call.
pub struct Burst {
    fd: OwnedFd,
    stations: Vec<Station>,
    frames: Vec<Frame>,
}

impl std::fmt::Debug for Burst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Burst").field("stations", &self.stations).finish_non_exhaustive()
    }
}

impl Burst {
    /// Opens in the calling thread's network namespace.
    ///
    /// # Errors
    /// The kernel's: no CAP_NET_RAW.
    pub fn open() -> io::Result<Burst> {
        // Protocol 0: this socket receives nothing.
        let fd = open_socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        set_timeout(fd.as_raw_fd(), libc::SO_SNDTIMEO, PATIENCE)?;
        // Without CAP_NET_ADMIN the system's limit stays, and a burst waits for the card.
        let _ = set_option(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &SEND_ROOM);
        Ok(Burst {
            fd,
            stations: Vec::with_capacity(twinwall_core::ids::MAX_INTERFACES),
            frames: Vec::with_capacity(FRAMES),
        })
    }

    /// Forgets what was read of the interfaces: a train begins with what is true now.
    pub(super) fn forget(&mut self) {
        self.stations.clear();
    }

    /// Announces these addresses once, unless `stopped` says so meanwhile.
    pub fn send(&mut self, vips: &[Vip], stopped: &dyn Fn() -> bool) -> Sent {
        let mut sent = Sent::default();
        for chunk in vips.chunks(FRAMES / FRAMES_A_VIP) {
            if stopped() {
                break;
            }
            self.frames.clear();
            for vip in chunk {
                self.put(vip);
            }
            sent += self.flush();
        }
        sent
    }

    fn put(&mut self, vip: &Vip) {
        let station = self.station(vip.interface);
        let Some((index, mac)) = station.seat else { return };
        match vip.prefix.address {
            IpAddr::V4(address) => {
                for form in [Gratuitous::Request, Gratuitous::Reply] {
                    let mut bytes = [0; ND_FRAME];
                    bytes[..ARP_FRAME].copy_from_slice(&gratuitous_arp(mac, address, form));
                    self.frames.push(Frame {
                        bytes,
                        length: ARP_FRAME,
                        to: link_address(index, ARP),
                    });
                }
            }
            IpAddr::V6(address) => {
                let bytes = unsolicited_advertisement(mac, address, station.router);
                self.frames.push(Frame { bytes, length: ND_FRAME, to: link_address(index, IPV6) });
            }
        }
    }

    fn station(&mut self, name: InterfaceName) -> Station {
        let known = self.stations.iter().position(|station| station.name == name);
        if let Some(station) =
            known.map(|at| self.stations[at]).filter(|one| one.read.elapsed() < FRESH)
        {
            return station;
        }
        let seat = name.index().ok().zip(self.mac(&name));
        let station = Station { name, seat, router: forwards(&name), read: Instant::now() };
        match known {
            Some(at) => self.stations[at] = station,
            None => self.stations.push(station),
        }
        station
    }

    /// The interface's Ethernet address; `None` for other kinds.
    fn mac(&self, name: &InterfaceName) -> Option<Mac> {
        let mut request = name.request();
        // SAFETY: the kernel reads and writes `request`, which outlives the call, and
        // fills in the hardware address when it succeeds.
        let address = unsafe {
            check(libc::ioctl(self.fd.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request)).ok()?;
            request.ifr_ifru.ifru_hwaddr
        };
        let mut mac = Mac::default();
        for (to, from) in mac.0.iter_mut().zip(address.sa_data) {
            *to = from.cast_unsigned();
        }
        (address.sa_family == libc::ARPHRD_ETHER).then_some(mac)
    }

    /// Sends what was put; a refused frame is counted and passed over.
    fn flush(&mut self) -> Sent {
        // SAFETY: both are plain C data; all zeros is a value of them.
        let mut parts: [libc::iovec; FRAMES] = unsafe { std::mem::zeroed() };
        let mut messages: [libc::mmsghdr; FRAMES] = unsafe { std::mem::zeroed() };
        let count = self.frames.len().min(FRAMES);
        for ((frame, part), message) in self.frames.iter_mut().zip(&mut parts).zip(&mut messages) {
            *part =
                libc::iovec { iov_base: frame.bytes.as_mut_ptr().cast(), iov_len: frame.length };
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
            message.msg_hdr.msg_name = std::ptr::from_mut(&mut frame.to).cast();
            message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as u32;
        }
        let mut sent = Sent::default();
        let mut from = 0;
        while from < count {
            let left = &mut messages[from..count];
            // SAFETY: the headers point into `parts` and `self.frames`, which outlive the call.
            let result = unsafe {
                libc::sendmmsg(self.fd.as_raw_fd(), left.as_mut_ptr(), left.len() as u32, 0)
            };
            // The call tells an error only when it is the first frame's: pass that one over.
            let done = usize::try_from(result).unwrap_or(0);
            sent.frames += done;
            sent.refused += usize::from(done == 0);
            from += done.max(1);
        }
        sent
    }
}

/// Whether this node is an IPv6 router on the interface.
fn forwards(name: &InterfaceName) -> bool {
    std::fs::read(format!("/proc/sys/net/ipv6/conf/{name}/forwarding"))
        .is_ok_and(|value| value.first() == Some(&b'1'))
}
