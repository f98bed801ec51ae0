//! The channel between the two agents: a TLS connection each for control,
//! configuration, flows, logs and reports, so that a log never delays a flow. The engine opens it
//! with what pairing left; it carries frames and decides nothing about their content.
//!
//! - **Who dials.** The primary; the secondary listens,
//!   on the HA link only. Both go on for ever, whichever restarts.
//! - **Lost connections.** The engine gets a new [`Connection`] with
//!   [`Link::connection`]; what was queued in the old one and not yet read by the peer is
//!   lost, so each protocol above begins anew with each connection.
//! - **A slow or dead peer.** [`Sender::send`] never waits. A queue holds [`QUEUE_BYTES`];
//!   when it is full the frame comes back and the caller decides. A peer that says
//!   nothing for [`DEAD_AFTER`] is dead: the connection ends and is dialled again. Where this
//!   node's guard sees that the HA link lost its carrier, [`Link::cut`] ends them all at once.

mod accept;
mod connection;
mod dial;
mod frame;
mod hello;
mod link;
mod pump;
mod queue;
mod socket;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use connection::{Connection, End, Receiver, SendError, Sender};
pub use frame::{FrameError, FrameKind, decode_header};
pub use hello::{Greeting, HelloError, VERSIONS, Versions, decode_greeting};
pub use link::{Arrivals, Link, LinkConfig, LinkError};
pub use state::{LinkState, StreamState, Trouble};

/// TCP port on the HA link.
pub const PORT: u16 = 8856;
/// Longest frame in bytes. Larger contents are cut into several.
pub const MAX_FRAME: usize = 1 << 20;
/// What one queue holds, in bytes: so much of the peer's or our own slowness is
/// forgiven for each stream and direction.
pub const QUEUE_BYTES: usize = 8 << 20;
/// How often each end says that it lives, on each connection.
pub const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// Silence after which the other end counts as dead: several keep-alives, so that a
/// machine under load is not taken for one.
pub const DEAD_AFTER: Duration = Duration::from_secs(4);
/// How long the handshakes of one connection may take in all.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(5);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Orders, states, requests and answers; small.
    Control,
    /// Manifests and contents of sections.
    Configuration,
    /// Connection tracking.
    Flows,
    /// Logs.
    Logs,
    /// Reports, leases, history: what one node asks of the other's files.
    Reports,
}

impl Stream {
    /// All of them.
    pub const ALL: [Stream; 5] =
        [Stream::Control, Stream::Configuration, Stream::Flows, Stream::Logs, Stream::Reports];

    /// Place in a table of all streams.
    pub(crate) const fn index(self) -> usize {
        match self {
            Stream::Control => 0,
            Stream::Configuration => 1,
            Stream::Flows => 2,
            Stream::Logs => 3,
            Stream::Reports => 4,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Stream::Control => "control",
            Stream::Configuration => "configuration",
            Stream::Flows => "flows",
            Stream::Logs => "logs",
            Stream::Reports => "reports",
        })
    }
}
