//! The first seconds after high availability was turned on, on the node that served alone:
//! gate and addresses stay as they are until the core opens the gate itself. Bounded by one
//! lease from the guard's start, in the kernel too: a peer that hears this guard at all may
//! claim by its silence only after that. It ends at once when the peer serves, and before
//! this node gives the peer leave to.

use twinwall_core::beat::{Beat, RoleWord};
use twinwall_core::ids::Epoch;

use super::Beats;
use crate::clock;

impl Beats {
    /// Before a beat goes out: the peer opens on the word of this node.
    pub(super) fn mind_grant(&mut self, beat: &Beat) {
        if self.parts.continues.is_some() && beat.grant > Epoch(0) {
            self.stop_continuing();
        }
    }

    /// After each event.
    pub(super) fn mind_peer(&mut self) {
        let Some(until) = self.parts.continues else { return };
        let now = clock::now();
        let peer_serves = match self.core.snapshot(now).peer.role {
            Some(RoleWord::Claiming | RoleWord::Active | RoleWord::Releasing) => true,
            Some(RoleWord::Starting | RoleWord::Passive) | None => false,
        };
        if peer_serves || now >= until {
            self.stop_continuing();
        }
    }

    /// The core's own lease stands in its place now.
    pub(super) fn gate_was_opened(&mut self) {
        self.parts.continues = None;
    }

    fn stop_continuing(&mut self) {
        self.parts.continues = None;
        self.parts.gate.close();
        self.parts.wanted.end_keep();
    }
}
