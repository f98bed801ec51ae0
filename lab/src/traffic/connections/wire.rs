//! Carries the connections: one thread holds both ends of each, sends what is due and notes what
//! came. Called by [`super::Connections`].

use std::io::{self, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use twinwall_core::time::Moment;

use super::Kind;
use crate::clock::now;
use crate::traffic::clock::{PROBE_PRIORITY, go_realtime, sleep_until};
use crate::traffic::log::ProbeLog;
use crate::traffic::socket::wait_readable;

/// How often the thread sends and reads; a pause is exact to this.
const TICK: Duration = Duration::from_millis(2);
/// A sender that is later than this leaves records out: a burst of old ones would measure itself.
const LATE: Duration = Duration::from_millis(20);
/// Read at a time.
const CHUNK_BYTES: usize = 64 << 10;
/// One record of most connections.
pub(super) const SMALL_BYTES: usize = 256;
/// One record of those that carry much: a dozen packets that are in flight at once.
pub(super) const LARGE_BYTES: usize = 16 << 10;

/// A direction: from the client's host, or from the server's.
pub(super) const THERE: usize = 0;
/// From the server's host.
pub(super) const BACK: usize = 1;

/// One connection and what became of its records.
pub(super) struct Line {
    pub(super) kind: Kind,
    /// There and back.
    pub(super) logs: [ProbeLog; 2],
    /// Nanoseconds of the moment when it broke, 0 while it works.
    broken: AtomicU64,
}

impl Line {
    /// With room for so many records each way.
    pub(super) fn new(kind: Kind, capacity: usize) -> Line {
        let logs = [ProbeLog::new(capacity, false), ProbeLog::new(capacity, false)];
        Line { kind, logs, broken: AtomicU64::new(0) }
    }

    /// When it broke.
    pub(super) fn broken(&self) -> Option<Moment> {
        match self.broken.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(Moment::from_nanos(nanos)),
        }
    }

    fn breaks(&self) {
        self.broken.store(now().as_nanos().max(1), Ordering::Relaxed);
    }
}

/// One end of a connection. Never blocks.
pub(super) enum Plug {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

impl Plug {
    fn is_stream(&self) -> bool {
        match self {
            Plug::Tcp(_) => true,
            Plug::Udp(_) => false,
        }
    }

    fn fd(&self) -> RawFd {
        match self {
            Plug::Tcp(stream) => stream.as_raw_fd(),
            Plug::Udp(socket) => socket.as_raw_fd(),
        }
    }

    fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Plug::Tcp(stream) => (&*stream).read(bytes),
            Plug::Udp(socket) => socket.recv(bytes),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Plug::Tcp(stream) => (&*stream).write(bytes),
            Plug::Udp(socket) => socket.send(bytes),
        }
    }
}

/// Both ends of a connection, and what is half sent or half read.
pub(super) struct Ends {
    pub(super) line: Arc<Line>,
    /// At the client's host, at the server's.
    pub(super) plugs: [Plug; 2],
    /// Which of the two send.
    pub(super) sends: [bool; 2],
    pub(super) record_bytes: usize,
    pub(super) unsent: [Vec<u8>; 2],
    pub(super) unread: [Vec<u8>; 2],
}

impl Ends {
    /// Of a connection that has just been opened.
    pub(super) fn new(line: Line, plugs: [Plug; 2], sends: [bool; 2], record_bytes: usize) -> Ends {
        let (unsent, unread) = (Default::default(), Default::default());
        Ends { line: Arc::new(line), plugs, sends, record_bytes, unsent, unread }
    }

    /// A further record, unless the one before is not out yet.
    fn send(&mut self, way: usize) {
        if !self.flush(way) {
            return;
        }
        let Some(number) = self.line.logs[way].send(now()) else { return };
        self.unsent[way].resize(self.record_bytes, 0);
        self.unsent[way][..4].copy_from_slice(&number.to_be_bytes());
        self.flush(way);
    }

    /// Whether nothing is left to be sent.
    fn flush(&mut self, way: usize) -> bool {
        while !self.unsent[way].is_empty() {
            let written = self.plugs[way].write(&self.unsent[way]);
            match (written, self.plugs[way].is_stream()) {
                // A datagram is sent or lost.
                (_, false) => self.unsent[way].clear(),
                (Ok(count), true) if count > 0 => drop(self.unsent[way].drain(..count)),
                (Err(error), true) if error.kind() == io::ErrorKind::WouldBlock => return false,
                (Ok(_) | Err(_), true) => {
                    self.line.breaks();
                    return false;
                }
            }
        }
        true
    }

    /// Reads what came at this end.
    fn fetch(&mut self, end: usize, bytes: &mut [u8]) {
        let way = 1 - end;
        loop {
            match (self.plugs[end].read(bytes), self.plugs[end].is_stream()) {
                (Ok(0), true) => return self.line.breaks(),
                (Ok(length), false) => {
                    if let Some(number) = bytes[..length].first_chunk() {
                        self.line.logs[way].answer(u32::from_be_bytes(*number), now(), None);
                    }
                }
                (Ok(length), true) => self.note(way, &bytes[..length]),
                (Err(error), _) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Somebody on the way refused an earlier datagram; the next may pass.
                (Err(_), false) => return,
                (Err(_), true) => return self.line.breaks(),
            }
        }
    }

    fn note(&mut self, way: usize, bytes: &[u8]) {
        let at = now();
        let unread = &mut self.unread[way];
        unread.extend_from_slice(bytes);
        let whole = unread.len() / self.record_bytes * self.record_bytes;
        for record in unread[..whole].chunks_exact(self.record_bytes) {
            let number = [record[0], record[1], record[2], record[3]];
            self.line.logs[way].answer(u32::from_be_bytes(number), at, None);
        }
        unread.drain(..whole);
    }
}

/// Body of the thread: a record each way on each connection every `every`.
pub(super) fn carry(mut all: Vec<Ends>, every: Duration, stop: &AtomicBool) {
    go_realtime(PROBE_PRIORITY);
    let share = every / u32::try_from(all.len().max(1)).unwrap_or(u32::MAX);
    let start = now();
    // Spread over the interval, so that they do not all speak at once.
    let mut due: Vec<Moment> = (0..).map(|one| start + share * one).take(all.len()).collect();
    let mut bytes = vec![0; CHUNK_BYTES];
    let mut polled: Vec<libc::pollfd> = Vec::with_capacity(all.len() * 2);
    let mut wake = start;
    while !stop.load(Ordering::Relaxed) {
        let present = now();
        for (ends, due) in all.iter_mut().zip(&mut due) {
            if ends.line.broken().is_some() || *due > present {
                continue;
            }
            if present.since(*due) > LATE {
                *due = present;
            }
            *due += every;
            for way in [THERE, BACK] {
                if ends.sends[way] {
                    ends.send(way);
                }
            }
        }
        receive(&mut all, &mut polled, &mut bytes);
        wake = (wake + TICK).max(now());
        sleep_until(wake);
    }
}

fn receive(all: &mut [Ends], polled: &mut Vec<libc::pollfd>, bytes: &mut [u8]) {
    polled.clear();
    polled.extend(all.iter().flat_map(|ends| {
        // A negative descriptor is skipped by poll.
        let dead = ends.line.broken().is_some();
        ends.plugs.each_ref().map(|plug| libc::pollfd {
            fd: if dead { -1 } else { plug.fd() },
            events: libc::POLLIN,
            revents: 0,
        })
    }));
    wait_readable(polled, Duration::ZERO);
    for (ends, entries) in all.iter_mut().zip(polled.chunks_exact(2)) {
        for (end, entry) in entries.iter().enumerate() {
            if entry.revents != 0 {
                ends.fetch(end, bytes);
            }
        }
    }
}
