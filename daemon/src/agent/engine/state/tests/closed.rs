//! What is left of a job when it has ended, and a job that an operator ends early.

use super::*;
use crate::agent::engine::standing::Changed;

#[test]
fn both_nodes_say_what_came_of_each_section() {
    let mut two = Two::joined(false);
    two.broken = vec![Section::Vpn];
    two.force(0, Direction::Push).expect("the order is taken");
    for (at, taking_here) in [(0, false), (1, true)] {
        two.nodes[at].state.note_end(7);
        two.nodes[at].state.note_end(8);
        let last = two.nodes[at].state.overview().last.expect("one has ended");
        assert_eq!(
            (last.taking_here, last.forced, last.who.as_str()),
            (taking_here, true, "admin")
        );
        assert_eq!(last.ended_ms, 7, "its own moment stays");
        let failed: Vec<Section> =
            last.sections.iter().filter(|it| it.failed.is_some()).map(|it| it.section).collect();
        assert_eq!((failed, last.sections.len()), (vec![Section::Vpn], Section::ALL.len()));
    }
}

#[test]
fn an_operator_ends_a_job_on_whichever_node_it_runs() {
    let mut two = Two::joined(false);
    let refused = two.try_put(0, Input::Cancel("anna".to_owned())).expect_err("nothing runs");
    assert!(refused.contains("nothing to cancel"), "{refused}");
    let order = Order { direction: Direction::Push, sections: Vec::new(), who: "admin".to_owned() };
    two.put(0, Input::Force(order));
    let now = two.now;
    two.deliver();
    let said = two.nodes[0].state.handle(now, Input::Cancel("anna".to_owned())).expect("taken");
    let [Output::Say(message)] = said.as_slice() else { panic!("{said:?}") };
    let done = two.nodes[1].state.handle(now, Input::Heard(message.clone())).expect("heard");
    let number = two.nodes[1].started[0].job;
    assert_eq!(done, [Output::Cancel { job: number, who: "anna".to_owned() }]);
    let other = Message::Cancel { job: number + 1, who: "anna".to_owned() };
    let none = two.nodes[1].state.handle(now, Input::Heard(other)).expect("heard");
    assert_eq!(none, [], "of a job that is none any more");
}

#[test]
fn of_a_job_whose_node_was_lost_nothing_is_claimed() {
    let mut two = Two::joined(false);
    let order = Order { direction: Direction::Push, sections: Vec::new(), who: "admin".to_owned() };
    two.put(0, Input::Force(order));
    two.part();
    let last = two.nodes[0].state.overview().last.expect("it has ended here");
    let unknown = |it: &crate::agent::engine::overview::SectionResult| {
        it.failed.as_ref().is_some_and(|why| why.starts_with("not known"))
    };
    assert!(last.sections.iter().all(unknown), "{last:?}");
}

#[test]
fn what_changes_while_it_is_on_its_way_goes_afterwards() {
    let mut two = Two::joined(true);
    two.change(0, Section::Users, "anna");
    two.now += DEBOUNCE;
    two.put(0, Input::Tick);
    two.deliver();
    let take = two.nodes[1].started.remove(0);
    assert_eq!(take.sections, [(Section::Users, digest("anna"))].into());
    // Another account is made before the first one has arrived.
    two.change(0, Section::Users, "anna, ben");
    two.deliver();
    two.nodes[1].disk.insert(Section::Users, "anna".to_owned());
    two.put(1, Input::Stepped(Section::Users, Phase::Done));
    two.read(1, Section::Users);
    two.put(1, Input::Ended);
    two.run();
    let standing = |two: &Two, at: usize| two.nodes[at].state.standing(Section::Users);
    assert_eq!(standing(&two, 0), Standing::Differs(Changed::Here), "nobody changed it there");
    assert_eq!(standing(&two, 1), Standing::Differs(Changed::There));
    two.pass(DEBOUNCE);
    assert_eq!(two.nodes[1].disk[&Section::Users], "anna, ben");
    let common = [0, 1].map(|at: usize| two.nodes[at].remembered.common[&Section::Users]);
    assert_eq!(common, [digest("anna, ben"); 2], "durably");
}
