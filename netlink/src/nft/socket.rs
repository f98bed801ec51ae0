//! One netfilter netlink socket: transactions, dumps and questions to nf_tables. Every
//! call here may wait for other programs' transactions.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::number::{
    BATCH_BEGIN, BATCH_END, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE,
    NLMSG_ERROR, SUBSYS_NFTABLES,
};
use crate::socket::{REQUEST_ROOM, Socket};
use crate::wire::{self, HEADER, Head, Message, Messages, Writer};

/// A change that the kernel refused.
#[derive(Debug)]
pub struct Refused {
    /// What was being done, for people.
    pub what: String,
    /// The kernel's error.
    pub error: io::Error,
}

impl Refused {
    fn at(what: &str, error: io::Error) -> Refused {
        Refused { what: what.to_owned(), error }
    }

    /// Whether the kernel gave this error number.
    pub fn is(&self, errno: i32) -> bool {
        self.error.raw_os_error() == Some(errno)
    }
}

/// Changes of one family's tables that the kernel makes all at once or not at all.
#[derive(Debug)]
pub struct Batch {
    /// `NFPROTO_*`.
    family: u8,
    bytes: Vec<u8>,
    /// What each message does, for the text of an error; message `n` has sequence `first + 1 + n`.
    labels: Vec<String>,
}

impl Batch {
    /// Nothing yet, in this family (`NFPROTO_*`).
    pub fn new(family: u8) -> Batch {
        Batch { family, bytes: Vec::new(), labels: Vec::new() }
    }

    /// Whether nothing is to be changed.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Adds one message. `flags` beside NLM_F_REQUEST.
    pub fn add(&mut self, kind: u16, flags: u16, what: String, fill: impl FnOnce(&mut Writer<'_>)) {
        let sequence = u32::try_from(self.labels.len()).expect("far fewer messages than 2^32");
        let head =
            Head { kind: SUBSYS_NFTABLES << 8 | kind, flags: NLM_F_REQUEST | flags, sequence };
        wire::message(&mut self.bytes, head, self.family, 0, fill);
        self.labels.push(what);
    }

    /// The batch as one datagram whose messages are numbered from `first`. Without
    /// `commit` the kernel checks everything and changes nothing. The last message
    /// asks for an acknowledgement, so that there is always an answer.
    fn datagram(&self, first: u32, commit: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len() + 2 * (HEADER + 4));
        let edge = |kind, sequence| Head { kind, flags: NLM_F_REQUEST, sequence };
        wire::message(&mut out, edge(BATCH_BEGIN, first), 0, SUBSYS_NFTABLES, |_| {});
        let mut at = out.len();
        out.extend_from_slice(&self.bytes);
        let mut last = at;
        for number in 1u32.. {
            let Some(length) = wire::ne32(&out, at) else { break };
            out[at + 8..at + 12].copy_from_slice(&first.wrapping_add(number).to_ne_bytes());
            last = at;
            at += length as usize;
        }
        let flags = u16::from_ne_bytes([out[last + 6], out[last + 7]]) | NLM_F_ACK;
        out[last + 6..last + 8].copy_from_slice(&flags.to_ne_bytes());
        if commit {
            let end = first.wrapping_add(1 + self.labels.len() as u32);
            wire::message(&mut out, edge(BATCH_END, end), 0, SUBSYS_NFTABLES, |_| {});
        }
        out
    }
}

/// The socket. Its port is what the kernel knows as the owner of a table.
#[derive(Debug)]
pub struct Nft {
    socket: Socket,
    /// `NFPROTO_*` of the tables that are asked about.
    family: u8,
    sequence: u32,
}

impl Nft {
    /// For tables of this family (`NFPROTO_*`), in the calling thread's network namespace.
    ///
    /// # Errors
    /// What the kernel says to the socket.
    pub fn open(family: u8) -> io::Result<Nft> {
        let socket = Socket::open(libc::NETLINK_NETFILTER, REQUEST_ROOM)?;
        Ok(Nft { socket, family, sequence: 1 })
    }

    /// A socket that somebody kept open; answers to a predecessor's questions are thrown away.
    ///
    /// # Errors
    /// When it is a descriptor of another kind.
    pub fn inherit(fd: OwnedFd, family: u8) -> io::Result<Nft> {
        let mut socket = Socket::adopt(fd, libc::NETLINK_NETFILTER)?;
        while socket.receive_now().is_ok() {}
        Ok(Nft { socket, family, sequence: 1 })
    }

    /// The socket's port.
    pub fn port(&self) -> u32 {
        self.socket.port()
    }

    /// Makes all changes of a batch.
    ///
    /// # Errors
    /// The first that the kernel refused; then none is made.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), Refused> {
        self.run(batch, true)
    }

    /// Asks whether the kernel could make the changes; makes none.
    ///
    /// # Errors
    /// The first that it would refuse.
    pub fn check(&mut self, batch: &Batch) -> Result<(), Refused> {
        self.run(batch, false)
    }

    fn run(&mut self, batch: &Batch, commit: bool) -> Result<(), Refused> {
        if batch.is_empty() {
            return Ok(());
        }
        let first = self.sequence;
        let count = batch.labels.len() as u32;
        self.sequence = first.wrapping_add(count + 2);
        let whole = "change the table";
        self.socket.send(&batch.datagram(first, commit)).map_err(|e| Refused::at(whole, e))?;
        let mut refused = None;
        loop {
            for message in Messages(receive(&mut self.socket).map_err(|e| Refused::at(whole, e))?) {
                let place = message.head.sequence.wrapping_sub(first);
                if message.head.kind != NLMSG_ERROR || place > count + 1 {
                    continue;
                }
                let label = batch
                    .labels
                    .get((place as usize).wrapping_sub(1))
                    .map_or(whole, String::as_str);
                match answer(&message) {
                    Ok(()) => {}
                    Err(error) if refused.is_none() => refused = Some(Refused::at(label, error)),
                    // Errors after the first follow from it.
                    Err(_) => {}
                }
                // A batch that fails as a whole is answered under the number of its beginning.
                if place == count || (place == 0 && refused.is_some()) {
                    return refused.map_or(Ok(()), Err);
                }
            }
        }
    }

    /// Calls `each` with every answer to a question that lists things, which `fill`
    /// narrows down. `false`: somebody changed the tables meanwhile, ask again.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn list(
        &mut self,
        kind: u16,
        fill: impl FnOnce(&mut Writer<'_>),
        mut each: impl FnMut(&Message<'_>),
    ) -> io::Result<bool> {
        let sequence = self.ask(kind, NLM_F_DUMP, fill)?;
        let mut whole = true;
        loop {
            for message in Messages(receive(&mut self.socket)?) {
                if message.head.sequence != sequence {
                    continue;
                }
                whole &= message.head.flags & NLM_F_DUMP_INTR == 0;
                match message.head.kind {
                    NLMSG_DONE => return Ok(whole),
                    NLMSG_ERROR => answer(&message)?,
                    _ => each(&message),
                }
            }
        }
    }

    /// Calls `read` with the answer to a question about one thing.
    ///
    /// # Errors
    /// What the kernel says; ENOENT when there is no such thing.
    pub fn get(
        &mut self,
        kind: u16,
        fill: impl FnOnce(&mut Writer<'_>),
        read: impl FnOnce(&Message<'_>),
    ) -> io::Result<()> {
        let sequence = self.ask(kind, 0, fill)?;
        loop {
            let mut messages = Messages(receive(&mut self.socket)?);
            let Some(message) = messages.find(|message| message.head.sequence == sequence) else {
                continue;
            };
            if message.head.kind == NLMSG_ERROR {
                return answer(&message);
            }
            read(&message);
            return Ok(());
        }
    }

    fn ask(
        &mut self,
        kind: u16,
        flags: u16,
        fill: impl FnOnce(&mut Writer<'_>),
    ) -> io::Result<u32> {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        let head =
            Head { kind: SUBSYS_NFTABLES << 8 | kind, flags: NLM_F_REQUEST | flags, sequence };
        let mut bytes = Vec::new();
        wire::message(&mut bytes, head, self.family, 0, fill);
        self.socket.send(&bytes)?;
        Ok(sequence)
    }
}

fn receive(socket: &mut Socket) -> io::Result<&[u8]> {
    socket.receive().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => {
            io::Error::new(io::ErrorKind::TimedOut, "no answer from nf_tables within 10 s")
        }
        _ => error,
    })
}

impl AsFd for Nft {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What an NLMSG_ERROR says: done, or the error with the kernel's own words if it gave some.
fn answer(message: &Message<'_>) -> io::Result<()> {
    match message.errno() {
        Some(0) => Ok(()),
        Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        None => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "an error message without an error"))
        }
    }
}
