//! Link changes at the moment they are asked for: RTM_NEWLINK on a socket that
//! stays open in the machine's namespace, several links in one system call.
//! Starting `ip` would take a hundred times as long.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::error::{Doing, Result};
use crate::worker::Worker;

/// Bytes of a netlink header.
const HEADER: usize = 16;
/// One request: the header and an `ifinfomsg` of 16 bytes, no attributes.
const REQUEST: usize = HEADER + 16;
/// One attribute with a value of 32 bits.
const ATTRIBUTE: usize = 8;
/// The group says which links are meant, not an index.
const ANY_INDEX: u32 = 0;
/// Answers of the kernel to one batch fit in here many times over.
const ANSWERS: usize = 8192;

/// A socket that changes links in the namespace in which it was opened.
pub struct LinkSocket(OwnedFd);

impl LinkSocket {
    /// Opens one on this machine.
    pub fn open(machine: &Worker) -> Result<LinkSocket> {
        let open = || {
            // SAFETY: a plain system call; the descriptor is ours.
            let fd = unsafe {
                libc::socket(
                    libc::AF_NETLINK,
                    libc::SOCK_RAW | libc::SOCK_CLOEXEC,
                    libc::NETLINK_ROUTE,
                )
            };
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: as above.
            Ok(LinkSocket(unsafe { OwnedFd::from_raw_fd(fd) }))
        };
        machine.run(open)?.doing(format!("open a netlink socket on {}", machine.name()))
    }

    /// Sets links up or down, in this order, in one system call.
    pub fn set(&self, links: &[(u32, bool)]) -> io::Result<()> {
        let mut batch = Vec::with_capacity(links.len() * REQUEST);
        for (sequence, &(index, up)) in (1_u32..).zip(links) {
            encode(&mut batch, sequence, index, up, None);
        }
        self.exchange(&batch, links.len())
    }

    /// Sets every link of a group at once, under one lock of the kernel: their
    /// carriers drop together, and one run of its link watch tells of all of them.
    pub fn set_group(&self, group: u32, up: bool) -> io::Result<()> {
        let mut request = Vec::with_capacity(REQUEST + ATTRIBUTE);
        encode(&mut request, 1, ANY_INDEX, up, Some(group));
        self.exchange(&request, 1)
    }

    fn exchange(&self, requests: &[u8], count: usize) -> io::Result<()> {
        // SAFETY: the buffer is valid for its length.
        let sent =
            unsafe { libc::send(self.0.as_raw_fd(), requests.as_ptr().cast(), requests.len(), 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut first_error = Ok(());
        let mut answered = 0;
        while answered < count {
            answered += self.read_answers(&mut first_error)?;
        }
        first_error
    }

    fn read_answers(&self, first_error: &mut io::Result<()>) -> io::Result<usize> {
        let mut buffer = [0_u8; ANSWERS];
        // SAFETY: the buffer is valid for its length.
        let read =
            unsafe { libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), ANSWERS, 0) };
        let mut rest = usize::try_from(read)
            .map_err(|_| io::Error::last_os_error())
            .map(|len| &buffer[..len])?;
        let mut answers = 0;
        while rest.len() >= HEADER + 4 {
            let length = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
            let code = i32::from_ne_bytes([rest[16], rest[17], rest[18], rest[19]]);
            answers += 1;
            if code != 0 && first_error.is_ok() {
                *first_error = Err(io::Error::from_raw_os_error(-code));
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        }
        Ok(answers)
    }
}

/// linux/netlink.h `nlmsghdr`, then linux/rtnetlink.h `ifinfomsg`, then the group.
fn encode(batch: &mut Vec<u8>, sequence: u32, index: u32, up: bool, group: Option<u32>) {
    let up_flag = libc::IFF_UP.cast_unsigned();
    let length = REQUEST + if group.is_some() { ATTRIBUTE } else { 0 };
    batch.extend((length as u32).to_ne_bytes());
    batch.extend(libc::RTM_NEWLINK.to_ne_bytes());
    batch.extend(((libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16).to_ne_bytes());
    batch.extend(sequence.to_ne_bytes());
    let port = 0_u32;
    batch.extend(port.to_ne_bytes());
    let family_and_type = 0_u32;
    batch.extend(family_and_type.to_ne_bytes());
    batch.extend(index.to_ne_bytes());
    batch.extend(if up { up_flag } else { 0 }.to_ne_bytes());
    batch.extend(up_flag.to_ne_bytes());
    if let Some(group) = group {
        batch.extend((ATTRIBUTE as u16).to_ne_bytes());
        batch.extend(libc::IFLA_GROUP.to_ne_bytes());
        batch.extend(group.to_ne_bytes());
    }
}
