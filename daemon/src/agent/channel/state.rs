//! How the link is, for the engine, the pages and the readiness answer.

use std::fmt;

use serde::Serialize;

use super::hello::Greeting;
use super::{DEAD_AFTER, Stream};

/// How the link is now. A copy; the newest comes from [`super::Link::state`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinkState {
    /// The peer as it introduced itself last.
    pub peer: Option<Greeting>,
    /// In the order of [`Stream::ALL`].
    pub streams: [StreamState; 5],
    /// Why the streams that are down are down, as far as this node can tell.
    pub trouble: Option<Trouble>,
}

impl LinkState {
    /// Whether the agents can talk at all.
    pub fn is_up(&self) -> bool {
        self.of(Stream::Control) == StreamState::Up
    }

    /// How a stream is.
    pub fn of(&self, stream: Stream) -> StreamState {
        self.streams[stream.index()]
    }
}

/// How one stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamState {
    /// Not connected; it is being tried.
    #[default]
    Down,
    /// Connected.
    Up,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Trouble {
    /// The HA link's interface has no carrier.
    NoCarrier {
        /// Its name.
        interface: String,
    },
    /// No address of the peer is known, or it says nothing any more.
    NotHeard,
    /// The peer's address does not take the connection.
    Unreachable {
        /// Where.
        address: String,
        /// The system's answer.
        error: String,
    },
    /// What answers is not the node of this pair, or does not take us for it.
    NotThePeer {
        /// Where.
        address: String,
        /// What TLS says.
        error: String,
    },
    /// The other end's version or greeting does not suit.
    Refused {
        /// Why.
        error: String,
    },
    /// The last connection ended.
    Lost {
        /// Which.
        stream: Stream,
        /// Why.
        error: String,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::NoCarrier { interface } => write!(
                out,
                "the HA link {interface} has no carrier; look at its cable, and whether the other \
                 node is on and has its end up"
            ),
            Trouble::NotHeard => out.write_str(
                "the other agent is not heard on the HA link; look at the cable, and whether \
                 twinwall runs there",
            ),
            Trouble::Unreachable { address, error } => write!(
                out,
                "{address} does not take the connection: {error}; let the packet filters of both \
                 nodes pass this port on the HA link"
            ),
            Trouble::NotThePeer { address, error } => write!(
                out,
                "the machine at {address} is not the other node of this pair ({error}); if it \
                 was replaced or unpaired, pair again"
            ),
            Trouble::Refused { error } => out.write_str(error),
            Trouble::Lost { stream, error } => write!(
                out,
                "the {stream} connection ended: {error}; it is tried again (a dead peer is \
                 noticed after {} s)",
                DEAD_AFTER.as_secs()
            ),
        }
    }
}
