//! What a node is in the middle of: a claim, a handover, its leaving, an answer
//! that it owes. Plain values; the steps are in the files beside.

use serde::{Deserialize, Serialize};

use crate::beat::Leaving;
use crate::ids::{Epoch, PathId};
use crate::note::Reason;
use crate::time::Moment;

/// Carrying out a claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) epoch: Epoch,
    pub(super) reason: Reason,
    pub(super) opened: bool,
    pub(super) links_checked: bool,
    pub(super) since: Moment,
    /// Next try to open the gate.
    pub(super) open_at: Moment,
}

/// Offering the role to the peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Handover {
    pub(super) epoch: Epoch,
    pub(super) reason: Reason,
    pub(super) since: Moment,
}

/// An answer that is owed to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Answer {
    /// On a path that brought our last beat to it, if there is one.
    OnOne(Option<PathId>),
    /// Everywhere: it asked.
    OnAllPaths,
}

/// Going away for good.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Leave {
    pub(super) why: Leaving,
    pub(super) since: Moment,
    pub(super) goodbyes: u8,
    pub(super) next: Moment,
}
