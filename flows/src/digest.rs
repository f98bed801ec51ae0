//! A flow's state as a number that both nodes compute alike: by it they agree on what they
//! hold without telling each flow. Neither timeouts nor TCP states are part of it, which
//! differ between the nodes all the time. No secret stands behind it: it finds mistakes,
//! not forgers, and the peer is trusted.

use crate::flow::{Flow, Status};
use crate::tuple::{Key, Zone};

/// Number of buckets that flows are divided into by their keys.
pub const BUCKETS: usize = 4096;

const ROUTE_BITS: u32 = 24;
const REST_BITS: u32 = 16;
const EXTRAS_BITS: u32 = 16;

/// The state of one flow in 56 bits: its way (key, reply, NAT), the rest of what every
/// kernel keeps (mark, ASSURED), and extras that need a module or a rule (labels, helper).
/// SEEN_REPLY alone does not count: it comes and goes unsaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State(u64);

impl State {
    /// Bits in use.
    pub const BITS: u32 = ROUTE_BITS + REST_BITS + EXTRAS_BITS;

    /// The state of `flow`, whose key is `key`.
    pub fn of(key: &Key, flow: &Flow) -> State {
        let name = hash(key.bytes());
        let reply = hash(Key::new(&flow.reply, Zone::default()).bytes());
        let nat = u64::from(flow.status.0 & (Status::SRC_NAT | Status::DST_NAT));
        let route = fold(fold(name, reply), nat ^ 1);
        let assured = u64::from(flow.status.0 & Status::ASSURED);
        let rest = fold(name ^ route, u64::from(flow.mark) << 8 | assured);
        let extras = extras(name, flow);
        let part = |value: u64, bits: u32| value >> (64 - bits);
        State(
            part(route, ROUTE_BITS) << (REST_BITS + EXTRAS_BITS)
                | part(rest, REST_BITS) << EXTRAS_BITS
                | part(extras, EXTRAS_BITS),
        )
    }

    /// From its number, as a message carries it; higher bits are dropped.
    pub const fn from_bits(bits: u64) -> State {
        State(bits & ((1 << State::BITS) - 1))
    }

    /// Its number.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether both go the same way: the entry can be changed in place.
    pub const fn same_route(self, other: State) -> bool {
        (self.0 ^ other.0) >> (REST_BITS + EXTRAS_BITS) == 0
    }

    /// Whether they differ in labels or helper at the most.
    pub const fn same_but_extras(self, other: State) -> bool {
        (self.0 ^ other.0) >> EXTRAS_BITS == 0
    }
}

fn extras(name: u64, flow: &Flow) -> u64 {
    let labels = u128::from_be_bytes(flow.labels.unwrap_or_default());
    let helper = flow.helper.map_or(0, |helper| u128::from_be_bytes(*helper.bytes()));
    [labels, helper].iter().fold(name, |hash, part| {
        let (high, low) = ((part >> 64) as u64, *part as u64);
        fold(fold(hash, high), low)
    })
}

/// The bucket of a key: the same on both nodes.
pub fn bucket(key: &Key) -> usize {
    (hash(key.bytes()) >> (64 - BUCKETS.ilog2())) as usize
}

fn hash(bytes: &[u8; Key::LENGTH]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(0x9e37_79b9_7f4a_7c15, |hash, word| fold(hash, u64::from_be_bytes(*word)))
}

/// One step of a hash: both halves of a long product, so that every bit moves all others.
pub(crate) fn fold(hash: u64, word: u64) -> u64 {
    let product =
        u128::from(hash ^ word ^ 0xa076_1d64_78bd_642f) * u128::from(0xe703_7ed1_a0b4_28db_u64);
    (product as u64) ^ (product >> 64) as u64
}

/// A set of buckets.
#[derive(Clone, PartialEq, Eq)]
pub struct BucketSet {
    words: Box<[u64; BUCKETS / 64]>,
}

impl BucketSet {
    /// Bytes of its encoding.
    pub const BYTES: usize = BUCKETS / 8;

    /// No bucket.
    pub fn none() -> BucketSet {
        BucketSet { words: Box::new([0; BUCKETS / 64]) }
    }

    /// Every bucket.
    pub fn all() -> BucketSet {
        BucketSet { words: Box::new([u64::MAX; BUCKETS / 64]) }
    }

    /// Adds a bucket, below [`BUCKETS`].
    pub fn add(&mut self, bucket: usize) {
        self.words[bucket / 64] |= 1 << (bucket % 64);
    }

    /// Adds those of another set.
    pub fn add_all(&mut self, other: &BucketSet) {
        self.words.iter_mut().zip(other.words.iter()).for_each(|(word, more)| *word |= more);
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Whether a bucket, below [`BUCKETS`], is in it.
    pub fn has(&self, bucket: usize) -> bool {
        self.words[bucket / 64] >> (bucket % 64) & 1 != 0
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Appends its [`BucketSet::BYTES`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.words.iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()));
    }

    /// From what [`BucketSet::encode`] wrote: any bytes are a set.
    pub fn from_bytes(bytes: &[u8; BucketSet::BYTES]) -> BucketSet {
        let mut set = BucketSet::none();
        let (words, _) = bytes.as_chunks::<8>();
        for (word, bytes) in set.words.iter_mut().zip(words) {
            *word = u64::from_be_bytes(*bytes);
        }
        set
    }
}

impl std::fmt::Debug for BucketSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BucketSet({} of {BUCKETS})", self.count())
    }
}
