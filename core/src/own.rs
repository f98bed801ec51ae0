//! Question 1, a part of this node's half: whether its own addresses can be used. A
//! node that has just got its carrier forwards no IPv6 for a second or two: its
//! kernel asks for no neighbour before its own link-local address was checked for
//! duplicates (RFC 4862, 5.4). In need that is no reason to wait, the other node is
//! gone; a planned move waits.
//!
//! Called by the core. Never makes a node unfit.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::event::{AddressTrouble, OwnTrouble};
use crate::ids::InterfaceId;

/// What the address thread saw last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Own {
    seen: Option<Vec<OwnTrouble>>,
}

impl Own {
    /// Takes in what is wrong now.
    pub(crate) fn seen(&mut self, troubles: Vec<OwnTrouble>) {
        self.seen = Some(troubles);
    }

    /// Follows a change of the list: `keep` has the old number of each interface.
    pub(crate) fn renumber(&mut self, keep: &[Option<usize>]) {
        let Some(seen) = &mut self.seen else { return };
        seen.retain_mut(|trouble| {
            let now = keep.iter().position(|old| *old == Some(trouble.interface.index()));
            if let Some(index) = now {
                trouble.interface = InterfaceId(index as u8);
            }
            now.is_some()
        });
    }

    /// Whether anybody looked yet.
    pub(crate) fn looked(&self) -> bool {
        self.seen.is_some()
    }

    /// What counts: where there is no carrier, the lost carrier says it all.
    pub(crate) fn troubles<'a>(
        &'a self,
        carrier: &'a dyn Fn(usize) -> bool,
    ) -> impl Iterator<Item = &'a OwnTrouble> {
        let seen = self.seen.iter().flatten();
        seen.filter(|trouble| carrier(trouble.interface.index()))
    }

    /// Why a planned move to this node must wait, each in a sentence.
    pub(crate) fn reasons(
        &self,
        carrier: &dyn Fn(usize) -> bool,
        name: &dyn Fn(usize) -> String,
    ) -> Vec<String> {
        if !self.looked() {
            return vec!["its own addresses were not looked at yet".to_owned()];
        }
        let sentence = |trouble: &OwnTrouble| trouble.what.on(&name(trouble.interface.index()));
        self.troubles(carrier).map(sentence).collect()
    }
}

impl AddressTrouble {
    /// In words, for this interface.
    pub fn on(&self, interface: &str) -> String {
        match self {
            AddressTrouble::Missing { address } => {
                format!("own address {address} is not on {interface}")
            }
            AddressTrouble::Checking { address } => {
                format!("{address} on {interface} is still being checked for duplicates")
            }
            AddressTrouble::Duplicate { address } => {
                format!("another station on {interface} has {address}")
            }
            AddressTrouble::NoLinkLocal => {
                format!("{interface} has no IPv6 link-local address (yet)")
            }
        }
    }

    /// Whether it does not end by itself.
    pub fn lasts(&self) -> bool {
        match self {
            AddressTrouble::Missing { .. } | AddressTrouble::Duplicate { .. } => true,
            AddressTrouble::Checking { .. } | AddressTrouble::NoLinkLocal => false,
        }
    }

    /// The address that it is about.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            AddressTrouble::Missing { address }
            | AddressTrouble::Checking { address }
            | AddressTrouble::Duplicate { address } => Some(*address),
            AddressTrouble::NoLinkLocal => None,
        }
    }
}
