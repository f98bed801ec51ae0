//! The link thread's work: tells carriers, and opens the sockets of every path when
//! its interface appears, returns as another one, or becomes a path by a reload.
//!
//! It speaks of interfaces by name: their numbers are the beat thread's, which may
//! have other settings already.

use std::io;
use std::sync::Arc;
use std::sync::mpsc;

use twinwall_core::config::{Pair, Prefix};
use twinwall_core::event::Event;
use twinwall_core::ids::Designation;

use crate::addresses::Wanted;
use crate::ask::Asker;
use crate::beats::{Mail, PathSocket, group};
use crate::cable::HaEnds;
use crate::frames::{ETHER_TYPE, FrameSocket};
use crate::gate_keeping::GateOrders;
use crate::links::{LinkReport, LinkState, LinkWatch};
use crate::mailbox::Sender;
use crate::rtnetlink::{InterfaceName, Mac};
use crate::threads::fatal;

/// The work.
pub struct PathSockets {
    pair: Pair,
    pairs: mpsc::Receiver<Pair>,
    designation: Designation,
    ends: Arc<HaEnds>,
    to: Reaches,
    /// What sockets were opened for.
    opened: Vec<(InterfaceName, Place)>,
    /// Indices of the interfaces that exist.
    known: Vec<(InterfaceName, u32)>,
}

/// Who is told.
pub struct Reaches {
    /// The beat thread.
    pub mail: Sender<Mail>,
    /// The addresses' thread, which has work on an interface that came to be.
    pub wanted: Wanted,
    /// The gate's, for the same; where there is a gate.
    pub gate: Option<Arc<GateOrders>>,
}

/// What a path's sockets are bound to: with another one they are opened anew.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    index: u32,
    mac: Mac,
    /// Our addresses and the peer's, for questions to its kernel.
    addresses: Option<(Vec<Prefix>, Vec<Prefix>)>,
}

impl PathSockets {
    /// With the end that takes newer settings; send them before the list of links to watch.
    pub fn new(
        pair: &Pair,
        designation: Designation,
        ends: &Arc<HaEnds>,
        to: Reaches,
    ) -> (mpsc::Sender<Pair>, PathSockets) {
        let (send, pairs) = mpsc::channel();
        let work = PathSockets {
            pair: pair.clone(),
            pairs,
            designation,
            ends: Arc::clone(ends),
            to,
            opened: Vec::new(),
            known: Vec::new(),
        };
        (send, work)
    }

    /// Body of the thread.
    pub fn run(mut self, watch: LinkWatch) {
        let ended = watch.run(&mut |report| match report {
            LinkReport::Checked => {
                self.to.mail.send(Mail::Event(Event::LinksChecked));
            }
            LinkReport::Changed(state) => self.changed(&state),
            LinkReport::ReadFirst(name) => {
                self.to.mail.send(Mail::ReadFirst(name));
            }
        });
        if let Err(error) = ended {
            fatal("link", &error);
        }
    }

    fn changed(&mut self, state: &LinkState) {
        self.take_settings();
        let name = state.name.as_str();
        if name == self.pair.ha_link.interface {
            self.ends.set_own(state.mac);
        }
        if self.pair.path_names().any(|path| path == name) {
            self.open(state);
        }
        self.to.mail.send(Mail::Link(state.name, state.up));
        self.appeared(state);
    }

    /// What is there for the first time, or anew, has neither VIPs nor a gate.
    fn appeared(&mut self, state: &LinkState) {
        let is = state.index.map(|index| (state.name, index));
        if is.is_some_and(|is| self.known.contains(&is)) {
            return;
        }
        self.known.retain(|(name, _)| *name != state.name);
        if is.is_some() {
            self.known.extend(is);
            if let Some(gate) = &self.to.gate {
                gate.look();
            }
            self.to.wanted.look();
        }
    }

    /// The beat thread has dropped the sockets of what is a path no more: so a path that
    /// comes back is opened anew. Each list counts, also one that was soon replaced.
    fn take_settings(&mut self) {
        while let Ok(pair) = self.pairs.try_recv() {
            self.opened.retain(|(name, _)| pair.path_names().any(|path| path == name.as_str()));
            self.pair = pair;
        }
    }

    /// Opens a path's sockets if they would be bound to something else than before.
    fn open(&mut self, state: &LinkState) {
        let place = self.place(state);
        let before = self.opened.iter().position(|(name, _)| *name == state.name);
        if place.is_some() && before.map(|at| &self.opened[at].1) == place.as_ref() {
            return;
        }
        if let Some(at) = before {
            self.opened.swap_remove(at);
        }
        let opened = place.as_ref().map(|place| open(state, place, self.pair.pair_id));
        let socket = match opened {
            Some(Ok(socket)) => {
                self.opened.extend(place.map(|place| (state.name, place)));
                Some(Box::new(socket))
            }
            Some(Err(error)) => {
                eprintln!(
                    "twinwall-guard: {}: {error}; heartbeats use the other paths",
                    state.name
                );
                None
            }
            None => None,
        };
        self.to.mail.send(Mail::Path(state.name, socket));
    }

    fn place(&self, state: &LinkState) -> Option<Place> {
        let interface =
            self.pair.interfaces.iter().find(|interface| interface.name == state.name.as_str());
        let addresses = interface.map(|interface| {
            let (own, peer) = (self.designation, self.designation.other());
            (interface.own(own).to_vec(), interface.own(peer).to_vec())
        });
        Some(Place { index: state.index?, mac: state.mac?, addresses })
    }
}

fn open(state: &LinkState, place: &Place, pair_id: u16) -> io::Result<PathSocket> {
    let Place { index, mac, addresses } = place;
    let frames = FrameSocket::open(state.name, *index, ETHER_TYPE, group(pair_id))?;
    let asker = match addresses {
        Some((own, peer)) => Some(Asker::open(*index, *mac, own, peer)?).filter(Asker::can_ask),
        None => None,
    };
    Ok(PathSocket { frames, asker, mac: *mac })
}
