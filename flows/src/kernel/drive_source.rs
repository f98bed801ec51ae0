//! A source with its sockets: the body of a thread's loop on the active node.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::{Duration, Instant};

use twinwall_netlink::wait::{readable, wait};

use super::conntrack::{Conntrack, Dump};
use super::events::Events;
use super::neighbours::{NeighbourEvents, NeighbourTable};
use super::read::Event;
use crate::neighbour::{Interface, Neighbour};
use crate::source::Source;

/// Events read in one turn: acknowledgements must not wait for a flood.
const EVENTS_AT_ONCE: usize = 1024;
/// Datagrams of a dump in one turn, each of some hundred flows.
const DUMPED_AT_ONCE: usize = 8;
/// Time between two turns while events come, and while many do: what a turn, its message
/// and its acknowledgement wake costs more than a hundred events. Less than half of the lag
/// that is promised; the first event after a pause does not wait.
const PACE: Duration = Duration::from_millis(4);
const PACE_OF_MANY: Duration = Duration::from_millis(12);
/// So many events in a turn are many: a thousand a second.
const MANY: usize = 4;
/// How often neighbours are told as a whole.
const NEIGHBOURS: Duration = Duration::from_secs(30);

/// How long the next turn waits after one with so many events. After a flood, as the kernel
/// makes when it ends the flows of some seconds at once, there are more to be read already.
fn pace(events: usize) -> Option<Duration> {
    match events {
        0 | EVENTS_AT_ONCE.. => None,
        1..MANY => Some(PACE),
        MANY.. => Some(PACE_OF_MANY),
    }
}

/// A source with its sockets. `wait`, `turn`, and send what `source.poll` gives.
#[derive(Debug)]
pub struct SourceDrive {
    /// The source; connections, messages and the view are its business.
    pub source: Source,
    events: Events,
    conntrack: Conntrack,
    dump: Option<Dump>,
    neighbour_events: NeighbourEvents,
    neighbour_table: NeighbourTable,
    interfaces: Vec<Interface>,
    neighbours_at: Instant,
    /// Not before this the next turn, if the last one read events.
    next: Option<Instant>,
}

impl SourceDrive {
    /// In the calling thread's network namespace. `interfaces`: names of the interfaces
    /// whose neighbours are told.
    ///
    /// # Errors
    /// What the kernel says to the sockets; it wants CAP_NET_ADMIN.
    pub fn open(source: Source, interfaces: &[String], now: Instant) -> io::Result<SourceDrive> {
        Ok(SourceDrive {
            source,
            events: Events::open()?,
            conntrack: Conntrack::open()?,
            dump: None,
            neighbour_events: NeighbourEvents::open()?,
            neighbour_table: NeighbourTable::open()?,
            interfaces: interfaces.iter().filter_map(|n| Interface::new(n.as_bytes())).collect(),
            neighbours_at: now,
            next: None,
        })
    }

    /// Waits until there is something to do, or `wake` can be read: a message of the
    /// mirror has come, or the agent wants something.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn wait(&mut self, wake: BorrowedFd<'_>, now: Instant) -> io::Result<()> {
        if self.dump.is_some() && self.source.has_room() {
            return Ok(());
        }
        if let Some(next) = self.next.take() {
            // Not even for an acknowledgement, which would make a turn of every round trip.
            thread::sleep(next.saturating_duration_since(now));
            return Ok(());
        }
        let due = self.source.deadline(now).min(self.neighbours_at);
        let mut fds = [
            readable(wake),
            readable(self.events.as_fd()),
            readable(self.neighbour_events.as_fd()),
        ];
        wait(&mut fds, Some(due.saturating_duration_since(now)))
    }

    /// Reads what is there and does what is due; never waits for anybody but the kernel.
    ///
    /// # Errors
    /// When a socket fails: open everything anew.
    pub fn turn(&mut self, now: Instant) -> io::Result<()> {
        let (source, conntrack) = (&mut self.source, &mut self.conntrack);
        let drained = self.events.drain(EVENTS_AT_ONCE, &mut |event| {
            let whole = source.wants_whole(event).and_then(|key| conntrack.get(&key).ok()?);
            match whole {
                Some(flow) => source.event(now, &Event::Seen(flow)),
                None => source.event(now, event),
            }
        })?;
        if drained.overrun {
            self.source.overrun(now);
        }
        while let Some(key) = self.source.asks(now) {
            // One that is gone, or cannot be read, has said so or will.
            if let Ok(Some(flow)) = self.conntrack.get(&key) {
                self.source.asked(now, &flow);
            }
        }
        self.next = pace(drained.events).map(|pace| now + pace);
        self.dump_on(now);
        let work = self.source.work();
        if !work.is_empty() {
            let outcomes = self.conntrack.write(&work.writes)?;
            self.source.finished(&work, &outcomes);
        }
        self.neighbours(now)
    }

    /// Leaves less room in the kernel for events not yet read, for tests of overruns.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_event_room(&self, bytes: i32) -> io::Result<()> {
        self.events.set_room(bytes)
    }

    /// Begins a dump that is due, or reads on in the one under way.
    fn dump_on(&mut self, now: Instant) {
        if self.dump.is_none() && self.source.wants_dump(now) {
            match Conntrack::dump() {
                Ok(dump) => {
                    self.source.dump_began(now);
                    self.dump = Some(dump);
                }
                Err(error) => self.source.dump_failed(now, &error.to_string()),
            }
        }
        let Some(mut dump) = self.dump.take() else { return };
        for _ in 0..DUMPED_AT_ONCE {
            if !self.source.has_room() {
                break;
            }
            let source = &mut self.source;
            match dump.next(&mut |flow| source.dumped(now, flow)) {
                Ok(true) => {}
                Ok(false) => {
                    let expectations = self.conntrack.expectations().unwrap_or_default();
                    self.source.dump_ended(now, expectations);
                    return;
                }
                Err(error) => {
                    self.source.dump_failed(now, &error.to_string());
                    return;
                }
            }
        }
        self.dump = Some(dump);
    }

    fn neighbours(&mut self, now: Instant) -> io::Result<()> {
        let interfaces = &self.interfaces;
        let of_ours = |neighbour: &Neighbour| interfaces.contains(&neighbour.interface);
        let mut changed = Vec::new();
        let lost = self.neighbour_events.drain(EVENTS_AT_ONCE, &mut |entry| {
            changed.extend(entry.told().filter(of_ours));
        })?;
        if lost || now >= self.neighbours_at {
            self.neighbours_at = now + NEIGHBOURS;
            let all = self.neighbour_table.dump()?;
            let known = |neighbour: &Neighbour| neighbour.mac.is_some() && of_ours(neighbour);
            let all: Vec<Neighbour> =
                all.iter().filter_map(super::Entry::told).filter(known).collect();
            self.source.neighbours(&all, true);
        } else if !changed.is_empty() {
            self.source.neighbours(&changed, false);
        }
        Ok(())
    }
}
