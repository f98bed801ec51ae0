//! Two cores on a perfect network: the shortest proof that a pair finds its roles,
//! moves them, and stays put otherwise. The simulation asks the hard questions.

use std::net::IpAddr;
use std::time::Duration;

use twinwall_core::beat::{Heard, Leaving, RoleWord};
use twinwall_core::config::{Cable, Damping, Failback, HaLink, Interface, Pair, Prefix};
use twinwall_core::event::{Applied, Event, Fact, GateOrder, Order, Output, Refusal};
use twinwall_core::ids::{BootId, Designation, InterfaceId};
use twinwall_core::note::What;
use twinwall_core::time::Moment;
use twinwall_core::{Core, Setup};

const DELAY: Duration = Duration::from_micros(100);

fn prefix(text: &str, length: u8) -> Prefix {
    Prefix { address: text.parse::<IpAddr>().expect("an address"), length }
}

fn settings(interval: Duration) -> Pair {
    let interface = |name: &str, net: u8| Interface {
        name: name.to_owned(),
        watch: true,
        primary: vec![prefix(&format!("10.{net}.0.2"), 24)],
        secondary: vec![prefix(&format!("10.{net}.0.3"), 24)],
        virtual_ips: vec![prefix(&format!("10.{net}.0.1"), 24)],
    };
    Pair {
        pair_id: 1,
        interval,
        threshold: 3,
        ha_link: HaLink { interface: "ha0".to_owned(), cable: Cable::Direct },
        interfaces: vec![interface("lan0", 1), interface("wan0", 2)],
        failback: Failback::Stay,
        ping_targets: Vec::new(),
        enabled: true,
        sync: Default::default(),
        flows: Default::default(),
        logs: Default::default(),
        overridden: Vec::new(),
        boot_hold: Duration::from_secs(5),
        damping: Damping {
            flaps: 3,
            window: Duration::from_secs(900),
            hold: Duration::from_secs(60),
        },
        required_checks: Vec::new(),
    }
}

struct Pairing {
    cores: [Core; 2],
    boots: [BootId; 2],
    alive: [bool; 2],
    queue: Vec<(Moment, usize, Event)>,
    now: Moment,
    open: [Option<Moment>; 2],
    told: Vec<String>,
    stopped: [bool; 2],
}

impl Pairing {
    fn new(interval: Duration) -> Pairing {
        let boots = [BootId([1; 16]), BootId([2; 16])];
        let core = |index: usize, designation| {
            let name = ["a", "b"][index].to_owned();
            Core::new(
                Moment::ZERO,
                Setup {
                    name,
                    designation,
                    boot: boots[index],
                    pair: settings(interval),
                    gate: true,
                },
            )
        };
        let mut pairing = Pairing {
            cores: [core(0, Designation::Primary), core(1, Designation::Secondary)],
            boots,
            alive: [true; 2],
            queue: Vec::new(),
            now: Moment::ZERO,
            open: [None; 2],
            told: Vec::new(),
            stopped: [false; 2],
        };
        for node in 0..2 {
            for event in [
                Event::HaCarrier { up: true },
                Event::CableIsDirect { direct: true },
                Event::Link { interface: InterfaceId(0), up: true },
                Event::Link { interface: InterfaceId(1), up: true },
                Event::OwnAddresses { troubles: Vec::new() },
            ] {
                pairing.feed(node, event);
            }
        }
        pairing
    }

    fn feed(&mut self, node: usize, event: Event) {
        if !self.alive[node] {
            return;
        }
        self.cores[node].handle(self.now, event);
        while let Some(output) = self.cores[node].poll_output() {
            self.act(node, output);
        }
    }

    fn act(&mut self, node: usize, output: Output) {
        match output {
            Output::Send { paths, beat } => {
                for path in paths.iter() {
                    let heard = Heard { path, boot: self.boots[node], beat: (*beat).clone() };
                    self.queue.push((self.now + DELAY, 1 - node, Event::Heard(Box::new(heard))));
                }
            }
            Output::Gate(order) => {
                let took = self.gate(node, order);
                self.cores[node].handle(self.now, Event::GateAnswered { order, took });
            }
            Output::Want(desired) => {
                let done =
                    Event::Applied { generation: desired.generation, outcome: Applied::Done };
                self.queue.push((self.now + Duration::from_millis(1), node, done));
            }
            Output::CheckLinks => self.queue.push((self.now + DELAY, node, Event::LinksChecked)),
            Output::Note(note) => {
                let quiet =
                    matches!(note.what, What::EvidenceRound { .. } | What::Addresses { .. });
                if !quiet {
                    self.told.push(format!("{} {} {:?}", note.at, ["a", "b"][node], note.what));
                }
            }
            Output::Stop => {
                self.stopped[node] = true;
                self.alive[node] = false;
            }
            Output::Announce { .. }
            | Output::AskKernel { .. }
            | Output::PingTargets
            | Output::Refused(_) => {}
        }
    }

    fn gate(&mut self, node: usize, order: GateOrder) -> bool {
        let live = self.open[node].is_some_and(|until| until > self.now);
        match order {
            GateOrder::Open { .. } => {
                let until = self.cores[node].may_open(self.now);
                self.open[node] = until.or(self.open[node]);
                until.is_some()
            }
            GateOrder::Renew { until } => {
                if live {
                    self.open[node] = Some(until);
                }
                live
            }
            GateOrder::CloseAnswer { .. } | GateOrder::Close => {
                self.open[node] = None;
                live
            }
        }
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.queue.sort_by_key(|(at, _, _)| *at);
            let event = self.queue.first().map_or(Moment::NEVER, |(at, _, _)| *at);
            let timers = [0, 1].map(|node| {
                if self.alive[node] { self.cores[node].deadline().0 } else { Moment::NEVER }
            });
            let next = event.min(timers[0]).min(timers[1]);
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
            if event == next {
                let (_, node, event) = self.queue.remove(0);
                self.feed(node, event);
            } else {
                self.feed(usize::from(timers[0] != next), Event::Deadline);
            }
            let open = [0, 1].map(|node| self.open[node].is_some_and(|until| until > self.now));
            assert!(open != [true, true], "two gates open at {}: {:#?}", self.now, self.told);
        }
    }

    fn roles(&self) -> [RoleWord; 2] {
        [self.cores[0].role(), self.cores[1].role()]
    }

    fn active(&self) -> usize {
        match self.roles() {
            [RoleWord::Active, RoleWord::Passive] => 0,
            [RoleWord::Passive, RoleWord::Active] => 1,
            roles => panic!("no clear roles: {roles:?} {:#?}", self.told),
        }
    }
}

#[test]
fn two_fresh_nodes_agree_on_the_primary_at_once() {
    for interval in [10, 50, 100, 1000, 60_000] {
        let mut pair = Pairing::new(Duration::from_millis(interval));
        pair.run(Duration::from_millis(500));
        assert_eq!(pair.active(), 0);
        pair.told.clear();
        pair.run(Duration::from_secs(60));
        assert_eq!(pair.told, Vec::<String>::new(), "a quiet pair stays quiet");
    }
}

#[test]
fn silence_of_the_active_moves_the_role_after_the_detection_time() {
    let mut pair = Pairing::new(Duration::from_millis(100));
    pair.run(Duration::from_secs(10));
    pair.alive[0] = false;
    pair.run(Duration::from_millis(180));
    assert_eq!(pair.cores[1].role(), RoleWord::Passive);
    pair.run(Duration::from_millis(125));
    assert_eq!(pair.cores[1].role(), RoleWord::Active, "{:#?}", pair.told);
}

#[test]
fn a_dead_passive_changes_nothing() {
    for interval in [10, 100, 1000] {
        let mut pair = Pairing::new(Duration::from_millis(interval));
        pair.run(Duration::from_secs(10));
        pair.alive[1] = false;
        for _ in 0..5000 {
            pair.run(Duration::from_millis(2));
            assert!(
                pair.open[0].is_some_and(|until| until > pair.now),
                "closed at {} {:#?}",
                pair.now,
                pair.told
            );
        }
        assert_eq!(pair.cores[0].role(), RoleWord::Active);
    }
}

#[test]
fn power_loss_on_a_direct_cable_is_believed_after_three_rounds() {
    let mut pair = Pairing::new(Duration::from_secs(1));
    pair.run(Duration::from_secs(10));
    pair.alive[0] = false;
    pair.open[0] = None;
    pair.feed(1, Event::HaCarrier { up: false });
    pair.run(Duration::from_millis(15));
    assert_eq!(pair.cores[1].role(), RoleWord::Active, "{:#?}", pair.told);
}

#[test]
fn a_switchover_hands_over_within_milliseconds() {
    let mut pair = Pairing::new(Duration::from_secs(1));
    pair.run(Duration::from_secs(10));
    pair.feed(0, Event::Order(Order::Switchover));
    pair.run(Duration::from_millis(4));
    assert_eq!(pair.roles(), [RoleWord::Releasing, RoleWord::Active], "{:#?}", pair.told);
    pair.run(Duration::from_secs(10));
    assert_eq!(pair.active(), 1);
}

#[test]
fn a_lost_link_hands_over_and_two_lost_links_do_not() {
    let mut pair = Pairing::new(Duration::from_secs(1));
    pair.run(Duration::from_secs(10));
    pair.feed(0, Event::Link { interface: InterfaceId(0), up: false });
    pair.run(Duration::from_millis(4));
    assert_eq!(pair.cores[1].role(), RoleWord::Active, "{:#?}", pair.told);
    pair.run(Duration::from_secs(1));
    pair.feed(1, Event::Link { interface: InterfaceId(0), up: false });
    pair.run(Duration::from_secs(30));
    assert_eq!(pair.active(), 1);
}

#[test]
fn leaving_hands_over_then_says_goodbye() {
    let mut pair = Pairing::new(Duration::from_millis(100));
    pair.run(Duration::from_secs(10));
    pair.feed(0, Event::Order(Order::Leave(Leaving::Shutdown)));
    pair.run(Duration::from_secs(1));
    assert!(pair.stopped[0], "{:#?}", pair.told);
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.cores[1].role(), RoleWord::Active, "{:#?}", pair.told);
}

#[test]
fn maintenance_moves_the_role_and_ends_by_itself() {
    let mut pair = Pairing::new(Duration::from_millis(100));
    pair.run(Duration::from_secs(10));
    pair.feed(0, Event::Order(Order::MaintenanceOn { lasts: Duration::from_secs(30) }));
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.active(), 1);
    assert_eq!(pair.cores[0].snapshot(pair.now).status, "maintenance");
    pair.run(Duration::from_secs(30));
    assert_eq!(pair.cores[0].snapshot(pair.now).status, "passive");
    assert_eq!(pair.active(), 1, "failback is off");
}

/// What a fact of this name, which holds for ten seconds, is answered at once.
fn refused(core: &mut Core, now: Moment, name: String) -> Option<Refusal> {
    let holds = Duration::from_secs(10);
    core.handle(now, Event::Fact(Fact { name, good: true, reason: String::new(), holds }));
    let outputs: Vec<Output> = std::iter::from_fn(|| core.poll_output()).collect();
    outputs.into_iter().find_map(|output| match output {
        Output::Refused(why) => Some(why),
        _ => None,
    })
}

#[test]
fn one_fact_too_many_is_refused_until_another_one_runs_out() {
    let mut pair = Pairing::new(Duration::from_millis(100));
    let (core, now) = (&mut pair.cores[0], Moment::ZERO);
    for number in 0..64 {
        assert_eq!(refused(core, now, format!("check-{number}")), None);
    }
    assert_eq!(refused(core, now, "one-more".to_owned()), Some(Refusal::TooManyFacts));
    assert_eq!(refused(core, now, "check-7".to_owned()), None, "one that holds is renewed");
    assert_eq!(core.snapshot(now).own.checks.len(), 64);
    let later = now + Duration::from_secs(11);
    core.handle(later, Event::Deadline);
    assert_eq!(refused(core, later, "one-more".to_owned()), None);
}
