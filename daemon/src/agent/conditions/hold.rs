//! When a condition is told: raised once it was so for a span without a break, cleared once
//! it was not so for another. No clock and no I/O; `now` is an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use twinwall_core::explain::span;
use twinwall_core::time::Moment;

use super::catalogue::{About, ConditionId, Course, PAIR};
use super::{Kind, Notice};

/// Conditions that are kept in mind at a time, of both nodes: each interface, service, check
/// and gateway of a large pair, and a bound for what the other node says.
pub(super) const MAX_KNOWN: usize = 512;

/// Whose condition it is, as this node sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Whose {
    /// This node's.
    Here,
    /// The other node's.
    There,
    /// The pair's.
    Pair,
}

/// One condition of one thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) condition: ConditionId,
    pub(super) whose: Whose,
    pub(super) subject: Option<String>,
}

impl Key {
    /// The key of a condition as this node observes it.
    pub(super) fn of(condition: ConditionId, subject: Option<String>) -> Key {
        let whose = match condition.row().about {
            About::Node => Whose::Here,
            About::Peer => Whose::There,
            About::Pair => Whose::Pair,
        };
        Key { condition, whose, subject }
    }
}

/// What is so now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) key: Key,
    pub(super) text: String,
    /// It has lasted elsewhere already: the other node told it.
    pub(super) held: Option<Held>,
}

/// What the other node says of a condition that it holds up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Since when, on its clock.
    pub(super) since_ms: Option<u64>,
    /// For how long it is not so any more.
    pub(super) good_for: Option<Duration>,
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) key: Key,
    pub(super) kind: Kind,
    /// Since when it is or was so; none where it happened.
    pub(super) since_ms: Option<u64>,
    pub(super) text: String,
}

/// A condition that is raised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raised<'a> {
    pub(super) key: &'a Key,
    pub(super) text: &'a str,
    pub(super) since_ms: u64,
    pub(super) known: bool,
    /// Since when it is not so; none while it is.
    pub(super) gone: Option<Moment>,
}

#[derive(Clone, Debug)]
struct Known {
    text: String,
    since: Moment,
    since_ms: u64,
    raised: bool,
    /// Since when it is not so; none while it is.
    gone: Option<Moment>,
    /// The same, as the other node says of one that it holds up.
    gone_there: Option<Moment>,
    /// Whether anybody can say how it is.
    known: bool,
}

/// All conditions that are or were just so.
#[derive(Clone, Debug, Default)]
pub(super) struct Holder {
    known: BTreeMap<Key, Known>,
    refused: u64,
}

impl Holder {
    /// Takes in a notice of an earlier run, in their order.
    pub(super) fn remember(&mut self, notice: &Notice, here: &str) {
        let whose = match notice.node.as_str() {
            PAIR => Whose::Pair,
            name if name == here => Whose::Here,
            _other => Whose::There,
        };
        let key = Key { condition: notice.condition, whose, subject: notice.subject.clone() };
        match notice.kind {
            Kind::Raised => {
                let known = Known {
                    text: notice.text.clone(),
                    since: Moment::ZERO,
                    since_ms: notice.since_ms.unwrap_or(notice.at_ms),
                    raised: true,
                    gone: None,
                    gone_there: None,
                    known: false,
                };
                self.known.insert(key, known);
            }
            Kind::Cleared => drop(self.known.remove(&key)),
            Kind::Happened => {}
        }
    }

    /// Takes in everything that is so now, and says what is to be told. What nobody `can_say`
    /// stays as it was.
    pub(super) fn look(
        &mut self,
        now: Moment,
        now_ms: u64,
        observed: Vec<Observed>,
        can_say: &dyn Fn(&Key) -> bool,
    ) -> Vec<Change> {
        let mut seen = BTreeMap::new();
        for Observed { key, text, held } in observed {
            let entry = seen.entry(key).or_insert((String::new(), held));
            // Several stories of one condition are told together.
            if !entry.0.contains(&text) {
                let space = if entry.0.is_empty() { "" } else { " " };
                entry.0 = format!("{}{space}{text}", entry.0);
            }
        }
        let mut changes = Vec::new();
        for (key, (text, held)) in &seen {
            changes.extend(self.is_so(now, now_ms, key, text, *held));
        }
        for (key, known) in &mut self.known {
            known.known = seen.contains_key(key) || can_say(key);
        }
        self.known.retain(|key, known| {
            if seen.contains_key(key) {
                return true;
            }
            if !known.known {
                known.gone = None;
                return known.raised;
            }
            known.stays(now, now_ms, key, &mut changes)
        });
        changes
    }

    fn is_so(
        &mut self,
        now: Moment,
        now_ms: u64,
        key: &Key,
        text: &str,
        held: Option<Held>,
    ) -> Option<Change> {
        let Course::Lasts { raise, .. } = key.condition.row().course else { return None };
        if self.known.len() >= MAX_KNOWN && !self.known.contains_key(key) {
            self.refused += 1;
            return None;
        }
        let known = self.known.entry(key.clone()).or_insert_with(|| Known {
            text: String::new(),
            since: now,
            // A clock that is ahead does not make it begin in the future.
            since_ms: held.and_then(|it| it.since_ms).map_or(now_ms, |it| it.min(now_ms)),
            raised: false,
            gone: None,
            gone_there: None,
            known: true,
        });
        known.gone = None;
        known.gone_there = held.and_then(|it| it.good_for).map(|good| now.before(good));
        known.text = super::cut(text.to_owned());
        let due = held.is_some() || now.since(known.since) >= raise;
        if known.raised || !due {
            return None;
        }
        known.raised = true;
        let since_ms = Some(known.since_ms);
        Some(Change { key: key.clone(), kind: Kind::Raised, since_ms, text: known.text.clone() })
    }

    /// What is raised.
    pub(super) fn raised(&self) -> impl Iterator<Item = Raised<'_>> {
        let raised = self.known.iter().filter(|(_, known)| known.raised);
        raised.map(|(key, known)| Raised {
            key,
            text: &known.text,
            since_ms: known.since_ms,
            known: known.known,
            gone: known.gone.or(known.gone_there),
        })
    }

    /// How many had no room.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }
}

impl Known {
    /// It is not so now: whether it is kept in mind for a while still.
    fn stays(&mut self, now: Moment, now_ms: u64, key: &Key, changes: &mut Vec<Change>) -> bool {
        let Course::Lasts { clear, .. } = key.condition.row().course else { return false };
        if !self.raised {
            return false;
        }
        let gone = *self.gone.get_or_insert(now);
        let over = now.since(gone) >= clear;
        if over {
            let lasted = now_ms.saturating_sub(self.since_ms);
            let lasted = Duration::from_millis(lasted).saturating_sub(now.since(gone));
            // What it said last would read as if it were so still.
            let text = format!("No longer so, after {}: {}", span(lasted), self.text);
            let (key, text, since_ms) = (key.clone(), super::cut(text), Some(self.since_ms));
            changes.push(Change { key, kind: Kind::Cleared, since_ms, text });
        }
        !over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1000)
    }

    fn down(interface: &str) -> Observed {
        let key = Key::of(ConditionId::HaLinkLost, Some(interface.to_owned()));
        Observed { key, text: format!("{interface} is silent."), held: None }
    }

    fn kinds(changes: &[Change]) -> Vec<Kind> {
        changes.iter().map(|change| change.kind).collect()
    }

    /// `ha-link-lost` is raised after 1 s and cleared after 5 s.
    fn look(holder: &mut Holder, second: u64, observed: &[Observed]) -> Vec<Kind> {
        kinds(&holder.look(at(second), second * 1000, observed.to_vec(), &|_| true))
    }

    #[test]
    fn it_is_raised_once_it_lasted_and_cleared_once_it_was_gone_for_long() {
        let mut holder = Holder::default();
        let so = [down("ha0")];
        assert_eq!(look(&mut holder, 10, &so), []);
        assert_eq!(holder.raised().count(), 0, "not told yet");
        assert_eq!(look(&mut holder, 11, &so), [Kind::Raised]);
        assert_eq!(look(&mut holder, 12, &so), []);
        assert_eq!(look(&mut holder, 13, &[]), []);
        assert_eq!(look(&mut holder, 17, &so), [], "back before it counted as gone");
        assert_eq!(look(&mut holder, 18, &[]), []);
        assert_eq!(look(&mut holder, 22, &[]), []);
        assert_eq!(holder.raised().map(|it| it.since_ms).collect::<Vec<_>>(), [10_000]);
        assert_eq!(look(&mut holder, 23, &[]), [Kind::Cleared]);
        assert_eq!(look(&mut holder, 24, &[]), []);
    }

    #[test]
    fn what_ends_says_for_how_long_it_is_good_and_what_is_cleared_reads_as_cleared() {
        let mut holder = Holder::default();
        look(&mut holder, 10, &[down("ha0")]);
        look(&mut holder, 11, &[down("ha0")]);
        assert_eq!(holder.raised().map(|it| it.gone).collect::<Vec<_>>(), [None]);
        look(&mut holder, 13, &[]);
        assert_eq!(holder.raised().map(|it| it.gone).collect::<Vec<_>>(), [Some(at(13))]);
        let cleared = holder.look(at(18), 18_000, Vec::new(), &|_| true);
        assert_eq!(cleared[0].text, "No longer so, after 3 s: ha0 is silent.");
        assert_eq!(cleared[0].since_ms, Some(10_000));
    }

    #[test]
    fn what_the_other_node_told_began_when_it_says_and_ends_as_it_says() {
        let mut holder = Holder::default();
        let held = Held { since_ms: Some(7_000), good_for: Some(Duration::from_secs(2)) };
        let so = [Observed { held: Some(held), ..down("ha0") }];
        assert_eq!(look(&mut holder, 10, &so), [Kind::Raised]);
        let raised: Vec<_> = holder.raised().map(|it| (it.since_ms, it.gone)).collect();
        assert_eq!(raised, [(7_000, Some(at(8)))]);
        let again = Observed { held: Some(Held { good_for: None, ..held }), ..down("ha0") };
        look(&mut holder, 11, &[again]);
        assert_eq!(holder.raised().map(|it| it.gone).collect::<Vec<_>>(), [None]);
        let early = Held { since_ms: Some(u64::MAX), good_for: None };
        let so = [Observed { held: Some(early), ..down("lan") }];
        holder.look(at(12), 12_000, so.to_vec(), &|_| true);
        assert!(holder.raised().any(|it| it.since_ms == 12_000), "not in the future");
    }

    #[test]
    fn a_blink_shorter_than_its_span_is_never_told() {
        let mut holder = Holder::default();
        for second in 0..20 {
            let so = if second % 2 == 0 { vec![down("ha0")] } else { Vec::new() };
            assert_eq!(look(&mut holder, second, &so), [], "second {second}");
        }
    }

    #[test]
    fn what_nobody_can_say_stays_as_it_was() {
        let mut holder = Holder::default();
        let so = [down("ha0")];
        look(&mut holder, 0, &so);
        assert_eq!(look(&mut holder, 1, &so), [Kind::Raised]);
        for second in 2..60 {
            let changes = holder.look(at(second), 0, Vec::new(), &|_| false);
            assert_eq!(changes, [], "second {second}");
        }
        assert!(holder.raised().all(|raised| !raised.known));
        assert_eq!(look(&mut holder, 60, &[]), [], "its span begins when it is known again");
        assert_eq!(look(&mut holder, 65, &[]), [Kind::Cleared]);
    }

    #[test]
    fn what_the_other_node_told_is_raised_at_once() {
        let mut holder = Holder::default();
        let so = [Observed { held: Some(Held::default()), ..down("ha0") }];
        assert_eq!(look(&mut holder, 0, &so), [Kind::Raised]);
    }

    #[test]
    fn two_subjects_are_two_and_two_stories_of_one_are_one() {
        let mut holder = Holder::default();
        let also = Observed { text: "It flaps.".to_owned(), ..down("ha0") };
        let so = [down("ha0"), down("lan"), down("ha0"), also];
        look(&mut holder, 0, &so);
        let changes = holder.look(at(1), 1000, so.to_vec(), &|_| true);
        let texts: Vec<&str> = changes.iter().map(|change| change.text.as_str()).collect();
        assert_eq!(texts, ["ha0 is silent. It flaps.", "lan is silent."]);
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let mut holder = Holder::default();
        let so: Vec<Observed> = (0..MAX_KNOWN + 5).map(|at| down(&format!("if{at:04}"))).collect();
        look(&mut holder, 0, &so);
        let changes = look(&mut holder, 1, &so);
        assert_eq!((changes.len(), holder.refused()), (MAX_KNOWN, 10));
    }

    #[test]
    fn what_was_raised_in_an_earlier_run_is_raised_until_somebody_knows_better() {
        let notice = |id, node: &str, kind| Notice {
            id,
            at_ms: 5,
            since_ms: (id == 1).then_some(3),
            node: node.to_owned(),
            condition: ConditionId::DiskFull,
            subject: Some("/".to_owned()),
            severity: ConditionId::DiskFull.severity(),
            kind,
            text: "It is full.".to_owned(),
            what_now: String::new(),
        };
        let mut holder = Holder::default();
        for notice in [
            notice(1, "gw-a", Kind::Raised),
            notice(2, "gw-b", Kind::Raised),
            notice(3, "gw-b", Kind::Cleared),
        ] {
            holder.remember(&notice, "gw-a");
        }
        let raised: Vec<_> = holder.raised().map(|it| (it.key.whose, it.since_ms)).collect();
        assert_eq!(raised, [(Whose::Here, 3)], "when it began, not when it was told");
        let key = Key::of(ConditionId::DiskFull, Some("/".to_owned()));
        let so = vec![Observed { key, text: "It is full.".to_owned(), held: None }];
        assert_eq!(holder.look(at(9), 9, so, &|_| true), [], "it is not told twice");
    }
}
