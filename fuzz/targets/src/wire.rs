//! The heartbeat frames: the content behind the seal, the frame, and whole
//! exchanges between two ends.

pub mod exchange;

use twinwall_core::beat::Beat;
use twinwall_core::ids::{BootId, Designation, PathId};
use twinwall_core::time::Moment;
use twinwall_core::wire::content::{self, BODY_LENGTH, MAX_EXTENSIONS};
use twinwall_core::wire::{MAX_FRAME, PairKey, Received, Refused, Session};

/// The pair id of all sessions here.
pub const PAIR_ID: u16 = 1;

/// The sealed content of a beat. What is accepted is canonical.
pub fn beat_content(data: &[u8]) {
    let takes = content::decode_takes(data);
    if let Ok(beat) = content::decode(data) {
        takes.expect("what is a beat says which keys are taken");
        let mut again = [0; BODY_LENGTH];
        content::encode(&beat, &mut again);
        assert_eq!(again, data[..BODY_LENGTH]);
    }
}

/// Any frame at a settled session (first byte even) or a fresh one (odd), on the
/// path that the first byte's upper half names.
pub fn receive(data: &[u8]) {
    let Some((first, frame)) = data.split_first() else { return };
    let path = PathId(first >> 4);
    let mut session =
        if first & 1 == 0 { settled().1 } else { session(Designation::Secondary, BootId([2; 16])) };
    let peer = session.peer();
    match session.receive(Moment::ZERO, path, frame) {
        Ok(Received::Beat(heard)) => {
            assert_eq!((heard.path, Some(heard.boot)), (path, peer));
            assert_eq!(session.receive(Moment::ZERO, path, frame), Err(Refused::Duplicate));
        }
        Ok(Received::Hello { .. }) => {}
        Err(cause) => {
            let counted: u64 = session.refusals().map(|(_, count)| count).sum();
            assert_eq!(counted, 1, "{cause} must be counted once");
        }
    }
    assert_eq!(session.peer(), peer, "one frame cannot change the peer's run");
}

/// Any content, sealed with the right key: what the decoder behind the seal says
/// is what the session says.
pub fn sealed(data: &[u8]) {
    let (mut primary, mut secondary) = settled();
    let mut frame = [0; MAX_FRAME];
    let Some(length) = primary.seal(PathId::HA, data, &mut frame) else {
        assert!(data.len() > BODY_LENGTH + MAX_EXTENSIONS);
        return;
    };
    let got = match secondary.receive(Moment::ZERO, PathId::HA, &frame[..length]) {
        Ok(Received::Beat(heard)) => Ok(heard.beat),
        Ok(Received::Hello { .. }) => panic!("a beat was taken for a hello"),
        Err(cause) => Err(cause),
    };
    let expected: Result<Beat, Refused> = if data.len() < BODY_LENGTH {
        Err(Refused::Length)
    } else {
        content::decode(data).map_err(Refused::Content)
    };
    assert_eq!(got, expected);
}

/// A session with the key that all here have.
pub fn session(me: Designation, boot: BootId) -> Session {
    let key = PairKey::from_bytes(std::array::from_fn(|at| at as u8));
    Session::new(&key, PAIR_ID, me, boot)
}

/// Primary (run 1) and secondary (run 2) that have heard a beat of each other.
pub fn settled() -> (Session, Session) {
    let mut primary = session(Designation::Primary, BootId([1; 16]));
    let mut secondary = session(Designation::Secondary, BootId([2; 16]));
    let mut frame = [0; MAX_FRAME];
    for _ in 0..2 {
        let length = primary.hello(PathId::HA, &mut frame);
        secondary.receive(Moment::ZERO, PathId::HA, &frame[..length]).expect("a good hello");
        let length = secondary.hello(PathId::HA, &mut frame);
        primary.receive(Moment::ZERO, PathId::HA, &frame[..length]).expect("a good hello");
    }
    let length = primary.seal_beat(PathId::HA, &beat(1), &mut frame).expect("a session");
    secondary.receive(Moment::ZERO, PathId::HA, &frame[..length]).expect("a good beat");
    let length = secondary.seal_beat(PathId::HA, &beat(1), &mut frame).expect("a session");
    primary.receive(Moment::ZERO, PathId::HA, &frame[..length]).expect("a good beat");
    (primary, secondary)
}

/// An ordinary beat with this sequence.
pub fn beat(sequence: u64) -> Beat {
    exchange::pair::beat(sequence)
}
