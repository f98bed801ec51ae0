//! The port of an open invitation.

use twinwall::agent::pairing::PORT;

use super::stranger::{Silent, call, during, noise, say};
use super::{A, Before, address};
use crate::pairing::{fresh, in_talks, invite};
use crate::support::{Two, wait, within};
use std::io::Write;
use std::time::Duration;

/// More than any limit of the invitation.
const CROWD: usize = 100;
/// Enough for an answer, if there is to be one.
const PATIENCE: Duration = Duration::from_millis(500);
const INVITE: [&str; 4] = ["pair", "invite", "--interface", "ha0"];

fn inviting() -> (Two, String, crate::support::Begun) {
    let two = fresh();
    address(&two);
    let (code, inviting) = invite(&two.a, &INVITE);
    (two, code, inviting)
}

#[test]
fn callers_who_say_nothing_do_not_keep_the_joiner_out() {
    let (two, code, inviting) = inviting();
    let before = Before::of(&two.a);
    let mut crowd = Silent::at(A, PORT, CROWD);
    during(
        two.b.namespace(),
        || crowd.hold(),
        || {
            wait("the crowd is there", || before.sockets() > 8);
            before.is_well(&two.a);
            two.b.good(&["pair", "join", &code]);
        },
    );
    assert!(inviting.ended_well(), "{}", two.a.text("invite.log"));
    in_talks(&two);
}

#[test]
fn garbage_oversized_and_half_messages_end_nothing_but_themselves() {
    let (two, code, inviting) = inviting();
    let before = Before::of(&two.a);
    let message = |length: u32, body: &[u8]| [&length.to_be_bytes()[..], body].concat();
    let long = br#"{"message":"hello"}"#;
    let messages = [
        noise(1 << 20),
        message(u32::MAX, &[]),
        message(2049, &noise(2049)),
        message(2048, &noise(2048)),
        message(2048, b"{"),
        message(0, &[]),
        message(u32::try_from(long.len()).expect("short"), long),
        message(31, br#"{"message":"proof","proof":"0"}"#),
        vec![0, 0],
        Vec::new(),
    ];
    within(two.b.namespace(), || {
        for message in &messages {
            let heard = say(A, PORT, message, PATIENCE);
            assert!(heard.len() < 256, "a stranger got {} bytes", heard.len());
        }
    });
    before.is_well(&two.a);
    two.b.good(&["pair", "join", &code]);
    assert!(inviting.ended_well(), "{}", two.a.text("invite.log"));
    in_talks(&two);
}

#[test]
fn in_a_flood_of_callers_the_joiner_gets_in_and_the_operator_reads_of_the_pair() {
    let (two, code, inviting) = inviting();
    let before = Before::of(&two.a);
    let flood = || {
        for _ in 0..50 {
            if let Some(mut stream) = call(A, PORT) {
                let _ = stream.write_all(&[0, 0, 0, 2, b'{', b'}']);
            }
        }
    };
    during(two.b.namespace(), flood, || {
        wait("the flood is told of", || two.a.text("invite.log").matches("No pair").count() > 9);
        two.b.good(&["pair", "join", &code]);
        before.is_well(&two.a);
    });
    assert!(inviting.ended_well(), "{}", two.a.text("invite.log"));
    let log = two.a.text("invite.log");
    assert!(log.contains("has the right code"), "{log}");
    assert!(log.matches("No pair").count() < 50, "strangers do not fill the log: {log}");
    in_talks(&two);
}
