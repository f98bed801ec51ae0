//! What goes into the core and what comes out of it. Both lists are closed.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::beat::{Beat, Heard, Leaving};
use crate::ids::{Generation, InterfaceId, PathId, PathSet};
use crate::note::Note;
use crate::time::Moment;

/// Everything that can happen to a node. A recording is a list of these with their moments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The moment that [`Core::deadline`](crate::Core::deadline) named has come (or is past).
    Deadline,
    /// The node was kept from running for this long beyond its deadline (stopped,
    /// starved, virtual machine paused). Fed in before anything else that waited;
    /// until the next [`Event::Deadline`] the core only listens.
    Late {
        /// How much later than asked the node woke.
        by: Duration,
    },
    /// A new run of the peer was proved to live by a hello; it waits for a beat.
    Greeted,
    /// An authentic, fresh beat.
    Heard(Box<Heard>),
    /// Carrier of the interface behind a path other than by [`Event::Link`]: the HA link.
    HaCarrier {
        /// Whether there is carrier (and the interface is up).
        up: bool,
    },
    /// Carrier of an interface of `pair.toml`, watched or not. Repeats of the same state are harmless.
    Link {
        /// Which interface.
        interface: InterfaceId,
        /// Whether there is carrier (and the interface is up).
        up: bool,
    },
    /// All carriers were read after [`Output::CheckLinks`] asked for it; every
    /// difference was fed in before as `Link` or `HaCarrier`.
    LinksChecked,
    /// The HA link's other end was seen to be one machine only (or not): a frame of
    /// a third station was seen there, or one end had carrier while the other had none.
    CableIsDirect {
        /// Whether nothing speaks against a direct cable.
        direct: bool,
    },
    /// The peer's kernel answered ARP or neighbour solicitation for the peer's own address.
    KernelAnswered {
        /// Where.
        path: PathId,
    },
    /// A ping target answered.
    TargetAnswered {
        /// Index in the target list.
        target: u8,
    },
    /// What became of a wanted state.
    Applied {
        /// Which one; older ones than the newest are ignored.
        generation: Generation,
        /// How it went.
        outcome: Applied,
    },
    /// What became of a gate order; known at once, see [`Output::Gate`].
    GateAnswered {
        /// The order's number.
        order: GateOrder,
        /// Whether the kernel's table took it. `false` for a renewal means that the
        /// lease had run out; for an opening, that the arming had.
        took: bool,
    },
    /// Whether the node's kernel has a working gate at all.
    GateWorks {
        /// `false`: no nftables; addresses are the only gate.
        works: bool,
    },
    /// What keeps this node's own addresses from being used, in full, at the start and
    /// after each change; nothing when they are all there and usable. At most
    /// [`MAX_OWN_TROUBLES`]; the first ones are told.
    OwnAddresses {
        /// What is wrong.
        troubles: Vec<OwnTrouble>,
    },
    /// A readiness fact from the agent or a check.
    Fact(Fact),
    /// A connection over which an agent was there has ended. What is so only while an agent
    /// runs has to be said anew, by it or by the next one.
    AgentLeft,
    /// An order of the operator.
    Order(Order),
}

/// Troubles told in one [`Event::OwnAddresses`]: enough to act on, and a bound.
pub const MAX_OWN_TROUBLES: usize = 16;

/// One trouble with this node's own addresses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OwnTrouble {
    /// Where.
    pub interface: InterfaceId,
    /// What.
    pub what: AddressTrouble,
}

/// What keeps an own address from being used.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressTrouble {
    /// The node's own address of `pair.toml` is not on its interface.
    Missing {
        /// Which.
        address: IpAddr,
    },
    /// The kernel still asks whether another station has it (tentative).
    Checking {
        /// Which.
        address: IpAddr,
    },
    /// Another station has it; the kernel does not use it.
    Duplicate {
        /// Which.
        address: IpAddr,
    },
    /// An interface that carries IPv6 has no link-local address: its kernel cannot
    /// ask for neighbours there.
    NoLinkLocal,
}

/// How applying a wanted state went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// The kernel looks as wanted.
    Done,
    /// The kernel looked as wanted already: nothing was changed.
    Unchanged,
    /// Some addresses could not be set; `failed` of them.
    Partly {
        /// Addresses that the kernel refused.
        failed: u16,
    },
    /// Nothing could be done.
    Failed,
}

/// A statement on this node's readiness by a named check, true until it expires.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// Name of the check, at most 32 bytes of `[a-z0-9._-]`. `synchronised` and `flows` are
    /// the agent's; `flows` holds up planned moves only, and outlives the agent by a moment
    /// ([`Event::AgentLeft`]).
    pub name: String,
    /// Whether the check is content.
    pub good: bool,
    /// Why not, for people; at most [`MAX_REASON`] bytes.
    pub reason: String,
    /// How long the statement holds.
    pub holds: Duration,
}

/// Longest reason of a fact, in bytes.
pub const MAX_REASON: usize = 200;

impl Fact {
    /// The same with a reason that is not too long and moves no terminal's cursor.
    #[must_use]
    pub fn presentable(mut self) -> Fact {
        let fits = |end: &usize| self.reason.is_char_boundary(*end);
        let end = (0..=MAX_REASON.min(self.reason.len())).rev().find(fits);
        self.reason.truncate(end.unwrap_or(0));
        if self.reason.contains(char::is_control) {
            self.reason = self.reason.replace(char::is_control, " ");
        }
        self
    }
}

/// An operator's order, and the reaper's: what the core may be told to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Planned move of the active role to the other node.
    Switchover,
    /// Take this node out of service for a time.
    MaintenanceOn {
        /// It ends by itself after this long.
        lasts: Duration,
    },
    /// Put this node back into service.
    MaintenanceOff,
    /// Forget flaps: release held interfaces now.
    ClearDamping,
    /// The process shall end: hand over if somebody can take it, say goodbye, then [`Output::Stop`].
    Leave(Leaving),
}

/// What the core wants done. In the order given; none of it may block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Seal this beat and send it on these paths at once.
    Send {
        /// The paths.
        paths: PathSet,
        /// The beat.
        beat: Box<Beat>,
    },
    /// Change the kernel's gate now. The shell answers with [`Event::GateAnswered`]
    /// before it polls again.
    Gate(GateOrder),
    /// The wanted kernel state; only the newest counts.
    Want(Desired),
    /// Start the train of announcements for every VIP (or stop it).
    Announce {
        /// `true`: now, then after 0.1, 1, 2 and 5 s. `false`: stop at once.
        start: bool,
    },
    /// Ask the peer's *kernel* (ARP, neighbour solicitation) on these paths whether it lives.
    AskKernel {
        /// The paths.
        paths: PathSet,
    },
    /// Read every carrier now and answer with [`Event::LinksChecked`].
    CheckLinks,
    /// Ping every target once.
    PingTargets,
    /// Something worth telling.
    Note(Note),
    /// An order of the operator, or a fact, was refused; nothing changed.
    Refused(Refusal),
    /// The goodbye is said; the process may end.
    Stop,
}

/// Order to the kernel's gate, given by a marked packet to `lo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateOrder {
    /// Open both gates until `until`, if they may be opened at all: the shell arms,
    /// reads all sockets and the clock again, feeds what it found, and opens only
    /// if the core still says so ([`Core::may_open`](crate::Core::may_open)).
    Open {
        /// End of the lease on this node's clock.
        until: Moment,
    },
    /// Keep both gates open until `until`, if they still are.
    Renew {
        /// End of the lease on this node's clock.
        until: Moment,
    },
    /// Close the answering gate; forward until `until`.
    CloseAnswer {
        /// End of forwarding on this node's clock.
        until: Moment,
    },
    /// Close both.
    Close,
}

/// What the kernel must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Desired {
    /// Number of this state.
    pub generation: Generation,
    /// Whether the VIPs are on the interfaces.
    pub addresses: bool,
}

/// Why an order or a fact was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Switchover on a node that is not active; give it on the active.
    NotActive,
    /// The peer cannot be heard.
    PeerSilent,
    /// The peer is worse off: see its status.
    PeerNotFit,
    /// The peer would take over in need, but its own addresses cannot be used yet.
    PeerNotReady,
    /// Another move is under way.
    Busy,
    /// Maintenance that would leave nobody to serve.
    NobodyElse,
    /// As many facts hold as are kept.
    TooManyFacts,
}
