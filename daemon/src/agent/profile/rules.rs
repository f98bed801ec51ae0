//! What one section is made of.

use std::path::PathBuf;

use super::command::Task;
use super::mask::Secret;
use super::owners::OwnerRule;
use super::pattern::Patterns;
use crate::agent::manifest::RelPath;
use crate::agent::step::Step;

/// The rules of one section.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// What belongs to it.
    pub paths: Patterns,
    /// What does not, although `paths` match it: it may belong to another section.
    pub exclude: Patterns,
    /// What stays on its node, although `paths` match it: never sent, never overwritten,
    /// never deleted. With what the profile names for all sections.
    pub node_local: Patterns,
    /// Files in which addresses of HA interfaces are translated.
    pub translate: Patterns,
    /// Owners and modes that files have on both nodes, whatever the sender's are.
    pub owners: Vec<OwnerRule>,
    /// What is masked wherever a content is shown.
    pub secrets: Vec<Secret>,
    /// Run over the staged tree; all must succeed.
    pub validate: Vec<Task>,
    /// Run after the switch, in this order; all must succeed.
    pub apply: Vec<Task>,
    /// Whether what the section configures works.
    pub health: Vec<Task>,
    /// Services that run only on the active.
    pub services: Vec<Service>,
    /// Sections of one group are validated, switched and applied as one.
    pub group: Option<String>,
}

impl Rules {
    /// Whether the path belongs to the section and travels.
    pub fn covers(&self, path: &RelPath) -> bool {
        self.paths.matches(path) && !self.exclude.matches(path) && !self.node_local.matches(path)
    }

    /// Whether the path would belong to the section if it were not node-local.
    pub fn keeps_local(&self, path: &RelPath) -> bool {
        self.paths.matches(path) && !self.exclude.matches(path) && self.node_local.matches(path)
    }
}

/// A service that runs only on the active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name in the profile, unique there.
    pub name: String,
    /// Its systemd unit.
    pub unit: String,
    /// Its program: without it on this machine there is nothing to start.
    pub program: PathBuf,
    /// Services that are started before it and stopped after it.
    pub after: Vec<String>,
    /// Starts it.
    pub start: Step,
    /// Stops it.
    pub stop: Step,
    /// Succeeds while it works; the role is served only once it does.
    pub check: Step,
}

impl Service {
    /// Whether its program is on this machine.
    pub fn is_installed(&self) -> bool {
        self.program.exists()
    }
}
