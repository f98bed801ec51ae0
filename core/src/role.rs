//! Question 3: which role follows. The whole machine is the table in [`next`].
//!
//! ```text
//!             heard the peer              claim                served
//!  Starting ────────────────► Passive ───────────► Claiming ───────────► Active
//!      │  claim                 ▲ ▲ ▲                 │                    │ │
//!      └────────────────────────┼─┼─┼───► Claiming    │ refused, yield     │ │ release
//!                               │ │ └─────────────────┘                    │ ▼
//!                               │ └────────────────────── yield ───────────┘ Releasing
//!                               └──────────────── forward ended, yield ──────┘
//! ```

use crate::beat::RoleWord;

/// What can move the role. Each is a conclusion of the core, never a raw event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// The peer spoke in this run.
    HeardPeer,
    /// The election says that this node should serve.
    Claim,
    /// Gate open and addresses applied.
    Served,
    /// The claim cannot be carried out or is no longer right.
    Refused,
    /// A planned move: the peer is ready to take over.
    Release,
    /// Stop at once: the right to serve is gone.
    Yield,
    /// The time of forwarding without answering is over.
    ForwardEnded,
}

/// Every input, for tests and tables.
pub const INPUTS: [Input; 7] = [
    Input::HeardPeer,
    Input::Claim,
    Input::Served,
    Input::Refused,
    Input::Release,
    Input::Yield,
    Input::ForwardEnded,
];

/// Every role, for tests and tables.
pub const ROLES: [RoleWord; 5] = [
    RoleWord::Starting,
    RoleWord::Passive,
    RoleWord::Claiming,
    RoleWord::Active,
    RoleWord::Releasing,
];

/// The role after `input`, the same one where the input means nothing.
pub const fn next(role: RoleWord, input: Input) -> RoleWord {
    use Input::{Claim, ForwardEnded, HeardPeer, Refused, Release, Served, Yield};
    use RoleWord::{Active, Claiming, Passive, Releasing, Starting};
    match (role, input) {
        (Starting, HeardPeer | Yield) => Passive,
        (Starting, Claim) => Claiming,
        (Starting, Served | Refused | Release | ForwardEnded) => Starting,
        (Passive, Claim) => Claiming,
        (Passive, HeardPeer | Served | Refused | Release | Yield | ForwardEnded) => Passive,
        (Claiming, Served) => Active,
        (Claiming, Refused | Yield | Release) => Passive,
        (Claiming, HeardPeer | Claim | ForwardEnded) => Claiming,
        (Active, Release) => Releasing,
        (Active, Yield) => Passive,
        (Active, HeardPeer | Claim | Served | Refused | ForwardEnded) => Active,
        (Releasing, ForwardEnded | Yield) => Passive,
        // The peer died while it took over: no need to wait for the end of forwarding.
        (Releasing, Claim) => Claiming,
        (Releasing, HeardPeer | Served | Refused | Release) => Releasing,
    }
}

/// Whether a node in this role may hold VIPs (invariant S3).
pub const fn may_hold_addresses(role: RoleWord) -> bool {
    match role {
        RoleWord::Claiming | RoleWord::Active | RoleWord::Releasing => true,
        RoleWord::Starting | RoleWord::Passive => false,
    }
}
