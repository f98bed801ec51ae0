//! Checks that must have said yes.

use std::time::Duration;

use twinwall_core::api::Answer;
use twinwall_core::beat::RoleWord;
use twinwall_core::event::{Order, Refusal};
use twinwall_core::time::Moment;

use crate::support::{Pair, in_lab, let_pass};

const LONG: Duration = Duration::from_secs(600);

#[test]
fn a_node_serves_only_after_its_required_check_said_yes() {
    in_lab(|| {
        let mut pair = Pair::boot_with(|_, files| {
            files.pair += "\n[readiness]\nrequire = [\"dns\"]\n\n[boot]\nhold = 1\n";
        });
        for node in 0..2 {
            // Not by the first look: the links may not be read yet.
            pair.await_status(node, "a fault for the missing check alone", |status| {
                let unfit = &status.snapshot.own.unfit;
                status.snapshot.status == "fault"
                    && *unfit == ["required check dns has not said yes yet"]
            });
        }
        let_pass(Duration::from_secs(2));
        assert_eq!(pair.role_changes(Moment::ZERO), 0, "{}", pair.story());
        pair.fact(1, "dns", true, LONG);
        pair.await_role(1, RoleWord::Active);
        assert_eq!(pair.order(1, Order::Switchover), Answer::Refused { why: Refusal::PeerNotFit });
        pair.fact(0, "dns", true, LONG);
        assert_eq!(pair.settle(), 1);
        // A verdict against the active moves the role.
        pair.fact(1, "dns", false, LONG);
        pair.await_role(0, RoleWord::Active);
        let unfit = pair.status(1).snapshot.own.unfit;
        assert_eq!(unfit, ["check dns: it is broken"]);
        pair.await_traffic();
    });
}

#[test]
fn a_yes_that_ran_out_makes_a_waiting_node_unfit_and_leaves_the_active_alone() {
    in_lab(|| {
        let mut pair = Pair::boot_with(|_, files| {
            files.pair += "\n[readiness]\nrequire = [\"dns\"]\n";
        });
        let short = Duration::from_secs(2);
        pair.fact(0, "dns", true, LONG);
        pair.await_role(0, RoleWord::Active);
        pair.fact(1, "dns", true, short);
        let checks = pair.status(1).snapshot.own.checks;
        assert!(checks[0].good && checks[0].left <= short, "{checks:?}");
        assert_eq!(pair.settle(), 0);
        pair.await_status(1, "a fault after the yes ran out", |status| {
            status.snapshot.status == "fault" && status.snapshot.own.unfit[0].contains("dns")
        });
        let before = twinwall_lab::clock::now();
        pair.fact(0, "dns", true, Duration::from_millis(200));
        let_pass(Duration::from_secs(1));
        assert_eq!(pair.role(0), Some(RoleWord::Active));
        assert_eq!(pair.role_changes(before), 0);
    });
}
