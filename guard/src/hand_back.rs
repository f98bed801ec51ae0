//! When the guard leaves because high availability was turned off: the node is a gateway of
//! its own again. Its gate goes, and if it serves and nobody else is there to, it keeps the
//! virtual IPs as addresses of its own, without a moment in which it does not answer.
//! Nobody decides by this who serves; whether a peer is heard is the core's to say.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use crate::addresses::Wanted;
use crate::beats::Mail;
use crate::gate_keeping::GateOrders;
use crate::mailbox::Sender;
use crate::settings::{self, SettingsError};

/// A thread that takes longer is taken to hang; the supervisor waits for five seconds.
const STEP: Duration = Duration::from_secs(1);

/// The threads that have something to give back.
#[derive(Clone)]
pub(crate) struct HandBack {
    root: PathBuf,
    mail: Sender<Mail>,
    wanted: Wanted,
    gate: Option<Arc<GateOrders>>,
    gate_gone: Arc<AtomicBool>,
}

impl HandBack {
    /// Reaches these threads; `root` is where the settings are.
    pub(crate) fn new(
        root: PathBuf,
        mail: Sender<Mail>,
        wanted: Wanted,
        gate: Option<Arc<GateOrders>>,
    ) -> HandBack {
        HandBack { root, mail, wanted, gate, gate_gone: Arc::default() }
    }

    /// Before the core is told to leave: a node that serves alone goes on as it is.
    pub(crate) fn before_leaving(&self) {
        if !self.is_off() {
            return;
        }
        let alone = ask(|answer| {
            // A beat thread that has ended answers nothing.
            let _ = self.mail.send(Mail::ServesAlone(answer));
        });
        if alone == Some(true) {
            // In this order: the addresses first belong to nobody who would take them off.
            ask(|done| self.wanted.give_back(done));
            self.remove_gate();
        }
    }

    /// After the core has left.
    pub(crate) fn after_leaving(&self) {
        if self.is_off() {
            self.remove_gate();
        }
    }

    /// Settings that are wrong or cannot be read are not off: the gate stays shut then.
    fn is_off(&self) -> bool {
        matches!(settings::load(&self.root), Err(SettingsError::Off(_)))
    }

    fn remove_gate(&self) {
        let Some(gate) = &self.gate else { return };
        if !self.gate_gone.swap(true, Ordering::Relaxed) {
            ask(|done| gate.remove(done));
        }
    }
}

/// The answer, unless the thread hangs.
fn ask<T>(send: impl FnOnce(SyncSender<T>)) -> Option<T> {
    let (answer, answered) = sync_channel(1);
    send(answer);
    answered.recv_timeout(STEP).ok()
}
