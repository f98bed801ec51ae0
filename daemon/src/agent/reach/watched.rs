//! How one gateway is, from its answers: a machine without a clock. It counts as lost after
//! several unanswered questions in a row, and as reached again once it answered for a time
//! without a break: twice as long each time that it was lost again within an hour, so that one
//! which comes and goes cannot keep the role moving. One that has not answered yet is not lost
//! while its node may still be starting.

use std::time::Duration;

use twinwall_core::config::Reach;
use twinwall_core::explain::span;
use twinwall_core::time::Moment;

/// Without a loss for this long the next one is the first again.
const CALM: Duration = Duration::from_secs(3600);
/// One that has never answered counts as lost after this: while a node starts, its interfaces
/// negotiate, and a switch port under spanning tree forwards after twice 15 s (IEEE 802.1D).
pub(super) const SETTLES: Duration = Duration::from_secs(30);
/// The hold time is doubled no more often than this.
const MOST_DOUBLED: u32 = 5;

/// How it is. The words stay the same while it is so: each change of them is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is known yet, or it cannot be asked here; why, where that is known.
    Unknown(String),
    /// It answers.
    Reached,
    /// It does not, or not for long enough again; why.
    Lost(String),
}

/// One gateway.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    state: State,
    since: Moment,
    /// Since when it is watched.
    began: Moment,
    /// Unanswered questions in a row.
    misses: u32,
    /// A question is open since then.
    asked: Option<Moment>,
    /// While it counts as lost: since when it answers without a break.
    answers_since: Option<Moment>,
    /// How often it was lost, and when the last time.
    falls: u32,
    fell: Moment,
    round_trip: Option<Duration>,
}

impl Watched {
    pub(super) fn new(now: Moment) -> Watched {
        Watched {
            state: State::Unknown("not asked yet".to_owned()),
            since: now,
            began: now,
            misses: 0,
            asked: None,
            answers_since: None,
            falls: 0,
            fell: now,
            round_trip: None,
        }
    }

    /// A question goes out; the one before it, if it is open still, was not answered.
    pub(super) fn asked(&mut self, now: Moment, settings: &Reach) {
        if self.asked.replace(now).is_some() {
            self.missed(now, settings, "it does not answer".to_owned());
        }
    }

    /// A question could not be sent.
    pub(super) fn failed(&mut self, now: Moment, settings: &Reach, why: String) {
        self.asked = None;
        self.missed(now, settings, why);
    }

    /// It cannot be asked from here at all: nothing is said of it.
    pub(super) fn cannot(&mut self, now: Moment, why: String) {
        (self.asked, self.misses, self.answers_since) = (None, 0, None);
        self.becomes(now, State::Unknown(why));
    }

    fn missed(&mut self, now: Moment, settings: &Reach, why: String) {
        self.misses = self.misses.saturating_add(1);
        self.answers_since = None;
        self.round_trip = None;
        if self.misses < u32::from(settings.misses) {
            return;
        }
        if matches!(self.state, State::Unknown(_)) && now.since(self.began) < SETTLES {
            let span = span(SETTLES);
            let why = format!("{why}; it counts as lost {span} after the start");
            self.becomes(now, State::Unknown(why));
            return;
        }
        if self.state == State::Reached {
            self.falls = if now.since(self.fell) < CALM { self.falls.saturating_add(1) } else { 1 };
            self.fell = now;
        }
        self.becomes(now, State::Lost(why));
    }

    /// It answered.
    pub(super) fn answered(&mut self, now: Moment, settings: &Reach) {
        let Some(asked) = self.asked.take() else { return };
        self.round_trip = Some(now.since(asked));
        self.misses = 0;
        let since = *self.answers_since.get_or_insert(now);
        match &self.state {
            State::Reached => {}
            State::Unknown(_) => self.becomes(now, State::Reached),
            State::Lost(_) if now.since(since) >= self.hold(settings) => {
                self.becomes(now, State::Reached);
            }
            State::Lost(_) => {
                let hold = span(self.hold(settings));
                let why = format!("it answers again, and counts once it did so for {hold}");
                self.becomes(now, State::Lost(why));
            }
        }
    }

    fn hold(&self, settings: &Reach) -> Duration {
        settings.hold * (1 << self.falls.saturating_sub(1).min(MOST_DOUBLED))
    }

    fn becomes(&mut self, now: Moment, state: State) {
        if std::mem::discriminant(&self.state) != std::mem::discriminant(&state) {
            self.since = now;
        }
        self.state = state;
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// For how long it has been so.
    pub(super) fn lasted(&self, now: Moment) -> Duration {
        now.since(self.since)
    }

    /// How long the last answer took.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}

#[cfg(test)]
mod tests {
    use twinwall_core::config::Ask;

    use super::*;

    const SETTINGS: Reach = Reach {
        interval: Duration::from_secs(1),
        misses: 3,
        hold: Duration::from_secs(10),
        ask: Ask::Neighbour,
    };

    fn at(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1000)
    }

    /// Asks each second from `first` on, answered or not, for `count` seconds.
    fn ask(one: &mut Watched, first: u64, count: u64, answers: bool) {
        for second in first..first + count {
            one.asked(at(second), &SETTINGS);
            if answers {
                one.answered(at(second) + Duration::from_millis(2), &SETTINGS);
            }
        }
    }

    fn is_lost(one: &Watched) -> bool {
        matches!(one.state(), State::Lost(_))
    }

    #[test]
    fn it_is_lost_after_misses_in_a_row_and_reached_after_answers_without_a_break() {
        let mut one = Watched::new(at(0));
        ask(&mut one, 0, 5, true);
        assert_eq!(one.state(), &State::Reached);
        assert_eq!(one.round_trip(), Some(Duration::from_millis(2)));
        ask(&mut one, 5, 3, false);
        assert_eq!(one.state(), &State::Reached, "two were missed so far");
        one.asked(at(8), &SETTINGS);
        assert_eq!(one.state(), &State::Lost("it does not answer".to_owned()));
        ask(&mut one, 9, 9, true);
        assert!(is_lost(&one), "{:?}", one.state());
        ask(&mut one, 18, 2, false);
        ask(&mut one, 20, 10, true);
        assert!(is_lost(&one), "one was missed: it begins anew");
        ask(&mut one, 30, 2, true);
        assert_eq!(one.state(), &State::Reached);
    }

    #[test]
    fn each_time_it_is_lost_again_it_must_answer_twice_as_long() {
        let mut one = Watched::new(at(0));
        ask(&mut one, 0, 2, true);
        let mut second = 2;
        for hold in [10, 20, 40] {
            ask(&mut one, second, 4, false);
            assert!(is_lost(&one), "hold {hold}");
            second += 4;
            ask(&mut one, second, hold, true);
            assert!(is_lost(&one), "hold {hold}");
            ask(&mut one, second + hold, 2, true);
            assert_eq!(one.state(), &State::Reached, "hold {hold}");
            second += hold + 2;
        }
    }

    #[test]
    fn one_that_never_answered_is_lost_once_the_node_has_had_time_to_start() {
        let mut one = Watched::new(at(0));
        ask(&mut one, 0, 30, false);
        let State::Unknown(why) = one.state() else { panic!("{:?}", one.state()) };
        assert!(why.starts_with("it does not answer; it counts as lost 30"), "{why}");
        ask(&mut one, 30, 1, false);
        assert_eq!(one.state(), &State::Lost("it does not answer".to_owned()));
        let mut late = Watched::new(at(0));
        ask(&mut late, 0, 20, false);
        ask(&mut late, 20, 1, true);
        assert_eq!(late.state(), &State::Reached, "it was never lost, and is not held back");
        ask(&mut late, 21, 4, false);
        assert!(is_lost(&late), "one that has answered once has no more time than others");
    }

    #[test]
    fn a_line_that_is_dead_is_as_good_as_no_answer_and_one_that_cannot_be_asked_is_not_lost() {
        let mut one = Watched::new(at(0));
        for second in 0..3 {
            one.failed(at(second), &SETTINGS, "wan has no carrier".to_owned());
        }
        assert!(!is_lost(&one), "it starts: {:?}", one.state());
        one.failed(at(30), &SETTINGS, "wan has no carrier".to_owned());
        assert_eq!(one.state(), &State::Lost("wan has no carrier".to_owned()));
        one.cannot(at(31), "no IPv6 there".to_owned());
        assert_eq!(one.state(), &State::Unknown("no IPv6 there".to_owned()));
    }

    #[test]
    fn an_answer_to_nothing_says_nothing() {
        let mut one = Watched::new(at(0));
        one.answered(at(1), &SETTINGS);
        assert!(matches!(one.state(), State::Unknown(_)));
    }
}
