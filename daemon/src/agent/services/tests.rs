//! The plan on a clock of its own. Real processes are started and stopped by two real nodes.

use std::time::Duration;

use twinwall_core::time::Moment;

use super::plan::{Ended, Generation, LOOK, Plan, Verb, Wanted};
use super::view::Phase;
use crate::agent::profile::parse_profile;

/// vpn waits for dns, mail for nobody.
const PROFILE: &str = "format = 1\nname = \"test\"\n[appliance]\n\
    model = { file = \"/etc/model\" }\nserial = { file = \"/etc/serial\" }\n\
    firmware = { file = \"/etc/firmware\" }\n\
    [[section.network.service]]\nname = \"dns\"\nunit = \"dns\"\nprogram = \"/bin/sh\"\n\
    [[section.vpn.service]]\nname = \"vpn\"\nunit = \"vpn\"\nprogram = \"/bin/sh\"\nafter = [\"dns\"]\n\
    [[section.mail.service]]\nname = \"mail\"\nunit = \"mail\"\nprogram = \"/bin/sh\"\n";

/// The plan, its clock, and what was begun last.
struct Run {
    plan: Plan,
    now: Moment,
    open: Vec<(usize, Verb, Generation)>,
}

impl Run {
    fn new() -> Run {
        let profile = parse_profile("test", PROFILE).expect("right");
        let services: Vec<_> = profile.services().into_iter().map(|(_, it)| it).collect();
        let now = Moment::from_millis(1000);
        let names: Vec<&str> = services.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["dns", "vpn", "mail"]);
        Run { plan: Plan::new(now, &services), now, open: Vec::new() }
    }

    fn want(&mut self, wanted: Option<Wanted>) -> Vec<(usize, Verb)> {
        self.plan.want(self.now, wanted);
        self.begin()
    }

    fn begin(&mut self) -> Vec<(usize, Verb)> {
        let begun = self.plan.begin(self.now);
        self.open.extend(begun.clone());
        begun.into_iter().map(|(place, verb, _)| (place, verb)).collect()
    }

    /// The oldest open action of this service ends so; what is begun then.
    fn end(&mut self, place: usize, ended: Ended) -> Vec<(usize, Verb)> {
        let at = self.open.iter().position(|(other, ..)| *other == place).expect("it is open");
        let (_, _, generation) = self.open.remove(at);
        self.plan.ended(self.now, place, generation, ended);
        self.begin()
    }

    fn pass(&mut self, span: Duration) -> Vec<(usize, Verb)> {
        self.now += span;
        self.begin()
    }

    fn phases(&self) -> Vec<String> {
        self.plan.seen().map(|seen| seen.phase.words().to_owned()).collect()
    }
}

fn no() -> Ended {
    Ended::No("no".to_owned())
}

fn failed() -> Ended {
    Ended::Failed("it said no".to_owned())
}

const DNS: usize = 0;
const VPN: usize = 1;
const MAIL: usize = 2;

/// All three run and were looked at.
fn running() -> Run {
    let mut run = Run::new();
    run.want(Some(Wanted::Running));
    for place in [DNS, VPN, MAIL] {
        run.end(place, Ended::Well);
    }
    assert_eq!(run.phases(), ["running"; 3]);
    run
}

#[test]
fn what_runs_already_is_not_started_again_and_nothing_happens_without_a_role() {
    let mut run = Run::new();
    assert_eq!(run.begin(), []);
    assert_eq!(run.plan.deadline(run.now), None);
    assert_eq!(
        run.want(Some(Wanted::Running)),
        [(DNS, Verb::Check), (VPN, Verb::Check), (MAIL, Verb::Check)]
    );
    for place in [DNS, VPN, MAIL] {
        assert_eq!(run.end(place, Ended::Well), []);
    }
    assert_eq!(run.plan.deadline(run.now), Some(run.now + LOOK));
}

#[test]
fn services_start_in_order_side_by_side_where_they_can_and_stop_the_other_way() {
    let mut run = Run::new();
    run.want(Some(Wanted::Running));
    assert_eq!(run.end(VPN, no()), [], "it waits for dns");
    assert_eq!(run.end(DNS, no()), [(DNS, Verb::Start)]);
    assert_eq!(run.end(MAIL, no()), [(MAIL, Verb::Start)], "beside it");
    assert_eq!(run.end(DNS, Ended::Well), [(VPN, Verb::Start)]);
    run.end(VPN, Ended::Well);
    run.end(MAIL, Ended::Well);
    assert_eq!(run.want(Some(Wanted::Stopped)), [(VPN, Verb::Stop), (MAIL, Verb::Stop)]);
    assert_eq!(run.end(MAIL, Ended::Well), []);
    assert_eq!(run.end(VPN, Ended::Well), [(DNS, Verb::Stop)]);
    run.end(DNS, Ended::Well);
    assert_eq!(run.phases(), ["stopped"; 3]);
}

#[test]
fn what_an_older_role_began_never_overtakes_a_newer_one() {
    let mut run = Run::new();
    run.want(Some(Wanted::Running));
    run.end(DNS, no());
    assert_eq!(run.want(Some(Wanted::Stopped)), [], "one thing at a time");
    // Broken off, or it succeeded a moment before: what it left is not known, and is stopped.
    for ended in [Ended::BrokenOff, Ended::Well] {
        let mut run = Run { plan: run.plan.clone(), now: run.now, open: run.open.clone() };
        run.end(VPN, Ended::BrokenOff);
        assert_eq!(run.end(DNS, ended), [], "vpn may just be starting");
        assert_eq!(run.end(VPN, Ended::Well), [(DNS, Verb::Stop)]);
        run.end(DNS, Ended::Well);
        assert_eq!(run.phases()[..2], ["stopped", "stopped"]);
    }
}

#[test]
fn one_that_fails_is_tried_again_with_growing_pauses_and_holds_up_only_who_needs_it() {
    let mut run = Run::new();
    run.want(Some(Wanted::Running));
    for place in [DNS, VPN, MAIL] {
        run.end(place, no());
    }
    run.end(MAIL, Ended::Well);
    let mut pauses = Vec::new();
    for _ in 0..8 {
        run.end(DNS, failed());
        let at = run.plan.seen().next().expect("dns").failures;
        let mut waited = 0;
        while run.pass(Duration::from_secs(1)).iter().all(|begun| *begun != (DNS, Verb::Start)) {
            waited += 1;
            // mail is looked at meanwhile.
            if run.open.iter().any(|(place, ..)| *place == MAIL) {
                run.end(MAIL, Ended::Well);
            }
        }
        pauses.push(waited + 1);
        assert_eq!(at as usize, pauses.len());
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(run.phases()[1], "stopped", "vpn waits");
    assert_eq!(run.end(DNS, Ended::Well), [(VPN, Verb::Start)]);
    run.pass(Duration::from_secs(3));
    run.end(DNS, Ended::Well);
    assert_eq!(run.plan.seen().next().expect("dns").failures, 0);
}

#[test]
fn one_that_dies_is_started_again_and_one_that_somebody_started_is_stopped() {
    let mut run = running();
    assert_eq!(run.pass(LOOK).len(), 3);
    run.end(VPN, Ended::Well);
    run.end(MAIL, Ended::Well);
    assert_eq!(run.end(DNS, no()), []);
    assert!(matches!(run.plan.seen().next().expect("dns").phase, Phase::Failed { .. }));
    assert_eq!(run.pass(Duration::from_secs(1)), [(DNS, Verb::Start)]);
    run.end(DNS, Ended::Well);

    run.want(Some(Wanted::Stopped));
    for place in [VPN, MAIL, DNS] {
        run.end(place, Ended::Well);
    }
    run.pass(LOOK);
    assert_eq!(run.end(MAIL, Ended::Well), [(MAIL, Verb::Stop)]);
}

#[test]
fn what_is_not_there_is_left_alone_and_holds_nobody_up() {
    let mut run = Run::new();
    run.want(Some(Wanted::Running));
    run.end(VPN, no());
    let gone = Ended::LeftAlone("not installed".to_owned());
    assert_eq!(run.end(DNS, gone), [(VPN, Verb::Start)]);
    assert_eq!(run.phases()[0], "left alone");
    run.end(VPN, Ended::Well);
    run.end(MAIL, Ended::Well);
    assert!(run.pass(LOOK).contains(&(DNS, Verb::Check)), "it may be installed meanwhile");
}
