//! Gathers what [`super::judge()`] weighs: the node's own views, and one question to the
//! other agent.

use std::time::{Duration, Instant};

use super::{OtherNode, Readiness, Views, judge};
use crate::agent::calls::{Call, Reply};
use crate::agent::clock::unix_ms;
use crate::agent::node::Node;

/// How long the other agent may take. It answers from memory.
const PATIENCE: Duration = Duration::from_secs(2);

/// The answer of this node.
pub async fn of(node: &Node) -> Readiness {
    let settings = node.settings();
    let other = ask_other(node).await;
    let guard = node.guard().borrow().clone();
    let sync = node.engine().ok().map(|engine| engine.overview());
    judge(&Views {
        paired: settings.pair.is_some() && settings.node.is_some() && settings.peer.is_some(),
        enabled: settings.is_enabled(),
        problems: settings.problems.len(),
        guard: &guard,
        sync: sync.as_ref(),
        link: node.link().as_ref(),
        other: other.as_ref(),
    })
}

/// None when it does not answer: the link's state says why.
async fn ask_other(node: &Node) -> Option<OtherNode> {
    let (asked, asked_ms) = (Instant::now(), unix_ms());
    let Ok(Reply::About(about)) = node.calls().call(Call::About {}, PATIENCE).await else {
        return None;
    };
    let clock = difference(asked_ms, asked.elapsed(), about.unix_ms);
    Some(OtherNode { release: about.release, clock })
}

/// How far the other clock must be away: it was read between question and answer.
fn difference(asked_ms: u64, took: Duration, said_ms: u64) -> Duration {
    let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let answered_ms = asked_ms.saturating_add(took);
    let before = asked_ms.saturating_sub(said_ms);
    Duration::from_millis(before.max(said_ms.saturating_sub(answered_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_differs_only_by_what_the_way_of_the_question_cannot_explain() {
        let took = Duration::from_millis(400);
        for (said, wanted) in [(1_000, 0), (1_400, 0), (1_401, 1), (999, 1), (0, 1_000)] {
            assert_eq!(difference(1_000, took, said), Duration::from_millis(wanted), "{said}");
        }
    }
}
