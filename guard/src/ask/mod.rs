//! Asks the peer's *kernel* whether it lives: ARP and neighbour solicitation for
//! the peer's own addresses. Evidence for the early claim; one for each path.
//!
//! Used by the beat thread; opened on another, like a
//! [`FrameSocket`](crate::frames::FrameSocket). Asking never blocks, needs no VIP and
//! decides nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};

use libc::sock_filter;
use twinwall_core::config::Prefix;

pub use crate::frames::neighbour::{parse_arp_reply, parse_neighbour_advertisement};

use crate::addresses::same_subnet;
use crate::frames::neighbour::{ARP, IPV6, arp_request, solicitation};
use crate::frames::packet::PacketSocket;
use crate::frames::packet::filter::{ACCEPT, REFUSE, byte, equal_or_skip, half, word};
use crate::rtnetlink::Mac;

/// Addresses of the peer that are asked for on one interface, of each family.
/// Its kernel answers for all of them or for none; more would only fill the filter.
pub const MAX_ASKED: usize = 8;
/// Enough for an ARP reply or an advertisement with its usual options.
const FRAME: usize = 256;
/// Answers read in one turn, so that a flood of them cannot hold the beat thread.
const TURN: usize = 64;

/// The questions on one interface.
#[derive(Debug)]
pub struct Asker {
    mac: Mac,
    arp: Option<Questions<Ipv4Addr>>,
    nd: Option<Questions<Ipv6Addr>>,
}

#[derive(Debug)]
struct Questions<A> {
    socket: PacketSocket,
    /// Our address to ask from, the peer's to ask for.
    pairs: Vec<(A, A)>,
}

impl Asker {
    /// Opens on the interface with this index and Ethernet address. `own` and `peer`
    /// are the two nodes' addresses there.
    ///
    /// # Errors
    /// The kernel's: no such interface, or no CAP_NET_RAW.
    pub fn open(index: u32, mac: Mac, own: &[Prefix], peer: &[Prefix]) -> io::Result<Asker> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for target in peer {
            let ours = |own: &&Prefix| same_subnet(own.address, target.address, target.length);
            match (target.address, own.iter().find(ours).map(|own| own.address)) {
                (IpAddr::V4(target), Some(IpAddr::V4(own))) => v4.push((own, target)),
                (IpAddr::V4(target), _) => v4.push((Ipv4Addr::UNSPECIFIED, target)),
                (IpAddr::V6(target), Some(IpAddr::V6(own))) => v6.push((own, target)),
                (IpAddr::V6(target), _) => v6.push((Ipv6Addr::UNSPECIFIED, target)),
            }
        }
        v4.truncate(MAX_ASKED);
        v6.truncate(MAX_ASKED);
        let arp = (!v4.is_empty())
            .then(|| PacketSocket::open(index, ARP, &arp_filter(&v4)))
            .transpose()?;
        let nd = (!v6.is_empty())
            .then(|| PacketSocket::open(index, IPV6, &nd_filter(&v6)))
            .transpose()?;
        Ok(Asker {
            mac,
            arp: arp.map(|socket| Questions { socket, pairs: v4 }),
            nd: nd.map(|socket| Questions { socket, pairs: v6 }),
        })
    }

    /// Whether there is anything to ask for; without it silence says nothing.
    pub fn can_ask(&self) -> bool {
        self.arp.is_some() || self.nd.is_some()
    }

    /// Asks for every address of the peer.
    ///
    /// # Errors
    /// The last error, when not one question could be sent.
    pub fn ask(&self) -> io::Result<()> {
        let mut result = Err(io::Error::from_raw_os_error(libc::EDESTADDRREQ));
        for sent in self.ask_v4().chain(self.ask_v6()) {
            result = if result.is_ok() { Ok(()) } else { sent };
        }
        result
    }

    fn ask_v4(&self) -> impl Iterator<Item = io::Result<()>> + '_ {
        self.arp.iter().flat_map(|questions| {
            questions
                .pairs
                .iter()
                .map(|(own, target)| questions.socket.send(&arp_request(self.mac, *own, *target)))
        })
    }

    fn ask_v6(&self) -> impl Iterator<Item = io::Result<()>> + '_ {
        self.nd.iter().flat_map(|questions| {
            questions
                .pairs
                .iter()
                .map(|(own, target)| questions.socket.send(&solicitation(self.mac, *own, *target)))
        })
    }

    /// An address of the peer that was answered for since the last call. Answers to
    /// older questions count too; call it once before a round to be rid of them.
    ///
    /// # Errors
    /// `ENETDOWN`, once, when the interface went down or vanished.
    pub fn recv(&self) -> io::Result<Option<IpAddr>> {
        let arp = self
            .arp
            .as_ref()
            .map(|questions| answered(questions, |frame| Some(parse_arp_reply(frame)?.0)));
        if let Some(address) = arp.transpose()?.flatten() {
            return Ok(Some(IpAddr::V4(address)));
        }
        let nd = self.nd.as_ref();
        let nd = nd.map(|questions| {
            answered(questions, |frame| Some(parse_neighbour_advertisement(frame)?.0))
        });
        Ok(nd.transpose()?.flatten().map(IpAddr::V6))
    }

    /// The descriptors to wait on: ARP, then neighbour discovery.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let arp = self.arp.iter().map(|questions| questions.socket.as_fd());
        arp.chain(self.nd.iter().map(|questions| questions.socket.as_fd()))
    }
}

/// Reads what waits, at most [`TURN`] frames, and returns the first answer for one
/// of the addresses asked for.
fn answered<A: Copy + PartialEq>(
    questions: &Questions<A>,
    parse: fn(&[u8]) -> Option<A>,
) -> io::Result<Option<A>> {
    let mut buffer = [0; FRAME];
    for _ in 0..TURN {
        let Some(received) = questions.socket.receive(&mut buffer)? else { return Ok(None) };
        let Some(frame) = buffer.get(..received.length).filter(|_| !received.outgoing) else {
            continue;
        };
        let answer = parse(frame)
            .filter(|answer| questions.pairs.iter().any(|(_, target)| target == answer));
        if answer.is_some() {
            return Ok(answer);
        }
    }
    Ok(None)
}

/// ARP replies from one of the addresses.
fn arp_filter(pairs: &[(Ipv4Addr, Ipv4Addr)]) -> Vec<sock_filter> {
    let mut program = vec![half(20), equal_or_skip(2, 0)];
    let mut tests = vec![word(28)];
    for (_, target) in pairs {
        tests.extend([equal_or_skip(u32::from(*target), 1), ACCEPT]);
    }
    program[1].jf = u8::try_from(tests.len()).unwrap_or(u8::MAX);
    program.extend(tests);
    program.push(REFUSE);
    program
}

/// Neighbour advertisements whose target is one of the addresses.
fn nd_filter(pairs: &[(Ipv6Addr, Ipv6Addr)]) -> Vec<sock_filter> {
    let mut tests = Vec::new();
    for (_, target) in pairs {
        let octets = target.octets();
        for (number, octets) in octets.chunks_exact(4).enumerate() {
            let value = octets.iter().fold(0, |value, octet| value << 8 | u32::from(*octet));
            // From this comparison over the rest of the target's block of nine.
            let rest = 7 - 2 * number as u8;
            tests.extend([word(62 + 4 * number as u32), equal_or_skip(value, rest)]);
        }
        tests.push(ACCEPT);
    }
    let over = u8::try_from(tests.len()).unwrap_or(u8::MAX);
    let mut program =
        vec![byte(20), equal_or_skip(58, over + 2), byte(54), equal_or_skip(136, over)];
    program.extend(tests);
    program.push(REFUSE);
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_filters_keep_their_jumps_within_a_byte() {
        let v4 = [(Ipv4Addr::UNSPECIFIED, Ipv4Addr::LOCALHOST); MAX_ASKED];
        let v6 = [(Ipv6Addr::UNSPECIFIED, Ipv6Addr::LOCALHOST); MAX_ASKED];
        for program in [arp_filter(&v4), nd_filter(&v6)] {
            for (at, step) in program.iter().enumerate().filter(|(_, step)| step.code == 0x15) {
                assert!(at + 1 + usize::from(step.jf) < program.len(), "step {at} jumps out");
            }
        }
    }
}
