//! What a node holds for the pair: a number for each flow, and for each bucket the sum of
//! its flows, kept as they change. Two ledgers with equal buckets hold the same flows in
//! the same state, but for a chance of 2^-56.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hasher, RandomState};

use crate::digest::{BUCKETS, BucketSet, State, bucket, fold};
use crate::tuple::Key;

/// What one bucket holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Exclusive or of its flows' states.
    pub digest: u64,
    /// Number of its flows.
    pub count: u32,
}

/// What [`Ledger::put`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The flow is new here.
    New,
    /// It was there with another state.
    Changed(State),
    /// It was there so.
    Same,
    /// The ledger is full; the flow is not in it.
    Full,
}

/// The ledger.
#[derive(Debug)]
pub struct Ledger {
    slots: HashMap<Key, Slot, Seeded>,
    buckets: Box<[Bucket]>,
    most: usize,
    round: u8,
}

/// A state in 56 bits, and in the upper eight the round in which it was last touched.
#[derive(Clone, Copy, Debug)]
struct Slot(u64);

impl Slot {
    fn new(state: State, round: u8) -> Slot {
        Slot(state.bits() | u64::from(round) << State::BITS)
    }

    fn state(self) -> State {
        State::from_bits(self.0)
    }

    fn round(self) -> u8 {
        (self.0 >> State::BITS) as u8
    }
}

impl Ledger {
    /// An empty one for at most `most` flows.
    pub fn new(most: usize) -> Ledger {
        Ledger {
            slots: HashMap::with_hasher(Seeded::new()),
            buckets: vec![Bucket::default(); BUCKETS].into_boxed_slice(),
            most,
            round: 0,
        }
    }

    /// Flows in it.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Most flows in it.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Changes the bound. What is there stays, even if it is more.
    pub fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// All buckets, [`BUCKETS`] of them.
    pub fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// Bytes that it needs: a slot has a byte of bookkeeping, and an eighth of the slots
    /// stays free.
    pub fn memory_bytes(&self) -> usize {
        let slots = match self.slots.capacity() {
            0 => 0,
            usable => (usable * 8).div_ceil(7).next_power_of_two(),
        };
        slots * (size_of::<(Key, Slot)>() + 1) + size_of_val(&*self.buckets)
    }

    /// The state of a flow, if it is there.
    pub fn get(&self, key: &Key) -> Option<State> {
        self.slots.get(key).map(|slot| slot.state())
    }

    /// The flow is there in this state, and touched in this round.
    pub fn put(&mut self, key: Key, state: State) -> Put {
        let full = self.slots.len() >= self.most;
        let slot = Slot::new(state, self.round);
        let sum = &mut self.buckets[bucket(&key)];
        match self.slots.entry(key) {
            Entry::Occupied(mut there) => {
                let old = there.insert(slot).state();
                sum.digest ^= old.bits() ^ state.bits();
                if old == state { Put::Same } else { Put::Changed(old) }
            }
            Entry::Vacant(_) if full => Put::Full,
            Entry::Vacant(free) => {
                free.insert(slot);
                sum.digest ^= state.bits();
                sum.count += 1;
                Put::New
            }
        }
    }

    /// The flow is not there; the state that it had.
    pub fn remove(&mut self, key: &Key) -> Option<State> {
        let state = self.slots.remove(key)?.state();
        let sum = &mut self.buckets[bucket(key)];
        sum.digest ^= state.bits();
        sum.count -= 1;
        Some(state)
    }

    /// Begins a round: nothing is touched. One that was not touched for 256 rounds may
    /// count as touched for one more.
    pub fn begin_round(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// Whether a flow was put in this round.
    pub fn is_touched(&self, key: &Key) -> bool {
        self.slots.get(key).is_some_and(|slot| slot.round() == self.round)
    }

    /// Touches a flow without a change; `false` when it is not there.
    pub fn touch(&mut self, key: &Key) -> bool {
        let round = self.round;
        self.slots.get_mut(key).map(|slot| *slot = Slot::new(slot.state(), round)).is_some()
    }

    /// The flows of these buckets that nobody put in this round.
    pub fn untouched(&self, of: &BucketSet) -> Vec<Key> {
        let round = self.round;
        let untouched = self
            .slots
            .iter()
            .filter(|(key, slot)| slot.round() != round && of.has(bucket(key)))
            .map(|(key, _)| *key);
        untouched.collect()
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.buckets.fill(Bucket::default());
    }

    /// The buckets that differ from these, and how many of `theirs` flows are in equal ones.
    pub fn compare(&self, theirs: &[Bucket]) -> (BucketSet, u64) {
        let (mut differ, mut equal) = (BucketSet::none(), 0);
        for (number, (ours, theirs)) in self.buckets.iter().zip(theirs).enumerate() {
            if ours == theirs {
                equal += u64::from(theirs.count);
            } else {
                differ.add(number);
            }
        }
        (differ, equal)
    }
}

/// Hashes keys with a number that nobody else knows, so that no choice of ports makes
/// them collide in the map.
#[derive(Clone, Debug)]
struct Seeded(u64);

impl Seeded {
    fn new() -> Seeded {
        Seeded(RandomState::new().hash_one(0))
    }
}

impl BuildHasher for Seeded {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        Folding(self.0)
    }
}

/// Folds eight bytes at a time.
#[derive(Debug)]
struct Folding(u64);

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.0 = fold(self.0, u64::from_ne_bytes(*word));
        }
        for byte in rest {
            self.0 = fold(self.0, u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{flow, numbered};

    fn state(key: &Key) -> State {
        State::of(key, &flow("10.0.0.9", "192.0.2.1", 17))
    }

    #[test]
    fn sums_are_those_of_the_flows_whatever_the_way_to_them() {
        let (mut straight, mut winding) = (Ledger::new(1000), Ledger::new(1000));
        let keys: Vec<Key> = (0..500).map(|n| numbered(n).key()).collect();
        for key in &keys {
            assert_eq!(straight.put(*key, state(key)), Put::New);
        }
        for key in keys.iter().rev() {
            winding.put(*key, State::from_bits(7));
        }
        for key in &keys {
            assert_eq!(winding.put(*key, state(key)), Put::Changed(State::from_bits(7)));
            assert_eq!(winding.put(*key, state(key)), Put::Same);
        }
        let more = numbered(9999).key();
        winding.put(more, state(&more));
        assert_eq!(straight.compare(winding.buckets()).0.count(), 1);
        assert_eq!(winding.remove(&more), Some(state(&more)));
        assert_eq!(straight.buckets(), winding.buckets());
        assert_eq!(straight.compare(winding.buckets()), (BucketSet::none(), 500));
        for key in &keys {
            winding.remove(key);
        }
        assert!(winding.is_empty());
        assert!(winding.buckets().iter().all(|bucket| *bucket == Bucket::default()));
    }

    #[test]
    fn a_full_ledger_keeps_what_it_has_and_takes_nothing_new() {
        let mut ledger = Ledger::new(2);
        let keys: Vec<Key> = (0..3).map(|n| numbered(n).key()).collect();
        assert_eq!(ledger.put(keys[0], state(&keys[0])), Put::New);
        assert_eq!(ledger.put(keys[1], state(&keys[1])), Put::New);
        assert_eq!(ledger.put(keys[2], state(&keys[2])), Put::Full);
        assert_eq!(ledger.put(keys[0], State::from_bits(1)), Put::Changed(state(&keys[0])));
        assert_eq!(ledger.len(), 2);
        assert_eq!(ledger.get(&keys[2]), None);
        ledger.remove(&keys[1]);
        assert_eq!(ledger.put(keys[2], state(&keys[2])), Put::New);
    }

    #[test]
    fn a_round_knows_what_was_not_put_in_it() {
        let mut ledger = Ledger::new(100);
        let keys: Vec<Key> = (0..50).map(|n| numbered(n).key()).collect();
        for key in &keys {
            ledger.put(*key, state(key));
        }
        ledger.begin_round();
        assert!(!ledger.is_touched(&keys[0]));
        for key in &keys[..20] {
            ledger.put(*key, state(key));
        }
        assert!(ledger.touch(&keys[20]));
        assert!(!ledger.touch(&numbered(77).key()));
        let mut untouched = ledger.untouched(&BucketSet::all());
        untouched.sort();
        let mut wanted = keys[21..].to_vec();
        wanted.sort();
        assert_eq!(untouched, wanted);
        let mut one = BucketSet::none();
        one.add(bucket(&keys[30]));
        assert!(ledger.untouched(&one).contains(&keys[30]));
        assert!(ledger.untouched(&BucketSet::none()).is_empty());
    }

    #[test]
    fn flows_spread_over_the_buckets() {
        let mut ledger = Ledger::new(100_000);
        for number in 0..40_960 {
            let key = numbered(number).key();
            ledger.put(key, state(&key));
        }
        let most = ledger.buckets().iter().map(|bucket| bucket.count).max();
        assert!(most.is_some_and(|most| most < 40), "ten each on average, not {most:?}");
    }
}
