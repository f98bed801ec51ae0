//! Dumps of the mirror's own kernel: at the start they fill the ledger, later they find
//! what the kernel lost or has too much, and prolong lives.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::take::held;
use super::{Extras, HOLD, Mirror};
use crate::digest::{BucketSet, State, bucket};
use crate::eligible::Standing;
use crate::flow::{Flow, Protocol, tcp_flag};
use crate::message::Message;
use crate::tuple::{Key, protocol};
use crate::work::Write;

/// Shortest and longest time between two checks, which otherwise take a hundredth of the
/// time. The longest is below half of [`HOLD`], below which lives are prolonged. The
/// shortest is long: a dump walks the whole hash table, however little is in it, and a
/// flow that the kernel lost shows in the number of its entries.
const PERIOD: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(240));
const SHARE: u32 = 100;
/// How often the number of the kernel's entries is looked at.
const COUNT: Duration = Duration::from_secs(1);
/// A check because of that number is due when so many times as long as the last one took
/// have passed since it ended.
const REST: u32 = 10;
/// How often the kernel's neighbours are looked at: it forgets unused ones after a minute.
pub(super) const NEIGHBOURS: Duration = Duration::from_secs(20);
/// A check that failed is tried again after this.
const AGAIN: Duration = Duration::from_secs(2);
/// Flows that were removed during a check are remembered until its end, so many at the most.
/// Beyond it what the check finds too much may have been removed since: nothing is made of it,
/// and the next check comes soon.
pub(crate) const MOST_REMOVED: usize = 65_536;

/// A check under way.
#[derive(Debug)]
pub(super) struct Check {
    began: Instant,
    removed: HashSet<Key>,
    /// More were removed than are remembered.
    forgets: bool,
    /// Buckets in which something was not as the ledger says.
    wrong: BucketSet,
    extras_missing: bool,
}

impl Mirror {
    /// Whether a dump of the kernel's flows is wanted now, none being under way.
    pub fn wants_dump(&self, now: Instant) -> bool {
        self.check.is_none() && self.sweep.is_none() && now >= self.check_at
    }

    /// Whether the dump under way still serves: a sweep ends it.
    pub fn needs_dump(&self) -> bool {
        self.check.is_some()
    }

    /// A dump was asked for.
    pub fn dump_began(&mut self, now: Instant) {
        self.ledger.begin_round();
        self.check = Some(Check {
            began: now,
            removed: HashSet::new(),
            forgets: false,
            wrong: BucketSet::none(),
            extras_missing: false,
        });
    }

    /// One flow of the dump.
    pub fn dumped(&mut self, flow: &Flow) {
        let Some(check) = &mut self.check else { return };
        if self.settings.eligible.standing(flow) != Standing::In {
            return;
        }
        let key = flow.key();
        if check.removed.contains(&key) || self.doomed.has(&key) {
            return;
        }
        // What was written since the check began is newer than what the dump says, and lives.
        if self.ledger.is_touched(&key) {
            return;
        }
        let state = State::of(&key, flow);
        match self.ledger.get(&key) {
            None if check.forgets && self.known => return,
            // The comparison that follows tells whether the source has it too.
            None => {
                self.ledger.put(key, state);
            }
            Some(held) if held == state => {
                self.ledger.touch(&key);
            }
            Some(held) if held.same_but_extras(state) && self.extras != Extras::Kept => {
                check.extras_missing = true;
                self.ledger.touch(&key);
            }
            Some(held) => {
                check.extras_missing |= held.same_but_extras(state);
                check.wrong.add(bucket(&key));
                // As if it were not there: then it is written anew.
                self.ledger.remove(&key);
                return;
            }
        }
        self.prolong(&key, flow);
    }

    /// The dump is complete.
    pub fn dump_ended(&mut self, now: Instant) {
        let Some(mut check) = self.check.take() else { return };
        for key in self.ledger.untouched(&BucketSet::all()) {
            self.ledger.remove(&key);
            check.wrong.add(bucket(&key));
            self.counts.lost += 1;
        }
        self.extras = match (self.extras, check.extras_missing) {
            (Extras::Kept, true) => Extras::Tried,
            (Extras::Tried, true) => Extras::NotKept,
            (Extras::Tried, false) => Extras::Kept,
            (Extras::Kept, false) | (Extras::NotKept, _) => self.extras,
        };
        self.known = true;
        self.check_took = now.saturating_duration_since(check.began);
        self.checked_at = now;
        let rest = if check.forgets { PERIOD.0 } else { self.check_took * SHARE };
        self.check_at = now + rest.clamp(PERIOD.0, PERIOD.1);
        if !check.wrong.is_empty() {
            self.lose_place(now);
        }
        if self.session.is_ready() && !check.wrong.is_empty() {
            let flows = self.ledger.len() as u64;
            self.answers.push_back(Message::Compared {
                round: 0,
                flows,
                equal: 0,
                differ: check.wrong,
            });
        }
    }

    /// Whether the number of the kernel's entries is to be looked at now.
    pub fn wants_count(&self, now: Instant) -> bool {
        self.known && now >= self.count_at
    }

    /// The number of entries that the kernel has, its own among them. Fewer than there
    /// should be are looked for now and not at the next check.
    pub fn counted(&mut self, now: Instant, entries: usize) {
        self.count_at = now + COUNT;
        if entries < self.ledger.len() && self.check.is_none() {
            let rested = self.checked_at + (self.check_took * REST).max(COUNT);
            self.check_at = self.check_at.min(rested.max(now));
        }
    }

    /// The dump failed; it is wanted again in a while.
    pub fn dump_failed(&mut self, now: Instant, why: &str) {
        self.check = None;
        self.check_at = now + AGAIN;
        self.trouble = Some(format!("this kernel's flows could not be read: {why}"));
    }

    /// A flow was removed; what a check still says of it is old.
    pub(super) fn note_removal(&mut self, key: Key) {
        let Some(check) = &mut self.check else { return };
        if check.removed.len() < MOST_REMOVED {
            check.removed.insert(key);
        } else {
            check.forgets = true;
        }
    }

    /// A longer life for a flow whose own is half over, and no judgement of windows for one
    /// that is left from when this node was active.
    fn prolong(&mut self, key: &Key, flow: &Flow) {
        let short = flow.timeout.is_some_and(|left| left < HOLD / 2);
        let strict = match flow.protocol {
            Protocol::Tcp(tcp) => tcp.flags_original & tcp.flags_reply & tcp_flag::BE_LIBERAL == 0,
            Protocol::Sctp(_) | Protocol::None => false,
        };
        if strict || short && flow.original.protocol == protocol::TCP {
            self.upkeep.writes.push(Write::Update(held(flow.clone(), false)));
        } else if short {
            self.upkeep.writes.push(Write::Timeout(*key, HOLD));
        }
    }
}
