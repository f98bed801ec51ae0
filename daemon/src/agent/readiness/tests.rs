//! What is against a failover, row by row.

use std::sync::Arc;
use std::time::Duration;

use twinwall_core::api::{RefusedCause, Status};
use twinwall_core::beat::{Fitness, RoleWord};
use twinwall_core::snapshot::CheckView;

use super::*;
use crate::agent::channel::{LinkState, Stream, StreamState};
use crate::agent::conditions::{ConditionId, Standing};
use crate::agent::guard::GuardState;
use crate::agent::pairing::rotate::Step;
use crate::agent::section::Section;
use crate::agent::services::view::{Health, HealthView, ServicesView};

/// The active node of a healthy pair.
fn healthy() -> Status {
    let text = include_str!("../../../../core/tests/status/healthy.json");
    serde_json::from_str(text).expect("a status")
}

/// No service is bound to the role, and nothing is checked.
static NO_SERVICES: ServicesView =
    ServicesView { node: String::new(), wanted: None, services: Vec::new(), checks: Vec::new() };

/// What is known where high availability is on and nothing but the guard says anything.
fn views(guard: &GuardState) -> Views<'_> {
    Views {
        here: "gw-a",
        there: Some("gw-b"),
        paired: true,
        enabled: true,
        problems: 0,
        guard,
        sync: None,
        link: None,
        unmet: &[],
        services: &NO_SERVICES,
        other_keys_in_file: false,
        keys_stand_at: None,
        connections: None,
        standing: &[],
        other: None,
    }
}

fn asked(status: Status, other: Option<OtherNode>) -> Readiness {
    let guard = GuardState::Says(Arc::new(status));
    judge(&Views { other: other.as_ref(), ..views(&guard) })
}

fn ids(readiness: &Readiness) -> Vec<(ReasonId, Severity)> {
    readiness.against.iter().map(|reason| (reason.id, reason.severity)).collect()
}

const APART: (ReasonId, Severity) = (ReasonId::AgentsApart, Severity::Warns);

#[test]
fn agents_that_are_apart_keep_no_failover_from_working() {
    let readiness = asked(healthy(), None);
    assert!(readiness.ready);
    assert_eq!(ids(&readiness), [APART]);
}

#[test]
fn connections_that_would_be_lost_are_a_warning() {
    let guard = GuardState::Says(Arc::new(healthy()));
    let readiness = judge(&Views { connections: Some("no module"), ..views(&guard) });
    assert!(readiness.ready);
    assert_eq!(ids(&readiness), [(ReasonId::Connections, Severity::Warns), APART]);
}

/// What is known where the agents talk.
fn up() -> LinkState {
    let mut link = LinkState::default();
    link.streams[Stream::Control.index()] = StreamState::Up;
    link
}

#[test]
fn connections_that_the_guards_know_to_be_missing_are_told_on_both_nodes() {
    let behind = Fitness { behind: true, ..Fitness::default() };
    let check = CheckView {
        name: "flows".to_owned(),
        good: false,
        reason: "no agent".to_owned(),
        left: Duration::MAX / 4,
    };
    for (role, fitness, checks, words) in [
        (RoleWord::Active, behind, Vec::new(), Some("the other node does not have all of them")),
        (RoleWord::Active, Fitness::default(), vec![check.clone()], None),
        (RoleWord::Passive, Fitness::default(), vec![check.clone()], Some("no agent")),
        (RoleWord::Passive, behind, Vec::new(), None),
    ] {
        let mut status = healthy();
        status.snapshot.role.role = role;
        status.snapshot.peer.fitness = Some(fitness);
        status.snapshot.own.checks = checks;
        let guard = GuardState::Says(Arc::new(status));
        let apart = judge(&views(&guard));
        let link = up();
        let together = judge(&Views { link: Some(&link), ..views(&guard) });
        let told = format!("{role:?}: {together:?}, {apart:?}");
        assert_eq!(ids(&apart), [APART], "one reason is enough: {told}");
        assert_eq!(apart.against[0].text.contains("would not survive"), words.is_some(), "{told}");
        let text = together.against.first().map(|reason| reason.text.as_str());
        assert_eq!(text.is_some(), words.is_some(), "{told}");
        assert!(words.is_none_or(|words| text.is_some_and(|it| it.contains(words))), "{told}");
    }
}

#[test]
fn it_is_the_node_that_would_take_over_which_must_be_fit() {
    let unfit = Fitness { check_failed: true, ..Fitness::default() };
    for (role, own, peer, wanted) in [
        (RoleWord::Active, false, true, (ReasonId::TakerNotFit, Severity::Blocks)),
        (RoleWord::Active, true, false, (ReasonId::ActiveNotFit, Severity::Warns)),
        (RoleWord::Passive, true, false, (ReasonId::TakerNotFit, Severity::Blocks)),
        (RoleWord::Passive, false, true, (ReasonId::ActiveNotFit, Severity::Warns)),
    ] {
        let mut status = healthy();
        status.snapshot.role.role = role;
        if own {
            status.snapshot.own.unfit = vec!["watched interface wan is down".to_owned()];
        }
        if peer {
            status.snapshot.peer.fitness = Some(unfit);
        }
        let readiness = asked(status, None);
        assert_eq!(ids(&readiness), [wanted, APART], "{role:?} own {own}");
        assert_eq!(readiness.ready, wanted.1 == Severity::Warns);
    }
}

#[test]
fn a_silent_peer_blocks_and_a_lost_ha_link_warns() {
    let mut status = healthy();
    status.snapshot.peer.state = "silent".to_owned();
    let readiness = asked(status, None);
    assert!(!readiness.ready && readiness.verdict.contains("one reason"), "{readiness:?}");
    assert_eq!(ids(&readiness)[0], (ReasonId::PeerAway, Severity::Blocks));
    let mut status = healthy();
    status.snapshot.paths[0].alive = false;
    let readiness = asked(status, None);
    assert_eq!(ids(&readiness), [(ReasonId::HaLinkLost, Severity::Warns), APART]);
}

#[test]
fn keys_that_do_not_fit_and_a_change_of_keys_that_stands_still_are_warnings() {
    let mut status = healthy();
    let text = "the frame is not authentic; compare".to_owned();
    status.guard.refused_lately = vec![RefusedCause { name: "not_authentic".to_owned(), text }];
    let readiness = asked(status, None);
    assert_eq!(ids(&readiness), [(ReasonId::FramesRefused, Severity::Warns), APART]);
    assert!(readiness.against[0].text.contains("not authentic"));
    let guard = GuardState::Says(Arc::new(healthy()));
    let readiness = judge(&Views { other_keys_in_file: true, ..views(&guard) });
    assert_eq!(ids(&readiness), [(ReasonId::KeyFileNotInUse, Severity::Blocks), APART]);
    for (step, word) in [(Step::Staged, "both old and new"), (Step::Used, "still taken")] {
        let readiness = judge(&Views { keys_stand_at: Some(step), ..views(&guard) });
        assert_eq!(ids(&readiness), [APART, (ReasonId::KeysHalfChanged, Severity::Warns)]);
        assert!(readiness.against[1].text.contains(word), "{readiness:?}");
    }
}

#[test]
fn clocks_and_releases_that_differ_are_warnings() {
    let other = |clock, release: &str| OtherNode {
        clock: Duration::from_millis(clock),
        release: release.to_owned(),
    };
    let own = env!("CARGO_PKG_VERSION");
    assert_eq!(ids(&asked(healthy(), Some(other(1_000, own)))), [APART]);
    let both = asked(healthy(), Some(other(1_001, "0.0.1")));
    let wanted = [ReasonId::AgentsApart, ReasonId::Clock, ReasonId::Release];
    assert_eq!(ids(&both), wanted.map(|id| (id, Severity::Warns)));
}

#[test]
fn nodes_that_are_not_alike_are_a_warning() {
    let guard = GuardState::Says(Arc::new(healthy()));
    let unmet = ["model (A here, B there)".to_owned()];
    let readiness = judge(&Views { unmet: &unmet, ..views(&guard) });
    assert_eq!(ids(&readiness), [APART, (ReasonId::Prerequisites, Severity::Warns)]);
    assert!(readiness.against[1].text.contains("model (A here, B there)"));
}

#[test]
fn a_health_check_counts_once_it_makes_the_node_unfit() {
    let guard = GuardState::Says(Arc::new(healthy()));
    let why = || "it ended with 1".to_owned();
    let check = |health, unfit| HealthView {
        section: Section::Vpn,
        command: "swanctl --stats".to_owned(),
        health,
        unfit,
        in_a_row: 1,
        since_s: 0.0,
    };
    for (check, wanted) in [
        (check(Health::Good, None), vec![APART]),
        (check(Health::Doubtful { why: why() }, None), vec![APART]),
        (
            check(Health::Failed { why: why() }, Some(why())),
            vec![(ReasonId::CheckFailed, Severity::Warns), APART],
        ),
    ] {
        let services = ServicesView { checks: vec![check], ..NO_SERVICES.clone() };
        let readiness = judge(&Views { services: &services, ..views(&guard) });
        assert_eq!(ids(&readiness), wanted);
        let named = readiness.against[0].text.contains("vpn (`swanctl --stats`)");
        assert_eq!(named, wanted.len() == 2, "{readiness:?}");
    }
}

#[test]
fn a_node_that_keeps_no_logs_is_a_warning_and_no_other_condition_is_told_twice() {
    let standing = |condition: ConditionId, node: &str, known| Standing {
        condition,
        node: node.to_owned(),
        subject: None,
        severity: condition.severity(),
        since_ms: 0,
        known,
        good_for_ms: None,
        text: "No space left on device".to_owned(),
        what_now: condition.what_now().to_owned(),
    };
    let guard = GuardState::Says(Arc::new(healthy()));
    let with = |all: &[Standing]| judge(&Views { standing: all, ..views(&guard) });
    let both = ["gw-a", "gw-b"].map(|node| standing(ConditionId::LogsNotKept, node, true));
    let readiness = with(&both);
    assert!(readiness.ready, "it would work");
    assert_eq!(ids(&readiness), [(ReasonId::LogsNotKept, Severity::Warns), APART]);
    let told = &readiness.against[0];
    assert!(
        told.text.ends_with("gw-a: No space left on device; gw-b: No space left on device."),
        "{told:?}"
    );
    assert!(told.what_now.contains("/var/lib/twinwall/logs"), "{told:?}");
    let others = [
        standing(ConditionId::LogsNotKept, "gw-b", false),
        standing(ConditionId::OutOfSync, "pair", true),
    ];
    assert_eq!(ids(&with(&others)), [APART], "of one that cannot be asked it may be over");
}

#[test]
fn without_a_pair_or_a_guard_that_is_the_only_reason() {
    let guard = GuardState::Away("nobody listens".to_owned());
    let told = |paired, enabled, problems| Views { paired, enabled, problems, ..views(&guard) };
    for (views, wanted) in [
        (told(false, false, 0), ReasonId::NotPaired),
        (told(true, false, 0), ReasonId::Off),
        (told(true, true, 2), ReasonId::SettingsWrong),
        (told(true, true, 0), ReasonId::GuardAway),
    ] {
        let readiness = judge(&views);
        assert!(!readiness.ready);
        assert_eq!(ids(&readiness)[0], (wanted, Severity::Blocks));
    }
}
