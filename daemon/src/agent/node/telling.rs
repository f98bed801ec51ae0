//! What the agent tells the guard: facts that keep a node from serving which should not.
//! They hold for a time and are told again long before it ends, so that the agent may be
//! away for a while; a guard that was started anew hears them at once.
//!
//! A node that says no never serves, whatever happens to the other one. What services and
//! health checks have to say is therefore told only while the other node is the better one: a
//! gateway whose mail filter failed is better than none.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::timeout;
use twinwall_core::api::Request;
use twinwall_core::beat::{Fitness, RoleWord};
use twinwall_core::event::Fact;
use twinwall_core::snapshot::{CheckView, Snapshot};

use super::Node;
use crate::agent::engine::overview::Overview;
use crate::agent::flows;
use crate::agent::section::Section;

/// Name of the fact that the core keeps for this: a node that says no never serves.
const SYNCHRONISED: &str = "synchronised";
/// Name of the fact about the services bound to the role and the health checks.
const SERVICES: &str = "services";
/// Between two looks when the guard says nothing.
const LOOK: Duration = Duration::from_secs(1);
/// By then both nodes have told their guards what follows from a move.
const SETTLED: Duration = Duration::from_secs(5);
/// How long a fact holds: an agent that is being upgraded or mended is back by then.
const HOLDS: Duration = Duration::from_secs(600);

/// Tells the guard until the node is gone.
pub(super) async fn tell(node: Weak<Node>) {
    let watched =
        node.upgrade().map(|node| (node.guard(), node.flows().watch(), node.reach().news()));
    let Some((mut guard, mut flows_complete, mut gateways)) = watched else { return };
    loop {
        let changed = async {
            tokio::select! {
                changed = guard.changed() => changed,
                changed = flows_complete.changed() => changed,
                changed = gateways.changed() => changed,
            }
        };
        if let Ok(Err(_)) = timeout(LOOK, changed).await {
            return;
        }
        let Some(node) = node.upgrade() else { return };
        let state = guard.borrow_and_update().clone();
        let Some(snapshot) = state.status().map(|status| &status.snapshot) else { continue };
        let checks = &snapshot.own.checks;
        // As the guard keeps them, so that it is seen which ones it has.
        let facts = [synchronised(&node), services(&node, snapshot), flows(&node, snapshot)];
        let facts = facts.into_iter().flatten().chain(node.reach().facts(snapshot));
        let facts = facts.map(Fact::presentable);
        for fact in facts.filter(|fact| !is_known(fact, checks)) {
            // Refused or not heard: the guard's next word brings the next try.
            let _ = node.ask_guard(Request::Fact { fact }).await;
        }
    }
}

/// Whether the guard knows it, and for a while yet.
fn is_known(fact: &Fact, checks: &[CheckView]) -> bool {
    let same = |check: &CheckView| {
        (&check.name, check.good, &check.reason) == (&fact.name, fact.good, &fact.reason)
    };
    checks.iter().any(|check| same(check) && check.left > fact.holds / 2)
}

/// Whether the configuration of the pair is here; nothing while nobody can say.
fn synchronised(node: &Arc<Node>) -> Option<Fact> {
    let settings = node.settings();
    settings.peer.as_ref()?;
    let overview = node.engine().ok()?.overview();
    let lacks = lacks(&overview);
    let good = lacks.is_none();
    Some(Fact {
        name: SYNCHRONISED.to_owned(),
        good,
        reason: lacks.unwrap_or_default(),
        holds: HOLDS,
    })
}

/// Whether services bound to the role, or health checks, keep this node from bearing it.
fn services(node: &Node, snapshot: &Snapshot) -> Option<Fact> {
    let objection = node.services().objection()?.filter(|_| other_is_better(snapshot));
    Some(Fact {
        name: SERVICES.to_owned(),
        good: objection.is_none(),
        reason: objection.unwrap_or_default(),
        holds: HOLDS,
    })
}

/// Whether the connections of the active are all here, as they are on the active itself. Where
/// none are replicated, what was said before is taken back.
fn flows(node: &Node, snapshot: &Snapshot) -> Option<Fact> {
    let said_no =
        || snapshot.own.checks.iter().any(|check| check.name == flows::FACT && !check.good);
    let lacks = match node.flows().objection() {
        Some(lacks) => lacks,
        None if node.flows().rests() && said_no() => None,
        None => return None,
    };
    Some(Fact {
        name: flows::FACT.to_owned(),
        good: lacks.is_none(),
        reason: lacks.unwrap_or_default(),
        holds: HOLDS,
    })
}

/// Whether the other node can bear the role, or does, where this one should not. While it says
/// the same of itself nothing moves, and where nobody serves any node is better than none.
fn other_is_better(snapshot: &Snapshot) -> bool {
    let (own, peer) = (&snapshot.role, &snapshot.peer);
    let able = peer.fitness.is_some_and(Fitness::eligible);
    peer.is_heard()
        && match own.role {
            // Right after a move the other one may not have said yet that it is no better.
            RoleWord::Active => able && own.since >= SETTLED,
            RoleWord::Releasing => able,
            RoleWord::Starting | RoleWord::Passive | RoleWord::Claiming => {
                let serves = |role| {
                    matches!(role, RoleWord::Active | RoleWord::Claiming | RoleWord::Releasing)
                };
                peer.role.is_some_and(serves)
            }
        }
}

/// What is not here of the pair's configuration, in words.
fn lacks(overview: &Overview) -> Option<String> {
    if overview.blank {
        return Some("this node has no configuration of the pair yet".to_owned());
    }
    match overview.missing.as_slice() {
        [] => None,
        [one] => Some(format!("section {one} of the pair's configuration was never taken here")),
        several if several.len() == Section::ALL.len() => {
            Some("the configuration of the pair is on its way here".to_owned())
        }
        several => Some(format!(
            "{} sections of the pair's configuration were never taken here",
            several.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use twinwall_core::api::Status;

    use super::*;
    use crate::agent::engine::marks::Marks;
    use crate::agent::engine::state::State;
    use crate::agent::store::Lineage;

    fn overview(lineage: Option<Lineage>, missing: &[Section]) -> Overview {
        let missing = missing.iter().copied().collect();
        let marks = Marks { lineage, missing, ..Marks::default() };
        State::new("gw-a".to_owned(), marks, 0).overview()
    }

    #[test]
    fn an_objection_is_told_only_while_the_other_node_is_better() {
        use RoleWord::{Active, Claiming, Passive, Releasing, Starting};
        let text = include_str!("../../../../core/tests/status/healthy.json");
        let healthy: Status = serde_json::from_str(text).expect("a status");
        let long = Duration::from_secs(60);
        let soon = Duration::from_secs(1);
        for (role, since, state, peer, fit, better) in [
            (Active, long, "alive", Passive, true, true),
            (Active, long, "doubted", Passive, true, true),
            (Active, soon, "alive", Passive, true, false),
            (Active, long, "alive", Passive, false, false),
            (Active, long, "silent", Passive, true, false),
            (Releasing, soon, "alive", Claiming, true, true),
            (Passive, long, "alive", Active, false, true),
            (Passive, soon, "alive", Claiming, true, true),
            (Passive, long, "alive", Releasing, true, true),
            // Both wait: whoever says no would wait for ever.
            (Passive, long, "alive", Passive, true, false),
            (Starting, soon, "alive", Starting, true, false),
            (Claiming, soon, "alive", Passive, true, false),
            (Passive, long, "silent", Active, true, false),
            (Passive, long, "left", Active, true, false),
            (Starting, soon, "never_heard", Active, true, false),
        ] {
            let mut snapshot = healthy.snapshot.clone();
            (snapshot.role.role, snapshot.role.since) = (role, since);
            (snapshot.peer.state, snapshot.peer.role) = (state.to_owned(), Some(peer));
            let fitness = Fitness { check_failed: !fit, ..Fitness::default() };
            snapshot.peer.fitness = Some(fitness);
            let told = format!("{role:?} for {since:?}, the peer {state} {peer:?}, fit: {fit}");
            assert_eq!(other_is_better(&snapshot), better, "{told}");
        }
    }

    #[test]
    fn only_a_node_with_the_whole_configuration_counts_as_synchronised() {
        assert!(lacks(&overview(None, &[])).is_some_and(|why| why.contains("no configuration")));
        assert_eq!(lacks(&overview(Some(Lineage(1)), &[])), None);
        let one = lacks(&overview(Some(Lineage(1)), &[Section::Vpn]));
        assert!(one.is_some_and(|why| why.contains("section vpn")));
        let all = lacks(&overview(Some(Lineage(1)), &Section::ALL));
        assert!(all.is_some_and(|why| why.contains("on its way")));
    }
}
