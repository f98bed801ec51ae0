//! A step of the profile with what it needs to make sense on this machine.

use std::path::{Path, PathBuf};

use crate::agent::manifest::RelPath;
use crate::agent::step::Step;

/// A validator, apply command or health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What to run.
    pub step: Step,
    /// The program that it is about; without it on this machine the task is left out, since
    /// a service that is not installed leaves its section empty, not broken.
    pub program: PathBuf,
    /// Files or directories below the root without which it is left out.
    pub needs: Vec<RelPath>,
}

impl Task {
    /// Whether it is to be run. `exists` looks at the tree that is being validated or applied,
    /// which may be a staged one; programs are those of the machine.
    pub fn is_due(&self, exists: impl Fn(&RelPath) -> bool) -> bool {
        self.program.exists() && self.needs.iter().all(exists)
    }

    /// The same for a tree that lies below `root`.
    pub fn is_due_below(&self, root: &Path) -> bool {
        self.is_due(|path| root.join(path.as_path()).symlink_metadata().is_ok())
    }
}
