//! Notices that somebody changed the gate's table: a socket that the kernel
//! thread polls. It only says 'look'; `GateTable::ensure` looks and repairs.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::TABLE;
use super::found;
use super::sys;
use super::wire::Messages;

/// NFNLGRP_NFTABLES: every change to any table of this network namespace.
const CHANGES: libc::c_int = 7;
/// The kernel packs several notices of one transaction into a datagram of a page or two.
const NOTICE_BUFFER: usize = 64 << 10;
/// Notices read at once; an administrator's large load must not keep the thread from its work.
const NOTICES_AT_ONCE: usize = 4096;

/// Hears of changes to tables. Readable (poll it) when there is something to read.
#[derive(Debug)]
pub struct GateWatch {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl GateWatch {
    /// Listens in the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel said to the socket.
    pub fn open() -> io::Result<GateWatch> {
        let (fd, _) = sys::netlink_socket(CHANGES)?;
        Ok(GateWatch { fd, buffer: vec![0; NOTICE_BUFFER] })
    }

    /// Reads what is there, without waiting. `true`: the gate's table was changed
    /// by somebody other than the socket with port `own`, or notices were lost,
    /// or there are more still: look at the table.
    pub fn changed(&mut self, own: u32) -> bool {
        let mut changed = false;
        for _ in 0..NOTICES_AT_ONCE {
            match sys::receive(self.fd.as_raw_fd(), &mut self.buffer, libc::MSG_DONTWAIT) {
                Ok(length) => {
                    changed |= concerns(&self.buffer[..length.min(NOTICE_BUFFER)], own, length)
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return changed,
                // Lost notices (ENOBUFS) may have been about the table.
                Err(_) => changed = true,
            }
        }
        true
    }
}

/// Whether a datagram of `length` bytes, of which `bytes` are known, is about the table and not our own doing.
fn concerns(bytes: &[u8], own: u32, length: usize) -> bool {
    length > bytes.len()
        || Messages(bytes)
            .any(|message| message.port != own && found::table_of(&message) == Some(TABLE))
}

impl AsFd for GateWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
