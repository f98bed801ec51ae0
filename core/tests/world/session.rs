//! The real heartbeat session of `twinwall_core::wire`, used as the guard's shell
//! uses it: hellos where they are wanted, answers at once.

use twinwall_core::beat::{Beat, Heard};
use twinwall_core::ids::{BootId, Designation, MAX_PATHS, NameTag, PathId, PathSet};
use twinwall_core::time::Moment;
use twinwall_core::wire::{MAX_FRAME, PairKey, Received, Session as Seal};

/// Number of the pair in every frame.
const PAIR: u16 = 7;
/// The pair's key; nothing secret depends on it here.
const KEY: [u8; 32] = *b"a pair of nodes in a made-up one";

/// A frame on a cable.
pub(crate) type Frame = Vec<u8>;

/// What a received frame comes to.
pub(crate) enum Opened {
    /// A beat for the core.
    Beat(Box<Heard>),
    /// A hello, with the answer to send at once; it may prove a new run of the peer.
    Hello { answer: Option<(PathId, Frame)>, new_run: bool },
    /// Nothing.
    Refused,
}

/// One guard's end of the session.
pub(crate) struct Session {
    seal: Seal,
}

impl Session {
    /// The session of one run of a guard.
    pub(crate) fn new(me: Designation, boot: BootId) -> Session {
        Session { seal: Seal::new(&PairKey::from_bytes(KEY), PAIR, me, boot) }
    }

    /// The interfaces behind the paths from now on.
    pub(crate) fn name_paths(&mut self, tags: [NameTag; MAX_PATHS]) {
        self.seal.name_paths(tags);
    }

    /// The frames that carry `beat`, and hellos where they are wanted.
    pub(crate) fn seal(&mut self, paths: PathSet, beat: &Beat) -> Vec<(PathId, Frame)> {
        let mut frames = Vec::new();
        for path in paths.iter() {
            if self.seal.wants_hello() {
                frames.push(self.hello(path));
            }
            frames.extend(self.beat(path, beat));
        }
        frames
    }

    /// Takes in a frame that arrived on `path`.
    pub(crate) fn open(&mut self, now: Moment, path: PathId, frame: &Frame) -> Opened {
        match self.seal.receive(now, path, frame) {
            Ok(Received::Beat(heard)) => Opened::Beat(heard),
            Ok(Received::Hello { answer, new_run }) => {
                Opened::Hello { answer: answer.then(|| self.hello(path)), new_run }
            }
            Err(_) => Opened::Refused,
        }
    }

    fn hello(&mut self, path: PathId) -> (PathId, Frame) {
        let mut out = [0; MAX_FRAME];
        let length = self.seal.hello(path, &mut out);
        (path, out[..length].to_vec())
    }

    fn beat(&mut self, path: PathId, beat: &Beat) -> Option<(PathId, Frame)> {
        let mut out = [0; MAX_FRAME];
        let length = self.seal.seal_beat(path, beat, &mut out)?;
        Some((path, out[..length].to_vec()))
    }
}
