//! Flows that are younger than the settings want.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::flow::Flow;
use crate::tuple::Key;

/// They come out when they are old enough.
#[derive(Debug)]
pub(super) struct Waiting {
    age: Duration,
    most: usize,
    flows: HashMap<Key, (Instant, Flow)>,
    order: VecDeque<(Instant, Key)>,
}

impl Waiting {
    /// Nobody waits; `most` may.
    pub(super) fn new(age: Duration, most: usize) -> Waiting {
        Waiting { age, most, flows: HashMap::new(), order: VecDeque::new() }
    }

    /// Whether anybody ever waits.
    pub(super) fn is_wanted(&self) -> bool {
        !self.age.is_zero()
    }

    /// Whether a flow waits.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.flows.contains_key(key)
    }

    /// A flow begins to wait, or changes while it does; `false` when there is no room.
    pub(super) fn add(&mut self, now: Instant, key: Key, flow: &Flow) -> bool {
        if let Some((_, waits)) = self.flows.get_mut(&key) {
            waits.clone_from(flow);
            return true;
        }
        if self.order.len() >= self.most {
            return false;
        }
        let due = now + self.age;
        self.flows.insert(key, (due, flow.clone()));
        self.order.push_back((due, key));
        true
    }

    /// A flow is gone.
    pub(super) fn remove(&mut self, key: &Key) {
        self.flows.remove(key);
    }

    /// The next flow that is old enough.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Key, Flow)> {
        while let Some((due, key)) = self.order.front().copied().filter(|(due, _)| *due <= now) {
            self.order.pop_front();
            // One that came back meanwhile waits anew.
            if self.flows.get(&key).is_some_and(|(of_flow, _)| *of_flow == due) {
                return self.flows.remove(&key).map(|(_, flow)| (key, flow));
            }
        }
        None
    }

    /// When the next one is old enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.order.front().map(|(due, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbered;

    #[test]
    fn a_flow_comes_out_when_it_is_old_enough_and_not_if_it_ended() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut waiting = Waiting::new(second, 3);
        let keys: Vec<Key> = (0..3).map(|n| numbered(n).key()).collect();
        assert!(waiting.add(now, keys[0], &numbered(0)));
        assert!(waiting.add(now, keys[1], &numbered(1)));
        waiting.remove(&keys[0]);
        assert!(waiting.add(now + second / 2, keys[0], &numbered(0)), "begun anew");
        assert!(!waiting.add(now, keys[2], &numbered(2)), "full");
        assert_eq!(waiting.pop(now), None);
        assert_eq!(waiting.pop(now + second).map(|(key, _)| key), Some(keys[1]));
        assert_eq!(waiting.pop(now + second), None);
        assert_eq!(waiting.deadline(), Some(now + second * 3 / 2));
        assert_eq!(waiting.pop(now + second * 2).map(|(key, _)| key), Some(keys[0]));
        assert_eq!(waiting.deadline(), None);
    }
}
