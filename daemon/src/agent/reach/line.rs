//! The sockets on one interface: for ARP, for echoes over IPv4, and for ICMPv6. Opened when a
//! question needs them, anew when the interface returns as another one. Never waits.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::packet::{self, Mac};
use super::plan::Target;
use super::view::Way;
use crate::agent::netconf::live;

/// Longest packet that is read: an IPv4 header with options and our echo, an advertisement
/// with its options.
const BUFFER: usize = 256;
/// Packets read in one turn, so that a flood of them cannot hold the thread.
const TURN: usize = 64;
/// Options of raw sockets (linux/icmp.h, linux/icmpv6.h): which messages are passed up.
const ICMP_FILTER: i32 = 1;
const SOL_RAW: i32 = 255;
const ICMP6_FILTER: i32 = 1;

/// What makes an echo ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seal {
    pub(super) identifier: u16,
    pub(super) nonce: [u8; 8],
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A neighbour with this address.
    Neighbour(IpAddr),
    /// The gateway of this number.
    Echo(u16),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) interface: String,
    index: u32,
    mac: Mac,
    arp: Option<Socket>,
    four: Option<Socket>,
    six: Option<Socket>,
}

/// Why a question was not sent.
#[derive(Debug)]
pub(super) enum Unsent {
    /// It is the line's fault: as good as no answer.
    Failed(String),
    /// It cannot be asked from here, whatever the line.
    Cannot(String),
}

impl Line {
    /// The interface as it is now; `sys` is where sysfs is mounted.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn find(interface: &str, sys: &Path) -> io::Result<Line> {
        let index = live::index(interface)?;
        let text = std::fs::read_to_string(sys.join("class/net").join(interface).join("address"))?;
        let mac = mac(text.trim()).unwrap_or_default();
        let interface = interface.to_owned();
        Ok(Line { interface, index, mac, arp: None, four: None, six: None })
    }

    /// Whether the interface is the same as when this was made.
    pub(super) fn stands(&self) -> bool {
        live::index(&self.interface).is_ok_and(|index| index == self.index)
    }

    /// Asks a gateway.
    pub(super) fn ask(&mut self, target: &Target, number: u16, seal: Seal) -> Result<(), Unsent> {
        let sent = match (target.way, target.address) {
            (Way::Arp | Way::ArpProbe, IpAddr::V4(address)) => self.ask_arp(target, address),
            (Way::Ping, IpAddr::V4(address)) => self.ping_four(target, address, number, seal),
            (Way::Solicitation, IpAddr::V6(address)) => {
                let to = packet::solicited_node(address);
                let message = packet::solicitation(self.mac, address);
                self.send_six(to, &message)
            }
            (Way::Ping, IpAddr::V6(address)) => {
                let echo = packet::echo_request(false, seal.identifier, number, seal.nonce);
                self.send_six(address, &echo)
            }
            (Way::Arp | Way::ArpProbe, IpAddr::V6(_)) | (Way::Solicitation, IpAddr::V4(_)) => {
                Err(io::ErrorKind::Unsupported.into())
            }
        };
        sent.map_err(|error| self.unsent(&error))
    }

    fn unsent(&mut self, error: &io::Error) -> Unsent {
        let name = &self.interface;
        match error.raw_os_error() {
            Some(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT) => {
                Unsent::Cannot(format!("{name} has no address to ask from"))
            }
            Some(libc::EPERM | libc::EACCES) => {
                Unsent::Cannot(format!("this machine does not let it be asked: {error}"))
            }
            Some(libc::ENETDOWN | libc::ENETUNREACH | libc::EHOSTUNREACH) => {
                Unsent::Failed(format!("{name} is down"))
            }
            _other => {
                // Opened anew for the next question.
                (self.arp, self.four, self.six) = (None, None, None);
                Unsent::Failed(format!("it cannot be asked on {name}: {error}"))
            }
        }
    }

    fn ask_arp(&mut self, target: &Target, address: Ipv4Addr) -> io::Result<()> {
        if self.arp.is_none() {
            self.arp = Some(open_arp(self.index)?);
        }
        let own = target.own.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let frame = packet::arp_request(self.mac, own, address);
        send(self.arp.as_ref(), |mut socket| socket.write(&frame))
    }

    fn ping_four(
        &mut self,
        target: &Target,
        address: Ipv4Addr,
        number: u16,
        seal: Seal,
    ) -> io::Result<()> {
        if self.four.is_none() {
            self.four = Some(open_four(&self.interface)?);
        }
        // Bound to the own address: an active node would ask from a virtual one.
        let own = target.own.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let echo = packet::echo_request(true, seal.identifier, number, seal.nonce);
        let to: SocketAddr = (address, 0).into();
        send(self.four.as_ref(), |socket| {
            socket.bind(&SocketAddr::from((own, 0)).into())?;
            socket.send_to(&echo, &to.into())
        })
    }

    fn send_six(&mut self, to: Ipv6Addr, message: &[u8]) -> io::Result<()> {
        if self.six.is_none() {
            self.six = Some(open_six(&self.interface, self.index)?);
        }
        let to = SockAddr::from(SocketAddrV6::new(to, 0, 0, self.index));
        send(self.six.as_ref(), |socket| socket.send_to(message, &to))
    }

    /// The descriptors to wait on.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [&self.arp, &self.four, &self.six].into_iter().flatten().map(AsFd::as_fd)
    }

    /// What has come in, a turn's worth.
    pub(super) fn answers(&self, seal: Seal) -> Vec<Answer> {
        let Seal { identifier, nonce } = seal;
        let mut answers = Vec::new();
        read(self.arp.as_ref(), |frame| {
            let from = packet::parse_arp_reply(frame, self.mac)?;
            answers.push(Answer::Neighbour(from.into()));
            Some(())
        });
        read(self.four.as_ref(), |packet| {
            answers.push(Answer::Echo(packet::parse_echo(packet, true, identifier, nonce)?));
            Some(())
        });
        read(self.six.as_ref(), |message| {
            let answer = match packet::parse_advertisement(message) {
                Some(target) => Answer::Neighbour(target.into()),
                None => Answer::Echo(packet::parse_echo(message, false, identifier, nonce)?),
            };
            answers.push(answer);
            Some(())
        });
        answers
    }
}

fn send(
    socket: Option<&Socket>,
    send: impl FnOnce(&Socket) -> io::Result<usize>,
) -> io::Result<()> {
    let socket = socket.ok_or(io::ErrorKind::NotConnected)?;
    send(socket).map(drop)
}

/// Reads what waits. An error of the line is told by the next question.
fn read(socket: Option<&Socket>, mut take: impl FnMut(&[u8]) -> Option<()>) {
    let Some(mut socket) = socket else { return };
    for _ in 0..TURN {
        let mut buffer = [0; BUFFER];
        let Ok(length) = socket.read(&mut buffer) else { return };
        // What is none of ours is passed over.
        let _ = take(&buffer[..length.min(BUFFER)]);
    }
}

fn mac(text: &str) -> Option<Mac> {
    let mut parts = text.split(':').map(|part| u8::from_str_radix(part, 16).ok());
    let mut mac = Mac::default();
    for byte in &mut mac {
        *byte = parts.next()??;
    }
    parts.next().is_none().then_some(mac)
}

/// A packet socket for ARP on this interface: past the packet filter, and without an address.
fn open_arp(index: u32) -> io::Result<Socket> {
    // Protocol 0 first: nothing arrives before it is bound to its interface.
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), None)?;
    // SAFETY: `sockaddr_ll` is plain C data; all zeros is a value of it.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ARP as u16).to_be();
    address.sll_ifindex = index.cast_signed();
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: pointer and length describe `address`, which outlives the call.
    let bound =
        unsafe { libc::bind(socket.as_raw_fd(), std::ptr::from_ref(&address).cast(), length) };
    if bound == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

fn open_four(interface: &str) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW.nonblocking(), Some(Protocol::ICMPV4))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    // Everything but echo replies (type 0) is kept away.
    let refused: u32 = !1;
    set_option(&socket, SOL_RAW, ICMP_FILTER, &refused)?;
    Ok(socket)
}

fn open_six(interface: &str, index: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV6, Type::RAW.nonblocking(), Some(Protocol::ICMPV6))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_multicast_if_v6(index)?;
    // RFC 4861, section 7.1.1: no router between.
    socket.set_multicast_hops_v6(255)?;
    socket.set_unicast_hops_v6(255)?;
    // A set bit keeps a type away: all but echo replies (129) and advertisements (136).
    let mut refused = [u32::MAX; 8];
    refused[129 / 32] &= !(1 << (129 % 32));
    refused[136 / 32] &= !(1 << (136 % 32));
    set_option(&socket, libc::IPPROTO_ICMPV6, ICMP6_FILTER, &refused)?;
    Ok(socket)
}

fn set_option<T>(socket: &Socket, level: i32, name: i32, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: pointer and length describe `value`, which outlives the call.
    let done = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), length)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hardware_address_is_read_whole_or_not_at_all() {
        assert_eq!(mac("02:00:5e:10:00:ff"), Some([2, 0, 0x5e, 0x10, 0, 0xff]));
        for wrong in ["", "02:00:5e:10:00", "02:00:5e:10:00:ff:01", "02:00:5e:10:00:zz"] {
            assert_eq!(mac(wrong), None, "{wrong}");
        }
    }
}
