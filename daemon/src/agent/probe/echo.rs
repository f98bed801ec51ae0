//! ICMP and ICMPv6 echo of the agent: one socket, bound to an interface and a source, that asks
//! one address. Nothing waits here but who awaits an answer. The guard has its own.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;
/// Bytes of an echo: type, code, checksum, identifier, sequence, nonce.
const ECHO: usize = 16;
/// The longest IPv4 header and our echo; longer packets are not ours.
const BUFFER: usize = 128;

/// Asks one address.
pub(super) struct Echo {
    /// A raw socket in the clothes of a datagram's: it is asked and read the same.
    socket: UdpSocket,
    to: IpAddr,
    nonce: [u8; 8],
    sequence: u16,
}

impl Echo {
    /// Opens one that asks `to` on this interface from the address `from`. With the interface
    /// given, an address of this node itself never answers.
    ///
    /// # Errors
    /// The kernel's: no such interface or address, or no right.
    pub(super) fn open(interface: &str, from: IpAddr, to: IpAddr) -> io::Result<Echo> {
        let (domain, protocol) = match to {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
        socket.set_nonblocking(true)?;
        socket.bind_device(Some(interface.as_bytes()))?;
        socket.bind(&SocketAddr::new(from, 0).into())?;
        let mut nonce = [0; 8];
        rustix::rand::getrandom(&mut nonce, rustix::rand::GetRandomFlags::empty())?;
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Echo { socket, to, nonce, sequence: 0 })
    }

    /// Whom it asks.
    pub(super) fn to(&self) -> IpAddr {
        self.to
    }

    /// Asks once.
    ///
    /// # Errors
    /// The kernel's: no route, or an interface that is down.
    pub(super) fn ask(&mut self) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let packet = request(self.to.is_ipv4(), &self.nonce, self.sequence);
        // It never waits: a socket that is full loses the question, as a network may.
        let to = SocketAddr::new(self.to, 0).into();
        SockRef::from(&self.socket).send_to(&packet, &to).map(drop)
    }

    /// Returns when an answer to one of its questions comes.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) async fn answer(&self) -> io::Result<()> {
        let mut buffer = [0; BUFFER];
        loop {
            let length = self.socket.recv(&mut buffer).await?;
            if is_answer(&buffer[..length], self.to.is_ipv4(), &self.nonce) {
                return Ok(());
            }
        }
    }
}

/// An echo request (RFC 792, RFC 4443 section 4.1).
fn request(v4: bool, nonce: &[u8; 8], sequence: u16) -> [u8; ECHO] {
    let mut echo = [0; ECHO];
    echo[0] = if v4 { ECHO_REQUEST } else { ECHO_REQUEST_V6 };
    echo[4..6].copy_from_slice(&nonce[..2]);
    echo[6..8].copy_from_slice(&sequence.to_be_bytes());
    echo[8..].copy_from_slice(nonce);
    if v4 {
        // Of ICMPv6 the kernel fills the checksum in.
        let sum = checksum(&echo).to_be_bytes();
        echo[2..4].copy_from_slice(&sum);
    }
    echo
}

/// Whether a packet, as a raw socket delivers it, answers a question with this nonce: an IPv4
/// packet begins with its header, an ICMPv6 message with itself.
fn is_answer(packet: &[u8], v4: bool, nonce: &[u8; 8]) -> bool {
    let header = match (v4, packet.first()) {
        (true, Some(first)) => usize::from(first & 0xf) * 4,
        (false, Some(_)) => 0,
        (_, None) => return false,
    };
    let Some(echo) = packet.get(header..).and_then(|rest| rest.first_chunk::<ECHO>()) else {
        return false;
    };
    let kind = if v4 { ECHO_REPLY } else { ECHO_REPLY_V6 };
    echo[0] == kind && echo[1] == 0 && echo[8..] == nonce[..]
}

/// The internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|word| {
        u32::from(u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or_default()]))
    });
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_to_our_own_question_counts() {
        let nonce = [7; 8];
        let mut packet = vec![0; 20];
        packet[0] = 0x45;
        let mut echo = request(true, &nonce, 3);
        assert_eq!(checksum(&echo), 0, "the sum over the whole is nothing");
        echo[0] = ECHO_REPLY;
        packet.extend_from_slice(&echo);
        assert!(is_answer(&packet, true, &nonce));
        assert!(!is_answer(&packet, true, &[8; 8]));
        assert!(!is_answer(&packet[..30], true, &nonce));
        assert!(!is_answer(&[], true, &nonce));
        let mut echo = request(false, &nonce, 3);
        assert!(!is_answer(&echo, false, &nonce), "it is the question");
        echo[0] = ECHO_REPLY_V6;
        assert!(is_answer(&echo, false, &nonce));
    }
}
