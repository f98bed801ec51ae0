//! Settings read again, on the beat thread: the core first, and if it takes them
//! over, all that the beat thread itself holds by number. And links by name, which
//! the settings of now turn into numbers.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use twinwall_core::config::Pair;
use twinwall_core::event::Event;
use twinwall_core::ids::InterfaceId;
use twinwall_core::node::ReloadRefused;
use twinwall_core::wire::{PairKeys, RekeyRefused, Session};

use super::Beats;
use crate::addresses::Lists;
use crate::clock;
use crate::ping::Pinger;
use crate::rtnetlink::InterfaceName;

/// New settings with what another thread made ready for them.
pub struct Reload {
    /// The settings.
    pub pair: Arc<Pair>,
    /// What the address thread shall know.
    pub lists: Lists,
    /// Told when the addresses are as the settings say.
    pub applied: SyncSender<()>,
    /// For the ping targets.
    pub pinger: Option<Pinger>,
}

/// Other keys, and a session under them that knows no peer.
pub struct NewKeys {
    /// The keys.
    pub keys: PairKeys,
    /// For a peer that has the old ones no more.
    pub session: Session,
}

/// What the beat thread holds no more; closing it is the other thread's.
pub struct Replaced {
    /// The sockets of the ping targets before.
    pub pinger: Option<Pinger>,
}

impl Beats {
    /// Takes the settings over, or nothing of them.
    pub(super) fn reload(&mut self, new: Reload) -> Result<Replaced, ReloadRefused> {
        self.core.reload(clock::now(), Pair::clone(&new.pair))?;
        // A recording cannot go on over a change of settings.
        self.recorder = None;
        self.writer.set_pair(Arc::clone(&new.pair));
        self.parts.session.name_paths(new.pair.path_tags());
        self.paths.relist(&new.pair);
        self.parts.gate.set_lease(new.pair.lease());
        let pinger = std::mem::replace(&mut self.parts.pinger, new.pinger);
        // Before what the core wants: it wants the new addresses.
        self.parts.announce.replace_vips(Arc::clone(&new.lists.vips));
        self.parts.wanted.replace(new.lists, Some(new.applied));
        self.carry_out();
        Ok(Replaced { pinger })
    }

    /// Takes other keys over. Where both go on hearing each other by them the peer's run goes
    /// on; else a new session takes the place of the one that there is, unless the peer is
    /// heard: who has only the old key is a stranger from then on.
    pub(super) fn rekey(&mut self, new: NewKeys) -> Result<(), RekeyRefused> {
        match self.parts.session.rekey(&new.keys) {
            Err(refused) if self.core.snapshot(clock::now()).peer.is_heard() => Err(refused),
            Err(RekeyRefused::NotTaken | RekeyRefused::StillUsed) => {
                self.parts.session = new.session;
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    pub(super) fn link(&mut self, name: InterfaceName, up: bool) {
        match self.place(name) {
            Some(Place::HaLink) => self.feed(Event::HaCarrier { up }),
            Some(Place::Interface(interface)) => self.feed(Event::Link { interface, up }),
            // One that a reload has just taken off the list: nobody's business any more.
            None => {}
        }
    }

    /// What an interface is to the core.
    pub(super) fn place(&self, name: InterfaceName) -> Option<Place> {
        let pair = &self.core.setup().pair;
        if pair.ha_link.interface == name.as_str() {
            return Some(Place::HaLink);
        }
        let position = pair.interfaces.iter().position(|entry| entry.name == name.as_str());
        position.map(|index| Place::Interface(InterfaceId(index as u8)))
    }
}

/// An interface with a carrier that counts.
pub(super) enum Place {
    HaLink,
    Interface(InterfaceId),
}
