//! What a target is told next: which notices are for it, how many it may get, and when a try
//! that failed is repeated. A value without clock and network; the target's task carries it out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use twinwall_core::config::{AlertSeverity, AlertTarget};

use super::send::Failure;
use crate::agent::conditions::{Notice, Severity};

/// The time over which messages are counted.
const HOUR: Duration = Duration::from_secs(3600);
/// The share of the limit that is kept for what is critical: one in so many.
const KEPT: usize = 4;
/// After the first failed try.
const FIRST: Duration = Duration::from_secs(2);
/// Between two tries at the most.
const LONGEST: Duration = Duration::from_secs(300);
/// Tries of a message that the other end refuses as it is; it would keep back all others.
const REFUSED: u32 = 3;
/// What could not be told for this long is news no more.
const STALE_MS: u64 = 6 * 3600 * 1000;

/// How it stands with one target.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The last notice that is settled: told, not for this target, or left out.
    after: u64,
    /// When the messages of the last hour were sent.
    sent: VecDeque<Instant>,
    /// The notice for which there is room already.
    holding: Option<u64>,
    /// Failed tries of it.
    tries: u32,
    due: Option<Instant>,
    /// Left out by the limit since the last message.
    left_out: u64,
    /// All that were left out by the limit.
    pub(super) dropped: u64,
    /// All that were given up.
    pub(super) lost: u64,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'n> {
    /// This one is told now; so many were left out before it.
    Tell(&'n Notice, u64),
    /// Not before then, or not before there is another notice.
    Wait(Option<Instant>),
}

impl Plan {
    /// Of a target for which all up to this one is settled.
    pub(super) fn after(after: u64) -> Plan {
        Plan { after, ..Plan::default() }
    }

    /// The last notice that is settled.
    pub(super) fn settled(&self) -> u64 {
        self.after
    }

    /// Somebody else tells what came up to this one.
    pub(super) fn skip_to(&mut self, id: u64) {
        if id > self.after {
            self.after = id;
            (self.holding, self.tries, self.due) = (None, 0, None);
        }
    }

    /// What is next; `notices` are those that are kept, the oldest first.
    pub(super) fn next<'n>(
        &mut self,
        now: Instant,
        now_ms: u64,
        notices: &'n [Notice],
        target: &AlertTarget,
    ) -> Next<'n> {
        for notice in notices {
            if notice.id <= self.after {
                continue;
            }
            if !is_wanted(notice, target) {
                self.settle(notice.id);
            } else if now_ms.saturating_sub(notice.at_ms) > STALE_MS {
                self.lost += 1;
                self.settle(notice.id);
            } else if let Some(due) = self.due.filter(|due| *due > now) {
                return Next::Wait(Some(due));
            } else if self.holding == Some(notice.id) || self.has_room(now, notice, target) {
                if self.holding != Some(notice.id) {
                    self.sent.push_back(now);
                    self.holding = Some(notice.id);
                }
                return Next::Tell(notice, self.left_out);
            } else {
                self.left_out += 1;
                self.dropped += 1;
                self.settle(notice.id);
            }
        }
        Next::Wait(None)
    }

    /// It was told.
    pub(super) fn told(&mut self, id: u64) {
        self.left_out = 0;
        self.settle(id);
    }

    /// It was not. Says whether it is given up.
    pub(super) fn failed(&mut self, now: Instant, id: u64, failure: &Failure) -> bool {
        self.tries += 1;
        match failure {
            Failure::Refused(_) if self.tries >= REFUSED => {
                self.lost += 1;
                self.settle(id);
                true
            }
            Failure::Refused(_) | Failure::Unreached(_) => {
                let doubled = FIRST * 2_u32.saturating_pow(self.tries.min(16) - 1);
                self.due = Some(now + doubled.min(LONGEST));
                false
            }
        }
    }

    fn settle(&mut self, id: u64) {
        self.after = id;
        (self.holding, self.tries, self.due) = (None, 0, None);
    }

    fn has_room(&mut self, now: Instant, notice: &Notice, target: &AlertTarget) -> bool {
        while self.sent.front().is_some_and(|at| now.duration_since(*at) >= HOUR) {
            self.sent.pop_front();
        }
        let most = usize::try_from(target.per_hour).unwrap_or(usize::MAX);
        let most = if notice.severity == Severity::Critical { most } else { most - most / KEPT };
        self.sent.len() < most
    }
}

/// Whether a target is told of it.
fn is_wanted(notice: &Notice, target: &AlertTarget) -> bool {
    let name = notice.condition.name();
    let named = target.conditions.is_empty() || target.conditions.iter().any(|it| it == name);
    named && level(notice.severity) >= target.severity
}

/// The same severity, as the settings have it.
fn level(severity: Severity) -> AlertSeverity {
    match severity {
        Severity::Critical => AlertSeverity::Critical,
        Severity::Major => AlertSeverity::Major,
        Severity::Warning => AlertSeverity::Warning,
        Severity::Info => AlertSeverity::Info,
    }
}

#[cfg(test)]
mod tests {
    use twinwall_core::config::parse_pair;

    use super::*;
    use crate::agent::conditions::{ConditionId, Kind};

    fn target(lines: &str) -> AlertTarget {
        let text = format!(
            "pair_id = 1\nenabled = false\n[ha_link]\ninterface = \"ha0\"\n[alerts.noc]\n\
             kind = \"syslog\"\nserver = \"192.0.2.1\"\n{lines}\n"
        );
        parse_pair("pair.toml", &text).expect("right").alerts.remove(0)
    }

    fn notice(id: u64, condition: ConditionId) -> Notice {
        Notice {
            id,
            at_ms: 1_000_000,
            since_ms: None,
            node: "gw-a".to_owned(),
            condition,
            subject: None,
            severity: condition.severity(),
            kind: Kind::Raised,
            text: String::new(),
            what_now: String::new(),
        }
    }

    fn told(next: &Next<'_>) -> Option<(u64, u64)> {
        match next {
            Next::Tell(notice, left_out) => Some((notice.id, *left_out)),
            Next::Wait(_) => None,
        }
    }

    const NOW_MS: u64 = 1_000_500;

    #[test]
    fn a_target_is_told_what_it_wants_in_order_and_each_once() {
        let (now, mut plan) = (Instant::now(), Plan::after(1));
        let target = target("severity = \"major\"\nconditions = [\"peer-silent\", \"failover\"]");
        let all: Vec<Notice> = [
            ConditionId::PeerSilent,
            ConditionId::Switchover,
            ConditionId::HaLinkLost,
            ConditionId::PeerSilent,
            ConditionId::Failover,
        ]
        .into_iter()
        .zip(1..)
        .map(|(condition, id)| notice(id, condition))
        .collect();
        for wanted in [4, 5] {
            let next = plan.next(now, NOW_MS, &all, &target);
            assert_eq!(told(&next), Some((wanted, 0)));
            plan.told(wanted);
        }
        assert_eq!(plan.next(now, NOW_MS, &all, &target), Next::Wait(None));
        assert_eq!(plan.settled(), 5);
    }

    #[test]
    fn a_try_that_failed_is_repeated_ever_later_and_keeps_its_room() {
        let (mut now, mut plan) = (Instant::now(), Plan::after(0));
        let all = [notice(1, ConditionId::PeerSilent), notice(2, ConditionId::PeerSilent)];
        let target = target("per_hour = 1");
        let mut spans = Vec::new();
        for _ in 0..10 {
            assert_eq!(told(&plan.next(now, NOW_MS, &all, &target)), Some((1, 0)));
            assert!(!plan.failed(now, 1, &Failure::Unreached("no".to_owned())));
            let Next::Wait(Some(due)) = plan.next(now, NOW_MS, &all, &target) else {
                panic!("it is not due yet")
            };
            spans.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(spans, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        plan.told(1);
        assert_eq!(plan.next(now, NOW_MS, &all, &target), Next::Wait(None), "the hour is full");
        assert_eq!((plan.dropped, plan.settled()), (1, 2));
    }

    #[test]
    fn what_the_other_end_refuses_keeps_the_rest_back_for_three_tries_only() {
        let (mut now, mut plan) = (Instant::now(), Plan::after(0));
        let all = [notice(1, ConditionId::PeerSilent), notice(2, ConditionId::PeerSilent)];
        let target = target("");
        let refused = Failure::Refused("no".to_owned());
        for given_up in [false, false, true] {
            assert_eq!(told(&plan.next(now, NOW_MS, &all, &target)), Some((1, 0)));
            assert_eq!(plan.failed(now, 1, &refused), given_up);
            now = plan.due.unwrap_or(now);
        }
        assert_eq!(told(&plan.next(now, NOW_MS, &all, &target)), Some((2, 0)));
        assert_eq!(plan.lost, 1);
    }

    #[test]
    fn a_quarter_of_the_hour_is_kept_for_what_is_critical_and_the_next_one_counts_the_rest() {
        let (mut now, mut plan) = (Instant::now(), Plan::after(0));
        let target = target("per_hour = 8\nseverity = \"info\"");
        let minor = |id| notice(id, ConditionId::Switchover);
        let mut all: Vec<Notice> = (1..=10).map(minor).collect();
        all.push(notice(11, ConditionId::PeerSilent));
        let mut count = 0;
        while let Some((id, left_out)) = told(&plan.next(now, NOW_MS, &all, &target)) {
            count += 1;
            assert_eq!(left_out, if id == 11 { 4 } else { 0 });
            plan.told(id);
        }
        assert_eq!((count, plan.dropped), (7, 4), "six minor ones and the critical one");
        now += HOUR;
        let later = [minor(12)];
        assert_eq!(told(&plan.next(now, NOW_MS, &later, &target)), Some((12, 0)));
    }

    #[test]
    fn what_is_old_is_counted_and_not_told() {
        let (now, mut plan) = (Instant::now(), Plan::after(0));
        let all = [notice(1, ConditionId::PeerSilent)];
        let late = NOW_MS + STALE_MS;
        assert_eq!(plan.next(now, late, &all, &target("")), Next::Wait(None));
        assert_eq!((plan.lost, plan.settled()), (1, 1));
    }

    #[test]
    fn the_other_node_speaks_up_to_where_this_one_begins() {
        let (now, mut plan) = (Instant::now(), Plan::after(0));
        let all: Vec<Notice> = (1..=3).map(|id| notice(id, ConditionId::PeerSilent)).collect();
        plan.skip_to(2);
        plan.skip_to(1);
        assert_eq!(told(&plan.next(now, NOW_MS, &all, &target(""))), Some((3, 0)));
    }
}
