//! One frame at a time: every cause of refusal, and what a damaged frame can do.

use super::*;
use crate::wire::content::{BODY_LENGTH, ContentError};
use crate::wire::{ANSWER_GAP, HELLO_LENGTH, Refused};

const LAN: PathId = PathId(1);

fn refused(session: &mut Session, path: PathId, frame: &[u8]) -> Refused {
    session.receive(Moment::ZERO, path, frame).expect_err("a refusal")
}

fn count(session: &Session, cause: &str) -> u64 {
    session
        .refusals()
        .find(|(name, _)| *name == cause)
        .map(|(_, count)| count)
        .expect("a known cause")
}

#[test]
fn a_beat_comes_through_whole_on_every_path() {
    let (mut primary, mut secondary) = settled();
    for path in (0..MAX_PATHS as u8).map(PathId) {
        let frame = sealed(&mut primary, path, &full_beat());
        assert_eq!(frame.len(), 18 + 319 + 16);
        match secondary.receive(Moment::ZERO, path, &frame).unwrap() {
            Received::Beat(heard) => {
                assert_eq!((heard.path, heard.boot), (path, boot(1)));
                assert_eq!(heard.beat, full_beat());
            }
            Received::Hello { .. } => panic!("a hello instead of a beat"),
        }
    }
}

#[test]
fn the_longest_frame_is_well_under_576_bytes() {
    const { assert!(MAX_FRAME + 14 <= 500 && HELLO_LENGTH < MAX_FRAME) };
}

#[test]
fn nothing_of_the_content_can_be_read() {
    let (mut primary, _) = settled();
    let frame = sealed(&mut primary, PathId::HA, &full_beat());
    let settings = full_beat().settings.to_be_bytes();
    assert!(!frame.windows(8).any(|bytes| bytes == settings));
}

#[test]
fn headers_are_refused_by_cause() {
    let (mut primary, mut secondary) = settled();
    let good = sealed(&mut primary, PathId::HA, &beat(2));
    let mut with = |at: usize, value: u8| {
        let mut frame = good.clone();
        frame[at] = value;
        refused(&mut secondary, PathId::HA, &frame)
    };
    assert_eq!(with(0, 1), Refused::Version(1));
    assert_eq!(with(1, 3), Refused::Kind(3));
    assert_eq!(with(3, 0x35), Refused::ForeignPair(0x1235));
    assert_eq!(with(4, 3), Refused::Header);
    assert_eq!(with(4, 2), Refused::OwnDesignation);
    assert_eq!(with(5, 16), Refused::Header);
    for cause in ["version", "kind", "foreign_pair", "own_designation"] {
        assert_eq!(count(&secondary, cause), 1, "{cause}");
    }
    assert_eq!(count(&secondary, "header"), 2);
}

#[test]
fn own_frames_that_come_back_are_named() {
    let (mut primary, _) = settled();
    let own_beat = sealed(&mut primary, PathId::HA, &beat(2));
    let own_hello = hello(&mut primary, PathId::HA);
    assert_eq!(refused(&mut primary, PathId::HA, &own_beat), Refused::OwnDesignation);
    assert_eq!(refused(&mut primary, PathId::HA, &own_hello), Refused::OwnDesignation);
}

#[test]
fn crossed_cables_are_told_from_forgeries() {
    let (mut primary, mut secondary) = settled();
    let frame = sealed(&mut primary, LAN, &beat(2));
    assert_eq!(refused(&mut secondary, PathId::HA, &frame), Refused::Crossed { sealed_for: LAN });
    let greeting = hello(&mut primary, LAN);
    assert_eq!(
        refused(&mut secondary, PathId::HA, &greeting),
        Refused::Crossed { sealed_for: LAN }
    );
    let mut forged = frame.clone();
    forged[5] = 2;
    assert_eq!(refused(&mut secondary, PathId(2), &forged), Refused::NotAuthentic);
    assert!(secondary.receive(Moment::ZERO, LAN, &frame).is_ok(), "the right path still takes it");
}

#[test]
fn duplicates_are_refused_and_reordering_is_not() {
    let (mut primary, mut secondary) = settled();
    let frames: Vec<_> =
        (2..200).map(|number| sealed(&mut primary, PathId::HA, &beat(number))).collect();
    let mut accept = |index: usize| {
        secondary
            .receive(Moment::ZERO, PathId::HA, &frames[index])
            .map(|got| received_beat(got).sequence.0)
    };
    assert_eq!(accept(2), Ok(4));
    assert_eq!(accept(0), Ok(2));
    assert_eq!(accept(1), Ok(3));
    for seen in 0..3 {
        assert_eq!(accept(seen), Err(Refused::Duplicate));
    }
    assert_eq!(accept(130), Ok(132));
    assert_eq!(accept(3), Ok(5), "127 behind");
    assert_eq!(accept(131), Ok(133));
    assert_eq!(accept(4 - 1), Err(Refused::TooOld), "128 behind");
}

#[test]
fn a_flipped_bit_anywhere_is_refused_and_changes_nothing() {
    let (mut primary, mut secondary) = settled();
    let frame = sealed(&mut primary, PathId::HA, &beat(2));
    let greeting = hello(&mut primary, PathId::HA);
    for good in [&frame, &greeting] {
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            refused(&mut secondary, PathId::HA, &bad);
        }
    }
    assert!(secondary.receive(Moment::ZERO, PathId::HA, &frame).is_ok());
    assert_eq!(secondary.peer(), Some(boot(1)));
}

#[test]
fn every_other_length_is_refused() {
    let (mut primary, mut secondary) = settled();
    let frame = sealed(&mut primary, PathId::HA, &beat(2));
    let greeting = hello(&mut primary, PathId::HA);
    for good in [&frame, &greeting] {
        for length in 0..good.len() {
            assert_eq!(
                refused(&mut secondary, PathId::HA, &good[..length]),
                Refused::Length,
                "{length}"
            );
        }
    }
    for extra in 1..300 {
        let longer = |good: &[u8]| [good, &vec![0; extra]].concat();
        assert_eq!(refused(&mut secondary, PathId::HA, &longer(&greeting)), Refused::Length);
        let cause = refused(&mut secondary, PathId::HA, &longer(&frame));
        assert_eq!(
            cause,
            if extra <= 128 { Refused::NotAuthentic } else { Refused::Length },
            "{extra}"
        );
    }
}

#[test]
fn another_key_or_pair_never_meets() {
    let (mut primary, _) = settled();
    let frame = sealed(&mut primary, PathId::HA, &beat(2));
    let greeting = hello(&mut primary, PathId::HA);
    let mut stranger = Session::new(&key(8), PAIR_ID, Designation::Secondary, boot(2));
    assert_eq!(refused(&mut stranger, PathId::HA, &greeting), Refused::NotAuthentic);
    assert_eq!(refused(&mut stranger, PathId::HA, &frame), Refused::NoSession);
    assert_eq!(count(&stranger, "not_authentic"), 1);
    let mut other_pair = Session::new(&key(7), PAIR_ID + 1, Designation::Secondary, boot(2));
    assert_eq!(refused(&mut other_pair, PathId::HA, &frame), Refused::ForeignPair(PAIR_ID));
    let mut relabelled = greeting;
    relabelled[3] += 1;
    assert_eq!(refused(&mut other_pair, PathId::HA, &relabelled), Refused::NotAuthentic);
}

#[test]
fn authentic_nonsense_is_refused_by_its_content() {
    let (mut primary, mut secondary) = settled();
    let mut out = [0; MAX_FRAME];
    let length = primary.seal(PathId::HA, &[0; BODY_LENGTH], &mut out).unwrap();
    let cause = refused(&mut secondary, PathId::HA, &out[..length]);
    assert_eq!(cause, Refused::Content(ContentError::Role(0)));
    assert_eq!(refused(&mut secondary, PathId::HA, &out[..length]), Refused::Duplicate);
}

#[test]
fn sealing_stops_at_the_last_counter() {
    let (mut primary, mut secondary) = settled();
    primary.set_beats_sealed(PathId::HA, u64::MAX - 1);
    let last = sealed(&mut primary, PathId::HA, &beat(2));
    assert!(secondary.receive(Moment::ZERO, PathId::HA, &last).is_ok());
    let mut out = [0; MAX_FRAME];
    assert_eq!(primary.seal_beat(PathId::HA, &beat(3), &mut out), None);
    assert!(primary.seal_beat(LAN, &beat(3), &mut out).is_some(), "each path has its own counter");
    assert_eq!(primary.seal_beat(PathId(16), &beat(3), &mut out), None, "no such path");
}

#[test]
fn answers_are_at_once_but_limited_on_each_path() {
    let mut primary = Session::new(&key(7), PAIR_ID, Designation::Primary, boot(1));
    let mut secondary = Session::new(&key(7), PAIR_ID, Designation::Secondary, boot(2));
    let greeting = hello(&mut primary, PathId::HA);
    let on_lan = hello(&mut primary, LAN);
    let answer = |answer| Ok(Received::Hello { answer, new_run: false });
    let start = Moment::from_millis(5);
    assert_eq!(secondary.receive(start, PathId::HA, &greeting), answer(true));
    assert_eq!(secondary.receive(start, PathId::HA, &greeting), answer(false));
    assert_eq!(secondary.receive(start, LAN, &on_lan), answer(true));
    assert_eq!(secondary.receive(start + ANSWER_GAP, PathId::HA, &greeting), answer(true));
    assert_eq!(count(&secondary, "unanswered_hello"), 1);
}

#[test]
fn secrets_are_not_printed() {
    let (primary, _) = settled();
    assert_eq!(format!("{:?}", key(7)), "PairKey(secret)");
    let text = format!("{primary:?}");
    assert!(text.contains("Primary") && !text.contains("cipher"), "{text}");
}

/// Recorded once, and checked then against another implementation of the same
/// algorithms: a change here means another version of the format.
#[test]
fn the_bytes_are_those_of_version_2() {
    let mut primary = Session::new(&key(7), PAIR_ID, Designation::Primary, boot(1));
    let greeting = hello(&mut primary, LAN);
    assert_eq!(hex(&greeting[..18]), "020112340101000000020000000000000001");
    assert_eq!(
        hex(&greeting[59..]),
        "7e1bd34f4e678f9e0bf6fab532cb47aec4747dd50ec1c2b28f18a87fc3df4042"
    );
    let (mut primary, _) = settled();
    let frame = sealed(&mut primary, LAN, &full_beat());
    assert_eq!(hex(&frame[..18]), "020212340101000000020000000000000001");
    assert_eq!(
        hex(&frame[frame.len() - 16..]),
        "a327fcea133f9daf39985428abf0c401",
        "the tag covers all the rest"
    );
}

/// `lan`, `dmz` and `wan`, numbered as each list has them.
fn tags(names: &[&str]) -> [NameTag; MAX_PATHS] {
    let name = |path: usize| names.get(path).map_or(NameTag::NONE, |name| NameTag::of(name));
    std::array::from_fn(name)
}

#[test]
fn paths_are_known_by_name_while_the_numbers_differ() {
    let (mut primary, mut secondary) = settled();
    let (old, new) = (tags(&["ha", "lan", "wan"]), tags(&["ha", "dmz", "lan", "wan"]));
    primary.name_paths(old);
    secondary.name_paths(old);
    let path = |number: u8| PathId(number);
    let accepted = |from: &mut Session, sent: u8, to: &mut Session, came: u8| {
        let frame = sealed(from, path(sent), &beat(2));
        let first = to.receive(Moment::ZERO, path(came), &frame).map(|_| ());
        let again = to.receive(Moment::ZERO, path(came), &frame).map(|_| ());
        assert!(again.is_err(), "never twice");
        first
    };
    assert_eq!(accepted(&mut primary, 1, &mut secondary, 1), Ok(()));
    // The secondary's list grows first: lan is its path 2 now, wan its path 3.
    secondary.name_paths(new);
    assert_eq!(accepted(&mut primary, 1, &mut secondary, 2), Ok(()));
    assert_eq!(accepted(&mut primary, 2, &mut secondary, 3), Ok(()));
    assert_eq!(accepted(&mut secondary, 2, &mut primary, 1), Ok(()));
    assert_eq!(accepted(&mut secondary, 3, &mut primary, 2), Ok(()));
    let crossed = Err(Refused::Crossed { sealed_for: LAN });
    assert_eq!(accepted(&mut primary, 1, &mut secondary, 1), crossed, "lan's came in on dmz");
    assert_eq!(accepted(&mut secondary, 1, &mut primary, 1), crossed, "dmz's came in on lan");
    // Then the primary's, and a number goes on where another interface left it.
    primary.name_paths(new);
    for number in 0..4 {
        assert_eq!(accepted(&mut primary, number, &mut secondary, number), Ok(()));
        assert_eq!(accepted(&mut secondary, number, &mut primary, number), Ok(()));
    }
    assert_eq!(count(&secondary, "crossed"), 2, "once more when it came again");
}

#[test]
fn a_restarted_end_with_another_list_is_greeted_on_every_shared_path() {
    let (_, mut secondary) = settled();
    secondary.name_paths(tags(&["ha", "lan", "wan"]));
    let mut primary = Session::new(&key(7), PAIR_ID, Designation::Primary, boot(3));
    primary.name_paths(tags(&["ha", "dmz", "lan", "wan"]));
    let greeting = hello(&mut primary, PathId(3));
    let received = secondary.receive(Moment::ZERO, PathId(2), &greeting);
    assert_eq!(received, Ok(Received::Hello { answer: true, new_run: false }));
    let answer = hello(&mut secondary, PathId(2));
    let received = primary.receive(Moment::ZERO, PathId(3), &answer);
    assert!(matches!(received, Ok(Received::Hello { new_run: true, .. })), "{received:?}");
    let crossed = hello(&mut primary, PathId(1));
    assert_eq!(refused(&mut secondary, LAN, &crossed), Refused::Crossed { sealed_for: LAN });
}

#[test]
fn every_cause_stands_in_the_reference() {
    let page = include_str!("../../../../docs/reference/wire.md");
    let (session, _) = settled();
    for (name, _) in session.refusals() {
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
    }
    assert!(page.contains(&format!("more than {MAX_FRAME}.")));
    assert!(page.contains(&format!("Hellos have {HELLO_LENGTH} bytes")));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_wrong_key_is_told_once_it_lasts_and_until_it_ends() {
    let (mut primary, mut secondary) = settled();
    let mut frame = sealed(&mut primary, PathId::HA, &beat(9));
    *frame.last_mut().expect("a tag") ^= 1;
    let at = |seconds: u64| Moment::ZERO + Duration::from_secs(seconds);
    let recent = Duration::from_secs(5);
    let mut lasting = |now, frames| {
        for _ in 0..frames {
            let refused = secondary.receive(now, PathId::HA, &frame);
            assert_eq!(refused, Err(Refused::NotAuthentic));
        }
        secondary.lasting_refusals(now, recent).collect::<Vec<_>>()
    };
    assert_eq!(lasting(at(1), 30), [], "a restart brings as many at once");
    assert_eq!(lasting(at(4), 1), [Refused::NotAuthentic]);
    assert_eq!(lasting(at(9), 0), [Refused::NotAuthentic]);
    assert_eq!(lasting(at(10), 0), [], "it has ended");
    assert_eq!(lasting(at(300), 30), [], "another streak");
}
