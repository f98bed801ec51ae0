//! Orders, and the life of the lease.

use std::thread::sleep;

use twinwall_guard::gate::GateSwitch;

use crate::net::{Space, gate, ms, open, spec};

#[test]
fn a_lease_opens_when_armed_and_runs_out_by_itself() {
    let _space = Space::enter_new();
    let (mut table, mut switch) = gate(&spec(ms(90)));
    assert!(switch.present() && !switch.answers());
    open(&mut switch, ms(90));
    let audit = table.audit(&spec(ms(90))).unwrap();
    assert!(audit.protected && audit.answer_left.unwrap() <= ms(90), "{audit:?}");
    assert!(audit.forward_left.unwrap() <= ms(90), "{audit:?}");
    assert_eq!(audit.wrong, Vec::<String>::new());
    sleep(ms(91));
    assert!(!switch.answers());
    assert_eq!(table.audit(&spec(ms(90))).unwrap().answer_left, None);
}

#[test]
fn a_renewed_lease_lives_on_and_one_that_ran_out_is_not_renewed() {
    let _space = Space::enter_new();
    let (_table, mut switch) = gate(&spec(ms(60)));
    open(&mut switch, ms(60));
    for _ in 0..20 {
        sleep(ms(10));
        assert!(switch.renew(|| ms(60)));
    }
    sleep(ms(61));
    assert!(!switch.renew(|| ms(60)), "it ran out");
    assert!(!switch.answers());
}

/// The kernel keeps what expired for up to a second, and refuses to keep much of it under one key.
#[test]
fn quick_beats_do_not_wear_the_table_out() {
    let _space = Space::enter_new();
    let (_table, mut switch) = gate(&spec(ms(290)));
    open(&mut switch, ms(290));
    for beat in 0..300 {
        assert!(switch.arm(), "{beat}");
        assert!(switch.renew(|| ms(290)), "{beat}");
        sleep(ms(9));
    }
    for beat in 0..20_000 {
        assert!(switch.renew(|| ms(290)), "{beat}");
    }
}

#[test]
fn ten_openings_in_a_row_work() {
    let _space = Space::enter_new();
    let (_table, mut switch) = gate(&spec(ms(290)));
    for _ in 0..10 {
        open(&mut switch, ms(290));
        assert!(switch.close() && !switch.answers());
    }
}

#[test]
fn a_renewal_never_shortens_the_lease() {
    let _space = Space::enter_new();
    let (_table, mut switch) = gate(&spec(ms(200)));
    open(&mut switch, ms(200));
    for left in [100, 50, 9, 1, 0] {
        assert!(switch.renew(|| ms(left)), "{left}: the lease lives");
    }
    sleep(ms(120));
    assert!(switch.answers(), "it was opened for 200 ms");
    sleep(ms(81));
    assert!(!switch.renew(|| ms(1)) && !switch.answers());
}

#[test]
fn a_closed_gate_is_not_renewed() {
    let _space = Space::enter_new();
    let (_table, mut switch) = gate(&spec(ms(500)));
    open(&mut switch, ms(500));
    assert!(switch.close());
    assert!(!switch.answers() && !switch.renew(|| ms(500)) && !switch.answers());
    open(&mut switch, ms(500));
    assert!(switch.close_answer());
    assert!(!switch.open_gate(ms(500)), "closing took the arming away");
    assert!(!switch.answers() && !switch.renew(|| ms(500)) && !switch.answers());
}

#[test]
fn an_opening_is_refused_without_arming_and_after_a_freeze() {
    let _space = Space::enter_new();
    let (_table, mut switch) = gate(&spec(ms(500)));
    assert!(!switch.open_gate(ms(500)), "not armed");
    assert!(switch.arm());
    sleep(ms(9));
    assert!(!switch.open_gate(ms(500)), "kept from running for 9 ms");
    assert!(!switch.answers());
    open(&mut switch, ms(500));
}

#[test]
fn a_node_that_freezes_after_looking_at_its_clock_renews_nothing() {
    let _space = Space::enter_new();
    let (_table, mut switch) = gate(&spec(ms(500)));
    open(&mut switch, ms(150));
    switch.renew(|| {
        sleep(ms(20));
        ms(500)
    });
    sleep(ms(100));
    assert!(!switch.answers(), "the old end stands");
}

#[test]
fn releasing_keeps_forwarding_for_300_ms() {
    let _space = Space::enter_new();
    let spec = spec(ms(60));
    let (mut table, mut switch) = gate(&spec);
    open(&mut switch, ms(60));
    assert!(switch.close_answer());
    let audit = table.audit(&spec).unwrap();
    assert_eq!(audit.answer_left, None);
    assert!((ms(250)..=ms(300)).contains(&audit.forward_left.unwrap()), "{audit:?}");
    sleep(ms(301));
    assert_eq!(table.audit(&spec).unwrap().forward_left, None);
    assert!(!switch.close_answer(), "nothing is open that could forward on");
    assert!(switch.close(), "closing what is closed is fine");
}

#[test]
fn without_a_table_every_order_says_no() {
    let _space = Space::enter_new();
    let mut switch = GateSwitch::open(ms(90)).unwrap();
    assert!(
        !switch.present() && !switch.arm() && !switch.open_gate(ms(90)) && !switch.renew(|| ms(90))
    );
    assert!(!switch.answers() && !switch.close_answer() && !switch.close());
}

#[test]
fn a_lease_under_two_ticks_is_not_given() {
    let _space = Space::enter_new();
    let (_table, mut switch) = gate(&spec(ms(90)));
    assert!(switch.arm() && !switch.open_gate(ms(7)) && !switch.answers());
}
