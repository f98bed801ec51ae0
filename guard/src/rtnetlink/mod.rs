//! The kernel's own protocol for links and addresses, over plain blocking sockets.
//!
//! Used by the threads of `addresses` and `links`, never by the beat thread: a
//! request waits for the kernel's lock, which other people's commands hold too.

mod message;
mod names;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

pub(crate) use message::*;
pub use names::{BadName, InterfaceName, MAX_NAME, Mac};

use crate::syscall::{bind, check, check_size, nothing_yet, open_socket, set_option, set_timeout};

/// The kernel fills at most 32 KiB of one dump datagram.
const DATAGRAM: usize = 32 * 1024;
/// Room in the kernel for events not yet read: the additions of 4,096 addresses
/// at about 1 KiB each, so that our own changes do not overrun the monitor.
const EVENT_ROOM: i32 = 8 << 20;
/// An answer that takes longer is given up; the socket is opened anew.
const PATIENCE: Duration = Duration::from_secs(5);
/// A dump during which addresses changed is repeated, so often at the most.
const DUMP_TRIES: u32 = 4;

/// A socket for requests and their answers.
#[derive(Debug)]
pub(crate) struct RouteSocket {
    fd: OwnedFd,
    buffer: Box<[u8]>,
    sequence: u32,
}

impl RouteSocket {
    pub(crate) fn open() -> io::Result<RouteSocket> {
        let fd = open_route(0)?;
        set_timeout(fd.as_raw_fd(), libc::SO_RCVTIMEO, PATIENCE)?;
        // Acknowledgements without a copy of the request.
        set_option(fd.as_raw_fd(), libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, &1i32)?;
        Ok(RouteSocket { fd, buffer: vec![0; DATAGRAM].into_boxed_slice(), sequence: 0 })
    }

    /// A number for the next request.
    pub(crate) fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Sends a batch. The kernel works it off before this returns.
    pub(crate) fn send(&self, batch: &Batch) -> io::Result<()> {
        let bytes = batch.bytes();
        // SAFETY: pointer and length describe `bytes`, which outlives the call.
        check_size(unsafe {
            libc::send(self.fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0)
        })
        .map(drop)
    }

    /// Reads answers until the request numbered `last` is acknowledged; reports
    /// every refused request by its number and error.
    pub(crate) fn acknowledged(
        &mut self,
        last: u32,
        refused: &mut dyn FnMut(u32, i32),
    ) -> io::Result<()> {
        loop {
            let length = receive(self.fd.as_fd(), &mut self.buffer)?;
            for message in messages(&self.buffer[..length]) {
                if message.kind != NLMSG_ERROR {
                    continue;
                }
                if message.errno() != 0 {
                    refused(message.sequence, message.errno());
                }
                if message.sequence == last {
                    return Ok(());
                }
            }
        }
    }

    /// All addresses of the namespace, in the kernel's order, into `found`.
    pub(crate) fn dump_addresses(
        &mut self,
        batch: &mut Batch,
        found: &mut Vec<AddressRecord>,
    ) -> io::Result<()> {
        for _ in 0..DUMP_TRIES {
            let sequence = self.next_sequence();
            batch.clear();
            batch.begin(RTM_GETADDR, NLM_F_DUMP, sequence);
            batch.address_header(libc::AF_UNSPEC as u8, 0, 0);
            batch.finish();
            self.send(batch)?;
            found.clear();
            if self.read_dump(sequence, found)? {
                return Ok(());
            }
        }
        // Changing all the time: the last picture is as good as any, events will follow.
        Ok(())
    }

    /// One link by name, or by index when `name` is `None`.
    pub(crate) fn link(
        &mut self,
        batch: &mut Batch,
        name: Option<&InterfaceName>,
        index: u32,
    ) -> io::Result<Option<LinkRecord>> {
        let sequence = self.next_sequence();
        batch.clear();
        batch.begin(RTM_GETLINK, 0, sequence);
        batch.link_header(index);
        batch.attribute(IFLA_EXT_MASK, &RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
        if let Some(name) = name {
            batch.interface_name(name);
        }
        batch.finish();
        self.send(batch)?;
        loop {
            let length = receive(self.fd.as_fd(), &mut self.buffer)?;
            for message in
                messages(&self.buffer[..length]).filter(|message| message.sequence == sequence)
            {
                match message.kind {
                    RTM_NEWLINK => return Ok(parse_link(message.body)),
                    NLMSG_ERROR if message.errno() == libc::ENODEV => return Ok(None),
                    NLMSG_ERROR => return Err(io::Error::from_raw_os_error(message.errno())),
                    _ => {}
                }
            }
        }
    }

    /// Reads one dump; `false` when it was disturbed by a change meanwhile.
    fn read_dump(&mut self, sequence: u32, found: &mut Vec<AddressRecord>) -> io::Result<bool> {
        let mut whole = true;
        loop {
            let length = receive(self.fd.as_fd(), &mut self.buffer)?;
            for message in
                messages(&self.buffer[..length]).filter(|message| message.sequence == sequence)
            {
                whole &= message.flags & NLM_F_DUMP_INTR == 0;
                match message.kind {
                    RTM_NEWADDR => found.extend(parse_address(message.body)),
                    NLMSG_DONE => return Ok(whole),
                    NLMSG_ERROR => return Err(io::Error::from_raw_os_error(message.errno())),
                    _ => {}
                }
            }
        }
    }
}

/// What came over an event socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drained {
    /// Events read.
    pub(crate) events: usize,
    /// The kernel had to drop some: the state must be read in full.
    pub(crate) overrun: bool,
}

/// A socket for events only. On a request socket some would be lost: the kernel
/// gives an IPv4 address notice the number of the request that caused it.
#[derive(Debug)]
pub(crate) struct EventSocket {
    fd: OwnedFd,
    buffer: Box<[u8]>,
}

impl EventSocket {
    /// Opens for the groups of the mask (`RTMGRP_*`).
    pub(crate) fn open(groups: i32) -> io::Result<EventSocket> {
        let fd = open_route(groups.cast_unsigned())?;
        // Without CAP_NET_ADMIN the system's limit stays; overruns are then likelier, not harmful.
        let _ = set_option(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &EVENT_ROOM);
        // SAFETY: no pointer is passed.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })?;
        Ok(EventSocket { fd, buffer: vec![0; DATAGRAM].into_boxed_slice() })
    }

    /// Reads everything that waits; never blocks.
    pub(crate) fn drain(&mut self, each: &mut dyn FnMut(Message<'_>)) -> io::Result<Drained> {
        let mut drained = Drained::default();
        loop {
            let length = match nothing_yet(receive(self.fd.as_fd(), &mut self.buffer)) {
                Ok(Some(length)) => length,
                Ok(None) => return Ok(drained),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    drained.overrun = true;
                    continue;
                }
                Err(error) => return Err(error),
            };
            for message in messages(&self.buffer[..length]) {
                drained.events += 1;
                each(message);
            }
        }
    }
}

impl AsFd for EventSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn open_route(groups: u32) -> io::Result<OwnedFd> {
    let fd = open_socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
    // SAFETY: `sockaddr_nl` is plain C data; all zeros is a value of it.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address.nl_groups = groups;
    bind(fd.as_raw_fd(), &address)?;
    Ok(fd)
}

/// One datagram. One that does not fit is an error, never half an answer.
fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length describe `buffer`, which outlives the call.
    let length = check_size(unsafe {
        libc::recv(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_TRUNC)
    })?;
    if length > buffer.len() {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_the_kernel_had_to_drop_are_told_and_the_rest_still_read() {
        let thread = std::thread::spawn(|| {
            // SAFETY: no pointer is passed; only this thread changes its namespace.
            check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).expect("these tests need root");
            let mut events = EventSocket::open(libc::RTMGRP_IPV4_IFADDR).unwrap();
            set_option(events.fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, &2304i32).unwrap();
            let script =
                "for i in $(seq 1 200); do echo addr add 127.0.1.$i/32 dev lo; done | ip -batch -";
            assert!(
                std::process::Command::new("sh").args(["-c", script]).status().unwrap().success()
            );
            let first = events.drain(&mut |_| {}).unwrap();
            assert!(first.overrun && first.events < 200, "{first:?}");
            assert_eq!(events.drain(&mut |_| {}).unwrap(), Drained::default());
            let mut socket = RouteSocket::open().unwrap();
            let mut found = Vec::new();
            socket.dump_addresses(&mut Batch::default(), &mut found).unwrap();
            assert_eq!(found.iter().filter(|record| record.length == 32).count(), 200);
        });
        thread.join().unwrap();
    }
}
