//! Takes frames in: from the sockets through the session to the core. Called by the beat
//! thread in every turn and before a gate opens; draws no conclusion and sends only hellos.

use twinwall_core::event::Event;
use twinwall_core::ids::{PathId, PathSet};
use twinwall_core::wire::{MAX_FRAME, Received};

use super::{Beats, outputs};
use crate::clock;
use crate::frames::ETHERNET_HEADER;
use crate::rtnetlink::Mac;

/// Frames taken from one path in one turn, so that a flood on one path starves
/// neither the others nor the deadline. An honest peer sends a few.
const FRAMES_A_TURN: usize = 32;
/// Frames taken from one path by a node that was kept from running, or that is about
/// to open its gate: all that a socket with the default buffer holds (some 300), so
/// that it acts on no word that a newer one behind it takes back.
const FRAMES_WAITING: usize = 512;

/// How many frames are taken from a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Frames {
    /// Until the core got one: to look for another is as dear as to take it.
    One,
    /// All that wait.
    All,
}

impl Frames {
    fn most(self) -> usize {
        match self {
            Frames::One => FRAMES_A_TURN,
            Frames::All => FRAMES_WAITING,
        }
    }
}

impl Beats {
    /// Takes in what waits on each path; `take` gets what the core must know.
    pub(super) fn each_frame(
        &mut self,
        on: PathSet,
        frames: Frames,
        take: &mut dyn FnMut(&mut Beats, Event),
    ) {
        for path in on.iter() {
            for _ in 0..frames.most() {
                let mut frame = [0; ETHERNET_HEADER + MAX_FRAME];
                let Some((length, source)) = self.paths.receive(path, &mut frame) else { break };
                let content = &frame[ETHERNET_HEADER.min(length)..length];
                let Some(event) = self.open_frame(path, content, source) else { continue };
                take(self, event);
                if frames == Frames::One {
                    break;
                }
            }
        }
    }

    fn open_frame(&mut self, path: PathId, frame: &[u8], source: Mac) -> Option<Event> {
        match self.parts.session.receive(clock::now(), path, frame) {
            Ok(Received::Beat(heard)) => {
                self.paths.heard_from(path, source);
                if path == PathId::HA {
                    self.parts.ends.set_peer(source);
                }
                Some(Event::Heard(heard))
            }
            Ok(Received::Hello { answer, new_run }) => {
                if answer {
                    outputs::say_hello(&mut self.parts.session, &self.paths, PathSet::only(path));
                }
                new_run.then_some(Event::Greeted)
            }
            // Counted by the session; shown in the status.
            Err(_) => None,
        }
    }
}
