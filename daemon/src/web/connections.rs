//! Places for connections: so many in all, and so many for each visitor, so that one of them
//! cannot take what the others need.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Connections at once: fifty viewers with some tabs each, at some 40 KiB a connection.
pub(super) const MAX: usize = 256;
/// Of one visitor; a browser opens six.
pub(super) const MAX_PER_VISITOR: usize = 32;

/// All places.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A place that is free again when this is dropped.
pub(super) struct Place {
    all: Connections,
    visitor: IpAddr,
}

impl Connections {
    /// A place for this visitor; none when there is none left for it.
    pub(super) fn take(&self, visitor: IpAddr) -> Option<Place> {
        let mut all = self.all();
        if all.values().sum::<usize>() >= MAX {
            return None;
        }
        let own = all.entry(visitor).or_insert(0);
        if *own >= MAX_PER_VISITOR {
            return None;
        }
        *own += 1;
        Some(Place { all: self.clone(), visitor })
    }

    fn all(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.all.all();
        if let Some(own) = all.get_mut(&self.visitor) {
            *own -= 1;
            if *own == 0 {
                all.remove(&self.visitor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_visitor_leaves_places_for_others_and_gives_its_own_back() {
        let connections = Connections::default();
        let visitor = |last: u8| IpAddr::from([192, 0, 2, last]);
        let held: Vec<Place> = (0..40).filter_map(|_| connections.take(visitor(1))).collect();
        assert_eq!(held.len(), MAX_PER_VISITOR);
        assert!(connections.take(visitor(2)).is_some());
        drop(held);
        assert!(connections.all().is_empty());
        let all: Vec<Place> =
            (0..=255).filter_map(|last| connections.take(visitor(last))).collect();
        assert_eq!(all.len(), MAX);
        assert!(connections.take(visitor(0)).is_none());
    }
}
