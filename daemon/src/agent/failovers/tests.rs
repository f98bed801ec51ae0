//! Reports of moves as two guards tell them: what is said, and what is not.

use std::time::Duration;

use twinwall_core::beat::{Leaving, RoleWord};
use twinwall_core::ids::{BootId, Epoch, InterfaceId};
use twinwall_core::note::{Reason, What};

use super::build::{Scene, reports};
use super::timeline::Placed;
use super::*;

/// When everything has long been told, in microseconds.
const LATER: i64 = 100_000_000;

fn event(here: bool, us: i64, what: What) -> (bool, Entry) {
    let run = if here { "aaaaaaaabb" } else { "ccccccccdd" }.to_owned();
    let unix_us = us.unsigned_abs();
    let text = format!("{what:?}");
    (here, Entry { run, number: unix_us, unix_us, what: Some(what), text })
}

fn role(here: bool, us: i64, from: RoleWord, to: RoleWord, reason: Reason) -> (bool, Entry) {
    event(here, us, What::Role { from, to, epoch: Epoch(7), reason })
}

fn clock() -> Clock {
    Clock { ahead_us: 0, error_us: 150, at_us: 50_000_000 }
}

fn told(events: &[(bool, Entry)], asked: Option<i64>, clock: Option<Clock>) -> Vec<Report> {
    told_with(events, asked, clock, &[])
}

fn told_with(
    events: &[(bool, Entry)],
    asked: Option<i64>,
    clock: Option<Clock>,
    probed: &[Silence],
) -> Vec<Report> {
    seen_at(events, asked, clock, (LATER, probed))
}

/// When everything was told, and no more.
fn told_at(events: &[(bool, Entry)], now_us: i64, probed: &[Silence]) -> Vec<Report> {
    seen_at(events, Some(now_us), Some(clock()), (now_us, probed))
}

fn seen_at(
    events: &[(bool, Entry)],
    asked: Option<i64>,
    clock: Option<Clock>,
    (now_us, probed): (i64, &[Silence]),
) -> Vec<Report> {
    let place = |(here, entry): &'static (bool, Entry)| Placed {
        here: *here,
        us: i64::try_from(entry.unix_us).expect("small"),
        entry,
    };
    // A test may leak what it made.
    let events: &'static [(bool, Entry)] = Vec::leak(events.to_vec());
    let mut placed: Vec<Placed<'_>> = events.iter().map(place).collect();
    placed.sort_by_key(|it| it.us);
    let scene = Scene {
        here: "gw-a",
        there: "gw-b",
        placed: &placed,
        clock,
        asked_us: asked,
        now_us,
        probed,
    };
    reports(&scene, None, &|_| false)
}

use RoleWord::{Active, Claiming, Passive, Releasing, Starting};

/// gw-a served before, and nothing is new about it.
fn before() -> Vec<(bool, Entry)> {
    vec![
        role(true, 1_000, Claiming, Active, Reason::NobodyServed),
        event(false, 1_500, What::DoubtEnded),
    ]
}

/// gw-a hands over at 20.000 s; gw-b serves 800 µs later.
fn handover(reason: Reason) -> Vec<(bool, Entry)> {
    let mut events = before();
    events.extend([
        event(true, 19_990_000, What::HandoverAsked { epoch: Epoch(7), reason }),
        role(false, 19_992_000, Passive, Claiming, Reason::PeerHandsOver),
        role(true, 20_000_000, Active, Releasing, reason),
        role(false, 20_000_800, Claiming, Active, Reason::PeerHandsOver),
        role(true, 20_300_000, Releasing, Passive, reason),
    ]);
    events
}

#[test]
fn a_switchover_tells_the_time_in_which_neither_answered() {
    let all = told(&handover(Reason::Switchover), Some(LATER), Some(clock()));
    assert_eq!(all[0].summary.kind, Kind::Start);
    let Summary { kind, from, to, outage, id, .. } = all[1].summary.clone();
    assert_eq!((kind, from.as_deref(), to.as_str()), (Kind::Switchover, Some("gw-a"), "gw-b"));
    assert_eq!(
        (outage.ms, outage.bound, outage.uncertainty_ms),
        (Some(0.8), Bound::Measured, 0.15)
    );
    assert!(outage.meaning.contains("still forwarded by gw-a"), "{}", outage.meaning);
    assert_eq!(id, "cccccccc-7");
    assert!(all[1].complete && all[1].missing.is_empty(), "{:?}", all[1].missing);
    let nodes: Vec<&str> = all[1].timeline.iter().map(|seen| seen.node.as_str()).collect();
    assert_eq!(nodes, ["gw-a", "gw-b", "gw-a", "gw-b", "gw-a"]);
    assert_eq!(all[1].summary.outage.words(), "0.8 ms");
}

#[test]
fn the_kind_comes_from_the_cause() {
    for (reason, kind) in [
        (Reason::Maintenance, Kind::Switchover),
        (Reason::Failback, Kind::Failback),
        (Reason::Leaving, Kind::Failover),
        (Reason::PeerHasMoreLinks, Kind::Failover),
        (Reason::PeerReachesMore, Kind::Failover),
        (Reason::CheckFailed, Kind::Failover),
    ] {
        let all = told(&handover(reason), Some(LATER), Some(clock()));
        assert_eq!(all[1].summary.kind, kind, "{reason:?}");
    }
}

#[test]
fn a_lost_link_counts_from_its_carrier() {
    let mut events = handover(Reason::PeerHasMoreLinks);
    events.push(event(true, 19_980_000, What::Link { interface: InterfaceId(0), up: false }));
    let all = told(&events, Some(LATER), Some(clock()));
    assert_eq!(all[1].summary.outage.ms, Some(20.8));
    assert!(all[1].summary.outage.how.contains("noted as"), "{}", all[1].summary.outage.how);
}

#[test]
fn without_the_other_nodes_events_a_handover_is_bounded_and_its_cause_is_not_guessed() {
    let mut events = handover(Reason::Switchover);
    // Seen from gw-b, which lost gw-a's events: here and there change places.
    events.retain(|(here, _)| !here);
    let turned: Vec<(bool, Entry)> = events.into_iter().map(|(_, entry)| (true, entry)).collect();
    let all = told(&turned, None, None);
    let report = &all[0];
    assert_eq!(report.summary.kind, Kind::Handover);
    assert_eq!((report.summary.outage.ms, report.summary.outage.bound), (Some(8.8), Bound::AtMost));
    assert!(!report.complete && report.missing[0].contains("not here yet"), "{:?}", report.missing);
    let all = told(&turned, Some(LATER), Some(clock()));
    assert!(all[0].complete && all[0].missing[0].contains("is lost"), "{:?}", all[0].missing);
}

#[test]
fn a_silent_node_counts_from_its_last_heartbeat() {
    let silent = |ms| Duration::from_millis(ms);
    let mut events = before();
    events.extend([
        event(false, 20_150_000, What::PeerDoubted { silence: silent(150) }),
        event(false, 20_300_000, What::PeerSilent { silence: silent(300) }),
        role(false, 20_300_000, Passive, Claiming, Reason::PeerSilent),
        role(false, 20_301_000, Claiming, Active, Reason::PeerSilent),
    ]);
    let all = told(&events, Some(LATER), Some(clock()));
    let outage = &all[1].summary.outage;
    assert_eq!((outage.ms, outage.bound, outage.uncertainty_ms), (Some(301.0), Bound::AtMost, 0.0));
    assert_eq!(all[1].summary.kind, Kind::Failover);
    assert_eq!(outage.words(), "at most 301 ms");
    // It was hung, and says so when it wakes: its kernel had closed the gate long before.
    events.push(role(true, 22_000_000, Active, Passive, Reason::WokeLate));
    let all = told(&events, Some(LATER), Some(clock()));
    assert_eq!(all[1].summary.outage.ms, Some(301.0));
    // A doubt that ended says nothing of the silence after it.
    let mut events = before();
    events.extend([
        event(false, 18_000_000, What::PeerDoubted { silence: silent(150) }),
        event(false, 18_001_000, What::DoubtEnded),
        role(false, 20_300_000, Passive, Claiming, Reason::PeerRestarted),
        role(false, 20_301_000, Claiming, Active, Reason::PeerRestarted),
    ]);
    let all = told(&events, Some(LATER), Some(clock()));
    let outage = &all[1].summary.outage;
    assert_eq!((outage.ms, outage.bound), (None, Bound::Unknown));
    assert!(outage.how.contains("neither node recorded"), "{}", outage.how);
}

#[test]
fn a_guard_that_was_killed_and_started_again_at_once_counts_from_the_last_beat_of_its_run_before() {
    let boot = BootId([2; 16]);
    let silence = Some(Duration::from_millis(140));
    let mut events = before();
    events.extend([
        // Another start, long before, has nothing to do with it.
        event(false, 2_000, What::PeerUp { boot, silence: Some(Duration::from_secs(9)) }),
        event(true, 20_030_000, What::Started { boot }),
        event(false, 20_040_000, What::PeerUp { boot, silence }),
        role(false, 20_040_000, Passive, Claiming, Reason::PeerRestarted),
        role(false, 20_042_500, Claiming, Active, Reason::PeerRestarted),
    ]);
    let all = told(&events, Some(LATER), Some(clock()));
    let Summary { kind, from, outage, reason, .. } = &all[1].summary;
    assert_eq!((*kind, from.as_deref()), (Kind::Failover, Some("gw-a")));
    assert_eq!(reason, "the guard of gw-a was started again");
    assert_eq!((outage.ms, outage.bound), (Some(142.5), Bound::AtMost));
    assert!(outage.how.starts_with("From the last heartbeat that gw-b heard"), "{}", outage.how);
    let wanted = [
        (StepKind::Began, "gw-b", 0.0),
        (StepKind::Noticed, "gw-a", 130.0),
        (StepKind::Noticed, "gw-b", 10.0),
        (StepKind::Decided, "gw-b", 0.0),
        (StepKind::Served, "gw-b", 2.5),
    ];
    assert_eq!(steps(&all[1]), wanted);
    assert_eq!(all[1].evidence.len(), 2, "{:?}", all[1].evidence);
}

#[test]
fn evidence_counts_from_the_last_heartbeat_although_the_doubt_comes_after_the_claim() {
    let mut events = before();
    events.extend([
        event(false, 20_010_000, What::HaCarrier { up: false }),
        role(false, 20_030_000, Passive, Claiming, Reason::PeerPoweredOff),
        role(false, 20_031_000, Claiming, Active, Reason::PeerPoweredOff),
        event(false, 20_150_000, What::PeerDoubted { silence: Duration::from_millis(150) }),
    ]);
    let all = told(&events, Some(10_000_000), Some(clock()));
    let report = &all[1];
    assert_eq!(
        (report.summary.outage.ms, report.summary.outage.bound),
        (Some(31.0), Bound::AtMost)
    );
    assert!(!report.complete && report.missing[0].contains("gw-b"), "{:?}", report.missing);
}

#[test]
fn a_goodbye_says_at_least_and_a_role_that_comes_back_is_an_interruption() {
    let mut events = before();
    events.extend([
        event(false, 20_000_000, What::PeerLeft { why: Leaving::Shutdown }),
        role(false, 20_000_100, Passive, Claiming, Reason::PeerLeft),
        role(false, 20_002_000, Claiming, Active, Reason::PeerLeft),
    ]);
    let all = told(&events, Some(LATER), Some(clock()));
    assert_eq!(all[1].summary.outage.bound, Bound::AtLeast);
    let mut events = before();
    events.extend([
        role(true, 20_000_000, Active, Passive, Reason::LeaseRanOut),
        role(true, 20_500_000, Passive, Claiming, Reason::NobodyServed),
        role(true, 20_501_000, Claiming, Active, Reason::NobodyServed),
    ]);
    let all = told(&events, Some(LATER), Some(clock()));
    let Summary { kind, outage, .. } = &all[1].summary;
    assert_eq!((*kind, outage.ms), (Kind::Interruption, Some(501.0)));
    let mut events = before();
    let boot = BootId([1; 16]);
    events.extend([
        event(true, 20_000_000, What::Started { boot }),
        role(true, 20_400_000, Starting, Claiming, Reason::NobodyServed),
        role(true, 20_501_000, Claiming, Active, Reason::NobodyServed),
    ]);
    let all = told(&events, Some(LATER), Some(clock()));
    assert_eq!(all[1].summary.outage.ms, None);
    assert!(all[1].summary.outage.how.contains("started again"), "{:?}", all[1].summary.outage);
}

/// The steps of a report: what, whose, and how long after the step before.
fn steps(report: &Report) -> Vec<(StepKind, &str, f64)> {
    report.steps.iter().map(|step| (step.kind, step.node.as_str(), step.took_ms)).collect()
}

#[test]
fn each_step_says_how_long_it_took_and_by_how_much_that_may_be_wrong() {
    let all = told(&handover(Reason::Switchover), Some(LATER), Some(clock()));
    let wanted = [
        (StepKind::Decided, "gw-b", 0.0),
        (StepKind::Began, "gw-a", 8.0),
        (StepKind::Stopped, "gw-a", 0.0),
        (StepKind::Served, "gw-b", 0.8),
        (StepKind::Ended, "gw-a", 299.2),
    ];
    let asked = (StepKind::Noticed, "gw-a", 0.0);
    let found = steps(&all[1]);
    assert_eq!(found.iter().filter(|it| **it != asked).count(), wanted.len(), "{found:?}");
    for (kind, node, took) in wanted {
        let it = found.iter().find(|it| it.0 == kind).expect("it is there");
        assert_eq!(it.1, node, "{kind:?}");
        assert!((it.2 - took).abs() < 1e-9 || kind == StepKind::Decided, "{it:?}");
    }
    let wrong = |kind| all[1].steps.iter().find(|it| it.kind == kind).map(|it| it.uncertainty_ms);
    assert_eq!((wrong(StepKind::Stopped), wrong(StepKind::Served)), (Some(0.0), Some(0.15)));
}

#[test]
fn a_decision_names_its_evidence_and_a_report_stands_alone() {
    let silent = |ms| Duration::from_millis(ms);
    let mut events = before();
    events.extend([
        event(false, 20_010_000, What::HaCarrier { up: false }),
        event(false, 20_014_000, What::EvidenceRound { round: 1 }),
        event(false, 20_018_000, What::EvidenceRound { round: 2 }),
        role(false, 20_030_000, Passive, Claiming, Reason::PeerPoweredOff),
        role(false, 20_031_000, Claiming, Active, Reason::PeerPoweredOff),
        event(false, 20_150_000, What::PeerDoubted { silence: silent(150) }),
    ]);
    let all = told(&events, Some(LATER), Some(clock()));
    let report = &all[1];
    assert_eq!(report.evidence.len(), 3, "{:?}", report.evidence);
    assert!(report.evidence[0].starts_with("gw-b, 20 ms before the decision"), "{report:?}");
    let kinds: Vec<StepKind> = report.steps.iter().map(|step| step.kind).collect();
    let noticed = kinds.iter().filter(|kind| **kind == StepKind::Noticed).count();
    assert_eq!((kinds[0], noticed, kinds.len()), (StepKind::Began, 3, 6), "{kinds:?}");
    assert_eq!(report.steps.last().map(|step| step.after_ms), Some(31.0));
    let mut hostile = report.clone();
    hostile.summary.reason = "<script>alert(1)</script>".to_owned();
    let html = alone(&hostile, "gw-b", 0).expect("made");
    assert!(html.contains("<svg") && html.contains("31 ms"), "{html}");
    for word in ["<script", "src=", "href=", "url(", "<link"] {
        assert!(!html.contains(word), "{word}: {html}");
    }
}

#[test]
fn what_a_probe_found_silent_stands_in_the_report_of_its_time_only() {
    let silence = |from_us, to_us| Silence {
        node: "gw-b".to_owned(),
        asked: "10.1.0.1".to_owned(),
        from_us,
        to_us,
        floor_ms: 20.0,
    };
    let events = handover(Reason::Switchover);
    let probed = [silence(1_000_000, Some(1_100_000)), silence(19_999_000, Some(20_030_000))];
    let all = told_with(&events, Some(LATER), Some(clock()), &probed);
    assert_eq!(all[1].probed, [probed[1].clone()]);
    assert!(all[1].explained.iter().any(|it| it.contains("for 31 ms")), "{:?}", all[1].explained);
    assert!(all[1].complete);
    // A busy machine flickers, before it and after it.
    let flicker = |from: u64| silence(from, Some(from + 26_000));
    let flickers = |begun: u64| (0..9).map(move |at| flicker(begun + at * 50_000));
    let mut many: Vec<Silence> = flickers(18_500_000).collect();
    many.extend([probed[1].clone()].into_iter().chain(flickers(20_100_000)));
    let kept = &told_with(&events, Some(LATER), Some(clock()), &many)[1].probed;
    assert!(kept.contains(&probed[1]) && kept.is_sorted_by_key(|it| it.from_us), "{kept:?}");
    // One that goes on is waited for, but not for ever.
    let open = [silence(19_999_000, None)];
    assert!(told_with(&events, Some(LATER), Some(clock()), &open)[1].complete);
    let soon = told_at(&events, 27_000_000, &open);
    assert!(!soon[1].complete, "{:?}", soon[1].probed);
}

#[test]
fn reports_are_kept_over_restarts_and_a_complete_one_stays_as_it_is() {
    let folder = std::env::temp_dir().join(format!("twinwall-reports-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("made");
    let path = folder.join("failovers.json");
    let mut kept = Reports::open(&path);
    let all = told(&handover(Reason::Switchover), Some(LATER), Some(clock()));
    kept.merge(all.clone());
    kept.save().expect("written");
    let mut other = all.clone();
    other[1].summary.reason = "another".to_owned();
    let mut kept = Reports::open(&path);
    kept.merge(other);
    assert_eq!(kept.newest_first().next(), Some(&all[1]));
    let many = (0..MAX_REPORTS as u64 + 9).map(|at| {
        let mut report = all[1].clone();
        (report.summary.id, report.summary.ended_ms) = (format!("x-{at}"), 1_000_000 + at);
        report
    });
    kept.merge(many.collect());
    assert_eq!(kept.newest_first().count(), MAX_REPORTS);
    std::fs::write(&path, "{").expect("spoiled");
    assert_eq!(Reports::open(&path).newest_first().count(), 0);
    std::fs::remove_dir_all(folder).expect("removed");
}
