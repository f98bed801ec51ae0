//! The socket on which the kernel tells what happens to flows.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use twinwall_netlink::notices::Notices;
use twinwall_netlink::number::{
    GROUP_CONNTRACK_DESTROY, GROUP_CONNTRACK_NEW, GROUP_CONNTRACK_UPDATE,
    GROUP_EXPECTATION_DESTROY, GROUP_EXPECTATION_NEW,
};
use twinwall_netlink::socket::Socket;
use twinwall_netlink::syscall::nothing_yet;
use twinwall_netlink::wire::Messages;

use super::filter;
use super::read::{Event, decode_event};

/// Room in the kernel for events not yet read, in bytes: some ten thousand, a second of
/// 5,000 new flows. Memory is taken only while they wait.
const EVENT_ROOM: i32 = 16 << 20;

/// What came over the event socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Datagrams read.
    pub events: usize,
    /// The kernel had to drop some: the flows must be read in full.
    pub overrun: bool,
}

/// The events' socket. Readable (poll it) when there is something to read.
#[derive(Debug)]
pub struct Events {
    socket: Socket,
    notices: Notices,
}

impl Events {
    /// Listens in the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel says; it wants CAP_NET_ADMIN.
    pub fn open() -> io::Result<Events> {
        let socket = Socket::open(libc::NETLINK_NETFILTER, EVENT_ROOM)?;
        filter::attach(&socket)?;
        for group in [
            GROUP_CONNTRACK_NEW,
            GROUP_CONNTRACK_UPDATE,
            GROUP_CONNTRACK_DESTROY,
            GROUP_EXPECTATION_NEW,
            GROUP_EXPECTATION_DESTROY,
        ] {
            socket.join(group)?;
        }
        Ok(Events { socket, notices: Notices::default() })
    }

    /// Reads some `most` datagrams, or what is there, without waiting.
    ///
    /// # Errors
    /// What the kernel says, but for lost events.
    pub fn drain(&mut self, most: usize, each: &mut dyn FnMut(&Event)) -> io::Result<Drained> {
        let mut drained = Drained::default();
        let mut read = |bytes: &[u8]| {
            Messages(bytes).filter_map(|message| decode_event(&message)).for_each(|e| each(&e));
        };
        while drained.events < most {
            match nothing_yet(self.notices.receive(&self.socket, &mut read)) {
                Ok(Some(count)) => drained.events += count,
                Ok(None) => break,
                Err(error) if is_loss(&error) => drained.overrun = true,
                Err(error) => return Err(error),
            }
        }
        Ok(drained)
    }

    /// Leaves less room in the kernel for what is not read yet, for tests of overruns.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_room(&self, bytes: i32) -> io::Result<()> {
        self.socket.set(libc::SOL_SOCKET, libc::SO_RCVBUF, &bytes)
    }
}

/// The kernel had no room, or one was too long to be read: the same for whoever reads.
fn is_loss(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::EMSGSIZE))
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
