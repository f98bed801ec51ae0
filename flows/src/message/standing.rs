//! Where both nodes stand, as bytes: hellos, and what buckets hold.

use crate::digest::BUCKETS;
use crate::ledger::Bucket;
use crate::position::{Position, StreamId};
use crate::view::Part;

use super::bytes::Reader;
use super::{DIGESTS, HELLO, Message, MessageError, VERSION, put, put_round};

/// Appends a hello.
pub(super) fn put_hello(
    out: &mut Vec<u8>,
    part: Part,
    answer: bool,
    most: u64,
    position: Option<&Position>,
) {
    let [high, low] = VERSION.to_be_bytes();
    put(out, &[HELLO, high, low, part_byte(part), u8::from(answer)]);
    put(out, &most.to_be_bytes());
    out.push(u8::from(position.is_some()));
    if let Some(Position { stream, sequence }) = position {
        put(out, &stream.bits().to_be_bytes());
        put(out, &sequence.to_be_bytes());
    }
}

/// Reads a hello.
pub(super) fn hello(from: &mut Reader<'_>) -> Result<Message, MessageError> {
    let version = from.u16()?;
    if version != VERSION {
        return Err(MessageError::Version(version));
    }
    let part = match from.byte()? {
        0 => Part::Off,
        1 => Part::Source,
        2 => Part::Mirror,
        _ => return Err(MessageError::Nonsense("a part that there is not")),
    };
    let (answer, most) = (from.flag()?, from.u64()?);
    let position = from.flag()?.then(|| position(from)).transpose()?;
    Ok(Message::Hello { part, answer, most, position })
}

fn position(from: &mut Reader<'_>) -> Result<Position, MessageError> {
    let stream = StreamId::from_bits(u128::from_be_bytes(*from.array()?));
    Ok(Position { stream, sequence: from.u64()? })
}

fn part_byte(part: Part) -> u8 {
    match part {
        Part::Off => 0,
        Part::Source => 1,
        Part::Mirror => 2,
    }
}

/// Appends what buckets hold, as [`Message::Digests`].
pub(crate) fn put_digests(out: &mut Vec<u8>, round: u32, sequence: u64, buckets: &[Bucket]) {
    put_round(out, DIGESTS, round);
    put(out, &sequence.to_be_bytes());
    for Bucket { digest, count } in buckets {
        put(out, &digest.to_be_bytes());
        put(out, &count.to_be_bytes());
    }
}

/// Reads what buckets hold.
pub(super) fn digests(from: &mut Reader<'_>) -> Result<Message, MessageError> {
    let (round, sequence) = (from.u32()?, from.u64()?);
    let mut buckets = Vec::with_capacity(BUCKETS);
    for _ in 0..BUCKETS {
        buckets.push(Bucket { digest: from.u64()?, count: from.u32()? });
    }
    Ok(Message::Digests { round, sequence, buckets })
}
