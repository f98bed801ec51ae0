//! The source's messages, and what the kernel must be told because of them.

use std::time::Instant;

use super::session::Compared;
use super::{HOLD, Mirror};
use crate::digest::State;
use crate::expectation::MAX_EXPECTATIONS;
use crate::flow::{Flow, Protocol, Tcp, tcp_flag, tcp_state};
use crate::ledger::{Bucket, Put};
use crate::message::{Expected, Message, MessageError, Record, decode_message};
use crate::neighbour::{Neighbour, Neighbours};
use crate::tuple::{Key, ZoneSide, protocol};
use crate::work::{About, Work, Write};

impl Mirror {
    /// A message of the source. What is to be done must be done, and
    /// [`Mirror::finished`] called, before the next message is taken.
    ///
    /// # Errors
    /// When no honest peer of this version sends it; end the connection.
    pub fn receive(&mut self, now: Instant, message: &[u8]) -> Result<Work, MessageError> {
        let message = decode_message(message)?;
        let mut work = Work::default();
        // Left over from before the hello of one of us.
        if !self.session.is_ready() && !message.is_hello() {
            return Ok(work);
        }
        match message {
            Message::Hello { part, answer, most, position } => {
                self.heard_hello(now, part, answer, most, position);
            }
            Message::Batch { sequence, records } => work = self.batch(sequence, records),
            Message::Digests { round, sequence, buckets } => {
                self.compare(now, round, sequence, &buckets);
            }
            Message::SweepBegin { round, buckets } => {
                // A check and a sweep cannot share the ledger's rounds.
                self.check = None;
                self.ledger.begin_round();
                self.sweep = Some((round, buckets));
                self.swept = (now, 0);
            }
            Message::SweepEnd { round } => work = self.sweep_ended(now, round),
            Message::Expectations { whole, list } => work.writes = self.expected(whole, list),
            Message::Neighbours { whole, list } => work.neighbours = self.neighbours(whole, list),
            Message::CaughtUp { sequence, flows } => self.caught_up(now, sequence, flows),
            Message::Anew => self.lose_place(now),
            Message::Ack { .. } | Message::Compared { .. } | Message::Ready => {
                return Err(MessageError::Nonsense("what only a mirror says, as a source"));
            }
        }
        Ok(work)
    }

    fn batch(&mut self, sequence: u64, records: Vec<Record>) -> Work {
        let mut writes = Vec::with_capacity(records.len());
        let (mut full, foreign) = (0, self.counts.foreign);
        for record in records {
            self.counts.taken += 1;
            match record {
                Record::Upsert(flow) => match self.upsert(flow) {
                    Ok(write) => writes.extend(write),
                    Err(Full) => full += 1,
                },
                Record::Remove(key) => {
                    // What is not in the ledger yet may be in the kernel all the same.
                    let held = self.ledger.remove(&key).is_some() || !self.known;
                    if held && !self.doomed.add(key) {
                        self.note_removal(key);
                        writes.push(Write::Remove(key));
                    }
                }
            }
        }
        self.counts.full += u64::from(full);
        let foreign = self.counts.foreign - foreign;
        Work { writes, neighbours: Vec::new(), about: About::Batch { sequence, full, foreign } }
    }

    /// What makes the kernel hold `flow`; nothing when it does.
    fn upsert(&mut self, flow: Flow) -> Result<Option<Write>, Full> {
        let key = flow.key();
        let state = State::of(&key, &flow);
        self.swept.1 += u64::from(self.sweep.is_some());
        if self.is_foreign(&flow) {
            return Ok(None);
        }
        let spared = self.doomed.spare(&key);
        let outlived = self.outlived(&key, &flow);
        Ok(match self.ledger.put(key, state) {
            // The ledger does not hold adjustments of sequence numbers.
            Put::Same if flow.adjustments.is_some() => Some(Write::Update(held(flow, false))),
            Put::Same => None,
            Put::Changed(old) if old.same_route(state) => Some(Write::Update(held(flow, false))),
            Put::Changed(_) => Some(Write::Replace(held(flow, true))),
            // The kernel holds it as it was, or the one in its way.
            Put::New if spared || outlived.is_some() => Some(Write::Replace(held(flow, true))),
            Put::New => Some(Write::Create(held(flow, true))),
            Put::Full => {
                for gone in spared.then_some(key).into_iter().chain(outlived) {
                    self.doomed.add(gone);
                }
                return Err(Full);
            }
        })
    }

    /// The flow that went the way of this one's answers, if it is held or waits to be removed: a
    /// kernel finds a flow by either way, so that it has no two of them. Removed later, by its
    /// own way, this one would go.
    fn outlived(&mut self, key: &Key, flow: &Flow) -> Option<Key> {
        let back = Key::new(&flow.reply, flow.zone);
        if back == *key || flow.zone.side != ZoneSide::Both {
            return None;
        }
        let waited = self.doomed.spare(&back);
        let was_held = self.ledger.remove(&back).is_some();
        if !waited && !was_held {
            return None;
        }
        // What a check still says of it is old.
        self.note_removal(back);
        Some(back)
    }

    /// Whether the flow is one that this node must never write, whatever the source says:
    /// one of the nodes' own addresses. Their lists may differ for a moment.
    fn is_foreign(&mut self, flow: &Flow) -> bool {
        let foreign = !self.settings.eligible.concerns(&flow.original, &flow.reply);
        self.counts.foreign += u64::from(foreign);
        foreign
    }

    fn compare(&mut self, now: Instant, round: u32, sequence: u64, theirs: &[Bucket]) {
        if !self.known {
            // Asked before it said that it can; it is asked again.
            return;
        }
        let (differ, equal) = self.ledger.compare(theirs);
        let flows = theirs.iter().map(|bucket| u64::from(bucket.count)).sum();
        let differed = differ.count();
        self.session.compared = Some(Compared { flows, equal, differed, by_buckets: true });
        if differ.is_empty() {
            self.trouble = None;
            self.found_place(sequence);
        } else {
            self.lose_place(now);
        }
        let flows = self.ledger.len() as u64;
        self.answers.push_back(Message::Compared { round, flows, equal, differ });
    }

    fn sweep_ended(&mut self, now: Instant, round: u32) -> Work {
        let Some((_, buckets)) = self.sweep.take_if(|(begun, _)| *begun == round) else {
            return Work::default();
        };
        let gone = self.ledger.untouched(&buckets);
        let mut writes = Vec::with_capacity(gone.len());
        for key in gone {
            self.ledger.remove(&key);
            writes.push(Write::Remove(key));
        }
        // What was put off while the sweep went on.
        self.check_at = self.check_at.max(now);
        Work { writes, neighbours: Vec::new(), about: About::Sweep }
    }

    fn expected(&mut self, whole: bool, list: Vec<Expected>) -> Vec<Write> {
        let mut writes = Vec::new();
        let mut before =
            if whole { std::mem::take(&mut self.expectations) } else { Default::default() };
        for expected in list {
            match expected {
                Expected::There(it) => {
                    let place = (it.tuple, it.zone);
                    let known = self.expectations.len() >= MAX_EXPECTATIONS
                        || !self.settings.eligible.concerns_expectation(&it);
                    if known && !self.expectations.contains_key(&place) {
                        continue;
                    }
                    if before.remove(&place).is_none() {
                        writes.push(Write::Expect(Box::new(it.clone())));
                    }
                    self.expectations.insert(place, it);
                }
                Expected::Gone(tuple, zone) => {
                    if self.expectations.remove(&(tuple, zone)).is_some() {
                        writes.push(Write::Unexpect(tuple, zone));
                    }
                }
            }
        }
        writes.extend(before.into_keys().map(|(tuple, zone)| Write::Unexpect(tuple, zone)));
        writes
    }

    fn neighbours(&mut self, whole: bool, list: Vec<Neighbour>) -> Vec<Neighbour> {
        if whole {
            let mut fresh = Neighbours::default();
            fresh.replace(&list);
            self.neighbours = fresh;
            return self.neighbours.list();
        }
        list.into_iter()
            .filter(|neighbour| self.neighbours.take(neighbour) && neighbour.mac.is_some())
            .collect()
    }
}

/// The ledger has no room for a new flow.
struct Full;

/// The flow as a mirror writes it: it lives long enough without packets, and TCP's windows,
/// which nobody told, are not judged. A new one of TCP needs a state.
pub(crate) fn held(mut flow: Flow, new: bool) -> Flow {
    flow.timeout = Some(flow.timeout.unwrap_or(0).max(HOLD));
    if new && flow.original.protocol == protocol::TCP && flow.protocol == Protocol::None {
        flow.protocol = Protocol::Tcp(Tcp { state: tcp_state::ESTABLISHED, ..Tcp::default() });
    }
    if let Protocol::Tcp(tcp) = &mut flow.protocol {
        tcp.flags_original |= tcp_flag::BE_LIBERAL;
        tcp.flags_reply |= tcp_flag::BE_LIBERAL;
    }
    flow
}
