//! Two engines on one clock with a line between them, and what they must never do.

mod closed;
mod failed;
mod joined;

use std::collections::VecDeque;

use super::failed::RETRY;
use super::*;
use crate::agent::store::Lineage;

const DEBOUNCE: Duration = Duration::from_secs(2);

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// A node: its state, its disk as one text per section, and what it remembered.
struct Node {
    state: State,
    disk: BTreeMap<Section, String>,
    remembered: Marks,
    started: Vec<Take>,
}

/// Two nodes. Contents travel by magic: a job ends as soon as it is told to.
struct Two {
    now: Moment,
    nodes: [Node; 2],
    line: VecDeque<(usize, Message)>,
    joined: bool,
    /// Sections whose apply command fails on node 1.
    broken: Vec<Section>,
    said: Vec<Message>,
}

impl Two {
    /// Node 0 is active and has a history; node 1 is blank; all sections differ.
    fn new(automatic: bool) -> Two {
        let node = |name: &str, lineage| {
            let marks = Marks { lineage, ..Marks::default() };
            let disk = Section::ALL.into_iter().map(|it| (it, format!("{name} {it}"))).collect();
            let state = State::new(name.to_owned(), marks.clone(), 100);
            Node { state, disk, remembered: marks, started: Vec::new() }
        };
        let nodes = [node("gw-a", Some(Lineage(1))), node("gw-b", None)];
        let mut two = Two {
            now: Moment::from_millis(1000),
            nodes,
            line: VecDeque::new(),
            joined: false,
            broken: Vec::new(),
            said: Vec::new(),
        };
        for at in 0..2 {
            let rules = Rules { paired: true, enabled: true, automatic, debounce: DEBOUNCE };
            two.put(at, Input::Rules(rules));
            two.put(at, Input::Active(Some(at == 0)));
            two.read_all(at);
        }
        two
    }

    fn joined(automatic: bool) -> Two {
        let mut two = Two::new(automatic);
        two.join();
        two.pass(DEBOUNCE);
        two
    }

    fn put(&mut self, at: usize, input: Input) {
        self.try_put(at, input).expect("no order, no refusal");
    }

    fn try_put(&mut self, at: usize, input: Input) -> Result<(), String> {
        let outputs = self.nodes[at].state.handle(self.now, input)?;
        for output in outputs {
            match output {
                Output::Say(message) if self.joined => self.line.push_back((1 - at, message)),
                Output::Say(_) | Output::Cancel { .. } => {}
                Output::Remember(marks) => self.nodes[at].remembered = marks,
                Output::Start(take) => self.nodes[at].started.push(take),
            }
        }
        Ok(())
    }

    fn join(&mut self) {
        self.joined = true;
        self.put(0, Input::Connected);
        self.put(1, Input::Connected);
        self.run();
    }

    fn part(&mut self) {
        self.joined = false;
        self.line.clear();
        self.put(0, Input::Gone);
        self.put(1, Input::Gone);
    }

    fn read_all(&mut self, at: usize) {
        for section in Section::ALL {
            self.read(at, section);
        }
    }

    fn read(&mut self, at: usize, section: Section) {
        let found = digest(&self.nodes[at].disk[&section]);
        self.put(at, Input::Read(section, Ok(found)));
    }

    fn change(&mut self, at: usize, section: Section, text: &str) {
        self.nodes[at].disk.insert(section, text.to_owned());
        self.read(at, section);
    }

    fn pass(&mut self, span: Duration) {
        self.now += span;
        self.put(0, Input::Tick);
        self.put(1, Input::Tick);
        self.run();
    }

    fn deliver(&mut self) {
        while let Some((to, message)) = self.line.pop_front() {
            self.said.push(message.clone());
            self.put(to, Input::Heard(message));
        }
    }

    /// Delivers everything and does every job, until nothing is left.
    fn run(&mut self) {
        loop {
            self.deliver();
            let Some(at) = (0..2).find(|at| !self.nodes[*at].started.is_empty()) else { return };
            let take = self.nodes[at].started.remove(0);
            for (section, wanted) in take.sections {
                let text = self.nodes[1 - at].disk[&section].clone();
                let broken = at == 1 && self.broken.contains(&section);
                let step = if broken || digest(&text) != wanted {
                    Phase::Failed { why: "its apply command failed".to_owned() }
                } else {
                    self.nodes[at].disk.insert(section, text);
                    Phase::Done
                };
                self.put(at, Input::Stepped(section, step));
                self.read(at, section);
            }
            self.put(at, Input::Ended);
        }
    }

    fn restart(&mut self, at: usize) {
        self.restart_as(at, at == 0);
    }

    fn restart_as(&mut self, at: usize, active: bool) {
        let marks = self.nodes[at].remembered.clone();
        self.nodes[at].state = State::new(format!("gw-{at}"), marks, 1000);
        let rules = Rules { paired: true, enabled: true, automatic: true, debounce: DEBOUNCE };
        self.put(at, Input::Rules(rules));
        self.put(at, Input::Active(Some(active)));
        self.read_all(at);
    }

    fn standings(&self, at: usize) -> Vec<Standing> {
        let mut all: Vec<Standing> =
            Section::ALL.into_iter().map(|it| self.nodes[at].state.standing(it)).collect();
        all.dedup();
        all
    }

    fn force(&mut self, at: usize, direction: Direction) -> Result<(), String> {
        let order = Order { direction, sections: Vec::new(), who: "admin".to_owned() };
        self.try_put(at, Input::Force(order))?;
        self.run();
        Ok(())
    }

    fn asked(&self) -> usize {
        self.said.iter().filter(|message| matches!(message, Message::Take(_))).count()
    }
}

#[test]
fn the_first_meeting_copies_everything_from_the_active() {
    let mut two = Two::new(true);
    two.join();
    assert_eq!(two.standings(0), [Standing::Never]);
    two.pass(DEBOUNCE);
    assert_eq!(
        (two.standings(0), two.standings(1)),
        (vec![Standing::InSync], vec![Standing::InSync])
    );
    assert_eq!(two.nodes[1].disk[&Section::Vpn], "gw-a vpn");
    assert_eq!(two.nodes[1].remembered.lineage, Some(Lineage(1)));
    assert_eq!(two.asked(), 1, "one job for all");
}

#[test]
fn a_change_on_the_active_goes_after_the_quiet_time_and_not_before() {
    let mut two = Two::joined(true);
    two.change(0, Section::Firewall, "new");
    two.pass(DEBOUNCE / 2);
    two.change(0, Section::Firewall, "newer");
    two.pass(DEBOUNCE / 2);
    assert_eq!(two.nodes[1].disk[&Section::Firewall], "gw-a firewall");
    assert_eq!(two.nodes[0].state.deadline(), two.now + DEBOUNCE / 2);
    two.pass(DEBOUNCE / 2);
    assert_eq!(two.nodes[1].disk[&Section::Firewall], "newer");
}

#[test]
fn in_manual_mode_nothing_moves_without_an_order() {
    let mut two = Two::joined(false);
    two.pass(Duration::from_secs(1000));
    assert_eq!(two.asked(), 0);
    two.force(0, Direction::Push).expect("the order is taken");
    assert_eq!(two.standings(0), [Standing::InSync]);
}

#[test]
fn an_order_for_all_leaves_out_no_section_that_is_not_known_yet() {
    let mut two = Two::joined(false);
    let unread = Err("it changes all the time".to_owned());
    two.put(1, Input::Read(Section::Vpn, unread));
    two.run();
    let refused = two.force(0, Direction::Push).expect_err("one is not known");
    assert!(refused.contains("section vpn is not known"), "{refused}");
    assert_eq!(two.asked(), 0);
    let named = Order {
        direction: Direction::Push,
        sections: vec![Section::Mail],
        who: "admin".to_owned(),
    };
    two.try_put(0, Input::Force(named)).expect("named ones can go");
    two.run();
    assert_eq!(two.nodes[1].disk[&Section::Mail], "gw-a mail");
}

#[test]
fn a_change_on_the_passive_waits_for_a_person() {
    let mut two = Two::joined(true);
    two.change(1, Section::Ips, "by hand");
    two.pass(Duration::from_secs(1000));
    let standing = |two: &Two, at: usize| two.nodes[at].state.standing(Section::Ips);
    assert_eq!(standing(&two, 0), Standing::Differs(super::super::standing::Changed::There));
    assert_eq!(standing(&two, 1), Standing::Differs(super::super::standing::Changed::Here));
    two.change(0, Section::Ips, "on the active");
    two.pass(Duration::from_secs(1000));
    assert_eq!(two.nodes[1].disk[&Section::Ips], "by hand");
    two.force(0, Direction::Pull).expect("either direction can be chosen");
    assert_eq!(two.nodes[0].disk[&Section::Ips], "by hand");
}

#[test]
fn a_late_request_does_not_replace_what_was_changed_meanwhile() {
    let mut two = Two::joined(true);
    two.change(0, Section::Ips, "on the active");
    // The passive's own change has not reached the active when it asks.
    two.nodes[1].disk.insert(Section::Ips, "by hand".to_owned());
    let found = digest("by hand");
    let outputs = two.nodes[1].state.handle(two.now, Input::Read(Section::Ips, Ok(found)));
    assert!(outputs.is_ok());
    two.pass(DEBOUNCE);
    assert_eq!(two.asked(), 2, "the active asked");
    assert_eq!(two.nodes[1].disk[&Section::Ips], "by hand");
}

#[test]
fn a_blank_node_can_never_be_the_source() {
    let mut two = Two::joined(false);
    let refused = two.force(0, Direction::Pull).expect_err("the other node is blank");
    assert!(refused.contains("blank"), "{refused}");
    let refused = two.force(1, Direction::Push).expect_err("this node is blank");
    assert!(refused.contains("blank"), "{refused}");
    // Also not by itself, as the active of a pair that knows nothing.
    two.put(
        1,
        Input::Rules(Rules { paired: true, enabled: true, automatic: true, debounce: DEBOUNCE }),
    );
    two.put(1, Input::Active(Some(true)));
    two.pass(Duration::from_secs(1000));
    assert_eq!(two.nodes[0].disk[&Section::Vpn], "gw-a vpn");
}

#[test]
fn a_node_of_another_pair_takes_nothing() {
    let mut two = Two::new(true);
    two.put(1, Input::Lineage(Some(Lineage(2))));
    two.join();
    two.pass(DEBOUNCE);
    assert_eq!(two.nodes[1].disk[&Section::Vpn], "gw-b vpn");
    let failed = two.nodes[0].state.sections[&Section::Vpn].failed.clone();
    assert!(failed.is_some_and(|failed| failed.why.contains("another pair")));
}

#[test]
fn an_active_node_is_replaced_only_by_order() {
    let mut two = Two::joined(true);
    two.put(1, Input::Active(Some(true)));
    two.change(0, Section::Mail, "new");
    two.pass(DEBOUNCE);
    assert_eq!(two.nodes[1].disk[&Section::Mail], "gw-a mail");
    two.force(0, Direction::Push).expect("forced");
    assert_eq!(two.nodes[1].disk[&Section::Mail], "new");
}

#[test]
fn what_changes_while_the_peer_is_away_goes_when_it_is_back() {
    let mut two = Two::joined(true);
    two.part();
    assert_eq!(two.standings(0), [Standing::Unknown]);
    two.change(0, Section::Users, "new user");
    two.pass(Duration::from_secs(1000));
    let order = two.force(0, Direction::Push);
    assert!(order.is_err_and(|why| why.contains("cannot be reached")));
    two.join();
    two.pass(DEBOUNCE);
    assert_eq!(two.nodes[1].disk[&Section::Users], "new user");
}

#[test]
fn after_a_restart_it_is_still_known_who_changed_what() {
    let mut two = Two::joined(true);
    two.part();
    two.nodes[0].disk.insert(Section::Users, "changed while the agent was down".to_owned());
    two.restart(0);
    two.join();
    two.pass(DEBOUNCE);
    assert_eq!(two.standings(1), [Standing::InSync]);
}

#[test]
fn only_one_job_runs_and_an_order_is_told_so() {
    let mut two = Two::joined(true);
    two.change(0, Section::Users, "new");
    two.now += DEBOUNCE;
    two.put(0, Input::Tick);
    let order = Order { direction: Direction::Push, sections: Vec::new(), who: "x".to_owned() };
    let refused = two.try_put(0, Input::Force(order));
    assert!(refused.is_err_and(|why| why.contains("automatic runs")));
    two.run();
    assert!(two.nodes[0].state.job.is_none() && two.nodes[1].state.job.is_none());
}

#[test]
fn a_job_of_which_nothing_is_heard_is_given_up() {
    let mut two = Two::joined(true);
    two.change(0, Section::Users, "new");
    two.now += DEBOUNCE;
    two.put(0, Input::Tick);
    two.line.clear();
    two.pass(SILENCE - Duration::from_secs(1));
    assert!(two.nodes[0].state.job.is_some());
    two.pass(Duration::from_secs(1));
    assert!(two.nodes[0].state.job.is_none());
}

#[test]
fn both_nodes_know_of_a_forced_job_while_it_runs() {
    let mut two = Two::joined(false);
    let order = Order { direction: Direction::Push, sections: Vec::new(), who: "admin".to_owned() };
    two.put(0, Input::Force(order));
    let (_, take) = two.line.pop_front().expect("the request is on its way");
    two.put(1, Input::Heard(take));
    assert_eq!(two.nodes[0].state.forced().map(|it| it.who.as_str()), Some("admin"));
    assert_eq!(two.nodes[1].state.forced().map(|it| it.who.as_str()), Some("admin"));
    two.run();
    assert!(two.nodes[0].state.forced().is_none() && two.nodes[1].state.forced().is_none());
}
