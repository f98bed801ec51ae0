//! What speaks against a failover, as a list on a page. Where the command line names a command,
//! a page leads to the page on which the same is seen or done.

use askama::Template;

use super::dashboard::render;
use super::frame::Place;
use crate::agent::readiness::{Reason, ReasonId, Severity};

#[derive(Template)]
#[template(path = "part/reasons.html")]
struct Reasons<'a> {
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    class: &'static str,
    icon: &'static str,
    word: &'static str,
    text: &'a str,
    advice: &'a str,
    page: Option<Place>,
}

/// The list; nothing where nothing speaks against it.
pub(super) fn list(against: &[Reason]) -> String {
    if against.is_empty() { String::new() } else { render(&Reasons::of(against)) }
}

impl Reasons<'_> {
    fn of(against: &[Reason]) -> Reasons<'_> {
        Reasons { rows: against.iter().map(row).collect() }
    }
}

fn row(reason: &Reason) -> Row<'_> {
    let (class, icon, word) = match reason.severity {
        Severity::Blocks => ("bad", "fault", "Blocks"),
        Severity::Warns => ("warn", "out-of-sync", "Remark"),
    };
    let (advice, page) = match on_a_page(reason.id) {
        Some((advice, page)) => (advice, Some(page)),
        None => (reason.what_now.as_str(), None),
    };
    Row { class, icon, word, text: &reason.text, advice, page }
}

/// What to do, and the page for it; none where there is nothing to be done on a page.
fn on_a_page(id: ReasonId) -> Option<(&'static str, Place)> {
    Some(match id {
        ReasonId::SettingsWrong => (
            "mend the pair's settings; the agent's log names every mistake",
            Place::HighAvailability,
        ),
        ReasonId::NotPaired => ("pair it with the other node", Place::Pairing),
        ReasonId::Off => ("turn it on", Place::HighAvailability),
        ReasonId::OnTheMove => {
            ("wait some seconds; it stands there what it waits for", Place::Diagnostics)
        }
        ReasonId::TakerNotFit | ReasonId::ActiveNotFit => {
            ("mend what it names; on that node more stands at", Place::Diagnostics)
        }
        ReasonId::NobodyServes => ("on both nodes the reasons stand at", Place::Diagnostics),
        ReasonId::SettingsDiffer => {
            ("both get the newer ones once their agents are connected", Place::HighAvailability)
        }
        ReasonId::NotApplied | ReasonId::AddressesMissing => {
            ("what the kernel refused is told by", Place::Events)
        }
        ReasonId::FramesRefused => ("mend what it names; they are counted at", Place::Diagnostics),
        ReasonId::KeysHalfChanged => (
            "it goes on by itself when the other node's agent is connected; 'Change the keys' \
             tries at once",
            Place::Pairing,
        ),
        ReasonId::Connections => ("on both nodes their figures stand at", Place::Diagnostics),
        ReasonId::ProtectionMissing => ("what brings it stands at", Place::Diagnostics),
        ReasonId::NeverSynchronised | ReasonId::OutOfSync => {
            ("see what differs, and force a synchronisation", Place::Sync)
        }
        ReasonId::Prerequisites => ("what to change stands at", Place::HighAvailability),
        ReasonId::ServiceFailed | ReasonId::CheckFailed => {
            ("their last words stand at", Place::Diagnostics)
        }
        ReasonId::GuardAway
        | ReasonId::BothActive
        | ReasonId::PeerAway
        | ReasonId::HaLinkLost
        | ReasonId::PathSilent
        | ReasonId::OwnAddress
        | ReasonId::CableNotDirect
        | ReasonId::KeyFileNotInUse
        | ReasonId::AgentsApart
        | ReasonId::LogsNotKept
        | ReasonId::Clock
        | ReasonId::Release => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::accounts::Role;

    fn reason(id: ReasonId, what_now: &str) -> Reason {
        let (text, what_now) = ("Something.".to_owned(), what_now.to_owned());
        Reason { id, severity: Severity::Warns, text, what_now }
    }

    #[test]
    fn a_page_leads_to_a_page_where_the_command_line_names_a_command() {
        let html = list(&[reason(ReasonId::OutOfSync, "'twinwall sync push'")]);
        assert!(html.contains("href=\"/sync\">Synchronisation</a>"), "{html}");
        assert!(!html.contains("twinwall sync") && html.contains("Remark: "), "{html}");
        let html = list(&[reason(ReasonId::HaLinkLost, "mend the cable")]);
        assert!(html.contains("mend the cable") && !html.contains("href=\"/"), "{html}");
        assert_eq!(list(&[]), "");
    }

    #[test]
    fn everybody_who_is_told_may_see_that_page() {
        for id in [ReasonId::NotPaired, ReasonId::Off, ReasonId::NotApplied, ReasonId::OutOfSync] {
            let (_, page) = on_a_page(id).expect("it has one");
            assert_eq!(page.least(), Role::Viewer, "{id:?}");
        }
    }
}
