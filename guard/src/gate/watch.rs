//! Notices that somebody changed the gate's table: a socket that the kernel
//! thread polls. It only says 'look'; `GateTable::ensure` looks and repairs.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use twinwall_netlink::number::GROUP_NFTABLES;
use twinwall_netlink::socket::{REQUEST_ROOM, Socket};
use twinwall_netlink::wire::Messages;

use super::TABLE;
use super::found;

/// Notices read at once; an administrator's large load must not keep the thread from its work.
const NOTICES_AT_ONCE: usize = 4096;

/// Hears of changes to tables. Readable (poll it) when there is something to read.
#[derive(Debug)]
pub struct GateWatch {
    socket: Socket,
}

impl GateWatch {
    /// Listens in the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel said to the socket.
    pub fn open() -> io::Result<GateWatch> {
        let socket = Socket::open(libc::NETLINK_NETFILTER, REQUEST_ROOM)?;
        // Every change to any table of this network namespace.
        socket.join(GROUP_NFTABLES)?;
        Ok(GateWatch { socket })
    }

    /// Reads what is there, without waiting. `true`: the gate's table was changed
    /// by somebody other than the socket with port `own`, or notices were lost,
    /// or there are more still: look at the table.
    pub fn changed(&mut self, own: u32) -> bool {
        let mut changed = false;
        for _ in 0..NOTICES_AT_ONCE {
            match self.socket.receive_now() {
                Ok(bytes) => changed |= concerns(bytes, own),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return changed,
                // Lost notices (ENOBUFS), or one that is too long, may have been about the table.
                Err(_) => changed = true,
            }
        }
        true
    }
}

/// Whether a datagram is about the table and not our own doing.
fn concerns(bytes: &[u8], own: u32) -> bool {
    Messages(bytes).any(|message| message.port != own && found::table_of(&message) == Some(TABLE))
}

impl AsFd for GateWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
