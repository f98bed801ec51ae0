//! When each flow that was made in number got into the kernel of the passive: its own notices of
//! new flows, read on a thread. Called by the benchmark for lag; it costs the passive the making
//! of the notices, so nothing else is measured meanwhile.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use twinwall_core::time::Moment;

use crate::clock::now;
use crate::error::{Doing, LabError, Result};
use crate::traffic::clock::{PROBE_PRIORITY, go_realtime};
use crate::traffic::generator::number;
use crate::worker::Worker;

/// `NFNLGRP_CONNTRACK_NEW` of linux/netfilter/nfnetlink_compat.h, as a bit of the old mask.
const NEW_FLOWS: u32 = 1;
/// Notices of some seconds fit in here.
const RECEIVE_BUFFER_BYTES: libc::c_int = 64 << 20;
/// Notices come one a read; several wait in a message.
const READ_BYTES: usize = 64 << 10;
/// How soon the thread sees that it is to end.
const IDLE: Duration = Duration::from_millis(50);

/// Header of a message (linux/netlink.h), and what follows it in one of netfilter.
const HEADER: usize = 16;
const NETFILTER_HEADER: usize = 4;
const ATTRIBUTE_HEADER: usize = 4;
/// Says nothing of the attribute's type.
const FLAGS: u16 = 0xc000;
/// `CTA_TUPLE_ORIG`, `CTA_TUPLE_IP`, `CTA_IP_V4_SRC`, `CTA_IP_V4_DST` of
/// linux/netfilter/nfnetlink_conntrack.h.
const TUPLE_ORIG: u16 = 1;
const TUPLE_IP: u16 = 1;
const IP_V4_SRC: u16 = 1;
const IP_V4_DST: u16 = 2;

/// Listens until it is ended.
pub struct Arrivals {
    ending: Arc<AtomicBool>,
    thread: JoinHandle<Heard>,
}

/// What was heard.
#[derive(Debug, Default)]
pub struct Heard {
    /// The moment of the first notice of each flow, by its number.
    pub at: HashMap<u32, Moment>,
    /// How often the kernel had more notices than room.
    pub overruns: u32,
}

impl Arrivals {
    /// Begins on this machine.
    ///
    /// # Errors
    /// When the kernel refuses the socket.
    pub fn begin(worker: &Worker) -> Result<Arrivals> {
        let socket = worker.run(open)?.doing("listen for flows on a gateway")?;
        let ending = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&ending);
        let thread = thread::spawn(move || listen(&socket, &ends));
        Ok(Arrivals { ending, thread })
    }

    /// Ends; what was heard.
    ///
    /// # Errors
    /// When the thread died.
    pub fn end(self) -> Result<Heard> {
        self.ending.store(true, Ordering::Relaxed);
        let heard = self.thread.join();
        heard.map_err(|_| LabError::Usage("the thread that listens for flows died".to_owned()))
    }
}

fn open() -> io::Result<OwnedFd> {
    // SAFETY: a plain system call; the descriptor is new and ours.
    let socket = unsafe {
        let fd = libc::socket(
            libc::AF_NETLINK,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            libc::NETLINK_NETFILTER,
        );
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(fd)
    };
    let wait = libc::timeval {
        tv_sec: 0,
        tv_usec: libc::suseconds_t::try_from(IDLE.as_micros()).unwrap_or(0),
    };
    set(&socket, libc::SO_RCVBUFFORCE, &RECEIVE_BUFFER_BYTES)?;
    set(&socket, libc::SO_RCVTIMEO, &wait)?;
    // SAFETY: all-zero bytes are a valid sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address.nl_groups = NEW_FLOWS;
    let length = size_of::<libc::sockaddr_nl>() as libc::socklen_t;
    // SAFETY: the address is valid for its length.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    if bound == 0 { Ok(socket) } else { Err(io::Error::last_os_error()) }
}

fn set<T>(socket: &OwnedFd, name: libc::c_int, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is valid for `length` bytes and outlives the call.
    let done = unsafe {
        let value = (&raw const *value).cast();
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, value, length)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn listen(socket: &OwnedFd, ends: &AtomicBool) -> Heard {
    go_realtime(PROBE_PRIORITY);
    let mut heard = Heard::default();
    let mut bytes = vec![0_u8; READ_BYTES];
    while !ends.load(Ordering::Relaxed) {
        // SAFETY: the buffer is valid for its length.
        let read =
            unsafe { libc::recv(socket.as_raw_fd(), bytes.as_mut_ptr().cast(), READ_BYTES, 0) };
        match usize::try_from(read) {
            Ok(length) => {
                let at = now();
                for one in messages(&bytes[..length]).filter_map(flow_of) {
                    heard.at.entry(one).or_insert(at);
                }
            }
            Err(_) if io::Error::last_os_error().raw_os_error() == Some(libc::ENOBUFS) => {
                heard.overruns += 1;
            }
            // Nothing came for a while.
            Err(_) => {}
        }
    }
    heard
}

/// What follows the header of each message.
fn messages(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(*rest.first_chunk()?) as usize;
        let payload = rest.get(HEADER..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(payload)
    })
}

/// The number of the flow that a notice is about.
fn flow_of(payload: &[u8]) -> Option<u32> {
    let original = attribute(payload.get(NETFILTER_HEADER..)?, TUPLE_ORIG)?;
    let addresses = attribute(original, TUPLE_IP)?;
    let address = |kind| Some(Ipv4Addr::from(*attribute(addresses, kind)?.first_chunk::<4>()?));
    number(address(IP_V4_SRC)?, address(IP_V4_DST)?)
}

/// The value of the first attribute of this type.
fn attribute(mut rest: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let kind = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?);
        let value = rest.get(ATTRIBUTE_HEADER..length)?;
        if kind & !FLAGS == wanted {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute_of(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = (ATTRIBUTE_HEADER + value.len()) as u16;
        let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn notice(source: [u8; 4], target: [u8; 4]) -> Vec<u8> {
        let addresses =
            [attribute_of(IP_V4_SRC, &source), attribute_of(IP_V4_DST, &target)].concat();
        let tuple = attribute_of(TUPLE_IP | 0x8000, &addresses);
        let payload = [vec![2, 0, 0, 0], attribute_of(TUPLE_ORIG | 0x8000, &tuple)].concat();
        let mut message = ((HEADER + payload.len()) as u32).to_ne_bytes().to_vec();
        message.resize(HEADER, 0);
        message.extend(payload);
        message
    }

    #[test]
    fn each_flow_of_a_read_is_found_and_a_foreign_one_is_not() {
        let both = [notice([10, 64, 0, 7], [10, 65, 0, 1]), notice([10, 1, 0, 7], [10, 65, 0, 1])];
        let bytes = both.concat();
        let found: Vec<Option<u32>> = messages(&bytes).map(flow_of).collect();
        assert_eq!(found, [Some(0x0001_0007), None]);
        assert_eq!(messages(&bytes[..40]).count(), 0);
    }
}
