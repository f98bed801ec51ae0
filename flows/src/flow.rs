//! One flow as conntrack knows it, as far as it is carried to the other node.

use crate::tuple::{Key, Tuple, Zone};

/// Longest name of a conntrack helper (NF_CT_HELPER_NAME_LEN, with its NUL).
pub const HELPER_NAME: usize = 16;

/// Status bits of `linux/netfilter/nf_conntrack_common.h` (IPS_*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Status(
    /// The bits.
    pub u32,
);

impl Status {
    /// Another flow led to expect this one.
    pub const EXPECTED: u32 = 1;
    /// Packets went both ways.
    pub const SEEN_REPLY: u32 = 1 << 1;
    /// Is not removed early when the table is full.
    pub const ASSURED: u32 = 1 << 2;
    /// Its first packet has left.
    pub const CONFIRMED: u32 = 1 << 3;
    /// The source is translated.
    pub const SRC_NAT: u32 = 1 << 4;
    /// The destination is translated.
    pub const DST_NAT: u32 = 1 << 5;
    /// Sequence numbers are adjusted.
    pub const SEQ_ADJUST: u32 = 1 << 6;
    /// It is being removed.
    pub const DYING: u32 = 1 << 9;

    /// Whether any of these bits is set.
    pub const fn any(self, bits: u32) -> bool {
        self.0 & bits != 0
    }
}

/// TCP states of `linux/netfilter/nf_conntrack_tcp.h` (TCP_CONNTRACK_*).
pub mod tcp_state {
    /// The handshake is over.
    pub const ESTABLISHED: u8 = 3;
    /// One side has said that it is done.
    pub const FIN_WAIT: u8 = 4;
    /// The other side has acknowledged that.
    pub const CLOSE_WAIT: u8 = 5;
    /// Both sides are done; one acknowledgement is missing.
    pub const LAST_ACK: u8 = 6;
    /// Over; late packets are waited for.
    pub const TIME_WAIT: u8 = 7;
    /// Reset.
    pub const CLOSE: u8 = 8;
}

/// Flags of one direction of TCP (IP_CT_TCP_FLAG_*).
pub mod tcp_flag {
    /// Window scaling was agreed.
    pub const WINDOW_SCALE: u8 = 0x01;
    /// Selective acknowledgements are allowed.
    pub const SACK_PERMITTED: u8 = 0x02;
    /// Packets outside of the window are not invalid.
    pub const BE_LIBERAL: u8 = 0x08;
}

/// What conntrack knows of a TCP connection. Windows are not told by the kernel, hence
/// BE_LIBERAL in what a mirror writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    /// One of [`tcp_state`].
    pub state: u8,
    /// Window scale of the original direction, 0 to 14.
    pub scale_original: u8,
    /// Window scale of the reply direction.
    pub scale_reply: u8,
    /// Bits of [`tcp_flag`], original direction.
    pub flags_original: u8,
    /// Bits of [`tcp_flag`], reply direction.
    pub flags_reply: u8,
}

/// What conntrack knows of an SCTP association.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sctp {
    /// SCTP_CONNTRACK_*; 4 is ESTABLISHED.
    pub state: u8,
    /// Verification tag, original direction.
    pub tag_original: u32,
    /// Verification tag, reply direction.
    pub tag_reply: u32,
}

/// What the protocol above IP adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Nothing, or the kernel did not tell.
    #[default]
    None,
    /// TCP.
    Tcp(Tcp),
    /// SCTP.
    Sctp(Sctp),
}

/// By how much one direction's sequence numbers are changed (a helper rewrote addresses).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceAdjustment {
    /// Sequence number from which `after` holds.
    pub position: u32,
    /// Bytes added before it, as a signed number's bits.
    pub before: u32,
    /// Bytes added from it on.
    pub after: u32,
}

/// The name of a conntrack helper: `ftp`, `sip`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HelperName([u8; HELPER_NAME]);

/// A flow. Equal on both nodes but for timeout and protocol state: see
/// [`State`](crate::digest::State).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Packets in the direction of the first one, before NAT.
    pub original: Tuple,
    /// Packets that answer, as they come in: the inverse of `original` after NAT.
    pub reply: Tuple,
    /// Its zone.
    pub zone: Zone,
    /// Status bits.
    pub status: Status,
    /// Seconds until it is forgotten, if the kernel told.
    pub timeout: Option<u32>,
    /// The connection's mark.
    pub mark: u32,
    /// What TCP or SCTP add.
    pub protocol: Protocol,
    /// Labels, if the kernel told; events tell them only when they change.
    pub labels: Option<[u8; 16]>,
    /// Its helper.
    pub helper: Option<HelperName>,
    /// Adjustments of both directions, original first, if the kernel told.
    pub adjustments: Option<[SequenceAdjustment; 2]>,
}

impl Flow {
    /// Its key.
    pub fn key(&self) -> Key {
        Key::new(&self.original, self.zone)
    }

    /// Its TCP state, if it is TCP and the kernel told.
    pub fn tcp_state(&self) -> Option<u8> {
        match self.protocol {
            Protocol::Tcp(tcp) => Some(tcp.state),
            Protocol::Sctp(_) | Protocol::None => None,
        }
    }
}

impl HelperName {
    /// The name in these bytes up to their end or a NUL; `None` when it is empty, too
    /// long, or holds anything but printable ASCII.
    pub fn new(bytes: &[u8]) -> Option<HelperName> {
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let text = &bytes[..end];
        if text.is_empty() || end >= HELPER_NAME || !text.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut name = [0; HELPER_NAME];
        name[..end].copy_from_slice(text);
        Some(HelperName(name))
    }

    /// Its bytes, filled up with NUL.
    pub fn bytes(&self) -> &[u8; HELPER_NAME] {
        &self.0
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(HELPER_NAME);
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }
}

impl std::fmt::Debug for HelperName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
