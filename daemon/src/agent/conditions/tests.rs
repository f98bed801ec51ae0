//! What is observed, source by source, and what becomes of it over a restart.

use std::collections::BTreeMap;
use std::time::Duration;

use twinwall_core::api::{Missing, Status};
use twinwall_core::beat::{Fitness, Leaving, RoleWord};
use twinwall_core::time::Moment;

use super::hold::{Key, Observed, Whose};
use super::observe::{Source, Views, can_say, observe, source};
use super::*;
use crate::agent::guard::GuardState;
use crate::agent::readiness;
use crate::agent::section::Section;
use crate::agent::services::view::{Health, HealthView, Phase, ServiceView, ServicesView};

fn healthy() -> Status {
    let text = include_str!("../../../../core/tests/status/healthy.json");
    serde_json::from_str(text).expect("a status")
}

static NO_SERVICES: ServicesView =
    ServicesView { node: String::new(), wanted: None, services: Vec::new(), checks: Vec::new() };
static NOTHING_REPORTED: BTreeMap<(ConditionId, Option<String>), String> = BTreeMap::new();

fn views(guard: &GuardState) -> Views<'_> {
    Views {
        enabled: true,
        guard,
        against: Some(&[]),
        services: &NO_SERVICES,
        reported: &NOTHING_REPORTED,
        all_reported: true,
        told: Some(&[]),
        there: Some("gw-b"),
    }
}

fn says(change: impl FnOnce(&mut Status)) -> GuardState {
    let mut status = healthy();
    change(&mut status);
    GuardState::Says(status.into())
}

fn seen(observed: &[Observed]) -> Vec<(ConditionId, Option<&str>)> {
    observed.iter().map(|it| (it.key.condition, it.key.subject.as_deref())).collect()
}

#[test]
fn what_the_guard_says_is_told_by_name_and_subject() {
    let lan = healthy().snapshot.interfaces[0].name.clone();
    let down = format!("watched interface {lan} is down");
    let held = format!("watched interface {lan} is held back because it flaps");
    let unfit = |why: &str| {
        let why = why.to_owned();
        says(move |status| status.snapshot.own.unfit = vec![why])
    };
    let left = says(|status| {
        status.snapshot.peer.state = "left".to_owned();
        status.snapshot.peer.left = Some(Leaving::Shutdown);
    });
    let silent = says(|status| {
        status.snapshot.peer.state = "silent".to_owned();
        status.snapshot.peer.left = None;
    });
    let missing = says(|status| {
        let remedy = "a newer kernel".to_owned();
        status.guard.missing = vec![Missing { name: "persist".to_owned(), remedy }];
    });
    for (guard, id, subject) in [
        (unfit(&down), ConditionId::InterfaceDown, Some(lan.as_str())),
        (unfit(&held), ConditionId::InterfaceHeld, Some(lan.as_str())),
        (unfit("in maintenance"), ConditionId::Maintenance, None),
        (unfit("the addresses could not be applied"), ConditionId::Unfit, None),
        (left, ConditionId::PeerAway, None),
        (silent, ConditionId::PeerSilent, None),
        (missing, ConditionId::ProtectionMissing, Some("persist")),
        (says(|status| status.snapshot.paths[0].alive = false), ConditionId::HaLinkLost, None),
        (
            says(|status| status.snapshot.role.role = RoleWord::Claiming),
            ConditionId::RoleOnTheMove,
            None,
        ),
        (GuardState::Away("it ended".to_owned()), ConditionId::GuardAway, None),
    ] {
        assert_eq!(seen(&observe(&views(&guard))), [(id, subject)]);
        let off = Views { enabled: false, ..views(&guard) };
        assert_eq!(seen(&observe(&off)), [], "{id} while high availability is off");
    }
    assert_eq!(seen(&observe(&views(&says(|_| {})))), []);
    let peer = |check_failed| {
        let fitness = Fitness { maintenance: true, check_failed, ..Fitness::default() };
        says(move |status| status.snapshot.peer.fitness = Some(fitness))
    };
    assert_eq!(seen(&observe(&views(&peer(false)))), [], "maintenance is no fault");
    assert_eq!(seen(&observe(&views(&peer(true)))), [(ConditionId::PeerUnfit, None)]);
}

#[test]
fn services_and_checks_are_told_one_by_one() {
    let service = |name: &str, phase| ServiceView {
        name: name.to_owned(),
        section: Section::Network,
        unit: format!("{name}.service"),
        after: Vec::new(),
        phase,
        doing: None,
        since_s: 1.0,
        failures: 1,
    };
    let check = |unfit: Option<&str>| HealthView {
        section: Section::Vpn,
        command: "swanctl --stats".to_owned(),
        health: Health::Good,
        unfit: unfit.map(str::to_owned),
        in_a_row: 0,
        since_s: 1.0,
    };
    let failed = Phase::Failed { why: "it ended with 1".to_owned() };
    let services = ServicesView {
        services: vec![service("dnsmasq", failed), service("radvd", Phase::Running)],
        checks: vec![check(Some("ended with 2")), check(None)],
        ..NO_SERVICES.clone()
    };
    let guard = says(|_| {});
    let observed = observe(&Views { services: &services, ..views(&guard) });
    assert_eq!(
        seen(&observed),
        [(ConditionId::ServiceFailed, Some("dnsmasq")), (ConditionId::CheckFailed, Some("vpn")),]
    );
    assert_eq!(observed[1].text, "The check `swanctl --stats` fails: ended with 2.");
}

#[test]
fn readiness_tells_only_what_nobody_else_does() {
    let reason = |id| readiness::Reason {
        id,
        severity: readiness::Severity::Warns,
        text: "It is so.".to_owned(),
        what_now: String::new(),
    };
    use readiness::ReasonId;
    let against = [
        ReasonId::OutOfSync,
        ReasonId::PeerAway,
        ReasonId::GuardAway,
        ReasonId::ServiceFailed,
        ReasonId::Clock,
    ]
    .map(reason);
    let guard = says(|_| {});
    let observed = observe(&Views { against: Some(&against), ..views(&guard) });
    let wanted = [(ConditionId::OutOfSync, None), (ConditionId::ClocksApart, None)];
    assert_eq!(seen(&observed), wanted);
}

#[test]
fn the_other_node_speaks_of_itself_only_and_within_bounds() {
    let told = |condition: &str, subject: Option<String>| Told {
        condition: condition.to_owned(),
        subject,
        text: "It is so.\u{1b}[2J".to_owned(),
        since_ms: Some(7),
        good_for_ms: None,
    };
    let all = [
        told("disk-full", Some("/var".to_owned())),
        told("two-active", None),
        told("peer-silent", None),
        told("of-a-newer-release", None),
        told("disk-full", Some("x".repeat(1000))),
    ];
    let guard = says(|_| {});
    let observed = observe(&Views { told: Some(&all), ..views(&guard) });
    assert_eq!(seen(&observed), [(ConditionId::DiskFull, Some("/var"))]);
    assert_eq!(observed[0].key.whose, Whose::There);
    assert_eq!(observed[0].held.and_then(|it| it.since_ms), Some(7), "when it began there");
    let mut holder = hold::Holder::default();
    let changes = holder.look(Moment::ZERO, 0, observed, &|_| true);
    assert_eq!(changes[0].text, "It is so. [2J", "no terminal is moved by it");
    let flood: Vec<Told> =
        (0..500).map(|number| told("disk-full", Some(number.to_string()))).collect();
    let observed = observe(&Views { told: Some(&flood), ..views(&guard) });
    assert_eq!(observed.len(), observe::MAX_TOLD);
}

#[test]
fn what_travels_calls_both_nodes_by_their_names() {
    let guard = says(|status| {
        status.snapshot.own.unfit = vec!["check dns: it does not answer".to_owned()];
        status.snapshot.peer.fitness = Some(Fitness { check_failed: true, ..Fitness::default() });
        status.snapshot.paths[0].silence = Some(Duration::from_secs(11));
        (status.snapshot.paths[0].alive, status.snapshot.paths[0].carrier) = (false, false);
    });
    let texts: Vec<String> = observe(&views(&guard)).into_iter().map(|it| it.text).collect();
    assert_eq!(
        texts,
        [
            "gw-a is not fit: check dns: it does not answer.",
            "gw-b is not fit (a check failed): nobody could take over from gw-a.",
            "HA link lost: ha0 silent for 11 s, no carrier at gw-a.",
        ]
    );
    for id in ConditionId::ALL {
        let row = id.row();
        for text in [row.meaning, row.what_now] {
            assert!(!text.to_lowercase().contains("this node"), "{id}: {text}");
        }
    }
}

#[test]
fn while_nobody_can_say_nothing_is_cleared() {
    let away = GuardState::Away("it ended".to_owned());
    let key = |id| Key::of(id, None);
    let theirs = Key { whose: Whose::There, ..key(ConditionId::DiskFull) };
    let nobody = Views { against: None, all_reported: false, told: None, ..views(&away) };
    for (key, can) in [
        (key(ConditionId::HaLinkLost), false),
        (key(ConditionId::OutOfSync), false),
        (key(ConditionId::DiskFull), false),
        (theirs, false),
        (key(ConditionId::GuardAway), true),
        (key(ConditionId::CheckFailed), true),
    ] {
        assert_eq!(can_say(&nobody, &key), can, "{key:?}");
    }
    let off = Views { enabled: false, ..nobody };
    assert!(can_say(&off, &key(ConditionId::HaLinkLost)), "no guard is expected there");
}

#[test]
fn who_happens_is_no_level_and_every_level_has_somebody_who_says_it() {
    for id in ConditionId::ALL {
        let happens = id.row().course == catalogue::Course::Happens;
        assert!(!happens || source(*id) == Source::Part, "{id}");
    }
}

#[test]
fn what_other_parts_report_is_bounded_and_survives_a_restart_as_what_was_told() {
    let root = std::env::temp_dir().join(format!("twinwall-conditions-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&root);
    std::fs::create_dir_all(root.join(crate::agent::engine::assemble::STATE)).expect("made");
    let conditions = Conditions::open(&root, "gw-a");
    for number in 0..MAX_REPORTED + 3 {
        let subject = number.to_string();
        conditions.report(ConditionId::AlertFailing, Some(&subject), Some("No.".to_owned()));
    }
    assert_eq!(conditions.refused(), 3);
    let told = {
        let mut inside = conditions.inside();
        let reported = inside.reported.clone();
        let guard = says(|_| {});
        let views = Views { reported: &reported, ..views(&guard) };
        let mut look = |second: u64| {
            let at = Moment::ZERO + Duration::from_secs(second);
            let observed = observe(&views);
            let changes = inside.holder.look(at, second * 1000, observed, &|_| true);
            inside.tell(second * 1000, changes)
        };
        assert_eq!(look(0).len(), 0, "it has to last");
        look(30)
    };
    assert_eq!(told.len(), MAX_REPORTED);
    let all = conditions.inside().notices.clone();
    conditions.disk.lock().expect("free").add(&told, &all).expect("written");
    let again = Conditions::open(&root, "gw-a");
    assert_eq!(again.present().len(), MAX_REPORTED);
    assert!(again.present().iter().all(|it| it.node == "gw-a" && !it.known));
    assert_eq!(*again.subscribe().borrow(), MAX_REPORTED as u64);
    assert_eq!(again.notices(Some(62), 10).iter().map(|it| it.id).collect::<Vec<_>>(), [63, 64]);
    assert_eq!(again.notices(None, 1)[0].id, 64);
    assert!(!again.speaks(), "nobody speaks before it is known who serves");
    std::fs::remove_dir_all(root).expect("removed");
}
