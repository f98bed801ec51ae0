//! What the worker does for the engine: everything that touches files of the
//! configuration or waits for the other node. One errand at a time, so that a section
//! is never read in the middle of its change.

use std::collections::BTreeSet;

use super::message::Take;
use super::run::Restore;
use crate::agent::section::Section;

/// One errand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Read these sections from the disk.
    Read(BTreeSet<Section>),
    /// Take sections over from the other node.
    Take(Take),
    /// Put a version back.
    Restore(Restore),
}
