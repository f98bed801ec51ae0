//! One conversation of two nodes that pair, as two machines without I/O and clock: bytes go
//! in, bytes and conclusions come out. The drivers (`invite`, `join`) carry the bytes and
//! write the files.
//!
//! ```text
//! joiner                              inviter
//!   hello  ───────────────────────────►        in the clear; both parts of the key
//!          ◄───────────────────────────  hello  agreement, and who is who
//!   proof  ───────────────────────────►        the joiner first: each wrong code shows at
//!          ◄───────────────────────────  proof  the inviter, which counts them
//!   card   ═══════════════════════════►        sealed from here on
//!          ◄═══════════════════════════  terms
//!   (keeps it) kept ══════════════════►
//!          ◄══════════════════ paired (keeps it)
//! ```
//!
//! A third one in the middle has one guess for each conversation and learns from it only
//! that it was wrong. Whatever does not fit ends the conversation.

mod inviter;
mod joiner;
mod stop;
#[cfg(test)]
mod tests;

use std::time::Duration;

use twinwall_core::config::KEY_BYTES;
use twinwall_core::ids::Designation;
use zeroize::Zeroizing;

use super::keys::Line;
use super::message::{
    Clear, Hello, MAX_CLEAR, MAX_SEALED, Malformed, PAKE_BYTES, Reason, Sealed, Side, VERSIONS,
    decode_sealed, hex, unhex,
};
use crate::agent::channel::Versions;
use crate::agent::identity::{Certificate, MAX_CERTIFICATE};
pub use inviter::Inviter;
pub use joiner::Joiner;
pub use stop::{Ended, Stop};

/// How long the other node may be silent when it is its turn: it may have to write to a
/// slow disk, but nobody shall hold an invitation for long.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// This node, as the other one shall know it.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// Its name for people.
    pub node: String,
    /// The interface by which they talk.
    pub interface: String,
    /// Its certificate.
    pub certificate: Certificate,
    /// What it speaks.
    pub versions: Versions,
}

/// What the inviter says that the pair shall be.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The inviter's own part; the joiner gets the other one.
    pub own: Designation,
    /// Text of pair.toml, for both.
    pub settings: String,
}

/// What both agreed on; the driver makes files of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Agreed {
    /// The other node's certificate, to be pinned.
    pub peer: Certificate,
    /// Its name.
    pub name: String,
    /// This node's part in the pair.
    pub designation: Designation,
    /// Text of pair.toml.
    pub settings: String,
    /// The heartbeats' key, which never travelled.
    pub key: Zeroizing<[u8; KEY_BYTES]>,
}

impl std::fmt::Debug for Agreed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "Agreed({}, {:?}, {}, key secret)",
            self.name,
            self.peer,
            self.designation.word()
        )
    }
}

/// What follows from a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// For the other node.
    Send(Vec<u8>),
    /// For the administrator.
    Tell(String),
    /// To be written to the disk; the answer goes to `kept`.
    Keep(Box<Agreed>),
    /// The two are a pair; nothing follows.
    Paired,
}

/// What a message leads to.
pub type Outcome = Result<Vec<Output>, Box<Ended>>;

impl Introduction {
    /// The hello of one side, with its part of the key agreement.
    fn hello(&self, side: Side, pake: &[u8; PAKE_BYTES]) -> Vec<u8> {
        Clear::Hello(Hello {
            side,
            versions: self.versions,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            node: self.node.clone(),
            interface: self.interface.clone(),
            certificate: self.certificate.digest(),
            pake: hex(pake),
        })
        .encode()
    }

    /// Whether one can go on with the sender of this hello.
    fn suits(&self, theirs: &Hello) -> Result<(), Reason> {
        let (ours, said) = (self.versions, theirs.versions);
        if ours.most.min(said.most) < ours.least.max(said.least) {
            let release = env!("CARGO_PKG_VERSION").to_owned();
            return Err(Reason::Versions { versions: ours, release });
        }
        if theirs.certificate == self.certificate.digest() {
            return Err(Reason::Clone {});
        }
        if theirs.interface != self.interface {
            return Err(Reason::Interface { interface: self.interface.clone() });
        }
        Ok(())
    }
}

/// The sealed half of a conversation, and whom it is with.
struct Secure {
    line: Line,
    peer: Hello,
}

impl Secure {
    fn seal(&mut self, message: &Sealed) -> Output {
        Output::Send(self.line.seal(&message.encode()))
    }

    /// Opens the next message; whatever is wrong with it ends the conversation.
    fn open(&mut self, bytes: &[u8]) -> Result<Sealed, Box<Ended>> {
        let fits = bytes.len() <= MAX_SEALED;
        let plain = fits.then(|| self.line.open(bytes)).flatten();
        let plain = plain.ok_or_else(|| Ended::silently(Stop::Forged))?;
        let message = decode_sealed(&plain).map_err(|Malformed| self.stop(Stop::Malformed))?;
        match message {
            Sealed::Stopped { why } => Err(Ended::silently(Stop::OtherStopped(why))),
            message => Ok(message),
        }
    }

    /// Says why, sealed, and ends.
    fn stop(&mut self, stop: Stop) -> Box<Ended> {
        let said = Sealed::Stopped { why: stop.to_string() };
        Box::new(Ended { say: Some(self.line.seal(&said.encode())), stop })
    }

    /// The certificate that the hello named; another one is refused.
    fn certificate(&mut self, text: &str) -> Result<Certificate, Box<Ended>> {
        let read = unhex(text, MAX_CERTIFICATE).and_then(|der| Certificate::decode(&der).ok());
        let named = read.filter(|certificate| certificate.digest() == self.peer.certificate);
        named.ok_or_else(|| self.stop(Stop::Malformed))
    }
}

/// Reads the hello that must come first, of the other side.
fn first_hello(bytes: &[u8], side: Side) -> Result<Hello, Stop> {
    match super::message::decode_clear(bytes) {
        Ok(Clear::Hello(hello)) if hello.side == side => Ok(hello),
        Ok(Clear::Refused(reason)) => Err(Stop::Refused(reason)),
        Ok(Clear::Hello(_) | Clear::Proof { .. }) | Err(Malformed) => Err(Stop::Malformed),
    }
}

/// Longest message that may come next.
fn limit(secure: bool) -> usize {
    if secure { MAX_SEALED } else { MAX_CLEAR }
}

impl Introduction {
    /// An introduction with this release's versions.
    pub fn new(node: String, interface: String, certificate: Certificate) -> Introduction {
        Introduction { node, interface, certificate, versions: VERSIONS }
    }
}
