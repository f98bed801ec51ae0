//! The sealed content: every value there and back, every unknown value refused.

use super::*;
use crate::wire::content::{
    BODY_LENGTH, ContentError, KeyTag, MAX_ENCODED, MAX_EXTENSIONS, MUST_UNDERSTAND, decode,
    decode_takes, encode, encode_with,
};

fn encoded(beat: &Beat) -> [u8; BODY_LENGTH] {
    let mut out = [0; BODY_LENGTH];
    encode(beat, &mut out);
    out
}

fn assert_round_trip(beat: &Beat) {
    assert_eq!(decode(&encoded(beat)).as_ref(), Ok(beat));
}

#[test]
fn every_field_comes_back() {
    assert_round_trip(&full_beat());
    for role in [
        RoleWord::Starting,
        RoleWord::Passive,
        RoleWord::Claiming,
        RoleWord::Active,
        RoleWord::Releasing,
    ] {
        assert_round_trip(&Beat { role, ..full_beat() });
    }
    for leaving in [None, Some(Leaving::ServiceStop), Some(Leaving::Shutdown)] {
        assert_round_trip(&Beat { leaving, ..full_beat() });
    }
    for bits in 0..128u8 {
        let bit = |number: u8| bits & (1 << number) != 0;
        let mut beat = full_beat();
        (beat.wants_answer, beat.ready, beat.gate) = (bit(0), bit(1), bit(2));
        beat.fitness.check_failed = bit(3);
        beat.fitness.never_synchronised = bit(4);
        beat.fitness.maintenance = bit(5);
        beat.fitness.unready = bit(6);
        assert_round_trip(&beat);
    }
    for path in 0..MAX_PATHS {
        let mut beat = full_beat();
        beat.heard = [PathHeard::default(); MAX_PATHS];
        beat.heard[path] = PathHeard {
            sequence: Sequence(u64::MAX),
            age: Duration::from_micros(u64::from(u32::MAX)),
            carrier: true,
            interface: NameTag(u32::MAX),
            healthy: true,
        };
        assert_round_trip(&beat);
    }
}

/// The layout of `docs/reference/wire.md`.
#[test]
fn the_layout_is_the_documented_one() {
    let bytes = encoded(&full_beat());
    assert_eq!(bytes.len(), 319);
    assert_eq!(bytes[0], 0b10_1111, "flags");
    assert_eq!(bytes[1], 4, "role");
    assert_eq!(bytes[2], 2, "leaving");
    for (number, first) in [0x11, 0x21, 0x31, 0x41, 0x51, 0x61].into_iter().enumerate() {
        let at = 3 + 8 * number;
        assert_eq!(bytes[at..at + 8], [first, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);
    }
    assert_eq!(bytes[51..55], 900u32.to_be_bytes(), "patience");
    assert_eq!(bytes[55..59], 0x7172_7374u32.to_be_bytes(), "list");
    assert_eq!(bytes[59..61], [0b0010_0100, 0b1001_0010], "carriers of paths 1, 4, 7, 10, 13");
    assert_eq!(bytes[61..63], [0b0100_0010, 0b0001_0010], "health of paths 1, 4, 9, 14");
    assert_eq!(bytes[79..87], 0x0101_0101_0101_0101u64.to_be_bytes(), "sequence of path 1");
    assert_eq!(bytes[87..91], 1_000_007u32.to_be_bytes(), "age of path 1");
    assert_eq!(bytes[91..95], 0x8081_8201u32.to_be_bytes(), "interface of path 1");
}

#[test]
fn ages_are_microseconds_and_saturate() {
    let mut beat = full_beat();
    beat.heard[3].age = Duration::from_nanos(1_999);
    beat.heard[4].age = Duration::from_secs(100_000);
    let back = decode(&encoded(&beat)).unwrap();
    assert_eq!(back.heard[3].age, Duration::from_micros(1));
    assert_eq!(back.heard[4].age, Duration::from_micros(u64::from(u32::MAX)));
}

#[test]
fn unknown_values_are_refused() {
    let good = encoded(&full_beat());
    let with = |at: usize, value: u8| {
        let mut bytes = good;
        bytes[at] = value;
        decode(&bytes)
    };
    assert_eq!(with(0, 0x80), Err(ContentError::Flags(0x80)));
    assert_eq!(with(0, 0xff), Err(ContentError::Flags(0x80)));
    for role in (0..=u8::MAX).filter(|role| !(1..=5).contains(role)) {
        assert_eq!(with(1, role), Err(ContentError::Role(role)));
    }
    for leaving in 3..=u8::MAX {
        assert_eq!(with(2, leaving), Err(ContentError::Leaving(leaving)));
    }
}

#[test]
fn every_shorter_body_is_refused() {
    let good = encoded(&full_beat());
    for length in 0..good.len() {
        assert_eq!(decode(&good[..length]), Err(ContentError::Truncated), "{length}");
    }
}

#[test]
fn extensions_are_passed_over_and_garbage_is_refused() {
    let good = encoded(&full_beat());
    let with = |extra: &[u8]| decode(&[good.as_slice(), extra].concat());
    assert_eq!(with(&[9, 0]), Ok(full_beat()));
    assert_eq!(with(&[9, 3, 9, 9, 9, 0x7f, 1, 0]), Ok(full_beat()));
    assert_eq!(with(&[1]), Err(ContentError::Truncated));
    assert_eq!(with(&[9, 3, 9, 9]), Err(ContentError::Truncated));
    assert_eq!(with(&[9, 0, MUST_UNDERSTAND, 0]), Err(ContentError::Extension(MUST_UNDERSTAND)));
    assert_eq!(with(&[1, 7, 1, 2, 3, 4, 5, 6, 7]), Err(ContentError::Truncated));
    let mut longest = vec![0; MAX_EXTENSIONS];
    longest[1] = MAX_EXTENSIONS as u8 - 2;
    assert_eq!(with(&longest), Ok(full_beat()));
    longest.push(0);
    assert_eq!(with(&longest), Err(ContentError::TooLong));
}

#[test]
fn a_beat_says_in_extensions_what_not_every_release_knows() {
    let mut out = [0; MAX_ENCODED];
    let tag = KeyTag([1, 2, 3, 4, 5, 6, 7, 8]);
    for (takes, behind) in [(None, false), (Some(tag), false), (None, true), (Some(tag), true)] {
        let mut beat = full_beat();
        beat.fitness.behind = behind;
        let length = encode_with(&beat, takes, &mut out);
        assert_eq!((decode(&out[..length]), decode_takes(&out[..length])), (Ok(beat), Ok(takes)));
    }
    let told = Gateways { told: 0b1101, reached: 0b0100 };
    for behind in [false, true] {
        let mut beat = full_beat();
        (beat.fitness.behind, beat.fitness.gateways) = (behind, told);
        let length = encode_with(&beat, Some(tag), &mut out);
        assert_eq!(decode(&out[..length]), Ok(beat));
    }
    let longer = [encoded(&full_beat()).as_slice(), &[1, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9]].concat();
    assert_eq!(decode_takes(&longer), Ok(Some(tag)), "what a later release adds is its own");
    let with = |extra: &[u8]| decode(&[encoded(&full_beat()).as_slice(), extra].concat());
    assert_eq!(with(&[3, 3, 0, 1, 0]), Err(ContentError::Truncated));
    let beat = with(&[3, 5, 0, 0b11, 0, 0b110, 9]).expect("a later release adds a byte");
    let wanted = Gateways { told: 0b11, reached: 0b10 };
    assert_eq!(beat.fitness.gateways, wanted, "none is reached of which nothing is told");
}
