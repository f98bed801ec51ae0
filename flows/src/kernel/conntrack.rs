//! Requests to connection tracking: dumps, single flows, and changes in trains of 64.

use std::io;

use twinwall_netlink::number::{NLM_F_ACK, NLMSG_DONE, NLMSG_ERROR};
use twinwall_netlink::socket::{REQUEST_ROOM, Socket};
use twinwall_netlink::wire::{Message, Messages};

use super::number::CTA_STATS_GLOBAL_ENTRIES;
use super::read;
use super::say;
use crate::expectation::{Expectation, MAX_EXPECTATIONS};
use crate::flow::Flow;
use crate::tuple::Key;
use crate::work::{Outcome, Write};

/// Changes in one send: beyond it the kernel's own work is all that counts.
const AT_ONCE: usize = 64;

/// A socket for requests.
#[derive(Debug)]
pub struct Conntrack {
    socket: Socket,
    sequence: u32,
    /// Requests that are written and not yet sent.
    train: Vec<u8>,
    /// For each of them which write it belongs to; `None` for those whose failure does
    /// not matter.
    owners: Vec<Option<usize>>,
}

impl Conntrack {
    /// In the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel says; it wants CAP_NET_ADMIN.
    pub fn open() -> io::Result<Conntrack> {
        let socket = Socket::open(libc::NETLINK_NETFILTER, REQUEST_ROOM)?;
        Ok(Conntrack { socket, sequence: 0, train: Vec::new(), owners: Vec::new() })
    }

    /// The kernel's number of the network namespace that this is about.
    ///
    /// # Errors
    /// What the kernel says; before Linux 5.14 it has none.
    pub(super) fn namespace(&self) -> io::Result<u64> {
        self.socket.namespace()
    }

    /// Begins a dump of all flows. It has a socket of its own, so that requests go on.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn dump() -> io::Result<Dump> {
        let socket = Socket::open(libc::NETLINK_NETFILTER, REQUEST_ROOM)?;
        let mut request = Vec::new();
        say::dump_flows(&mut request, 1);
        socket.send(&request)?;
        Ok(Dump { socket })
    }

    /// One flow; `None` when it is not there.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn get(&mut self, key: &Key) -> io::Result<Option<Flow>> {
        let sequence = self.next_sequence();
        self.train.clear();
        say::get(&mut self.train, key, sequence);
        self.socket.send(&self.train)?;
        loop {
            let mut answers = Messages(self.socket.receive()?);
            let Some(answer) = answers.find(|message| message.head.sequence == sequence) else {
                continue;
            };
            if answer.head.kind != NLMSG_ERROR {
                return Ok(read::flow(answer.attributes()));
            }
            return match errno(&answer) {
                libc::ENOENT => Ok(None),
                errno => Err(io::Error::from_raw_os_error(errno)),
            };
        }
    }

    /// How many entries this network namespace has; costs next to nothing.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn count(&mut self) -> io::Result<usize> {
        let sequence = self.next_sequence();
        self.train.clear();
        say::count(&mut self.train, sequence);
        self.socket.send(&self.train)?;
        loop {
            let mut answers = Messages(self.socket.receive()?);
            let Some(answer) = answers.find(|message| message.head.sequence == sequence) else {
                continue;
            };
            if answer.head.kind == NLMSG_ERROR {
                return Err(io::Error::from_raw_os_error(errno(&answer)));
            }
            let count = answer.attributes().be32(CTA_STATS_GLOBAL_ENTRIES);
            return count
                .map(|count| count as usize)
                .ok_or_else(|| io::Error::from_raw_os_error(libc::EPROTO));
        }
    }

    /// All expectations, [`MAX_EXPECTATIONS`] at the most.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn expectations(&mut self) -> io::Result<Vec<Expectation>> {
        let sequence = self.next_sequence();
        self.train.clear();
        say::dump_expectations(&mut self.train, sequence);
        self.socket.send(&self.train)?;
        let mut found = Vec::new();
        loop {
            for answer in Messages(self.socket.receive()?) {
                match answer.head.kind {
                    _ if answer.head.sequence != sequence => {}
                    NLMSG_DONE => return Ok(found),
                    NLMSG_ERROR => return Err(io::Error::from_raw_os_error(errno(&answer))),
                    _ if found.len() >= MAX_EXPECTATIONS => {}
                    _ => found.extend(read::expectation(answer.attributes())),
                }
            }
        }
    }

    /// Does all of it, in order; an outcome for each. What the kernel cannot do in one
    /// request, because it has another idea of what is there, is done in several.
    ///
    /// # Errors
    /// When the socket fails. Part of it may be done then.
    pub fn write(&mut self, writes: &[Write]) -> io::Result<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(writes.len());
        for group in writes.chunks(AT_ONCE) {
            let mut of_group = self.group(group)?;
            for place in 0..group.len() {
                let Err(errno) = of_group[place] else { continue };
                let decided_later = group[place + 1..].iter().any(|later| {
                    subject(later).is_some_and(|key| Some(key) == subject(&group[place]))
                });
                of_group[place] =
                    if decided_later { Ok(()) } else { self.again(&group[place], errno)? };
            }
            outcomes.append(&mut of_group);
        }
        Ok(outcomes)
    }

    /// One train; errors as they come.
    fn group(&mut self, writes: &[Write]) -> io::Result<Vec<Outcome>> {
        self.train.clear();
        self.owners.clear();
        for (place, write) in writes.iter().enumerate() {
            self.say(place, write);
        }
        let mut outcomes = vec![Ok(()); writes.len()];
        self.send_train(&mut outcomes)?;
        for (write, outcome) in writes.iter().zip(&mut outcomes) {
            if *outcome == Err(libc::ENOENT) && is_removal(write) {
                *outcome = Ok(());
            }
        }
        Ok(outcomes)
    }

    /// Appends what `write` needs to the train.
    fn say(&mut self, place: usize, write: &Write) {
        match write {
            Write::Create(flow) => self.add(Some(place), |out, n| say::create(out, flow, true, n)),
            Write::Update(flow) => self.add(Some(place), |out, n| say::update(out, flow, n)),
            Write::Replace(flow) => self.replace(place, flow, true),
            Write::Remove(key) => self.add(Some(place), |out, n| say::remove(out, key, n)),
            Write::Timeout(key, seconds) => {
                self.add(Some(place), |out, n| say::timeout(out, key, *seconds, n));
            }
            Write::Expect(it) => self.add(Some(place), |out, n| say::expect(out, it, n)),
            Write::Unexpect(tuple, zone) => {
                self.add(Some(place), |out, n| say::unexpect(out, tuple, *zone, n));
            }
        }
    }

    /// The flow and whatever stands in its way are removed, then it is made.
    fn replace(&mut self, place: usize, flow: &Flow, with_helper: bool) {
        self.add(None, |out, n| say::remove(out, &flow.key(), n));
        self.add(None, |out, n| say::remove_by_reply(out, flow, n));
        self.add(Some(place), |out, n| say::create(out, flow, with_helper, n));
    }

    /// Tries what the kernel refused in another way, if there is one.
    fn again(&mut self, write: &Write, errno: i32) -> io::Result<Outcome> {
        let (flow, errno) = match write {
            Write::Update(flow) if errno == libc::ENOENT => {
                match self.alone(|to| to.add(Some(0), |out, n| say::create(out, flow, true, n)))? {
                    Ok(()) => return Ok(Ok(())),
                    Err(errno) => (flow, errno),
                }
            }
            Write::Create(flow) | Write::Update(flow) | Write::Replace(flow) => (flow, errno),
            Write::Remove(_) | Write::Timeout(..) | Write::Unexpect(..) => return Ok(Err(errno)),
            // It is there already, or its master is not.
            Write::Expect(_) if errno == libc::EEXIST => return Ok(Ok(())),
            Write::Expect(_) => return Ok(Err(errno)),
        };
        let in_the_way = [libc::EEXIST, libc::EBUSY, libc::EOPNOTSUPP].contains(&errno);
        let mut outcome = Err(errno);
        if in_the_way && !matches!(write, Write::Replace(_)) {
            outcome = self.alone(|to| to.replace(0, flow, true))?;
        }
        // The helper's module may be missing here: without it the flow itself still lives.
        let no_helper = [Err(libc::EOPNOTSUPP), Err(libc::ENOENT), Err(libc::EINVAL)];
        if flow.helper.is_some() && no_helper.contains(&outcome) {
            outcome = self.alone(|to| to.replace(0, flow, false))?;
        }
        Ok(outcome)
    }

    fn alone(&mut self, say: impl FnOnce(&mut Conntrack)) -> io::Result<Outcome> {
        self.train.clear();
        self.owners.clear();
        say(self);
        let mut outcome = [Ok(())];
        self.send_train(&mut outcome)?;
        Ok(outcome[0])
    }

    fn add(&mut self, owner: Option<usize>, say: impl FnOnce(&mut Vec<u8>, u32)) {
        let sequence = self.next_sequence();
        say(&mut self.train, sequence);
        self.owners.push(owner);
    }

    /// Sends the train and waits for the word on its last request. Only that one asks for
    /// it: of the others the kernel tells failures, before.
    fn send_train(&mut self, outcomes: &mut [Outcome]) -> io::Result<()> {
        let count = self.owners.len() as u32;
        let first = self.sequence.wrapping_sub(count).wrapping_add(1);
        let Some(last) = last_message(&self.train) else { return Ok(()) };
        let flags = u16::from_ne_bytes([self.train[last + 6], self.train[last + 7]]) | NLM_F_ACK;
        self.train[last + 6..last + 8].copy_from_slice(&flags.to_ne_bytes());
        self.socket.send(&self.train)?;
        loop {
            for answer in Messages(self.socket.receive()?) {
                let place = answer.head.sequence.wrapping_sub(first);
                if answer.head.kind != NLMSG_ERROR || place >= count {
                    continue;
                }
                let owner = self.owners.get(place as usize).copied().flatten();
                if let (Some(owner), errno @ 1..) = (owner, errno(&answer)) {
                    outcomes[owner] = Err(errno);
                }
                if place + 1 == count {
                    return Ok(());
                }
            }
        }
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }
}

/// The error number of an NLMSG_ERROR.
fn errno(answer: &Message<'_>) -> i32 {
    answer.errno().unwrap_or(libc::EPROTO)
}

/// Where the last message begins.
fn last_message(train: &[u8]) -> Option<usize> {
    let mut at = 0;
    let starts = Messages(train).map(|message| {
        let start = at;
        at += (twinwall_netlink::wire::HEADER + message.payload.len()).next_multiple_of(4);
        start
    });
    starts.last()
}

/// The flow that a write is about.
fn subject(write: &Write) -> Option<Key> {
    match write {
        Write::Create(flow) | Write::Update(flow) | Write::Replace(flow) => Some(flow.key()),
        Write::Remove(key) | Write::Timeout(key, _) => Some(*key),
        Write::Expect(_) | Write::Unexpect(..) => None,
    }
}

/// Whether what is not there is as wanted.
fn is_removal(write: &Write) -> bool {
    match write {
        Write::Remove(_) | Write::Timeout(..) | Write::Unexpect(..) => true,
        Write::Create(_) | Write::Update(_) | Write::Replace(_) | Write::Expect(_) => false,
    }
}

/// A dump under way. The kernel makes each datagram when the one before is read.
#[derive(Debug)]
pub struct Dump {
    socket: Socket,
}

impl Dump {
    /// The flows of the next datagram, some hundred; `false` when there are no more.
    ///
    /// # Errors
    /// What the kernel says; the dump is over then.
    pub fn next(&mut self, each: &mut dyn FnMut(&Flow)) -> io::Result<bool> {
        for message in Messages(self.socket.receive()?) {
            match message.head.kind {
                NLMSG_DONE => return Ok(false),
                NLMSG_ERROR => return Err(io::Error::from_raw_os_error(errno(&message))),
                _ => read::flow(message.attributes()).iter().for_each(&mut *each),
            }
        }
        Ok(true)
    }
}
