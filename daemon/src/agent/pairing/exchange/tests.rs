//! Two machines talk in memory; between them stands whoever the test wants.

use super::*;
use crate::agent::identity::Identity;
use crate::agent::pairing::code::Code;
use crate::agent::pairing::invitation::{ATTEMPTS, Invitation, LIFE};
use crate::agent::pairing::message::decode_clear;
use std::time::Duration;
use twinwall_core::time::Moment;

const NOW: Moment = Moment::from_millis(1_000);
const CODE: &str = "ABCD-2345";
const SETTINGS: &str = "pair_id = 7\n";

fn introduction(node: &str) -> Introduction {
    let identity = Identity::generate().expect("an identity");
    Introduction::new(node.to_owned(), "ha0".to_owned(), identity.certificate().clone())
}

fn inviter() -> Inviter {
    let terms = Terms { own: Designation::Primary, settings: SETTINGS.to_owned() };
    Inviter::new(introduction("gw-a"), terms)
}

fn code(text: &str) -> Code {
    text.parse().expect("a code")
}

fn invitation() -> Invitation {
    Invitation::new(code(CODE), NOW)
}

/// What became of both ends.
#[derive(Debug)]
struct End {
    inviter: Result<Agreed, Stop>,
    joiner: Result<Agreed, Stop>,
}

/// Carries messages to and fro until nothing is said any more. `on_the_way` gets each with
/// its number (the joiner's first is 0) and may change it.
fn talk(
    invitation: &mut Invitation,
    mut inviter: Inviter,
    (mut joiner, first): (Joiner, Vec<u8>),
    mut on_the_way: impl FnMut(usize, &mut Vec<u8>),
) -> End {
    let mut end = End { inviter: Err(Stop::Silent), joiner: Err(Stop::Silent) };
    let mut under_way = Some(first);
    for number in 0.. {
        let Some(mut message) = under_way.take() else { break };
        on_the_way(number, &mut message);
        let (outcome, result) = if number % 2 == 0 {
            let outcome = inviter.receive(NOW, invitation, &message);
            (kept(outcome, &mut end.inviter, |it| inviter.kept(it)), &mut end.inviter)
        } else {
            let outcome = joiner.receive(&message);
            (kept(outcome, &mut end.joiner, |it| joiner.kept(it)), &mut end.joiner)
        };
        match outcome {
            Ok(outputs) => {
                under_way = outputs.into_iter().find_map(|output| match output {
                    Output::Send(bytes) => Some(bytes),
                    Output::Tell(_) | Output::Keep(_) | Output::Paired => None,
                });
            }
            Err(ended) => {
                *result = Err(ended.stop);
                under_way = ended.say;
            }
        }
    }
    end
}

/// Does what the driver does: writes what is agreed on, and says so.
fn kept(
    outcome: Outcome,
    result: &mut Result<Agreed, Stop>,
    written: impl FnOnce(Result<(), String>) -> Outcome,
) -> Outcome {
    let outputs = outcome?;
    let agreed = outputs.iter().find_map(|output| match output {
        Output::Keep(agreed) => Some(agreed),
        Output::Send(_) | Output::Tell(_) | Output::Paired => None,
    });
    let Some(agreed) = agreed else { return Ok(outputs) };
    *result = Ok((**agreed).clone());
    written(Ok(()))
}

fn join(text: &str) -> (Joiner, Vec<u8>) {
    Joiner::new(introduction("gw-b"), &code(text))
}

fn untouched(_: usize, _: &mut Vec<u8>) {}

#[test]
fn with_the_right_code_both_have_each_other_and_one_key() {
    let (inviter, joining) = (inviter(), join(CODE));
    let (a, b) = (inviter.own.certificate.clone(), joining.0.own.certificate.clone());
    let end = talk(&mut invitation(), inviter, joining, untouched);
    let (there, here) = (end.inviter.expect("paired"), end.joiner.expect("paired"));
    assert_eq!((&there.peer, &here.peer), (&b, &a));
    assert_eq!((there.name.as_str(), here.name.as_str()), ("gw-b", "gw-a"));
    assert_eq!(
        (there.designation, here.designation),
        (Designation::Primary, Designation::Secondary)
    );
    assert_eq!((there.key, here.settings.as_str()), (here.key, SETTINGS));
}

#[test]
fn wrong_codes_are_counted_and_the_third_ends_the_invitation() {
    let mut invitation = invitation();
    for left in (0..ATTEMPTS).rev() {
        let end = talk(&mut invitation, inviter(), join("ABCD-2346"), untouched);
        assert_eq!(end.inviter, Err(Stop::Found(Reason::WrongCode { left })));
        assert_eq!(end.joiner, Err(Stop::Refused(Reason::WrongCode { left })));
    }
    let end = talk(&mut invitation, inviter(), join(CODE), untouched);
    assert_eq!(end.joiner, Err(Stop::Refused(Reason::WrongCode { left: 0 })));
}

#[test]
fn the_recorded_words_of_a_pairing_earn_nothing_the_second_time() {
    let mut recorded = Vec::new();
    talk(&mut invitation(), inviter(), join(CODE), |_, message| recorded.push(message.clone()));
    assert_eq!(recorded.len(), 8, "the picture in exchange/mod.rs");
    let mut invitation = invitation();
    let mut again = inviter();
    again.receive(NOW, &mut invitation, &recorded[0]).expect("a hello is a hello");
    let ended = again.receive(NOW, &mut invitation, &recorded[2]).expect_err("another agreement");
    assert_eq!(ended.stop, Stop::Found(Reason::WrongCode { left: 2 }));
    let (mut joiner, _) = join(CODE);
    joiner.receive(&recorded[1]).expect("a hello is a hello");
    let ended = joiner.receive(&recorded[3]).expect_err("another agreement");
    assert_eq!(ended.stop, Stop::NotProved);
}

#[test]
fn a_sealed_message_twice_changed_or_left_out_ends_it() {
    // 4 card, 5 terms, 6 kept, 7 paired.
    for at in 4..8 {
        let end = talk(&mut invitation(), inviter(), join(CODE), |number, message| {
            if number == at {
                message[0] ^= 1;
            }
        });
        let hit = if at % 2 == 0 { end.inviter } else { end.joiner };
        assert_eq!(hit, Err(Stop::Forged), "message {at}");
    }
    let mut last = Vec::new();
    let end = talk(&mut invitation(), inviter(), join(CODE), |number, message| {
        if number == 6 {
            message.clone_from(&last);
        }
        last = if number == 4 { message.clone() } else { std::mem::take(&mut last) };
    });
    assert_eq!(end.inviter, Err(Stop::Forged), "the card a second time");
}

#[test]
fn one_in_the_middle_without_the_code_has_one_guess_at_each_side() {
    let mut invitation = invitation();
    // He plays the inviter to the joiner and the joiner to the inviter, with a guess.
    let mut guessed = Invitation::new(code("ABCD-2346"), NOW);
    let end = talk(&mut guessed, inviter(), join(CODE), untouched);
    assert_eq!(end.joiner, Err(Stop::Refused(Reason::WrongCode { left: 2 })));
    // He does not count but goes on: the joiner asks for a proof that he cannot give.
    let (mut joiner, hello) = join(CODE);
    let mut middle = inviter();
    let answer = middle.receive(NOW, &mut guessed, &hello).expect("he answers");
    let said = answer.into_iter().find_map(sent).expect("a hello");
    joiner.receive(&said).expect("the joiner proves the code");
    let forged = Clear::Proof { proof: "00".repeat(32) }.encode();
    assert_eq!(joiner.receive(&forged).expect_err("he has no proof").stop, Stop::NotProved);
    let end = talk(&mut invitation, inviter(), join("ABCD-2346"), untouched);
    assert_eq!(end.inviter, Err(Stop::Found(Reason::WrongCode { left: 2 })));
}

fn sent(output: Output) -> Option<Vec<u8>> {
    match output {
        Output::Send(bytes) => Some(bytes),
        Output::Tell(_) | Output::Keep(_) | Output::Paired => None,
    }
}

/// Changes what a hello says on its way.
fn edit(message: &mut Vec<u8>, change: impl Fn(&mut Hello)) {
    if let Ok(Clear::Hello(mut hello)) = decode_clear(message) {
        change(&mut hello);
        *message = Clear::Hello(hello).encode();
    }
}

#[test]
fn nobody_can_change_a_version_a_name_or_a_certificate_on_the_way() {
    let changes: [&dyn Fn(&mut Hello); 4] = [
        &|hello| hello.versions = Versions { least: 1, most: 1 },
        &|hello| hello.node = "gw-x".to_owned(),
        &|hello| hello.certificate = crate::agent::digest::Digest::of(b"another"),
        &|hello| hello.release = "0.0.1".to_owned(),
    ];
    for change in changes {
        for direction in [0, 1] {
            // Both speak two versions; talked down they would take the older one.
            let (mut inviter, mut joining) = (inviter(), introduction("gw-b"));
            let both = Versions { least: 1, most: 2 };
            (inviter.own.versions, joining.versions) = (both, both);
            let joining = Joiner::new(joining, &code(CODE));
            let end = talk(&mut invitation(), inviter, joining, |number, message| {
                if number == direction {
                    edit(message, change);
                }
            });
            assert_eq!(end.inviter, Err(Stop::Found(Reason::WrongCode { left: 2 })));
            assert!(end.joiner.is_err());
        }
    }
}

#[test]
fn what_cannot_fit_is_said_before_the_code_is_risked() {
    type Change = fn(&mut Introduction);
    let cases: [(Change, &str); 2] = [
        (|it| it.versions = Versions { least: 2, most: 3 }, "pairs by version 1"),
        (|it| it.interface = "eth3".to_owned(), "wrong port cabled: the other node expects ha0"),
    ];
    for (change, text) in cases {
        let mut invitation = invitation();
        let mut own = introduction("gw-b");
        change(&mut own);
        let end = talk(&mut invitation, inviter(), Joiner::new(own, &code(CODE)), untouched);
        let told = end.joiner.expect_err("refused").to_string();
        assert!(told.contains(text), "{told}");
        assert_eq!(invitation.wrong(), 2, "no attempt was counted");
    }
    let inviter = inviter();
    let clone = inviter.own.clone();
    let end = talk(&mut invitation(), inviter, Joiner::new(clone, &code(CODE)), untouched);
    assert_eq!(end.joiner, Err(Stop::Refused(Reason::Clone {})));
}

#[test]
fn of_two_with_the_right_code_only_the_first_gets_in() {
    let mut invitation = invitation();
    let (mut first, mut second) = (inviter(), inviter());
    let ((mut b, b_hello), (mut c, c_hello)) = (join(CODE), join(CODE));
    let mut proof_of = |conversation: &mut Inviter, joiner: &mut Joiner, hello: &[u8]| {
        let answer = conversation.receive(NOW, &mut invitation, hello).expect("answered");
        let answer = answer.into_iter().find_map(sent).expect("a hello");
        joiner.receive(&answer).expect("proved").into_iter().find_map(sent).expect("a proof")
    };
    let proof_b = proof_of(&mut first, &mut b, &b_hello);
    let proof_c = proof_of(&mut second, &mut c, &c_hello);
    second.receive(NOW, &mut invitation, &proof_c).expect("the first one in time");
    let ended = first.receive(NOW, &mut invitation, &proof_b).expect_err("too late");
    assert_eq!(ended.stop, Stop::Found(Reason::Used {}));
    assert_eq!(
        b.receive(&ended.say.expect("said")).expect_err("over").stop,
        Stop::Refused(Reason::Used {})
    );
}

#[test]
fn an_invitation_that_is_over_answers_nobody() {
    let mut invitation = invitation();
    let (_, hello) = join(CODE);
    let ended = inviter().receive(NOW + LIFE, &mut invitation, &hello).expect_err("over");
    assert_eq!(ended.stop, Stop::Found(Reason::Expired {}));
    // It ends also in the middle of a conversation.
    let (mut conversation, (mut joiner, hello)) = (inviter(), join(CODE));
    let late = NOW + LIFE.saturating_sub(Duration::from_nanos(1));
    let answer = conversation.receive(late, &mut invitation, &hello).expect("just in time");
    let answer = answer.into_iter().find_map(sent).expect("a hello");
    let proof = joiner.receive(&answer).expect("proved").into_iter().find_map(sent).expect("one");
    let ended = conversation.receive(NOW + LIFE, &mut invitation, &proof).expect_err("over");
    assert_eq!(ended.stop, Stop::Found(Reason::Expired {}));
}

#[test]
fn nonsense_oversized_and_out_of_turn_messages_end_it_and_cost_no_attempt() {
    let proof = Clear::Proof { proof: "00".repeat(32) }.encode();
    let (_, hello) = join(CODE);
    let own_side = {
        let mut own = hello.clone();
        edit(&mut own, |hello| hello.side = Side::Inviter);
        own
    };
    let no_point = {
        let mut own = hello.clone();
        edit(&mut own, |hello| hello.pake = "42".repeat(PAKE_BYTES));
        own
    };
    let oversized = vec![b' '; MAX_CLEAR + 1];
    let mut invitation = invitation();
    for wrong in [&proof, &own_side, &no_point, &oversized, &Vec::new(), &b"{}".to_vec()] {
        let ended = inviter().receive(NOW, &mut invitation, wrong).expect_err("refused");
        assert_eq!(ended.stop, Stop::Found(Reason::Malformed {}));
    }
    // A hello twice.
    let mut conversation = inviter();
    conversation.receive(NOW, &mut invitation, &hello).expect("a hello");
    let ended = conversation.receive(NOW, &mut invitation, &hello).expect_err("out of turn");
    assert_eq!(ended.stop, Stop::Found(Reason::Malformed {}));
    // After its end nothing revives it.
    assert!(conversation.receive(NOW, &mut invitation, &hello).is_err());
    assert_eq!(invitation.check(NOW), Ok(()));
    assert_eq!(invitation.wrong(), 2, "no attempt was counted");
    for wrong in [&proof, &hello, &oversized, &Vec::new()] {
        assert_eq!(join(CODE).0.receive(wrong).expect_err("refused").stop, Stop::Malformed);
    }
}

#[test]
fn another_certificate_than_the_one_that_was_named_is_refused() {
    let (mut joiner, hello) = join(CODE);
    let end = {
        let (mut inviter, mut invitation) = (inviter(), invitation());
        let answer = inviter.receive(NOW, &mut invitation, &hello).expect("a hello");
        let answer = answer.into_iter().find_map(sent).expect("a hello");
        let proof = joiner.receive(&answer).expect("proved").into_iter().find_map(sent);
        let outputs = inviter.receive(NOW, &mut invitation, &proof.expect("one")).expect("proved");
        joiner.own = introduction("gw-b");
        let answer = outputs.into_iter().find_map(sent).expect("a proof");
        let card = joiner.receive(&answer).expect("a card").into_iter().find_map(sent);
        inviter.receive(NOW, &mut invitation, &card.expect("one")).expect_err("another one")
    };
    assert_eq!(end.stop, Stop::Malformed);
    let told = joiner.receive(&end.say.expect("said")).expect_err("told");
    assert!(matches!(told.stop, Stop::OtherStopped(_)), "{told:?}");
}

#[test]
fn a_disk_that_does_not_take_it_stops_both() {
    let (mut inviter, mut invitation, (mut joiner, hello)) = (inviter(), invitation(), join(CODE));
    let mut said = hello;
    for _ in 0..2 {
        let outputs = inviter.receive(NOW, &mut invitation, &said).expect("goes on");
        let answer = outputs.into_iter().find_map(sent).expect("an answer");
        said = joiner.receive(&answer).expect("goes on").into_iter().find_map(sent).expect("more");
    }
    let terms = inviter.receive(NOW, &mut invitation, &said).expect("the card");
    joiner.receive(&terms.into_iter().find_map(sent).expect("terms")).expect("to be kept");
    assert_eq!(joiner.left_alone(Stop::Silent), Stop::Silent);
    let ended = joiner.kept(Err("no space left".to_owned())).expect_err("not kept");
    let told = inviter.receive(NOW, &mut invitation, &ended.say.expect("said")).expect_err("told");
    assert!(told.stop.to_string().contains("no space left"), "{}", told.stop);
}

#[test]
fn silence_after_all_was_written_is_told_apart() {
    let (mut inviter, mut invitation, (mut joiner, hello)) = (inviter(), invitation(), join(CODE));
    let mut said = hello;
    for _ in 0..2 {
        let outputs = inviter.receive(NOW, &mut invitation, &said).expect("goes on");
        let answer = outputs.into_iter().find_map(sent).expect("an answer");
        said = joiner.receive(&answer).expect("goes on").into_iter().find_map(sent).expect("more");
    }
    let terms = inviter.receive(NOW, &mut invitation, &said).expect("the card");
    joiner.receive(&terms.into_iter().find_map(sent).expect("terms")).expect("to be kept");
    joiner.kept(Ok(())).expect("said");
    assert_eq!(joiner.left_alone(Stop::Silent), Stop::NoLastWord);
}
