//! What the mirror and its source have agreed on over the present connection.

use std::time::Instant;

use super::Mirror;
use crate::message::Message;
use crate::position::Position;
use crate::view::Part;

/// A connection's state.
#[derive(Debug, Default)]
pub(super) struct Session {
    connected: bool,
    /// A hello that is to be sent, and whether it is an answer.
    hello: Option<bool>,
    /// The source knows that this mirror can compare.
    said_ready: bool,
    /// The part of the other node, once it has said hello.
    other_part: Option<Part>,
    /// What the last comparison found, or that all was told which was missed; `None` before.
    pub(super) compared: Option<Compared>,
}

/// A comparison.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compared {
    /// The source's flows, and those of them in equal buckets.
    pub(super) flows: u64,
    pub(super) equal: u64,
    /// Buckets that differed.
    pub(super) differed: usize,
    /// Buckets were compared. Else it follows from what was told.
    pub(super) by_buckets: bool,
}

impl Session {
    /// The hello that is to be sent, once.
    pub(super) fn take_hello(
        &mut self,
        most: usize,
        position: Option<Position>,
    ) -> Option<Message> {
        let answer = self.hello.take()?;
        let answer = answer || self.other_part.is_some();
        Some(Message::Hello { part: Part::Mirror, answer, most: most as u64, position })
    }

    /// That this mirror can compare, once to each source.
    pub(super) fn take_ready(&mut self, known: bool) -> Option<Message> {
        let due = known && self.is_ready() && !self.said_ready;
        self.said_ready |= due;
        due.then_some(Message::Ready)
    }

    /// Whether what is heard is meant for us: a source says nothing but its own hello
    /// before it has heard ours.
    pub(super) fn is_ready(&self) -> bool {
        self.other_part == Some(Part::Source)
    }

    /// Whether the last comparison found no difference, or, before the first, nothing is
    /// missing of what was told.
    pub(super) fn is_equal(&self) -> bool {
        self.is_ready() && self.compared.is_some_and(|compared| compared.differed == 0)
    }

    /// What keeps the nodes from talking, for people.
    pub(super) fn trouble(&self) -> Option<String> {
        match (self.connected, self.other_part) {
            (false, _) => Some("no connection to the other node".to_owned()),
            (true, Some(Part::Source)) => None,
            (true, Some(part)) => {
                Some(format!("the other node is {part:?} too, not a source").to_lowercase())
            }
            (true, None) => Some("the other node has not said hello yet".to_owned()),
        }
    }
}

impl Mirror {
    /// A connection to the source is there.
    pub fn connected(&mut self, _now: Instant) {
        self.begin_session(Session { connected: true, hello: Some(false), ..Session::default() });
    }

    /// The connection is gone. What is held stays.
    pub fn disconnected(&mut self, _now: Instant) {
        self.begin_session(Session::default());
    }

    fn begin_session(&mut self, session: Session) {
        self.answers.clear();
        // Without its end nothing of a sweep is removed.
        self.sweep = None;
        self.session = session;
    }

    pub(super) fn heard_hello(
        &mut self,
        now: Instant,
        part: Part,
        answer: bool,
        most: u64,
        position: Option<Position>,
    ) {
        // Both greet when a connection begins, and both answer: the second one is no news.
        if !(answer && self.session.other_part == Some(part)) {
            self.begin_session(Session {
                connected: true,
                hello: self.session.hello,
                other_part: Some(part),
                ..Session::default()
            });
        }
        // Another source began anew: it knows nothing of what the one before told.
        let stream = position.filter(|_| part == Part::Source).map(|position| position.stream);
        self.stream = stream;
        if self.applied.is_some_and(|applied| Some(applied.stream) != stream) {
            self.lose_place(now);
        }
        if !answer {
            self.session.hello = Some(true);
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        self.ledger.set_most(self.settings.most.min(most));
    }
}
