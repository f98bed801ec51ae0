//! Numbered probes at a steady rate: one sender and one receiver thread for
//! all streams of a side.
//!
//! The sender keeps an absolute schedule and notes its own times, so that its
//! lateness is never taken for an outage. The receiver wakes every 2 ms and
//! uses the kernel's receive times, so that it costs little and its lateness
//! does not matter either.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use twinwall_core::time::Moment;

use crate::clock::now;

use super::clock::{PROBE_PRIORITY, go_realtime, sleep_until};
use super::frames::{self, Frame};
use super::log::{Mac, ProbeLog};
use super::socket::{Address, Batch, PacketKind, Socket, interface_index, interface_mac};
use super::{ECHO_PORT, StreamKind};

/// Senders wake no more often; faster streams send several probes a tick.
const TICK: Duration = Duration::from_micros(500);
/// A sender that is later than this leaves the missed probes out: a burst of
/// old probes would measure its own queue.
const LATE: Duration = Duration::from_millis(20);
/// How often receivers fetch what the kernel has received and stamped.
const FETCH: Duration = Duration::from_millis(2);
/// Senders and receivers look at least this often whether they are to stop.
const IDLE: Duration = Duration::from_millis(50);

enum Wire {
    Udp,
    Ping { ipv6: bool, tag: u16 },
    Arp { source: Mac, tag: u8, target: std::net::Ipv4Addr },
    Solicit { source: Mac, tag: u8, target: std::net::Ipv6Addr },
}

/// One stream of probes to one address.
pub(super) struct Stream {
    /// What kind of probe.
    pub(super) kind: StreamKind,
    /// The address asked.
    pub(super) target: IpAddr,
    /// What became of the probes.
    pub(super) log: ProbeLog,
    wire: Wire,
    socket: Socket,
    address: Option<Address>,
    every: Duration,
}

/// What a stream is to do.
#[derive(Clone, Copy)]
pub(super) struct StreamOrder {
    pub(super) kind: StreamKind,
    pub(super) target: IpAddr,
    pub(super) every: Duration,
    /// Distinguishes the streams of one run in their frames.
    pub(super) tag: u8,
    /// Interface on which link-local and link-layer probes go out.
    pub(super) interface: &'static str,
    /// Probes that the log must hold.
    pub(super) capacity: usize,
}

impl Stream {
    /// Opens the stream's socket in the calling thread's namespace.
    pub(super) fn open(order: &StreamOrder) -> io::Result<Stream> {
        let (interface, tag, target) = (order.interface, order.tag, order.target);
        let port = |port| socket_address(target, port, interface).map(Address::new);
        let (wire, socket, address) = match order.kind {
            StreamKind::Routed => (Wire::Udp, Socket::udp(target)?, Some(port(ECHO_PORT)?)),
            StreamKind::Ping => {
                let wire = Wire::Ping { ipv6: target.is_ipv6(), tag: u16::from(tag) };
                (wire, Socket::icmp(target)?, Some(port(0)?))
            }
            StreamKind::Resolve => {
                let index = interface_index(interface)?;
                let source = interface_mac(interface)?;
                let (kind, wire) = match target {
                    IpAddr::V4(target) => (PacketKind::Arp, Wire::Arp { source, tag, target }),
                    IpAddr::V6(target) => {
                        (PacketKind::Advert, Wire::Solicit { source, tag, target })
                    }
                };
                (wire, Socket::packet(index, kind)?, None)
            }
        };
        let log = ProbeLog::new(order.capacity, order.kind == StreamKind::Resolve);
        Ok(Stream { kind: order.kind, target, log, wire, socket, address, every: order.every })
    }

    fn frame(&self, number: u32) -> Frame {
        match self.wire {
            Wire::Udp => frames::udp(number),
            Wire::Ping { ipv6, tag } => frames::echo(ipv6, tag, number),
            Wire::Arp { source, tag, target } => frames::arp(source, tag, number, target),
            Wire::Solicit { source, tag, target } => frames::solicit(source, tag, number, target),
        }
    }

    /// The probe that `bytes` answers, and who answered.
    fn answer(&self, bytes: &[u8]) -> Option<(u32, Option<Mac>)> {
        match self.wire {
            Wire::Udp => frames::udp_number(bytes).map(|number| (number, None)),
            Wire::Ping { ipv6, tag } => {
                frames::echo_number(ipv6, tag, bytes).map(|number| (number, None))
            }
            Wire::Arp { tag, target, .. } => {
                let (number, by, about) = frames::arp_reply(tag, bytes)?;
                (about == target).then_some((number, Some(by)))
            }
            Wire::Solicit { tag, target, .. } => {
                let count = u32::try_from(self.log.count()).unwrap_or(u32::MAX);
                let (number, by) = frames::advert(tag, count, target, bytes)?;
                Some((number, Some(by)))
            }
        }
    }

    fn send_one(&self) {
        if let Some(number) = self.log.send(now()) {
            self.socket.send(self.frame(number).bytes(), self.address.as_ref());
        }
    }

    fn fetch(&self, batch: &mut Batch) {
        self.socket.drain(batch, |bytes, at| {
            if let Some((number, by)) = self.answer(bytes) {
                self.log.answer(number, at, by);
            }
        });
    }
}

/// `target` with the scope that link-local addresses need.
pub(super) fn socket_address(target: IpAddr, port: u16, interface: &str) -> io::Result<SocketAddr> {
    match target {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            Ok(SocketAddrV6::new(v6, port, 0, interface_index(interface)?).into())
        }
        IpAddr::V4(_) | IpAddr::V6(_) => Ok(SocketAddr::new(target, port)),
    }
}

/// Body of a side's sender thread.
pub(super) fn send_loop(streams: &[Arc<Stream>], stop: &AtomicBool) {
    go_realtime(PROBE_PRIORITY);
    let start = now() + TICK;
    let mut due: Vec<Moment> = vec![start; streams.len()];
    let mut wake = start;
    while !stop.load(Ordering::Relaxed) {
        sleep_until(wake);
        let present = now();
        let mut next = present + IDLE;
        for (stream, due) in streams.iter().zip(&mut due) {
            if stream.log.is_full() {
                continue;
            }
            if present.since(*due) > LATE {
                *due = present;
            }
            while *due <= present {
                stream.send_one();
                *due += stream.every;
            }
            next = next.min(*due);
        }
        wake = next.max(wake + TICK);
    }
}

/// Body of a side's receiver thread.
pub(super) fn receive_loop(streams: &[Arc<Stream>], stop: &AtomicBool) {
    go_realtime(PROBE_PRIORITY);
    let mut batch = Batch::new();
    while !stop.load(Ordering::Relaxed) {
        sleep_until(now() + FETCH);
        for stream in streams {
            stream.fetch(&mut batch);
        }
    }
}
