//! Flows that ended on the source and that this kernel still holds. A kernel ends the flows of
//! many seconds at once, tens of thousands of them; a new one must not wait behind these.

use std::collections::{HashSet, VecDeque};

use crate::tuple::Key;

/// How many are removed at a time: a millisecond of the kernel's work.
const AT_ONCE: usize = 128;
/// How many may wait, some 10 MB; of more, each is removed when its end is told.
const MOST: usize = 1 << 17;

/// They wait, in the order of their ends.
#[derive(Debug, Default)]
pub(super) struct Doomed {
    order: VecDeque<Key>,
    keys: HashSet<Key>,
}

impl Doomed {
    /// One more; `false` when there is no room.
    pub(super) fn add(&mut self, key: Key) -> bool {
        if self.order.len() >= MOST {
            return false;
        }
        if self.keys.insert(key) {
            self.order.push_back(key);
        }
        true
    }

    /// It came back before it was removed; `false` when it did not wait.
    pub(super) fn spare(&mut self, key: &Key) -> bool {
        self.keys.remove(key)
    }

    /// Whether it waits.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The next ones to be removed.
    pub(super) fn take(&mut self) -> Vec<Key> {
        let mut taken = Vec::new();
        while taken.len() < AT_ONCE {
            let Some(key) = self.order.pop_front() else { break };
            // One that was spared waits no more, wherever it stands.
            if self.keys.remove(&key) {
                taken.push(key);
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbered;

    #[test]
    fn they_leave_in_order_a_few_at_a_time_but_for_those_that_came_back() {
        let mut doomed = Doomed::default();
        let keys: Vec<Key> = (0..300).map(|n| numbered(n).key()).collect();
        assert!(keys.iter().all(|key| doomed.add(*key)));
        assert!(doomed.spare(&keys[1]) && !doomed.spare(&keys[1]) && !doomed.has(&keys[1]));
        assert!(doomed.add(keys[1]), "and ended once more");
        let mut taken = Vec::new();
        while !doomed.is_empty() {
            let some = doomed.take();
            assert!(some.len() <= AT_ONCE);
            taken.extend(some);
        }
        assert_eq!(taken.len(), keys.len());
        assert!(keys.iter().all(|key| taken.contains(key)), "each once");
    }

    #[test]
    fn a_flood_has_an_end() {
        let mut doomed = Doomed::default();
        let added = (0..MOST as u32 + 10).filter(|n| doomed.add(numbered(*n).key())).count();
        assert_eq!(added, MOST);
    }
}
