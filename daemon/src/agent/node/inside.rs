//! What one reading of the settings makes: the engine, and on a paired node the link to the
//! other agent. Made and dropped as a whole by [`super::Node`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::JoinSet;
use twinwall_core::ids::Designation;

use crate::agent::apply::Journal;
use crate::agent::calls::Calls;
use crate::agent::channel::{Arrivals, Link, LinkConfig, LinkState, PORT, Stream, Trouble};
use crate::agent::digest::Digest;
use crate::agent::engine::assemble::{self, Parts, Running, scopes};
use crate::agent::engine::run::Engine;
use crate::agent::finder::{Finder, Neighbour};
use crate::agent::identity::Identity;
use crate::agent::identity::peer::Peer;
use crate::agent::profile::Profile;
use crate::agent::tree::Root;

use super::applying::Applier;
use super::calling::tell_addresses;
use super::{Node, NodeError, Settings};

/// What depends on the settings.
pub(super) struct Inside {
    // Dropped in this order: the engine says goodbye while the link still stands.
    running: Running,
    link: Option<Arc<Link>>,
    /// On the HA link, where the settings name one.
    pub(super) finder: Option<Arc<Finder>>,
    _telling: JoinSet<()>,
    made_from: Basis,
    /// Where sysfs is mounted.
    sys: PathBuf,
}

/// What it was made from. Settings that leave all of this as it is need no new engine.
#[derive(PartialEq, Eq)]
struct Basis {
    name: String,
    profile: Digest,
    translator: Digest,
    peer: Vec<Digest>,
    own: Option<Digest>,
    designation: Option<Designation>,
    interface: Option<String>,
    pair_id: Option<u16>,
}

impl Inside {
    pub(super) fn make(
        node: &Node,
        settings: &Settings,
        calls: Calls,
    ) -> Result<Inside, NodeError> {
        let profile: &Profile = &settings.profile;
        let root = || {
            Root::open(&node.root)
                .map_err(|error| NodeError::Io("opening the root directory", error))
        };
        let applier = Applier {
            root: root()?,
            profile: profile.clone(),
            scopes: scopes(profile).map_err(NodeError::Engine)?,
            translator: settings.translator(),
            journal: Arc::<Journal>::clone(&node.journal),
            store: Arc::clone(&node.store),
        };
        let mut running = assemble::start(Parts {
            root: node.root.clone(),
            node: settings.name.clone(),
            profile: profile.clone(),
            translator: settings.translator(),
            rules: settings.rules(),
            store: Arc::clone(&node.store),
            apply: applier.boxed(),
            calls,
        })
        .map_err(NodeError::Engine)?;
        let _runtime = node.runtime.enter();
        let finder = finder(node, settings)?;
        let mut telling = JoinSet::new();
        let link = link(node, settings, finder.as_deref(), &mut telling)?;
        if let Some(link) = &link {
            running.attach(link, &node.runtime).map_err(NodeError::Engine)?;
        }
        let made_from = Basis::of(settings);
        let sys = node.machine().sys.clone();
        Ok(Inside { running, link, finder, _telling: telling, made_from, sys })
    }

    pub(super) fn engine(&self) -> &Engine {
        self.running.engine()
    }

    /// The link to the other agent, on a paired node.
    pub(super) fn link(&self) -> Option<&Arc<Link>> {
        self.link.as_ref()
    }

    pub(super) fn link_state(&self) -> Option<LinkState> {
        let mut state = self.link.as_ref()?.state().borrow().clone();
        if !state.is_up() {
            state.trouble = self.cause(state.trouble.take());
        }
        Some(state)
    }

    /// What is behind it that there is no connection: a cable that is out, or a node that says
    /// nothing, rather than what a call came to.
    fn cause(&self, trouble: Option<Trouble>) -> Option<Trouble> {
        let interface = self.made_from.interface.as_ref()?;
        if !has_carrier(&self.sys, interface) {
            return Some(Trouble::NoCarrier { interface: interface.clone() });
        }
        let peer = |it: &Neighbour| self.made_from.peer.contains(&it.said.certificate);
        let heard = |finder: &Arc<Finder>| finder.neighbours().borrow().iter().any(peer);
        match trouble {
            // Who answers is told, whoever is heard.
            Some(Trouble::NotThePeer { .. } | Trouble::Refused { .. }) => trouble,
            None
            | Some(
                Trouble::NoCarrier { .. }
                | Trouble::NotHeard
                | Trouble::Unreachable { .. }
                | Trouble::Lost { .. },
            ) => match self.finder.as_ref().is_some_and(heard) {
                true => trouble,
                false => Some(Trouble::NotHeard),
            },
        }
    }

    pub(super) fn arrivals(&self, stream: Stream) -> Option<Arrivals> {
        self.link.as_ref().map(|link| link.arrivals(stream))
    }

    /// The finder, if it is on this interface.
    pub(super) fn finder_on(&self, interface: &str) -> Option<Arc<Finder>> {
        let here = self.made_from.interface.as_deref() == Some(interface);
        self.finder.clone().filter(|_| here)
    }

    /// Whether these settings need nothing new.
    pub(super) fn suits(&self, settings: &Settings) -> bool {
        self.made_from == Basis::of(settings)
    }
}

impl Basis {
    fn of(settings: &Settings) -> Basis {
        let interface = settings.pair.as_ref().map(|pair| pair.ha_link.interface.clone());
        Basis {
            name: settings.name.clone(),
            profile: settings.profile_digest,
            translator: settings.translator().fingerprint(),
            peer: settings.peer.as_ref().map(Peer::digests).unwrap_or_default(),
            own: settings.own,
            designation: settings.designation(),
            interface,
            pair_id: settings.pair.as_ref().map(|pair| pair.pair_id),
        }
    }
}

/// One that is down says that it has none; of one that is not there nothing is known.
fn has_carrier(sys: &Path, interface: &str) -> bool {
    match std::fs::read_to_string(sys.join("class/net").join(interface).join("carrier")) {
        Ok(text) => text.trim() == "1",
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Calls out on the HA link, paired or not.
fn finder(node: &Node, settings: &Settings) -> Result<Option<Arc<Finder>>, NodeError> {
    let Some(pair) = &settings.pair else { return Ok(None) };
    let interface = &pair.ha_link.interface;
    let said = node.announcement_of(settings, interface).map_err(NodeError::Identity)?;
    let peer = settings.peer.as_ref().map(Peer::digests).unwrap_or_default();
    Ok(Some(Arc::new(Finder::start(interface, Some(said), peer))))
}

/// The link of a paired node.
fn link(
    node: &Node,
    settings: &Settings,
    finder: Option<&Finder>,
    telling: &mut JoinSet<()>,
) -> Result<Option<Arc<Link>>, NodeError> {
    let (Some(peer), Some(pair), Some(finder)) = (&settings.peer, &settings.pair, finder) else {
        return Ok(None);
    };
    let Some(designation) = settings.designation() else { return Ok(None) };
    let config = LinkConfig {
        identity: Identity::load_or_create(&node.root).map_err(NodeError::Identity)?,
        peer: peer.clone(),
        dials: designation == Designation::Primary,
        node: settings.name.clone(),
        interface: pair.ha_link.interface.clone(),
        port: PORT,
        addresses: tell_addresses(finder, peer.digests(), telling),
    };
    Link::open(config).map(|link| Some(Arc::new(link))).map_err(NodeError::Link)
}
