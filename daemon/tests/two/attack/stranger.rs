//! What a stranger does on the cable. Each goes on until the value is dropped.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::support::within;

/// His address where he needs one that answers.
pub(crate) const STRANGER: [u8; 4] = [192, 0, 2, 66];
/// Longest wait for a connection: on a cable it is there at once, or not at all.
const CONNECT: Duration = Duration::from_millis(200);
/// What he does at most between two looks whether he shall stop.
const TURN: Duration = Duration::from_millis(50);

/// Runs `attack` again and again in the namespace while `meanwhile` runs.
pub(crate) fn during<T>(
    namespace: &str,
    mut attack: impl FnMut() + Send,
    meanwhile: impl FnOnce() -> T,
) -> T {
    let stop = AtomicBool::new(false);
    // Also after a failed claim, or the attack would go on for ever.
    struct Stopping<'a>(&'a AtomicBool);
    impl Drop for Stopping<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    std::thread::scope(|scope| {
        let attacking = || {
            while !stop.load(Ordering::Relaxed) {
                attack();
            }
        };
        scope.spawn(|| within(namespace, attacking));
        let _stopping = Stopping(&stop);
        meanwhile()
    })
}

/// A connection from the stranger's address; none when it is not taken.
pub(crate) fn call(to: [u8; 4], port: u16) -> Option<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((STRANGER, 0)).into()).expect("bound");
    let to = SocketAddr::from((Ipv4Addr::from(to), port));
    socket.connect_timeout(&to.into(), CONNECT).ok()?;
    Some(socket.into())
}

/// So many connections to the port, held without a word; what the other end closes is
/// opened again at once.
pub(crate) struct Silent {
    to: ([u8; 4], u16),
    held: Vec<TcpStream>,
    most: usize,
}

impl Silent {
    pub(crate) fn at(to: [u8; 4], port: u16, most: usize) -> Silent {
        Silent { to: (to, port), held: Vec::new(), most }
    }

    /// One look over all of them.
    pub(crate) fn hold(&mut self) {
        self.held.retain_mut(is_open);
        while self.held.len() < self.most {
            let Some(stream) = call(self.to.0, self.to.1) else { break };
            stream.set_nonblocking(true).expect("set");
            self.held.push(stream);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn is_open(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 4096]) {
        Ok(0) => false,
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

/// Says this on one connection, and hears what comes back until the other end closes, or for
/// `patience`.
pub(crate) fn say(to: [u8; 4], port: u16, bytes: &[u8], patience: Duration) -> Vec<u8> {
    let mut heard = Vec::new();
    let Some(mut stream) = call(to, port) else { return heard };
    stream.set_read_timeout(Some(patience)).expect("set");
    stream.set_write_timeout(Some(TURN)).expect("set");
    // It may close in the middle.
    let _ = stream.write_all(bytes);
    let _ = stream.read_to_end(&mut heard);
    heard
}

/// A datagram that says it is from this address.
pub(crate) fn send_from(from: [u8; 4], to: [u8; 4], port: u16, bytes: &[u8]) {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
    socket.set_ip_transparent_v4(true).expect("set");
    // The node's own finder has the port as well.
    socket.set_reuse_address(true).expect("set");
    socket.bind(&SocketAddr::from((from, port)).into()).expect("bound");
    // The cable may be full.
    let _ = UdpSocket::from(socket).send_to(bytes, (Ipv4Addr::from(to), port));
}

/// Bytes that look like nothing, the same in each run.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}
