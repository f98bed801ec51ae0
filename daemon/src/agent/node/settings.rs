//! What the agent reads of its own settings: node.toml, pair.toml, the profile and what
//! pairing left. Each may be absent; a node that was never paired has a profile and a name
//! and nothing else. Read as a whole whenever something changed.

use std::path::Path;

use twinwall_core::config::{Interface, Node, Pair, Problem};
use twinwall_core::ids::Designation;

use crate::agent::api::error::Refusal;
use crate::agent::digest::Digest;
use crate::agent::engine::state::Rules;
use crate::agent::identity::Identity;
use crate::agent::identity::peer::{Peer, read_peer};
use crate::agent::pairing::NOT_PAIRED;
use crate::agent::profile::{FILE, Profile, REFERENCE, REFERENCE_NAME, parse_profile};
use crate::agent::translate::{AddressPair, Translator};
use crate::files;

/// All of it, as far as it is right.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This node's name: as node.toml says, else the machine's.
    pub name: String,
    /// node.toml.
    pub node: Option<Node>,
    /// pair.toml.
    pub pair: Option<Pair>,
    /// What the sections are made of.
    pub profile: Profile,
    /// Tells two profiles apart.
    pub profile_digest: Digest,
    /// What the other node proves; none before pairing.
    pub peer: Option<Peer>,
    /// The digest of this node's own certificate, where that is read: on a paired node.
    pub own: Option<Digest>,
    /// What is wrong, as it is shown. Files that are absent are no problem here.
    pub problems: Vec<Problem>,
}

impl Settings {
    /// Reads everything at the agent's start: a paired node whose identity is gone gets
    /// another one, which the other node does not take, and says so.
    pub fn begin(root: &Path) -> Settings {
        let settings = Settings::read(root);
        if settings.peer.is_none() || settings.own.is_some() {
            return settings;
        }
        // Why none can be made, the link says.
        match Identity::load_or_create(root) {
            Ok(_) => Settings::read(root),
            Err(_) => settings,
        }
    }

    /// Reads everything below `root`. A profile that is wrong is a problem, and the one
    /// that is built in holds until it is right: synchronisation stays off meanwhile.
    pub fn read(root: &Path) -> Settings {
        let mut problems = Vec::new();
        let read = files::read_settings(root);
        let present = |problem: &Problem| problem.wrong != files::MISSING;
        problems.extend(read.problems.into_iter().filter(present));
        let (profile, profile_digest) = profile(root, &mut problems);
        let peer = read_peer(root).unwrap_or_else(|error| {
            let path = root.join(crate::agent::identity::DIRECTORY);
            let wrong = error.to_string();
            problems.push(files::problem(&path, wrong, "pair the nodes again".to_owned()));
            None
        });
        let own = peer.as_ref().and_then(|_| Identity::load(root).ok()?);
        let own = own.map(|identity| identity.certificate().digest());
        let name = read.node.as_ref().map(|node| node.name.clone()).unwrap_or_else(machine_name);
        let (node, pair) = (read.node, read.pair);
        Settings { name, node, pair, profile, profile_digest, peer, own, problems }
    }

    /// This node's fixed part in the pair.
    pub fn designation(&self) -> Option<Designation> {
        self.node.as_ref().map(|node| node.designation)
    }

    /// For orders that need the other node.
    ///
    /// # Errors
    /// That there is none, and how to pair.
    pub fn demand_pair(&self) -> Result<(), Refusal> {
        let none = || Refusal::conflict(NOT_PAIRED);
        self.peer.as_ref().map(drop).ok_or_else(none)
    }

    /// Whether high availability is on, as far as settings go.
    pub fn is_enabled(&self) -> bool {
        let on = self.pair.as_ref().is_some_and(|pair| pair.enabled);
        on && self.node.is_some() && self.peer.is_some()
    }

    /// What they say about synchronisation.
    pub fn rules(&self) -> Rules {
        let right = self.problems.is_empty();
        let sync = self.pair.as_ref().map(|pair| pair.sync).unwrap_or_default();
        Rules {
            paired: self.peer.is_some(),
            enabled: right && self.is_enabled(),
            automatic: sync.automatic,
            debounce: sync.debounce,
        }
    }

    /// Between this node's addresses and canonical content.
    pub fn translator(&self) -> Translator {
        let (Some(pair), Some(own)) = (&self.pair, self.designation()) else {
            return Translator::default();
        };
        let pairs = pair.interfaces.iter().flat_map(|interface| address_pairs(interface, own));
        // Settings that were checked hold each address once, and families in pairs; where
        // they do not, nothing is translated rather than something wrong.
        Translator::new(pairs.collect()).unwrap_or_default()
    }
}

/// The first address of a family stands for the other node's first of that family.
fn address_pairs(interface: &Interface, own: Designation) -> Vec<AddressPair> {
    let of = |designation: Designation, four: bool| {
        let own = interface.own(designation).iter();
        own.map(|prefix| prefix.address).filter(move |address| address.is_ipv4() == four)
    };
    let both = |four| of(own, four).zip(of(own.other(), four));
    let pairs = both(true).chain(both(false));
    pairs.map(|(own, peer)| AddressPair { interface: interface.name.clone(), own, peer }).collect()
}

fn profile(root: &Path, problems: &mut Vec<Problem>) -> (Profile, Digest) {
    let own = root.join(FILE);
    if own.exists() {
        let read = files::read(&own, "name a file that is there", |name, text| {
            parse_profile(name, text).map(|profile| (profile, Digest::of(text.as_bytes())))
        });
        match read {
            Ok(profile) => return profile,
            Err(errors) => problems.extend(errors.problems),
        }
    }
    let built_in = parse_profile(REFERENCE_NAME, REFERENCE);
    let built_in = built_in.expect("the profile that is built in is right: a test reads it");
    (built_in, Digest::of(REFERENCE.as_bytes()))
}

fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}
