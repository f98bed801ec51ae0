//! What happened: moves of the active role, each told once its report says what it was, and
//! what the guard told of its kernel and its lateness. Remembers only what was told already.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use twinwall_core::explain::span;
use twinwall_core::note::What;

use super::catalogue::{ConditionId, of_kind};
use super::hold::{Change, Key};
use super::{Kind, Notice};
use crate::agent::failovers::{Entry, Place, Summary};

/// A report that is not complete by then is told as it is.
const PATIENCE_MS: u64 = 3_000;
/// A move that ended longer before is history and no news: an agent that was away tells what
/// it missed.
const NEWS_MS: u64 = 600_000;
/// Reports that are remembered: more than are kept.
const MAX_REMEMBERED: usize = 128;
/// Of what happens again and again one is told in so many milliseconds, with the number of
/// the others: a starved node would fill the list with one story.
const REST_MS: u64 = 60_000;

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Moves {
    told: BTreeSet<String>,
    /// Where the guard's events were read to.
    pub(super) place: Option<Place>,
    begun: bool,
    /// When each was told last, and how often it happened since.
    rests: BTreeMap<ConditionId, (u64, u32)>,
}

impl Moves {
    /// With the notices of earlier runs.
    pub(super) fn remember<'a>(notices: impl Iterator<Item = &'a Notice>) -> Moves {
        let moves = notices.filter(|notice| notice.kind == Kind::Happened);
        let told = moves.filter_map(|notice| notice.subject.clone()).collect();
        Moves { told, ..Moves::default() }
    }

    /// The moves that are news, from the reports.
    pub(super) fn moves(&mut self, now_ms: u64, reports: &[(Summary, bool)]) -> Vec<Change> {
        let mut changes = Vec::new();
        for (summary, complete) in reports.iter().rev() {
            let old = now_ms.saturating_sub(summary.ended_ms) > NEWS_MS;
            let waits = !complete && now_ms < summary.ended_ms.saturating_add(PATIENCE_MS);
            if waits && !old {
                continue;
            }
            let Some(id) = of_kind(summary.kind).filter(|_| !self.told.contains(&summary.id))
            else {
                continue;
            };
            self.told.insert(summary.id.clone());
            if !old {
                let key = Key::of(id, Some(summary.id.clone()));
                let (kind, text) = (Kind::Happened, text(summary));
                changes.push(Change { key, kind, since_ms: None, text });
            }
        }
        // Numbers of reports that are not kept any more are of no use.
        if self.told.len() > MAX_REMEMBERED {
            let kept: BTreeSet<&String> = reports.iter().map(|(it, _)| &it.id).collect();
            self.told.retain(|id| kept.contains(id));
        }
        changes
    }

    /// What of the guard's events after `place` is told; the first look only finds the place.
    pub(super) fn events(&mut self, now_ms: u64, entries: &[Entry]) -> Vec<Change> {
        let Some(last) = entries.last() else {
            self.begun = true;
            return Vec::new();
        };
        self.place = Some(Place { run: last.run.clone(), number: last.number });
        if !std::mem::replace(&mut self.begun, true) {
            return Vec::new();
        }
        let happened = entries.iter().filter_map(|entry| happened(entry.what.as_ref()?));
        happened.filter_map(|change| self.unless_resting(now_ms, change)).collect()
    }

    fn unless_resting(&mut self, now_ms: u64, mut change: Change) -> Option<Change> {
        let (at, others) = self.rests.entry(change.key.condition).or_insert((0, 0));
        if now_ms.saturating_sub(*at) < REST_MS {
            *others = others.saturating_add(1);
            return None;
        }
        if *others > 0 {
            change.text += &format!(" {others} more times since it was told last.");
        }
        (*at, *others) = (now_ms, 0);
        Some(change)
    }
}

fn happened(what: &What) -> Option<Change> {
    let (id, text) = match what {
        What::Late { by } => {
            let text = format!("The node was kept from running for {}.", span(*by));
            (ConditionId::WokeLate, text)
        }
        What::Restored { what } => {
            let text = format!("Somebody changed it, and it was put back: {what}.");
            (ConditionId::KernelRestored, text)
        }
        What::Started { .. }
        | What::Role { .. }
        | What::Link { .. }
        | What::HaCarrier { .. }
        | What::ReadFirst { .. }
        | What::Held { .. }
        | What::HoldEnded { .. }
        | What::PathHeard { .. }
        | What::PathSilent { .. }
        | What::PeerUp { .. }
        | What::PeerDoubted { .. }
        | What::DoubtEnded
        | What::PeerSilent { .. }
        | What::EvidenceRound { .. }
        | What::KernelLives { .. }
        | What::PeerLeft { .. }
        | What::HandoverAsked { .. }
        | What::HandoverGivenUp { .. }
        | What::MoveWaits { .. }
        | What::GateRefused { .. }
        | What::Addresses { .. }
        | What::Check { .. }
        | What::Ready { .. }
        | What::MaintenanceOn { .. }
        | What::MaintenanceOff { .. }
        | What::Refused(_)
        | What::SettingsDiffer { .. }
        | What::TwoActive { .. }
        | What::CableIsDirect { .. }
        | What::Protection { .. }
        | What::Reloaded => return None,
    };
    Some(Change { key: Key::of(id, None), kind: Kind::Happened, since_ms: None, text })
}

fn text(summary: &Summary) -> String {
    let took = Duration::from_millis(summary.ended_ms.saturating_sub(summary.began_ms));
    let from = summary.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
    let reason = summary.reason.trim_end_matches('.');
    let outage = summary.outage.words();
    match of_kind(summary.kind) {
        Some(ConditionId::Interruption) => format!(
            "{} lost the active role and took it again: {reason}; outage {outage}.",
            summary.to
        ),
        _other => format!(
            "{} took the active role{from}: {reason}; outage {outage}, all of it took {}.",
            summary.to,
            span(took)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::failovers::{Bound, Kind as Move, Outage};

    fn report(id: &str, kind: Move, ended_ms: u64, complete: bool) -> (Summary, bool) {
        let outage = Outage {
            ms: Some(31.0),
            bound: Bound::Measured,
            uncertainty_ms: 0.2,
            how: String::new(),
            meaning: String::new(),
        };
        let summary = Summary {
            id: id.to_owned(),
            kind,
            from: Some("gw-a".to_owned()),
            to: "gw-b".to_owned(),
            reason: "the peer was silent on every path".to_owned(),
            began_ms: ended_ms - 40,
            ended_ms,
            outage,
        };
        (summary, complete)
    }

    fn late(number: u64) -> Entry {
        let what = Some(What::Late { by: Duration::from_millis(80) });
        Entry { run: "a".to_owned(), number, unix_us: number, what, text: String::new() }
    }

    #[test]
    fn a_move_is_told_once_when_its_report_is_complete_or_has_had_its_time() {
        let mut moves = Moves::default();
        let open = [report("1", Move::Failover, 1_000_000, false)];
        assert_eq!(moves.moves(1_000_500, &open), []);
        let told = moves.moves(1_003_000, &open);
        assert_eq!(told[0].key.condition, ConditionId::Failover);
        assert_eq!(
            told[0].text,
            "gw-b took the active role from gw-a: the peer was silent on every path; outage 31 ms, \
             all of it took 40 ms."
        );
        assert_eq!(moves.moves(1_003_500, &open), [], "not twice");
        let whole = [report("2", Move::Failback, 1_004_000, true)];
        assert_eq!(moves.moves(1_004_100, &whole)[0].key.condition, ConditionId::Failback);
    }

    #[test]
    fn old_moves_and_the_first_of_a_pair_are_no_news() {
        let mut moves = Moves::default();
        let reports =
            [report("1", Move::Failover, 1_000, true), report("2", Move::Start, 900_000, true)];
        assert_eq!(moves.moves(1_000_000, &reports), []);
    }

    #[test]
    fn what_happens_again_and_again_is_told_once_a_minute_with_its_number() {
        let mut moves = Moves::default();
        assert_eq!(moves.events(1_000_000, &[late(1)]), [], "it was so before this run");
        assert_eq!(moves.place, Some(Place { run: "a".to_owned(), number: 1 }));
        assert_eq!(moves.events(1_000_000, &[late(2), late(3), late(4)]).len(), 1);
        assert_eq!(moves.events(1_059_999, &[late(5)]), []);
        let told = moves.events(1_060_000, &[late(6)]);
        let text = "The node was kept from running for 80 ms. 3 more times since it was told last.";
        assert_eq!(told[0].text, text);
    }
}
