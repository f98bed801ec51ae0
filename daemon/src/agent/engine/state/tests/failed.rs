//! A section that failed: when it is tried again.

use super::*;

#[test]
fn what_failed_is_left_alone_until_it_changes_or_time_passes() {
    let mut two = Two::joined(true);
    two.broken = vec![Section::Ips];
    two.change(0, Section::Ips, "wrong");
    two.change(0, Section::Mail, "right");
    two.pass(DEBOUNCE);
    assert_eq!(two.nodes[1].disk[&Section::Mail], "right", "one section never holds up another");
    let why = |two: &Two, at: usize| two.nodes[at].state.sections[&Section::Ips].failed.clone();
    assert!(why(&two, 0).is_some() && why(&two, 1).is_some(), "both nodes know");
    let asked = two.asked();
    two.pass(RETRY / 2);
    assert_eq!(two.asked(), asked);
    two.pass(RETRY / 2);
    assert_eq!(two.asked(), asked + 1, "tried again");
    two.broken.clear();
    two.change(0, Section::Ips, "mended");
    two.pass(DEBOUNCE);
    assert_eq!(two.standings(0), [Standing::InSync]);
    assert!(why(&two, 0).is_none() && why(&two, 1).is_none());
}

#[test]
fn what_failed_is_tried_again_when_contents_have_a_new_line() {
    let mut two = Two::joined(true);
    two.broken = vec![Section::Ips];
    two.change(0, Section::Ips, "wrong");
    two.pass(DEBOUNCE);
    let asked = two.asked();
    two.pass(Duration::from_secs(20));
    assert_eq!(two.asked(), asked, "it rests");
    two.put(0, Input::Line);
    two.run();
    assert_eq!(two.asked(), asked + 1, "whatever it failed of");
    two.pass(RETRY / 2);
    assert_eq!(two.asked(), asked + 1, "once for each line");
    two.broken.clear();
    two.put(0, Input::Line);
    two.run();
    assert_eq!(two.standings(0), [Standing::InSync]);
}
