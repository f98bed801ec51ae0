//! Sends packets many at a time. Called by [`super::Generator`].

use std::mem;
use std::os::fd::AsRawFd;

use super::packet::Packet;
use crate::traffic::socket::Socket;

/// Packets of one system call.
const BATCH: usize = 64;

/// A socket and the packets that wait for it.
pub(super) struct Sending {
    socket: Socket,
    waiting: Vec<Packet>,
}

impl Sending {
    /// Nothing waits yet.
    pub(super) fn new(socket: Socket) -> Sending {
        Sending { socket, waiting: Vec::with_capacity(BATCH * 4) }
    }

    /// To be sent with the next [`Sending::flush`].
    pub(super) fn push(&mut self, packet: Packet) {
        self.waiting.push(packet);
    }

    /// Sends all that waits. What the kernel refuses is lost, as packets are.
    pub(super) fn flush(&mut self) {
        for packets in self.waiting.chunks(BATCH) {
            send(&self.socket, packets);
        }
        self.waiting.clear();
    }
}

fn send(socket: &Socket, packets: &[Packet]) {
    let mut targets: Vec<libc::sockaddr_in> = packets
        .iter()
        .map(|packet| libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: 0,
            sin_addr: libc::in_addr { s_addr: u32::from(packet.target()).to_be() },
            sin_zero: [0; 8],
        })
        .collect();
    let mut vectors: Vec<libc::iovec> = packets
        .iter()
        .map(|packet| libc::iovec {
            // The kernel only reads it.
            iov_base: packet.bytes().as_ptr().cast_mut().cast(),
            iov_len: packet.bytes().len(),
        })
        .collect();
    let mut headers: Vec<libc::mmsghdr> = targets
        .iter_mut()
        .zip(&mut vectors)
        .map(|(target, vector)| {
            // SAFETY: all-zero bytes are valid for this plain C structure.
            let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
            header.msg_hdr.msg_name = (&raw mut *target).cast();
            header.msg_hdr.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
            header.msg_hdr.msg_iov = &raw mut *vector;
            header.msg_hdr.msg_iovlen = 1;
            header
        })
        .collect();
    let mut rest = &mut headers[..];
    while !rest.is_empty() {
        // SAFETY: every header points at an address, a vector and a packet that live until this
        // function returns.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                rest.as_mut_ptr(),
                rest.len() as libc::c_uint,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        // The one that was refused is left out; the rest may pass.
        let done = usize::try_from(sent).unwrap_or(0).max(1).min(rest.len());
        rest = &mut rest[done..];
    }
}
