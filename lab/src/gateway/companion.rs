//! What runs on a gateway beside its service and on its own: conntrackd, where it replicates
//! flows for keepalived; snmpd and a program that writes a log, where those are at work. Called by
//! [`super::Gateway`] at its start and at its end.

use super::Gateway;
use crate::error::Result;
use crate::monitoring;
use crate::process::Running;
use crate::product::{Duties, Product, conntrackd};

/// What it is.
enum Companion {
    Conntrackd,
    LogsAndSnmp,
}

impl Gateway {
    fn companion_wanted(&self) -> Option<Companion> {
        match self.product {
            Product::Keepalived => self.settings.flows.are_told().then_some(Companion::Conntrackd),
            Product::Twinwall => match self.settings.duties {
                Duties::LogsAndSnmp => Some(Companion::LogsAndSnmp),
                Duties::None | Duties::AskGateway => None,
            },
        }
    }

    /// Writes its files, where one is to run.
    pub(super) fn furnish_companion(&self) -> Result<()> {
        match self.companion_wanted() {
            Some(Companion::Conntrackd) => {
                conntrackd::furnish(self.node, &self.tree, &self.settings)
            }
            Some(Companion::LogsAndSnmp) => monitoring::furnish(&self.tree),
            None => Ok(()),
        }
    }

    /// Starts it unless it runs.
    pub(super) fn start_companion(&mut self) -> Result<()> {
        let runs = self.companion.as_mut().is_some_and(Running::runs);
        let (worker, tree) = (&self.machine.worker, &self.tree);
        self.companion = match self.companion_wanted() {
            Some(_) if runs => return Ok(()),
            Some(Companion::Conntrackd) => Some(conntrackd::start(worker, tree)?),
            Some(Companion::LogsAndSnmp) => Some(monitoring::start(worker, tree)?),
            None => None,
        };
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
