//! How able the two nodes are, in what both watch: their lists of interfaces may
//! differ for some seconds of a reload, and then a longer one is no better.

use crate::beat::{Fitness, Gateways};
use crate::election::Unreached;

use super::Core;

impl Core {
    /// Interfaces whose health counts between the two nodes: both watch them, and know them.
    pub(super) fn comparable(&self) -> u64 {
        self.peer.comparable() & !self.health.fresh()
    }

    /// This node's fitness in the interfaces that can be compared.
    pub(super) fn own_compared(&self) -> Fitness {
        let own = self.health.fitness(self.serving());
        Fitness { healthy: own.healthy & self.comparable(), ..own }
    }

    /// Healthy interfaces of the peer among those that can be compared.
    pub(super) fn peer_links(&self) -> u32 {
        let healthy = self.peer.fitness().map_or(0, |peer| peer.healthy);
        (healthy & self.comparable()).count_ones()
    }

    /// Gateways that do not answer this node, and the peer, of those of which both can tell.
    /// Under different settings their numbers mean others.
    pub(super) fn unreached(&self) -> Unreached {
        let own = self.health.fitness(self.serving()).gateways;
        let peer = self.peer.said.as_ref().map_or(Gateways::default(), |it| it.fitness.gateways);
        let among = if self.same_settings { own.told & peer.told } else { 0 };
        Unreached { own: own.unreached(among), peer: peer.unreached(among) }
    }

    /// Whether the peer reaches fewer gateways than this node.
    pub(super) fn peer_reaches_fewer(&self) -> bool {
        let Unreached { own, peer } = self.unreached();
        peer > own
    }

    /// Whether the peer has fewer healthy interfaces than this node.
    pub(super) fn peer_has_fewer(&self) -> bool {
        self.peer_links() < self.own_compared().links()
    }
}
