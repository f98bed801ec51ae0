//! What a kernel is to be told, and what came of it. Made by [`Mirror`](crate::mirror::Mirror)
//! and [`Source`](crate::source::Source), done by [`Conntrack`](crate::kernel::Conntrack).

use crate::expectation::Expectation;
use crate::flow::Flow;
use crate::neighbour::Neighbour;
use crate::tuple::{Key, Tuple};

/// One change of the kernel's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// The flow must be there so. The kernel does not have it, as far as is known.
    Create(Flow),
    /// The flow is there and goes the same way; everything else may have changed.
    Update(Flow),
    /// The flow is there, but goes another way: it is removed and made anew.
    Replace(Flow),
    /// The flow must not be there.
    Remove(Key),
    /// The flow, if it is there, is forgotten after so many seconds without packets.
    Timeout(Key, u32),
    /// The expectation must be there.
    Expect(Box<Expectation>),
    /// The expectation for packets like this, of this zone, must not be there.
    Unexpect(Tuple, u16),
}

/// What came of a [`Write`]: the error number that the kernel gave in the end, or nothing.
/// That something to be removed was not there is no error.
pub type Outcome = Result<(), i32>;

/// What is to be done, in this order; then say so with `finished`.
#[derive(Debug, Default)]
pub struct Work {
    /// For connection tracking.
    pub writes: Vec<Write>,
    /// For the neighbour tables.
    pub neighbours: Vec<Neighbour>,
    /// What it belongs to, for `finished`.
    pub(crate) about: About,
}

/// What a piece of work belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum About {
    /// Refreshing what is there; changes no ledger.
    #[default]
    Upkeep,
    /// A batch of the source, which waits for a word.
    Batch {
        /// Its number.
        sequence: u64,
        /// Flows of it that there was no room for.
        full: u32,
        /// Flows of it that are none of this node's business.
        foreign: u64,
    },
    /// A range that was told as a whole.
    Sweep,
}

impl Work {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.neighbours.is_empty()
    }
}
