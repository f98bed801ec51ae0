//! Other keys of the heartbeats: in steps while both nodes live, not where the other one would
//! be lost by it, and at once when that one is dead and was replaced.

use twinwall_core::api::{Answer, Request};
use twinwall_core::beat::RoleWord;
use twinwall_lab::clock::now;

use crate::support::{Files, Pair, in_lab};

/// The new key.
fn new(old: &str) -> String {
    old.replace("6c61", "6c62")
}

/// Both nodes, the given one first, hold these keys from now on.
fn step(pair: &mut Pair, first: usize, keys: &str) {
    for node in [first, 1 - first] {
        pair.rewrite(node, |files| keys.clone_into(&mut files.key));
        // The guards say in their beats what they take; the next beat may still be to come.
        pair.until("the keys are taken", || match pair.ask(node, &Request::Reload {}) {
            Answer::Done => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
}

#[test]
fn keys_are_changed_in_steps_while_both_go_on_and_a_guard_dies_in_between() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let before = now();
        let mut old = String::new();
        pair.rewrite(active, |files| old.clone_from(&files.key));
        let new = new(&old);
        // One node ahead of the other by two steps is refused, and nothing happens.
        for (keys, done) in [(format!("{old}{new}"), true), (format!("{new}{old}"), false)] {
            pair.rewrite(active, |files| files.key = keys);
            assert_eq!(pair.ask(active, &Request::Reload {}) == Answer::Done, done);
        }
        step(&mut pair, active, &format!("{old}{new}"));
        step(&mut pair, 1 - active, &format!("{new}{old}"));
        assert_eq!(pair.settle(), active);
        assert_eq!(pair.role_changes(before), 0, "{}", pair.story());

        // A new run of the passive's guard knows the steps from its file alone.
        pair.kill(1 - active);
        pair.lab.gateways[1 - active].start().unwrap();
        assert_eq!(pair.settle(), active);
        let met = now();
        step(&mut pair, active, &new);
        assert_eq!(pair.settle(), active);
        assert_eq!(pair.role_changes(met), 0, "{}", pair.story());

        // The old key is worth nothing any more.
        pair.kill(1 - active);
        pair.rewrite(1 - active, |files| files.key.clone_from(&old));
        pair.lab.gateways[1 - active].start().unwrap();
        let strange = |name: &str| name == "not_authentic";
        pair.await_status(active, "a stranger calls", |status| {
            let refused = status.guard.refused_frames.iter();
            !status.snapshot.peer.is_heard() && refused.map(|it| it.name.as_str()).any(strange)
        });
        assert!(!pair.status(1 - active).snapshot.peer.is_heard());
    });
}

fn another(files: &mut Files) {
    files.key = new(&files.key);
}

#[test]
fn a_new_key_is_taken_while_the_peer_is_dead_and_the_old_one_is_worth_nothing_then() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let before = now();
        pair.rewrite(active, another);
        match pair.ask(active, &Request::Reload {}) {
            Answer::Error { message } => {
                assert!(message.contains("does not take the new key yet"), "{message}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(pair.settle(), active, "the pair goes on under the old key");

        pair.kill(1 - active);
        pair.await_status(active, "the peer is missed", |status| !status.snapshot.peer.is_heard());
        assert_eq!(pair.ask(active, &Request::Reload {}), Answer::Done);
        assert_eq!(pair.role_changes(before), 0, "{}", pair.story());
        pair.await_vips_on(active);

        // The new unit has the new key, and is heard at once.
        pair.rewrite(1 - active, another);
        pair.lab.gateways[1 - active].start().unwrap();
        assert_eq!(pair.settle(), active);
        pair.await_role(active, RoleWord::Active);
    });
}
