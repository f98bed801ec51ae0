//! Where a mirror stands in a source's stream of changes, so that after a restart only what
//! came since need be told: the kernel survives its agent, and all that the mirror wrote into
//! it was written in the order of the stream.
//!
//! A position is no promise about what is in the kernel: others change it too. Whoever believes
//! one compares afterwards.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::digest::fold;

/// Which stream: made anew whenever a source begins anew, so that no number of an older one, or
/// of another node's, is ever taken for one of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamId(u128);

impl StreamId {
    /// A new one, by the same chance from which hash maps get theirs.
    pub fn fresh() -> StreamId {
        let [high, low] = [0, 1].map(|half| u128::from(RandomState::new().hash_one(half)));
        StreamId(high << 64 | low)
    }

    /// From its number.
    pub const fn from_bits(bits: u128) -> StreamId {
        StreamId(bits)
    }

    /// Its number.
    pub const fn bits(self) -> u128 {
        self.0
    }
}

/// A place in a stream: behind the batch with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The stream.
    pub stream: StreamId,
    /// Number of the last batch before it.
    pub sequence: u64,
}

/// What a mirror's kernel holds: everything up to a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Where the mirror stands.
    pub position: Position,
    /// How many flows its kernel has of the source.
    pub flows: u64,
}

/// Which kernel table a holding speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// The kernel's name for this run of the machine.
    pub boot: [u8; 16],
    /// The kernel's number of the network namespace, which it gives to no other in this run.
    pub namespace: u64,
}

/// A holding as it is kept for the next agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where it holds.
    pub table: Table,
    /// What is held.
    pub holding: Holding,
    /// When it was last known to be so, since the machine began to run.
    pub at: Duration,
}

impl Kept {
    /// Bytes of its encoding.
    pub const BYTES: usize = 88;

    /// As bytes, of which each is proved by the last eight.
    pub fn encode(&self) -> [u8; Kept::BYTES] {
        let Kept { table, holding: Holding { position, flows }, at } = self;
        let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        let mut out = [0; Kept::BYTES];
        let mut put = |from: usize, bytes: &[u8]| {
            out[from..from + bytes.len()].copy_from_slice(bytes);
        };
        put(0, MAGIC);
        put(16, &table.boot);
        put(32, &table.namespace.to_be_bytes());
        put(40, &position.stream.bits().to_be_bytes());
        put(56, &position.sequence.to_be_bytes());
        put(64, &flows.to_be_bytes());
        put(72, &at.to_be_bytes());
        let sum = checksum(&out[..80]);
        out[80..].copy_from_slice(&sum.to_be_bytes());
        out
    }

    /// From what [`Kept::encode`] wrote; `None` for anything else, torn or cut.
    pub fn decode(bytes: &[u8]) -> Option<Kept> {
        let bytes: &[u8; Kept::BYTES] = bytes.try_into().ok()?;
        let (words, _) = bytes.as_chunks::<8>();
        let word = |at: usize| u64::from_be_bytes(words[at / 8]);
        let wide = |at: usize| u128::from(word(at)) << 64 | u128::from(word(at + 8));
        if &bytes[..16] != MAGIC || word(80) != checksum(&bytes[..80]) {
            return None;
        }
        let position = Position { stream: StreamId(wide(40)), sequence: word(56) };
        Some(Kept {
            table: Table { boot: wide(16).to_be_bytes(), namespace: word(32) },
            holding: Holding { position, flows: word(64) },
            at: Duration::from_millis(word(72)),
        })
    }
}

/// What it is, and the version of its shape.
const MAGIC: &[u8; 16] = b"twinwall-flows-1";

/// Finds torn and foreign contents, not forgers: only root may write there.
fn checksum(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(0x5851_f42d_4c95_7f2d, |sum, word| fold(sum, u64::from_be_bytes(*word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Kept {
        Kept {
            table: Table { boot: *b"0123456789abcdef", namespace: 77 },
            holding: Holding {
                position: Position { stream: StreamId::from_bits(1 << 100 | 9), sequence: 12 },
                flows: 100_000,
            },
            at: Duration::from_millis(123_456),
        }
    }

    #[test]
    fn what_was_kept_is_read_back() {
        assert_eq!(Kept::decode(&kept().encode()), Some(kept()));
    }

    #[test]
    fn torn_cut_and_foreign_contents_are_nothing() {
        let whole = kept().encode();
        for at in 0..whole.len() {
            let mut bytes = whole;
            bytes[at] ^= 0x10;
            assert_eq!(Kept::decode(&bytes), None, "byte {at}");
            assert_eq!(Kept::decode(&whole[..at]), None, "cut at {at}");
        }
        // A write of which only the first part came through.
        let mut newer = kept();
        newer.holding.position.sequence = 13;
        newer.holding.flows = 5;
        let mut torn = newer.encode();
        torn[64..].copy_from_slice(&whole[64..]);
        assert_eq!(Kept::decode(&torn), None);
        assert_eq!(Kept::decode(&[0; Kept::BYTES]), None);
        assert_eq!(Kept::decode(&[whole.as_slice(), &[0]].concat()), None);
    }

    #[test]
    fn no_two_streams_have_one_name() {
        let mut all: Vec<u128> = (0..1000).map(|_| StreamId::fresh().bits()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 1000);
    }
}
