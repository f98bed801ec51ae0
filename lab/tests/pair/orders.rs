//! What the operator orders, and what is refused.

use std::time::Duration;

use twinwall_core::api::Answer;
use twinwall_core::beat::RoleWord;
use twinwall_core::event::{Order, Refusal};
use twinwall_lab::clock::now;

use crate::support::{BOUND, Pair, Watch, in_lab};

fn refused(why: Refusal) -> Answer {
    Answer::Refused { why }
}

#[test]
fn a_switchover_moves_the_role_once_and_is_for_the_active_only() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        let watch = Watch::begin(&pair);
        let ordered = now();
        assert_eq!(pair.order(1 - active, Order::Switchover), refused(Refusal::NotActive));
        assert_eq!(pair.role_changes(ordered), 0);
        assert_eq!(pair.order(active, Order::Switchover), Answer::Done);
        pair.await_role(1 - active, RoleWord::Active);
        assert_eq!(pair.settle(), 1 - active);
        pair.await_vips_on(1 - active);
        pair.await_traffic();
        assert_eq!(pair.role_changes(ordered), 2, "one ceased, one became: {}", pair.story());
        pair.await_event(active, ordered, "switchover was ordered");
        watch.end(&pair);
    });
}

#[test]
fn orders_that_would_leave_nobody_to_serve_are_refused() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let maintenance = Order::MaintenanceOn { lasts: BOUND };
        pair.kill(1 - active);
        pair.await_status(active, "the peer silent", |status| {
            status.snapshot.peer.state == "silent"
        });
        assert_eq!(pair.order(active, Order::Switchover), refused(Refusal::PeerSilent));
        assert_eq!(pair.order(active, maintenance), refused(Refusal::NobodyElse));
        assert_eq!(pair.role(active), Some(RoleWord::Active));
        assert_eq!(pair.status(active).snapshot.own.maintenance, None);
    });
}

#[test]
fn maintenance_of_the_active_moves_the_role_and_ends_by_order() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        pair.await_traffic();
        let watch = Watch::begin(&pair);
        let lasts = Duration::from_secs(600);
        assert_eq!(pair.order(active, Order::MaintenanceOn { lasts }), Answer::Done);
        pair.await_role(1 - active, RoleWord::Active);
        pair.await_status(active, "maintenance", |status| status.snapshot.status == "maintenance");
        pair.await_traffic();
        // There is nobody to hand over to.
        pair.await_status(1 - active, "the peer in maintenance", |status| {
            status.snapshot.peer.fitness.is_some_and(|fitness| fitness.maintenance)
        });
        assert_eq!(pair.order(1 - active, Order::Switchover), refused(Refusal::PeerNotFit));
        assert_eq!(
            pair.order(1 - active, Order::MaintenanceOn { lasts }),
            refused(Refusal::NobodyElse)
        );
        assert_eq!(pair.order(active, Order::MaintenanceOff), Answer::Done);
        assert_eq!(pair.settle(), 1 - active);
        watch.end(&pair);
    });
}

#[test]
fn maintenance_ends_by_itself() {
    in_lab(|| {
        let mut pair = Pair::boot();
        let active = pair.settle();
        let ordered = now();
        let lasts = Duration::from_secs(2);
        assert_eq!(pair.order(1 - active, Order::MaintenanceOn { lasts }), Answer::Done);
        assert_eq!(pair.status(1 - active).snapshot.status, "maintenance");
        let ended = pair.await_event(1 - active, ordered, "maintenance ended").at;
        assert!(ended.since(ordered) >= lasts, "{}", pair.story());
        assert_eq!(pair.settle(), active);
        assert_eq!(pair.role_changes(ordered), 0);
    });
}
