//! Health checks on a clock of their own.

use std::time::Duration;

use twinwall_core::time::Moment;

use super::health::{AGAIN, AT_ONCE, Checks, EVERY, IN_A_ROW, Turn, turn};
use super::plan::{Ended, Plan, Verb, Wanted};
use super::{Section, Service, UNABLE};
use crate::agent::profile::parse_profile;

/// The checks, their clock, and whether they are run.
struct Run {
    checks: Checks,
    now: Moment,
    turn: Turn,
}

impl Run {
    fn new(checks: usize) -> Run {
        let now = Moment::from_millis(1000);
        let all = (0..checks).map(|number| (Section::Vpn, format!("check {number}")));
        Run { checks: Checks::new(now, all), now, turn: Turn::Run }
    }

    fn begin(&mut self) -> Vec<usize> {
        let turn = self.turn;
        self.checks.begin(self.now, |_| turn)
    }

    /// The next run of the only check ends so; how it is then, and whether the node is fit.
    fn next(&mut self, ended: Ended) -> (&'static str, bool) {
        if self.begin().is_empty() {
            let due = self.checks.deadline(self.now).expect("it is due some time");
            self.now = due;
            assert_eq!(self.begin(), [0]);
        }
        self.checks.ended(self.now, 0, ended);
        self.stands()
    }

    fn stands(&self) -> (&'static str, bool) {
        let view = self.checks.view(self.now).remove(0);
        assert_eq!(view.unfit.is_some(), self.checks.objection().is_some());
        (view.health.words(), view.unfit.is_none())
    }

    fn fall(&mut self) {
        for _ in 0..IN_A_ROW {
            self.next(no());
        }
        assert_eq!(self.stands(), ("failed", false));
    }

    /// How many successes make it fit again.
    fn passes(&mut self) -> u32 {
        (1..).find(|_| self.next(Ended::Well).1).expect("some time")
    }
}

fn no() -> Ended {
    Ended::No("ended with 1".to_owned())
}

#[test]
fn only_several_failures_in_a_row_make_the_node_unfit_and_as_many_successes_fit_again() {
    let mut run = Run::new(1);
    for (ended, wanted) in [
        (Ended::Well, ("good", true)),
        (no(), ("doubtful", true)),
        (no(), ("doubtful", true)),
        (Ended::Well, ("good", true)),
        (no(), ("doubtful", true)),
        (no(), ("doubtful", true)),
        (no(), ("failed", false)),
        (Ended::Well, ("recovering", false)),
        (Ended::Well, ("recovering", false)),
        (no(), ("failed", false)),
        (Ended::Well, ("recovering", false)),
        (Ended::BrokenOff, ("recovering", false)),
        (Ended::Well, ("recovering", false)),
        (Ended::Well, ("good", true)),
        (no(), ("doubtful", true)),
    ] {
        let told = format!("{ended:?}");
        assert_eq!(run.next(ended), wanted, "{told}");
    }
}

#[test]
fn it_is_run_at_its_interval_and_sooner_while_it_is_doubtful() {
    let mut run = Run::new(1);
    for (ended, pause) in [
        (Ended::Well, EVERY),
        (no(), AGAIN),
        (no(), AGAIN),
        (no(), AGAIN),
        (no(), EVERY),
        (Ended::Well, AGAIN),
        (Ended::LeftAlone("nothing there".to_owned()), EVERY),
    ] {
        run.next(ended);
        assert_eq!(run.checks.deadline(run.now), Some(run.now + pause));
    }
    assert_eq!(run.stands(), ("left out", true), "a program that was removed is no failure");
}

#[test]
fn one_that_comes_and_goes_must_go_well_for_longer_each_time_until_it_was_calm_for_an_hour() {
    let mut run = Run::new(1);
    let mut asked = Vec::new();
    for _ in 0..7 {
        run.fall();
        asked.push(run.passes());
    }
    assert_eq!(asked, [3, 6, 12, 24, 48, 48, 48]);
    run.now += Duration::from_secs(3600);
    run.fall();
    assert_eq!(run.passes(), 3);
}

#[test]
fn one_about_services_that_moved_away_holds_the_role_off_for_a_time_and_is_not_run() {
    let mut run = Run::new(1);
    run.fall();
    run.turn = Turn::Rest;
    run.checks.role_moved();
    assert!(run.begin().is_empty());
    assert_eq!(run.checks.deadline(run.now), None);
    assert_eq!(run.stands(), ("not run", false));
    run.now += UNABLE - Duration::from_secs(1);
    assert_eq!((run.begin(), run.stands()), (vec![], ("not run", false)));
    run.now += Duration::from_secs(1);
    assert_eq!((run.begin(), run.stands()), (vec![], ("not run", true)));

    // Where the role stays for want of a better node, it is run on and can recover.
    run.turn = Turn::Run;
    assert_eq!(run.next(no()), ("doubtful", true));
}

#[test]
fn what_began_under_another_role_says_nothing() {
    let mut run = Run::new(1);
    run.next(no());
    run.next(no());
    run.now += AGAIN;
    assert_eq!(run.begin(), [0]);
    run.checks.role_moved();
    run.checks.ended(run.now, 0, no());
    assert_eq!(run.stands(), ("doubtful", true));
}

#[test]
fn few_are_run_at_once_and_none_is_forgotten() {
    let mut run = Run::new(AT_ONCE + 2);
    assert_eq!(run.begin(), (0..AT_ONCE).collect::<Vec<_>>());
    assert!(run.begin().is_empty());
    run.now += EVERY * 2;
    run.checks.ended(run.now, 0, Ended::Well);
    assert_eq!(run.begin(), [AT_ONCE], "one that hangs holds up nobody else");
    run.checks.ended(run.now, 1, Ended::Well);
    assert_eq!(run.begin(), [AT_ONCE + 1]);
}

/// dns belongs to the section network; vpn has no service.
const PROFILE: &str = "format = 1\nname = \"test\"\n[appliance]\n\
    model = { file = \"/etc/model\" }\nserial = { file = \"/etc/serial\" }\n\
    firmware = { file = \"/etc/firmware\" }\n\
    [[section.network.service]]\nname = \"dns\"\nunit = \"dns\"\nprogram = \"/bin/sh\"\n";

#[test]
fn checks_of_a_section_with_bound_services_are_run_only_while_those_run_here() {
    let profile = parse_profile("test", PROFILE).expect("right");
    let services: Vec<(Section, Service)> =
        profile.services().into_iter().map(|(at, it)| (at, it.clone())).collect();
    let now = Moment::from_millis(1000);
    let left = Ended::LeftAlone("not installed".to_owned());
    let no = || Ended::No("no".to_owned());
    for (wanted, ended, of_network, of_vpn) in [
        (None, None, Turn::Rest, Turn::Rest),
        (Some(Wanted::Running), None, Turn::Rest, Turn::Run),
        (Some(Wanted::Running), Some(no()), Turn::Rest, Turn::Run),
        (Some(Wanted::Running), Some(Ended::Well), Turn::Run, Turn::Run),
        (Some(Wanted::Running), Some(left.clone()), Turn::Run, Turn::Run),
        (Some(Wanted::Stopped), Some(Ended::Well), Turn::Rest, Turn::Run),
        (Some(Wanted::Stopped), Some(left), Turn::Run, Turn::Run),
    ] {
        let told = format!("{wanted:?} {ended:?}");
        let mut plan = Plan::new(now, &[&services[0].1]);
        plan.want(now, wanted);
        if let Some(ended) = ended {
            let begun: Vec<(usize, Verb, _)> = plan.begin(now);
            plan.ended(now, 0, begun[0].2, ended);
        }
        assert_eq!(turn(Section::Network, &plan, &services), of_network, "{told}");
        assert_eq!(turn(Section::Vpn, &plan, &services), of_vpn, "{told}");
    }
}
