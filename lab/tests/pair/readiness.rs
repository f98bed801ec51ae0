//! Checks that must have said yes.

use std::time::Duration;

use twinwall_core::api::Answer;
use twinwall_core::beat::RoleWord;
use twinwall_core::event::{Order, Refusal};
use twinwall_core::explain::alarms;
use twinwall_core::time::Moment;
use twinwall_lab::plan;

use crate::support::{DETECTION, Pair, in_lab, let_pass, own_lan};

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

/// A node that has just booted asks for no IPv6 neighbour: its own link-local
/// addresses are still being checked for duplicates.
#[test]
fn no_planned_move_goes_to_a_node_before_its_own_addresses_can_be_used() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let passive = 1 - active;
        pair.await_traffic();
        pair.kill(passive);
        pair.run(passive, "ip", "link set lan0 down");
        pair.run(passive, "ip", "link set wan0 down");
        pair.lab.gateways[passive].boot().unwrap();
        // As soon as it could be told to take over, it could not forward IPv6 yet.
        pair.await_role(passive, RoleWord::Passive);
        let own = pair.status(passive).snapshot.own;
        assert!(own.unfit.is_empty() && own.fitness.unready, "{own:?}");
        assert!(own.waits_for.iter().any(|why| why.contains("checked for duplicates")), "{own:?}");
        assert!(pair.run(passive, "ip", "-6 addr show dev lan0").contains("tentative"));
        pair.await_status(active, "a peer that is not ready yet", |status| {
            status.snapshot.peer.fitness.is_some_and(|fitness| fitness.unready)
        });
        let not_ready = Answer::Refused { why: Refusal::PeerNotReady };
        assert_eq!(pair.order(active, Order::Switchover), not_ready);
        assert_eq!(pair.order(active, Order::MaintenanceOn { lasts: LONG }), not_ready);
        // Without anybody's help it becomes ready, and then the move loses nothing.
        assert_eq!(pair.settle(), active);
        assert!(!pair.run(passive, "ip", "-6 addr show dev lan0").contains("tentative"));
        assert_eq!(pair.order(active, Order::Switchover), Answer::Done);
        pair.await_role(passive, RoleWord::Active);
        assert!(pair.client_pings(plan::SERVER_IP6), "{}", pair.story());
    });
}

#[test]
fn a_node_that_is_not_ready_for_a_planned_move_takes_over_in_need() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let passive = 1 - active;
        let [own, _] = own_lan(passive);
        pair.run(passive, "ip", &format!("addr del {own}/24 dev lan0"));
        let missing = format!("own address {own} is not on lan0");
        let status = pair.await_status(passive, "a missing own address", |status| {
            status.snapshot.own.waits_for == [missing.clone()]
        });
        let alarm = format!("Own address {own} is not on lan0.");
        assert!(alarms(&status).contains(&alarm), "{:?}", alarms(&status));
        assert_eq!(status.snapshot.status, "passive");
        let died = twinwall_lab::clock::now();
        pair.kill(active);
        pair.await_role(passive, RoleWord::Active);
        let took = pair.await_event(passive, died, "claiming -> active").at.since(died);
        assert!(took < DETECTION + Duration::from_millis(150), "{took:?}\n{}", pair.story());
    });
}
