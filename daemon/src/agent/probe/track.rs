//! When answers came, and where they stayed away for longer than between two questions. A value
//! without a clock: moments come in, silences come out.

use std::time::Duration;

use super::Silence;

/// Beside one and a half intervals an answer may be so late, in microseconds: a busy machine.
const LATE: u64 = 5_000;

/// One probe's answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Track {
    interval_us: u64,
    /// The last answer, and who gave it.
    last: Option<(u64, String)>,
    /// The last question.
    sent_us: Option<u64>,
    /// The longest time between two questions since the last answer: what this node was late
    /// with is not blamed on the other one.
    slowest_us: u64,
}

impl Track {
    pub(super) fn new(interval: Duration) -> Track {
        let interval_us = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        Track { interval_us, last: None, sent_us: None, slowest_us: interval_us }
    }

    /// The last answer.
    pub(super) fn last(&self) -> Option<u64> {
        self.last.as_ref().map(|(at, _)| *at)
    }

    /// A question goes out.
    pub(super) fn asked(&mut self, now_us: u64) {
        if let Some(sent) = self.sent_us {
            self.slowest_us = self.slowest_us.max(now_us.saturating_sub(sent));
        }
        self.sent_us = Some(now_us);
    }

    /// `who` answers.
    pub(super) fn answered(&mut self, now_us: u64, who: &str, node: &str) -> Option<Silence> {
        let silence = self.going_on(now_us, node).map(|silence| Silence {
            asked: if silence.asked == who {
                silence.asked
            } else {
                format!("{}, then {who}", silence.asked)
            },
            to_us: Some(now_us),
            ..silence
        });
        self.last = Some((now_us, who.to_owned()));
        self.slowest_us = self.interval_us;
        silence
    }

    /// Nobody is asked any more; what had been silent until then has no end.
    pub(super) fn ceased(&mut self, now_us: u64, node: &str) -> Option<Silence> {
        let silence = self.going_on(now_us, node);
        (self.last, self.sent_us, self.slowest_us) = (None, None, self.interval_us);
        silence
    }

    /// The silence that goes on.
    pub(super) fn going_on(&self, now_us: u64, node: &str) -> Option<Silence> {
        let (from_us, who) = self.last.as_ref()?;
        let longest = self.slowest_us.saturating_mul(3) / 2 + LATE;
        (now_us.saturating_sub(*from_us) > longest).then(|| Silence {
            node: node.to_owned(),
            asked: who.clone(),
            from_us: *from_us,
            to_us: None,
            floor_ms: self.slowest_us as f64 / 1000.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000;

    fn answering(until: u64) -> Track {
        let mut track = Track::new(Duration::from_millis(100));
        for at in (0..=until).step_by(100) {
            track.asked(at * MS);
            assert_eq!(track.answered(at * MS + 300, "10.1.0.1", "gw-b"), None, "{at}");
        }
        track
    }

    #[test]
    fn a_silence_lasts_from_the_last_answer_to_the_first_one_whoever_gives_it() {
        let mut track = answering(1_000);
        for at in (1_100..=1_400).step_by(100) {
            track.asked(at * MS);
        }
        let open = track.going_on(1_400 * MS, "gw-b").expect("it is silent");
        assert_eq!((open.from_us, open.to_us), (1_000_300, None));
        let silence = track.answered(1_450 * MS, "10.1.0.9", "gw-b").expect("it was silent");
        assert_eq!(silence.asked, "10.1.0.1, then 10.1.0.9");
        assert_eq!((silence.ms(), silence.floor_ms), (Some(449.7), 100.0));
        assert_eq!(track.answered(1_550 * MS, "10.1.0.9", "gw-b"), None);
    }

    #[test]
    fn what_this_node_did_not_ask_is_nobodys_silence() {
        let mut track = answering(1_000);
        // The machine was kept from running for 400 ms.
        track.asked(1_400 * MS);
        assert_eq!(track.answered(1_401 * MS, "10.1.0.1", "gw-b"), None);
    }

    #[test]
    fn a_silence_that_nobody_can_end_says_so() {
        let mut track = answering(500);
        for at in (600..=900).step_by(100) {
            track.asked(at * MS);
        }
        let silence = track.ceased(900 * MS, "gw-b").expect("it was silent");
        assert_eq!((silence.from_us, silence.to_us), (500_300, None));
        assert_eq!(track.ceased(2_000 * MS, "gw-b"), None);
    }
}
