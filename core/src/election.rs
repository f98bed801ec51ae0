//! Question 2: who should serve, and why. A pure function of what is true; it
//! remembers nothing and moves nothing.

use std::cmp::Reverse;

use crate::beat::{Fitness, RoleWord};
use crate::ids::Designation;
use crate::note::Reason;
use crate::peer::{Phase, Said};

/// All that the election looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) role: RoleWord,
    pub(crate) designation: Designation,
    /// Healthy interfaces among those that the two nodes can compare.
    pub(crate) own: Fitness,
    /// The same of the peer.
    pub(crate) peer_links: u32,
    pub(crate) unreached: Unreached,
    /// Interfaces are watched and none has carrier.
    pub(crate) cut_off: bool,
    /// No path has carrier.
    pub(crate) isolated: bool,
    pub(crate) phase: Phase,
    pub(crate) said: Option<&'a Said>,
    /// The peer's run began after ours and it serves no more.
    pub(crate) peer_restarted: bool,
    /// The early claim's evidence is complete.
    pub(crate) evidence: bool,
    /// The peer asks this node to take over.
    pub(crate) handed_over: bool,
    /// This node's claim outranks the peer's.
    pub(crate) outranks: bool,
    /// No targets are configured, or one answered since the peer fell silent.
    pub(crate) targets: bool,
    pub(crate) leaving: bool,
    pub(crate) switchover: bool,
    pub(crate) failback: bool,
    /// A planned move is due and waits for the peer's connections.
    pub(crate) waits: bool,
}

/// Gateways that do not answer, of those of which both nodes can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unreached {
    /// This node.
    pub(crate) own: u32,
    /// The peer.
    pub(crate) peer: u32,
}

/// Who should serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// This node.
    Serve(Reason),
    /// The peer, which is able to; hand over.
    HandOver(Reason),
    /// Not this node, at once.
    Stop(Reason),
    /// Not this node.
    Stay(Reason),
}

impl Verdict {
    pub(crate) const fn reason(self) -> Reason {
        match self {
            Verdict::Serve(reason)
            | Verdict::HandOver(reason)
            | Verdict::Stop(reason)
            | Verdict::Stay(reason) => reason,
        }
    }
}

/// Decides.
pub(crate) fn elect(view: &View<'_>) -> Verdict {
    if view.role == RoleWord::Active { elect_serving(view) } else { elect_waiting(view) }
}

/// The reason for which a node must not serve whatever the peer does.
fn objection(own: Fitness) -> Option<Reason> {
    if own.maintenance {
        Some(Reason::Maintenance)
    } else if own.never_synchronised {
        Some(Reason::NeverSynchronised)
    } else if own.check_failed {
        Some(Reason::CheckFailed)
    } else {
        None
    }
}

fn elect_serving(view: &View<'_>) -> Verdict {
    let able = peer_can_take(view);
    if view.leaving {
        return if able {
            Verdict::HandOver(Reason::Leaving)
        } else {
            Verdict::Stop(Reason::Leaving)
        };
    }
    if view.isolated && view.cut_off {
        return Verdict::Stop(Reason::Isolated);
    }
    if !able {
        return Verdict::Serve(Reason::Serving);
    }
    if view.peer_links > view.own.links() {
        return Verdict::HandOver(Reason::PeerHasMoreLinks);
    }
    if view.peer_links == view.own.links() {
        let maintenance = view.own.maintenance && !view.waits;
        if let Some(reason) = objection(Fitness { maintenance, ..view.own }) {
            return Verdict::HandOver(reason);
        }
        if view.unreached.peer < view.unreached.own && peer_is_ready(view) {
            return Verdict::HandOver(Reason::PeerReachesMore);
        }
        if view.waits {
            return Verdict::Serve(Reason::AwaitsConnections);
        }
        if view.switchover && peer_is_ready(view) {
            return Verdict::HandOver(Reason::Switchover);
        }
        if view.failback {
            return Verdict::HandOver(Reason::Failback);
        }
    }
    Verdict::Serve(Reason::Serving)
}

/// Whether the peer's own addresses can be used: what is no need waits for that.
fn peer_is_ready(view: &View<'_>) -> bool {
    view.said.is_some_and(|said| !said.fitness.unready)
}

/// Whether the peer is there, able, and does not serve itself.
fn peer_can_take(view: &View<'_>) -> bool {
    let heard = matches!(view.phase, Phase::Alive | Phase::Doubted);
    heard
        && view.said.is_some_and(|said| {
            said.fitness.eligible() && !matches!(said.role, RoleWord::Active | RoleWord::Releasing)
        })
}

fn elect_waiting(view: &View<'_>) -> Verdict {
    if view.leaving {
        return Verdict::Stay(Reason::Leaving);
    }
    if let Some(reason) = objection(view.own) {
        return Verdict::Stay(reason);
    }
    if view.isolated || view.cut_off {
        return Verdict::Stay(Reason::Isolated);
    }
    match view.phase {
        Phase::NeverHeard => Verdict::Stay(Reason::Starting),
        Phase::Silent | Phase::Left if !view.targets => Verdict::Stay(Reason::TargetsSilent),
        Phase::Silent => Verdict::Serve(Reason::PeerSilent),
        Phase::Left => Verdict::Serve(Reason::PeerLeft),
        Phase::Alive | Phase::Doubted if view.evidence => Verdict::Serve(Reason::PeerPoweredOff),
        Phase::Alive | Phase::Doubted => {
            view.said.map_or(Verdict::Stay(Reason::Starting), |said| beside(view, said))
        }
    }
}

/// The peer is heard: does it leave anything to do?
fn beside(view: &View<'_>, said: &Said) -> Verdict {
    let worse = view.own.links() < view.peer_links && said.fitness.eligible();
    match said.role {
        RoleWord::Active | RoleWord::Releasing if view.handed_over && !worse => {
            Verdict::Serve(Reason::PeerHandsOver)
        }
        RoleWord::Active | RoleWord::Releasing => Verdict::Stay(Reason::PeerServes),
        RoleWord::Claiming if !view.outranks => Verdict::Stay(Reason::PeerServes),
        RoleWord::Claiming | RoleWord::Passive | RoleWord::Starting if preferred(view, said) => {
            Verdict::Serve(if view.peer_restarted {
                Reason::PeerRestarted
            } else {
                Reason::NobodyServed
            })
        }
        RoleWord::Claiming | RoleWord::Passive | RoleWord::Starting => {
            Verdict::Stay(Reason::PeerPreferred)
        }
    }
}

/// Nobody serves: whether this node is the better one. A node that has just
/// started loses a tie, so that a crash loop never takes the role back.
fn preferred(view: &View<'_>, said: &Said) -> bool {
    if !said.fitness.eligible() {
        return true;
    }
    let own_started = view.role == RoleWord::Starting;
    let peer_started = said.role == RoleWord::Starting;
    let own = (view.own.links(), Reverse(view.unreached.own), !own_started);
    let peer = (view.peer_links, Reverse(view.unreached.peer), !peer_started);
    // A claim under way wins a tie, else two equals would pass the role to and fro.
    let wins_tie = view.role == RoleWord::Claiming || view.designation == Designation::Primary;
    if own == peer { wins_tie } else { own > peer }
}

#[cfg(test)]
mod tests;
