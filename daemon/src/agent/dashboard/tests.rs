//! Every word that a node can have, and that what is not known is not shown as if it were.

use std::time::Duration;

use twinwall_core::api::Status;
use twinwall_core::beat::{Fitness, Leaving, RoleWord};
use twinwall_core::config::parse_pair;
use twinwall_core::ids::Designation;

use super::*;
use crate::agent::calls::About;
use crate::agent::engine::marks::Marks;
use crate::agent::engine::overview::SectionState;
use crate::agent::engine::state::State;
use crate::agent::flows::view::FlowsView;
use crate::agent::guard::GuardState;

const PAIR: &str = "pair_id = 7\n[ha_link]\ninterface = \"ha0\"\n[[interface]]\nname = \"lan\"\n\
    primary = \"10.1.0.2/24\"\nsecondary = \"10.1.0.3/24\"\nvirtual = \"10.1.0.1/24\"\n";
const NOW: u64 = 1_000_000_000;

fn healthy() -> Status {
    let text = include_str!("../../../../core/tests/status/healthy.json");
    serde_json::from_str(text).expect("a status")
}

fn sync(bad: &[usize]) -> Overview {
    let mut overview = State::new("gw-a".to_owned(), Marks::default(), 0).overview();
    for section in &mut overview.sections {
        section.state = SectionState::InSync;
    }
    bad.iter().for_each(|at| overview.sections[*at].state = SectionState::OutOfSync);
    overview
}

fn about() -> About {
    About {
        name: "gw-b".to_owned(),
        designation: Some(Designation::Secondary),
        release: "0.1.0".to_owned(),
        role: Some("passive".to_owned()),
        role_held: Some("passive".to_owned()),
        held_ms: Some(5_000),
        why: Some("the peer serves".to_owned()),
        firmware: Some("12.4".to_owned()),
        unix_ms: 0,
        conditions: Vec::new(),
    }
}

fn dashboard(guard: &GuardState, sync: &Overview, other: Option<&Other>) -> Dashboard {
    let pair = parse_pair("pair.toml", PAIR).expect("right");
    build(Views {
        now_ms: NOW,
        name: "gw-a",
        designation: Some(Designation::Primary),
        paired: true,
        enabled: true,
        pair: Some(&pair),
        guard,
        sync: Some(sync),
        readiness: None,
        firmware: Some("12.4"),
        other,
        flows: FlowsView::default(),
        conditions: Vec::new(),
        events: &[],
        jobs: Vec::new(),
        last_failover: None,
    })
}

fn says(change: impl FnOnce(&mut Status)) -> GuardState {
    let mut status = healthy();
    change(&mut status);
    GuardState::Says(status.into())
}

#[test]
fn this_node_in_one_word() {
    let maintenance = Some(Duration::from_secs(60));
    let unfit = |why: &str| vec![why.to_owned()];
    let good = Fitness::default();
    let never = Fitness { never_synchronised: true, ..good };
    let failed = Fitness { check_failed: true, ..good };
    for (role, fitness, reasons, kept, bad, word) in [
        (RoleWord::Active, good, vec![], None, &[][..], StatusWord::Active),
        // What differs is told of the passive one.
        (RoleWord::Active, good, vec![], None, &[1], StatusWord::Active),
        (RoleWord::Passive, good, vec![], None, &[], StatusWord::Passive),
        (RoleWord::Passive, good, vec![], None, &[1, 2], StatusWord::OutOfSync),
        (RoleWord::Passive, never, unfit("no configuration"), None, &[], StatusWord::OutOfSync),
        (RoleWord::Passive, failed, unfit("check dns"), None, &[1], StatusWord::Fault),
        (RoleWord::Passive, good, unfit("lan is down"), None, &[], StatusWord::Fault),
        (RoleWord::Passive, good, vec![], maintenance, &[], StatusWord::Maintenance),
        (RoleWord::Starting, good, vec![], None, &[], StatusWord::Starting),
        (RoleWord::Releasing, good, vec![], None, &[], StatusWord::Active),
        (RoleWord::Claiming, good, vec![], None, &[], StatusWord::Passive),
    ] {
        let guard = says(|status| {
            let own = &mut status.snapshot.own;
            (own.fitness, own.unfit, own.maintenance) = (fitness, reasons.clone(), kept);
            status.snapshot.role.role = role;
            status.snapshot.role.since = Duration::from_secs(3);
        });
        let here = dashboard(&guard, &sync(bad), None).here;
        assert_eq!(here.status, word, "{role:?} {fitness:?} {reasons:?} {bad:?}: {here:?}");
        assert_eq!(here.since_ms, Some(NOW - 3_000));
        assert_eq!(
            here.reasons.is_empty(),
            !matches!(word, StatusWord::Fault | StatusWord::OutOfSync)
        );
    }
    let away = GuardState::Away("the guard has ended".to_owned());
    let here = dashboard(&away, &sync(&[]), None).here;
    assert_eq!((here.status, here.reasons.len()), (StatusWord::Fault, 1));
}

#[test]
fn the_other_node_in_one_word_and_since_when_it_is_away() {
    let silence = Some(Duration::from_secs(9));
    for (state, left, role, word, away) in [
        ("alive", None, RoleWord::Passive, StatusWord::Passive, None),
        ("doubted", None, RoleWord::Active, StatusWord::Active, None),
        ("silent", None, RoleWord::Active, StatusWord::Fault, Some(NOW - 9_000)),
        ("left", Some(Leaving::Shutdown), RoleWord::Active, StatusWord::Away, Some(NOW - 9_000)),
        (
            "left",
            Some(Leaving::ServiceStop),
            RoleWord::Passive,
            StatusWord::Away,
            Some(NOW - 9_000),
        ),
        ("never_heard", None, RoleWord::Passive, StatusWord::Away, Some(NOW - 9_000)),
    ] {
        let guard = says(|status| {
            let peer = &mut status.snapshot.peer;
            peer.state = state.to_owned();
            (peer.left, peer.role, peer.silence) = (left, Some(role), silence);
        });
        let there = dashboard(&guard, &sync(&[]), None).there.expect("paired");
        assert_eq!((there.status, there.away_since_ms), (word, away), "{state} {role:?}");
        assert_eq!(there.role.is_some(), away.is_none(), "no role of then");
        assert_eq!(there.reasons.is_empty(), away.is_none());
    }
}

#[test]
fn a_node_that_was_just_taken_over_from_is_not_shown_as_active() {
    let guard = says(|status| {
        status.snapshot.role.since = Duration::from_millis(50);
        let peer = &mut status.snapshot.peer;
        (peer.role, peer.silence) = (Some(RoleWord::Active), Some(Duration::from_millis(60)));
    });
    let view = dashboard(&guard, &sync(&[]), None);
    let there = view.there.expect("paired");
    assert_eq!((there.status, there.is_active()), (StatusWord::Fault, false));
    assert_eq!(there.reasons, ["silent on every path"]);
    assert!(view.here.is_active());
}

#[test]
fn what_the_other_agent_said_of_another_role_is_not_shown() {
    let guard = says(|status| status.snapshot.peer.role = Some(RoleWord::Passive));
    let other = Other { at_ms: NOW - 1_000, about: about() };
    let there = dashboard(&guard, &sync(&[]), Some(&other)).there.expect("paired");
    assert_eq!(there.since_ms, Some(NOW - 6_000));
    assert_eq!((there.name.as_deref(), there.firmware.as_deref()), (Some("gw-b"), Some("12.4")));
    let guard = says(|status| status.snapshot.peer.role = Some(RoleWord::Active));
    let there = dashboard(&guard, &sync(&[]), Some(&other)).there.expect("paired");
    assert_eq!((there.since_ms, there.why), (None, None));
}

#[test]
fn an_interface_has_both_nodes_addresses() {
    let view = dashboard(&says(|_| {}), &sync(&[]), None);
    let lan = &view.interfaces[0];
    assert_eq!((&lan.own_here[0][..], &lan.own_there[0][..]), ("10.1.0.2", "10.1.0.3"));
    assert_eq!(lan.virtual_ips, ["10.1.0.1/24"]);
    assert_eq!(view.heartbeat.expect("settings").detection_s, 3.0);
}
