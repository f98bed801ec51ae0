//! What the other node does not have in time, or this one: logs, reports and DHCP leases, as
//! their own views say. Looked at once a second by the task that keeps the conditions.

use std::time::Duration;

use twinwall_core::explain::span;

use super::catalogue::ConditionId;
use crate::agent::logs::view::LogsView;
use crate::agent::node::Node;

/// Lines that are so late are behind; the link has had time to come back.
const LATE_MS: u64 = 60_000;

/// What was seen of it before.
#[derive(Default)]
pub(super) struct Copies {
    /// Lines of this node that were dropped before the other one had them.
    missing: u64,
    /// Files of leases with trouble.
    leases: Vec<String>,
}

impl Copies {
    /// Reports what is the matter now.
    pub(super) fn look(&mut self, node: &Node) {
        let (conditions, settings) = (node.conditions(), node.settings());
        let (logs, here, there) = (node.logs().view(), &settings.name, conditions.there());
        let link_is_up = node.link().is_some_and(|link| link.is_up());
        let late = behind(&logs, link_is_up, here, &there);
        conditions.report(ConditionId::LogsBehind, None, late);
        conditions.report(ConditionId::LogsNotKept, None, logs.not_kept().map(str::to_owned));
        conditions.report(ConditionId::LogsGap, None, self.gap(&logs, here, &there));
        conditions.report(ConditionId::ReportsBehind, None, node.reports().trouble());
        let files = node.leases().view(&settings.name, &settings.profile.leases).files;
        let lame: Vec<(String, String)> =
            files.into_iter().filter_map(|file| Some((file.name, file.trouble?))).collect();
        for well in self.leases.iter().filter(|old| lame.iter().all(|(name, _)| name != *old)) {
            conditions.report(ConditionId::LeasesBehind, Some(well), None);
        }
        self.leases = lame.iter().map(|(name, _)| name.clone()).collect();
        for (name, why) in lame {
            conditions.report(ConditionId::LeasesBehind, Some(&name), Some(why));
        }
    }

    /// Lines that were dropped since the last look; the catalogue holds it up for a time.
    fn gap(&mut self, logs: &LogsView, here: &str, there: &str) -> Option<String> {
        let before = std::mem::replace(&mut self.missing, logs.here.missing);
        let fresh = logs.here.missing.checked_sub(before).filter(|fresh| *fresh > 0)?;
        Some(format!("{fresh} lines of {here}'s logs were dropped before {there} had them."))
    }
}

/// Why lines do not get to the other node.
fn behind(logs: &LogsView, link_is_up: bool, here: &str, there: &str) -> Option<String> {
    if !logs.on {
        return None;
    }
    if !logs.connected {
        return Some(match link_is_up {
            true => {
                format!("{there} takes no log lines of {here}, although the agents are connected.")
            }
            false => format!("{there} is not connected to {here} for logs."),
        });
    }
    let late = logs.here.lag_ms.filter(|lag| *lag >= LATE_MS)?;
    let late = span(Duration::from_millis(late));
    Some(format!("{there} has {here}'s logs as they were {late} ago."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_takes_no_lines_is_told_whosever_they_are() {
        let trouble = Some("logs cannot be kept on this disk: No space left on device".to_owned());
        let mut logs = LogsView { on: true, ..LogsView::default() };
        assert_eq!(logs.not_kept(), None);
        logs.there.trouble.clone_from(&trouble);
        assert_eq!(logs.not_kept(), trouble.as_deref());
        let at_start = LogsView { trouble: trouble.clone(), ..LogsView::default() };
        assert_eq!(at_start.not_kept(), trouble.as_deref());
    }

    #[test]
    fn lines_that_do_not_get_there_are_told_and_those_that_were_dropped_once() {
        let mut logs = LogsView::default();
        let behind_by = |logs: &LogsView, up| super::behind(logs, up, "gw-a", "gw-b");
        let behind = |logs: &LogsView| behind_by(logs, true);
        assert_eq!(behind(&logs), None, "logs are not exchanged");
        logs.on = true;
        let apart = behind_by(&logs, false);
        assert!(apart.is_some_and(|why| why.contains("gw-b is not connected to gw-a")));
        let why = behind(&logs).expect("it is told");
        assert!(why.contains("takes no log lines") && !why.contains("not connected"), "{why}");
        logs.connected = true;
        logs.here.lag_ms = Some(LATE_MS - 1);
        assert_eq!(behind(&logs), None);
        logs.here.lag_ms = Some(90_500);
        assert!(behind(&logs).is_some_and(|why| why.contains("gw-b has gw-a's logs as they were 1 min 30 s ago")));
        let mut copies = Copies::default();
        let mut gap = |logs: &LogsView| copies.gap(logs, "gw-a", "gw-b");
        assert_eq!(gap(&logs), None);
        logs.here.missing = 7;
        let told = "7 lines of gw-a's logs were dropped before gw-b had them.";
        assert_eq!(gap(&logs).as_deref(), Some(told));
        assert_eq!(gap(&logs), None, "it is told once");
        logs.here.missing = 0;
        assert_eq!(gap(&logs), None, "the exchange began anew");
    }
}
