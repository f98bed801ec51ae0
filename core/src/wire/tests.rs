//! Tests of the frames and of the session between two ends.

mod content;
mod frames;
mod rekey;

use std::time::Duration;

use crate::beat::{Beat, Fitness, Gateways, Leaving, PathHeard, RoleWord};
use crate::ids::{BootId, Designation, Epoch, MAX_PATHS, NameTag, PathId, Sequence};
use crate::time::Moment;
use crate::wire::{MAX_FRAME, PairKey, Received, Session};

const PAIR_ID: u16 = 0x1234;

fn key(seed: u8) -> PairKey {
    let mut bytes = [seed; 32];
    bytes[0] = !seed;
    PairKey::from_bytes(bytes)
}

fn boot(number: u8) -> BootId {
    BootId([number; 16])
}

/// A beat of which every field differs from its default and from its neighbours.
fn full_beat() -> Beat {
    let mut heard = [PathHeard::default(); MAX_PATHS];
    for (index, heard) in heard.iter_mut().enumerate() {
        let number = index as u64;
        heard.sequence = Sequence(0x0101_0101_0101_0100 + number);
        heard.age = Duration::from_micros(1_000_000 * number + 7);
        heard.carrier = index % 3 == 1;
        heard.interface = NameTag(0x8081_8200 + index as u32);
        heard.healthy = index % 5 == 4 && index % 4 != 3 || index == 1;
    }
    Beat {
        sequence: Sequence(0x1122_3344_5566_7788),
        wants_answer: true,
        role: RoleWord::Active,
        epoch: Epoch(0x2122_3344_5566_7788),
        grant: Epoch(0x3122_3344_5566_7788),
        handover: Epoch(0x4122_3344_5566_7788),
        ready: true,
        leaving: Some(Leaving::Shutdown),
        fitness: Fitness {
            healthy: 0x5122_3344_5566_7788,
            check_failed: true,
            never_synchronised: false,
            maintenance: true,
            unready: false,
            behind: false,
            gateways: Gateways::default(),
        },
        gate: true,
        settings: 0x6122_3344_5566_7788,
        patience: Duration::from_millis(900),
        list: NameTag(0x7172_7374),
        heard,
    }
}

fn beat(sequence: u64) -> Beat {
    Beat { sequence: Sequence(sequence), ..full_beat() }
}

fn hello(session: &mut Session, path: PathId) -> Vec<u8> {
    let mut out = [0; MAX_FRAME];
    let length = session.hello(path, &mut out);
    out[..length].to_vec()
}

fn sealed(session: &mut Session, path: PathId, beat: &Beat) -> Vec<u8> {
    let mut out = [0; MAX_FRAME];
    let length = session.seal_beat(path, beat, &mut out).expect("a session");
    out[..length].to_vec()
}

/// Primary (run 1) and secondary (run 2) after hellos both ways and a beat both ways.
fn settled() -> (Session, Session) {
    let mut primary = Session::new(&key(7), PAIR_ID, Designation::Primary, boot(1));
    let mut secondary = Session::new(&key(7), PAIR_ID, Designation::Secondary, boot(2));
    let now = Moment::ZERO;
    let first = hello(&mut primary, PathId::HA);
    secondary.receive(now, PathId::HA, &first).unwrap();
    let second = hello(&mut secondary, PathId::HA);
    primary.receive(now, PathId::HA, &second).unwrap();
    let third = hello(&mut primary, PathId::HA);
    secondary.receive(now, PathId::HA, &third).unwrap();
    let from_primary = sealed(&mut primary, PathId::HA, &beat(1));
    secondary.receive(now, PathId::HA, &from_primary).unwrap();
    let from_secondary = sealed(&mut secondary, PathId::HA, &beat(1));
    primary.receive(now, PathId::HA, &from_secondary).unwrap();
    assert!(!primary.wants_hello() && !secondary.wants_hello());
    (primary, secondary)
}

fn received_beat(received: Received) -> Beat {
    match received {
        Received::Beat(heard) => heard.beat,
        Received::Hello { .. } => panic!("a hello instead of a beat"),
    }
}
