//! The real heartbeat session of `twinwall_core::wire`, used as the guard's shell
//! uses it: hellos where one is wanted, answers at once, the last beat again for a
//! peer that has just restarted.

use twinwall_core::beat::{Beat, Heard};
use twinwall_core::ids::{BootId, Designation, PathId, PathSet};
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
    /// Frames to send at once, each on its path.
    Replies(Vec<(PathId, Frame)>),
    /// Nothing.
    Refused,
}

/// One guard's end of the session.
pub(crate) struct Session {
    seal: Seal,
    last: Option<(PathSet, Beat)>,
}

impl Session {
    /// The session of one run of a guard.
    pub(crate) fn new(me: Designation, boot: BootId) -> Session {
        Session { seal: Seal::new(&PairKey::from_bytes(KEY), PAIR, me, boot), last: None }
    }

    /// The frames that carry `beat`, and hellos where they are wanted.
    pub(crate) fn seal(&mut self, paths: PathSet, beat: &Beat) -> Vec<(PathId, Frame)> {
        self.last = Some((paths, beat.clone()));
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
                let mut replies = Vec::new();
                if answer {
                    replies.push(self.hello(path));
                }
                if let Some((paths, beat)) = self.last.clone().filter(|_| new_run) {
                    replies.extend(paths.iter().filter_map(|path| self.beat(path, &beat)));
                }
                Opened::Replies(replies)
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
