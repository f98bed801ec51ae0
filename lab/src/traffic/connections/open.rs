//! Opens the connections, each end in its namespace. Called once a run; the pair must serve.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use super::wire::{Ends, LARGE_BYTES, Line, Plug, SMALL_BYTES};
use super::{ConnectionPlan, Kind};
use crate::netns::{Namespace, Namespaces};
use crate::plan;
use crate::traffic::inside;

/// The server's port for connections.
const PORT: u16 = 5001;
/// The first port of streams; each has its own.
const FIRST_STREAM: u16 = 5100;
/// How long opening one may take.
const WITHIN: Duration = Duration::from_secs(5);
/// Every so many connections of a kind carries much.
const MUCH_EVERY: usize = 4;
/// How a stream is asked for: any datagram will do.
const ASK: &[u8] = b"play";

/// All connections of a plan, FTP apart.
pub(super) fn all(plan: &ConnectionPlan, at: &Namespaces) -> io::Result<Vec<Ends>> {
    let mut ends = Vec::new();
    for (kind, count) in &plan.kinds {
        let listener = listener(*kind, at)?;
        for one in 0..*count {
            let line = Line::new(*kind, plan.capacity());
            let opened = match (&listener, *kind) {
                (Some(listener), kind) => {
                    let plugs = connect(kind, plan.nat, at, listener)?;
                    let much = one % MUCH_EVERY == 0;
                    let record_bytes = if much { LARGE_BYTES } else { SMALL_BYTES };
                    Ends::new(line, plugs, [true, true], record_bytes)
                }
                (None, kind) => {
                    let port = FIRST_STREAM + u16::try_from(ends.len()).unwrap_or(0);
                    Ends::new(line, stream(kind, port, at)?, [false, true], SMALL_BYTES)
                }
            };
            ends.push(opened);
        }
    }
    Ok(ends)
}

/// Who connects, who is connected to, and where that one listens.
fn sides(kind: Kind, at: &Namespaces) -> (&Arc<Namespace>, &Arc<Namespace>, SocketAddr) {
    let to_server = |address| (&at.client, &at.server, SocketAddr::new(address, PORT));
    let to_client =
        |address| (&at.server, &at.client, SocketAddr::new(address, plan::PUBLISHED_PORT));
    match kind {
        Kind::Tcp | Kind::Stream | Kind::Transfer => to_server(plan::SERVER_IP),
        Kind::Tcp6 | Kind::Stream6 => to_server(plan::SERVER_IP6),
        Kind::Published => to_client(plan::CLIENT_IP),
        Kind::Published6 => to_client(plan::CLIENT_IP6),
    }
}

/// None for streams, which have no connection.
fn listener(kind: Kind, at: &Namespaces) -> io::Result<Option<TcpListener>> {
    let (_, listens, address) = sides(kind, at);
    match kind {
        Kind::Stream | Kind::Stream6 => Ok(None),
        Kind::Tcp | Kind::Tcp6 | Kind::Published | Kind::Published6 | Kind::Transfer => {
            inside(listens, move || TcpListener::bind(address)).map(Some)
        }
    }
}

/// Both ends: the client's host, the server's.
fn connect(
    kind: Kind,
    nat: bool,
    at: &Namespaces,
    listener: &TcpListener,
) -> io::Result<[Plug; 2]> {
    let (connects, _, mut address) = sides(kind, at);
    if nat && kind == Kind::Published {
        address.set_ip(plan::WAN_VIP);
    }
    let opened = inside(connects, move || dial(address))?;
    let (accepted, _) = listener.accept()?;
    let [opened, accepted] = [quick(opened)?, quick(accepted)?];
    match kind {
        Kind::Published | Kind::Published6 => Ok([accepted, opened]),
        Kind::Tcp | Kind::Tcp6 | Kind::Stream | Kind::Stream6 | Kind::Transfer => {
            Ok([opened, accepted])
        }
    }
}

/// Connects from the calling thread's namespace.
pub(super) fn dial(to: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&to, WITHIN).map_err(|error| {
        io::Error::new(error.kind(), format!("connection to {to}: {error}; is the pair serving?"))
    })
}

/// As the carrying thread needs it.
pub(super) fn quick(stream: TcpStream) -> io::Result<Plug> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(Plug::Tcp(stream))
}

/// A stream that the client has asked for.
fn stream(kind: Kind, port: u16, at: &Namespaces) -> io::Result<[Plug; 2]> {
    let address = match kind {
        Kind::Stream6 | Kind::Tcp6 | Kind::Published6 => plan::SERVER_IP6,
        Kind::Stream | Kind::Tcp | Kind::Published | Kind::Transfer => plan::SERVER_IP,
    };
    let to = SocketAddr::new(address, port);
    let server = inside(&at.server, move || UdpSocket::bind(to))?;
    let client = inside(&at.client, move || {
        let any: IpAddr = if to.is_ipv6() { [0_u16; 8].into() } else { [0_u8; 4].into() };
        let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
        socket.connect(to)?;
        Ok(socket)
    })?;
    server.set_read_timeout(Some(WITHIN))?;
    client.send(ASK)?;
    let mut bytes = [0; ASK.len()];
    let (_, from) = server.recv_from(&mut bytes).map_err(|error| {
        io::Error::new(error.kind(), format!("stream from {to}: {error}; is the pair serving?"))
    })?;
    server.connect(from)?;
    for socket in [&client, &server] {
        socket.set_nonblocking(true)?;
    }
    Ok([Plug::Udp(client), Plug::Udp(server)])
}
