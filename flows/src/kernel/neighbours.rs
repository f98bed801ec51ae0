//! The kernel's ARP and ND tables.

use std::collections::HashMap;
use std::ffi::CStr;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use twinwall_netlink::number::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
};
use twinwall_netlink::socket::{REQUEST_ROOM, Socket};
use twinwall_netlink::syscall::nothing_yet;
use twinwall_netlink::wire::{Head, Message, Messages, message_with};

use super::number::{
    NDA_DST, NDA_LLADDR, NUD_DELAY, NUD_FAILED, NUD_INCOMPLETE, NUD_NOARP, NUD_PERMANENT,
    NUD_PROBE, NUD_REACHABLE, NUD_STALE, RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH, RTNLGRP_NEIGH,
};
use crate::neighbour::{Interface, Neighbour};

/// Length of `struct ndmsg`.
const NDMSG: usize = 12;
/// Requests in one send.
const AT_ONCE: usize = 64;
/// States in which the MAC is known and was learned.
const KNOWN: u16 = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;

/// An entry as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Number of its interface.
    pub interface: u32,
    /// Its address.
    pub address: IpAddr,
    /// Its MAC, if there is one.
    pub mac: Option<[u8; 6]>,
    /// NUD_*.
    pub state: u16,
}

impl Entry {
    /// The entry as it is told; `None` when its interface is gone, when the administrator
    /// set it, and while it is being asked for.
    pub fn told(&self) -> Option<Neighbour> {
        if self.state & (NUD_NOARP | NUD_PERMANENT) != 0 || self.state == NUD_INCOMPLETE {
            return None;
        }
        let interface = interface_name(self.interface)?;
        let mac = self.mac.filter(|_| self.state & KNOWN != 0);
        Some(Neighbour { interface, address: self.address, mac })
    }
}

/// The entry of a message, if it is about one.
pub fn decode_entry(message: &Message<'_>) -> Option<Entry> {
    if message.head.kind != RTM_NEWNEIGH && message.head.kind != RTM_DELNEIGH {
        return None;
    }
    let fixed: &[u8; NDMSG] = message.payload.first_chunk()?;
    let attributes = message.attributes_after(NDMSG);
    let address = attributes.get(NDA_DST)?;
    let address = match i32::from(fixed[0]) {
        libc::AF_INET => IpAddr::from(*address.first_chunk::<4>()?),
        libc::AF_INET6 => IpAddr::from(*address.first_chunk::<16>()?),
        _ => return None,
    };
    let gone = message.head.kind == RTM_DELNEIGH;
    Some(Entry {
        interface: u32::from_ne_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
        address,
        mac: attributes.get(NDA_LLADDR).and_then(|mac| mac.try_into().ok()),
        state: if gone { NUD_FAILED } else { u16::from_ne_bytes([fixed[8], fixed[9]]) },
    })
}

/// Hears of changes. Readable (poll it) when there is something to read.
#[derive(Debug)]
pub struct NeighbourEvents {
    socket: Socket,
}

impl NeighbourEvents {
    /// Listens in the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open() -> io::Result<NeighbourEvents> {
        let socket = Socket::open(libc::NETLINK_ROUTE, REQUEST_ROOM)?;
        socket.join(RTNLGRP_NEIGH)?;
        Ok(NeighbourEvents { socket })
    }

    /// Reads at most `most` datagrams without waiting. `true`: some were lost, look at all.
    ///
    /// # Errors
    /// What the kernel says, but for lost ones.
    pub fn drain(&mut self, most: usize, each: &mut dyn FnMut(&Entry)) -> io::Result<bool> {
        let mut lost = false;
        for _ in 0..most {
            match nothing_yet(self.socket.receive_now()) {
                Ok(Some(bytes)) => {
                    Messages(bytes).filter_map(|m| decode_entry(&m)).for_each(|entry| each(&entry));
                }
                Ok(None) => break,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => lost = true,
                Err(error) => return Err(error),
            }
        }
        Ok(lost)
    }
}

impl AsFd for NeighbourEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A socket for requests.
#[derive(Debug)]
pub struct NeighbourTable {
    socket: Socket,
    sequence: u32,
}

impl NeighbourTable {
    /// In the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel says; it wants CAP_NET_ADMIN.
    pub fn open() -> io::Result<NeighbourTable> {
        let socket = Socket::open(libc::NETLINK_ROUTE, REQUEST_ROOM)?;
        Ok(NeighbourTable { socket, sequence: 0 })
    }

    /// All entries.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn dump(&mut self) -> io::Result<Vec<Entry>> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let mut request = Vec::new();
        let head = Head { kind: RTM_GETNEIGH, flags: NLM_F_REQUEST | NLM_F_DUMP, sequence };
        message_with(&mut request, head, &[0; NDMSG], |_| {});
        self.socket.send(&request)?;
        let mut found = Vec::new();
        loop {
            for answer in Messages(self.socket.receive()?) {
                match answer.head.kind {
                    _ if answer.head.sequence != sequence => {}
                    NLMSG_DONE => return Ok(found),
                    NLMSG_ERROR => {
                        let errno = answer.errno().unwrap_or(libc::EPROTO);
                        return Err(io::Error::from_raw_os_error(errno));
                    }
                    _ => found.extend(decode_entry(&answer)),
                }
            }
        }
    }

    /// Writes those that the kernel does not have, or has failed to find, or has stale
    /// with another MAC, as STALE: the first packet goes out at once, and is checked after.
    /// How many were written. Those of interfaces that do not exist are left out.
    ///
    /// # Errors
    /// What the kernel says to the dump or the socket; a refused entry is none.
    pub fn write(&mut self, list: &[Neighbour]) -> io::Result<usize> {
        if list.is_empty() {
            return Ok(0);
        }
        let there: HashMap<(u32, IpAddr), Entry> = self
            .dump()?
            .into_iter()
            .map(|entry| ((entry.interface, entry.address), entry))
            .collect();
        let missing: Vec<(u32, IpAddr, [u8; 6])> = list
            .iter()
            .filter_map(|wanted| {
                Some((interface_index(wanted.interface)?, wanted.address, wanted.mac?))
            })
            .filter(|(index, address, mac)| match there.get(&(*index, *address)) {
                None => true,
                Some(entry) if entry.state == NUD_STALE => entry.mac != Some(*mac),
                Some(entry) => entry.state & (KNOWN | NUD_NOARP | NUD_PERMANENT) == 0,
            })
            .collect();
        missing.chunks(AT_ONCE).try_for_each(|some| self.write_train(some))?;
        Ok(missing.len())
    }

    fn write_train(&mut self, entries: &[(u32, IpAddr, [u8; 6])]) -> io::Result<()> {
        let mut train = Vec::new();
        for (place, (index, address, mac)) in entries.iter().enumerate() {
            self.sequence = self.sequence.wrapping_add(1);
            let ack = if place + 1 == entries.len() { NLM_F_ACK } else { 0 };
            let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE | ack;
            let head = Head { kind: RTM_NEWNEIGH, flags, sequence: self.sequence };
            let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
            let mut fixed = [0; NDMSG];
            fixed[0] = family as u8;
            fixed[4..8].copy_from_slice(&index.to_ne_bytes());
            fixed[8..10].copy_from_slice(&NUD_STALE.to_ne_bytes());
            message_with(&mut train, head, &fixed, |w| {
                match address {
                    IpAddr::V4(four) => w.bytes(NDA_DST, &four.octets()),
                    IpAddr::V6(six) => w.bytes(NDA_DST, &six.octets()),
                }
                w.bytes(NDA_LLADDR, mac);
            });
        }
        self.socket.send(&train)?;
        loop {
            let mut answers = Messages(self.socket.receive()?);
            let last = self.sequence;
            if answers.any(|a| a.head.kind == NLMSG_ERROR && a.head.sequence == last) {
                return Ok(());
            }
        }
    }
}

/// The name of an interface of the calling thread's namespace.
pub(super) fn interface_name(index: u32) -> Option<Interface> {
    let mut name = [0u8; libc::IF_NAMESIZE];
    // SAFETY: the buffer has IF_NAMESIZE bytes, as the call wants, and outlives it.
    let found = unsafe { libc::if_indextoname(index, name.as_mut_ptr().cast()) };
    if found.is_null() { None } else { Interface::new(&name) }
}

fn interface_index(interface: Interface) -> Option<u32> {
    let name = CStr::from_bytes_until_nul(interface.bytes()).ok()?;
    // SAFETY: `name` ends with NUL and outlives the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}
