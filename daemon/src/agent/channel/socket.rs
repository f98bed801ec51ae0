//! The sockets of the channel: bound to the HA link, so that nothing of it can be reached
//! by another interface, whatever the packet filter says.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use super::Stream;

/// Connections that wait to be taken: one for each stream, and as many of strangers as come
/// in one turn of the loop that takes them.
const BACKLOG: u32 = 128;
/// How long a peer on the same cable may take to answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// What is sent when nothing else is: `TC_PRIO_BULK` of the kernel.
const BULK: u32 = 2;

/// Listens on this port of the interface, for both families where there is IPv6.
///
/// # Errors
/// When the interface is not there, or the port is taken.
pub(super) fn listen(interface: &str, port: u16) -> io::Result<TcpListener> {
    match listen_at(interface, SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
        // A machine without IPv6.
        Err(error) if error.kind() == io::ErrorKind::Unsupported || no_family(&error) => {
            listen_at(interface, SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
        }
        listener => listener,
    }
}

fn listen_at(interface: &str, address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(interface, address)?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Connects to the peer by this interface.
///
/// # Errors
/// The system's, or that nothing answered.
pub(super) async fn connect(interface: &str, address: SocketAddr) -> io::Result<TcpStream> {
    let connecting = socket(interface, address)?.connect(address);
    let stream = timeout(CONNECT_LIMIT, connecting).await.map_err(|_| {
        let text = format!("no answer for {} s", CONNECT_LIMIT.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, text)
    })??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Logs and reports come after everything else on the wire, where the interface's queue knows
/// priorities.
pub(super) fn set_priority(stream: Stream, tcp: &TcpStream) {
    match stream {
        Stream::Control | Stream::Configuration | Stream::Flows => {}
        // Without it they share the link evenly, and their rate has a bound of its own.
        Stream::Logs | Stream::Reports => _ = socket2::SockRef::from(tcp).set_priority(BULK),
    }
}

fn socket(interface: &str, address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind_device(Some(interface.as_bytes()))?;
    Ok(socket)
}

/// `EAFNOSUPPORT` and `EADDRNOTAVAIL`: IPv6 is not built in, or switched off.
fn no_family(error: &io::Error) -> bool {
    let known = [libc::EAFNOSUPPORT, libc::EADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|number| known.contains(&number))
}
