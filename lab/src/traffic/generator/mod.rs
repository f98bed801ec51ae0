//! Flows in number through the pair: thousands a second, each with ends of its own.
//!
//! Called by the scenarios and the benchmark about flows. Whole packets are written by hand and
//! both ends of a TCP connection are played, so that no socket is opened for a flow: what this
//! costs is little beside what the gateways do with it. The addresses lie in networks behind
//! client and server, whose kernels drop what comes for them without a word.

mod packet;
mod sending;

use std::io;
use std::thread;
use std::time::Duration;

use twinwall_core::time::Moment;

use packet::{ACK, FIN, SYN, Segment};
pub use packet::{ends, number};
use sending::Sending;

use super::clock::sleep_until;
use super::inside;
use super::socket::{Batch, PacketKind, Socket, interface_index};
use crate::clock::now;
use crate::netns::{Namespace, Namespaces};
use crate::plan::{HOST_INTERFACE, MANY_SOURCES, MANY_TARGETS};

/// How often packets are sent and answered.
const TICK: Duration = Duration::from_millis(1);
/// Flows begun in one tick at the most: a tick that comes late must not flood.
const BURST: u32 = 256;
/// After the last flow was begun, its packets are answered for so long.
const SETTLE: Duration = Duration::from_millis(50);

/// What each flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowKind {
    /// One datagram, never answered.
    Udp,
    /// A TCP connection that is opened and stays open.
    TcpOpen,
    /// A TCP connection that is opened and closed at once.
    TcpShort,
}

/// Flows that were begun.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// Number of the first one.
    pub first: u32,
    /// When each was begun, in their order.
    pub sent: Vec<Moment>,
}

impl Made {
    /// Flows a second, over the whole time.
    pub fn rate(&self) -> f64 {
        match (self.sent.first(), self.sent.last()) {
            (Some(first), Some(last)) if last > first => {
                (self.sent.len() - 1) as f64 / last.since(*first).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

/// One host: what it sends, and the answers that it reads.
struct Host {
    out: Sending,
    back: Socket,
}

/// Makes flows; never the same one twice.
pub struct Generator {
    client: Host,
    server: Host,
    batch: Batch,
    next: u32,
}

impl Generator {
    /// Opens its sockets.
    ///
    /// # Errors
    /// When the kernel refuses one.
    pub fn open(at: &Namespaces) -> io::Result<Generator> {
        let host = |at: &std::sync::Arc<Namespace>, network| {
            inside(at, move || {
                let index = interface_index(HOST_INTERFACE)?;
                let back = Socket::packet(index, PacketKind::TcpTo(network))?;
                Ok(Host { out: Sending::new(Socket::packets()?), back })
            })
        };
        let client = host(&at.client, MANY_SOURCES)?;
        let server = host(&at.server, MANY_TARGETS)?;
        Ok(Generator { client, server, batch: Batch::new(), next: 0 })
    }

    /// Leaves so many numbers out: another generator has begun those flows.
    pub fn skip(&mut self, count: u32) {
        self.next = self.next.wrapping_add(count);
    }

    /// Begins so many flows at this rate a second, and answers them; returns when all are begun.
    pub fn make(&mut self, kind: FlowKind, count: u32, rate: u32) -> Made {
        self.make_while(kind, rate, |made| made < count)
    }

    /// The same for as long as `go_on` says so of the number begun.
    pub fn make_while(
        &mut self,
        kind: FlowKind,
        rate: u32,
        mut go_on: impl FnMut(u32) -> bool,
    ) -> Made {
        let mut made = Made { first: self.next, sent: Vec::new() };
        let start = now();
        let mut begun = 0_u32;
        while go_on(begun) {
            let present = now();
            let due = (present.since(start).as_secs_f64() * f64::from(rate)) as u32;
            // What a standstill of the machine left undone is not made up for.
            let burst = due.saturating_sub(begun).min(BURST);
            for _ in 0..burst {
                if go_on(begun) {
                    self.begin(kind);
                    made.sent.push(present);
                    begun += 1;
                }
            }
            self.answer(kind);
            sleep_until(present + TICK);
        }
        let end = now() + SETTLE;
        while now() < end {
            self.answer(kind);
            thread::sleep(TICK);
        }
        made
    }

    fn begin(&mut self, kind: FlowKind) {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        match kind {
            FlowKind::Udp => self.client.out.push(packet::udp(number)),
            FlowKind::TcpOpen | FlowKind::TcpShort => {
                self.client.out.push(Segment::first(number).packet());
            }
        }
    }

    /// Sends what is there to be sent, and what both ends say to what they have received.
    fn answer(&mut self, kind: FlowKind) {
        let closes = kind == FlowKind::TcpShort;
        self.client.out.flush();
        if kind == FlowKind::Udp {
            return;
        }
        let out = &mut self.server.out;
        self.server.back.drain(&mut self.batch, |frame, _| {
            Segment::read(frame).into_iter().flat_map(as_server).for_each(|said| {
                out.push(said.packet());
            });
        });
        out.flush();
        let out = &mut self.client.out;
        self.client.back.drain(&mut self.batch, |frame, _| {
            let read = Segment::read(frame).into_iter();
            read.flat_map(|heard| as_client(heard, closes)).for_each(|said| {
                out.push(said.packet());
            });
        });
        out.flush();
    }
}

/// A server takes every connection, and ends it when the client does.
fn as_server(heard: Segment) -> Option<Segment> {
    match heard.flags {
        SYN => Some(heard.answer(SYN)),
        flags if flags & FIN != 0 => Some(heard.answer(FIN)),
        _ => None,
    }
}

/// A client acknowledges, and ends a short connection at once.
fn as_client(heard: Segment, closes: bool) -> Vec<Segment> {
    let acknowledged = heard.answer(0);
    match heard.flags {
        flags if flags == SYN | ACK && closes => {
            vec![acknowledged, Segment { flags: FIN | ACK, ..acknowledged }]
        }
        flags if flags == SYN | ACK || flags & FIN != 0 => vec![acknowledged],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_connection_is_ended_by_both() {
        let syn_ack = as_server(Segment::first(7)).expect("a server answers");
        let said = as_client(syn_ack, true);
        assert_eq!(said.len(), 2);
        assert_eq!(as_server(said[0]), None);
        let end = as_server(said[1]).expect("a server ends too");
        let last = as_client(end, true);
        assert_eq!(last.len(), 1);
        assert_eq!((last[0].sequence, last[0].acknowledged), (3, 3));
    }

    #[test]
    fn an_open_one_stays_open() {
        let syn_ack = as_server(Segment::first(7)).expect("a server answers");
        assert_eq!(as_client(syn_ack, false).len(), 1);
    }
}
