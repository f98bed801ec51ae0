//! ICMP and ICMPv6 echo to the ping targets.
//!
//! Used by the beat thread. Never blocks, resolves no names, and says only which
//! target answered; what silence means is the core's business.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use libc::sock_filter;
use twinwall_core::ids::MAX_TARGETS;

use crate::frames::packet::attach;
use crate::frames::packet::filter::{ACCEPT, REFUSE, byte, equal_or_skip, half, half_after_ipv4};
use crate::syscall::{check_size, nothing_yet, open_socket};

const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;
/// Bytes of an echo: type, code, checksum, identifier, sequence, nonce.
pub const ECHO: usize = 16;
/// The longest IPv4 header and our echo; longer ones are not ours.
const BUFFER: usize = 128;
/// Answers read in one turn, so that a flood of them cannot hold the beat thread.
const TURN: usize = 64;

/// The targets and one socket for each family that is needed.
#[derive(Debug)]
pub struct Pinger {
    targets: Vec<IpAddr>,
    identifier: u16,
    nonce: [u8; 8],
    v4: Option<OwnedFd>,
    v6: Option<OwnedFd>,
}

impl Pinger {
    /// Opens for these targets, the first [`MAX_TARGETS`] of them. `nonce` must be
    /// random: it tells our answers from others'.
    ///
    /// # Errors
    /// The kernel's: no CAP_NET_RAW.
    pub fn open(targets: &[IpAddr], nonce: [u8; 8]) -> io::Result<Pinger> {
        let targets: Vec<_> = targets.iter().copied().take(MAX_TARGETS).collect();
        let identifier = u16::from_be_bytes([nonce[0], nonce[7]]);
        let raw = libc::SOCK_RAW | libc::SOCK_NONBLOCK;
        let open = |domain, protocol, filter: &[sock_filter]| {
            let fd = open_socket(domain, raw, protocol)?;
            attach(fd.as_raw_fd(), filter)?;
            io::Result::Ok(fd)
        };
        let v4 = targets.iter().any(IpAddr::is_ipv4);
        let v6 = targets.iter().any(IpAddr::is_ipv6);
        let v4 = v4.then(|| open(libc::AF_INET, libc::IPPROTO_ICMP, &filter_v4(identifier)));
        let v6 = v6.then(|| open(libc::AF_INET6, libc::IPPROTO_ICMPV6, &filter_v6(identifier)));
        Ok(Pinger { identifier, nonce, v4: v4.transpose()?, v6: v6.transpose()?, targets })
    }

    /// Sends one echo request to each target. Returns how many the kernel took: one
    /// without a route is as silent as one that is dead.
    pub fn send_all(&self) -> usize {
        let indexed = self.targets.iter().zip(0u16..);
        indexed.filter(|(target, number)| self.send(**target, *number).is_ok()).count()
    }

    /// The index of a target that answered, `None` when no answer waits.
    ///
    /// # Errors
    /// The kernel's.
    pub fn recv(&self) -> io::Result<Option<usize>> {
        for fd in [self.v4.as_ref(), self.v6.as_ref()].into_iter().flatten() {
            for _ in 0..TURN {
                let mut buffer = [0; BUFFER];
                let Some((length, from)) = receive(fd, &mut buffer)? else { break };
                let answer = buffer.get(..length).and_then(|packet| self.read(packet, from));
                if answer.is_some() {
                    return Ok(answer);
                }
            }
        }
        Ok(None)
    }

    /// The descriptors to wait on.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [self.v4.as_ref(), self.v6.as_ref()].into_iter().flatten().map(AsFd::as_fd)
    }

    fn send(&self, target: IpAddr, number: u16) -> io::Result<()> {
        let mut echo = [0; ECHO];
        echo[4..6].copy_from_slice(&self.identifier.to_be_bytes());
        echo[6..8].copy_from_slice(&number.to_be_bytes());
        echo[8..].copy_from_slice(&self.nonce);
        match (target, &self.v4, &self.v6) {
            (IpAddr::V4(target), Some(fd), _) => {
                echo[0] = ECHO_REQUEST;
                let sum = checksum(&echo).to_be_bytes();
                echo[2..4].copy_from_slice(&sum);
                // SAFETY: `sockaddr_in` is plain C data; all zeros is a value of it.
                let mut to: libc::sockaddr_in = unsafe { std::mem::zeroed() };
                to.sin_family = libc::AF_INET as u16;
                to.sin_addr.s_addr = u32::from_ne_bytes(target.octets());
                send_to(fd, &echo, &to)
            }
            (IpAddr::V6(target), _, Some(fd)) => {
                // The kernel fills in ICMPv6's checksum.
                echo[0] = ECHO_REQUEST_V6;
                // SAFETY: `sockaddr_in6` is plain C data; all zeros is a value of it.
                let mut to: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
                to.sin6_family = libc::AF_INET6 as u16;
                to.sin6_addr.s6_addr = target.octets();
                send_to(fd, &echo, &to)
            }
            (IpAddr::V4(_), None, _) | (IpAddr::V6(_), _, None) => {
                Err(io::ErrorKind::Unsupported.into())
            }
        }
    }

    /// Which target this packet is an answer of.
    fn read(&self, packet: &[u8], from: IpAddr) -> Option<usize> {
        let reply = parse_echo_reply(packet, from.is_ipv4(), self.identifier)?;
        let number = usize::from(reply.number);
        let ours = reply.nonce == self.nonce && self.targets.get(number) == Some(&from);
        ours.then_some(number)
    }
}

/// What an echo reply brings back of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchoReply {
    /// The sequence number: which target was asked.
    pub number: u16,
    /// What only the asker and its targets know.
    pub nonce: [u8; 8],
}

/// The echo reply with this identifier, as a raw socket delivers it: an IPv4 packet
/// (`v4`) begins with its header, an ICMPv6 message with itself. The kernel has
/// checked ICMPv6's checksum; the nonce stands in the place of ICMP's.
pub fn parse_echo_reply(packet: &[u8], v4: bool, identifier: u16) -> Option<EchoReply> {
    let header = if v4 { usize::from(packet.first()? & 0xf) * 4 } else { 0 };
    let echo: &[u8; ECHO] = packet.get(header..)?.first_chunk()?;
    let kind = if v4 { ECHO_REPLY } else { ECHO_REPLY_V6 };
    let ours = echo[0] == kind && echo[4..6] == identifier.to_be_bytes();
    let number = u16::from_be_bytes([echo[6], echo[7]]);
    let nonce = *echo[8..].first_chunk()?;
    ours.then_some(EchoReply { number, nonce })
}

fn send_to<T>(fd: &OwnedFd, bytes: &[u8], to: &T) -> io::Result<()> {
    let length = crate::syscall::socket_length::<T>();
    // SAFETY: the pointers and lengths describe `bytes` and `to`, which outlive the call.
    check_size(unsafe {
        let to = std::ptr::from_ref(to).cast();
        libc::sendto(
            fd.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_DONTWAIT,
            to,
            length,
        )
    })
    .map(drop)
}

fn receive(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<(usize, IpAddr)>> {
    // SAFETY: `sockaddr_in6` is plain C data; all zeros is a value of it.
    let mut from: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
    let mut from_length = crate::syscall::socket_length::<libc::sockaddr_in6>();
    // SAFETY: the pointers and lengths describe `buffer` and `from`, which outlive the
    // call; `sockaddr_in6` has room for both families.
    let length = check_size(unsafe {
        let to = buffer.as_mut_ptr().cast();
        let from = std::ptr::from_mut(&mut from).cast();
        libc::recvfrom(
            fd.as_raw_fd(),
            to,
            buffer.len(),
            libc::MSG_DONTWAIT,
            from,
            &raw mut from_length,
        )
    });
    let Some(length) = nothing_yet(length)? else { return Ok(None) };
    // An IPv4 address lies where the IPv6 flow label does.
    let source = match i32::from(from.sin6_family) {
        libc::AF_INET => IpAddr::V4(from.sin6_flowinfo.to_ne_bytes().into()),
        _ => IpAddr::V6(from.sin6_addr.s6_addr.into()),
    };
    Ok(Some((length, source)))
}

/// Echo replies with our identifier; the packet begins with its IPv4 header.
fn filter_v4(identifier: u16) -> [sock_filter; 5] {
    let [header, id] = half_after_ipv4(4);
    [header, id, equal_or_skip(u32::from(identifier), 1), ACCEPT, REFUSE]
}

/// Echo replies with our identifier; the packet begins with its ICMPv6 header.
fn filter_v6(identifier: u16) -> [sock_filter; 6] {
    let [kind, id] = [u32::from(ECHO_REPLY_V6), u32::from(identifier)];
    [byte(0), equal_or_skip(kind, 3), half(4), equal_or_skip(id, 1), ACCEPT, REFUSE]
}

fn checksum(bytes: &[u8; ECHO]) -> u16 {
    let sum: u32 =
        bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) + (sum >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_cut_short_or_of_another_is_none_of_ours() {
        let mut echo = [0; ECHO];
        echo[0] = ECHO_REPLY_V6;
        echo[4..6].copy_from_slice(&7u16.to_be_bytes());
        echo[7] = 3;
        let reply = Some(EchoReply { number: 3, nonce: [0; 8] });
        assert_eq!(parse_echo_reply(&echo, false, 7), reply);
        assert_eq!(parse_echo_reply(&echo, false, 8), None);
        for end in 0..ECHO {
            assert_eq!(parse_echo_reply(&echo[..end], false, 7), None);
        }
        echo[0] = ECHO_REPLY;
        assert_eq!(parse_echo_reply(&echo, false, 7), None);
        let header = [&[0x46][..], &[0; 23], &echo].concat();
        assert_eq!(parse_echo_reply(&header, true, 7), reply, "behind a header with options");
        assert_eq!(parse_echo_reply(&header[..header.len() - 1], true, 7), None);
    }
}
