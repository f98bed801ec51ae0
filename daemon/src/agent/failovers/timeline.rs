//! Events of both nodes on one time line: for the events page, and for reports.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twinwall_core::note::What;

use super::{Entry, Inside};

/// Events on a page at the most.
pub const MAX_PAGE: usize = 200;
/// Events on a page, where nothing is said.
const PAGE: usize = 50;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The role: claimed, taken, handed over, given up.
    Role,
    /// Cables and paths.
    Link,
    /// A node: heard, in doubt, silent, started, gone.
    Node,
    /// Checks, readiness, maintenance, interfaces that are held back.
    Health,
    /// Settings, protections, refused orders.
    System,
}

impl EventKind {
    /// All of them.
    pub const ALL: [EventKind; 5] =
        [EventKind::Role, EventKind::Link, EventKind::Node, EventKind::Health, EventKind::System];

    /// Its name in the API.
    pub fn id(self) -> &'static str {
        match self {
            EventKind::Role => "role",
            EventKind::Link => "link",
            EventKind::Node => "node",
            EventKind::Health => "health",
            EventKind::System => "system",
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            EventKind::Role => "Role",
            EventKind::Link => "Links and paths",
            EventKind::Node => "Nodes",
            EventKind::Health => "Health",
            EventKind::System => "System",
        }
    }

    /// Of an event; what only a newer release knows is the system's.
    pub(super) fn of(what: Option<&What>) -> EventKind {
        let Some(what) = what else { return EventKind::System };
        match what {
            What::Role { .. }
            | What::HandoverAsked { .. }
            | What::HandoverGivenUp { .. }
            | What::MoveWaits { .. }
            | What::GateRefused { .. }
            | What::Addresses { .. }
            | What::TwoActive { .. } => EventKind::Role,
            What::Link { .. }
            | What::HaCarrier { .. }
            | What::ReadFirst { .. }
            | What::PathHeard { .. }
            | What::PathSilent { .. }
            | What::CableIsDirect { .. } => EventKind::Link,
            What::Started { .. }
            | What::PeerUp { .. }
            | What::PeerDoubted { .. }
            | What::DoubtEnded
            | What::PeerSilent { .. }
            | What::EvidenceRound { .. }
            | What::KernelLives { .. }
            | What::PeerLeft { .. }
            | What::Late { .. } => EventKind::Node,
            What::Held { .. }
            | What::HoldEnded { .. }
            | What::Check { .. }
            | What::Ready { .. }
            | What::MaintenanceOn { .. }
            | What::MaintenanceOff { .. } => EventKind::Health,
            What::Refused(_)
            | What::SettingsDiffer { .. }
            | What::Restored { .. }
            | What::Protection { .. }
            | What::Reloaded => EventKind::System,
        }
    }
}

/// Which events.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// `here` or `there`: of one node only.
    pub node: Option<Whose>,
    /// Of one kind only.
    pub kind: Option<EventKind>,
    /// Only those before this moment (microseconds since 1970, UTC): to page back.
    pub before_us: Option<u64>,
    /// At most so many, the newest of them; 50 where nothing is said.
    pub last: Option<usize>,
}

/// Whose events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// This node's.
    Here,
    /// The other one's.
    There,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ToldEvent")]
pub struct Told {
    /// Whose.
    pub node: Whose,
    /// When, in microseconds since 1970 (UTC) by this node's clock.
    pub unix_us: u64,
    /// What it is about.
    pub kind: EventKind,
    /// In words.
    pub text: String,
}

/// Events of both nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TwoNodes {
    /// This node's name.
    pub here: String,
    /// The other node's name; none before it said one.
    pub there: Option<String>,
    /// Until when the other node's events are known, in milliseconds since 1970 (UTC); none
    /// where it was not reached since this agent started.
    pub there_until_ms: Option<u64>,
    /// The events, the newest first.
    pub events: Vec<Told>,
    /// Whether older ones are kept that were asked for and are not here.
    pub older: bool,
}

/// An event with its moment on this node's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<'a> {
    pub(super) here: bool,
    pub(super) us: i64,
    pub(super) entry: &'a Entry,
}

/// All events of both nodes in the order of time. Events of one node keep their order.
pub(super) fn merged(inside: &Inside) -> Vec<Placed<'_>> {
    let clock = inside.reports.clock();
    let here = inside.here.entries().iter().map(|entry| Placed {
        here: true,
        us: i64::try_from(entry.unix_us).unwrap_or(i64::MAX),
        entry,
    });
    // Where the clocks were never compared, they are taken for equal, and reports say so.
    let there = inside.there.entries().iter().map(|entry| Placed {
        here: false,
        us: clock.map_or_else(
            || i64::try_from(entry.unix_us).unwrap_or(i64::MAX),
            |clock| clock.here(entry.unix_us),
        ),
        entry,
    });
    let mut all: Vec<Placed<'_>> = here.chain(there).collect();
    all.sort_by_key(|placed| placed.us);
    all
}

pub(super) fn of(inside: &Inside, name: &str, which: &Which) -> TwoNodes {
    let most = which.last.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let before = which.before_us.and_then(|us| i64::try_from(us).ok()).unwrap_or(i64::MAX);
    let is_asked_for = |placed: &Placed<'_>| {
        placed.us < before
            && which.node.is_none_or(|whose| (whose == Whose::Here) == placed.here)
            && which.kind.is_none_or(|kind| EventKind::of(placed.entry.what.as_ref()) == kind)
    };
    let all: Vec<Placed<'_>> = merged(inside).into_iter().rev().filter(is_asked_for).collect();
    // Those of one moment stay together, so that the next page misses none.
    let mut end = most.min(all.len());
    while end > 0 && all.get(end).is_some_and(|next| next.us == all[end - 1].us) {
        end += 1;
    }
    TwoNodes {
        here: name.to_owned(),
        there: inside.reports.there().map(str::to_owned),
        there_until_ms: inside.asked_us.map(|us| us / 1000),
        events: all[..end].iter().map(told).collect(),
        older: all.len() > end,
    }
}

fn told(placed: &Placed<'_>) -> Told {
    Told {
        node: if placed.here { Whose::Here } else { Whose::There },
        unix_us: u64::try_from(placed.us).unwrap_or_default(),
        kind: EventKind::of(placed.entry.what.as_ref()),
        text: placed.entry.text.clone(),
    }
}
