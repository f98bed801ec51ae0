//! What waits for the worker to read it, gathered while it is busy.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use super::work::Work;
use crate::agent::watch::Changes;

/// Sections that wait to be read, gathered while the worker is busy.
#[derive(Clone, Default)]
pub struct Waiting(Arc<Mutex<Changes>>);

impl Waiting {
    /// Adds sections; true when there were none, so that one errand is enough for all.
    pub fn add(&self, changes: Changes) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = waiting.is_empty();
        waiting.extend(changes);
        first && !waiting.is_empty()
    }

    /// Takes all.
    pub fn take(&self) -> Changes {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Sections that wait are read by one errand, however often they change meanwhile.
pub fn ask_to_read(waiting: &Waiting, errands: &mpsc::Sender<Work>, changes: Changes) {
    if waiting.add(changes) {
        // The worker lives as long as the engine.
        let _ = errands.send(Work::Read);
    }
}
