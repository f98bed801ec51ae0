//! Long-lived TCP connections through the pair: a small numbered record each
//! few milliseconds, echoed by the server.
//!
//! One thread serves all connections. A connection that breaks stays broken
//! and says when; it is never opened again, as a user's would not be.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use twinwall_core::time::Moment;

use crate::clock::now;

use super::clock::{PROBE_PRIORITY, go_realtime};
use super::log::ProbeLog;
use super::socket::wait_readable;

/// One record: the probe's number, then padding.
const RECORD_BYTES: usize = 32;
/// How long opening a connection may take; the pair must serve by then.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How soon the thread sees that it is to stop.
const IDLE: Duration = Duration::from_millis(50);

/// One connection and what became of its records.
pub(super) struct Connection {
    /// Records sent and echoed.
    pub(super) log: ProbeLog,
    stream: TcpStream,
    /// Nanoseconds of the moment when it broke, 0 while it works.
    broken: AtomicU64,
}

impl Connection {
    /// Connects from the calling thread's namespace.
    pub(super) fn open(to: SocketAddr, capacity: usize) -> io::Result<Connection> {
        let stream = TcpStream::connect_timeout(&to, CONNECT_TIMEOUT).map_err(|error| {
            let text = format!("TCP probe to {to}: {error}; is the pair serving?");
            io::Error::new(error.kind(), text)
        })?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let log = ProbeLog::new(capacity, false);
        Ok(Connection { log, stream, broken: AtomicU64::new(0) })
    }

    /// When the connection broke.
    pub(super) fn broken(&self) -> Option<Moment> {
        match self.broken.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Moment::from_nanos(nanos)),
        }
    }

    fn breaks(&self) {
        self.broken.store(now().as_nanos(), Ordering::Relaxed);
    }

    /// Sends one record. A full send buffer (minutes of silence) breaks the
    /// connection, because a record cut in two could not be told from the next.
    fn send_one(&self) {
        let Some(number) = self.log.send(now()) else { return };
        let mut record = [0; RECORD_BYTES];
        record[..4].copy_from_slice(&number.to_be_bytes());
        match (&self.stream).write(&record) {
            Ok(RECORD_BYTES) => {}
            Ok(_) | Err(_) => self.breaks(),
        }
    }

    /// Reads what was echoed; `partial` keeps a record that came in pieces.
    fn fetch(&self, partial: &mut Vec<u8>) {
        let mut bytes = [0; 64 * RECORD_BYTES];
        match (&self.stream).read(&mut bytes) {
            Ok(0) => self.breaks(),
            Ok(length) => {
                let at = now();
                partial.extend_from_slice(&bytes[..length]);
                let whole = partial.len() / RECORD_BYTES * RECORD_BYTES;
                for record in partial[..whole].chunks_exact(RECORD_BYTES) {
                    let number = [record[0], record[1], record[2], record[3]];
                    self.log.answer(u32::from_be_bytes(number), at, None);
                }
                partial.drain(..whole);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.breaks(),
        }
    }
}

/// Body of the connections' thread: a record on each connection every `every`.
pub(super) fn connections_loop(
    connections: &[Arc<Connection>],
    every: Duration,
    stop: &AtomicBool,
) {
    go_realtime(PROBE_PRIORITY);
    let start = now();
    let share = every / u32::try_from(connections.len().max(1)).unwrap_or(u32::MAX);
    // Spread over the interval, so that they do not all speak at once.
    let mut due: Vec<Moment> =
        (0..).map(|index| start + share * index).take(connections.len()).collect();
    let mut partial: Vec<Vec<u8>> = vec![Vec::with_capacity(RECORD_BYTES); connections.len()];
    let mut polled: Vec<libc::pollfd> = Vec::with_capacity(connections.len());
    while !stop.load(Ordering::Relaxed) {
        let present = now();
        let mut next = present + IDLE;
        for (connection, due) in connections.iter().zip(&mut due) {
            if connection.broken().is_some() || connection.log.is_full() {
                continue;
            }
            if *due <= present {
                connection.send_one();
                *due = (*due + every).max(present);
            }
            next = next.min(*due);
        }
        polled.clear();
        polled.extend(connections.iter().map(|connection| libc::pollfd {
            // A negative descriptor is skipped by poll.
            fd: if connection.broken().is_some() { -1 } else { connection.stream.as_raw_fd() },
            events: libc::POLLIN,
            revents: 0,
        }));
        wait_readable(&mut polled, next.since(now()));
        for ((connection, entry), partial) in connections.iter().zip(&polled).zip(&mut partial) {
            if entry.revents != 0 {
                connection.fetch(partial);
            }
        }
    }
}
