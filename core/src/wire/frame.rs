//! The part of a frame that anybody can read: the header, and the hello's body.
//! Used by the session; it checks form only, never authenticity.

use super::content::{BODY_LENGTH, MAX_EXTENSIONS};
use super::refused::Refused;
use crate::ids::{BootId, Designation, MAX_PATHS, NameTag, PathId};

/// EtherType of heartbeat frames: the first one that IEEE 802 sets aside for local use.
pub const ETHERTYPE: u16 = 0x88B5;
/// Version of the format.
pub const VERSION: u8 = 2;

/// Bytes of the header.
pub(super) const HEADER_LENGTH: usize = 18;
/// Bytes of a Poly1305 tag.
pub(super) const TAG_LENGTH: usize = 16;
/// Bytes of an HMAC-SHA256.
pub(super) const MAC_LENGTH: usize = 32;
/// Bytes of a hello up to its MAC.
pub(super) const HELLO_SIGNED: usize = HEADER_LENGTH + 1 + 16 + 16 + 8;
/// Bytes of a hello frame.
pub const HELLO_LENGTH: usize = HELLO_SIGNED + MAC_LENGTH;
/// Bytes of a beat frame as this version sends it.
pub(super) const BEAT_LENGTH: usize = HEADER_LENGTH + BODY_LENGTH + TAG_LENGTH;
/// Bytes of the longest frame that is read or sent.
pub const MAX_FRAME: usize = BEAT_LENGTH + MAX_EXTENSIONS;

const HELLO: u8 = 1;
const BEAT: u8 = 2;
const PRIMARY: u8 = 1;
const SECONDARY: u8 = 2;

/// The hello names the peer's run.
const NAMES_PEER: u8 = 1 << 0;
/// The hello asks for one back.
const WANTS_ANSWER: u8 = 1 << 1;

/// What kind of frame follows the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Hello,
    Beat,
}

/// The first bytes of every frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) pair_id: u16,
    pub(super) sender: Designation,
    /// The sender's number of the path.
    pub(super) path: PathId,
    /// The interface behind it: by this the receiver knows its own path.
    pub(super) interface: NameTag,
    /// Ascending from 1 per kind (and per path for beats) within the sender's run.
    pub(super) counter: u64,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_LENGTH] {
        let kind = match self.kind {
            Kind::Hello => HELLO,
            Kind::Beat => BEAT,
        };
        let sender = match self.sender {
            Designation::Primary => PRIMARY,
            Designation::Secondary => SECONDARY,
        };
        let [pair_high, pair_low] = self.pair_id.to_be_bytes();
        let mut bytes = [0; HEADER_LENGTH];
        bytes[..6].copy_from_slice(&[VERSION, kind, pair_high, pair_low, sender, self.path.0]);
        bytes[6..10].copy_from_slice(&self.interface.0.to_be_bytes());
        bytes[10..].copy_from_slice(&self.counter.to_be_bytes());
        bytes
    }

    /// Reads the header of a frame for pair `pair_id` and the bytes after it. The
    /// version comes first, as it decides what all other bytes mean; the pair
    /// second, as another pair's frames are nobody's fault here.
    pub(super) fn decode(frame: &[u8], pair_id: u16) -> Result<(Header, &[u8]), Refused> {
        let (head, body) = frame.split_first_chunk::<HEADER_LENGTH>().ok_or(Refused::Length)?;
        let [version, kind, pair_high, pair_low, sender, path, t0, t1, t2, t3, counter @ ..] =
            *head;
        if version != VERSION {
            return Err(Refused::Version(version));
        }
        let said = u16::from_be_bytes([pair_high, pair_low]);
        if said != pair_id {
            return Err(Refused::ForeignPair(said));
        }
        let kind = match kind {
            HELLO => Kind::Hello,
            BEAT => Kind::Beat,
            unknown => return Err(Refused::Kind(unknown)),
        };
        let sender = match sender {
            PRIMARY => Designation::Primary,
            SECONDARY => Designation::Secondary,
            _unknown => return Err(Refused::Header),
        };
        if usize::from(path) >= MAX_PATHS {
            return Err(Refused::Header);
        }
        let header = Header {
            kind,
            pair_id,
            sender,
            path: PathId(path),
            interface: NameTag(u32::from_be_bytes([t0, t1, t2, t3])),
            counter: u64::from_be_bytes(counter),
        };
        Ok((header, body))
    }

    /// The nonce of a beat: the path and the counter, of which no two are alike in a run.
    pub(super) fn nonce(&self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[3] = self.path.0;
        nonce[4..].copy_from_slice(&self.counter.to_be_bytes());
        nonce
    }
}

/// A run of a node, and the number of a hello that it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) boot: BootId,
    pub(super) counter: u64,
}

/// What a hello says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hello {
    /// The sender's run.
    pub(super) own: BootId,
    /// The hello of the receiver that the sender heard last.
    pub(super) heard: Option<Sighting>,
    /// The sender has no proof yet that the receiver lives.
    pub(super) wants_answer: bool,
}

impl Hello {
    /// The frame up to its MAC.
    pub(super) fn encode(&self, header: &Header) -> [u8; HELLO_SIGNED] {
        let mut flags = 0;
        if self.heard.is_some() {
            flags |= NAMES_PEER;
        }
        if self.wants_answer {
            flags |= WANTS_ANSWER;
        }
        let heard = self.heard.unwrap_or(Sighting { boot: BootId([0; 16]), counter: 0 });
        let mut bytes = [0; HELLO_SIGNED];
        let (head, body) = bytes.split_at_mut(HEADER_LENGTH);
        head.copy_from_slice(&header.encode());
        body[0] = flags;
        body[1..17].copy_from_slice(&self.own.0);
        body[17..33].copy_from_slice(&heard.boot.0);
        body[33..].copy_from_slice(&heard.counter.to_be_bytes());
        bytes
    }

    /// Reads the bytes between header and MAC.
    pub(super) fn decode(body: &[u8; HELLO_SIGNED - HEADER_LENGTH]) -> Result<Hello, Refused> {
        let (flags, rest) = (body[0], &body[1..]);
        if flags & !(NAMES_PEER | WANTS_ANSWER) != 0 {
            return Err(Refused::Header);
        }
        let (own, rest) = rest.split_first_chunk::<16>().ok_or(Refused::Length)?;
        let (boot, rest) = rest.split_first_chunk::<16>().ok_or(Refused::Length)?;
        let counter = rest.first_chunk::<8>().ok_or(Refused::Length)?;
        let heard = Sighting { boot: BootId(*boot), counter: u64::from_be_bytes(*counter) };
        Ok(Hello {
            own: BootId(*own),
            heard: (flags & NAMES_PEER != 0).then_some(heard),
            wants_answer: flags & WANTS_ANSWER != 0,
        })
    }
}
