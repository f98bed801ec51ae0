//! Beats as raw frames: one socket for each path, used by the beat thread alone.
//!
//! Knows nothing of what a beat says; sealing and opening are the core's wire.
//! Sending, receiving and dropping never block. Opening a socket can: do that on
//! another thread (that of `links` learns of a new interface first) and hand it over.

mod closer;
pub mod neighbour;
pub(crate) mod packet;
mod third;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::rtnetlink::{InterfaceName, Mac};
use packet::PacketSocket;
pub use third::ThirdStation;

/// EtherType of our frames: the first of the two that IEEE 802 keeps for local
/// experiments, which no bridge treats specially.
pub use twinwall_core::wire::ETHERTYPE as ETHER_TYPE;
/// Bytes of an Ethernet header.
pub const ETHERNET_HEADER: usize = 14;

/// One path's socket.
#[derive(Debug)]
pub struct FrameSocket {
    socket: PacketSocket,
    interface: InterfaceName,
    index: u32,
}

impl FrameSocket {
    /// Opens on the interface with this index for frames of `ether_type` to itself
    /// or to `group`.
    ///
    /// # Errors
    /// The kernel's: no such interface, or no CAP_NET_RAW.
    pub fn open(
        interface: InterfaceName,
        index: u32,
        ether_type: u16,
        group: Mac,
    ) -> io::Result<FrameSocket> {
        let socket = PacketSocket::open(index, ether_type, &[])?;
        socket.join(index, group)?;
        Ok(FrameSocket { socket, interface, index })
    }

    /// Sends one frame, Ethernet header included.
    ///
    /// # Errors
    /// `ENETDOWN` and `ENOBUFS` while the interface is down; `ENXIO` when it has
    /// vanished: see [`is_gone`].
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame)
    }

    /// The next frame of another station: its length in `buffer` and its sender.
    /// Frames longer than the buffer are none of ours and are passed over.
    ///
    /// # Errors
    /// `ENETDOWN`, once, when the interface went down or vanished. The socket works
    /// again when the same interface comes up; when it comes back with another index
    /// ([`FrameSocket::index`]), open a new one.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, Mac)>> {
        while let Some(received) = self.socket.receive(buffer)? {
            if !received.outgoing && received.length <= buffer.len() {
                return Ok(Some((received.length, received.source)));
            }
        }
        Ok(None)
    }

    /// The interface's name.
    pub fn interface(&self) -> InterfaceName {
        self.interface
    }

    /// The interface's index when this was opened.
    pub fn index(&self) -> u32 {
        self.index
    }
}

impl AsFd for FrameSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether this error of a send means that the interface no longer exists.
pub fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENXIO | libc::ENODEV))
}
