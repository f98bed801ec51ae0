//! How often each thing happened that is over at once: counted from the notices, from the
//! agent's start on.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::agent::clock::unix_ms;
use crate::agent::conditions::catalogue::Course;
use crate::agent::conditions::{ConditionId, Conditions, Kind, MAX_NOTICES};

/// The counts.
pub(super) struct Happened(Mutex<Counted>);

struct Counted {
    /// The agent's start: notices that an earlier run left are not counted again.
    began_ms: u64,
    after: u64,
    counts: BTreeMap<ConditionId, u64>,
}

impl Default for Happened {
    fn default() -> Happened {
        Happened(Mutex::new(Counted { began_ms: unix_ms(), after: 0, counts: BTreeMap::new() }))
    }
}

impl Happened {
    /// Counts what is new. More than what is kept of notices between two questions is missed.
    pub(super) fn count(&self, conditions: &Conditions) -> BTreeMap<ConditionId, u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for notice in conditions.notices(Some(counted.after), MAX_NOTICES) {
            counted.after = counted.after.max(notice.id);
            if notice.kind == Kind::Happened && notice.at_ms >= counted.began_ms {
                *counted.counts.entry(notice.condition).or_default() += 1;
            }
        }
        // What never happened is told as such, so that a rate sees the first one.
        let happens = |id: &&ConditionId| id.row().course == Course::Happens;
        for id in ConditionId::ALL.iter().filter(happens) {
            counted.counts.entry(*id).or_default();
        }
        counted.counts.clone()
    }
}
