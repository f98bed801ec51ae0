//! Dumps of the kernel's flows at the source: they fill the ledger, find what events did
//! not tell, and tell buckets that are behind.
//!
//! A dump is a picture of no single moment, and the kernel makes a part of it before it
//! is read: what an event says during a dump is newer than what the dump says.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::Source;
use crate::digest::{BucketSet, bucket};
use crate::eligible::Standing;
use crate::expectation::Expectation;
use crate::flow::Flow;
use crate::message::{Message, put_remove};
use crate::tuple::Key;
use crate::view::Resync;
use crate::work::Write;

/// Flows that ended during a dump are remembered until its end; beyond so many the dump
/// is repeated instead.
const MOST_ENDED: usize = 65_536;
/// A dump is made now and then to find what nobody told: so seldom that it costs a two
/// hundredth of a processor, and this often at the most.
const CHECK: Duration = Duration::from_secs(60);
const CHECK_SHARE: u32 = 200;
/// After lost events, four times as long as the last dump took may pass at the least
/// before the next: a node that cannot keep up must not do nothing but dump.
const RECOVER_SHARE: u32 = 4;
/// A dump that failed is tried again after this.
const AGAIN: Duration = Duration::from_secs(2);

/// Why a dump is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Nothing is known yet.
    Start,
    /// The kernel dropped events.
    Overrun,
    /// Buckets are behind.
    Behind,
    /// A long time has passed.
    Check,
}

impl Reason {
    /// For people.
    fn words(self) -> &'static str {
        match self {
            Reason::Start => "start",
            Reason::Overrun => "events were lost",
            Reason::Behind => "ranges differed",
            Reason::Check => "check",
        }
    }
}

/// A dump.
#[derive(Debug)]
pub(super) struct DumpUnderWay {
    reason: Reason,
    began: Instant,
    told: u64,
    /// Buckets that are told as a whole, with the number of the sweep.
    pub(super) sweep: Option<(u32, BucketSet)>,
    ended: HashSet<Key>,
    spoiled: bool,
}

impl DumpUnderWay {
    /// Something is not known any more: the dump is repeated.
    pub(super) fn spoil(&mut self) {
        self.spoiled = true;
    }

    /// A flow ended; what the dump still says of it is old.
    pub(super) fn went(&mut self, key: Key) {
        if self.ended.len() < MOST_ENDED {
            self.ended.insert(key);
        } else {
            self.spoiled = true;
        }
    }

    /// A flow with the key of one that ended began.
    pub(super) fn came_back(&mut self, key: &Key) {
        self.ended.remove(key);
    }
}

impl Source {
    /// Whether a dump of the kernel's flows is wanted now, none being under way.
    pub fn wants_dump(&self, now: Instant) -> bool {
        self.dump.is_none() && self.dump_due().is_some_and(|due| due <= now)
    }

    /// When the next dump is due.
    pub(super) fn dump_due(&self) -> Option<Instant> {
        let sweep = self.may_sweep().then_some(self.sweep_from);
        sweep.into_iter().chain([self.next_dump.1]).min()
    }

    fn may_tell_whole(&self) -> bool {
        self.known && self.session.can_compare()
    }

    fn may_sweep(&self) -> bool {
        self.may_tell_whole() && self.outbox.is_drained() && !self.behind.is_empty()
    }

    /// A dump was asked for.
    pub fn dump_began(&mut self, now: Instant) {
        let reason = if self.next_dump.1 <= now { self.next_dump.0 } else { Reason::Behind };
        self.ledger.begin_round();
        let sweep = self.may_sweep().then(|| {
            let buckets = std::mem::replace(&mut self.behind, BucketSet::none());
            self.counts.sweeps += 1;
            self.counts.swept_since_equal += 1;
            (self.counts.sweeps, buckets)
        });
        if let Some((round, buckets)) = &sweep {
            let (round, buckets) = (*round, buckets.clone());
            self.outbox.add_message(&Message::SweepBegin { round, buckets });
        }
        self.dump = Some(DumpUnderWay {
            reason,
            began: now,
            told: 0,
            sweep,
            ended: HashSet::new(),
            spoiled: false,
        });
    }

    /// One flow of the dump. Read on only while [`Source::has_room`].
    pub fn dumped(&mut self, now: Instant, flow: &Flow) {
        self.set_back(flow);
        if self.settings.eligible.standing(flow) != Standing::In {
            return;
        }
        let key = flow.key();
        let Some(dump) = &self.dump else { return };
        // What events said since the dump began is newer, and told.
        let older = dump.ended.contains(&key) || self.ledger.is_touched(&key);
        if older || self.waiting.has(&key) {
            return;
        }
        if self.upsert(now, key, flow)
            && let Some(dump) = &mut self.dump
        {
            dump.told += 1;
        }
    }

    /// The dump is complete, together with all expectations.
    pub fn dump_ended(&mut self, now: Instant, expectations: Vec<Expectation>) {
        let Some(dump) = self.dump.take() else { return };
        for key in self.ledger.untouched(&BucketSet::all()) {
            self.ledger.remove(&key);
            self.tell(now, &key, |out| put_remove(out, &key));
        }
        if let Some((round, _)) = dump.sweep {
            self.outbox.add_message(&Message::SweepEnd { round });
        }
        self.replace_expectations(expectations);
        let took = now.saturating_duration_since(dump.began);
        let resync = dump.sweep.is_some() || matches!(dump.reason, Reason::Start | Reason::Overrun);
        if resync {
            let flows = if self.known { dump.told } else { self.ledger.len() as u64 };
            let reason = dump.reason.words().to_owned();
            self.counts.resyncs += 1;
            self.counts.last_resync =
                Some(Resync { reason, ms: took.as_millis().try_into().unwrap_or(u64::MAX), flows });
            self.compare_now(now);
        }
        self.known = true;
        self.natural = None;
        self.last_dump = (now, took);
        self.next_dump = match dump.spoiled {
            true => (Reason::Overrun, now + took * RECOVER_SHARE),
            false => (Reason::Check, now + (took * CHECK_SHARE).max(CHECK)),
        };
        self.trouble = None;
    }

    /// The dump failed; it is wanted again in a while.
    pub fn dump_failed(&mut self, now: Instant, why: &str) {
        if let Some(DumpUnderWay { sweep: Some((_, buckets)), .. }) = self.dump.take() {
            // The mirror removes nothing of a sweep that has no end.
            self.behind.add_all(&buckets);
        }
        self.trouble = Some(format!("this kernel's flows could not be read: {why}"));
        self.next_dump = (if self.known { Reason::Overrun } else { Reason::Start }, now + AGAIN);
        self.sweep_from = now + AGAIN;
    }

    /// Whether what the dump gives next can be told.
    pub fn has_room(&self) -> bool {
        !self.session.is_ready() || self.outbox.is_half_empty()
    }

    /// Lost events: when everything is read.
    pub(super) fn recover(&mut self, now: Instant) {
        // What the dump under way has read already may have changed unsaid.
        if let Some(dump) = &mut self.dump {
            dump.spoil();
        } else if self.known {
            let (ended, took) = self.last_dump;
            self.next_dump = (Reason::Overrun, now.max(ended + took * RECOVER_SHARE));
        }
    }

    /// Whether all flows of this key's bucket are being told.
    pub(super) fn is_swept(&self, key: &Key) -> bool {
        let sweep = self.dump.as_ref().and_then(|dump| dump.sweep.as_ref());
        sweep.is_some_and(|(_, buckets)| buckets.has(bucket(key)))
    }

    /// A life of a mirror's making is shortened to the kernel's own.
    fn set_back(&mut self, flow: &Flow) {
        let natural = self.natural.and_then(|natural| natural.of(flow));
        if let (Some(natural), Some(left)) = (natural, flow.timeout)
            && left > natural
        {
            self.work.writes.push(Write::Timeout(flow.key(), natural));
        }
    }

    fn replace_expectations(&mut self, list: Vec<Expectation>) {
        let known = self.expectations.len();
        let mut fresh = std::collections::HashMap::new();
        for it in list.into_iter().filter(|it| self.settings.eligible.concerns_expectation(it)) {
            fresh.insert((it.tuple, it.zone), it);
        }
        let same = fresh.len() == known && fresh.keys().all(|k| self.expectations.contains_key(k));
        self.expectations = fresh;
        self.session.asides_missing |= !same;
    }
}
