//! Files below the root, for the sections: what a section covers ([`Scope`]), what lies
//! there ([`scan`]), and making it equal to a manifest. Called by the engine and by
//! `apply`. Nothing outside of a scope is read or written, and no symlink is ever
//! followed.
//!
//! A section's files travel with owner, mode and content. Access lists, capabilities and
//! other extended attributes do not; a scan names files that have them.

mod cache;
mod glob;
mod owners;
mod problem;
mod read;
mod refresh;
mod root;
mod scan;
mod scope;
#[cfg(test)]
pub(in crate::agent) mod tests;
mod write;

use std::io::{self, Read};

pub use cache::Cache;
pub(in crate::agent) use glob::Positions;
pub use glob::{GlobError, Globs};
pub use owners::{group_number, user, user_number};
pub use problem::{Problem, What};
pub use read::{open_content, open_plain};
pub use refresh::refresh;
pub use root::Root;
pub use scan::{MAX_PROBLEMS, Scan, scan};
pub use scope::{Lists, Scope};
pub use write::{
    Prepared, Refusal, Touched, Watch, WriteError, materialise, prepare, sweep, switch,
};

use super::digest::Digest;
use super::translate::Translator;

/// One section on this node's disk.
#[derive(Clone, Copy, Debug)]
pub struct Ground<'a> {
    /// Below which all of it lies.
    pub root: &'a Root,
    /// What belongs to it.
    pub scope: &'a Scope,
    /// Between this node's addresses and canonical content.
    pub translator: &'a Translator,
}

/// Where canonical contents come from: a reader for this digest. What it yields is
/// checked against the digest before it counts.
pub type Contents<'a> = dyn Fn(&Digest) -> io::Result<Box<dyn Read + Send>> + Sync + 'a;
