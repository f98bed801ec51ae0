//! A node that joined the history of the other, and has not taken all of it yet.

use super::*;

#[test]
fn a_node_that_joined_gives_nothing_that_it_did_not_take_whatever_its_role() {
    let mut two = Two::new(true);
    two.broken = vec![Section::Firewall];
    two.join();
    two.pass(DEBOUNCE);
    assert_eq!(two.nodes[1].disk[&Section::Firewall], "gw-b firewall", "its apply failed");
    two.put(0, Input::Active(Some(false)));
    two.put(1, Input::Active(Some(true)));
    two.restart_as(1, true);
    two.join();
    two.pass(RETRY);
    assert_eq!(two.nodes[0].disk[&Section::Firewall], "gw-a firewall", "the founder's stays");
    for refused in [two.force(1, Direction::Push), two.force(0, Direction::Pull)] {
        let why = refused.expect_err("the joiner's own of before is no source");
        assert!(why.contains("has not taken section firewall yet"), "{why}");
    }
    two.broken.clear();
    two.pass(RETRY);
    assert_eq!(two.nodes[1].disk[&Section::Firewall], "gw-a firewall", "taken at the next try");
    two.change(1, Section::Firewall, "newer");
    two.pass(DEBOUNCE);
    assert_eq!(two.nodes[0].disk[&Section::Firewall], "newer", "now it gives as any active");
}

#[test]
fn a_blank_node_that_has_everything_already_belongs_to_the_history_at_once() {
    let mut two = Two::new(true);
    let other = two.nodes[0].disk.clone();
    two.nodes[1].disk = other;
    two.nodes[1].disk.insert(Section::Vpn, "its own".to_owned());
    two.read_all(1);
    two.put(1, Input::Active(Some(false)));
    two.put(0, Input::Active(Some(false)));
    two.join();
    assert_eq!(two.nodes[1].remembered.lineage, None, "one section is not the same");
    two.change(1, Section::Vpn, "gw-a vpn");
    two.run();
    assert_eq!(two.nodes[1].remembered.lineage, Some(Lineage(1)));
    assert!(two.nodes[1].remembered.missing.is_empty());
    assert_eq!(two.asked(), 0, "nothing had to be taken");
}

#[test]
fn a_history_begins_once() {
    let mut two = Two::new(false);
    two.put(0, Input::Begin(Lineage(9)));
    two.put(1, Input::Begin(Lineage(9)));
    let lineages = [0, 1].map(|at: usize| two.nodes[at].state.marks().lineage);
    assert_eq!(lineages, [Some(Lineage(1)), Some(Lineage(9))]);
    assert_eq!(two.nodes[1].remembered.lineage, Some(Lineage(9)), "durably");
}

#[test]
fn a_node_on_which_high_availability_is_off_is_asked_when_it_is_turned_on() {
    let mut two = Two::new(true);
    let rules = two.nodes[1].state.rules.expect("settings");
    two.put(1, Input::Rules(Rules { enabled: false, ..rules }));
    two.join();
    two.pass(DEBOUNCE);
    assert_eq!(two.asked(), 0, "it would refuse");
    let why = two.force(0, Direction::Push).expect_err("it would refuse");
    assert!(why.contains("off on the other node"), "{why}");
    assert!(two.nodes[0].state.sections.values().all(|one| one.failed.is_none()));
    two.put(1, Input::Rules(rules));
    two.run();
    assert_eq!(two.nodes[1].disk[&Section::Firewall], "gw-a firewall", "and not minutes later");
}
