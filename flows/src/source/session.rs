//! What the source and its mirror have agreed on over the present connection.

use std::time::{Duration, Instant};

use super::Source;
use crate::digest::BucketSet;
use crate::expectation::Expectation;
use crate::message::{Expected, Message, MessageError, decode_message, put_digests};
use crate::position::Position;
use crate::view::{Part, Resync};

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
    /// It knows what its kernel holds: before that, comparing would find nothing there.
    can_compare: bool,
    /// It was told what it missed, and has not said yet that it has it.
    leading: Option<Leading>,
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
    /// The mirror has compared buckets.
    pub(super) compared: bool,
    pub(super) refused: u64,
    pub(super) full: u64,
    /// Expectations and neighbours are to be said as a whole.
    pub(super) asides_missing: bool,
}

/// A mirror that is told what it missed.
#[derive(Clone, Copy, Debug)]
struct Leading {
    /// It has everything when it has this batch.
    sequence: u64,
    since: Instant,
    /// Changes that it missed.
    records: u64,
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

    /// Whether the mirror knows what its kernel holds.
    pub(super) fn can_compare(&self) -> bool {
        self.ready && self.can_compare
    }

    /// Whether the last comparison found no difference, or, before the first, the mirror has
    /// all that came since it was here.
    pub(super) fn is_equal(&self) -> bool {
        self.ready && self.equal
    }

    /// When buckets are compared next, if nothing else stands against it.
    pub(super) fn digests_due(&self) -> Option<Instant> {
        if !self.can_compare() {
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
            Message::Hello { part, answer, most, position } => {
                let news = self.heard_hello(now, part, answer, most);
                if news && part == Part::Mirror {
                    self.lead_on(position, now);
                }
            }
            Message::Ack { sequence, refused, full } => {
                self.session.refused += u64::from(refused);
                self.session.full += u64::from(full);
                self.outbox.confirmed(now, sequence, &mut self.lag);
            }
            Message::Compared { round, flows, equal, differ } => {
                self.heard_compared(now, round, flows, equal, &differ);
            }
            Message::CaughtUp { sequence, flows } => self.heard_caught_up(now, sequence, flows),
            Message::Ready => self.heard_ready(now),
            Message::Batch { .. }
            | Message::Digests { .. }
            | Message::SweepBegin { .. }
            | Message::SweepEnd { .. }
            | Message::Expectations { .. }
            | Message::Neighbours { .. }
            | Message::Anew => {
                return Err(MessageError::Nonsense("what only a source says, as a mirror"));
            }
        }
        Ok(())
    }

    fn hello(&self, answer: bool) -> Message {
        let (most, position) = (self.settings.most as u64, Some(self.position()));
        Message::Hello { part: Part::Source, answer, most, position }
    }

    fn begin_session(&mut self, session: Session) {
        self.outbox.hang_up();
        // The comparison that follows finds what is behind.
        self.behind.clear();
        if let Some(dump) = &mut self.dump {
            dump.sweep = None;
        }
        self.session = session;
    }

    /// Whether it begins anything.
    fn heard_hello(&mut self, now: Instant, part: Part, answer: bool, most: u64) -> bool {
        // Both greet when a connection begins, and both answer: the second one is no news.
        let news = !(answer && self.session.ready && part == Part::Mirror);
        if news {
            self.begin_session(Session {
                connected: true,
                ready: part == Part::Mirror,
                other_part: Some(part),
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
        news
    }

    /// A mirror that says where it stands is told what came since, or that this is not known
    /// any more. Nothing but a comparison helps one that does not say.
    fn lead_on(&mut self, stands: Option<Position>, now: Instant) {
        let ours = stands.filter(|position| self.known && position.stream == self.stream);
        let missed = self.outbox.listen(ours.map(|position| position.sequence));
        let Some(records) = missed else {
            if stands.is_some() {
                self.outbox.add_message(&Message::Anew);
            }
            return;
        };
        self.say_asides();
        let (sequence, flows) = (self.outbox.sequence(), self.ledger.len() as u64);
        self.outbox.add_message(&Message::CaughtUp { sequence, flows });
        self.session.leading = Some(Leading { sequence, since: now, records });
    }

    fn heard_caught_up(&mut self, now: Instant, sequence: u64, flows: u64) {
        let led = self.session.leading.take_if(|leading| leading.sequence == sequence);
        // A comparison since then knows better.
        let Some(led) = led.filter(|_| !self.session.compared) else { return };
        self.session.equal = true;
        self.session.complete_percent = Some(100.0);
        self.session.peer_flows = Some(flows);
        self.counts.resyncs += 1;
        let took = now.saturating_duration_since(led.since);
        self.counts.last_resync = Some(Resync {
            reason: "the other node was away for a moment".to_owned(),
            ms: took.as_millis().try_into().unwrap_or(u64::MAX),
            flows: led.records,
        });
    }

    fn heard_ready(&mut self, now: Instant) {
        self.session.can_compare = true;
        if self.session.asked_at.is_none() {
            self.session.compare_at = Some(now);
        }
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
            self.session.compared = true;
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
        let sequence = self.outbox.sequence();
        put_digests(&mut bytes, self.session.round, sequence, self.ledger.buckets());
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
