//! Watches the HA link for a third station, which a direct cable cannot have.
//!
//! The kernel compares the sender of every frame there; this process sees only a
//! stranger's. The beat thread should look now and then (once a second, and before
//! it relies on the cable) rather than wait on the descriptor: behind a switch there
//! may be many strangers.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use libc::sock_filter;

use super::PASSED_OVER;
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

    /// The sender of a stranger's frame, if one came; takes most of what waits.
    ///
    /// # Errors
    /// `ENETDOWN`, once, when the interface went down or vanished.
    pub fn seen(&self) -> io::Result<Option<Mac>> {
        let mut stranger = None;
        // One byte is enough: the sender comes beside the frame.
        for _ in 0..PASSED_OVER {
            let Some(received) = self.socket.receive(&mut [0; 1])? else { break };
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
