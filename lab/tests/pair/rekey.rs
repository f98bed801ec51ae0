//! Another key of the heartbeats: not while the other node would be lost by it, and at once
//! when that one is dead and was replaced.

use twinwall_core::api::{Answer, Request};
use twinwall_core::beat::RoleWord;
use twinwall_lab::clock::now;

use crate::support::{Files, Pair, in_lab};

fn another(files: &mut Files) {
    files.key = files.key.replace("6c61", "6c62");
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
                assert!(message.contains("while the other node is heard"), "{message}");
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
