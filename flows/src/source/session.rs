//! What the source and its mirror have agreed on over the present connection.

use std::time::{Duration, Instant};

use super::Source;
use crate::digest::BucketSet;
use crate::expectation::Expectation;
use crate::message::{Expected, Message, MessageError, decode_message, put_digests};
use crate::view::Part;

/// How often buckets are compared when nothing gives cause to: 48 kB each time.
const COMPARE: Duration = Duration::from_secs(10);
/// How long the mirror's answer is waited for before it is asked anew.
const ANSWER: Duration = Duration::from_secs(30);
/// First and longest wait before flows are told again that telling did not help with:
/// the mirror's kernel refuses them.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// The share of `all` that is `equal`, in percent; all of nothing is all.
pub(crate) fn percent(equal: u64, all: u64) -> f64 {
    if all == 0 { 100.0 } else { (equal as f64 / all as f64 * 100.0).min(100.0) }
}

/// A connection's state.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// A hello that is to be sent.
    hello: Option<Message>,
    connected: bool,
    /// The mirror has said hello.
    ready: bool,
    /// The other node is no mirror now.
    other_part: Option<Part>,
    round: u32,
    /// When buckets are compared next; `None` while the mirror's answer is waited for.
    compare_at: Option<Instant>,
    asked_at: Option<Instant>,
    /// Flows that there were when the mirror was asked.
    asked_flows: u64,
    /// What the mirror found last, and whether that was nothing.
    equal: bool,
    pub(super) peer_flows: Option<u64>,
    pub(super) complete_percent: Option<f64>,
    pub(super) refused: u64,
    pub(super) full: u64,
    /// Expectations and neighbours are to be said as a whole.
    pub(super) asides_missing: bool,
}

impl Session {
    /// The hello that is to be sent, once.
    pub(super) fn take_hello(&mut self) -> Option<Message> {
        self.hello.take()
    }

    /// Whether there is a mirror that hears us.
    pub(super) fn is_ready(&self) -> bool {
        self.ready
    }

    /// Whether the last comparison found no difference.
    pub(super) fn is_equal(&self) -> bool {
        self.ready && self.equal
    }

    /// When buckets are compared next, if nothing else stands against it.
    pub(super) fn digests_due(&self) -> Option<Instant> {
        if !self.ready {
            return None;
        }
        self.compare_at.or(self.asked_at.map(|asked| asked + ANSWER))
    }

    /// What keeps the nodes from talking, for people.
    pub(super) fn trouble(&self) -> Option<String> {
        match (self.connected, self.other_part) {
            (false, _) => Some("no connection to the other node".to_owned()),
            (true, Some(part)) if !self.ready => {
                Some(format!("the other node is {part:?} too, not a mirror").to_lowercase())
            }
            (true, None) if !self.ready => Some("the other node has not answered yet".to_owned()),
            (true, Some(_) | None) => None,
        }
    }
}

impl Source {
    /// A connection to the other node is there.
    pub fn connected(&mut self, _now: Instant) {
        self.begin_session(Session { connected: true, ..Session::default() });
        self.session.hello = Some(self.hello(false));
    }

    /// The connection is gone; nothing that was not confirmed counts as told.
    pub fn disconnected(&mut self, _now: Instant) {
        self.begin_session(Session::default());
    }

    /// A message of the mirror.
    ///
    /// # Errors
    /// When no honest peer of this version sends it; end the connection.
    pub fn receive(&mut self, now: Instant, message: &[u8]) -> Result<(), MessageError> {
        let message = decode_message(message)?;
        // Left over from before the hello of one of us.
        if !self.session.ready && !message.is_hello() {
            return Ok(());
        }
        match message {
            Message::Hello { part, answer, most } => self.heard_hello(now, part, answer, most),
            Message::Ack { sequence, refused, full } => {
                self.session.refused += u64::from(refused);
                self.session.full += u64::from(full);
                self.outbox.confirmed(now, sequence, &mut self.lag);
            }
            Message::Compared { round, flows, equal, differ } => {
                self.heard_compared(now, round, flows, equal, &differ);
            }
            Message::Batch { .. }
            | Message::Digests { .. }
            | Message::SweepBegin { .. }
            | Message::SweepEnd { .. }
            | Message::Expectations { .. }
            | Message::Neighbours { .. } => {
                return Err(MessageError::Nonsense("what only a source says, as a mirror"));
            }
        }
        Ok(())
    }

    fn hello(&self, answer: bool) -> Message {
        Message::Hello { part: Part::Source, answer, most: self.settings.most as u64 }
    }

    fn begin_session(&mut self, session: Session) {
        self.outbox.clear();
        // The comparison that follows finds what is behind.
        self.behind.clear();
        if let Some(dump) = &mut self.dump {
            dump.sweep = None;
        }
        self.session = session;
    }

    fn heard_hello(&mut self, now: Instant, part: Part, answer: bool, most: u64) {
        // Both greet when a connection begins, and both answer: the second one is no news.
        if !(answer && self.session.ready && part == Part::Mirror) {
            self.begin_session(Session {
                connected: true,
                ready: part == Part::Mirror,
                other_part: Some(part),
                compare_at: Some(now),
                asides_missing: true,
                ..Session::default()
            });
            self.masters.tell_again(now);
        }
        if !answer {
            self.session.hello = Some(self.hello(true));
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.ledger.set_most(self.settings.most.min(most));
    }

    fn heard_compared(
        &mut self,
        now: Instant,
        round: u32,
        flows: u64,
        equal: u64,
        differ: &BucketSet,
    ) {
        self.session.peer_flows = Some(flows);
        self.behind.add_all(differ);
        if round == self.session.round && self.session.asked_at.take().is_some() {
            self.session.complete_percent = Some(percent(equal, self.session.asked_flows));
            self.session.equal = differ.is_empty();
            self.session.compare_at = Some(now + COMPARE);
            self.patience = match differ.is_empty() {
                true => Duration::ZERO,
                false if self.counts.swept_since_equal == 0 => Duration::ZERO,
                false => (self.patience * 2).clamp(PATIENCE.0, PATIENCE.1),
            };
            if differ.is_empty() {
                self.counts.swept_since_equal = 0;
            }
        } else if !differ.is_empty() {
            // The mirror's kernel lost something.
            self.session.equal = false;
        }
        self.sweep_from = now + self.patience;
    }

    /// Compares soon: something gave cause to.
    pub(super) fn compare_now(&mut self, now: Instant) {
        if self.session.compare_at.is_some() {
            self.session.compare_at = Some(now);
        }
    }

    /// Whether the ledger says what was told: it does not during a dump.
    pub(super) fn may_compare(&self) -> bool {
        self.known && self.dump.is_none() && self.outbox.is_half_empty()
    }

    /// Says what the buckets hold, in its place among the changes, when that is due.
    pub(super) fn say_digests_when_due(&mut self, now: Instant) {
        if self.session.ready && self.session.asides_missing && self.known {
            self.say_asides();
        }
        let due = self.session.digests_due().is_some_and(|due| due <= now);
        // A bucket that is behind differs for sure: it is told first.
        if !due || !self.may_compare() || !self.behind.is_empty() {
            return;
        }
        self.session.round = self.session.round.wrapping_add(1).max(1);
        self.session.compare_at = None;
        self.session.asked_at = Some(now);
        self.session.asked_flows = self.ledger.len() as u64;
        let mut bytes = Vec::new();
        put_digests(&mut bytes, self.session.round, self.ledger.buckets());
        self.outbox.add_bytes(bytes);
    }

    fn say_asides(&mut self) {
        if self.outbox.is_full() {
            return;
        }
        self.session.asides_missing = false;
        let there = |it: &Expectation| Expected::There(it.clone());
        let list = self.expectations.values().map(there).collect();
        self.outbox.add_message(&Message::Expectations { whole: true, list });
        let list = self.neighbours.list();
        self.outbox.add_message(&Message::Neighbours { whole: true, list });
    }
}
