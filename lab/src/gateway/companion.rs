//! What runs on a gateway beside its service and on its own: conntrackd, where it replicates
//! flows for keepalived. Called by [`super::Gateway`] at its start and at its end.

use super::Gateway;
use crate::error::Result;
use crate::process::Running;
use crate::product::{Product, conntrackd};

impl Gateway {
    fn has_companion(&self) -> bool {
        self.product == Product::Keepalived && self.settings.flows.are_told()
    }

    /// Writes its files, where one is to run.
    pub(super) fn furnish_companion(&self) -> Result<()> {
        if self.has_companion() {
            conntrackd::furnish(self.node, &self.tree, &self.settings)?;
        }
        Ok(())
    }

    /// Starts it unless it runs.
    pub(super) fn start_companion(&mut self) -> Result<()> {
        let runs = self.companion.as_mut().is_some_and(Running::runs);
        if self.has_companion() && !runs {
            self.companion = Some(conntrackd::start(&self.machine.worker, &self.tree)?);
        }
        Ok(())
    }

    /// Starts conntrackd again after it was killed; nothing where none runs.
    pub fn restart_companion(&mut self) -> Result<()> {
        self.companion = None;
        self.start_companion()
    }

    /// What runs beside the service on its own, where anything does.
    pub fn companion(&self) -> Option<&Running> {
        self.companion.as_ref()
    }

    /// Every process of the machine: the service's and what runs beside it.
    pub fn all_pids(&self) -> Vec<i32> {
        let companion = self.companion.as_ref().map(Running::pids).unwrap_or_default();
        self.pids().into_iter().chain(companion).collect()
    }
}
