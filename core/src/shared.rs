//! What two lists of interfaces have in common. For some seconds of a reload the
//! nodes' lists differ, and with them the numbers of paths and interfaces: what
//! the peer says is brought to our own numbers here, by the names' tags.
//!
//! Called by `peer`; looks at no time and decides nothing.

use serde::{Deserialize, Serialize};

use crate::beat::{Beat, PathHeard};
use crate::config::Pair;
use crate::ids::{InterfaceId, MAX_PATHS, NameTag, PathId};

/// What the peer says of its list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Theirs {
    list: NameTag,
    /// Interface and health of each of its paths, by its numbers.
    paths: [(NameTag, bool); MAX_PATHS],
}

impl Theirs {
    pub(crate) fn of(beat: &Beat) -> Theirs {
        Theirs { list: beat.list, paths: beat.heard.map(|path| (path.interface, path.healthy)) }
    }

    fn of_tag(&self, tag: NameTag) -> Option<bool> {
        let known = |(theirs, _): &&(NameTag, bool)| *theirs == tag && tag != NameTag::NONE;
        self.paths.iter().find(known).map(|(_, healthy)| *healthy)
    }
}

/// Our own list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Lists {
    own: NameTag,
    tags: [NameTag; MAX_PATHS],
    interfaces: [Option<InterfaceId>; MAX_PATHS],
}

impl Lists {
    pub(crate) fn new(pair: &Pair) -> Lists {
        Lists { own: pair.list_tag(), tags: pair.path_tags(), interfaces: pair.path_interfaces() }
    }

    pub(crate) fn own(&self) -> NameTag {
        self.own
    }

    /// Tag of the interface behind a path.
    pub(crate) fn tag(&self, path: usize) -> NameTag {
        self.tags[path]
    }

    /// Bit of the interface behind a path; none for the HA link.
    pub(crate) fn bit(&self, path: usize) -> u64 {
        self.interfaces[path].map_or(0, InterfaceId::bit)
    }

    /// Our path over the interface with this tag.
    pub(crate) fn path_of(&self, tag: NameTag) -> Option<PathId> {
        let index = self.tags.iter().position(|own| *own == tag && tag != NameTag::NONE)?;
        Some(PathId(index as u8))
    }

    /// What the peer heard on each of our paths: nothing where it has no such path.
    pub(crate) fn align(&self, heard: &[PathHeard; MAX_PATHS]) -> [PathHeard; MAX_PATHS] {
        std::array::from_fn(|path| {
            let tag = self.tags[path];
            if tag == NameTag::NONE {
                return PathHeard::default();
            }
            // Mostly the numbers are the same.
            let mut theirs = heard[path..].iter().chain(&heard[..path]);
            theirs.find(|entry| entry.interface == tag).copied().unwrap_or_default()
        })
    }

    /// Whether the peer has this path of ours.
    pub(crate) fn shares(&self, path: PathId, theirs: &Theirs) -> bool {
        theirs.of_tag(self.tags[path.index()]).is_some()
    }

    /// The interfaces that both watch: all where the lists are equal, else those whose
    /// names travel, the paths'.
    pub(crate) fn comparable(&self, theirs: &Theirs) -> u64 {
        if self.same(theirs) {
            return u64::MAX;
        }
        let shared = |path: &usize| theirs.of_tag(self.tags[*path]).is_some();
        (0..MAX_PATHS).filter(shared).fold(0, |mask, path| mask | self.bit(path))
    }

    /// The peer's healthy interfaces by our numbers.
    pub(crate) fn healthy(&self, raw: u64, theirs: &Theirs) -> u64 {
        if self.same(theirs) {
            return raw;
        }
        let healthy = |path: &usize| theirs.of_tag(self.tags[*path]) == Some(true);
        (0..MAX_PATHS).filter(healthy).fold(0, |mask, path| mask | self.bit(path))
    }

    fn same(&self, theirs: &Theirs) -> bool {
        theirs.list == self.own
    }
}
