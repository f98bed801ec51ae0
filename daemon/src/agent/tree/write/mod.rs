//! Makes a section on the disk equal to a manifest, in two moves: [`prepare`] writes
//! everything new beside, where nobody looks, and [`Prepared::switch`] renames it into
//! place. Called by `apply`, which keeps the journal: what is broken off in the middle is
//! a mixture until somebody makes the disk equal to the old manifest in the same way.
//!
//! The manifest may come from the peer, so it is not trusted: a path outside of the
//! scope, through a symlink or onto a mount point is refused before anything is written,
//! and the kernel is asked to refuse it again at each step. A file is always replaced by
//! a new one and never written into, so that no other name of it can change.

mod check;
mod error;
mod stage;
mod switch;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;

pub use error::{Refusal, WriteError};
pub use switch::{Touched, sweep, switch};

use super::{Contents, Ground};
use crate::agent::manifest::{Change, Entry, Manifest, RelPath};
use check::Checked;

/// Told each path about when it is written beside, and again before it is switched (a new
/// directory that moves as a whole is one). `Break` stops the first move; the second one is
/// not left halfway.
pub type Watch<'a> = dyn Fn(&RelPath) -> ControlFlow<()> + 'a;

/// Everything new lies ready beside.
#[derive(Debug)]
pub struct Prepared<'a> {
    ground: Ground<'a>,
    staging: super::Root,
    changes: Vec<Change<'a>>,
    to: &'a Manifest,
    owners: BTreeMap<&'a RelPath, (u32, u32)>,
    parents: BTreeSet<RelPath>,
}

/// Checks what has to change from one manifest (what a scan found just now) to the other,
/// and writes all new files into the directory `staging`, with owner and mode, each at its
/// path. Several sections may share it; `leaving` are the paths that go with others of them.
pub fn prepare<'a>(
    ground: Ground<'a>,
    (from, to): (&'a Manifest, &'a Manifest),
    leaving: &BTreeSet<RelPath>,
    contents: &Contents<'_>,
    staging: &Path,
    watch: &Watch<'_>,
) -> Result<Prepared<'a>, WriteError> {
    let changes = from.changes(to);
    let Checked { owners, parents } = check::check(ground, (from, to), leaving, &changes)?;
    let staging = super::Root::open(staging)
        .map_err(|error| WriteError::Staging(staging.to_owned(), error))?;
    let prepared = Prepared { ground, staging, changes, to, owners, parents };
    prepared.stage(contents, watch)?;
    Ok(prepared)
}

/// Both moves at once: the disk becomes equal to `to`, durably. Whoever calls has a
/// journal, or nothing to lose.
pub fn materialise(
    ground: Ground<'_>,
    from: &Manifest,
    to: &Manifest,
    contents: &Contents<'_>,
    staging: &Path,
) -> Result<(), WriteError> {
    let watch = |_: &RelPath| ControlFlow::Continue(());
    let prepared = prepare(ground, (from, to), &BTreeSet::new(), contents, staging, &watch)?;
    let mut touched = Touched::default();
    switch(std::slice::from_ref(&prepared), &watch, &mut touched).map_err(|(_, error)| error)?;
    touched.sync().map_err(|error| WriteError::Staging(ground.root.path().to_owned(), error))
}

impl<'a> Prepared<'a> {
    /// What changes, in the order of paths.
    pub fn changes(&self) -> &[Change<'a>] {
        &self.changes
    }

    /// Directories that no section covers and that have to be made on the way (`root`,
    /// mode 0755), outermost first. Whoever undoes the switch removes them.
    pub fn parents(&self) -> impl DoubleEndedIterator<Item = &RelPath> {
        self.parents.iter()
    }
}

/// The path that changes, and what shall lie there.
fn target<'a>(change: &Change<'a>) -> (&'a RelPath, Option<&'a Entry>) {
    match change {
        Change::Added(path, new) | Change::Modified(path, _, new) => (path, Some(new)),
        Change::Removed(path, _) => (path, None),
    }
}
