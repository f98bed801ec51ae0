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
        /// From when to when this node itself was active, as its guard said last; none where it
        /// is not. The guard may have said it some seconds ago, and of the time since then it
        /// proves nothing.
        active: Option<(u64, u64)>,
    },
}

impl Look {
    fn holds(self, state: State) -> bool {
        match (self, state) {
            (Look::Off, State::Off) | (Look::On { .. }, State::Watched) => true,
            (Look::On { served, .. }, State::Unserved) => !served,
            (Look::On { out_of_sync, .. }, State::OutOfSync) => out_of_sync,
            (Look::On { active, .. }, State::Active) => active.is_some(),
            (Look::Nothing | Look::Unknown, _)
            | (Look::Off, State::Watched | State::Unserved | State::OutOfSync | State::Active)
            | (Look::On { .. }, State::Off) => false,
        }
    }

    fn active(self) -> Option<(u64, u64)> {
        match self {
            Look::On { active, .. } => active,
            Look::Nothing | Look::Off | Look::Unknown => None,
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
        let unbroken = last.filter(|last| now_ms >= *last && now_ms - last <= GAP_MS);
        if unbroken.is_none() {
            ended.append(&mut self.open);
        }
        for state in State::SEEN {
            let at = self.open.iter().position(|span| span.state == state);
            match (at, look.holds(state)) {
                (Some(at), true) => self.open[at].to_ms = now_ms,
                (Some(at), false) => ended.push(Span { to_ms: now_ms, ..self.open.remove(at) }),
                (None, true) => self.open.push(Span { state, from_ms: now_ms, to_ms: now_ms }),
                (None, false) => {}
            }
        }
        ended.extend(self.prove(look.active(), unbroken.unwrap_or(now_ms)));
        ended
    }

    /// Takes in from when to when this node was active, of which nothing before `known_ms` is
    /// believed; what ended with it. It lasts to the last moment of which the guard spoke, and not
    /// to the look that finds it over: what is told of it is proof that somebody served.
    fn prove(&mut self, active: Option<(u64, u64)>, known_ms: u64) -> Option<Span> {
        let at = self.open.iter().position(|span| span.state == State::Active);
        if let (Some(at), Some((from, to))) = (at, active)
            && from <= self.open[at].to_ms
        {
            let span = &mut self.open[at];
            span.to_ms = span.to_ms.max(to);
            return None;
        }
        let ended = at.map(|at| self.open.remove(at));
        let begun = active.map(|(from, to)| Span {
            state: State::Active,
            from_ms: from.max(known_ms).min(to),
            to_ms: to,
        });
        self.open.extend(begun);
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

    const ON: Look = Look::On { served: true, out_of_sync: false, active: None };

    fn span(state: State, from_ms: u64, to_ms: u64) -> Span {
        Span { state, from_ms, to_ms }
    }

    #[test]
    fn what_holds_lasts_from_the_first_look_to_the_one_that_ends_it() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(1_000, ON), []);
        let ill = Look::On { served: false, out_of_sync: true, active: None };
        assert_eq!(watch.look(2_000, ill), []);
        assert_eq!(watch.look(3_000, ill), []);
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

    #[test]
    fn that_this_node_was_active_lasts_no_longer_than_its_guard_spoke_of_it() {
        let active =
            |from, to| Look::On { served: true, out_of_sync: false, active: Some((from, to)) };
        let proven =
            |watch: &Watch| watch.open().iter().find(|span| span.state == State::Active).copied();
        let mut watch = Watch::default();
        watch.look(10_000, ON);
        // It became active between two looks.
        assert_eq!(watch.look(11_000, active(10_400, 10_990)), []);
        assert_eq!(proven(&watch), Some(span(State::Active, 10_400, 10_990)));
        // The guard says nothing new for some seconds.
        assert_eq!(watch.look(12_000, active(10_401, 10_991)), []);
        assert_eq!(watch.look(16_000, active(10_400, 15_995)), []);
        assert_eq!(proven(&watch), Some(span(State::Active, 10_400, 15_995)));
        // Between two looks it lost the role and took it again.
        let ended = watch.look(17_000, active(16_700, 16_990));
        assert_eq!(ended, [span(State::Active, 10_400, 15_995)]);
        assert_eq!(watch.look(18_000, ON), [span(State::Active, 16_700, 16_990)]);
        // An agent that has just come takes nobody's word for what it did not watch, nor does one
        // whose machine slept.
        let mut watch = Watch::default();
        watch.look(20_000, active(1_000, 19_990));
        assert_eq!(proven(&watch), Some(span(State::Active, 19_990, 19_990)));
        watch.look(21_000, active(1_000, 20_990));
        assert_eq!(proven(&watch), Some(span(State::Active, 19_990, 20_990)));
        watch.look(60_000, active(1_000, 59_990));
        assert_eq!(proven(&watch), Some(span(State::Active, 59_990, 59_990)));
    }
}
