//! Makes times of moments: looks at the pair come in, one a second, and what held from one to
//! another comes out. No clock of its own.

use super::record::{Span, State};

/// Looks that are further apart than so many milliseconds were not one after the other: the
/// machine slept, the agent hung, or the clock was set. What was between is not known.
const GAP_MS: u64 = 15_000;

/// How the pair is at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// This node belongs to no pair.
    Nothing,
    /// High availability is off.
    Off,
    /// It is on, and the node cannot say how the pair is.
    Unknown,
    /// It is on.
    On {
        /// Whether somebody serves.
        served: bool,
        /// Whether the configurations differ.
        out_of_sync: bool,
    },
}

impl Look {
    fn holds(self, state: State) -> bool {
        match (self, state) {
            (Look::Off, State::Off) | (Look::On { .. }, State::Watched) => true,
            (Look::On { served, .. }, State::Unserved) => !served,
            (Look::On { out_of_sync, .. }, State::OutOfSync) => out_of_sync,
            (Look::Nothing | Look::Unknown, _)
            | (Look::Off, State::Watched | State::Unserved | State::OutOfSync)
            | (Look::On { .. }, State::Off) => false,
        }
    }
}

/// What holds at present.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    open: Vec<Span>,
    last_ms: Option<u64>,
}

impl Watch {
    /// Takes in a look; what ended with it.
    pub(super) fn look(&mut self, now_ms: u64, look: Look) -> Vec<Span> {
        let mut ended = Vec::new();
        let last = self.last_ms.replace(now_ms);
        if last.is_some_and(|last| now_ms < last || now_ms - last > GAP_MS) {
            ended.append(&mut self.open);
        }
        for state in State::ALL {
            let at = self.open.iter().position(|span| span.state == state);
            match (at, look.holds(state)) {
                (Some(at), true) => self.open[at].to_ms = now_ms,
                (Some(at), false) => ended.push(Span { to_ms: now_ms, ..self.open.remove(at) }),
                (None, true) => self.open.push(Span { state, from_ms: now_ms, to_ms: now_ms }),
                (None, false) => {}
            }
        }
        ended
    }

    /// What holds at present, as far as it was seen.
    pub(super) fn open(&self) -> &[Span] {
        &self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: Look = Look::On { served: true, out_of_sync: false };

    fn span(state: State, from_ms: u64, to_ms: u64) -> Span {
        Span { state, from_ms, to_ms }
    }

    #[test]
    fn what_holds_lasts_from_the_first_look_to_the_one_that_ends_it() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(1_000, ON), []);
        assert_eq!(watch.look(2_000, Look::On { served: false, out_of_sync: true }), []);
        assert_eq!(watch.look(3_000, Look::On { served: false, out_of_sync: true }), []);
        let ended = watch.look(4_000, ON);
        assert_eq!(
            ended,
            [span(State::Unserved, 2_000, 4_000), span(State::OutOfSync, 2_000, 4_000)]
        );
        assert_eq!(watch.open(), [span(State::Watched, 1_000, 4_000)]);
        assert_eq!(watch.look(5_000, Look::Off), [span(State::Watched, 1_000, 5_000)]);
        assert_eq!(watch.look(6_000, Look::Nothing), [span(State::Off, 5_000, 6_000)]);
    }

    #[test]
    fn of_what_nobody_looked_at_nothing_is_claimed() {
        let mut watch = Watch::default();
        watch.look(1_000, ON);
        watch.look(2_000, ON);
        // The machine slept for an hour.
        assert_eq!(watch.look(3_602_000, ON), [span(State::Watched, 1_000, 2_000)]);
        // The clock was set back.
        assert_eq!(watch.look(5_000, ON), [span(State::Watched, 3_602_000, 3_602_000)]);
        assert_eq!(watch.look(6_000, Look::Unknown), [span(State::Watched, 5_000, 6_000)]);
    }
}
