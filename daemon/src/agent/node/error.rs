//! Why an agent cannot start, in words for whoever started it.

use std::fmt;
use std::io;

use crate::agent::apply::JournalError;
use crate::agent::channel::LinkError;
use crate::agent::engine::assemble::StartError;
use crate::agent::identity::IdentityError;
use crate::agent::settings::HistoryError;
use crate::agent::store::StoreError;

/// Why the agent cannot start.
#[derive(Debug)]
pub enum NodeError {
    /// The system's error and what was being done.
    Io(&'static str, io::Error),
    /// The store of versions.
    Store(StoreError),
    /// The journal of changes.
    Journal(JournalError),
    /// The engine.
    Engine(StartError),
    /// The HA settings' versions.
    Settings(HistoryError),
    /// This node's key.
    Identity(IdentityError),
    /// The link to the other node.
    Link(LinkError),
    /// A change was interrupted and could not be undone.
    Recovery(String),
}

impl fmt::Display for NodeError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeError::Io(doing, error) => write!(out, "{doing}: {error}"),
            NodeError::Store(error) => error.fmt(out),
            NodeError::Journal(error) => error.fmt(out),
            NodeError::Engine(error) => error.fmt(out),
            NodeError::Settings(error) => error.fmt(out),
            NodeError::Identity(error) => error.fmt(out),
            NodeError::Link(error) => error.fmt(out),
            NodeError::Recovery(why) => write!(
                out,
                "an interrupted change of the configuration could not be undone: {why}; mend that \
                 and start the agent again"
            ),
        }
    }
}

impl std::error::Error for NodeError {}
