//! The finder's two sockets on one interface. Bound to it, so that nothing leaves or is
//! heard by another one.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use rustix::net::netdevice::name_to_index;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use crate::agent::netconf::live;

/// UDP port of the announcements.
const PORT: u16 = 8856;
/// All nodes on the link (RFC 4291, section 2.7.1): no group has to be joined, and every
/// switch passes it on.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// What could be opened of the two.
pub(super) struct Sockets {
    interface: String,
    six: Option<(UdpSocket, SocketAddr)>,
    four: Option<UdpSocket>,
}

impl Sockets {
    /// Opens them on this interface.
    ///
    /// # Errors
    /// When neither could be opened.
    pub(super) fn open(interface: &str) -> io::Result<Sockets> {
        let six = open(interface, Domain::IPV6).and_then(|socket| {
            let index = name_to_index(&socket, interface)?;
            socket.set_multicast_if_v6(index)?;
            socket.set_multicast_loop_v6(false)?;
            let to = SocketAddrV6::new(ALL_NODES, PORT, 0, index);
            Ok((UdpSocket::from_std(socket.into())?, to.into()))
        });
        let four = open(interface, Domain::IPV4).and_then(|socket| {
            socket.set_broadcast(true)?;
            UdpSocket::from_std(socket.into())
        });
        match (six, four) {
            (Err(error), Err(_)) => Err(error),
            (six, four) => {
                let interface = interface.to_owned();
                Ok(Sockets { interface, six: six.ok(), four: four.ok() })
            }
        }
    }

    /// Sends by both; whether one of them took it.
    pub(super) async fn send(&self, bytes: &[u8]) -> bool {
        let mut sent = false;
        if let Some((six, to)) = &self.six {
            sent |= six.send_to(bytes, to).await.is_ok();
        }
        if let Some(four) = self.four.as_ref().filter(|_| self.has_own_four()) {
            sent |= four.send_to(bytes, (Ipv4Addr::BROADCAST, PORT)).await.is_ok();
        }
        sent
    }

    /// Without an IPv4 address of its own the kernel would send from that of another
    /// interface, and the other node would take it for one on this cable.
    fn has_own_four(&self) -> bool {
        live::held(&self.interface)
            .is_ok_and(|held| held.iter().any(|prefix| prefix.address.is_ipv4()))
    }

    /// The next datagram of either.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        // Both futures would want the buffer: wait first, then read.
        tokio::select! {
            ready = readable(self.six.as_ref().map(|(six, _)| six)) => {
                ready?.recv_from(buffer).await
            }
            ready = readable(self.four.as_ref()) => ready?.recv_from(buffer).await,
        }
    }
}

async fn readable(socket: Option<&UdpSocket>) -> io::Result<&UdpSocket> {
    match socket {
        Some(socket) => socket.readable().await.map(|()| socket),
        None => std::future::pending().await,
    }
}

fn open(interface: &str, domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    // Several interfaces of one machine are listened to at a time.
    socket.set_reuse_address(true)?;
    let any: SocketAddr = if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
        (Ipv6Addr::UNSPECIFIED, PORT).into()
    } else {
        (Ipv4Addr::UNSPECIFIED, PORT).into()
    };
    socket.bind(&any.into())?;
    Ok(socket)
}
