//! AgentX (RFC 2741): what a subagent and snmpd say to each other. `read` and `write` are the
//! two directions; `session` talks. Values without input and output: nothing here opens a
//! socket or knows an object.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;

use crate::agent::snmp::value::Oid;

pub use read::{decode_header, decode_pdu};
pub use write::{Numbers, Order, Varbind, encode};

/// Bytes of a header.
pub const HEADER: usize = 20;
/// Longest content of a message in bytes. snmpd asks for at most what fits a datagram.
pub const MAX_CONTENT: usize = 256 << 10;
/// Objects in one question at the most: a datagram holds a few thousand, a manager asks for
/// some dozen.
pub const MAX_RANGES: usize = 512;

/// The protocol's version.
pub(super) const VERSION: u8 = 1;
/// Numbers are in network byte order.
pub(super) const NETWORK_ORDER: u8 = 0x10;
/// The message begins with the name of a context.
pub(super) const HAS_CONTEXT: u8 = 0x08;

/// Kinds of messages (section 6.1).
pub(super) mod kind {
    pub(in super::super) const OPEN: u8 = 1;
    pub(in super::super) const CLOSE: u8 = 2;
    pub(in super::super) const REGISTER: u8 = 3;
    pub(in super::super) const UNREGISTER: u8 = 4;
    pub(in super::super) const GET: u8 = 5;
    pub(in super::super) const GET_NEXT: u8 = 6;
    pub(in super::super) const GET_BULK: u8 = 7;
    pub(in super::super) const TEST_SET: u8 = 8;
    pub(in super::super) const COMMIT_SET: u8 = 9;
    pub(in super::super) const UNDO_SET: u8 = 10;
    pub(in super::super) const CLEANUP_SET: u8 = 11;
    pub(in super::super) const NOTIFY: u8 = 12;
    pub(in super::super) const RESPONSE: u8 = 18;
}

/// What stands before each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which kind.
    pub kind: u8,
    /// Whether numbers are in network byte order.
    pub network_order: bool,
    /// Whether a context is named.
    pub has_context: bool,
    /// Which session.
    pub session: u32,
    /// Which transaction of snmpd's.
    pub transaction: u32,
    /// Which message, to match an answer with its question.
    pub packet: u32,
    /// Bytes that follow.
    pub length: usize,
}

/// Where something is looked for (section 5.2): from a name on, up to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// From here.
    pub start: Oid,
    /// Whether the start itself counts.
    pub inclusive: bool,
    /// Up to but without this one; an empty one is no limit.
    pub end: Oid,
}

impl Range {
    /// Whether a name lies in it.
    pub fn holds(&self, name: &Oid) -> bool {
        let begins = if self.inclusive { *name >= self.start } else { *name > self.start };
        begins && (self.end.arcs().is_empty() || *name < self.end)
    }
}

/// What snmpd says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The values of these names, in this context.
    Get {
        /// The context; empty for the default one.
        context: String,
        /// The names, each as the start of a range.
        ranges: Vec<Range>,
    },
    /// The first value in each of these ranges.
    GetNext {
        /// The context.
        context: String,
        /// The ranges.
        ranges: Vec<Range>,
    },
    /// The first value of some ranges, several of others.
    GetBulk {
        /// The context.
        context: String,
        /// So many of the ranges get one value.
        single: usize,
        /// The others get so many.
        repetitions: usize,
        /// The ranges.
        ranges: Vec<Range>,
    },
    /// May these be changed?
    TestSet,
    /// Change them.
    CommitSet,
    /// Change them back.
    UndoSet,
    /// What was set is done with; needs no answer.
    CleanupSet,
    /// The answer to what the subagent said.
    Response {
        /// Why it was not done, as section 7 numbers it; 0 where it was.
        error: u16,
    },
    /// It ends the session.
    Close,
}

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Another version of the protocol.
    Version(u8),
    /// Longer than any honest message.
    TooLong(usize),
    /// Ended in the middle, or does not fit its own lengths.
    Broken,
    /// A kind that snmpd never sends.
    Kind(u8),
}

impl fmt::Display for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Version(version) => write!(out, "version {version} of AgentX"),
            Wrong::TooLong(length) => {
                write!(out, "a message of {length} bytes; at most {MAX_CONTENT} are read")
            }
            Wrong::Broken => out.write_str("a message that does not fit its own lengths"),
            Wrong::Kind(kind) => write!(out, "a message of the unknown kind {kind}"),
        }
    }
}

impl std::error::Error for Wrong {}
