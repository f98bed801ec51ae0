//! The active node's side of the replication, without clock or I/O: events and dumps of
//! the kernel go in, messages for the mirror come out. Whoever drives it
//! ([`SourceDrive`](crate::kernel::SourceDrive) does) passes the moment with every call.
//!
//! Every change of the ledger is told at once, or its bucket is marked as behind; there is
//! no third way. Dumps find what events did not tell, and tell buckets that are behind.
//! What was told last is remembered, also while nobody listens: a mirror that comes back and
//! knows where it stood is told the rest.

mod dump;
mod history;
mod masters;
mod outbox;
mod session;
mod shown;
mod waiting;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::digest::{BucketSet, State, bucket};
use crate::eligible::{Eligible, Standing};
use crate::expectation::{Expectation, MAX_EXPECTATIONS};
use crate::flow::{Flow, Protocol, Status};
use crate::kernel::{Event, Natural};
use crate::lag::Lag;
use crate::ledger::{Ledger, Put};
use crate::message::{Expected, Message, put_remove, put_upsert};
use crate::neighbour::{Neighbour, Neighbours};
use crate::position::{Position, StreamId};
use crate::tuple::{Key, Tuple, protocol};
use crate::work::{Outcome, Work};

use dump::{DumpUnderWay, Reason};
use masters::Masters;
use outbox::Outbox;
use session::Session;
use shown::Counts;
use waiting::Waiting;

pub(crate) use session::percent;

/// Bytes of batches that the mirror has not confirmed at any time: half of what a queue
/// of the channel holds, so that it never refuses a message for want of room.
pub const WINDOW_BYTES: usize = 4 << 20;
/// Most flows that are held unless the settings say otherwise: 100 MB of lists on each node.
pub const DEFAULT_MOST: usize = 1 << 20;

/// What does not change while a source or a mirror lives.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Most flows that are held; the mirror's, if it is smaller, holds for both.
    pub most: usize,
    /// Which flows are replicated.
    pub eligible: Eligible,
}

/// The source.
#[derive(Debug)]
pub struct Source {
    settings: Settings,
    stream: StreamId,
    ledger: Ledger,
    waiting: Waiting,
    outbox: Outbox,
    lag: Lag,
    session: Session,
    /// Buckets of which a change was not told.
    behind: BucketSet,
    /// The first dump is complete.
    known: bool,
    dump: Option<DumpUnderWay>,
    /// The next dump that is due, and from when on.
    next_dump: (Reason, Instant),
    /// When the last one ended, and how long it took.
    last_dump: (Instant, Duration),
    /// Buckets that are behind are told from then on.
    sweep_from: Instant,
    /// Waits between sweeps that did not help.
    patience: Duration,
    expectations: HashMap<(Tuple, u16), Expectation>,
    masters: Masters,
    neighbours: Neighbours,
    /// Labels are in use on this node.
    labels: bool,
    /// Lives of a mirror's making are set back to these.
    natural: Option<Natural>,
    work: Work,
    counts: Counts,
    trouble: Option<String>,
}

impl Source {
    /// One that knows nothing yet and wants a dump. `taken_over`: this node was the
    /// mirror before, so its kernel holds entries with longer lives than their own; they
    /// are set back to these.
    pub fn new(settings: Settings, taken_over: Option<Natural>, now: Instant) -> Source {
        Source {
            stream: StreamId::fresh(),
            ledger: Ledger::new(settings.most),
            waiting: Waiting::new(settings.eligible.filter().minimum_age, settings.most),
            outbox: Outbox::new(),
            lag: Lag::new(now),
            session: Session::default(),
            behind: BucketSet::none(),
            known: false,
            dump: None,
            next_dump: (Reason::Start, now),
            last_dump: (now, Duration::ZERO),
            sweep_from: now,
            patience: Duration::ZERO,
            expectations: HashMap::new(),
            masters: Masters::default(),
            neighbours: Neighbours::default(),
            labels: false,
            natural: taken_over,
            work: Work::default(),
            counts: Counts::default(),
            trouble: None,
            settings,
        }
    }

    /// Something that the kernel told.
    pub fn event(&mut self, now: Instant, event: &Event) {
        self.counts.events += 1;
        match event {
            Event::Seen(flow) => match self.settings.eligible.standing(flow) {
                Standing::In => self.seen(now, flow),
                Standing::Over => self.gone(now, &flow.key()),
                Standing::Out => {}
            },
            Event::Gone(flow) => self.gone(now, &flow.key()),
            Event::Expected(expectation) => self.expected(now, expectation),
            Event::Unexpected(expectation) => self.unexpected(expectation),
        }
    }

    /// Whether this event lacks what only a question to the kernel tells: labels, where
    /// they are in use, or the state of a TCP connection. Then ask for the flow with this
    /// key and pass the answer as the event.
    pub fn wants_whole(&self, event: &Event) -> Option<Key> {
        let Event::Seen(flow) = event else { return None };
        let labels = self.labels && flow.labels.is_none();
        let tcp = flow.original.protocol == protocol::TCP
            && flow.protocol == Protocol::None
            && flow.status.any(Status::ASSURED);
        let asks = (labels || tcp) && self.settings.eligible.standing(flow) == Standing::In;
        asks.then(|| flow.key())
    }

    /// The next flow to ask the kernel for because a helper may have changed its sequence
    /// numbers, of which there is no event; pass the answer to [`Source::asked`].
    pub fn asks(&mut self, now: Instant) -> Option<Key> {
        self.masters.pop(now)
    }

    /// A flow that was asked for, as it is now: it is told if its numbers are adjusted,
    /// whatever else it is like. Ledgers do not hold adjustments.
    pub fn asked(&mut self, now: Instant, flow: &Flow) {
        let key = flow.key();
        if self.settings.eligible.standing(flow) != Standing::In || self.waiting.has(&key) {
            return;
        }
        if !self.upsert(now, key, flow) && flow.adjustments.is_some() {
            self.tell(now, &key, |out| put_upsert(out, flow));
        }
    }

    /// The kernel dropped events.
    pub fn overrun(&mut self, now: Instant) {
        self.counts.overruns += 1;
        self.recover(now);
    }

    /// Entries of the HA interfaces, changed ones or all of them.
    pub fn neighbours(&mut self, list: &[Neighbour], whole: bool) {
        if whole {
            self.neighbours.replace(list);
            let list = self.neighbours.list();
            self.say_aside(&Message::Neighbours { whole, list });
            return;
        }
        let mut list = list.to_vec();
        list.retain(|neighbour| self.neighbours.take(neighbour));
        if !list.is_empty() {
            self.say_aside(&Message::Neighbours { whole, list });
        }
    }

    /// What this node's own kernel is to be told (lives set back); then
    /// [`Source::finished`].
    pub fn work(&mut self) -> Work {
        std::mem::take(&mut self.work)
    }

    /// What came of it. A life that could not be set back only lasts longer.
    pub fn finished(&mut self, _work: &Work, outcomes: &[Outcome]) {
        self.counts.refused_here += outcomes.iter().filter(|o| o.is_err()).count() as u64;
    }

    /// The next message to send; call until `None`.
    pub fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        while let Some((key, flow)) = self.waiting.pop(now) {
            self.upsert(now, key, &flow);
        }
        if let Some(hello) = self.session.take_hello() {
            return Some(hello.encode());
        }
        self.say_digests_when_due(now);
        if self.session.is_ready() { self.outbox.poll(now) } else { None }
    }

    /// When to call [`Source::poll`] and [`Source::wants_dump`] again if nothing happens.
    pub fn deadline(&self, now: Instant) -> Instant {
        let dump = self.dump.is_none().then(|| self.dump_due()).flatten();
        let outbox = self.outbox.deadline().filter(|_| self.session.is_ready());
        let digests = self.session.digests_due().filter(|_| self.may_compare());
        let all = [dump, outbox, digests, self.masters.deadline(), self.waiting.deadline()];
        let soonest = all.into_iter().flatten().min();
        soonest.unwrap_or(now + Duration::from_secs(1)).min(now + Duration::from_secs(1))
    }

    /// Whether the mirror's kernel holds everything, as far as both know: the last
    /// comparison found no difference and nothing is behind.
    pub fn complete(&self) -> bool {
        self.known && self.behind.is_empty() && self.session.is_equal()
    }

    /// Whether buckets were compared over the present connection.
    pub fn compared(&self) -> bool {
        self.session.compared
    }

    fn seen(&mut self, now: Instant, flow: &Flow) {
        let key = flow.key();
        if let Some(dump) = &mut self.dump {
            dump.came_back(&key);
        }
        let young = self.waiting.is_wanted() && self.ledger.get(&key).is_none();
        if !young {
            self.upsert(now, key, flow);
        } else if !self.waiting.add(now, key, flow) {
            self.counts.dropped += 1;
        }
    }

    /// Whether it was news, and so was told.
    fn upsert(&mut self, now: Instant, key: Key, flow: &Flow) -> bool {
        self.labels |= flow.labels.is_some();
        if flow.adjustments.is_some() {
            self.masters.is_adjusted(key);
        }
        let news = match self.ledger.put(key, State::of(&key, flow)) {
            Put::New | Put::Changed(_) => true,
            // In a sweep everything that is not told is removed.
            Put::Same => self.is_swept(&key),
            Put::Full => {
                self.counts.dropped += 1;
                false
            }
        };
        if news {
            self.tell(now, &key, |out| put_upsert(out, flow));
        }
        news
    }

    fn gone(&mut self, now: Instant, key: &Key) {
        self.waiting.remove(key);
        self.masters.gone(key);
        if let Some(dump) = &mut self.dump {
            dump.went(*key);
        }
        if self.ledger.remove(key).is_some() {
            self.tell(now, key, |out| put_remove(out, key));
        }
    }

    /// Where the stream is now.
    fn position(&self) -> Position {
        Position { stream: self.stream, sequence: self.outbox.sequence() }
    }

    /// Tells a change, or remembers it for a mirror that comes back. Before all flows are
    /// known nobody is told: no mirror has anything before it was compared after that.
    fn tell(&mut self, now: Instant, key: &Key, put: impl FnOnce(&mut Vec<u8>)) {
        if !self.known {
            return;
        }
        if self.outbox.add(now, put) {
            self.counts.told += u64::from(self.session.is_ready());
        } else {
            self.behind.add(bucket(key));
        }
    }

    /// Says what is not about flows; when there is no room, all of it is said later.
    fn say_aside(&mut self, message: &Message) {
        if !self.session.is_ready() || self.outbox.is_full() {
            self.session.asides_missing = true;
            return;
        }
        self.outbox.add_message(message);
    }

    fn expected(&mut self, now: Instant, expectation: &Expectation) {
        let place = (expectation.tuple, expectation.zone);
        let room =
            self.expectations.len() < MAX_EXPECTATIONS || self.expectations.contains_key(&place);
        if !self.settings.eligible.concerns_expectation(expectation) {
            return;
        }
        if !room {
            self.counts.dropped += 1;
            return;
        }
        let list = vec![Expected::There(expectation.clone())];
        self.masters.spoke(now, expectation.master_key());
        self.expectations.insert(place, expectation.clone());
        self.say_aside(&Message::Expectations { whole: false, list });
    }

    fn unexpected(&mut self, expectation: &Expectation) {
        let place = (expectation.tuple, expectation.zone);
        if self.expectations.remove(&place).is_some() {
            let list = vec![Expected::Gone(place.0, place.1)];
            self.say_aside(&Message::Expectations { whole: false, list });
        }
    }
}
