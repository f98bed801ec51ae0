//! The early claim: evidence instead of waiting. When the carrier of a direct HA
//! cable is gone, and neither the peer nor its kernel answers on any other path
//! in three rounds, the peer has no power.
//!
//! Called by the core. Never claims by itself: it only says `complete`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Moment;
use crate::tuning::{EVIDENCE_PAUSE, EVIDENCE_WINDOW, QUESTION, QUESTIONS, ROUNDS};

/// How long both ends of a cable may disagree on carrier before it is not direct.
const DISAGREE: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum State {
    /// Nothing asked, or somebody answered: nothing before this moment.
    Waiting { until: Moment, pause: Duration },
    /// So many `questions` are out, two a round; the last is judged at `next`.
    Asking { questions: u8, next: Moment, pause: Duration },
    /// Three rounds stayed unanswered.
    Complete,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Nothing,
    /// Ask on every path; with the number of the round that begins, if one does.
    Ask(Option<u8>),
}

/// The evidence gathered so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Early {
    state: State,
    lost_at: Option<Moment>,
    up_since: Option<Moment>,
    /// Since when only this end has carrier, as far as the peer says.
    disagree_since: Option<Moment>,
    /// Nothing speaks against a direct cable.
    pub(crate) direct: bool,
    /// That was looked into since the start, so that `direct` is an answer.
    #[serde(default)]
    pub(crate) checked: bool,
}

const IDLE: State = State::Waiting { until: Moment::ZERO, pause: EVIDENCE_PAUSE };

impl Early {
    pub(crate) fn new() -> Early {
        Early {
            state: IDLE,
            lost_at: None,
            up_since: None,
            disagree_since: None,
            direct: false,
            checked: false,
        }
    }

    /// The HA link's carrier changed.
    pub(crate) fn carrier(&mut self, now: Moment, up: bool) {
        self.state = IDLE;
        self.lost_at = (!up).then_some(now);
        self.up_since = up.then_some(now);
        self.disagree_since = None;
    }

    /// The peer says whether its end has carrier. Returns whether that disproves the
    /// cable: two ends of one cable cannot disagree for long.
    pub(crate) fn peer_carrier(&mut self, now: Moment, theirs: bool) -> bool {
        if theirs || self.up_since.is_none() {
            self.disagree_since = None;
            return false;
        }
        let since = *self.disagree_since.get_or_insert(now);
        let disproved = now.since(since) > DISAGREE;
        self.checked |= disproved;
        disproved && std::mem::take(&mut self.direct)
    }

    /// Somebody answered, or this node was kept from listening: not yet.
    pub(crate) fn refute(&mut self, now: Moment) {
        self.state = match self.state {
            State::Waiting { until, pause } => State::Waiting { until, pause },
            State::Asking { pause, .. } => State::Waiting { until: now + pause, pause: pause * 2 },
            State::Complete => {
                State::Waiting { until: now + EVIDENCE_PAUSE, pause: EVIDENCE_PAUSE * 2 }
            }
        };
    }

    /// Moves on. `allowed`: a side path delivered lately and the peer serves.
    pub(crate) fn advance(&mut self, now: Moment, allowed: bool) -> Step {
        let window = self.lost_at.is_some_and(|lost| now.since(lost) <= EVIDENCE_WINDOW);
        if !(allowed && self.direct && window) {
            if matches!(self.state, State::Asking { .. } | State::Complete) {
                self.state = IDLE;
            }
            return Step::Nothing;
        }
        match self.state {
            State::Waiting { until, pause } if now >= until => self.ask(now, 1, pause),
            State::Asking { questions, next, pause }
                if now >= next && questions < ROUNDS * QUESTIONS =>
            {
                self.ask(now, questions + 1, pause)
            }
            State::Asking { next, .. } if now >= next => {
                self.state = State::Complete;
                Step::Nothing
            }
            State::Waiting { .. } | State::Asking { .. } | State::Complete => Step::Nothing,
        }
    }

    fn ask(&mut self, now: Moment, questions: u8, pause: Duration) -> Step {
        self.state = State::Asking { questions, next: now + QUESTION, pause };
        let first = questions % QUESTIONS == 1;
        Step::Ask(first.then_some(questions / QUESTIONS + 1))
    }

    /// Whether nobody answered in all rounds.
    pub(crate) fn complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Whether a round is out.
    pub(crate) fn asking(&self) -> bool {
        matches!(self.state, State::Asking { .. })
    }

    /// When to move on.
    pub(crate) fn next(&self) -> Moment {
        match (self.state, self.lost_at) {
            (State::Asking { next, .. }, _) => next,
            (State::Waiting { until, .. }, Some(_)) => until,
            (State::Waiting { .. } | State::Complete, _) => Moment::NEVER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_millis(1_000 + millis)
    }

    /// A direct cable that lost its carrier at 0.
    fn lost() -> Early {
        let mut early = Early::new();
        early.direct = true;
        early.carrier(at(0), false);
        early
    }

    #[test]
    fn two_questions_a_round_three_rounds_then_it_is_complete() {
        let mut early = lost();
        let asked: Vec<Step> = (0..13).map(|millis| early.advance(at(millis), true)).collect();
        let round = |number| Step::Ask(Some(number));
        let expected =
            [round(1), Step::Ask(None), round(2), Step::Ask(None), round(3), Step::Ask(None)];
        for (index, step) in asked.iter().enumerate() {
            let due = expected.get(index / 2).filter(|_| index % 2 == 0);
            assert_eq!(*step, due.copied().unwrap_or(Step::Nothing), "at {index} ms");
        }
        assert!(early.complete());
    }

    #[test]
    fn an_answer_makes_it_wait_longer_each_time_until_the_carrier_comes_and_goes_again() {
        let mut early = lost();
        assert!(matches!(early.advance(at(0), true), Step::Ask(_)));
        early.refute(at(1));
        assert_eq!(early.advance(at(8), true), Step::Nothing);
        assert!(matches!(early.advance(at(9), true), Step::Ask(_)));
        early.refute(at(10));
        assert_eq!(early.advance(at(25), true), Step::Nothing, "twice as long");
        early.carrier(at(25), true);
        early.carrier(at(25), false);
        assert!(matches!(early.advance(at(25), true), Step::Ask(_)), "a new loss, a new question");
    }
}
