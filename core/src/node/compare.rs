//! How able the two nodes are, in what both watch: their lists of interfaces may
//! differ for some seconds of a reload, and then a longer one is no better.

use crate::beat::Fitness;

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

    /// Whether the peer has fewer healthy interfaces than this node.
    pub(super) fn peer_has_fewer(&self) -> bool {
        self.peer_links() < self.own_compared().links()
    }
}
