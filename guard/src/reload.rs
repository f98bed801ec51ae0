//! Reads the settings again while the guard runs, on the thread of the client that
//! asks. Other keys come first: those by which the peer stays heard at any time, any others
//! only while it is away (a dead unit was replaced, and what it knew is of no use any more).
//! Then each step is waited for before the next is
//! taken:
//!
//! 1. the gate holds for the addresses and interfaces of before and of now
//! 2. the beat thread takes the settings over, or refuses them
//! 3. the link thread watches the new list, and opens what became a path
//! 4. the addresses are as the settings say
//! 5. the gate is for the new settings alone

use std::io;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use twinwall_core::config::{Node, Pair};
use twinwall_core::ids::BootId;
use twinwall_core::wire::{PairKeys, Session};

use crate::beats::{Mail, NewKeys, Reload};
use crate::cable::HaEnds;
use crate::gate::GateSpec;
use crate::gate_keeping::{GateOrders, between, gate_spec};
use crate::links::CheckLinks;
use crate::mailbox::Sender;
use crate::ping::Pinger;
use crate::rtnetlink::InterfaceName;
use crate::server::Context;
use crate::settings::{self, Settings};
use crate::start::random;
use crate::threads;

/// A thread that takes longer for a step is taken to hang.
const STEP: Duration = Duration::from_secs(5);

/// What a reload must reach, and what it cannot change.
pub struct Reached {
    /// The gate's thread, where there is a gate.
    pub gate: Option<Arc<GateOrders>>,
    /// The beat thread.
    pub mail: Sender<Mail>,
    /// The link thread: what it watches, and before that the settings.
    pub links: CheckLinks,
    /// See [`PathSockets`](crate::path_sockets::PathSockets).
    pub pairs: mpsc::Sender<Pair>,
    /// The thread that watches the HA cable.
    pub ends: Arc<HaEnds>,
    /// What only a restart changes.
    pub fixed: Fixed,
    /// The heartbeats' keys in force.
    pub keys: Mutex<PairKeys>,
}

/// What holds for a whole run of the guard.
pub struct Fixed {
    /// `node.toml`.
    pub node: Node,
}

impl Reached {
    /// Reads the settings again and has every thread take them over.
    ///
    /// # Errors
    /// Why not, for the operator; then nothing has changed, unless a thread hangs, or the key
    /// was taken and the core refuses the rest.
    pub fn reload(&self, root: &Path, context: &Context) -> Result<(), String> {
        let new = settings::load(root).map_err(|error| error.to_string())?;
        self.fixed.refuse_other(&new)?;
        let mut pair = context.pair.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let change = pair.change(&new.pair);
        if let Some(first) = change.changed.iter().find(|changed| !changed.live) {
            return Err(format!(
                "{}: cannot be changed while the guard runs; restart it on both nodes, the passive first",
                first.key
            ));
        }
        self.rekey(&new)?;
        self.change(&pair, &new.pair)?;
        *pair = new.pair;
        Ok(())
    }

    /// Takes the keys over if they are others.
    fn rekey(&self, new: &Settings) -> Result<(), String> {
        let mut keys = self.keys.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if *keys == new.keys {
            return Ok(());
        }
        let boot = BootId(random().map_err(|error| format!("drawing a number: {error}"))?);
        let session = session(&new.node, &new.pair, &new.keys, boot);
        let (send, answer) = sync_channel(1);
        let mail = NewKeys { keys: new.keys.clone(), session };
        if !self.mail.send(Mail::NewKeys(Box::new(mail), send)) {
            return Err(silent());
        }
        wait_for(&answer)?.map_err(|refused| {
            format!(
                "key file: {refused}: the nodes would not hear each other; \
                 'twinwall pair rotate' changes keys on both in steps"
            )
        })?;
        *keys = new.keys.clone();
        Ok(())
    }

    fn change(&self, old: &Pair, new: &Pair) -> Result<(), String> {
        let words = |error: io::Error| error.to_string();
        let names = names(new).map_err(words)?;
        let (applied, addresses) = sync_channel(1);
        let reload = Reload {
            pair: Arc::new(new.clone()),
            lists: threads::lists(new, self.fixed.node.designation).map_err(words)?,
            applied,
            pinger: pinger(new).map_err(words)?,
        };
        self.shape_gate(between(old, new))?;
        if let Err(refused) = self.ask_core(reload) {
            self.shape_gate(gate_spec(old, Vec::new()))?;
            return Err(refused);
        }
        // Whoever has ended needs no settings; the guard then ends as well.
        let _ = self.pairs.send(new.clone());
        self.links.watch(names);
        self.ends.declare(new.ha_link.cable);
        // An address that takes longer is still held back: the gate closes behind it later.
        let _ = addresses.recv_timeout(STEP);
        self.shape_gate(gate_spec(new, Vec::new()))
    }

    fn ask_core(&self, reload: Reload) -> Result<(), String> {
        let (send, answer) = sync_channel(1);
        if !self.mail.send(Mail::Reload(Box::new(reload), send)) {
            return Err(silent());
        }
        // What was replaced is closed here, when the answer is dropped.
        wait_for(&answer)?.map(drop).map_err(|refused| refused.to_string())
    }

    fn shape_gate(&self, spec: GateSpec) -> Result<(), String> {
        let Some(gate) = &self.gate else { return Ok(()) };
        let (send, answer) = sync_channel(1);
        gate.shape(spec, send);
        wait_for(&answer)?
    }
}

fn wait_for<T>(answer: &Receiver<T>) -> Result<T, String> {
    answer.recv_timeout(STEP).map_err(|_| silent())
}

fn silent() -> String {
    "the guard does not answer; see its log".to_owned()
}

impl Fixed {
    /// Names the first thing in `new` that only a restart could change.
    fn refuse_other(&self, new: &Settings) -> Result<(), String> {
        let (old, node) = (&self.node, &new.node);
        let differs = [
            ("name", old.name != node.name),
            ("designation", old.designation != node.designation),
            ("gate", old.gate != node.gate),
            ("realtime", old.realtime != node.realtime),
        ];
        match differs.into_iter().find(|(_, differs)| *differs) {
            Some((key, _)) => Err(format!(
                "{key}: cannot be changed while the guard runs; restart it on this node"
            )),
            None => Ok(()),
        }
    }
}

/// The session of a run, or of a key; `boot` is drawn for it alone.
pub fn session(node: &Node, pair: &Pair, keys: &PairKeys, boot: BootId) -> Session {
    let mut session = Session::new(&keys.key, pair.pair_id, node.designation, boot);
    // The key in use stays the same, and no peer is heard yet: nothing stands against it.
    let fits = session.rekey(keys);
    debug_assert!(fits.is_ok(), "{fits:?}");
    session.name_paths(pair.path_tags());
    session
}

/// The names of all links, the HA link's first.
///
/// # Errors
/// An impossible name; the settings were checked, so this is a bug in them.
pub fn names(pair: &Pair) -> io::Result<Vec<InterfaceName>> {
    let all = std::iter::once(&pair.ha_link.interface)
        .chain(pair.interfaces.iter().map(|interface| &interface.name));
    all.map(|name| {
        name.parse().map_err(|_| io::Error::other(format!("{name}: not an interface name")))
    })
    .collect()
}

/// For the ping targets, if there are any.
///
/// # Errors
/// The kernel's: no CAP_NET_RAW.
pub fn pinger(pair: &Pair) -> io::Result<Option<Pinger>> {
    if pair.ping_targets.is_empty() {
        return Ok(None);
    }
    let nonce = random::<8>()?;
    Pinger::open(&pair.ping_targets, nonce).map(Some)
}
