//! The passive node's side, without clock or I/O: the source's messages go in, what the
//! kernel must be told comes out, and after that the words for the source.
//!
//! What its kernel has at the start is kept and compared: after a change of roles both
//! nodes hold nearly the same. From then on dumps check now and then that the kernel still
//! has what the ledger says, and prolong lives: the kernel of the passive node sees no
//! packets that would.
//!
//! It remembers up to where in the source's stream its kernel holds all that it was told. One
//! that is made anew and knows it ([`Mirror::resume`]) is told the rest and has everything,
//! before it has looked at its kernel: that it does afterwards.

mod check;
mod doomed;
mod place;
mod session;
mod shown;
mod take;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::digest::BucketSet;
use crate::expectation::Expectation;
use crate::ledger::Ledger;
use crate::message::Message;
use crate::neighbour::Neighbours;
use crate::position::{Position, StreamId};
use crate::source::Settings;
use crate::tuple::{Key, Tuple};
use crate::work::{About, Outcome, Work, Write};

#[cfg(test)]
pub(crate) use check::MOST_REMOVED;
#[cfg(test)]
pub(crate) use take::held;

use check::Check;
use doomed::Doomed;
use session::Session;
use shown::Counts;

/// The shortest life that a mirror writes, in seconds. What ends meanwhile is removed by
/// the source's word; without one, flows of UDP still live so long.
pub const HOLD: u32 = 600;

/// The mirror.
#[derive(Debug)]
pub struct Mirror {
    settings: Settings,
    ledger: Ledger,
    session: Session,
    /// Messages for the source.
    answers: VecDeque<Message>,
    /// The first dump is complete.
    known: bool,
    /// The source's stream.
    stream: Option<StreamId>,
    /// Up to where in it the kernel holds everything: only what was compared and found equal,
    /// and after that told without a gap and written without a refusal, counts.
    applied: Option<Position>,
    /// The last such place at which nothing waited to be removed.
    settled: Option<Position>,
    /// Flows that the kernel holds, as long as the ledger does not say.
    held: u64,
    check: Option<Check>,
    /// When the next dump is due, if none is under way.
    check_at: Instant,
    /// When the last one ended, and how long it took.
    checked_at: Instant,
    check_took: Duration,
    /// When the number of the kernel's entries is looked at next.
    count_at: Instant,
    /// Buckets that are being told as a whole, with the number of the sweep.
    sweep: Option<(u32, BucketSet)>,
    /// When it began, and how many of its flows were told.
    swept: (Instant, u64),
    expectations: HashMap<(Tuple, u16), Expectation>,
    neighbours: Neighbours,
    /// When the kernel's neighbours are looked at next.
    neighbours_at: Instant,
    /// Flows that are to be removed when nothing else is to be done.
    doomed: Doomed,
    /// Work that dumps made.
    upkeep: Work,
    /// This kernel keeps labels or helpers, as far as is known.
    extras: Extras,
    counts: Counts,
    trouble: Option<String>,
}

/// Whether this kernel keeps what needs a module or a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extras {
    /// Nothing speaks against it.
    Kept,
    /// Some were missing, and are written once more.
    Tried,
    /// They were missing again: flows without them are as good as they get here.
    NotKept,
}

impl Mirror {
    /// One that knows nothing yet and wants a dump.
    pub fn new(settings: Settings, now: Instant) -> Mirror {
        Mirror {
            ledger: Ledger::new(settings.most),
            session: Session::default(),
            answers: VecDeque::new(),
            known: false,
            stream: None,
            applied: None,
            settled: None,
            held: 0,
            check: None,
            check_at: now,
            checked_at: now,
            check_took: Duration::ZERO,
            count_at: now,
            sweep: None,
            swept: (now, 0),
            expectations: HashMap::new(),
            neighbours: Neighbours::default(),
            neighbours_at: now,
            doomed: Doomed::default(),
            upkeep: Work::default(),
            extras: Extras::Kept,
            counts: Counts::default(),
            trouble: None,
            settings,
        }
    }

    /// What came of the work, write by write.
    pub fn finished(&mut self, now: Instant, work: &Work, outcomes: &[Outcome]) {
        let mut refused = 0;
        for (write, outcome) in work.writes.iter().zip(outcomes) {
            let Err(errno) = outcome else { continue };
            if work.about == About::Upkeep {
                continue;
            }
            refused += 1;
            if let Some(key) = made(write) {
                // Not held, whatever was hoped: the next comparison says so.
                self.ledger.remove(&key);
            }
            self.trouble = Some(refusal(*errno));
        }
        self.counts.refused += u64::from(refused);
        match work.about {
            About::Batch { sequence, full, foreign } => {
                self.advance(now, sequence, refused == 0 && full == 0 && foreign == 0);
                self.answers.push_back(Message::Ack { sequence, refused, full });
            }
            About::Sweep => {
                let (began, flows) = self.swept;
                self.counts.swept(now.saturating_duration_since(began), flows);
            }
            About::Upkeep => {}
        }
    }

    /// What dumps and the passing of time made necessary, and a part of what is to be
    /// removed; then [`Mirror::finished`].
    pub fn work(&mut self, now: Instant) -> Work {
        for key in self.doomed.take() {
            self.note_removal(key);
            self.upkeep.writes.push(Write::Remove(key));
        }
        if now >= self.neighbours_at {
            self.neighbours_at = now + check::NEIGHBOURS;
            self.upkeep.neighbours = self.neighbours.list();
        }
        std::mem::take(&mut self.upkeep)
    }

    /// The next message to send; call until `None`.
    pub fn poll(&mut self) -> Option<Vec<u8>> {
        let hello = self.session.take_hello(self.settings.most, self.applied);
        let ready = || self.session.take_ready(self.known);
        let said = hello.or_else(ready).or_else(|| self.answers.pop_front());
        said.map(|message| message.encode())
    }

    /// When to call [`Mirror::work`], [`Mirror::wants_count`] and [`Mirror::wants_dump`]
    /// again if nothing happens.
    pub fn deadline(&self, now: Instant) -> Instant {
        if self.wants_removals() {
            return now;
        }
        let check = match (&self.check, &self.sweep) {
            (None, None) => self.check_at,
            (Some(_), _) | (_, Some(_)) => now + Duration::from_secs(1),
        };
        let count = if self.known { self.count_at } else { check };
        check.min(self.neighbours_at).min(count)
    }

    /// Whether flows wait to be removed, which [`Mirror::work`] does a part of each time.
    pub fn wants_removals(&self) -> bool {
        !self.doomed.is_empty()
    }

    /// Whether this node's kernel holds everything that the source has, as of the last
    /// comparison, or of the source's word that nothing is missing of what it told.
    pub fn complete(&self) -> bool {
        self.session.is_equal()
    }
}

/// The flow that a write was to make or to change.
fn made(write: &Write) -> Option<Key> {
    match write {
        Write::Create(flow) | Write::Update(flow) | Write::Replace(flow) => Some(flow.key()),
        Write::Remove(_) | Write::Timeout(..) | Write::Expect(_) | Write::Unexpect(..) => None,
    }
}

/// What to tell people about a flow that the kernel refused.
fn refusal(errno: i32) -> String {
    match errno {
        libc::ENOMEM | libc::ENOSPC => "this kernel's connection table is full; raise \
             net.netfilter.nf_conntrack_max to that of the other node"
            .to_owned(),
        errno => {
            let error = std::io::Error::from_raw_os_error(errno);
            format!("this kernel refused a flow: {error}")
        }
    }
}
