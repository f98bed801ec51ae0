//! The server that the probes talk to: echoes UDP datagrams and TCP bytes.
//!
//! Sockets are opened inside the server's namespace; the threads then run
//! anywhere. Answers every datagram at once, keeps no state but the connections.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::MAX_CONNECTIONS;
use super::clock::{ECHO_PRIORITY, go_realtime};
use super::socket::wait_readable;

/// How soon a server thread sees that it is to stop.
const IDLE: Duration = Duration::from_millis(100);
const CHUNK_BYTES: usize = 2048;

/// Opens a UDP echo server in the calling thread's namespace.
pub(super) fn open_udp(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(at).map_err(|error| naming(&error, "UDP echo", at))?;
    socket.set_read_timeout(Some(IDLE))?;
    Ok(socket)
}

/// Opens a TCP echo server in the calling thread's namespace.
pub(super) fn open_tcp(at: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(at).map_err(|error| naming(&error, "TCP echo", at))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn naming(error: &io::Error, what: &str, at: SocketAddr) -> io::Error {
    io::Error::new(error.kind(), format!("{what} server at {at}: {error}"))
}

/// Body of a UDP echo thread.
pub(super) fn serve_udp(socket: &UdpSocket, stop: &AtomicBool) {
    go_realtime(ECHO_PRIORITY);
    let mut bytes = [0; CHUNK_BYTES];
    while !stop.load(Ordering::Relaxed) {
        // A timeout only lets `stop` be seen; an answer that cannot be sent is
        // a probe that nobody answers.
        if let Ok((length, from)) = socket.recv_from(&mut bytes) {
            let _ = socket.send_to(&bytes[..length], from);
        }
    }
}

/// Body of the TCP echo thread: all connections of one listener.
pub(super) fn serve_tcp(listener: &TcpListener, stop: &AtomicBool) {
    go_realtime(ECHO_PRIORITY);
    let mut connections: Vec<TcpStream> = Vec::with_capacity(MAX_CONNECTIONS);
    let mut polled: Vec<libc::pollfd> = Vec::with_capacity(MAX_CONNECTIONS + 1);
    while !stop.load(Ordering::Relaxed) {
        let readable = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        polled.clear();
        polled.push(readable(listener.as_raw_fd()));
        polled.extend(connections.iter().map(|stream| readable(stream.as_raw_fd())));
        wait_readable(&mut polled, IDLE);
        let mut ready = polled[1..].iter().map(|entry| entry.revents != 0);
        connections.retain_mut(|stream| !ready.next().unwrap_or(false) || echo_once(stream));
        if polled[0].revents != 0 && connections.len() < MAX_CONNECTIONS {
            connections.extend(accept(listener));
        }
    }
}

fn accept(listener: &TcpListener) -> Option<TcpStream> {
    let (stream, _) = listener.accept().ok()?;
    stream.set_nonblocking(true).ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}

/// Echoes what waits; `false` when the connection is over.
fn echo_once(stream: &mut TcpStream) -> bool {
    let mut bytes = [0; CHUNK_BYTES];
    match stream.read(&mut bytes) {
        Ok(0) => false,
        // The client sends a few bytes at a time, so the buffer always has room.
        Ok(length) => stream.write_all(&bytes[..length]).is_ok(),
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}
