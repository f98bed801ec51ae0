//! What the two nodes say to each other about flows. The channel below delivers whole
//! messages, once and in order; with a new connection both begin anew.
//!
//! The source tells changes in batches, and between them, in the same order, what its
//! buckets hold: the mirror compares at that very place of the stream, so that nothing
//! under way looks like a difference. For buckets that differ the source tells all flows
//! between [`Message::SweepBegin`] and [`Message::SweepEnd`], and what was not told in
//! between is removed.
//!
//! A mirror that knows where it stands in the source's stream is told what came since, and
//! then [`Message::CaughtUp`]: it has everything before anything is compared.
//!
//! No message carries a moment: those of two nodes cannot be compared, and the source
//! remembers when it sent what is acknowledged.

mod bytes;
mod extras;
mod record;
mod standing;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::digest::BucketSet;
use crate::expectation::Expectation;
use crate::flow::Flow;
use crate::ledger::Bucket;
use crate::neighbour::Neighbour;
use crate::position::Position;
use crate::tuple::{Key, Tuple};
use crate::view::Part;
use bytes::Reader;
pub(crate) use standing::put_digests;

/// Version of these messages. Nodes of different ones do not replicate.
pub const VERSION: u16 = 2;
/// Longest message in bytes: what the channel carries at once.
pub const MAX_MESSAGE: usize = 1 << 20;
/// Bytes after which a batch is sent.
pub const BATCH_BYTES: usize = 64 << 10;
/// Room that one record needs at the most.
pub const MAX_RECORD: usize = 256;

const HELLO: u8 = 1;
const BATCH: u8 = 2;
const ACK: u8 = 3;
const DIGESTS: u8 = 4;
const COMPARED: u8 = 5;
const SWEEP_BEGIN: u8 = 6;
const SWEEP_END: u8 = 7;
const EXPECTATIONS: u8 = 8;
const NEIGHBOURS: u8 = 9;
const CAUGHT_UP: u8 = 10;
const ANEW: u8 = 11;
const READY: u8 = 12;

const UPSERT: u8 = 1;
const REMOVE: u8 = 2;

/// A message that no honest peer of this version sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// It ends too early.
    Short,
    /// There is something after its end, or it is longer than [`MAX_MESSAGE`].
    Long,
    /// A kind that this version does not know.
    Kind(u8),
    /// Another version of the messages.
    Version(u16),
    /// Something in it cannot be.
    Nonsense(&'static str),
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("flows: the peer sent ")?;
        match self {
            MessageError::Short => f.write_str("a message that is cut off"),
            MessageError::Long => f.write_str("a message that is too long"),
            MessageError::Kind(kind) => {
                write!(f, "a message of unknown kind {kind}; bring both to one release")
            }
            MessageError::Version(version) => {
                write!(f, "messages of version {version}, not {VERSION}; bring both to one release")
            }
            MessageError::Nonsense(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for MessageError {}

/// A change of one flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// It is there, so.
    Upsert(Flow),
    /// It is gone.
    Remove(Key),
}

/// A change of one expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It is there.
    There(Expectation),
    /// The one for packets like this, of this zone, is gone.
    Gone(Tuple, u16),
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The first of each side, after a new connection or with a new part. Until it has
    /// come, everything else is none of the receiver's business.
    Hello {
        /// What the sender does.
        part: Part,
        /// The sender has heard the other's, so none is due in return.
        answer: bool,
        /// Most flows that it holds.
        most: u64,
        /// Of a source: its stream, and how far it is. Of a mirror: up to where its kernel
        /// holds what it was told, if it knows.
        position: Option<Position>,
    },
    /// Changes, oldest first.
    Batch {
        /// Counts up by one with each batch, and by more where something was not told.
        sequence: u64,
        /// The changes.
        records: Vec<Record>,
    },
    /// The mirror's kernel has been told all of a batch.
    Ack {
        /// Of this number.
        sequence: u64,
        /// How many of its changes the kernel refused.
        refused: u32,
        /// How many flows were left out because the mirror is full.
        full: u32,
    },
    /// What the source's buckets hold at this place of the stream.
    Digests {
        /// Counts up by one with each.
        round: u32,
        /// Number of the last batch before it.
        sequence: u64,
        /// All [`BUCKETS`](crate::digest::BUCKETS).
        buckets: Vec<Bucket>,
    },
    /// What the mirror found.
    Compared {
        /// In this round; 0 when it found by itself that its kernel lost something.
        round: u32,
        /// Flows that it holds.
        flows: u64,
        /// The source's flows that lie in equal buckets.
        equal: u64,
        /// Buckets to be told as a whole.
        differ: BucketSet,
    },
    /// From here on all flows of these buckets are told.
    SweepBegin {
        /// Counts up by one with each.
        round: u32,
        /// The buckets.
        buckets: BucketSet,
    },
    /// All flows of the buckets were told.
    SweepEnd {
        /// As it began.
        round: u32,
    },
    /// Expectations.
    Expectations {
        /// These are all: others are gone.
        whole: bool,
        /// The changes.
        list: Vec<Expected>,
    },
    /// Neighbours of the source's HA interfaces.
    Neighbours {
        /// These are all: others are gone.
        whole: bool,
        /// The entries.
        list: Vec<Neighbour>,
    },
    /// Of the source: whoever stood where the mirror said it did has everything now. Of the
    /// mirror: it has.
    CaughtUp {
        /// Number of the last batch before it.
        sequence: u64,
        /// Flows that the sender holds.
        flows: u64,
    },
    /// Of the source: what came since the mirror's position is not known any more.
    Anew,
    /// Of the mirror: it knows what its kernel holds, and can compare.
    Ready,
}

impl Message {
    /// Whether it is a hello.
    pub fn is_hello(&self) -> bool {
        matches!(self, Message::Hello { .. })
    }

    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match self {
            Message::Hello { part, answer, most, position } => {
                standing::put_hello(&mut out, *part, *answer, *most, position.as_ref());
            }
            Message::Batch { sequence, records } => {
                begin_batch(&mut out, *sequence);
                records.iter().for_each(|record| match record {
                    Record::Upsert(flow) => put_upsert(&mut out, flow),
                    Record::Remove(key) => put_remove(&mut out, key),
                });
            }
            Message::Ack { sequence, refused, full } => {
                put(&mut out, &[ACK]);
                put(&mut out, &sequence.to_be_bytes());
                [refused, full].iter().for_each(|count| put(&mut out, &count.to_be_bytes()));
            }
            Message::Digests { round, sequence, buckets } => {
                put_digests(&mut out, *round, *sequence, buckets);
            }
            Message::Compared { round, flows, equal, differ } => {
                put_round(&mut out, COMPARED, *round);
                [flows, equal].iter().for_each(|count| put(&mut out, &count.to_be_bytes()));
                differ.encode(&mut out);
            }
            Message::SweepBegin { round, buckets } => {
                put_round(&mut out, SWEEP_BEGIN, *round);
                buckets.encode(&mut out);
            }
            Message::SweepEnd { round } => put_round(&mut out, SWEEP_END, *round),
            Message::Expectations { whole, list } => {
                put(&mut out, &[EXPECTATIONS, u8::from(*whole)]);
                list.iter().for_each(|expected| extras::put_expected(&mut out, expected));
            }
            Message::Neighbours { whole, list } => {
                put(&mut out, &[NEIGHBOURS, u8::from(*whole)]);
                list.iter().for_each(|neighbour| extras::put_neighbour(&mut out, neighbour));
            }
            Message::CaughtUp { sequence, flows } => {
                put(&mut out, &[CAUGHT_UP]);
                [sequence, flows].iter().for_each(|number| put(&mut out, &number.to_be_bytes()));
            }
            Message::Anew => put(&mut out, &[ANEW]),
            Message::Ready => put(&mut out, &[READY]),
        }
        out
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(bytes);
}

fn put_round(out: &mut Vec<u8>, kind: u8, round: u32) {
    out.push(kind);
    put(out, &round.to_be_bytes());
}

/// Reads a message.
///
/// # Errors
/// When no honest peer of this version sends it.
pub fn decode_message(bytes: &[u8]) -> Result<Message, MessageError> {
    if bytes.len() > MAX_MESSAGE {
        return Err(MessageError::Long);
    }
    let mut from = Reader(bytes);
    let message = match from.byte()? {
        HELLO => standing::hello(&mut from)?,
        BATCH => {
            let sequence = from.u64()?;
            Message::Batch { sequence, records: until_end(&mut from, record)? }
        }
        ACK => Message::Ack { sequence: from.u64()?, refused: from.u32()?, full: from.u32()? },
        DIGESTS => standing::digests(&mut from)?,
        COMPARED => Message::Compared {
            round: from.u32()?,
            flows: from.u64()?,
            equal: from.u64()?,
            differ: BucketSet::from_bytes(from.array()?),
        },
        SWEEP_BEGIN => Message::SweepBegin {
            round: from.u32()?,
            buckets: BucketSet::from_bytes(from.array()?),
        },
        SWEEP_END => Message::SweepEnd { round: from.u32()? },
        EXPECTATIONS => {
            let whole = from.flag()?;
            Message::Expectations { whole, list: until_end(&mut from, extras::expected)? }
        }
        NEIGHBOURS => {
            let whole = from.flag()?;
            Message::Neighbours { whole, list: until_end(&mut from, extras::neighbour)? }
        }
        CAUGHT_UP => Message::CaughtUp { sequence: from.u64()?, flows: from.u64()? },
        ANEW => Message::Anew,
        READY => Message::Ready,
        unknown => return Err(MessageError::Kind(unknown)),
    };
    from.end()?;
    Ok(message)
}

fn until_end<'a, T>(
    from: &mut Reader<'a>,
    read: impl Fn(&mut Reader<'a>) -> Result<T, MessageError>,
) -> Result<Vec<T>, MessageError> {
    let mut list = Vec::new();
    while !from.is_empty() {
        list.push(read(from)?);
    }
    Ok(list)
}

fn record(from: &mut Reader<'_>) -> Result<Record, MessageError> {
    match from.byte()? {
        UPSERT => record::flow(from).map(Record::Upsert),
        REMOVE => record::key(from).map(Record::Remove),
        _ => Err(MessageError::Nonsense("a change of unknown kind")),
    }
}

/// Begins a batch to which [`put_upsert`] and [`put_remove`] append.
pub(crate) fn begin_batch(out: &mut Vec<u8>, sequence: u64) {
    out.push(BATCH);
    out.extend_from_slice(&sequence.to_be_bytes());
}

/// Appends a flow that is there.
pub(crate) fn put_upsert(out: &mut Vec<u8>, flow: &Flow) {
    out.push(UPSERT);
    record::put_flow(out, flow);
}

/// Appends a flow that is gone.
pub(crate) fn put_remove(out: &mut Vec<u8>, key: &Key) {
    out.push(REMOVE);
    record::put_key(out, key);
}
