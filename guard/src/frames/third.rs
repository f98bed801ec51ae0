//! Watches the HA link for a third station, which a direct cable cannot have.
//!
//! The kernel compares the sender of every frame there; this process wakes only
//! for a stranger's.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use libc::sock_filter;

use super::packet::filter::{ACCEPT, REFUSE, equal_or_skip, half, word};
use super::packet::{EVERY_PROTOCOL, PacketSocket};
use crate::rtnetlink::Mac;

/// The socket that sees strangers only.
#[derive(Debug)]
pub struct ThirdStation {
    socket: PacketSocket,
}

impl ThirdStation {
    /// Opens on the interface with this index; frames from `own` and from `peer`
    /// are nothing new. Open it anew when the peer's address changes.
    ///
    /// # Errors
    /// The kernel's: no such interface, or no CAP_NET_RAW.
    pub fn open(index: u32, own: Mac, peer: Mac) -> io::Result<ThirdStation> {
        let [first, second] = [known(own), known(peer)];
        let program = [&first[..], &second[..], &[ACCEPT]].concat();
        let socket = PacketSocket::open(index, EVERY_PROTOCOL, &program)?;
        // What a switch says by itself (spanning tree, LLDP) goes to multicast addresses.
        socket.join_all(index)?;
        Ok(ThirdStation { socket })
    }

    /// The sender of a stranger's frame, if one came; takes all that wait.
    ///
    /// # Errors
    /// `ENETDOWN`, once, when the interface went down or vanished.
    pub fn seen(&self) -> io::Result<Option<Mac>> {
        let mut stranger = None;
        // One byte is enough: the sender comes beside the frame.
        while let Some(received) = self.socket.receive(&mut [0; 1])? {
            if !received.outgoing {
                stranger = Some(received.source);
            }
        }
        Ok(stranger)
    }
}

impl AsFd for ThirdStation {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Refuses frames from one sender.
fn known(mac: Mac) -> [sock_filter; 5] {
    let [a, b, c, d, e, f] = mac.0;
    [
        word(6),
        equal_or_skip(u32::from_be_bytes([a, b, c, d]), 3),
        half(10),
        equal_or_skip(u32::from(u16::from_be_bytes([e, f])), 1),
        REFUSE,
    ]
}
